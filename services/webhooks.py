"""What was delivered to us: kept once, in the order in which it came, until it has landed.

A delivery is kept before its sender is told so; from then on it cannot get lost. What has landed is remembered record
by record, since a version that arrives late can only be put where it belongs together with those that came after it.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256

from sqlalchemy import func, select, update

from services.database import Database, dialect_insert, one_at_a_time
from services.state_tables import webhook, webhook_record

_AT_ONCE = 500  # rows in one statement: databases have a limit on parameters


class Kept(Enum):
    """What became of a delivery: kept; there already; or its id was used for another body, which is not kept."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits to land; `payload` is its body, as it came."""

    delivery_id: str
    position: int
    received_at: datetime
    payload: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one record: which table, whose and which record, when it changed, and the record as JSON."""

    table: str
    company: str
    record_id: str
    changed_at: datetime
    payload: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is a version of."""
        return self.table, self.company, self.record_id


class Inbox:
    """The deliveries in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, source: str, delivery_id: str, body: str, *, sent_at: datetime, now: datetime) -> Kept:
        """Keep a delivery unless it is there."""
        digest = sha256(body.encode()).hexdigest()
        mine = (webhook.c.source == source) & (webhook.c.delivery_id == delivery_id)
        row: dict[str, object] = {"source": source, "delivery_id": delivery_id, "digest": digest, "payload": body}
        with self._db.writing() as connection:
            one_at_a_time(connection, f"webhooks of {source}")  # no two get the same position
            last = connection.execute(select(func.max(webhook.c.position)).where(webhook.c.source == source)).scalar()
            row |= {"position": (last or 0) + 1, "sent_at": sent_at, "received_at": now}
            added = (
                dialect_insert(connection, webhook).values(row).on_conflict_do_nothing().returning(webhook.c.position)
            )
            if connection.execute(added).scalar() is not None:
                return Kept.NEW
            held = connection.execute(select(webhook.c.digest).where(mine)).scalar()
        return Kept.KNOWN if held == digest else Kept.CONFLICT

    def waiting(self, source: str, *, after: int = 0, limit: int = 200) -> list[Waiting]:
        """Deliveries that have not landed, in the order in which they came, from behind position `after`."""
        columns = (webhook.c.delivery_id, webhook.c.position, webhook.c.received_at, webhook.c.payload)
        open_ = (webhook.c.source == source) & webhook.c.landed_at.is_(None) & (webhook.c.position > after)
        query = select(*columns).where(open_).order_by(webhook.c.position, webhook.c.delivery_id).limit(limit)
        with self._db.reading() as connection:
            return [Waiting(*row) for row in connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """How many deliveries of each source wait; sources that never sent any are left out."""
        waits = func.count().filter(webhook.c.landed_at.is_(None)).label("waits")
        query = select(webhook.c.source, waits).group_by(webhook.c.source).order_by(webhook.c.source)
        with self._db.reading() as connection:
            return {row.source: row.waits for row in connection.execute(query)}

    def overtaken(self, source: str, versions: Iterable[Version]) -> list[Version]:
        """What has landed already of the same records and is later than one of `versions`."""
        first: dict[tuple[str, str, str], datetime] = {}
        for version in versions:
            first[version.key] = min(version.changed_at, first.get(version.key, version.changed_at))
        c = webhook_record.c
        columns = (c.table, c.company, c.record_id, c.changed_at, c.payload)
        found: list[Version] = []
        with self._db.reading() as connection:
            for some in _in_parts({record_id for _, _, record_id in first}):
                of_records = (c.source == source) & c.record_id.in_(some)
                found += [Version(*row) for row in connection.execute(select(*columns).where(of_records))]
        return [v for v in found if v.key in first and v.changed_at > first[v.key]]

    def landed(self, source: str, deliveries: Collection[str], versions: Iterable[Version], *, now: datetime) -> None:
        """These deliveries are done with; what landed of them are the `versions`. Call it after the lake has them."""
        rows = [
            {
                "source": source,
                "table": v.table,
                "company": v.company,
                "record_id": v.record_id,
                "changed_at": v.changed_at,
                "payload": v.payload,
            }
            for v in versions
        ]
        with self._db.writing() as connection:
            if rows:
                connection.execute(dialect_insert(connection, webhook_record).on_conflict_do_nothing(), rows)
            for some in _in_parts(deliveries):
                mine = (webhook.c.source == source) & webhook.c.delivery_id.in_(some)
                connection.execute(update(webhook).where(mine).values(landed_at=now))

    def forget(self, source: str, *, before: datetime) -> int:
        """Drop what landed before then, and versions that old; how many deliveries. Those that wait stay."""
        gone = (webhook.c.source == source) & (webhook.c.landed_at < before)
        old = (webhook_record.c.source == source) & (webhook_record.c.changed_at < before)
        with self._db.writing() as connection:
            connection.execute(webhook_record.delete().where(old))
            return int(connection.execute(webhook.delete().where(gone)).rowcount)


def _in_parts(ids: Collection[str]) -> Iterator[list[str]]:
    """The ids in order, as many at a time as fit a statement."""
    in_order = sorted(ids)
    return (in_order[start : start + _AT_ONCE] for start in range(0, len(in_order), _AT_ONCE))
