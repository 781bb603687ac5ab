"""The figures of the integrations as Prometheus reads them: text format 0.0.4, from the operational store alone.

Totals grow for as long as the store lives; what is told of calls is of the last day, `WINDOW`. Written by hand: the
client library counts what happens in its own process, and these figures are made by others.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from services.calls import Calls
from services.database import Database
from services.heartbeats import Heartbeats
from services.outbox import Outbox
from services.runs import Status
from services.state_tables import awaited_feed, circuit, control_total, heartbeat, outbox, run, run_feed
from services.webhooks import Inbox

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "duecast_integration_"
WINDOW = timedelta(days=1)

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Label values and what was measured."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name behind `PREFIX`, kind, meaning, labels, and how its samples are read."""

    name: str
    kind: str
    doc: str
    labels: tuple[str, ...]
    samples: Callable[[Database, datetime], Samples]

    def lines(self, database: Database, now: datetime) -> Iterator[str]:
        """Its lines, also where there are no samples."""
        name = PREFIX + self.name
        yield f"# HELP {name} {_escaped(self.doc, quoted=False)}"
        yield f"# TYPE {name} {self.kind}"
        for values, value in self.samples(database, now):
            told = (f'{label}="{_escaped(text)}"' for label, text in zip(self.labels, values, strict=True))
            yield f"{name}{{{','.join(told)}}} {float(value)!r}"


def exposition(database: Database, *, now: datetime) -> str:
    """All of `FAMILIES` at `now`."""
    return "\n".join(line for family in FAMILIES for line in family.lines(database, now)) + "\n"


def _escaped(text: str, *, quoted: bool = True) -> str:
    kept = text.replace("\\", "\\\\").replace("\n", "\\n")
    return kept.replace('"', '\\"') if quoted else kept


def _rows(database: Database, query: Select[Any]) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(query).all())


def _response_times(database: Database, now: datetime) -> Samples:
    for found in Calls(database).response_times(since=now - WINDOW):
        for quantile, seconds in (("0.5", found.p50), ("0.95", found.p95), ("0.99", found.p99)):
            yield (found.system, found.endpoint, quantile), seconds


def _calls(failed: bool) -> Callable[[Database, datetime], Samples]:
    def samples(database: Database, now: datetime) -> Samples:
        for found in Calls(database).response_times(since=now - WINDOW):
            yield (found.system, found.endpoint), found.failed if failed else found.calls

    return samples


def _downtime(database: Database, now: datetime) -> Samples:
    calls, since = Calls(database), now - WINDOW
    minutes = {found.system: 0.0 for found in calls.response_times(since=since)}
    for outage in calls.outages(since=since):
        minutes[outage.system] += outage.minutes(now)
    return (((system,), down) for system, down in minutes.items())


def _runs(database: Database, _: datetime) -> Samples:
    ended = run.c.status != Status.RUNNING
    query = select(run.c.source, run.c.status, func.count()).where(ended).group_by(run.c.source, run.c.status)
    for source, status, count in _rows(database, query.order_by(run.c.source, run.c.status)):
        yield (source, status), count


def _records(counted: str) -> Callable[[Database, datetime], Samples]:
    """By source and table; a feed that was never read to its end has not said yet which table it is."""

    def samples(database: Database, _: datetime) -> Samples:
        table = func.coalesce(heartbeat.c.table, "unknown")
        same_feed = (heartbeat.c.source == run.c.source) & (heartbeat.c.feed == run_feed.c.feed)
        told = run_feed.join(run, run.c.run_id == run_feed.c.run_id).join(heartbeat, same_feed, isouter=True)
        query = select(run.c.source, table, func.sum(run_feed.c[counted])).select_from(told)
        for source, name, count in _rows(database, query.group_by(run.c.source, table).order_by(run.c.source, table)):
            yield (source, name), count

    return samples


