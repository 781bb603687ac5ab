"""The operational store: how far each feed was read, what each run did, what was quarantined and why.

The lake holds facts, this holds work. Every method is one transaction; time comes from the caller as `now`, aware.
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import polars as pl
from sqlalchemy import Connection, Row, select, update

from features.contracts import QUARANTINE_SCHEMA, require_schema
from features.errors import NotFound
from services import state_tables as db
from services.database import Database, dialect_insert
from services.runs import Counts, FeedRun, Run, Status

QUARANTINED_SCHEMA: dict[str, pl.DataType] = (
    {"source": pl.String(), "table": pl.String()}
    | QUARANTINE_SCHEMA
    | {"times": pl.Int64(), "first_seen": pl.Datetime("us", "UTC"), "last_seen": pl.Datetime("us", "UTC")}
    | {"run_id": pl.String()}
)
"""`times` the same payload broke the same rule; `where`, `value` and `run_id` are of the last time."""


class Store:
    """The store at a SQLAlchemy URL: sqlite:///FOLDER/FILE.db (made where absent) or postgresql://…

    `BadSetting` for another kind of URL; `StateError` where the database is out of reach, damaged or newer than us.
    """

    def __init__(self, url: str) -> None:
        self._db = Database(url)

    @property
    def database(self) -> Database:
        """What it is kept in, for what else is kept there."""
        return self._db

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._db.close()

    def cursor(self, source: str, feed: str) -> str | None:
        """Where the next read of the feed starts, in the source's own terms; null before the first."""
        at = (db.cursor.c.source == source) & (db.cursor.c.feed == feed)
        with self._db.reading() as connection:
            return connection.execute(select(db.cursor.c.value).where(at)).scalar()

    def start_run(self, source: str, *, now: datetime) -> str:
        """A new run's id. Runs of the source that never ended are INTERRUPTED from here on."""
        run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        row = {"run_id": run_id, "source": source, "status": Status.RUNNING, "started_at": now}
        with self._db.writing() as connection:
            left = select(db.run.c.run_id).where(db.run.c.source == source, db.run.c.status == Status.RUNNING)
            for (left_id,) in connection.execute(left).all():
                _end(connection, left_id, Status.INTERRUPTED, None, now)
            connection.execute(db.run.insert(), row)
        return run_id

    def commit_page(
        self,
        run_id: str,
        feed: str,
        counts: Counts,
        *,
        now: datetime,
        cursor: str | None = None,
        bad: Mapping[str, pl.DataFrame] | None = None,
    ) -> None:
        """Add a page's counts, quarantine its bad rows (by table) and move the cursor: all of it or nothing.

        The same payload breaking the same rule (`QUARANTINE_SCHEMA`) again raises its `times`.
        Call it after the lake has the page: if we are killed in between, the page is read again and adds nothing.
        """
        with self._db.writing() as connection:
            source = _source_of(connection, run_id)
            _add_counts(connection, run_id, feed, counts, now)
            for table, rows in (bad or {}).items():
                _quarantine(connection, run_id, source, table, rows, now)
            if cursor is not None:
                _set_cursor(connection, source, feed, cursor, now)

    def finish_feed(self, run_id: str, feed: str, *, now: datetime, error: str | None = None) -> None:
        """End a feed: FAILED with an `error` or where its counts do not tie, else DONE."""
        with self._db.writing() as connection:
            _add_counts(connection, run_id, feed, Counts(), now)
            counts = next(f.counts for f in _feeds(connection, [run_id])[run_id] if f.feed == feed)
            error = error or (None if counts.tie else f"the counts do not tie: {counts}")
            ended = {"status": Status.FAILED if error else Status.DONE, "finished_at": now, "error": error}
            at = (db.run_feed.c.run_id == run_id) & (db.run_feed.c.feed == feed)
            connection.execute(update(db.run_feed).where(at).values(ended))

    def finish_run(self, run_id: str, *, now: datetime, error: str | None = None) -> Run:
        """End a run: FAILED with an `error` or a failed feed, else DONE. Feeds still running end as it does."""
        with self._db.writing() as connection:
            _source_of(connection, run_id)
            failed = any(f.status is Status.FAILED for f in _feeds(connection, [run_id])[run_id])
            _end(connection, run_id, Status.FAILED if error or failed else Status.DONE, error, now)
        return self.run(run_id)

    def run(self, run_id: str) -> Run:
        """One run; `NotFound` where there is none of that id."""
        with self._db.reading() as connection:
            row = connection.execute(select(db.run).where(db.run.c.run_id == run_id)).one_or_none()
            if row is None:
                raise NotFound(f"no run {run_id!r}")
            return _run(row, _feeds(connection, [run_id])[run_id])

    def runs(self, *, source: str | None = None, limit: int = 20) -> list[Run]:
        """The latest runs, newest first."""
        query = select(db.run).order_by(db.run.c.started_at.desc(), db.run.c.run_id.desc()).limit(limit)
        with self._db.reading() as connection:
            rows = connection.execute(query if source is None else query.where(db.run.c.source == source)).all()
            feeds = _feeds(connection, [row.run_id for row in rows])
            return [_run(row, feeds[row.run_id]) for row in rows]

    def quarantined(
        self,
        *,
        source: str | None = None,
        table: str | None = None,
        run_id: str | None = None,
        limit: int | None = 1000,
    ) -> pl.DataFrame:
        """What stands in quarantine under `QUARANTINED_SCHEMA`, last seen first, at most `limit` violations or all."""
        columns = [db.quarantine.c[name] for name in QUARANTINED_SCHEMA]
        query = select(*columns).order_by(db.quarantine.c.last_seen.desc(), db.quarantine.c.violation_id).limit(limit)
        wanted = {"source": source, "table": table, "run_id": run_id}
        for name, value in wanted.items():
            query = query if value is None else query.where(db.quarantine.c[name] == value)
        with self._db.reading() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=QUARANTINED_SCHEMA, orient="row")


