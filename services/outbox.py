"""The outbox: every write to a source system, kept until its fate is certain.

A message is delivered at least once; its idempotency key makes the effect exactly-once, for a target is asked whether
it has seen the key before anything is made there. Messages of one document go in the order in which they were put:
while one of them is not settled, those behind it wait.
"""

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from features.errors import BadInput, NotFound, StateError
from services.database import Database, dialect_insert
from services.state_tables import outbox


class Fate(StrEnum):
    """How a message stands. DELIVERED and DISCARDED are settled; a DEAD one waits for a person."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISCARDED = "discarded"


SETTLED = (Fate.DELIVERED, Fate.DISCARDED)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A write to be made in `system`.

    document         what it is about there: messages of one document keep their order
    operation        what to do, a name that the system's target knows
    idempotency_key  unique within the system: putting the same message again adds nothing
    payload          JSON; amounts as decimal text
    """

    system: str
    document: str
    operation: str
    idempotency_key: str
    payload: dict[str, Any]
    created_by: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the outbox.

    given  the payload as it was put, whatever a person made of it since
    claim  proves that the holder may settle it
    """

    message_id: str
    system: str
    document: str
    operation: str
    idempotency_key: str
    payload: dict[str, Any]
    given: dict[str, Any]
    status: Fate
    attempts: int
    due_at: datetime
    created_at: datetime
    created_by: str
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: str | None
    claim: str | None


class Outbox:
    """The messages in `database`. Every method is one transaction; time comes from the caller as `now`, aware."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, new: NewMessage, *, now: datetime) -> str:
        """The id of the message. The same message again is the same id; `BadInput` for its key with other content."""
        with self._db.writing() as connection:
            return put(connection, new, now=now)

    def claim(self, *, now: datetime, lease: timedelta, limit: int = 1, without: Collection[str] = ()) -> list[Message]:
        """Messages that are due, first of their document, oldest first, now the caller's until the lease ends.

        Those whose earlier holder let the lease end (it was killed) are among them. `without` names systems to spare.
        """
        with self._db.writing() as connection:
            rows = connection.execute(_due(now, without).limit(limit)).all()
            claimed = [_claimed(connection, row.position, now, lease) for row in rows]
            return [_message(row) for row in claimed]

    def delivered(self, message: Message, result: dict[str, Any], *, now: datetime) -> None:
        """It is there, as `result` says. `StateError` where the lease ended and another holder has it."""
        self._settle(message, Fate.DELIVERED, finished_at=now, result=json.dumps(result), error=None)

    def postponed(self, message: Message, reason: str, *, until: datetime) -> None:
        """It could not be delivered now; it is due again at `until`."""
        self._settle(message, Fate.WAITING, due_at=until, error=reason)

    def buried(self, message: Message, reason: str, *, now: datetime) -> None:
        """The target will not take it as it is: it waits for a person, and so do those behind it."""
        self._settle(message, Fate.DEAD, finished_at=now, error=reason)

    def message(self, message_id: str) -> Message:
        """One message; `NotFound` where there is none of that id."""
        with self._db.reading() as connection:
            row = connection.execute(select(outbox).where(outbox.c.message_id == message_id)).one_or_none()
        if row is None:
            raise NotFound(f"no message {message_id!r} in the outbox")
        return _message(row)

    def messages(self, *, system: str | None = None, status: Fate | None = None, limit: int = 1000) -> list[Message]:
        """The messages in the order in which they were put."""
        query = select(outbox).order_by(outbox.c.position).limit(limit)
        query = query if system is None else query.where(outbox.c.system == system)
        query = query if status is None else query.where(outbox.c.status == status)
        with self._db.reading() as connection:
            return [_message(row) for row in connection.execute(query)]

    def counts(self) -> dict[tuple[str, Fate], int]:
        """How many messages each system has in each fate."""
        query = select(outbox.c.system, outbox.c.status, func.count()).group_by(outbox.c.system, outbox.c.status)
        with self._db.reading() as connection:
            return {(system, Fate(status)): count for system, status, count in connection.execute(query)}

    def next_due(self) -> datetime | None:
        """When the next message may be sent; None where nothing waits."""
        due = func.coalesce(outbox.c.claimed_until, outbox.c.due_at)
        open_ = outbox.c.status.in_((Fate.WAITING, Fate.SENDING)) & _is_first()
        with self._db.reading() as connection:
            return connection.execute(select(due).where(open_).order_by(due).limit(1)).scalar()

    def _settle(self, message: Message, fate: Fate, **changes: Any) -> None:
        mine = (outbox.c.message_id == message.message_id) & (outbox.c.claim == message.claim)
        change = update(outbox).where(mine, outbox.c.status == Fate.SENDING)
        with self._db.writing() as connection:
            done = connection.execute(change.values(status=fate, claim=None, claimed_until=None, **changes))
        if done.rowcount != 1:
            raise StateError(f"message {message.message_id}: its lease ended and another has it; nothing is lost")