def _control_totals(database: Database, _: datetime) -> Samples:
    columns = (run.c.source, control_total.c.feed, control_total.c.verdict)
    query = select(*columns).join(run, run.c.run_id == control_total.c.run_id)
    last = {(source, feed): verdict for source, feed, verdict in _rows(database, query.order_by(control_total.c.at))}
    return ((feed, verdict == "ties") for feed, verdict in sorted(last.items()))


def _silence(database: Database, now: datetime) -> Samples:
    columns = (heartbeat.c.source, heartbeat.c.feed, heartbeat.c.table, heartbeat.c.news_at)
    query = select(*columns).where(heartbeat.c.news_at.is_not(None)).order_by(heartbeat.c.source, heartbeat.c.feed)
    for source, feed, table, news_at in _rows(database, query):
        yield (source, feed, table), (now - news_at).total_seconds()


def _silent(database: Database, now: datetime) -> Samples:
    beating = select(heartbeat.c.source).where(heartbeat.c.every_minutes.is_not(None)).distinct()
    awaited = select(awaited_feed.c.source).distinct()  # also of systems that were never read
    expected = {row.source for query in (beating, awaited) for row in _rows(database, query)}
    silent = {silence.source for silence in Heartbeats(database).silent(now=now)}
    for source in sorted(expected):
        yield (source,), source in silent


def _messages(database: Database, _: datetime) -> Samples:
    return ((key, count) for key, count in sorted(Outbox(database).counts().items()))


def _circuits(database: Database, now: datetime) -> Samples:
    """Of every system that was ever written to: a breaker that never failed is not kept."""
    resting = {row.system: row.rests_until for row in _rows(database, select(circuit))}
    known = {row.system for row in _rows(database, select(outbox.c.system).distinct())}
    for system in sorted(known | set(resting)):
        until = resting.get(system)
        yield (system,), until is not None and until > now


def _webhooks(database: Database, _: datetime) -> Samples:
    return (((source,), count) for source, count in Inbox(database).counts().items())


FAMILIES = (
    Family(
        "response_seconds",
        "gauge",
        'Time that a call to a system took in the last 24 hours; endpoint "all" is the whole system',
        ("system", "endpoint", "quantile"),
        _response_times,
    ),
    Family("calls", "gauge", "Calls to a system in the last 24 hours", ("system", "endpoint"), _calls(failed=False)),
    Family(
        "calls_failed",
        "gauge",
        "Calls of the last 24 hours without an answer, or with a status from 500 on",
        ("system", "endpoint"),
        _calls(failed=True),
    ),
    Family(
        "downtime_minutes",
        "gauge",
        "Minutes of the last 24 hours from a failed call to the next that worked",
        ("system",),
        _downtime,
    ),
    Family("runs_total", "counter", "Ingest runs that ended, by how", ("source", "status"), _runs),
    Family("records_read_total", "counter", "Records read", ("source", "table"), _records("read")),
    Family("records_landed_total", "counter", "Records that were new", ("source", "table"), _records("landed")),
    Family("records_duplicate_total", "counter", "Records known before", ("source", "table"), _records("duplicates")),
    Family("records_quarantined_total", "counter", "Records set aside", ("source", "table"), _records("quarantined")),
    Family(
        "control_totals_tie",
        "gauge",
        "1 where the lake held what the source said that it holds, when last compared",
        ("source", "feed"),
        _control_totals,
    ),
    Family(
        "feed_silence_seconds",
        "gauge",
        "Time since a feed last brought something new; feeds that never did are left out",
        ("source", "feed", "table"),
        _silence,
    ),
    Family(
        "source_silent",
        "gauge",
        "1 where a source should have had news by now, weekends left out",
        ("source",),
        _silent,
    ),
    Family("outbox_messages", "gauge", "Messages to a system, by fate", ("system", "fate"), _messages),
    Family("circuit_open", "gauge", "1 while nothing is sent to a system that failed", ("system",), _circuits),
    Family("webhooks_waiting", "gauge", "Deliveries that have not landed yet", ("source",), _webhooks),
)
