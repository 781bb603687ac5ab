"""Deliveries into the lake: late ones, broken ones, those of unknown books, and a kill in between."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.errors import StateError
from features.lake import Lake
from features.tables import CUSTOMER, INVOICE
from pipelines.hook_feeds import PATIENCE, land_webhooks, parted
from services.heartbeats import Heartbeats
from services.runs import Counts, Status
from services.store import Store
from services.webhooks import Inbox

START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=1)


class World:
    """A lake, a store and a sender that numbers its deliveries."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root / "lake")
        self.store = Store(f"sqlite:///{root / 'store.db'}")
        self.inbox = Inbox(self.store.database)
        self.number = 0
        self.send("entity", record("UK", 0, name="Acme", currency="GBP", time_zone="UTC"))
        self.land()

    def send(self, table: str | None, *records: Any, at: datetime = NOW) -> None:
        self.number += 1
        body = json.dumps({"table": table, "records": records})
        self.inbox.keep("erp", f"d{self.number}", body, sent_at=at, now=at)

    def land(self, now: datetime = NOW, **options: Any) -> Any:
        return land_webhooks(self.store, self.lake, "erp", now, **options)

    def names(self, day: float = 9) -> list[str]:
        known = self.lake.known(CUSTOMER, START + timedelta(days=day)).collect()
        return known.sort("customer_id")["name"].to_list()


def record(record_id: str, minute: float, **fields: Any) -> dict[str, Any]:
    stamp = (START + timedelta(minutes=minute)).isoformat()
    return {"id": record_id, "company": "UK", "changed_at": stamp} | fields


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.store.close()


def test_a_b_before_a_second_a_does_not_outlast_it(world):
    """A, A and then the B between them: the lake dropped the second A, since A was in force."""
    for minute, name in ((1, "A"), (3, "A"), (2, "B")):
        world.send("customer", record("C1", minute, name=name))
        world.land()
    assert world.names() == ["A"]
    assert world.names(2.5 / 24 / 60) == ["B"]
    assert world.names(1.5 / 24 / 60) == ["A"]


def test_what_was_deleted_stays_so_when_an_earlier_change_comes_late(world):
    for minute, deleted in ((1, False), (5, True), (4, True), (3, False)):
        world.send("customer", record("C1", minute, name="A", deleted=deleted))
        world.land()
    assert world.names() == []
    assert world.names(3.5 / 24 / 60) == ["A"]


def test_when_it_was_booked_is_left_to_polls(world):
    early = (START - timedelta(days=30)).isoformat()
    world.send("customer", record("C1", 5, name="B", known_at=early))
    world.land()
    world.send("customer", record("C1", 1, name="A", known_at=early))
    world.land()
    assert (world.names(), world.names(2 / 24 / 60), world.names(0)) == (["B"], ["A"], [])


def test_broken_records_are_set_aside_and_hold_up_nothing(world):
    world.send("customer", record("C1", 1, name="A"), {"company": "UK"}, record("C2", 1, changed_at="noon", name="X"))
    world.send("customer", record("C3", 1, name="B", terms_days="soon"), record("C4\0", 1, name="C"))
    world.send("customer", {"id": 7, "changed_at": START.isoformat(), "company": "UK", "name": "D", "deleted": "maybe"})
    report = world.land()
    assert sorted(world.names()) == ["A", "C"]
    assert report.run.counts == Counts(read=6, landed=2, quarantined=4)
    assert world.inbox.waiting("erp") == []
    told = world.store.quarantined(source="erp")
    assert told.height == 4
    assert set(told["table"]) == {"customer"}
    assert sorted(told["field"]) == ["record", "record", "record", "terms_days"]
    assert all(json.loads(payload) for payload in told["payload"])
    assert world.store.runs(source="erp")[0].status is Status.DONE


@pytest.mark.parametrize("depth", [30, 400, 900, 5000])
def test_a_delivery_that_is_nested_without_end_holds_up_nothing(world, depth):
    deep = '{"a":' * depth + "1" + "}" * depth
    body = json.dumps({"table": "customer", "records": [record("C1", 1, name="A", x=0)]}).replace("0}", f"{deep}}}")
    world.inbox.keep("erp", "deep", body, sent_at=NOW, now=NOW)
    world.send("customer", record("C2", 1, name="B"))
    assert world.land().run.counts == Counts(read=2, landed=1, quarantined=1)
    assert (world.names(), world.inbox.waiting("erp")) == (["B"], [])
    (told,) = world.store.quarantined(source="erp").to_dicts()
    assert "nested too deep" in told["allowed"]
    assert "deep" in told["where"] if told["payload"] is None else json.loads(told["payload"])["name"] == "A"


