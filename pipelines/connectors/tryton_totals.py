"""What Tryton holds, counted by id alone: another way than by what changed, so that a row lost on the way is missed."""

from collections.abc import Callable, Iterator, Sequence
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
        return
    model, documents, fields = _DOCUMENTS[name]
    for currency in company.erp.search("currency.currency", [], ("code",)):
        code = currency["code"]
        # the ERP itself says which are in the currency, so that a wrong one in its answers is noticed
        of_currency = [*documents(company), ["currency", "=", currency["id"]]]
        for row in _all(company.erp, model, of_currency, fields):
            if name == "order" or (is_credit_note(row) == (name == "credit_note") and not is_withdrawn(row)):
                yield company.entity, row["number"], code, to_minor(row["total_amount"], code)


_DOCUMENTS: dict[str, tuple[str, Callable[[Company], list[Any]], tuple[str, ...]]] = {
    "order": ("sale.sale", order_documents, ("number", "total_amount")),
    "invoice": ("account.invoice", out_documents, STANDING),
    "credit_note": ("account.invoice", out_documents, STANDING),
}


def _all(erp: Tryton, model: str, domain: Sequence[Any], fields: Sequence[str]) -> Iterator[Json]:
    last = 0
    while True:
        rows = erp.search(model, [*domain, ["id", ">", last]], fields, order=[("id", "ASC")], limit=_PAGE)
        yield from rows
        if len(rows) < _PAGE:
            return
        last = rows[-1]["id"]
