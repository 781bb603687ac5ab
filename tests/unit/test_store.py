"""The operational store, on SQLite always and on PostgreSQL where the machine has one."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from features.contracts import QUARANTINE_SCHEMA
from features.errors import BadSetting, NotFound, StateError
from services.runs import Counts, Status
from services.store import QUARANTINED_SCHEMA, Store

NOW = datetime(2024, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened


def violations(*rows: tuple[str | None, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")


def set_aside(store: Store, run_id: str, table: str, *rows: tuple[str | None, ...], now: datetime = NOW) -> None:
    counts = Counts(len(rows), quarantined=len(rows))
    store.commit_page(run_id, table, counts, bad={table: violations(*rows)}, now=now)


BAD_DATE = ("ar.csv line 7", "issue_date", "2019-02-30", "a date", '{"id":7}')
BAD_AMOUNT = ("ar.csv line 7", "amount_minor", None, "an amount", '{"id":7}')


def test_a_cursor_is_null_then_the_last_one_set(store: Store) -> None:
    assert store.cursor("erp", "invoices") is None
    run_id = store.start_run("erp", now=NOW)
    for feed, cursor in (("invoices", "p1"), ("invoices", "p2"), ("payments", "q1")):
        store.commit_page(run_id, feed, Counts(), cursor=cursor, now=LATER)
    assert (store.cursor("erp", "invoices"), store.cursor("erp", "payments")) == ("p2", "q1")
    assert store.cursor("crm", "invoices") is None


def test_what_was_written_is_there_for_the_next_process(url: str) -> None:
    with Store(url) as first:
        run_id = first.start_run("erp", now=NOW)
        first.commit_page(run_id, "invoices", Counts(2, 1, 1), cursor="p1", now=NOW)
    with Store(url) as second:
        assert second.cursor("erp", "invoices") == "p1"
        assert second.run(run_id).counts == Counts(2, 1, 1)


def test_a_run_adds_up_its_pages_and_feeds(store: Store) -> None:
    run_id = store.start_run("erp", now=NOW)
    store.commit_page(run_id, "customers", Counts(read=3, landed=3), now=NOW)
    store.commit_page(run_id, "invoices", Counts(read=10, landed=7, duplicates=2, quarantined=1), now=LATER)
    store.commit_page(run_id, "invoices", Counts(read=5, landed=5), now=LATER)
    store.finish_feed(run_id, "customers", now=LATER)
    store.finish_feed(run_id, "invoices", now=LATER)
    run = store.finish_run(run_id, now=LATER)

    assert (run.source, run.status, run.started_at, run.finished_at, run.error) == ("erp", "done", NOW, LATER, None)
    assert [(f.feed, f.counts, f.status) for f in run.feeds] == [
        ("customers", Counts(3, 3), Status.DONE),
        ("invoices", Counts(15, 12, 2, 1), Status.DONE),
    ]
    assert run.counts == Counts(18, 15, 2, 1)
    assert store.runs() == [run]


def test_a_feed_without_pages_is_counted_as_empty(store: Store) -> None:
    run_id = store.start_run("erp", now=NOW)
    store.finish_feed(run_id, "invoices", now=NOW)
    assert [(f.counts, f.status) for f in store.run(run_id).feeds] == [(Counts(), Status.DONE)]


def test_a_feed_whose_counts_do_not_tie_fails(store: Store) -> None:
    run_id = store.start_run("erp", now=NOW)
    store.commit_page(run_id, "invoices", Counts(read=10, landed=9), now=NOW)
    store.finish_feed(run_id, "invoices", now=NOW)
    run = store.finish_run(run_id, now=LATER)
    assert run.status is run.feeds[0].status is Status.FAILED
    assert "do not tie" in str(run.feeds[0].error)
    assert "read=10" in str(run.feeds[0].error)


def test_an_error_fails_the_feed_and_the_run(store: Store) -> None:
    run_id = store.start_run("erp", now=NOW)
    store.commit_page(run_id, "payments", Counts(1, 1), now=NOW)
    store.finish_feed(run_id, "invoices", now=NOW, error="503 from /invoices")
    run = store.finish_run(run_id, now=LATER)
    assert run.status is Status.FAILED
    assert {f.feed: (f.status, f.error) for f in run.feeds} == {
        "invoices": (Status.FAILED, "503 from /invoices"),
        "payments": (Status.FAILED, None),
    }


def test_a_run_that_never_ended_is_interrupted_by_the_next_of_its_source(store: Store) -> None:
    killed, other = store.start_run("erp", now=NOW), store.start_run("crm", now=NOW)
    store.commit_page(killed, "invoices", Counts(1, 1), now=NOW)
    store.start_run("erp", now=LATER)
    run = store.run(killed)
    assert (run.status, run.finished_at, run.feeds[0].status) == (Status.INTERRUPTED, LATER, Status.INTERRUPTED)
    assert store.run(other).status is Status.RUNNING


def test_runs_are_listed_newest_first(store: Store) -> None:
    ids = [store.start_run(source, now=NOW + timedelta(seconds=i)) for i, source in enumerate(["a", "b", "a"])]
    assert [run.run_id for run in store.runs(limit=2)] == [ids[2], ids[1]]
    assert [run.run_id for run in store.runs(source="a")] == [ids[2], ids[0]]


def test_quarantine_lists_each_violation(store: Store) -> None:
    run_id = store.start_run("files", now=NOW)
    set_aside(store, run_id, "invoice", BAD_DATE, BAD_AMOUNT)
    listed = store.quarantined()
    assert dict(listed.schema) == QUARANTINED_SCHEMA
    assert set(listed.select(*QUARANTINE_SCHEMA).rows()) == {BAD_DATE, BAD_AMOUNT}
    assert listed.select("source", "table", "times", "first_seen", "last_seen", "run_id").unique().row(0) == (
        ("files", "invoice", 1, NOW, NOW, run_id)
    )


def test_the_same_bad_payload_again_raises_its_count(store: Store) -> None:
    first, second = store.start_run("files", now=NOW), store.start_run("files", now=LATER)
    moved = ("ar.csv line 9", *BAD_DATE[1:])
    set_aside(store, first, "invoice", BAD_DATE, BAD_DATE)
    set_aside(store, second, "invoice", moved, now=LATER)
    (row,) = store.quarantined().to_dicts()
    assert (row["times"], row["first_seen"], row["last_seen"]) == (3, NOW, LATER)
    assert (row["where"], row["run_id"]) == ("ar.csv line 9", second)


def test_another_payload_rule_table_or_source_is_another_violation(store: Store) -> None:
    run_id = store.start_run("files", now=NOW)
    other_rule, other_payload = (*BAD_DATE[:3], "after 2000", BAD_DATE[4]), (*BAD_DATE[:4], '{"id":8}')
    set_aside(store, run_id, "invoice", BAD_DATE, other_rule, other_payload)
    set_aside(store, run_id, "payment", BAD_DATE)
    set_aside(store, store.start_run("erp", now=NOW), "invoice", BAD_DATE)
    assert store.quarantined()["times"].to_list() == [1] * 5
    assert store.quarantined(source="files", table="invoice").height == 3
    assert store.quarantined(run_id="another").is_empty()
    assert store.quarantined(limit=2).height == 2


def test_rows_without_a_payload_are_told_apart_by_place(store: Store) -> None:
    run_id = store.start_run("files", now=NOW)
    bare = [(f"ar.csv line {n}", "issue_date", "x", "a date", None) for n in (1, 2)]
    set_aside(store, run_id, "invoice", *bare)
    assert store.quarantined().height == 2


def test_text_no_database_takes_is_kept_readable(store: Store) -> None:
    run_id = store.start_run("files", now=NOW)
    set_aside(store, run_id, "invoice", ("l 1", "name", "a\0b", "text", "{}"))
    assert store.quarantined()["value"].to_list() == ["a␀b"]


def test_a_reading_is_one_view_whatever_is_written_meanwhile(store: Store) -> None:
    before, query = store.start_run("erp", now=NOW), text("SELECT run_id FROM run")
    with store.database.reading() as connection:
        assert connection.execute(query).scalars().all() == [before]
        store.start_run("crm", now=LATER)
        assert connection.execute(query).scalars().all() == [before]
    assert len(store.runs()) == 2
    with store.database.writing() as connection:
        isolation = connection.get_isolation_level()
    assert isolation == ("READ COMMITTED" if connection.dialect.name == "postgresql" else "SERIALIZABLE")


def test_a_page_is_committed_whole_or_not_at_all(store: Store) -> None:
    run_id = store.start_run("erp", now=NOW)
    with pytest.raises(TypeError, match="allowed is missing"):
        store.commit_page(
            run_id,
            "invoices",
            Counts(1, quarantined=1),
            bad={"invoice": violations(BAD_DATE), "allocation": violations(BAD_DATE).drop("allowed")},
            cursor="p1",
            now=NOW,
        )
    assert (store.run(run_id).feeds, store.cursor("erp", "invoices"), store.quarantined().height) == ((), None, 0)

    store.commit_page(
        run_id, "invoices", Counts(1, quarantined=1), bad={"invoice": violations(BAD_DATE)}, cursor="p1", now=NOW
    )
    assert store.run(run_id).counts == Counts(1, 0, 0, 1)
    assert store.cursor("erp", "invoices") == "p1"
    assert store.quarantined()["source"].to_list() == ["erp"]


def test_an_unknown_run_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match="no run 'r9'"):
        store.run("r9")
    with pytest.raises(NotFound, match="no run 'r9'"):
        store.commit_page("r9", "invoices", Counts(), now=NOW)
    with pytest.raises(NotFound, match="no run 'r9'"):
        store.finish_run("r9", now=NOW)


def test_instants_come_back_in_utc(store: Store) -> None:
    local = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    run = store.run(store.start_run("erp", now=local))
    assert (run.started_at, run.started_at.tzinfo) == (NOW, UTC)


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(TypeError, match="has no time zone"):
        store.start_run("erp", now=NOW.replace(tzinfo=None))


def test_a_newer_database_is_left_alone(url: str) -> None:
    Store(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    engine.dispose()
    with pytest.raises(StateError, match=r"schema version 99.*update"):
        Store(url)


@pytest.mark.parametrize(
    ("bad_url", "message"),
    [
        ("no url at all", "cannot be read; allowed: sqlite:///"),
        ("mysql://u:secret@h/n", "a mysql database .* allowed: sqlite:///"),
    ],
)
def test_another_kind_of_url_is_refused_without_showing_it(bad_url: str, message: str) -> None:
    with pytest.raises(BadSetting, match=message) as caught:
        Store(bad_url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.db").write_text("not a database, though it is quite long enough to be taken for one" * 20)
    with pytest.raises(StateError, match=r"d\.db: file is not a database"):
        Store(f"sqlite:///{tmp_path}/d.db")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    with pytest.raises(StateError, match="database postgresql") as caught:
        Store("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_sqlite_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/d.db"):
        connection = sqlite3.connect(tmp_path / "d.db")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


WRITER = """
import sys
from datetime import UTC, datetime
from services.runs import Counts
from services.store import Store

