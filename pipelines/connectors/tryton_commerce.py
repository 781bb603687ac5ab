"""Tryton's customers, orders and disputes as records of the canonical tables."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from features.money import exponent
from pipelines.connectors.tryton_changes import Window, as_text, changed, stamp_of
from pipelines.connectors.tryton_companies import Company, country_of, customer_id
from pipelines.connectors.tryton_documents import Records, out_documents
from pipelines.connectors.tryton_json import Json

_ORDER_STATES = {
    "quotation": "open",
    "confirmed": "open",
    "processing": "open",
    "done": "billed",
    "cancelled": "cancelled",
}
_DISPUTE_STATES = {
    "draft": "open",
    "waiting": "open",
    "approved": "accepted",
    "done": "accepted",
    "rejected": "rejected",
    "cancelled": "withdrawn",
}


def customers(company: Company, window: Window) -> Records:
    """The parties that the company has billed; a party that changed, or was billed for the first time since then."""
    fields = ("name", "code", "addresses.country.code", "create_date", "write_date")
    told: set[int] = set()
    billed = out_documents(company)
    for rows in changed(company.erp, "account.invoice", billed, ("party",), window):
        new = {row["party"] for row in rows} - told
        told |= new
        yield [_customer(company, row) for row in company.erp.of_ids("party.party", "id", new, fields)]
    if window.since is None:
        return
    for rows in changed(company.erp, "party.party", [], fields, window):
        others = [row for row in rows if row["id"] not in told]
        ids = {row["id"] for row in others}
        ours = {row["party"] for row in company.erp.of_ids("account.invoice", "party", ids, ("party",), billed)}
        yield [_customer(company, row) for row in others if row["id"] in ours]


def _customer(company: Company, row: Json) -> Json:
    return {
        "id": customer_id(row),
        "company": company.entity,
        "changed_at": as_text(stamp_of(row)),
        "known_at": as_text(stamp_of({"create_date": row["create_date"]})),
        "name": row["name"],
        "country": country_of(row),
    }


def order_documents(company: Company) -> list[Any]:
    """The domain of the company's sales from the quotation on."""
    dated = [["number", "!=", None], ["sale_date", "!=", None]]
    return [["company", "=", company.id], ["state", "in", list(_ORDER_STATES)], *dated]


def orders(company: Company, window: Window) -> Records:
    """Sales from the quotation on."""
    fields = (
        "number",
        "state",
        "sale_date",
        "party.code",
        "currency.code",
        "total_amount",
        "reference",
        "invoice_state",
    )
    for rows in changed(company.erp, "sale.sale", order_documents(company), fields, window):
        yield [record for row in rows for record in since_opened(_order(company, row), row)]


def since_opened(record: Json, row: Json) -> list[Json]:
    """The record as it stands, after how it was opened where it is open no longer.

    Tryton keeps no history: how a thing ended was known when it was last changed, not when it was made.
    """
    made = as_text(stamp_of({"create_date": row["create_date"]}))
    if record["status"] == "open":
        return [record | {"known_at": made}]
    ended = {"closed_on": None} if "closed_on" in record else {}
    return [record | ended | {"changed_at": made, "known_at": made, "bygone": True, "status": "open"}, record]


def _order(company: Company, row: Json) -> Json:
    billed = row["state"] != "cancelled" and row["invoice_state"] in ("invoiced", "paid", "awaiting payment")
    return {
        "id": row["number"],
        "company": company.entity,
        "changed_at": as_text(stamp_of(row)),
        "customer_id": customer_id(row["party"]),
        "order_date": str(row["sale_date"]),
        "currency": row["currency"]["code"],
        "amount": str(row["total_amount"]),
        "status": "billed" if billed else _ORDER_STATES[row["state"]],
        "reference": row["reference"],
    }


def disputes(company: Company, window: Window) -> Records:
    """Complaints about invoices."""
    fields = ("number", "state", "date", "customer.code", "origin", "type.name", "actions.amount")
    for rows in changed(
        company.erp, "sale.complaint", [["company", "=", company.id], ["date", "!=", None]], fields, window
    ):
        documents = _disputed(company, rows)
        told = [(_dispute(company, row, documents.get(row["origin"] or "")), row) for row in rows]
        yield [record for dispute, row in told for record in since_opened(dispute, row)]


def _disputed(company: Company, rows: list[Json]) -> dict[str, Json]:
    """Origin -> the invoice that it names, or whose line it names."""
    found: dict[str, Json] = {}
    named = ("number", "total_amount", "untaxed_amount", "currency.code")
    wanted = {"account.invoice": set(named), "account.invoice.line": {f"invoice.{name}" for name in named}}
    for model, fields in wanted.items():
        origins = [row["origin"].split(",") for row in rows if row["origin"]]
        ids = [int(number) for named, number in origins if named == model]
        for row in company.erp.of_ids(model, "id", ids, fields):
            found[f"{model},{row['id']}"] = row.get("invoice") or row
    return found


def _disputed_amount(row: Json, document: Json) -> Decimal:
    """With tax: all of the invoice where no action names less. Tryton's actions are net, so a part is in proportion."""
    actions = [action["amount"] for action in row["actions"] or [] if action["amount"] is not None]
    net = sum(actions, Decimal(0))
    total, untaxed = Decimal(document["total_amount"]), Decimal(document["untaxed_amount"])
    if not actions or not untaxed or net == untaxed:
        return total
    cent = Decimal(1).scaleb(-exponent(document["currency"]["code"]))
    return (total * net / untaxed).quantize(cent, ROUND_HALF_EVEN)


def _dispute(company: Company, row: Json, document: Json | None) -> Json:
    status = _DISPUTE_STATES[row["state"]]
    amount = None if document is None else _disputed_amount(row, document)
    return {
        "id": row["number"] or str(row["id"]),
        "company": company.entity,
        "changed_at": as_text(stamp_of(row)),
        "customer_id": customer_id(row["customer"]),
        "invoice_id": document["number"] if document else None,
        "opened_on": str(row["date"]),
        "currency": document["currency"]["code"] if document else company.currency,
        "amount": None if amount is None else str(amount),
        "reason": row["type"]["name"],
        "status": status,
        "closed_on": None if status == "open" else str(stamp_of(row).date()),
    }
