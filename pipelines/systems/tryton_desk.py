"""A clerk's desk in one company of a Tryton that is being filled: its ids at hand, and what was booked written down."""

from datetime import date
from decimal import Decimal
from hashlib import md5
from typing import Any

from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.systems.tryton_books import USD_OF_A_EURO, Company
from pipelines.systems.tryton_plan import CUSTOMERS, Planned, cents

PAID_IN_DOLLARS_AT = USD_OF_A_EURO[-1] + Decimal("0.02")

Truth = dict[str, Any]


class Desk:
    """The books of one company while they are filled; `truth` is described in `tryton_ledger`."""

    def __init__(self, erp: TrytonSession, company: Company, number: int, today: date) -> None:
        self.erp = erp.within(company=number, companies=[number])
        self.company, self.number, self.today = company, number, today
        self.truth: Truth = {"invoices": {}, "credit_notes": {}, "payments": [], "allocations": [], "disputes": {}}
        here = ["company", "=", number]
        self.receivable = self.id("account.account", ["type.receivable", "=", True], ["closed", "!=", True], here)
        self.revenue = self.id("account.account", ["type.revenue", "=", True], ["closed", "!=", True], here)
        self.journal = self.id("account.journal", ["type", "=", "revenue"])
        self.tax = self.id("account.tax", here)
        self.unit = self.id("product.uom", ["name", "=", "Unit"])
        self.product = self.id("product.product", ["name", "=", f"Day of work {number}"])
        self.terms = {t["name"]: t["id"] for t in self.erp.search("account.invoice.payment_term", [], ["name"])}
        self.currencies = {c["code"]: c["id"] for c in self.erp.search("currency.currency", [], ["code"])}

    def id(self, model: str, *domain: list[Any]) -> int:
        return int(self.erp.one(model, list(domain))["id"])

    def customers(self) -> None:
        countries = {c["code"]: c["id"] for c in self.erp.search("country.country", [], ["code"])}
        codes = [f"{self.company.code}-C{n:02}" for n in range(1, CUSTOMERS + 1)]
        home = countries[self.company.country]
        told = [
            {"name": f"Customer {code}", "code": code, "addresses": [["create", [{"city": "Town", "country": home}]]]}
            for code in codes
        ]
        made = self.erp.create("party.party", told)
        read = self.erp.call("party.party", "read", made, ["addresses"])
        self.parties = dict(zip(codes, made, strict=True))
        self.addresses = {row["id"]: row["addresses"][0] for row in read}

    def aware(self, invoices: list[int]) -> None:
        """Say yes beforehand to what Tryton warns of: that past invoices are posted today. -1 is the next new one."""
        user = self.id("res.user", ["login", "=", "admin"])
        names = [
            f"{md5(f'account.invoice,{number}'.encode(), usedforsecurity=False).hexdigest()}.{warning}"
            for number in invoices
            for warning in ("invoice_payment_term", "invoice_taxes")
        ]
        self.erp.create("res.user.warning", [{"user": user, "name": name, "always": True} for name in names])

    def line(self, quantity: int, invoice: Planned) -> Json:
        return {"quantity": float(quantity), "unit_price": invoice.price, "taxes": [["add", [self.tax]]]}

    def draft(self, invoice: Planned) -> Json:
        party = self.parties[invoice.customer]
        currency = self.currencies[invoice.currency]
        line = self.line(invoice.quantity, invoice) | {"type": "line", "description": "Work", "account": self.revenue}
        return {
            "type": "out",
            "party": party,
            "invoice_address": self.addresses[party],
            "account": self.receivable,
            "journal": self.journal,
            "currency": currency,
            "payment_term": self.terms[invoice.terms],
            "invoice_date": invoice.issued,
            "reference": f"PO {self.company.code} {invoice.place}",
            "lines": [["create", [line | {"currency": currency}]]],
        }

    def lines_of(self, invoice: int) -> list[int]:
        return list(self.erp.call("account.invoice", "read", [invoice], ["lines_to_pay"])[0]["lines_to_pay"])

    def received(self, invoice: Planned, day: date, amount: Decimal, reference: str) -> None:
        currency = invoice.currency
        if invoice.fate == "paid in dollars":
            currency, amount = "USD", cents(amount * PAID_IN_DOLLARS_AT)
        self.truth["payments"].append([invoice.customer, str(day), currency, str(amount), reference])

    def allocated(self, kind: str, invoice: Planned, day: date, amount: Decimal) -> None:
        self.truth["allocations"].append([kind, invoice.number, str(day), invoice.currency, str(amount)])
