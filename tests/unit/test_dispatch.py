"""Delivery against targets that fail in every way."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from features.errors import BadInput, FateUnknown, NotFound, NotYet, SourceBroken, SourceError, SourceRefused
from pipelines.dispatch import Dispatcher, Patience
from services.circuits import BreakerRule, Circuits
from services.database import Database
from services.outbox import Fate, Message, NewMessage, Outbox

NOW = datetime(2024, 3, 1, tzinfo=UTC)
PAY = NewMessage("erp", "inv 1", "apply_cash", "p1", {"amount": "5.00"}, "test")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Ledger:
    """A target that keeps what it was sent, by key, and fails as it is told to."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}
        self.asked: list[str] = []
        self.troubles: list[Exception | None] = []

    def deliver(self, message: Message) -> dict[str, object]:
        self.asked.append(message.idempotency_key)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        self.made[message.idempotency_key] = self.made.get(message.idempotency_key, 0) + 1
        return {"number": len(self.made)}


class World:
    def __init__(self, database: Database) -> None:
        self.box, self.clock = Outbox(database), Clock()
        self.circuits = Circuits(database, BreakerRule(failures=3, pause=timedelta(minutes=30)))
        self.targets = {"erp": Ledger(), "crm": Ledger()}
        self.patience = Patience(first=timedelta(seconds=8), longest=timedelta(minutes=2), attempts=6)

    def put(self, **changes: str) -> str:
        return self.box.put(replace(PAY, **changes), now=self.clock.now)

    def run(self, minutes: float = 0, **keys: int) -> dict[Fate, int]:
        self.clock.now += timedelta(minutes=minutes)
        rng = Random(1)
        told = Dispatcher(self.box, self.circuits, self.targets, clock=self.clock, rng=rng, patience=self.patience).run(
            **keys
        )
        return dict(told)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    yield World(database)
    database.close()


def test_what_is_due_is_delivered_and_what_was_made_is_kept(world: World) -> None:
    first = world.put()
    world.put(idempotency_key="p2")
    assert world.run() == {Fate.DELIVERED: 2}
    assert world.targets["erp"].asked == ["p1", "p2"]
    assert world.box.message(first).result == {"number": 1}
    assert world.run() == {}


def test_a_system_out_of_reach_is_asked_again_later_and_later(world: World) -> None:
    world.put()
    world.targets["erp"].troubles = [SourceError("down"), SourceError("down")]
    assert world.run() == {Fate.WAITING: 1}
    wait = world.box.next_due() - world.clock.now
    assert timedelta(seconds=4) <= wait <= timedelta(seconds=8)
    assert world.run(minutes=0.01) == {}
    assert world.run(minutes=0.2) == {Fate.WAITING: 1}
    assert timedelta(seconds=8) <= world.box.next_due() - world.clock.now <= timedelta(seconds=16)
    assert world.run(minutes=0.3) == {Fate.DELIVERED: 1}
    assert world.targets["erp"].made == {"p1": 1}


def test_a_broken_system_is_left_alone_and_others_go_on(world: World) -> None:
    for n in range(5):
        world.put(document=f"d{n}", idempotency_key=f"k{n}")
    world.put(system="crm")
    world.targets["erp"].troubles = [SourceError("down")] * 5
    assert world.run() == {Fate.WAITING: 3, Fate.DELIVERED: 1}
    assert len(world.targets["erp"].asked) == 3
    assert world.run(minutes=29) == {}
    world.targets["erp"].troubles = [SourceError("down")]
    assert world.run(minutes=1) == {Fate.WAITING: 1}, "one trial, and it decides"
    assert world.run(minutes=59) == {}
    assert world.run(minutes=1) == {Fate.DELIVERED: 5}


