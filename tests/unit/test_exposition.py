"""The figures for Prometheus, judged by Prometheus' own parser."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from features.totals import Totals
from services.calls import CallLog
from services.circuits import BreakerRule, Circuits
from services.controls import Control, Controls
from services.database import Database
from services.exposition import FAMILIES, PREFIX, exposition
from services.heartbeats import Heartbeats
from services.outbox import NewMessage, Outbox
from services.runs import Counts
from services.store import Store
from services.webhooks import Inbox

NOW = datetime(2024, 3, 7, 12, tzinfo=UTC)
NASTY = 'back\\slash "quote"\nline'

Figures = dict[tuple[str, tuple[str, ...]], float]


@dataclass(frozen=True)
class Made:
    endpoint: str
    status: int
    seconds: float


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as store:
        yield store


def figures(database: Database) -> Figures:
    """Name without the prefix and label values -> value."""
    found = {}
    for family in text_string_to_metric_families(exposition(database, now=NOW)):
        for sample in family.samples:
            found[sample.name.removeprefix(PREFIX), tuple(sample.labels.values())] = sample.value
    return found


def test_an_empty_store_has_every_metric_and_no_figure(store):
    text = exposition(store.database, now=NOW)
    assert figures(store.database) == {}
    assert [line for line in text.splitlines() if not line.startswith("#")] == []
    for family in FAMILIES:
        assert f"# TYPE {PREFIX}{family.name} {family.kind}\n" in text
        assert (family.kind == "counter") == family.name.endswith("_total")
    assert text.endswith("\n")


def test_labels_come_back_as_they_were(store):
    store.finish_run(store.start_run(NASTY, now=NOW), now=NOW)
    assert figures(store.database) == {("runs_total", (NASTY, "done")): 1.0}


def test_runs_and_records_by_source_and_table(store):
    for minutes, error in ((0, None), (1, "down"), (2, None)):
        now = NOW + timedelta(minutes=minutes)
        run = store.start_run("erp", now=now)
        store.commit_page(run, "GET /invoice", Counts(10, 5, 3, 2), now=now)
        store.commit_page(run, "GET /lines", Counts(1, 1), now=now)
        store.commit_page(run, "new", Counts(4, 4), now=now)
        store.finish_run(run, now=now, error=error)
    store.start_run("erp", now=NOW)
    hearts = Heartbeats(store.database)
    for feed in ("GET /invoice", "GET /lines"):
        hearts.beat("erp", feed, "invoice", now=NOW - timedelta(minutes=1), news=feed == "GET /lines")
    told = figures(store.database)
    assert told["runs_total", ("erp", "done")] == 2
    assert told["runs_total", ("erp", "failed")] == 1
    assert ("runs_total", ("erp", "running")) not in told
    counted = {name: told[f"records_{name}_total", ("erp", "invoice")] for name in ("read", "landed", "duplicate")}
    assert counted == {"read": 33, "landed": 18, "duplicate": 9}
    assert told["records_quarantined_total", ("erp", "invoice")] == 6
    assert told["records_read_total", ("erp", "unknown")] == 12
    assert told["feed_silence_seconds", ("erp", "GET /lines", "invoice")] == 60
    assert ("feed_silence_seconds", ("erp", "GET /invoice", "invoice")) not in told


def test_the_last_control_of_each_feed_counts(store):
    same, less = Totals(2), Totals(1)
    controls = Controls(store.database)
    for minutes, found in ((0, ("one is missing",)), (1, ())):
        run = store.start_run("erp", now=NOW + timedelta(minutes=minutes))
        controls.keep(run, "a", Control(same, less, differences=found), now=NOW + timedelta(minutes=minutes))
        controls.keep(
            run, "b", Control(same, same, differences=() if found else ("gone",)), now=NOW + timedelta(minutes=minutes)
        )
    told = figures(store.database)
    assert (told["control_totals_tie", ("erp", "a")], told["control_totals_tie", ("erp", "b")]) == (1, 0)


def test_response_times_and_downtime_are_of_the_last_day(store):
    times = [NOW - timedelta(hours=30), *(NOW - timedelta(minutes=m) for m in (50, 40, 30, 20))]
    clock = iter(times)
    with CallLog(store.database, "erp", lambda: next(clock)) as log:
        for status, seconds in ((0, 90.0), (200, 1.0), (500, 2.0), (0, 3.0), (200, 4.0)):
            log(Made("GET /invoice/7", status, seconds))
    with CallLog(store.database, "bank", lambda: NOW - timedelta(minutes=5)) as log:
        log(Made("GET /", 0, 1.0))
    told = figures(store.database)
    assert told["response_seconds", ("erp", "GET /invoice/{id}", "0.5")] == 2.5
    assert told["response_seconds", ("erp", "all", "0.99")] == pytest.approx(3.97)
    assert (told["calls", ("erp", "all")], told["calls_failed", ("erp", "all")]) == (4, 2)
    assert (told["downtime_minutes", ("erp",)], told["downtime_minutes", ("bank",)]) == (20, 5)


def test_messages_circuits_silence_and_waiting_deliveries(store):
    box, circuits = Outbox(store.database), Circuits(store.database, BreakerRule(failures=1))
    for number, system in enumerate(("erp", "erp", "crm")):
        box.put(NewMessage(system, "d", "post", f"k{number}", {}, "test"), now=NOW)
    circuits.failed("erp", "down", now=NOW)
    circuits.failed("old", "down", now=NOW - timedelta(days=1))
    hearts = Heartbeats(store.database)
    for source, days in (("bank", 3), ("billing", 1)):
        hearts.beat(source, "f", "payment", now=NOW - timedelta(days=days), news=True, every_minutes=24 * 60)
    hearts.expect("crm", ["deals"], now=NOW - timedelta(days=3), every_minutes=24 * 60)
    Inbox(store.database).keep("erp", "d1", "{}", sent_at=NOW, now=NOW)
    told = figures(store.database)
    assert told["outbox_messages", ("erp", "waiting")] == 2
    assert {s: told["circuit_open", (s,)] for s in ("erp", "crm", "old")} == {"erp": 1, "crm": 0, "old": 0}
    assert {s: told["source_silent", (s,)] for s in ("bank", "billing", "crm")} == {"bank": 1, "billing": 0, "crm": 1}
    assert told["webhooks_waiting", ("erp",)] == 1