def put(connection: Connection, new: NewMessage, *, now: datetime) -> str:
    """As `Outbox.put`, within the caller's transaction: a decision and its message are kept together or not at all."""
    content = json.dumps(new.payload, sort_keys=True)
    message_id = secrets.token_hex(8)
    # first the attempt: of two who look first, both would find nothing
    insert = dialect_insert(connection, outbox).values(_row(new, content, message_id, now))
    added = insert.on_conflict_do_nothing(index_elements=["system", "idempotency_key"]).returning(outbox.c.position)
    if connection.execute(added).scalar() is not None:
        return message_id
    known = (outbox.c.system == new.system) & (outbox.c.idempotency_key == new.idempotency_key)
    found = connection.execute(select(outbox).where(known)).one()
    if (found.document, found.operation, found.given) != (new.document, new.operation, content):
        used = f"key {new.idempotency_key!r} was used for another message ({found.message_id})"
        raise BadInput(f"{new.system}: {used}; allowed: a key of its own for every write")
    return str(found.message_id)


def revive(connection: Connection, message_id: str, payload: dict[str, Any], *, now: datetime) -> None:
    """A dead message is due again, with `payload`, in the caller's transaction. `BadInput` where it is not dead."""
    again = {"payload": json.dumps(payload), "due_at": now, "finished_at": None, "attempts": 0}
    _by_hand(connection, message_id, Fate.WAITING, **again)


def discard(connection: Connection, message_id: str, *, now: datetime) -> None:
    """A dead message is never delivered, in the caller's transaction. `BadInput` where it is not dead."""
    _by_hand(connection, message_id, Fate.DISCARDED, finished_at=now)


def _by_hand(connection: Connection, message_id: str, fate: Fate, **changes: Any) -> None:
    change = update(outbox).where(outbox.c.message_id == message_id, outbox.c.status == Fate.DEAD)
    if connection.execute(change.values(status=fate, **changes)).rowcount != 1:
        raise BadInput(f"message {message_id} is not dead; allowed: a message that could not be delivered")


def _row(new: NewMessage, content: str, message_id: str, now: datetime) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "system": new.system,
        "document": new.document,
        "operation": new.operation,
        "idempotency_key": new.idempotency_key,
        "payload": content,
        "given": content,
        "status": Fate.WAITING,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
        "created_by": new.created_by,
    }


def _due(now: datetime, without: Collection[str]) -> Any:
    ready = or_(
        and_(outbox.c.status == Fate.WAITING, outbox.c.due_at <= now),
        and_(outbox.c.status == Fate.SENDING, outbox.c.claimed_until <= now),
    )
    query = select(outbox.c.position).where(ready, outbox.c.system.not_in(list(without)), _is_first())
    return query.order_by(outbox.c.due_at, outbox.c.position).with_for_update(skip_locked=True)


def _is_first() -> ColumnElement[bool]:
    """No message of the same document that was put earlier is still to be settled."""
    earlier = outbox.alias("earlier")
    same = (earlier.c.system == outbox.c.system) & (earlier.c.document == outbox.c.document)
    unsettled = earlier.c.status.not_in(SETTLED) & (earlier.c.position < outbox.c.position)
    return ~select(earlier.c.position).where(same & unsettled).exists()


def _claimed(connection: Connection, position: int, now: datetime, lease: timedelta) -> Row[Any]:
    change = {"status": Fate.SENDING, "claim": secrets.token_hex(8), "claimed_until": now + lease}
    counted = {"attempts": outbox.c.attempts + 1}
    return connection.execute(
        update(outbox).where(outbox.c.position == position).values(change | counted).returning(outbox)
    ).one()


def _message(row: Row[Any]) -> Message:
    return Message(
        message_id=row.message_id,
        system=row.system,
        document=row.document,
        operation=row.operation,
        idempotency_key=row.idempotency_key,
        payload=json.loads(row.payload),
        given=json.loads(row.given),
        status=Fate(row.status),
        attempts=row.attempts,
        due_at=row.due_at,
        created_at=row.created_at,
        created_by=row.created_by,
        finished_at=row.finished_at,
        result=None if row.result is None else json.loads(row.result),
        error=row.error,
        claim=row.claim,
    )
