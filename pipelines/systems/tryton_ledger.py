"""Books a planned ledger in Tryton through its API, and writes down what was booked.

The truth is what was meant, not what Tryton says of it; only the numbers of documents are Tryton's.

    {company: {"invoices": {number: {customer, issue_date, currency, amount, instalments, order_id}},
               "credit_notes": {number: {customer, issue_date, currency, amount}},
               "payments": [[customer, day, currency, amount]],
               "allocations": [[kind, invoice, day, currency, amount]],
               "disputes": {number: {customer, invoice, status}}}}
"""

from datetime import date, timedelta

from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.systems.tryton_bank import BankDesk
from pipelines.systems.tryton_books import COMPANIES
from pipelines.systems.tryton_desk import Truth
from pipelines.systems.tryton_plan import Planned, planned

SEED = 7
_AT_ONCE = 50


def fill(erp: TrytonSession, today: date) -> Truth:
    """Book some hundred invoices for each company; amounts and days come back as text."""
    numbers = {c["party."]["code"]: c["id"] for c in erp.search("company.company", [], ["party.code"])}
    return {c.code: _Ledger(erp, c, numbers[c.code], today).fill() for c in COMPANIES}


class _Ledger(BankDesk):
    """Books everything that is planned for a company."""

    def fill(self) -> Truth:
        self.customers()
        invoices = planned(self.company, self.today, SEED)
        self._orders([i for i in invoices if i.ordered])
        self._invoices(invoices)
        self.bank(invoices)
        for invoice in invoices:
            self._by_hand(invoice)
            self._credit(invoice)
        self._disputes([i for i in invoices if i.fate == "disputed"])
        return self.truth

    def _orders(self, invoices: list[Planned]) -> None:
        """Sales, whose invoices Tryton makes when they are processed."""
        told = [self._order(i) for i in invoices]
        made = self.erp.create("sale.sale", told)
        for button in ("quote", "confirm", "process"):
            self.erp.call("sale.sale", button, made)
        rows = {r["id"]: r for r in self.erp.call("sale.sale", "read", made, ["number", "invoices"])}
        for invoice, sale in zip(invoices, made, strict=True):
            invoice.order, (invoice.id,) = rows[sale]["number"], rows[sale]["invoices"]
            self.erp.call("account.invoice", "write", [invoice.id], {"invoice_date": invoice.issued})

    def _order(self, invoice: Planned) -> Json:
        party = self.parties[invoice.customer]
        line = self.line(invoice.quantity, invoice) | {"product": self.product, "unit": self.unit}
        return {
            "party": party,
            "invoice_party": party,
            "invoice_address": self.addresses[party],
            "shipment_address": self.addresses[party],
            "currency": self.currencies[invoice.currency],
            "payment_term": self.terms[invoice.terms],
            "invoice_method": "order",
            "sale_date": invoice.issued,
            "reference": f"PO {self.company.code} {invoice.place}",
            "lines": [["create", [line]]],
        }

    def _invoices(self, invoices: list[Planned]) -> None:
        others = [i for i in invoices if not i.id]
        for invoice, made in zip(
            others, self.erp.create("account.invoice", [self.draft(i) for i in others]), strict=True
        ):
            invoice.id = made
        self.aware([-1, *(i.id for i in invoices)])
        for start in range(0, len(invoices), _AT_ONCE):
            self.erp.call("account.invoice", "post", [i.id for i in invoices[start : start + _AT_ONCE]])
        rows = self.erp.call("account.invoice", "read", [i.id for i in invoices], ["number"])
        numbers = {r["id"]: r["number"] for r in rows}
        for invoice in invoices:
            invoice.number = numbers[invoice.id]
            self.truth["invoices"][invoice.number] = {
                "customer": invoice.customer,
                "issue_date": str(invoice.issued),
                "currency": invoice.currency,
                "amount": str(invoice.total),
                "instalments": [[str(day), str(amount)] for day, amount in invoice.instalments],
                "order_id": invoice.order or None,
            }

    def _by_hand(self, invoice: Planned) -> None:
        """Paid by the clerk who uses the invoice's own button."""
        if not invoice.fate.startswith("by hand"):
            return
        (money,) = invoice.money
        form: Json = {
            "payee": self.parties[invoice.customer],
            "payees": [self.parties[invoice.customer]],
            "amount": money.amount + money.surplus,
            "currency": self.currencies[invoice.currency],
            "date": money.day,
            "company": self.number,
            "invoice_account": self.receivable,
            "payment_method": self.id("account.invoice.payment.method", ["company", "=", self.number]),
            "description": f"By hand {invoice.place}",
        }
        steps: list[tuple[str, Json]] = [("choice", {"start": form})]
        if invoice.fate != "by hand":
            steps.append(("pay", {"start": form, "ask": self._rest(invoice, form)}))
        self.erp.wizard("account.invoice.pay", steps, "account.invoice", [invoice.id])
        self.received(invoice, money.day, money.amount + money.surplus, f"By hand {invoice.place}")
        self.allocated("payment", invoice, money.day, money.amount)
        if invoice.fate == "by hand, rest written off":
            self.allocated("write_off", invoice, money.day, invoice.total - money.amount)

    def _rest(self, invoice: Planned, form: Json) -> Json:
        lines = self.lines_of(invoice.id)
        asked: Json = {"type": "overpayment", "lines": lines, "lines_to_pay": lines, "payment_lines": []}
        asked |= {"amount": form["amount"], "currency": form["currency"], "company": self.number, "invoice": invoice.id}
        if invoice.fate == "by hand, rest written off":
            reason = self.id("account.move.reconcile.write_off", ["company", "=", self.number])
            asked |= {"type": "writeoff", "writeoff": reason}
        return asked

    def _credit(self, invoice: Planned) -> None:
        if invoice.fate not in ("cancelled by a credit note", "credited", "credited and paid"):
            return
        day = min(invoice.issued + timedelta(days=12), self.today)
        whole = invoice.fate == "cancelled by a credit note"
        quantity = invoice.quantity if whole else 1
        if whole:
            start = {"with_refund": True, "with_refund_allowed": True, "invoice_date": day}
            self.erp.wizard("account.invoice.credit", [("credit", {"start": start})], "account.invoice", [invoice.id])
            note = self.id("account.invoice", ["lines.origin.invoice.id", "=", invoice.id, "account.invoice.line"])
        else:
            note = self._part_credited(invoice, quantity, day)
        number = self.erp.call("account.invoice", "read", [note], ["number"])[0]["number"]
        amount = invoice.gross(quantity)
        self.truth["credit_notes"][number] = {
            "customer": invoice.customer,
            "issue_date": str(day),
            "currency": invoice.currency,
            "amount": str(-amount),
            "invoice": invoice.number,
        }
        if whole or invoice.fate == "credited and paid":
            self.allocated("credit_note", invoice, day, amount)
        if invoice.fate == "credited and paid":
            self._reconcile(invoice, note)

    def _part_credited(self, invoice: Planned, quantity: int, day: date) -> int:
        """A credit note over some of the units, posted and reconciled with nothing."""
        line = self.erp.call("account.invoice", "read", [invoice.id], ["lines"])[0]["lines"][0]
        draft = self.draft(invoice) | {"invoice_date": day, "reference": None}
        (_, (told,)), *_ = draft["lines"]
        told |= {"quantity": float(-quantity), "origin": f"account.invoice.line,{line}", "taxes_date": invoice.issued}
        made = self.erp.create("account.invoice", [draft])
        self.aware(made)
        self.erp.call("account.invoice", "post", made)
        return int(made[0])

    def _reconcile(self, invoice: Planned, note: int) -> None:
        """The invoice with its part payment, which the statement linked to it, and the credit note."""
        paid = self.erp.call("account.invoice", "read", [invoice.id], ["payment_lines"])[0]["payment_lines"]
        lines = [*self.lines_of(invoice.id), *paid, *self.lines_of(note)]
        self.erp.wizard("account.move.reconcile_lines", [], "account.move.line", lines)

    def _disputes(self, invoices: list[Planned]) -> None:
        kind = self.id("sale.complaint.type")
        for place, invoice in enumerate(invoices):
            values = {
                "type": kind,
                "date": invoice.issued + timedelta(days=5),
                "customer": self.parties[invoice.customer],
                "company": self.number,
                "origin": f"account.invoice,{invoice.id}",
                "actions": [["create", [{"action": "credit_note"}]]],
            }
            made = self.erp.create("sale.complaint", [values])
            self.erp.call("sale.complaint", "wait", made)
            if place % 2:
                self.erp.call("sale.complaint", "reject", made)
            number = self.erp.call("sale.complaint", "read", made, ["number"])[0]["number"]
            self.truth["disputes"][number or str(made[0])] = {
                "customer": invoice.customer,
                "invoice": invoice.number,
                "opened_on": str(values["date"]),
                "status": "rejected" if place % 2 else "open",
                "amount": str(invoice.total),
            }
