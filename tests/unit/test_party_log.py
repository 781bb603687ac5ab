"""The log of party decisions that lasts, on SQLite always and on PostgreSQL where the machine has one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from features.errors import BadInput, NotFound, StateError
from pipelines.parties.decisions import MACHINE, DecisionsInMemory, merge, not_same, parent, undo
from pipelines.parties.lasting import LastingDecisions
from pipelines.parties.matching import Matcher
from pipelines.parties.records import PartyRecord
from pipelines.parties.sync import synced
from services.database import Database
from services.parties import Entry, PartyDecisions

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
A, B, C = (f"DE:customer:erp:{n}" for n in "123")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


def told(hour: int = 0, by: str = "ana") -> dict[str, Any]:
    return {"by": by, "at": NOON + timedelta(hours=hour), "why": "asked them"}


def test_decisions_come_back_as_they_were_in_their_order(database: Database) -> None:
    first = merge(A, B, **told(2, MACHINE), score=0.97)
    decisions = [first, not_same(B, C, **told(1)), parent(C, None, **told(0)), undo(first, **told(3))]
    log = LastingDecisions(database)
    for decision in decisions:
        log.append(decision)
    assert list(log.all()) == decisions
    assert list(LastingDecisions(database).all()) == decisions


def test_what_the_one_in_memory_refuses_this_one_refuses(database: Database) -> None:
    log = LastingDecisions(database)
    one = merge(A, B, **told())
    log.append(one)
    with pytest.raises(BadInput, match="in the log already"):
        log.append(one)
    with pytest.raises(NotFound, match="no decision"):
        log.append(undo(merge(A, C, **told()), **told()))
    assert list(LastingDecisions(database).all()) == [one]


def test_several_are_kept_together_or_not_at_all(database: Database) -> None:
    log, one = LastingDecisions(database), merge(A, B, **told())
    with pytest.raises(BadInput, match="in the log already"):
        log.extend([one, one])
    assert log.all() == LastingDecisions(database).all() == ()
    log.extend([one, merge(B, C, **told())])
    assert len(LastingDecisions(database).all()) == 2


def test_who_decides_on_an_old_state_is_told_so_and_nothing_is_kept(database: Database) -> None:
    ana, bob = LastingDecisions(database), LastingDecisions(database)
    ana.append(merge(A, B, **told()))
    with pytest.raises(StateError, match=r"read up to 0 and goes up to 1 .*somebody decided meanwhile"):
        bob.append(not_same(A, B, **told(by="bob")))
    assert bob.all() == ()
    again = LastingDecisions(database)
    again.append(not_same(A, B, **told(by="bob")))
    assert [d.by for d in LastingDecisions(database).all()] == ["ana", "bob"]
    with pytest.raises(StateError, match="meanwhile"):
        ana.append(merge(B, C, **told()))


def test_the_table_itself_refuses_the_same_id_twice(database: Database) -> None:
    kept, entry = PartyDecisions(database), Entry("d1", NOON, "ana", "{}")
    end = kept.append([entry], after=0)
    with pytest.raises(BadInput, match="decision d1 is in the log already"):
        kept.append([entry], after=end)
    with pytest.raises(BadInput, match="decision d2 is in the log already"):
        kept.append([Entry("d2", NOON, "ana", "{}"), Entry("d2", NOON, "bob", "{}")], after=end)
    assert kept.append([], after=end) == end
    assert kept.read() == ([entry], end)


def test_a_damaged_entry_is_named(database: Database) -> None:
    LastingDecisions(database).append(one := merge(A, B, **told()))
    with database.writing() as connection:
        connection.execute(text("UPDATE party_decision SET decision = '{\"kind\": 7}'"))
    with pytest.raises(StateError, match=f"party decision {one.id} cannot be read"):
        LastingDecisions(database)


def test_a_sync_comes_to_the_same_in_memory_and_in_the_database(database: Database) -> None:
    records = [
        PartyRecord(system="erp", record_id=str(n), role="customer", name=name, updated_at=NOON)
        for n, name in enumerate(["Acme Ltd", "ACME", "Globex", "Acme Inc"])
    ]
    memory, lasting = DecisionsInMemory(), LastingDecisions(database)
    for log in (memory, lasting):
        synced(records, log, Matcher.learnt(records), now=NOON)
    assert list(LastingDecisions(database).all()) == list(memory.all()) != []
    assert synced(records, LastingDecisions(database), Matcher.learnt(records), now=NOON).appended == ()