store, name, pages = Store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
run_id = store.start_run(name, now=datetime(2024, 1, 1, tzinfo=UTC))
print(run_id, flush=True)
page = int(store.cursor(name, "feed") or 0)
while page < pages:
    page += 1
    store.commit_page(run_id, "feed", Counts(10, 10), cursor=str(page), now=datetime(2024, 1, 1, tzinfo=UTC))
    print(page, flush=True)
"""


def writer(url: str, name: str, pages: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, name, str(pages)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


def test_processes_write_side_by_side(url: str) -> None:
    writers = [writer(url, f"source{i}", pages=20) for i in range(2)]
    assert [w.communicate(timeout=60)[0].splitlines()[-1] for w in writers] == ["20"] * 2
    assert [w.returncode for w in writers] == [0, 0]
    with Store(url) as store:
        assert [run.counts for run in store.runs()] == [Counts(200, 200)] * 2


def test_a_kill_loses_no_acknowledged_page_and_halves_none(url: str) -> None:
    pages = 0
    for patience in (5, 26):
        process = writer(url, "erp", pages=10_000)
        assert process.stdout is not None
        run_id, *said = [process.stdout.readline().strip() for _ in range(patience)]
        process.send_signal(signal.SIGKILL)
        said += process.communicate()[0].split()
        with Store(url) as store:
            landed = store.run(run_id).counts.landed
            assert int(store.cursor("erp", "feed") or 0) == pages + landed // 10
            pages += landed // 10
        assert pages >= int(said[-1])
