"""Cash in Tryton: a bank statement of one receipt, with a line for each invoice that it settles, posted.

Payload: erp_reference, customer_id, date, currency, amount, allocations [{invoice_id, amount}]; what is not allocated
stays on the customer's account. Messages of one bank account belong to one document, since statements join.
"""

from datetime import date
from decimal import Decimal

from features.errors import BadInput, SourceBroken
from pipelines.connectors.tryton_clerk import Clerk, decimal, only
from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_documents import out_documents
from pipelines.connectors.tryton_json import Json

_STATEMENT = ("name", "state", "end_balance")
_INVOICE = ("number", "state", "party.code", "currency.code", "amount_to_pay", "account")
_BUTTONS = {"draft": "validate_statement", "validated": "post"}


def apply_cash(company: Company, payload: Json, clerk: Clerk) -> Json:
    """The receipt in the books, its invoices settled; `BadInput` where one of them is not open as far as is paid."""
    del clerk  # cash is dated by the bank
    reference = payload["erp_reference"]
    statement = _statement_of(company, reference)
    if statement is None:
        made = company.erp.create("account.statement", _values(company, payload))
        statement = company.erp.read("account.statement", made["id"], _STATEMENT)
    while statement["state"] in _BUTTONS:
        company.erp.act("account.statement", statement["id"], _BUTTONS[statement["state"]])
        statement = company.erp.read("account.statement", statement["id"], _STATEMENT)
    if statement["state"] != "posted":
        raise BadInput(f"statement {reference} is {statement['state']} in the ERP; allowed: one that stands")
    return {"statement": statement["name"], "amount": payload["amount"]}


def _statement_of(company: Company, reference: str) -> Json | None:
    domain = [["name", "=", reference], ["company", "=", company.id], ["state", "!=", "cancelled"]]
    found = company.erp.search("account.statement", domain, _STATEMENT)
    if len(found) > 1:
        raise SourceBroken(f"{len(found)} statements of the ERP are called {reference!r}; cancel all but one")
    return found[0] if found else None


def _values(company: Company, payload: Json) -> Json:
    journal = only(
        company.erp,
        "account.statement.journal",
        [["currency.code", "=", payload["currency"]], ["company", "=", company.id]],
        ("last_amount", "company"),
        "currency",
    )
    amount, day, opening = decimal(payload, "amount"), date.fromisoformat(payload["date"]), journal["last_amount"]
    lines = _lines(company, payload, amount)
    numbered = [line | {"date": day, "sequence": place} for place, line in enumerate(lines, start=1)]
    opening = opening or Decimal(0)
    balances = {"start_balance": opening, "end_balance": opening + amount}
    told = {"name": payload["erp_reference"], "journal": journal["id"], "company": company.id, "date": day}
    return told | balances | {"lines": [["create", numbered]]}


def _lines(company: Company, payload: Json, amount: Decimal) -> list[Json]:
    found = [_settled(company, payload, allocation) for allocation in payload["allocations"]]
    rest = amount - sum((line["amount"] for line in found), Decimal(0))
    if rest < 0:
        raise BadInput(f"amount is {amount}: more is allocated; allowed: allocations up to the amount")
    if rest:
        party = only(company.erp, "party.party", [["code", "=", payload["customer_id"]]], ("code",), "customer_id")
        found.append({"amount": rest, "party": party["id"], "account": found[0]["account"]})
    number = payload["erp_reference"]
    return [line | {"number": number} for line in found]


def _settled(company: Company, payload: Json, allocation: Json) -> Json:
    domain = [["number", "=", allocation["invoice_id"]], *out_documents(company)]
    invoice = only(company.erp, "account.invoice", domain, _INVOICE, "invoice_id")
    amount, open_ = decimal(allocation, "amount"), invoice["amount_to_pay"]
    if invoice["currency"]["code"] != payload["currency"]:
        raise BadInput(f"invoice {invoice['number']} is in {invoice['currency']['code']}, not {payload['currency']}")
    if not 0 < amount <= open_:
        raise BadInput(
            f"invoice {invoice['number']}: {amount} is allocated, {open_} is open; allowed: up to what is open"
        )
    settles = {"related_to": f"account.invoice,{invoice['id']}", "account": invoice["account"]}
    return settles | {"amount": amount, "party": invoice["party"]["id"]}
