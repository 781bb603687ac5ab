"""Land what systems delivered by webhook, in whatever order and however often it came.

The lake dates a version by the instant at which the source changed it, so that one which comes late lands where it
belongs. One thing is not in the lake: that a record was told to be A still, or again, while A was in force anyway. When
a B from before that comes late it would be thought to last. So whatever landed from deliveries and is later than what
lands now is told again, in the same breath.

Records are canonical (`pipelines.connectors.source`), but for `known_at`, which is left to polls: whether a version is
the first one nobody can tell by its delivery, and only the first may be dated back to when it was booked. Two things
that order decides remain. What a poll alone told is not told again. And an allocation that contradicts its invoice
lands where the invoice comes later, as it does in a poll.

A record that cannot stand is set aside and holds up nothing. A delivery in the books of an entity that the lake does
not know waits for it, `PATIENCE` at most.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import polars as pl

from features.contracts import QUARANTINE_SCHEMA
from features.errors import SourceBroken
from features.lake import Lake
from features.tables import ENTITY, TABLES, Table
from pipelines.complaints import COMPLAINT, PLACE
from pipelines.connectors.records import as_json, as_text, exact
from pipelines.connectors.source import Batch, Json, section_of
from pipelines.dating import Dating
from pipelines.feeds import Feed
from pipelines.mapping_keys import Section
from pipelines.record_feeds import record_feed
from pipelines.run import Run, running
from pipelines.run_report import Progress, Quiet, RunReport
from services.runs import Counts
from services.schemas import Delivery
from services.store import Store
from services.webhooks import Inbox, Version, Waiting

LOG = logging.getLogger(__name__)

PATIENCE = timedelta(days=7)
KEPT = timedelta(days=90)
"""How long deliveries are kept once they have landed: as long as a version may be late."""

_DELIVERIES_AT_ONCE = 500
_DELIVERY = msgspec.json.Decoder(Delivery, float_hook=exact)
_RECORD = msgspec.json.Decoder(dict[str, Any], float_hook=exact)
_POISON = (SourceBroken, pl.exceptions.PolarsError, ValueError, TypeError, OverflowError)
"""What reading a record may end with where it is the record's fault; a disk that is full is nobody's."""


@dataclass(frozen=True, slots=True)
class HookReport:
    """`run` is None where nothing waited; `held`: deliveries that wait for an entity."""

    run: RunReport | None
    held: int = 0


def land_webhooks(
    store: Store,
    lake: Lake,
    source: str,
    now: datetime,
    *,
    section: Callable[[Table], Section] = section_of,
    every_minutes: int | None = None,
    progress: Progress | None = None,
) -> HookReport:
    """Land the deliveries of `source` that wait; `section` says how its records are read.

    A kill loses nothing: a delivery is done with when the lake has it. An error of ours ends it; the rest waits on.
    """
    inbox = Inbox(store.database)
    if not inbox.waiting(source, limit=1):
        return HookReport(None)
    now += timedelta(microseconds=-now.microsecond % 1000)  # as every instant of the lake
    shown = progress or Quiet()
    with running(source, lake, store, now=now, progress=shown, every_minutes=every_minutes) as run:
        desk = _Desk(run, inbox, section)
        held = desk.pass_over()
        while held and desk.fresh_entities:
            held = desk.pass_over()
        inbox.forget(source, before=now - KEPT)
        return HookReport(run.report(), held)


class _Desk:
    """Lands deliveries, many at a time, table by table."""

    def __init__(self, run: Run, inbox: Inbox, section: Callable[[Table], Section]) -> None:
        self._run = run
        self._inbox = inbox
        self._section = section
        self.fresh_entities = False

    def pass_over(self) -> int:
        """Land all that wait once; how many were held."""
        self.fresh_entities, held, position = False, 0, 0
        while deliveries := self._inbox.waiting(self._run.source, after=position, limit=_DELIVERIES_AT_ONCE):
            held += self._land(deliveries)
            position = deliveries[-1].position
        return held

    def _land(self, deliveries: list[Waiting]) -> int:
        told: dict[str | None, list[tuple[Waiting, Delivery]]] = defaultdict(list)
        for waiting in deliveries:
            delivery = self._read(waiting)
            told[delivery.table if delivery.records else None].append((waiting, delivery))
        if told[None]:
            notices = [waiting.delivery_id for waiting, _ in told[None]]
            self._inbox.landed(self._run.source, notices, (), now=self._run.now)
        return sum(self._land_table(table, told[table.name]) for table in TABLES if told[table.name])

    def _read(self, waiting: Waiting) -> Delivery:
        """What was delivered; nothing where it is nested deeper than we can read here, which is kept as a complaint."""
        try:
            return _DELIVERY.decode(waiting.payload)
        except RecursionError:
            complaint = {
                "where": f"webhook delivery {waiting.delivery_id}",
                "field": "records",
                "allowed": "records that are not nested too deep",
            }
            bad = pl.DataFrame([complaint], schema=QUARANTINE_SCHEMA)
            self._run.set_aside("webhook", "webhook", bad, Counts(read=1, quarantined=1))
            return Delivery()

    def _land_table(self, table: Table, told: list[tuple[Waiting, Delivery]]) -> int:
        """Land the deliveries about one table; how many were held."""
        name = f"webhook {table.name}"
        ready = told if table is ENTITY else self._ready(told)
        records = [_without_booking(record) for _, delivery in ready for record in delivery.records]
        if records:
            with self._run.feed(name, table.name, None):
                landed = self._land_records(name, table, records)
            self._inbox.landed(self._run.source, [w.delivery_id for w, _ in ready], landed, now=self._run.now)
        return len(told) - len(ready)

    def _ready(self, told: list[tuple[Waiting, Delivery]]) -> list[tuple[Waiting, Delivery]]:
        known = set(self._run.lake.versions(ENTITY).select("entity_id").collect()["entity_id"])
        latest = self._run.now - PATIENCE
        return [
            (waiting, delivery)
            for waiting, delivery in told
            if waiting.received_at < latest or _named_entities(delivery) <= known
        ]

    def _land_records(self, name: str, table: Table, records: list[Json]) -> list[Version]:
        """Land what can stand, and what came before it but is later; the versions among `records` that stand."""

        def feed_of(some: list[Json]) -> Feed:
            return record_feed(name, self._section(table), table, Batch(some), self._run)

        sound, broken = parted(records, feed_of)
        if broken:
            self._set_aside(name, table, broken)
        if not sound:
            return []
        versions = [_version(table, record) for record in sound]
        later = self._inbox.overtaken(self._run.source, versions)
        feed = feed_of([*sound, *(_RECORD.decode(v.payload) for v in later)])
        self._run.land(feed, Dating.BY_SOURCE)
        self.fresh_entities |= table is ENTITY
        bad = set(feed.bad["_row"])
        return [version for row, version in enumerate(versions) if row not in bad]

    def _set_aside(self, name: str, table: Table, broken: list[tuple[Json, str]]) -> None:
        """Quarantine records that cannot even be read as ones of the table."""
        rows = [
            {
                "_row": row,
                "_where": f"{name} record {record.get('id')!r}"[:200],
                "field": "record",
                "value": None,
                "allowed": reason,
            }
            for row, (record, reason) in enumerate(broken)
        ]
        none = pl.DataFrame(schema=table.schema | PLACE)
        payloads = partial(as_json, [record for record, _ in broken])
        feed = Feed(name, table, none, pl.DataFrame(rows, schema=COMPLAINT), payloads, len(broken))
        self._run.land(feed, Dating.BY_SOURCE)
        LOG.warning("%s: %d records cannot be read and are set aside", name, len(broken))


def parted(records: list[Json], read: Callable[[list[Json]], Any]) -> tuple[list[Json], list[tuple[Json, str]]]:
    """The records that can be read together, and each that cannot be read with the reason, by halving."""
    if not records:
        return [], []
    try:
        read(records)
    except _POISON as error:
        if len(records) == 1:
            return [], [(records[0], str(error) if isinstance(error, SourceBroken) else _UNREADABLE)]
        half = len(records) // 2
        first, second = parted(records[:half], read), parted(records[half:], read)
        return [*first[0], *second[0]], [*first[1], *second[1]]
    return records, []


_UNREADABLE = "values that can be read: text, numbers, true or false, instants in ISO 8601"


def _named_entities(delivery: Delivery) -> set[str]:
    """Those in whose books the records are; a record that names none will never name one, and waits for nothing."""
    return {str(record["company"]) for record in delivery.records if record.get("company") is not None}


def _without_booking(record: Json) -> Json:
    return {name: value for name, value in record.items() if name != "known_at"}


def _version(table: Table, record: Json) -> Version:
    changed_at = msgspec.convert(record["changed_at"], datetime)
    return Version(table.name, _key(record.get("company")), _key(record["id"]), changed_at, as_text(record))


def _key(value: object) -> str:
    """As text that every database takes."""
    return str(value).replace("\0", "\N{SYMBOL FOR NULL}")
