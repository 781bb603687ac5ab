"""What Tryton holds, counted by id alone: another way than by what changed, so that a row lost on the way is missed."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from features.money import to_minor
from features.tables import Table
from features.totals import Totals, totals_of
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_commerce import order_documents
from pipelines.connectors.tryton_companies import Company, customer_id
from pipelines.connectors.tryton_documents import STANDING, is_credit_note, is_withdrawn, out_documents
from pipelines.connectors.tryton_json import Json

_PAGE = 1000
_MONEY = ("currency.code", "total_amount")
COUNTED = ("customer", "order", "invoice", "credit_note")


def totals(table: Table, companies: Sequence[Company]) -> Totals | None:
    """Of the tables in `COUNTED`; None of the others, which are reckoned from several models."""
    if table.name not in COUNTED:
        return None
    rows = [row for company in companies for row in _rows(table.name, company)]
    schema = {"entity_id": pl.String, table.id_column: pl.String, "currency": pl.String, "amount_minor": pl.Int64}
    return totals_of(pl.DataFrame(rows, schema=schema, orient="row"), table)


def _rows(name: str, company: Company) -> Iterator[tuple[str, str, str | None, int | None]]:
    if name == "customer":
        billed = _all(company.erp, "account.invoice", out_documents(company), ("party.code",))
        for party in {customer_id(row["party"]) for row in billed}:
            yield company.entity, party, None, None
    elif name == "order":
        for row in _all(company.erp, "sale.sale", order_documents(company), ("number", *_MONEY)):
            yield _document(company, row)
    else:
        for row in _all(company.erp, "account.invoice", out_documents(company), (*STANDING, *_MONEY)):
            if is_credit_note(row) == (name == "credit_note") and not is_withdrawn(row):
                yield _document(company, row)


def _document(company: Company, row: Json) -> tuple[str, str, str, int]:
    currency = row["currency"]["code"]
    return company.entity, row["number"], currency, to_minor(row["total_amount"], currency)


def _all(erp: Tryton, model: str, domain: Sequence[Any], fields: Sequence[str]) -> Iterator[Json]:
    last = 0
    while True:
        rows = erp.search(model, [*domain, ["id", ">", last]], fields, order=[("id", "ASC")], limit=_PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1]["id"]
