"""What was decided about parties, kept for good: entries are added at the end and never changed or removed.

What a decision says is its writer's affair (`pipelines.parties.lasting`); here it is text. Who adds says up to where
the log was read, so that nobody decides on a state that somebody else has just changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, text

from features.errors import BadInput, StateError
from services.database import Database
from services.state_tables import party_decision


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision: its id, which is unique, who took it when, and what it says, as JSON."""

    decision_id: str
    at: datetime
    who: str
    decision: str


class PartyDecisions:
    """The decisions kept in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def read(self) -> tuple[list[Entry], int]:
        """Every entry, oldest first, and the position up to which that is; 0 where there is none."""
        with self._db.reading() as connection:
            rows = connection.execute(select(party_decision).order_by(party_decision.c.position)).all()
        entries = [Entry(row.decision_id, row.at, row.who, row.decision) for row in rows]
        return entries, rows[-1].position if rows else 0

    def append(self, entries: Sequence[Entry], *, after: int) -> int:
        """Keep the entries, all of them or none; the position of the last.

        after  where the log ended when it was read: `StateError` where it goes on by now

        `BadInput` where an id is there already.
        """
        if not entries:
            return after
        with self._db.writing() as connection:
            _alone(connection)
            _require_end(connection, after)
            _require_new(connection, entries)
            rows = [{"decision_id": e.decision_id, "at": e.at, "who": e.who, "decision": e.decision} for e in entries]
            connection.execute(insert(party_decision), rows)
            return _end(connection)


def _require_end(connection: Connection, after: int) -> None:
    end = _end(connection)
    if end != after:
        raise StateError(
            f"the log of party decisions was read up to {after} and goes up to {end} by now: somebody decided"
            " meanwhile, and nothing was kept; look again and repeat"
        )


def _end(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(party_decision.c.position), 0))).scalar_one())


def _require_new(connection: Connection, entries: Sequence[Entry]) -> None:
    ids = {entry.decision_id for entry in entries}
    known = set(connection.execute(select(party_decision.c.decision_id)).scalars()) & ids
    if known or len(ids) < len(entries):
        raise BadInput(f"decision {min(known or ids)} is in the log already; an entry is written once")


def _alone(connection: Connection) -> None:
    """No other writer until the transaction ends; SQLite has but one anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE party_decision IN SHARE ROW EXCLUSIVE MODE"))
