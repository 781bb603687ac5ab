"""What the outbox promises, on SQLite always and on PostgreSQL where the machine has one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from features.errors import BadInput, NotFound, StateError
from services.circuits import BreakerRule, Circuits
from services.database import Database
from services.outbox import Fate, NewMessage, Outbox, discard, revive
from services.state_tables import SCHEMA_VERSION

NOW = datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
AtOnce = Callable[[int, Callable[[int], object]], list[Any]]
LEASE = timedelta(minutes=5)
POST = NewMessage("erp", "sale 7", "post_invoice", "crm:7:invoice", {"order": "7", "total": "120.00"}, "sync")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def box(database: Database) -> Outbox:
    return Outbox(database)


def minutes(n: float) -> datetime:
    return NOW + timedelta(minutes=n)


def claimed_ids(box: Outbox, at: datetime = NOW, **keys: object) -> list[str]:
    return [m.message_id for m in box.claim(now=at, lease=LEASE, limit=10, **keys)]


def revived(database: Database, message_id: str, payload: dict[str, str], at: datetime) -> None:
    with database.writing() as connection:
        revive(connection, message_id, payload, now=at)


def test_the_same_message_twice_is_one(box: Outbox) -> None:
    first = box.put(POST, now=NOW)
    again = box.put(replace(POST, created_by="another run"), now=minutes(1))
    assert first == again
    (message,) = box.messages()
    assert (message.status, message.attempts, message.created_by, message.due_at) == (Fate.WAITING, 0, "sync", NOW)
    assert message.payload == POST.payload


def test_the_same_message_from_several_processes_is_one(box: Outbox, at_once: AtOnce) -> None:
    for n in range(10):
        ids = at_once(4, lambda _, n=n: box.put(replace(POST, idempotency_key=f"k{n}"), now=NOW))
        assert len(set(ids)) == 1
    assert len(box.messages()) == 10


def test_a_reason_that_no_database_takes_is_kept_readable(box: Outbox) -> None:
    box.put(POST, now=NOW)
    (message,) = box.claim(now=NOW, lease=LEASE)
    box.buried(message, "status 400: a\0b", now=NOW)
    assert box.message(message.message_id).error == "status 400: a␀b"


@pytest.mark.parametrize("other", [{"document": "sale 8"}, {"operation": "void"}, {"payload": {"order": "8"}}])
def test_a_key_is_for_one_write_only(box: Outbox, other: dict) -> None:
    box.put(POST, now=NOW)
    with pytest.raises(BadInput, match=r"erp: key 'crm:7:invoice' was used for another message .*a key of its own"):
        box.put(replace(POST, **other), now=NOW)
    assert len(box.messages()) == 1


def test_another_system_may_use_the_same_key(box: Outbox) -> None:
    assert box.put(POST, now=NOW) != box.put(replace(POST, system="crm"), now=NOW)


def test_messages_of_a_document_go_one_after_the_other(box: Outbox) -> None:
    ids = [box.put(replace(POST, idempotency_key=f"k{n}"), now=NOW) for n in range(3)]
    other = box.put(replace(POST, document="sale 9", idempotency_key="k9"), now=NOW)
    held = box.claim(now=NOW, lease=LEASE, limit=10)
    assert [m.message_id for m in held] == [ids[0], other]
    assert claimed_ids(box) == []
    box.delivered(held[0], {"invoice": "INV-1"}, now=minutes(1))
    assert claimed_ids(box, minutes(1)) == [ids[1]]
    assert box.message(ids[0]).result == {"invoice": "INV-1"}


def test_a_dead_message_holds_up_its_document_until_a_person_acts(box: Outbox, database: Database) -> None:
    first, second = (box.put(replace(POST, idempotency_key=k), now=NOW) for k in "ab")
    (message,) = box.claim(now=NOW, lease=LEASE)
    box.buried(message, "no such customer", now=NOW)
    assert claimed_ids(box) == []
    assert box.message(first).error == "no such customer"
    revived(database, first, {"order": "7", "total": "119.00"}, minutes(1))
    (again,) = box.claim(now=minutes(1), lease=LEASE)
    assert (again.message_id, again.payload["total"], again.attempts) == (first, "119.00", 1)
    box.buried(again, "still none", now=minutes(1))
    with database.writing() as connection:
        discard(connection, first, now=minutes(2))
    assert claimed_ids(box, minutes(2)) == [second]


def test_what_a_person_edited_is_still_the_same_message_to_its_maker(box: Outbox, database: Database) -> None:
    first = box.put(POST, now=NOW)
    (message,) = box.claim(now=NOW, lease=LEASE)
    box.buried(message, "wrong total", now=NOW)
    revived(database, first, {"order": "7", "total": "119.00"}, NOW)
    assert box.put(POST, now=minutes(1)) == first
    assert box.message(first).payload["total"] == "119.00"


def test_only_the_dead_are_revived_or_discarded(box: Outbox, database: Database) -> None:
    waiting = box.put(POST, now=NOW)
    for message_id in (waiting, "none"):
        for act in (discard, partial(revive, payload={})):
            with pytest.raises(BadInput, match="is not dead"), database.writing() as connection:
                act(connection, message_id, now=NOW)
    with pytest.raises(NotFound, match="no message 'none'"):
        box.message("none")
    assert box.counts() == {("erp", Fate.WAITING): 1}


def test_a_postponed_message_waits_for_its_time(box: Outbox) -> None:
    box.put(POST, now=NOW)
    (message,) = box.claim(now=NOW, lease=LEASE)
    box.postponed(message, "status 503", until=minutes(10))
    assert box.next_due() == minutes(10)
    assert claimed_ids(box, minutes(9.9)) == []
    (again,) = box.claim(now=minutes(10), lease=LEASE)
    assert (again.attempts, again.error) == (2, "status 503")


def test_a_lease_that_ended_passes_the_message_on_and_the_late_holder_cannot_settle_it(box: Outbox) -> None:
    box.put(POST, now=NOW)
    (late,) = box.claim(now=NOW, lease=LEASE)
    assert box.next_due() == NOW + LEASE
    assert claimed_ids(box, minutes(4.9)) == []
    (heir,) = box.claim(now=minutes(5), lease=LEASE)
    assert heir.message_id == late.message_id
    for settle in (
        lambda: box.delivered(late, {}, now=minutes(6)),
        lambda: box.postponed(late, "x", until=minutes(9)),
        lambda: box.buried(late, "x", now=minutes(6)),
    ):
        with pytest.raises(StateError, match="its lease ended and another has it"):
            settle()
    box.delivered(heir, {}, now=minutes(6))
    assert box.counts() == {("erp", Fate.DELIVERED): 1}
    assert box.next_due() is None


def test_a_system_can_be_spared(box: Outbox) -> None:
    box.put(POST, now=NOW)
    other = box.put(replace(POST, system="crm"), now=NOW)
    assert claimed_ids(box, without=["erp"]) == [other]
    assert [m.system for m in box.messages(status=Fate.WAITING)] == ["erp"]
    assert [m.system for m in box.messages(system="crm")] == ["crm"]


def test_a_database_of_the_version_before_gains_the_new_tables(url: str) -> None:
    old = Database(url)
    with old.writing() as connection:
        connection.execute(text("DROP TABLE outbox"))
        connection.execute(text("UPDATE schema_version SET version = 1"))
    old.close()
    database = Database(url)
    Outbox(database).put(POST, now=NOW)
    with database.reading() as connection:
        assert connection.execute(text("SELECT version FROM schema_version")).scalar() == SCHEMA_VERSION
    database.close()


RULE = BreakerRule(failures=3, pause=timedelta(minutes=1), longest=timedelta(minutes=3))


def test_a_system_rests_after_failures_in_a_row_longer_each_time(database: Database) -> None:
    circuits = Circuits(database, RULE)
    assert [circuits.failed("erp", "down", now=NOW) for _ in range(2)] == [None, None]
    assert circuits.open(now=NOW) == {}
    ends = [circuits.failed("erp", "down", now=NOW) for _ in range(4)]
    assert ends == [minutes(1), minutes(2), minutes(3), minutes(3)]
    assert Circuits(database, RULE).open(now=minutes(2.9)) == {"erp": minutes(3)}
    assert circuits.open(now=minutes(3)) == {}


def test_an_answer_in_between_starts_the_count_anew(database: Database) -> None:
    circuits = Circuits(database, RULE)
    for _ in range(2):
        circuits.failed("erp", "down", now=NOW)
    circuits.failed("crm", "down", now=NOW)
    circuits.worked(["erp"])
    assert circuits.failed("erp", "down", now=NOW) is None
    assert [circuits.failed("crm", "down", now=NOW) for _ in range(2)] == [None, minutes(1)]


def test_failures_of_several_processes_all_count(database: Database, at_once: AtOnce) -> None:
    circuits = Circuits(database, BreakerRule(failures=41))
    for _ in range(10):
        assert at_once(4, lambda _: circuits.failed("erp", "down", now=NOW)) == [None] * 4
    assert circuits.failed("erp", "down", now=NOW) == minutes(1)


def test_refused_credentials_do_not_wait_for_more_failures(database: Database) -> None:
    circuits = Circuits(database, RULE)
    assert circuits.failed("erp", "401", now=NOW, at_once=True) == minutes(1)
    assert circuits.failed("erp", "401", now=NOW, at_once=True) == minutes(2)
    assert [circuits.failed("crm", "down", now=NOW), circuits.failed("crm", "401", now=NOW, at_once=True)] == [
        None,
        minutes(1),
    ]
