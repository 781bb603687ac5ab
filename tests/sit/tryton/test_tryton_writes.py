"""Cash applied and disputes opened in a real ERP: once each, and never against what a person decided."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from features.errors import BadInput, SourceError
from features.lake import Lake
from features.tables import ALLOCATION, DISPUTE, PAYMENT
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_clerk import Clerk
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.tryton_target import OPERATIONS, TrytonTarget
from pipelines.dispatch import Dispatcher
from pipelines.ingest import ingest_source
from services.circuits import Circuits
from services.database import Database
from services.outbox import Fate, Message, NewMessage, Outbox, revive
from services.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Forgetful:
    """Delivers, and loses the answer the first time."""

    def __init__(self, target: TrytonTarget) -> None:
        self.target, self.lost = target, False

    def deliver(self, message: Message) -> dict[str, Any]:
        result = self.target.deliver(message)
        if not self.lost:
            self.lost = True
            raise SourceError("the answer was lost")
        return result


class Stopped:
    """Delivers up to the point where the ERP refuses to go on from the draft."""

    def __init__(self, target: TrytonTarget) -> None:
        self.target = target

    def deliver(self, message: Message) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Tryton, "act", _refusing)
            return self.target.deliver(message)


def _refusing(*_: object) -> None:
    raise BadInput("not today")


class Desk:
    def __init__(self, database: Database, erp: Tryton, dispute: str | None) -> None:
        self.database, self.box, self.circuits = database, Outbox(database), Circuits(database)
        clerk = Clerk(lambda: datetime.now(UTC), dispute=dispute)
        self.target = TrytonTarget(erp, clerk)
        self.now = datetime.now(UTC)
        self.count = 0

    def send(self, operation: str, payload: dict[str, Any], target: object | None = None) -> Message:
        """The message after everything that is due was delivered, twice."""
        self.count += 1
        new = NewMessage("erp", f"document {self.count}", operation, f"{payload.get('erp_reference')}", payload, "test")
        return self._delivered(self.box.put(new, now=self.now), target or self.target)

    def _delivered(self, message: str, target: object) -> Message:
        for _ in range(2):
            self.now += timedelta(hours=3)
            clock = lambda: self.now  # noqa: E731
            Dispatcher(self.box, self.circuits, {"erp": target}, clock=clock, rng=Random(1)).run()
        return self.box.message(message)

    def again(self, message: Message, payload: dict[str, Any]) -> Message:
        """The dead message with another payload, after it was delivered anew."""
        with self.database.writing() as connection:
            revive(connection, message.message_id, payload, now=self.now)
        return self._delivered(message.message_id, self.target)


@pytest.fixture
def desk(tmp_path: Path, client: Tryton, clerk: TrytonSession) -> Iterator[Desk]:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    (kind,) = clerk.search("sale.complaint.type", [], ["name"], limit=1)
    yield Desk(database, client, kind["name"])
    database.close()


@pytest.fixture
def open_invoices(client: Tryton) -> list[dict[str, Any]]:
    """Two open invoices of one customer of the German company, in its currency."""
    german = client.search("company.company", [["party.code", "=", "DE01"]], ("currency",))[0]
    fields = ("number", "party.code", "amount_to_pay", "invoice_date")
    domain = [["company", "=", german["id"]], ["state", "=", "posted"], ["type", "=", "out"]]
    rows = client.of_company(german["id"]).search(
        "account.invoice", [*domain, ["currency", "=", german["currency"]]], fields
    )
    disputed = {row["origin"] for row in client.search("sale.complaint", [], ("origin",))}
    owed = [r for r in rows if r["amount_to_pay"] > 1 and f"account.invoice,{r['id']}" not in disputed]
    by_party: dict[str, list[dict[str, Any]]] = {}
    for row in owed:
        by_party.setdefault(row["party"]["code"], []).append(row)
    return next(found[:2] for found in by_party.values() if len(found) > 1)


def cash(
    invoices: list[dict[str, Any]], reference: str, today: date, *, more: str = "0", **changes: Any
) -> dict[str, Any]:
    amounts = [invoice["amount_to_pay"] for invoice in invoices]
    told = {
        "entity_id": "DE01",
        "erp_reference": reference,
        "customer_id": invoices[0]["party"]["code"],
        "date": str(today),
        "currency": "EUR",
        "amount": str(sum(amounts) + Decimal(more)),
        "allocations": [{"invoice_id": i["number"], "amount": str(a)} for i, a in zip(invoices, amounts, strict=True)],
    }
    return told | changes


def test_cash_settles_its_invoices_once_although_the_answer_got_lost(
    desk: Desk, open_invoices: list, source: TrytonSource, today: date, tmp_path: Path
) -> None:
    payload = cash(open_invoices, "bank/1", today, more="7.50")
    message = desk.send("apply_cash", payload, Forgetful(desk.target))
    assert (message.status, message.attempts, message.result) == (
        Fate.DELIVERED,
        2,
        {"statement": "bank/1", "amount": payload["amount"]},
    )
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'run.db'}")
    ingest_source(source, "erp", lake, store, now=datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(days=1)
    payments = lake.known(PAYMENT, later).collect()
    (payment,) = [p for p in payments.to_dicts() if p["reference"] and "bank/1" in p["reference"]]
    assert payment["amount_minor"] == int(Decimal(payload["amount"]) * 100)
    allocated = lake.known(ALLOCATION, later).collect().filter(from_id=payment["payment_id"])
    by_invoice = allocated.group_by("invoice_id").agg(pl.col("amount_minor").sum())
    assert dict(by_invoice.iter_rows()) == {i["number"]: int(i["amount_to_pay"] * 100) for i in open_invoices}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"currency": "CHF"}, "currency is 'CHF': no account.statement.journal of the ERP has it"),
        ({"amount": "1.00"}, "more is allocated; allowed: allocations up to the amount"),
        ({"amount": "lots"}, "amount is 'lots'; allowed: a number such as 12.50"),
        ({"allocations": [{"invoice_id": "none", "amount": "1.00"}]}, "invoice_id is 'none': no account.invoice"),
        ({"entity_id": "FR01"}, "entity_id is 'FR01'; allowed: DE01, US01"),
        ({"allocations": None}, "allocations missing in the payload"),
        ({"date": "2026-02-30"}, "date is '2026-02-30'; allowed: a day written as YYYY-MM-DD"),
        ({"amount": "NaN"}, "amount is 'NaN'; allowed: a number"),
        ({"amount": 12.5}, "amount is 12.5; allowed: a number such as 12.50, as text"),
    ],
    ids=["currency", "amount", "number", "invoice", "entity", "allocations", "day", "no number", "binary"],
)
def test_cash_that_does_not_fit_is_refused_before_anything_is_booked(
    desk: Desk, client: Tryton, open_invoices: list, today: date, change: dict, said: str
) -> None:
    message = desk.send("apply_cash", cash(open_invoices, "bank/wrong", today) | change)
    assert message.status is Fate.DEAD
    assert said in str(message.error)
    assert client.search("account.statement", [["name", "=", "bank/wrong"]]) == []


def test_one_invoice_is_not_paid_twice_by_two_allocations(desk: Desk, open_invoices: list, today: date) -> None:
    payload = cash(open_invoices[:1], "bank/twice", today)
    payload |= {"amount": str(open_invoices[0]["amount_to_pay"] * 2), "allocations": payload["allocations"] * 2}
    message = desk.send("apply_cash", payload)
    assert message.status is Fate.DEAD
    assert "is open; allowed: up to what is open" in str(message.error)


def test_a_receipt_that_settles_nothing_stays_on_the_account(desk: Desk, open_invoices: list, today: date) -> None:
    payload = cash(open_invoices[:1], "bank/unapplied", today) | {"allocations": [], "amount": "11.00"}
    message = desk.send("apply_cash", payload)
    assert (message.error, message.result) == (None, {"statement": "bank/unapplied", "amount": "11.00"})


def test_what_a_person_corrected_is_what_is_posted(
    desk: Desk, clerk: TrytonSession, open_invoices: list, today: date
) -> None:
    """An earlier attempt left a draft; and what was posted already is not said to be what it is not."""
    invoice = open_invoices[0]["number"]
    told = cash(open_invoices[:1], "bank/draft", today) | {
        "amount": "0.90",
        "allocations": [{"invoice_id": invoice, "amount": "0.90"}],
    }
    stopped = Stopped(desk.target)
    first = desk.send("apply_cash", told, stopped)
    assert first.status is Fate.DEAD
    (draft,) = clerk.search("account.statement", [["name", "=", "bank/draft"]], ["state"])
    assert draft["state"] == "draft"
    corrected = told | {"amount": "0.60", "allocations": [{"invoice_id": invoice, "amount": "0.60"}]}
    again = desk.again(first, corrected)
    assert (again.error, again.result) == (None, {"statement": "bank/draft", "amount": "0.60"})
    with pytest.raises(BadInput, match=r"is in the ERP as 0\.60 EUR for 1 receivables, not as the message says"):
        desk.target.deliver(first)


def test_more_than_is_open_is_not_applied(desk: Desk, open_invoices: list, today: date) -> None:
    payload = cash(open_invoices, "bank/more", today, more="100")
    payload["allocations"][0]["amount"] = str(open_invoices[0]["amount_to_pay"] + 1)
    message = desk.send("apply_cash", payload)
    assert message.status is Fate.DEAD
    assert "is allocated" in str(message.error)
    assert "is open; allowed: up to what is open" in str(message.error)


def test_a_dispute_is_opened_once_and_what_was_decided_stays_decided(
    desk: Desk, clerk: TrytonSession, source: TrytonSource, open_invoices: list, today: date, tmp_path: Path
) -> None:
    told = {"entity_id": "DE01", "erp_reference": "mail/1", "invoice_id": open_invoices[0]["number"]}
    told |= {"opened_on": str(today), "reason": "quantity", "text": "1 of 3 is missing"}
    message = desk.send("open_dispute", told, Forgetful(desk.target))
    assert message.error is None
    assert message.result["state"] == "waiting"
    (complaint,) = clerk.search("sale.complaint", [["reference", "=", "mail/1"]], ["state"])
    second = desk.send("open_dispute", told | {"erp_reference": "mail/2"})
    assert f"is disputed already, in complaint {message.result['dispute']}" in str(second.error)
    clerk.call("sale.complaint", "reject", [complaint["id"]])
    again = desk.target.deliver(message)
    assert again["state"] == "rejected"
    assert len(clerk.search("sale.complaint", [["reference", "=", "mail/1"]], ["state"])) == 1
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'run.db'}")
    ingest_source(source, "erp", lake, store, now=datetime.now(UTC))
    disputes = lake.known(DISPUTE, datetime.now(UTC) + timedelta(days=1)).collect()
    (dispute,) = disputes.filter(dispute_id=message.result["dispute"]).to_dicts()
    assert (dispute["invoice_id"], dispute["status"]) == (open_invoices[0]["number"], "rejected")


def test_what_it_cannot_do_is_refused_with_what_it_can(desk: Desk, client: Tryton) -> None:
    message = desk.send("shred_invoice", {"entity_id": "DE01", "erp_reference": "x"})
    assert str(message.error) == f"operation 'shred_invoice'; allowed: {', '.join(OPERATIONS)}"
    nameless = TrytonTarget(client, Clerk(lambda: datetime.now(UTC)))
    told = {"entity_id": "DE01", "erp_reference": "y", "invoice_id": "I", "opened_on": "2026-01-01", "reason": "tax"}
    assert "the landscape names no type of complaint" in str(desk.send("open_dispute", told, nameless).error)
