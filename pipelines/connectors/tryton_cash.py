"""Cash in Tryton: a bank statement of one receipt, with a line for each invoice that it settles, posted.

Payload: erp_reference, customer_id, date, currency, amount, allocations [{invoice_id, amount}], maybe none; what is not
allocated stays on the customer's account. Messages of one bank account belong to one document, since statements join.
"""

from collections import defaultdict
from decimal import Decimal

from features.errors import BadInput
from pipelines.connectors.tryton_clerk import Clerk, day, decimal, only
from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_documents import out_documents
from pipelines.connectors.tryton_json import Json

_LINES = ("lines.amount", "lines.related_to")
_STATEMENT = ("name", "state", "journal.currency.code", *_LINES)
_INVOICE = ("number", "state", "party.code", "currency.code", "amount_to_pay", "account")
_BUTTONS = {"draft": "validate_statement", "validated": "post"}


def apply_cash(company: Company, payload: Json, clerk: Clerk) -> Json:
    """The receipt in the books, its invoices settled; `BadInput` where one of them is not open as far as is paid.

    A draft of an earlier attempt is made anew, since a person may have corrected the message; what is validated already
    has to be what the message says.
    """
    del clerk  # cash is dated by the bank
    reference = payload["erp_reference"]
    statement = _statement_of(company, reference)
    if statement is None:
        made = company.erp.create("account.statement", _values(company, payload))
        statement = company.erp.read("account.statement", made["id"], _STATEMENT)
    elif statement["state"] == "draft":
        old = [["delete", [line["id"] for line in statement["lines"]]]]
        values = _values(company, payload)
        company.erp.write("account.statement", statement["id"], values | {"lines": old + values["lines"]})
        statement = company.erp.read("account.statement", statement["id"], _STATEMENT)
    _require_same(company, statement, payload)
    while statement["state"] in _BUTTONS:
        company.erp.act("account.statement", statement["id"], _BUTTONS[statement["state"]])
        statement = company.erp.read("account.statement", statement["id"], _STATEMENT)
    if statement["state"] != "posted":
        raise BadInput(f"statement {reference} is {statement['state']} in the ERP; allowed: one that stands")
    return {"statement": statement["name"], "amount": str(_amount(statement))}


def _statement_of(company: Company, reference: str) -> Json | None:
    domain = [["name", "=", reference], ["company", "=", company.id], ["state", "!=", "cancelled"]]
    found = company.erp.search("account.statement", domain, _STATEMENT)
    if len(found) > 1:
        raise BadInput(f"{len(found)} statements of the ERP are called {reference!r}; cancel all but one")
    return found[0] if found else None


def _amount(statement: Json) -> Decimal:
    return sum((line["amount"] for line in statement["lines"]), Decimal(0))


def _require_same(company: Company, statement: Json, payload: Json) -> None:
    """`BadInput` where the statement settles something else than the message says."""
    told: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    for line in statement["lines"]:
        told[line["related_to"]] += line["amount"]
    wanted: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    for allocation in payload["allocations"]:
        invoice = _invoice(company, allocation)
        wanted[f"account.invoice,{invoice['id']}"] += decimal(allocation, "amount")
    rest = decimal(payload, "amount") - sum(wanted.values(), Decimal(0))
    if rest:
        wanted[None] = rest
    currency = statement["journal"]["currency"]["code"]
    if told != wanted or currency != payload["currency"]:
        held = f"{_amount(statement)} {currency} for {len(told)} receivables"
        raise BadInput(
            f"statement {statement['name']} is in the ERP as {held}, not as the message says; cancel it there"
        )


def _values(company: Company, payload: Json) -> Json:
    domain = [["currency.code", "=", payload["currency"]], ["company", "=", company.id]]
    journal = only(company.erp, "account.statement.journal", domain, ("last_amount", "company"), "currency")
    amount, booked = decimal(payload, "amount"), day(payload, "date")
    opening = journal["last_amount"] or Decimal(0)
    lines = [line | {"date": booked, "sequence": n} for n, line in enumerate(_lines(company, payload, amount), start=1)]
    balances = {"start_balance": opening, "end_balance": opening + amount}
    told = {"name": payload["erp_reference"], "journal": journal["id"], "company": company.id, "date": booked}
    return told | balances | {"lines": [["create", lines]]}


def _lines(company: Company, payload: Json, amount: Decimal) -> list[Json]:
    found, taken = [], defaultdict[str, Decimal](Decimal)
    for allocation in payload["allocations"]:
        invoice, part = _invoice(company, allocation), decimal(allocation, "amount")
        taken[invoice["number"]] += part
        _require_open(invoice, part, taken[invoice["number"]], payload["currency"])
        settles = {"related_to": f"account.invoice,{invoice['id']}", "account": invoice["account"]}
        found.append(settles | {"amount": part, "party": invoice["party"]["id"]})
    rest = amount - sum(taken.values(), Decimal(0))
    if rest < 0:
        raise BadInput(f"amount is {amount}: more is allocated; allowed: allocations up to the amount")
    if rest:
        party = only(company.erp, "party.party", [["code", "=", payload["customer_id"]]], ("code",), "customer_id")
        found.append({"amount": rest, "party": party["id"], "account": _receivable(company)})
    return [line | {"number": payload["erp_reference"]} for line in found]


def _invoice(company: Company, allocation: Json) -> Json:
    domain = [["number", "=", allocation.get("invoice_id")], *out_documents(company)]
    return only(company.erp, "account.invoice", domain, _INVOICE, "invoice_id")


def _require_open(invoice: Json, part: Decimal, taken: Decimal, currency: str) -> None:
    if invoice["currency"]["code"] != currency:
        raise BadInput(f"invoice {invoice['number']} is in {invoice['currency']['code']}, not {currency}")
    open_ = invoice["amount_to_pay"]
    if part <= 0 or taken > open_:
        raise BadInput(
            f"invoice {invoice['number']}: {taken} is allocated, {open_} is open; allowed: up to what is open"
        )


def _receivable(company: Company) -> int:
    domain = [["type.receivable", "=", True], ["company", "=", company.id], ["closed", "!=", True]]
    accounts = company.erp.search("account.account", domain, ("code",), order=[("code", "ASC")], limit=1)
    if not accounts:
        raise BadInput("the company has no account of receivables; allowed: a company with a chart of accounts")
    return int(accounts[0]["id"])
