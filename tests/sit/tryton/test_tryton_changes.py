"""What a later pull brings, after somebody worked in the ERP through its API."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from json import dumps

import pytest

from features.errors import BadInput, NotFound
from pipelines.connectors.source import Json
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource

# the first run of a year installs Tryton and fills its books
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Pull = Callable[..., tuple[list[Json], str | None]]


class Clerk:
    """Works in the books of one company."""

    def __init__(self, session: TrytonSession, code: str, today: date) -> None:
        self.company = session.one("company.company", [["party.code", "=", code]])["id"]
        self.session = session.within(company=self.company, companies=[self.company])
        self.today = today
        self.receivable = self.id("account.account", [["type.receivable", "=", True]])
        self.party = self.id("party.party", [["code", "=", f"{code}-C01"]])

    def id(self, model: str, domain: list[object]) -> int:
        here: list[object] = []
        if model == "account.account":
            here = [["company", "=", self.company], ["closed", "!=", True]]
        if model == "account.invoice.payment.method":
            here = [["company", "=", self.company]]
        return int(self.session.one(model, [*domain, *here])["id"])

    def bill(self, amount: int) -> int:
        """A posted invoice over `amount`, due in 30 days."""
        currency = self.session.one("company.company", [["id", "=", self.company]], ["currency"])["currency"]
        revenue = self.id("account.account", [["type.revenue", "=", True]])
        line = {
            "type": "line",
            "description": "Work",
            "quantity": 1.0,
            "unit_price": Decimal(amount),
            "account": revenue,
        }
        draft = {
            "type": "out",
            "party": self.party,
            "invoice_address": self.session.one("party.address", [["party", "=", self.party]])["id"],
            "account": self.receivable,
            "journal": self.id("account.journal", [["type", "=", "revenue"]]),
            "currency": currency,
            "payment_term": self.id("account.invoice.payment_term", [["name", "=", "30 days"]]),
            "invoice_date": self.today,
            "lines": [["create", [line | {"currency": currency}]]],
        }
        made = self.session.create("account.invoice", [draft])
        self.session.call("account.invoice", "post", made)
        return made[0]

    def number(self, invoice: int) -> str:
        return str(self.session.call("account.invoice", "read", [invoice], ["number"])[0]["number"])

    def pay(self, invoice: int, amount: int, day: date) -> None:
        """Through the invoice's own button."""
        told = self.session.call("account.invoice", "read", [invoice], ["currency"])[0]
        form = {
            "payee": self.party,
            "payees": [self.party],
            "amount": Decimal(amount),
            "currency": told["currency"],
            "date": day,
            "company": self.company,
            "invoice_account": self.receivable,
            "payment_method": self.id("account.invoice.payment.method", []),
        }
        ask = {"type": "partial", "lines": [], "lines_to_pay": [], "payment_lines": [], "company": self.company}
        ask |= {"amount": Decimal(amount), "currency": told["currency"], "invoice": invoice}
        steps = [("choice", {"start": form}), ("pay", {"start": form, "ask": ask})]
        due = self.session.call("account.invoice", "read", [invoice], ["amount_to_pay"])[0]["amount_to_pay"]
        self.session.wizard("account.invoice.pay", steps[:1] if due == amount else steps, "account.invoice", [invoice])

    def receive(self, amount: int, day: date) -> int:
        """Money that the bank tells of and nobody has matched yet; its move line comes back."""
        journal = self.session.one(
            "account.statement.journal", [["company", "=", self.company], ["name", "=", "Bank"]], ["last_amount"]
        )
        line = {"date": day, "amount": Decimal(amount), "party": self.party, "account": self.receivable, "number": "X"}
        start = journal["last_amount"] or Decimal(0)
        values = {"name": "unmatched", "journal": journal["id"], "date": self.today, "company": self.company}
        values |= {"start_balance": start, "end_balance": start + amount, "lines": [["create", [line]]]}
        made = self.session.create("account.statement", [values])
        for button in ("validate_statement", "post"):
            self.session.call("account.statement", button, made)
        domain = [["move.origin", "=", f"account.statement,{made[0]}"], ["account", "=", self.receivable]]
        return int(self.session.one("account.move.line", domain)["id"])

    def lines_of(self, *invoices: int) -> list[int]:
        rows = self.session.call("account.invoice", "read", list(invoices), ["lines_to_pay"])
        return [line for row in rows for line in row["lines_to_pay"]]

    def reconcile(self, *lines: int) -> None:
        self.session.wizard("account.move.reconcile_lines", [], "account.move.line", lines)

    def unreconcile(self, *lines: int) -> None:
        self.session.wizard("account.move.unreconcile_lines", [], "account.move.line", lines)


