"""Whether the feeds are alive: "customers pay later" and "the bank feed stopped" look alike in the payments alone.

A system that is alive says so by anything new at all; a bank by its statements, which come on every business day, also
where nobody paid. And a feed may be dead while others of its system live: a run that ends in an error never gets to
those behind it. Silence counts in business time: weekends are left out.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, func, select

from services.database import Database, dialect_insert
from services.state_tables import awaited_feed, heartbeat, run

PATIENCE = 2.0
"""A system is silent once it has said nothing for so many times as long as news usually take."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A system that should have had news, or a part of it that should have been read.

    since   its last news; None where it never had any
    reads   it is read without an error, and still says nothing
    unread  feeds that runs have meant to read for too long without getting to their end, and since when
    """

    source: str
    since: datetime | None
    every_minutes: int
    reads: bool
    unread: tuple[tuple[str, datetime], ...] = ()

    def __str__(self) -> str:
        """In words."""
        if self.unread:
            what = "was not read to the end: " + ", ".join(f"{feed} since {_told(at)}" for feed, at in self.unread)
        else:
            last = "has never had news" if self.since is None else f"has had no news since {_told(self.since)}"
            what = last + (", although it answers" if self.reads else ", and was not read to the end since")
        return f"{self.source} {what}; news are expected every {self.every_minutes} minutes of business time"


class Heartbeats:
    """The signs of life kept in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def beat(
        self, source: str, feed: str, table: str, *, now: datetime, news: bool, every_minutes: int | None = None
    ) -> None:
        """The feed was read to its end; `news`: it brought something new."""
        told = {"table": table, "read_at": now, "every_minutes": every_minutes} | ({"news_at": now} if news else {})
        awaited = (awaited_feed.c.source == source) & (awaited_feed.c.feed == feed)
        with self._db.writing() as connection:
            row = dialect_insert(connection, heartbeat).values(source=source, feed=feed, **told)
            connection.execute(row.on_conflict_do_update(index_elements=["source", "feed"], set_=told))
            connection.execute(awaited_feed.delete().where(awaited))

    def expect(self, source: str, feeds: Collection[str], *, now: datetime, every_minutes: int | None) -> None:
        """A run begins that means to read these feeds, as every run of the source does: each until its `beat`.

        What earlier runs meant to read besides is not awaited any more, and nothing where no news are expected.
        """
        meant = () if every_minutes is None else feeds
        dropped = (awaited_feed.c.source == source) & awaited_feed.c.feed.not_in(meant)
        with self._db.writing() as connection:
            connection.execute(awaited_feed.delete().where(dropped))
            for feed in meant:
                row = {"source": source, "feed": feed, "since": now, "every_minutes": every_minutes}
                added = dialect_insert(connection, awaited_feed).values(row)
                still = {"every_minutes": every_minutes}
                connection.execute(added.on_conflict_do_update(index_elements=["source", "feed"], set_=still))

    def silent(self, *, now: datetime) -> list[Silence]:
        """The systems that should have had news by now, or been read to their end, by name."""
        unread: dict[str, list[Row[Any]]] = defaultdict(list)
        with self._db.reading() as connection:
            hearts = {row.source: row for row in connection.execute(_HEARTS)}
            for row in connection.execute(select(awaited_feed).order_by(awaited_feed.c.feed)):
                unread[row.source].append(row)
        told = (_silence(source, hearts.get(source), unread[source], now) for source in sorted({*hearts, *unread}))
        return [silence for silence in told if silence is not None]


# what never had news is silent since it was first looked at; the heart keeps its last beat only
_FIRST = select(run.c.source, func.min(run.c.started_at).label("at")).group_by(run.c.source).subquery()
_HEARTS: Select[Any] = (
    select(
        heartbeat.c.source,
        func.max(heartbeat.c.news_at).label("news_at"),
        func.max(heartbeat.c.read_at).label("read_at"),
        func.max(heartbeat.c.every_minutes).label("every_minutes"),
        func.coalesce(func.min(_FIRST.c.at), func.min(heartbeat.c.read_at)).label("watched_since"),
    )
    .select_from(heartbeat.join(_FIRST, _FIRST.c.source == heartbeat.c.source, isouter=True))
    .where(heartbeat.c.every_minutes.is_not(None))
    .group_by(heartbeat.c.source)
)


def _silence(source: str, heart: Row[Any] | None, awaited: Sequence[Row[Any]], now: datetime) -> Silence | None:
    unread = tuple((row.feed, row.since) for row in awaited if _too_long(row.since, row.every_minutes, now))
    if heart is None:
        return Silence(source, None, awaited[0].every_minutes, reads=False, unread=unread) if unread else None
    if not unread and not _too_long(heart.news_at or heart.watched_since, heart.every_minutes, now):
        return None
    reads = not unread and not _too_long(heart.read_at, heart.every_minutes, now)
    return Silence(source, heart.news_at, heart.every_minutes, reads, unread)


def _too_long(since: datetime, every_minutes: int, now: datetime) -> bool:
    return business_time(since, now) > timedelta(minutes=every_minutes) * PATIENCE


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def business_time(start: datetime, end: datetime) -> timedelta:
    """The time from `start` to `end` without Saturdays and Sundays, in UTC; nothing where `end` comes first.

    >>> from datetime import UTC
    >>> business_time(datetime(2024, 3, 1, 12, tzinfo=UTC), datetime(2024, 3, 4, 12, tzinfo=UTC))
    datetime.timedelta(days=1)
    """
    passed, at = timedelta(), start
    weeks = max((end - start) // timedelta(weeks=1), 0)
    passed, at = timedelta(days=5) * weeks, start + timedelta(weeks=weeks)
    while at < end:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        until = min(midnight, end)
        if at.weekday() < 5:
            passed += until - at
        at = until
    return passed
