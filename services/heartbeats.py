"""Whether the feeds are alive: "customers pay later" and "the bank feed stopped" look alike in the payments alone.

A system that is alive says so by anything new at all; a bank by its statements, which come on every business day, also
where nobody paid. Silence counts in business time: weekends are left out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from services.database import Database
from services.state_tables import heartbeat, run

PATIENCE = 2.0
"""A system is silent once it has said nothing for so many times as long as news usually take."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A system that should have had news. `since`: its last news; None where it never had any."""

    source: str
    since: datetime | None
    every_minutes: int
    reads: bool  # it is read without an error, and still says nothing

    def __str__(self) -> str:
        """In words."""
        last = "has never had news" if self.since is None else f"has had no news since {self.since:%Y-%m-%d %H:%M} UTC"
        how = "although it answers" if self.reads else "and was not read to the end since"
        return f"{self.source} {last}, {how}; news are expected every {self.every_minutes} minutes of business time"


class Heartbeats:
    """The signs of life kept in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def beat(
        self, source: str, feed: str, table: str, *, now: datetime, news: bool, every_minutes: int | None = None
    ) -> None:
        """The feed was read to its end; `news`: it brought something new."""
        told = {"table": table, "read_at": now, "every_minutes": every_minutes} | ({"news_at": now} if news else {})
        with self._db.writing() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            row = dialect.insert(heartbeat).values(source=source, feed=feed, **told)
            connection.execute(row.on_conflict_do_update(index_elements=["source", "feed"], set_=told))

    def silent(self, *, now: datetime) -> list[Silence]:
        """The systems that should have had news by now, by name."""
        # what never had news is silent since it was first looked at; the heart keeps its last beat only
        first = select(run.c.source, func.min(run.c.started_at).label("at")).group_by(run.c.source).subquery()
        columns = (
            heartbeat.c.source,
            func.max(heartbeat.c.news_at),
            func.max(heartbeat.c.read_at),
            func.max(heartbeat.c.every_minutes),
            func.coalesce(func.min(first.c.at), func.min(heartbeat.c.read_at)),
        )
        told = heartbeat.join(first, first.c.source == heartbeat.c.source, isouter=True)
        query = select(*columns).select_from(told).where(heartbeat.c.every_minutes.is_not(None))
        with self._db.reading() as connection:
            rows = connection.execute(query.group_by(heartbeat.c.source).order_by(heartbeat.c.source)).all()
        found = []
        for source, news_at, read_at, every, watched_since in rows:
            longest = timedelta(minutes=every) * PATIENCE
            if business_time(news_at or watched_since, now) > longest:
                found.append(Silence(source, news_at, every, reads=business_time(read_at, now) <= longest))
        return found


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