def test_refused_credentials_stop_the_system_at_once_and_kill_no_message(world: World) -> None:
    world.put()
    world.put(document="d2", idempotency_key="k2")
    world.targets["erp"].troubles = [SourceRefused("401")]
    assert world.run() == {Fate.WAITING: 1}
    assert len(world.targets["erp"].asked) == 1
    assert world.run(minutes=31) == {Fate.DELIVERED: 2}


@pytest.mark.parametrize("no", [BadInput("no total"), NotFound("no such customer")])
def test_a_message_that_is_refused_is_dead_and_holds_up_its_document_only(world: World, no: Exception) -> None:
    first, _, other = world.put(), world.put(idempotency_key="p2"), world.put(document="d", idempotency_key="k")
    world.targets["erp"].troubles = [no]
    assert world.run() == {Fate.DEAD: 1, Fate.DELIVERED: 1}
    assert world.box.message(first).error == str(no)
    assert world.box.message(other).status is Fate.DELIVERED
    assert world.targets["erp"].asked == ["p1", "k"]


def test_a_system_that_answers_nonsense_is_left_alone_and_kills_no_message(world: World) -> None:
    for n in range(5):
        world.put(document=f"d{n}", idempotency_key=f"k{n}")
    world.targets["erp"].troubles = [SourceBroken("a page to log in")] * 9
    assert world.run() == {Fate.WAITING: 3}
    world.targets["erp"].troubles = []
    assert world.run(minutes=60) == {Fate.DELIVERED: 5}


def test_our_own_fault_with_one_message_stops_no_other_and_shows_nothing_of_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = world.put(), world.put(document="d", idempotency_key="k")
    world.targets["erp"].troubles = [KeyError("IBAN DE02")]
    assert world.run() == {Fate.DEAD: 1, Fate.DELIVERED: 1}
    assert world.box.message(first).error == "our own fault (KeyError); please report it"
    assert "DE02" not in caplog.text


def test_where_a_write_may_have_been_done_it_is_looked_up_only_after_a_while(world: World) -> None:
    world.put()
    world.targets["erp"].troubles = [FateUnknown("timeout")]
    world.run()
    assert world.box.next_due() == world.clock.now + world.patience.unsure


def test_what_is_not_there_yet_is_no_outage(world: World) -> None:
    for n in range(5):
        world.put(document=f"d{n}", idempotency_key=f"k{n}")
    world.targets["erp"].troubles = [NotYet("no invoice yet")] * 5
    assert world.run() == {Fate.WAITING: 5}
    assert world.circuits.open(now=world.clock.now) == {}
    assert world.run(minutes=1) == {Fate.DELIVERED: 5}


def test_a_lease_that_ended_ends_no_run(world: World) -> None:
    world.put()
    world.put(document="d", idempotency_key="k")
    slow = world.targets["erp"]

    class Thief:
        def deliver(self, message: Message) -> dict[str, object]:
            if message.idempotency_key == "p1" and not slow.asked:
                slow.asked.append("p1")
                world.clock.now += world.patience.lease
                (taken,) = world.box.claim(now=world.clock.now, lease=timedelta(hours=9), limit=1)
                assert taken.message_id == message.message_id
                return {}
            return slow.deliver(message)

    world.targets = {"erp": Thief()}
    assert world.run() == {Fate.SENDING: 1, Fate.DELIVERED: 1}


def test_patience_with_one_message_ends(world: World) -> None:
    message = world.put()
    world.targets["erp"].troubles = [SourceError("timeout")] * 6
    for _ in range(6):
        world.run(minutes=24 * 60)
    assert world.box.message(message).status is Fate.DEAD
    assert world.box.message(message).error == "timeout (given up after 6 attempts)"


def test_messages_without_a_target_wait(world: World) -> None:
    world.put(system="bank")
    assert world.run() == {}
    assert world.box.counts() == {("bank", Fate.WAITING): 1}


def test_a_run_may_be_short(world: World) -> None:
    for n in range(3):
        world.put(document=f"d{n}", idempotency_key=f"k{n}")
    assert world.run(most=2) == {Fate.DELIVERED: 2}
