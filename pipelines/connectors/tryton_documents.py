"""Tryton's invoices and credit notes as records of the canonical tables."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from features.errors import SourceBroken
from pipelines.connectors.tryton_changes import Window, as_text, changed, stamp_of
from pipelines.connectors.tryton_companies import Company, customer_id
from pipelines.connectors.tryton_json import Json

Records = Iterator[list[Json]]

POSTED = ["state", "in", ["posted", "paid", "cancelled"]]
LINES_TO_PAY = tuple(
    f"lines_to_pay.{name}"
    for name in ("maturity_date", "debit", "credit", "amount_second_currency", "second_currency", "reconciliation")
)
STANDING = ("number", "state", "total_amount", "cancel_move.origin")
_DOCUMENT = (*STANDING, "invoice_date", "party.code", "currency.code", "move.create_date", "move.write_date")


def out_documents(company: Company) -> list[Any]:
    """The domain of what the company billed or credited to customers, and has posted."""
    return [["company", "=", company.id], ["type", "=", "out"], ["number", "!=", None], POSTED]


def invoices(company: Company, window: Window) -> Records:
    """Posted invoices. Numbers are unique within the company, or `SourceBroken`: what is owed must not be mixed up."""
    fields = (*_DOCUMENT, *LINES_TO_PAY, "sales.number")
    seen: dict[str, int] = {}
    for rows in changed(company.erp, "account.invoice", out_documents(company), fields, window):
        _require_unique(rows, seen)
        yield [_invoice(company, row) for row in rows if not is_credit_note(row)]


def credit_notes(company: Company, window: Window) -> Records:
    """Posted credit notes: documents whose total is negative."""
    fields = (*_DOCUMENT, "origin_invoices.number")
    for rows in changed(company.erp, "account.invoice", out_documents(company), fields, window):
        yield [_credit_note(company, row) for row in rows if is_credit_note(row)]


def is_credit_note(row: Json) -> bool:
    """Tryton keeps both as documents of type `out`."""
    return bool(row["total_amount"] < 0)


def is_withdrawn(row: Json) -> bool:
    """Whether a posted document was taken back as if it never was; one that a credit note cancelled still stands."""
    if row["state"] != "cancelled":
        return False
    origin = (row.get("cancel_move") or {}).get("origin") or ""
    return not origin.startswith("account.invoice,")


def amount_of(line: Json) -> Decimal:
    """A move line's amount in the currency of its document: owed is positive."""
    own = line["debit"] - line["credit"]
    return Decimal(line["amount_second_currency"]) if line.get("second_currency") else Decimal(own)


def instalment_lines(lines: list[Json], otherwise: date) -> list[Json]:
    """The lines that are due, in order. Those that a rescheduling replaced settle each other and are left out."""
    groups: dict[int, list[Decimal]] = {}
    for line in lines:
        groups.setdefault(_id_of(line["reconciliation"]), []).append(amount_of(line))
    crossed = {group for group, amounts in groups.items() if group and min(amounts) < 0 and not sum(amounts)}
    due = [line for line in lines if _id_of(line["reconciliation"]) not in crossed]
    return sorted(due, key=lambda line: (line["maturity_date"] or otherwise, line["id"]))


def _id_of(value: Any) -> int:
    return int(value["id"]) if isinstance(value, dict) else int(value or 0)


def _envelope(company: Company, row: Json, key: str) -> Json:
    booked = row["move"]["write_date"] or row["move"]["create_date"] if row.get("move") else None
    known = {} if booked is None else {"known_at": as_text(stamp_of({"create_date": booked}))}
    return {"id": key, "company": company.entity, "changed_at": as_text(stamp_of(row))} | known


def _invoice(company: Company, row: Json) -> Json:
    record = _envelope(company, row, row["number"])
    if is_withdrawn(row):
        return record | {"deleted": True}
    lines = instalment_lines(row["lines_to_pay"], row["invoice_date"])
    due = [
        {"number": n, "due_date": str(line["maturity_date"] or row["invoice_date"]), "amount": str(amount_of(line))}
        for n, line in enumerate(lines, start=1)
    ]
    orders = row.get("sales") or []
    return record | {
        "customer_id": customer_id(row["party"]),
        "issue_date": str(row["invoice_date"]),
        "currency": row["currency"]["code"],
        "amount": str(row["total_amount"]),
        "instalments": due,
        "order_id": orders[0]["number"] if len(orders) == 1 else None,
    }


def _credit_note(company: Company, row: Json) -> Json:
    record = _envelope(company, row, row["number"])
    if is_withdrawn(row):
        return record | {"deleted": True}
    corrected = row.get("origin_invoices") or []
    return record | {
        "customer_id": customer_id(row["party"]),
        "issue_date": str(row["invoice_date"]),
        "currency": row["currency"]["code"],
        "amount": str(row["total_amount"]),
        "invoice_id": corrected[0]["number"] if len(corrected) == 1 else None,
    }


def _require_unique(rows: list[Json], seen: dict[str, int]) -> None:
    for row in rows:
        other = seen.setdefault(row["number"], row["id"])
        if other != row["id"]:
            raise SourceBroken(
                f"account.invoice: {other} and {row['id']} have both the number {row['number']!r}; "
                "allowed: numbers that are unique in a company (put the year into the prefix of its sequences)"
            )