@pytest.fixture
def work(clerk: TrytonSession, today: date) -> Clerk:
    return Clerk(clerk, "DE01", today)


@pytest.fixture
def exact(client: Tryton) -> TrytonSource:
    """A source that reads from the very last stamp on."""
    return TrytonSource(client, overlap=timedelta(0))


@pytest.fixture
def news(pull: Pull) -> Callable[[TrytonSource, str, list[Json], str | None], list[Json]]:
    """What a pull since a cursor brings that was not known with the same content."""

    def differing(source: TrytonSource, name: str, known: list[Json], cursor: str | None) -> list[Json]:
        contents = {told(r) for r in known}
        return [r for r in pull(source, name, cursor)[0] if told(r) not in contents]

    def told(record: Json) -> str:
        return dumps({k: v for k, v in record.items() if k not in ("changed_at", "known_at")}, sort_keys=True)

    return differing


News = Callable[[TrytonSource, str, list[Json], str | None], list[Json]]


def test_nothing_comes_where_nothing_happened(pull: Pull, news: News, exact: TrytonSource) -> None:
    for declared in exact.tables():
        known, cursor = pull(exact, declared.name)
        again, _ = pull(exact, declared.name, cursor)
        assert news(exact, declared.name, known, cursor) == []
        assert len(again) < max(10, len(known) / 4), declared.name


def test_a_new_invoice_comes_alone(pull: Pull, news: News, exact: TrytonSource, work: Clerk) -> None:
    known, cursor = pull(exact, "invoice")
    number = work.number(work.bill(100))
    assert [(r["id"], r["company"]) for r in news(exact, "invoice", known, cursor)] == [(number, "DE01")]


def test_part_payments_count_on_the_day_of_the_money(
    pull: Pull, news: News, exact: TrytonSource, work: Clerk, today: date
) -> None:
    invoice = work.bill(300)
    known, cursor = pull(exact, "allocation")
    payments, payments_cursor = pull(exact, "payment")
    days = [today - timedelta(days=9), today - timedelta(days=4)]
    for day in days:
        work.pay(invoice, 150, day)
    settled = work.session.call("account.invoice", "read", [invoice], ["reconciled", "state"])[0]
    assert settled["state"] == "paid"
    assert settled["reconciled"] not in days, (
        "Tryton's own date is that of the reconciliation, which is no payment date"
    )
    found = news(exact, "allocation", known, cursor)
    assert [(r["invoice_id"], r["date"], Decimal(r["amount"])) for r in found] == [
        (work.number(invoice), str(day), Decimal(150)) for day in days
    ]
    assert [r["value_date"] for r in news(exact, "payment", payments, payments_cursor)] == [str(day) for day in days]


def test_one_payment_that_settles_three_invoices_and_is_taken_apart_again(
    pull: Pull, news: News, exact: TrytonSource, work: Clerk, today: date
) -> None:
    invoices = [work.bill(amount) for amount in (40, 50, 60)]
    money = work.receive(150, today - timedelta(days=2))
    known, cursor = pull(exact, "allocation")
    work.reconcile(money, *work.lines_of(*invoices))
    settled = news(exact, "allocation", known, cursor)
    assert {(r["invoice_id"], Decimal(r["amount"])) for r in settled} == {
        (work.number(i), Decimal(a)) for i, a in zip(invoices, (40, 50, 60), strict=True)
    }
    known, cursor = pull(exact, "allocation")
    work.unreconcile(money)
    gone = news(exact, "allocation", known, cursor)
    assert {r["id"] for r in gone} == {r["id"] for r in settled}
    assert all(r["deleted"] for r in gone)