def test_amounts_that_are_numbers_stay_exact_also_when_told_again(world):
    def limit(minute, amount):
        fields = record("C1", minute, name="A", credit_limit=0)
        text = json.dumps({"table": "customer", "records": [fields]})
        body = text.replace('"credit_limit": 0', f'"credit_limit": {amount}')
        world.inbox.keep("erp", f"limit of {minute}", body, sent_at=NOW, now=NOW)
        world.land()

    limit(3, "90071992547409.93")
    limit(2, "1.50")
    held = world.lake.versions(CUSTOMER).collect()["credit_limit_minor"].to_list()
    assert held == [150, 9007199254740993]


def test_what_was_set_aside_is_not_told_again_with_a_late_one(world):
    world.send("customer", record("C1", 5, name="A", terms_days="soon"))
    world.land()
    world.send("customer", record("C1", 1, name="B"))
    assert world.land().run.counts == Counts(read=1, landed=1)
    assert world.store.quarantined()["times"].to_list() == [1]


def test_a_delivery_in_unknown_books_waits_for_them(world):
    world.send("customer", record("C1", 1, name="A", company="DE"))
    world.send("customer", record("C2", 1, name="B"))
    assert world.land().held == 1
    assert world.names() == ["B"]
    world.send("entity", record("DE", 0, company="DE", name="GmbH", currency="EUR", time_zone="UTC"))
    assert world.land().held == 0
    assert world.names() == ["A", "B"]
    assert world.store.quarantined().is_empty()


def test_a_record_in_nobodys_books_is_set_aside_at_once(world):
    world.send("customer", record("C1", 1, company=None, name="A"), record("C2", 1, name="B"))
    assert world.land().held == 0
    assert world.inbox.waiting("erp") == []
    assert world.names() == ["B"]
    (wrong,) = world.store.quarantined().to_dicts()
    assert (wrong["field"], wrong["value"]) == ("entity_id", None)


def test_but_not_for_ever(world):
    world.send("customer", record("C1", 1, name="A", company="DE"))
    assert world.land(NOW + PATIENCE).held == 1
    late = world.land(NOW + PATIENCE + timedelta(seconds=1))
    assert (late.held, late.run.counts) == (0, Counts(read=1, quarantined=1))


def test_a_notice_lands_as_nothing_and_nothing_makes_no_run(world):
    before = len(world.store.runs())
    assert world.land().run is None
    world.send(None)
    assert world.land().run.counts == Counts()
    assert world.inbox.waiting("erp") == []
    assert len(world.store.runs()) == before + 1


def test_a_kill_between_lake_and_inbox_adds_nothing_the_next_time(world, monkeypatch):
    world.send("customer", record("C1", 1, name="A"))

    def killed(*_: object, **__: object) -> None:
        raise StateError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(Inbox, "landed", killed)
        with pytest.raises(StateError):
            world.land()
    assert len(world.inbox.waiting("erp")) == 1
    assert world.land().run.counts == Counts(read=1, duplicates=1)
    assert world.lake.versions(CUSTOMER).collect().height == 1


def test_news_by_webhook_are_a_sign_of_life(world):
    hearts = Heartbeats(world.store.database)
    world.send("customer", record("C1", 1, name="A"))
    world.land(every_minutes=60)
    assert hearts.silent(now=NOW + timedelta(minutes=119)) == []
    assert [s.source for s in hearts.silent(now=NOW + timedelta(days=5))] == ["erp"]


def test_invoices_and_customers_of_one_landing_keep_their_tables(world):
    due = {"number": 1, "due_date": "2024-04-01", "amount": "9.50"}
    invoice = {"customer_id": "C1", "issue_date": "2024-03-01", "currency": "GBP", "amount": "9.50"}
    world.send("invoice", record("I1", 1, **invoice, instalments=[due]))
    world.send("customer", record("C1", 2, name="A"))
    world.land()
    assert world.lake.known(INVOICE, NOW).collect()["amount_minor"].to_list() == [950]
    assert world.names() == ["A"]


def test_the_records_that_cannot_be_read_are_found_by_halving():
    asked = []

    def read(records: list[dict[str, int]]) -> None:
        asked.append(len(records))
        if any(r["n"] in (3, 11) for r in records):
            raise ValueError("a customer's name")

    sound, broken = parted([{"n": n} for n in range(16)], read)
    assert [r["n"] for r in sound] == [n for n in range(16) if n not in (3, 11)]
    assert [r["n"] for r, _ in broken] == [3, 11]
    assert "name" not in broken[0][1]
    assert len(asked) < 20


def test_a_full_disk_is_no_fault_of_a_record():
    def read(_: list[dict[str, int]]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        parted([{}], read)
