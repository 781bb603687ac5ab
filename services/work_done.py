"""What the operational tables say of a period: records read, totals compared, messages settled.

A period is from `since` on and before `until`, both aware.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from features.calendars import instant
from services.corrections import Action
from services.database import Database
from services.outbox import SETTLED, Fate
from services.runs import Counts
from services.state_tables import control_total, correction, heartbeat, outbox, run, run_feed

Json = dict[str, Any]
REPLAYED_FEED = "correction "


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, before `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class FeedRead:
    """One feed of one run. `table` is null where the feed was never read to its end, so that nobody noted it."""

    source: str
    feed: str
    table: str | None
    started_at: datetime
    counts: Counts


@dataclass(frozen=True, slots=True)
class Compared:
    """The control totals of one feed: how often they were compared, how often they differed, how it stood last."""

    source: str
    feed: str
    times: int
    differed: int
    ties: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """A message whose fate is certain.

    touched  a person edited, replayed or discarded it
    result   what the system said that it made; empty where it was discarded
    """

    system: str
    operation: str
    created_by: str
    delivered: bool
    attempts: int
    touched: bool
    finished_at: datetime
    payload: Json
    result: Json


class WorkDone:
    """What is on record in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def feeds(self, period: Period) -> list[FeedRead]:
        """Feeds that began in the period, in that order; without replays, which are people's work."""
        columns = (run_feed, run.c.source, run.c.started_at.label("run_started_at"), heartbeat.c.table)
        query = select(*columns).join(run, run.c.run_id == run_feed.c.run_id)
        known = (heartbeat.c.source == run.c.source) & (heartbeat.c.feed == run_feed.c.feed)
        inside = (run_feed.c.started_at >= period.since) & (run_feed.c.started_at < period.until)
        ordered = query.outerjoin(heartbeat, known).where(inside).order_by(run_feed.c.started_at, run_feed.c.feed)
        with self._db.reading() as connection:
            moments = connection.execute(select(correction.c.at).where(correction.c.action == Action.REPLAY)).scalars()
            replays = {instant(moment) for moment in moments}
            return [_feed(row) for row in connection.execute(ordered) if not _is_replay(row, replays)]

    def compared(self, period: Period) -> list[Compared]:
        """The controls of each feed, by source and feed."""
        query = select(run.c.source, control_total.c.feed, control_total.c.verdict)
        joined = query.join(run, run.c.run_id == control_total.c.run_id).order_by(control_total.c.at)
        inside = (control_total.c.at >= period.since) & (control_total.c.at < period.until)
        found: dict[tuple[str, str], list[bool]] = {}
        with self._db.reading() as connection:
            for source, feed, verdict in connection.execute(joined.where(inside)):
                found.setdefault((source, feed), []).append(verdict == "ties")
        return [Compared(*key, len(ties), ties.count(False), ties[-1]) for key, ties in sorted(found.items())]

    def settled(self, period: Period) -> list[Settled]:
        """Messages settled in the period, in the order in which they were put."""
        inside = (outbox.c.finished_at >= period.since) & (outbox.c.finished_at < period.until)
        with self._db.reading() as connection:
            cases = set(connection.execute(select(correction.c.case_id).distinct()).scalars())
            query = select(outbox).where(inside, outbox.c.status.in_(SETTLED)).order_by(outbox.c.position)
            return [_settled(row, cases) for row in connection.execute(query)]

    def results(self, operation: str) -> Iterator[tuple[str, Json, Json]]:
        """Of every message ever delivered for that operation: its system, its payload, and what was made."""
        columns = (outbox.c.system, outbox.c.payload, outbox.c.result)
        delivered = (outbox.c.operation == operation) & (outbox.c.status == Fate.DELIVERED)
        with self._db.reading() as connection:
            for system, payload, result in connection.execute(select(*columns).where(delivered)):
                yield system, json.loads(payload), json.loads(result or "{}")

    def askers(self, operation: str) -> set[str]:
        """Who ever put a message for that operation, whatever became of it."""
        with self._db.reading() as connection:
            query = select(outbox.c.created_by).where(outbox.c.operation == operation).distinct()
            return set(connection.execute(query).scalars())


def _is_replay(row: Row[Any], replays: set[datetime]) -> bool:
    """A replay's run begins at the very millisecond of the replay; some of its feeds say what they are."""
    return row.feed.startswith(REPLAYED_FEED) or row.run_started_at in replays


def _feed(row: Row[Any]) -> FeedRead:
    counts = Counts(row.read, row.landed, row.duplicates, row.quarantined)
    return FeedRead(row.source, row.feed, row.table, row.started_at, counts)


def _settled(row: Row[Any], cases: set[str]) -> Settled:
    """A payload that is not as it was given was edited, whether or not the history of the case is still there."""
    edited = json.loads(row.payload) != json.loads(row.given)
    return Settled(
        system=row.system,
        operation=row.operation,
        created_by=row.created_by,
        delivered=row.status == Fate.DELIVERED,
        attempts=row.attempts,
        touched=edited or row.message_id in cases or row.status == Fate.DISCARDED,
        finished_at=row.finished_at,
        payload=json.loads(row.payload),
        result=json.loads(row.result or "{}"),
    )