def _source_of(connection: Connection, run_id: str) -> str:
    source = connection.execute(select(db.run.c.source).where(db.run.c.run_id == run_id)).scalar()
    if source is None:
        raise NotFound(f"no run {run_id!r}; start_run gives the id")
    return str(source)


def _set_cursor(connection: Connection, source: str, feed: str, value: str, now: datetime) -> None:
    row = {"source": source, "feed": feed, "value": value, "updated_at": now}
    change = {"value": value, "updated_at": now}
    insert = dialect_insert(connection, db.cursor).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=["source", "feed"], set_=change))


def _add_counts(connection: Connection, run_id: str, feed: str, counts: Counts, now: datetime) -> None:
    added = {name: getattr(counts, name) for name in Counts.__slots__}
    insert = dialect_insert(connection, db.run_feed).values(
        run_id=run_id, feed=feed, status=Status.RUNNING, started_at=now, **added
    )
    change = {name: db.run_feed.c[name] + value for name, value in added.items()}
    connection.execute(insert.on_conflict_do_update(index_elements=["run_id", "feed"], set_=change))


def _quarantine(connection: Connection, run_id: str, source: str, table: str, bad: pl.DataFrame, now: datetime) -> None:
    require_schema(bad, QUARANTINE_SCHEMA, "quarantine rows")
    if bad.is_empty():
        return
    seen = {"first_seen": now, "last_seen": now, "run_id": run_id, "source": source, "table": table}
    rows: dict[str, dict[str, object]] = {}
    times: Counter[str] = Counter()
    for violation in bad.to_dicts():
        key = _violation_id(source, table, violation)
        times[key] += 1
        rows[key] = violation | seen | {"violation_id": key, "times": times[key]}
    insert = dialect_insert(connection, db.quarantine)
    change = {name: insert.excluded[name] for name in ("where", "value", "run_id", "last_seen")}
    change["times"] = db.quarantine.c.times + insert.excluded.times
    connection.execute(insert.on_conflict_do_update(index_elements=["violation_id"], set_=change), list(rows.values()))


def _violation_id(source: str, table: str, violation: dict[str, Any]) -> str:
    """The same for the same payload breaking the same rule, wherever it stands; without a payload the place counts."""
    content = violation["payload"] or violation["where"]
    identity = json.dumps([source, table, violation["field"], violation["allowed"], content])
    return hashlib.sha256(identity.encode()).hexdigest()


def _end(connection: Connection, run_id: str, status: Status, error: str | None, now: datetime) -> None:
    ended = {"status": status, "finished_at": now}
    still = (db.run_feed.c.run_id == run_id) & (db.run_feed.c.status == Status.RUNNING)
    connection.execute(update(db.run_feed).where(still).values(ended))
    connection.execute(update(db.run).where(db.run.c.run_id == run_id).values(ended | {"error": error}))


def _feeds(connection: Connection, run_ids: list[str]) -> dict[str, list[FeedRun]]:
    query = select(db.run_feed).where(db.run_feed.c.run_id.in_(run_ids))
    found: dict[str, list[FeedRun]] = {run_id: [] for run_id in run_ids}
    for row in connection.execute(query.order_by(db.run_feed.c.started_at, db.run_feed.c.feed)):
        counts = Counts(row.read, row.landed, row.duplicates, row.quarantined)
        found[row.run_id].append(
            FeedRun(row.feed, Status(row.status), counts, row.started_at, row.finished_at, row.error)
        )
    return found


def _run(row: Row[Any], feeds: list[FeedRun]) -> Run:
    return Run(
        row.run_id, row.source, Status(row.status), row.started_at, row.finished_at, row.error, feeds=tuple(feeds)
    )
