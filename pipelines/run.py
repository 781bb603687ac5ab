"""One ingest under way: what landed, what was set aside, what the store was told."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

import polars as pl

from features.errors import DuecastError, Violation
from features.lake import Lake
from features.tables import TABLES
from pipelines.dating import Dating, dated
from pipelines.feeds import Feed
from pipelines.run_report import SHOWN, FeedReport, Progress, RunReport, Unmatched
from pipelines.unmatched import unmatched
from services.heartbeats import Heartbeats
from services.runs import Counts
from services.store import Store


class Run:
    """Lands feeds and accounts for them, in this order, so that a kill in between loses nothing."""

    def __init__(
        self,
        run_id: str,
        source: str,
        lake: Lake,
        store: Store,
        *,
        now: datetime,
        progress: Progress,
        every_minutes: int | None = None,
    ) -> None:
        self.every_minutes = every_minutes
        self.run_id = run_id
        self.source = source
        self.lake = lake
        self.store = store
        self.now = now
        self.progress = progress
        self._reports: dict[str, FeedReport] = {}

    def land(self, feed: Feed, how: Dating, *, cursor: str | None = None) -> Counts:
        """Append what may land, then record counts, quarantine and cursor at once; `StateError` if they do not tie."""
        given = dated(feed.rows, feed.table, how, self.lake, self.now)
        appended = self.lake.append(feed.table, given.rows.select(*feed.table.schema))
        counts = feed.counts(appended.landed, appended.duplicates + given.superseded)
        bad = {feed.table.name: feed.quarantine}
        self.store.commit_page(self.run_id, feed.name, counts, now=self.now, cursor=cursor, bad=bad)
        self._add(feed, counts)
        self.progress.advance(feed.name, counts.read)
        return counts

    def set_aside(self, feed: str, table: str, bad: pl.DataFrame, counts: Counts) -> None:
        """Quarantine what could not even become rows (`QUARANTINE_SCHEMA`), with its counts."""
        self.store.commit_page(self.run_id, feed, counts, now=self.now, bad={table: bad})
        shown = tuple(Violation(*row[:4]) for row in bad.head(SHOWN).iter_rows())
        before = self._reports.get(feed, FeedReport(feed, table, Counts()))
        self._reports[feed] = FeedReport(feed, table, before.counts + counts, (before.first + shown)[:SHOWN])

    def advance(self, feed: str, cursor: str) -> None:
        """Remember where the next read of the feed starts."""
        self.store.commit_page(self.run_id, feed, Counts(), now=self.now, cursor=cursor)

    def expect(self, feeds: Collection[str]) -> None:
        """The feeds that this run means to read, as every run of the source: one that is never read will be told."""
        beats = Heartbeats(self.store.database)
        beats.expect(self.source, feeds, now=self.now, every_minutes=self.every_minutes)

    @contextmanager
    def feed(self, name: str, table: str, total: int | None) -> Iterator[None]:
        """While the feed is read and landed; an error ends it as failed, its end without one is a sign of life."""
        self._reports.setdefault(name, FeedReport(name, table, Counts()))
        self.progress.begin(name, total)
        try:
            yield
        except DuecastError as error:
            self.store.finish_feed(self.run_id, name, now=self.now, error=str(error))
            raise
        finally:
            self.progress.end(name)
        self.store.finish_feed(self.run_id, name, now=self.now)
        news = self._reports[name].counts.landed > 0
        beats = Heartbeats(self.store.database)
        beats.beat(self.source, name, table, now=self.now, news=news, every_minutes=self.every_minutes)

    def report(
        self, *, unused: tuple[tuple[str, tuple[str, ...]], ...] = (), absent: tuple[str, ...] = ()
    ) -> RunReport:
        """What was done."""
        feeds = tuple(self._reports.values())
        matters = any(f.counts.landed and f.table in ("invoice", "allocation") for f in feeds)
        lost = unmatched(self.lake) if matters else Unmatched()
        return RunReport(self.run_id, self.source, feeds, unused, absent, lost)

    def _add(self, feed: Feed, counts: Counts) -> None:
        before = self._reports.get(feed.name, FeedReport(feed.name, feed.table.name, Counts()))
        first: tuple[Violation, ...] = (before.first + feed.first)[:SHOWN]
        self._reports[feed.name] = FeedReport(feed.name, feed.table.name, before.counts + counts, first)


@contextmanager
def running(
    source: str, lake: Lake, store: Store, *, now: datetime, progress: Progress, every_minutes: int | None = None
) -> Iterator[Run]:
    """A run of `source` in the store, done at the end of the block, failed by an error of ours in it."""
    run_id = store.start_run(source, now=now)
    try:
        yield Run(run_id, source, lake, store, now=now, progress=progress, every_minutes=every_minutes)
    except DuecastError as error:
        store.finish_run(run_id, now=now, error=str(error))
        raise
    store.finish_run(run_id, now=now)
    for table in TABLES:
        lake.compact(table)  # many small ingests make many small files; a reader opens every one of them
