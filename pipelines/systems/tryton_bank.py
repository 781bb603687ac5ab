"""The bank statements of a ledger that is being filled: a statement a month, an entry for what came in together."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import groupby

from pipelines.connectors.tryton_json import Json
from pipelines.systems.tryton_desk import PAID_IN_DOLLARS_AT, Desk
from pipelines.systems.tryton_plan import Planned, cents


class BankDesk(Desk):
    """A desk that books what the bank tells."""

    def bank(self, invoices: list[Planned]) -> None:
        """A statement a month and account, its entries by day."""
        journals = self.erp.search("account.statement.journal", [["company", "=", self.number]], ["name", "currency"])
        for journal in journals:
            entries = sorted(self._entries(invoices, journal["currency"]), key=lambda e: (e[0]["date"], e[0]["number"]))
            balance = Decimal(0)
            for month, of_month in groupby(entries, key=lambda e: e[0]["date"].strftime("%Y-%m")):
                lines = [line for entry in of_month for line in entry]
                balance = self._statement(journal["id"], month, balance, lines)

    def _entries(self, invoices: list[Planned], currency: int) -> Iterator[list[Json]]:
        """The lines of each entry of an account that holds `currency`; an entry has one number."""
        paid = [i for i in invoices if i.money and not i.fate.startswith("by hand")]
        for invoice in (i for i in paid if i.fate != "together" and self._account_of(i) == currency):
            for part, money in enumerate(invoice.money, start=1):
                number = f"{invoice.place}.{part}"
                lines = [self._entry_line(invoice, money.day, money.amount, number, invoice)]
                if money.surplus:
                    lines.append(self._entry_line(invoice, money.day, money.surplus, number, None))
                self.received(invoice, money.day, money.amount + money.surplus, number)
                self.allocated("payment", invoice, money.day, money.amount)
                yield lines
        if currency != self.currencies[self.company.currency]:
            return
        together = sorted((i for i in paid if i.fate == "together"), key=lambda i: (i.customer, i.money[0].day))
        for (_, day), group in groupby(together, key=lambda i: (i.customer, i.money[0].day)):
            members = list(group)
            number = "+".join(str(i.place) for i in members)
            self.received(members[0], day, sum((i.total for i in members), Decimal(0)), number)
            for invoice in members:
                self.allocated("payment", invoice, day, invoice.total)
            yield [self._entry_line(i, day, i.total, number, i) for i in members]

    def _account_of(self, invoice: Planned) -> int:
        return int(self.currencies["USD" if invoice.fate == "paid in dollars" else invoice.currency])

    def _entry_line(self, of: Planned, day: date, amount: Decimal, number: str, pays: Planned | None) -> Json:
        line: Json = {
            "date": day,
            "amount": amount,
            "party": self.parties[of.customer],
            "account": self.receivable,
            "number": number,
            "description": f"Payment {number}",
        }
        if of.fate == "paid in dollars":
            dollars = cents(amount * PAID_IN_DOLLARS_AT)
            line |= {"amount": dollars, "amount_second_currency": amount, "second_currency": self.currencies["EUR"]}
        return line | ({"related_to": f"account.invoice,{pays.id}"} if pays else {})

    def _statement(self, journal: int, name: str, balance: Decimal, lines: list[Json]) -> Decimal:
        end = balance + sum((line["amount"] for line in lines), Decimal(0))
        numbered = [line | {"sequence": place} for place, line in enumerate(lines, start=1)]
        values = {"name": name, "journal": journal, "date": lines[-1]["date"], "company": self.number}
        values |= {"start_balance": balance, "end_balance": end, "lines": [["create", numbered]]}
        made = self.erp.create("account.statement", [values])
        for button in ("validate_statement", "post"):
            self.erp.call("account.statement", button, made)
        return end