def test_money_moved_to_another_invoice_is_a_correction(
    pull: Pull, news: News, exact: TrytonSource, work: Clerk, today: date
) -> None:
    wrong, right = work.bill(70), work.bill(70)
    money = work.receive(70, today)
    work.reconcile(money, *work.lines_of(wrong))
    known, cursor = pull(exact, "allocation")
    work.unreconcile(money)
    work.reconcile(money, *work.lines_of(right))
    (moved,) = news(exact, "allocation", known, cursor)
    assert moved["invoice_id"] == work.number(right)
    assert moved["id"] in {r["id"] for r in known if r["invoice_id"] == work.number(wrong)}


def test_a_posted_invoice_that_is_cancelled_is_taken_back(
    pull: Pull, news: News, exact: TrytonSource, work: Clerk
) -> None:
    invoice = work.bill(80)
    known, cursor = pull(exact, "invoice")
    work.session.call("company.company", "write", [work.company], {"cancel_invoice_out": True})
    work.session.call("account.invoice", "cancel", [invoice])
    (gone,) = news(exact, "invoice", known, cursor)
    assert (gone["id"], gone["deleted"]) == (work.number(invoice), True)


def test_a_part_payment_is_free_again_when_its_invoice_is_cancelled(
    pull: Pull, news: News, exact: TrytonSource, work: Clerk, today: date
) -> None:
    invoice = work.bill(80)
    work.pay(invoice, 30, today)
    known, cursor = pull(exact, "allocation")
    (paid,) = [r for r in known if r["invoice_id"] == work.number(invoice)]
    work.session.call("company.company", "write", [work.company], {"cancel_invoice_out": True})
    work.session.call("account.invoice", "cancel", [invoice])
    (gone,) = news(exact, "allocation", known, cursor)
    assert (gone["id"], gone["deleted"]) == (paid["id"], True)


def test_a_late_commit_with_an_early_stamp_is_found_by_the_overlap(pull: Pull, work: Clerk, client: Tryton) -> None:
    number = work.number(work.bill(90))
    (record,) = [r for r in pull(TrytonSource(client), "invoice")[0] if r["id"] == number]
    later = datetime.fromisoformat(record["changed_at"]) + timedelta(seconds=1)
    cursor = dumps({"DE01": later.isoformat(), "US01": later.isoformat()})
    without = TrytonSource(client, overlap=timedelta(0))
    while datetime.now(later.tzinfo) <= later:
        pass
    assert number not in {r["id"] for r in pull(without, "invoice", cursor)[0]}
    assert number in {r["id"] for r in pull(TrytonSource(client), "invoice", cursor)[0]}


def test_rows_that_were_never_changed_are_found(
    pull: Pull, news: News, exact: TrytonSource, clerk: TrytonSession, client: Tryton, today: date
) -> None:
    known, cursor = pull(exact, "fx_rate")
    dollar = clerk.one("currency.currency", [["code", "=", "USD"]])["id"]
    (made,) = clerk.create("currency.currency.rate", [{"currency": dollar, "date": today, "rate": Decimal("1.2")}])
    assert client.read("currency.currency.rate", made, ["write_date"])["write_date"] is None
    found = {(r["company"], r["day"], r["rate"]) for r in news(exact, "fx_rate", known, cursor)}
    assert found == {("US01", str(today), "1.200000000"), ("DE01", str(today), "0.833333333")}


def test_a_customer_comes_when_first_billed(pull: Pull, news: News, exact: TrytonSource, work: Clerk) -> None:
    known, cursor = pull(exact, "customer")
    address = [["create", [{"city": "Town"}]]]
    (work.party,) = work.session.create("party.party", [{"name": "New", "code": "DE01-NEW", "addresses": address}])
    assert news(exact, "customer", known, cursor) == []
    work.bill(10)
    assert [r["id"] for r in news(exact, "customer", known, cursor)] == ["DE01-NEW"]


def test_a_refused_request_says_why(client: Tryton) -> None:
    with pytest.raises(BadInput, match=r"POST party\.party: Tryton refused it"):
        client.create("party.party", {"name": "X", "code": "DE01-C01"})
    with pytest.raises(NotFound, match="no such record"):
        client.read("party.party", 999_999, ["name"])
