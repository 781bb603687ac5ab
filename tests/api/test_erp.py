"""The sandbox's API keeps its protocol, over real HTTP on loopback."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from features.errors import BadSetting
from features.tables import TABLES
from services.sandbox.erp import Served, serving
from services.sandbox.faults import Faults
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

TOKEN = "let-me-in"
ROOT = Path(__file__).parents[2]
Record = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(WorldOptions(seed=9, customers=25, years=1))


@pytest.fixture(scope="module")
def sandbox(world: World) -> Iterator[Served]:
    with serving(world, token=TOKEN) as served:
        yield served


def client(served: Served, token: str = TOKEN) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=served.base_url, headers=headers, trust_env=False)


@pytest.fixture
def api(sandbox: Served) -> Iterator[httpx.Client]:
    """A sandbox whose clock nobody moves."""
    with client(sandbox) as opened:
        yield opened


@pytest.fixture
def fresh(world: World) -> Iterator[httpx.Client]:
    """A sandbox of one's own."""
    with serving(world, token=TOKEN) as served, client(served) as opened:
        yield opened


def pulled(api: httpx.Client, table: str, **parameters: str | int) -> list[Record]:
    """All records, page by page; refused requests are tried again."""
    records: list[Record] = []
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(f"/api/v1/{table}", params={"limit": 400} | parameters | cursor)
        if answer.status_code in (429, 500, 503):
            continue
        assert answer.status_code == 200, answer.text
        page = answer.json()
        records += page["data"]
        if page["next_cursor"] is None:
            return records
        cursor = {"cursor": page["next_cursor"]}


def order(record: Record) -> tuple[str, str, str]:
    return record["changed_at"], record["id"], record["company"]


@pytest.mark.parametrize("table", [t.name for t in TABLES])
def test_history_is_every_version_known_by_now(api: httpx.Client, world: World, table: str) -> None:
    records = pulled(api, table, history="true")
    assert records == sorted(records, key=order)
    visible = world.records[table].filter(pl.col("changed_at") < world.now())
    assert records == [json.loads(text) for text in visible["record"]]


@pytest.mark.parametrize("table", [t.name for t in TABLES])
def test_without_history_each_record_comes_once_in_its_latest_version(api: httpx.Client, table: str) -> None:
    latest = {(r["company"], r["id"]): r for r in pulled(api, table, history="true")}
    records = pulled(api, table)
    assert records == sorted(latest.values(), key=order)


def test_what_was_deleted_is_told(api: httpx.Client) -> None:
    assert any(r["deleted"] for r in pulled(api, "allocation"))


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_of_any_size_add_up_to_the_same(api: httpx.Client, limit: int) -> None:
    assert pulled(api, "customer", limit=limit, history="true") == pulled(api, "customer", history="true")


def test_a_page_has_as_many_records_as_asked_for(api: httpx.Client) -> None:
    assert len(api.get("/api/v1/invoice").json()["data"]) == 500
    assert len(api.get("/api/v1/invoice", params={"limit": 1000}).json()["data"]) == 1000


def test_changed_since_is_inclusive(api: httpx.Client) -> None:
    every = pulled(api, "payment", history="true")
    since = every[len(every) // 2]["changed_at"]
    assert pulled(api, "payment", history="true", changed_since=since) == [r for r in every if r["changed_at"] >= since]
    later = (datetime.fromisoformat(since) + timedelta(microseconds=1)).isoformat()
    assert pulled(api, "payment", history="true", changed_since=later) == [r for r in every if r["changed_at"] > since]


def test_changed_since_knows_zones(api: httpx.Client) -> None:
    at = "2025-09-01T12:00:00+02:00", "2025-09-01T10:00:00Z"
    first, second = (pulled(api, "payment", changed_since=instant) for instant in at)
    assert first == second != pulled(api, "payment")


def test_nothing_changed_since_tomorrow(api: httpx.Client) -> None:
    answer = api.get("/api/v1/invoice", params={"changed_since": "2030-01-01T00:00:00Z"})
    assert answer.json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("path", "parameters", "status", "words"),
    [
        ("/api/v1/orders", {}, 404, "no table 'orders'; there are: entity, customer"),
        ("/api/v1/invoice", {"limit": "0"}, 400, "limit is '0'; allowed: a whole number from 1 to 1000"),
        ("/api/v1/invoice", {"limit": "1001"}, 400, "limit"),
        ("/api/v1/invoice", {"limit": "ten"}, 400, "limit"),
        ("/api/v1/invoice", {"limit": "²"}, 400, "limit"),
        ("/api/v1/invoice", {"limit": "9" * 5000}, 400, "limit"),
        ("/api/v1/invoice", {"history": "yes"}, 400, "history is 'yes'; allowed: true or false"),
        ("/api/v1/invoice", {"changed_since": "yesterday"}, 400, "changed_since is 'yesterday'"),
        ("/api/v1/invoice", {"changed_since": "2025-01-01T00:00:00"}, 400, "with its zone"),
        ("/api/v1/invoice", {"cursor": "nonsense"}, 400, "cursor is 'nonsense'"),
        ("/api/v1/invoice", {"cursor": "ü"}, 400, "cursor"),
        ("/api/v1/invoice", {"cursor": "W10"}, 400, "cursor"),
        ("/api/v1/invoice", {"page": "2"}, 400, "unknown parameter 'page'; allowed: changed_since, cursor"),
        ("/api/v1/invoice", [("limit", "1"), ("limit", "2")], 400, "2 times; allowed: once"),
        ("/elsewhere", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_explained(
    api: httpx.Client, path: str, parameters: dict[str, str], status: int, words: str
) -> None:
    answer = api.get(path, params=parameters)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
@pytest.mark.parametrize("path", ["/api/v1/invoice", "/api/v1/clock", "/api/v1/orders"])
def test_without_the_token_nothing_is_told(sandbox: Served, path: str, header: dict[str, str]) -> None:
    answer = httpx.get(sandbox.base_url + path, headers=header, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_health_needs_no_token(sandbox: Served) -> None:
    assert httpx.get(sandbox.base_url + "/healthz", trust_env=False).json() == {"status": "ok"}


def test_the_clock_moves_forward_only(fresh: httpx.Client, world: World) -> None:
    assert fresh.get("/api/v1/clock").json() == {"today": "2026-01-05", "now": "2026-01-05T05:00:00Z"}
    before = pulled(fresh, "invoice", history="true")
    moved = fresh.post("/api/v1/clock", json={"today": "2026-02-02"})
    assert moved.json() == {"today": "2026-02-02", "now": "2026-02-02T05:00:00Z"}
    back = fresh.post("/api/v1/clock", json={"today": "2026-02-01"})
    assert back.status_code == 400
    assert "the clock never goes back" in back.json()["detail"]
    far = fresh.post("/api/v1/clock", json={"today": "2027-01-01"})
    assert far.status_code == 400
    later = pulled(fresh, "invoice", history="true")
    assert later[: len(before)] == before
    assert len(later) == (world.facts["invoice"]["known_at"] < world.now(date(2026, 2, 2))).sum() > len(before)


@pytest.mark.parametrize("body", [b"", b"{", b'{"today": "soon"}', b'{"today": "2026-02-02", "more": 1}', b'"x"'])
def test_a_wrong_clock_request_is_refused(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/api/v1/clock", content=body)
    assert answer.status_code == 400
    assert '{"today": "YYYY-MM-DD"}' in answer.json()["detail"]


def test_a_long_body_is_refused(api: httpx.Client) -> None:
    assert api.post("/api/v1/clock", content=b" " * 5000).status_code == 413


def test_other_methods_are_refused(api: httpx.Client) -> None:
    answer = api.delete("/api/v1/invoice")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_cursor_stays_good_while_the_clock_moves(fresh: httpx.Client) -> None:
    page = fresh.get("/api/v1/invoice", params={"limit": 1000, "history": "true"}).json()
    fresh.post("/api/v1/clock", json={"today": "2026-03-02"})
    rest = pulled(fresh, "invoice", history="true", cursor=page["next_cursor"], limit=1000)
    # a parameter given twice would be refused: the helper replaces the first cursor by the next ones
    assert page["data"] + rest == pulled(fresh, "invoice", history="true")


def statuses(served: Served, count: int) -> list[int]:
    with client(served) as opened:
        return [opened.get("/api/v1/entity").status_code for _ in range(count)]


def test_refusals_are_seeded_and_never_for_ever(world: World) -> None:
    faults = Faults(seed=3, too_many_share=0.3, broken_share=0.4, retry_after_seconds=7)
    runs = []
    for _ in range(2):
        with serving(world, token=TOKEN, faults=faults) as served:
            runs.append(statuses(served, 60))
            with client(served) as opened:
                asked = {
                    a.status_code: a.headers.get("Retry-After")
                    for a in (opened.get("/api/v1/entity") for _ in range(40))
                }
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 429, 500, 503}
    longest = max(len(run) for run in "".join("x" if s != 200 else " " for s in runs[0]).split())
    assert longest == faults.most_in_a_row
    assert asked[429] == asked[503] == "7"
    assert asked[500] is None


def test_repeated_records_add_nothing_new(world: World, api: httpx.Client) -> None:
    with serving(world, token=TOKEN, faults=Faults(repeat_share=0.5)) as served, client(served) as opened:
        records = pulled(opened, "invoice", history="true", limit=50)
        short = pulled(opened, "entity", limit=1)
    expected = pulled(api, "invoice", history="true")
    assert len(records) > len(expected)
    assert list({order(r): r for r in records}.values()) == expected
    assert {r["id"] for r in short} == {"US01", "DE01", "GB01"}


def test_late_commits_turn_up_with_an_early_stamp(world: World) -> None:
    faults = Faults(seed=1, late_commit_share=0.5, late_commit_within=timedelta(days=3))
    with serving(world, token=TOKEN, faults=faults) as served, client(served) as opened:
        first = {order(r): r for r in pulled(opened, "invoice", history="true")}
        newest = max(first)[0]
        opened.post("/api/v1/clock", json={"today": "2026-01-20"})
        second = {order(r): r for r in pulled(opened, "invoice", history="true")}
    late = [key for key in second if key not in first and key[0] <= newest]
    assert late
    since = (datetime.fromisoformat(newest) - faults.late_commit_within).isoformat()
    assert all(datetime.fromisoformat(key[0]) > datetime.fromisoformat(since) for key in late)
    assert set(first) <= set(second)


def test_a_table_at_rest_has_no_late_commits(world: World, api: httpx.Client) -> None:
    with serving(world, token=TOKEN, faults=Faults(late_commit_share=1.0)) as served, client(served) as opened:
        assert pulled(opened, "entity") == pulled(api, "entity")


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(BadSetting, match=r"repeat_share is 1\.5; allowed: a share"):
        Faults(repeat_share=1.5)


def test_a_port_in_use_is_refused(world: World, sandbox: Served) -> None:
    port = int(sandbox.base_url.rsplit(":", 1)[1])
    with pytest.raises(BadSetting, match=f"port {port}"), serving(world, port=port):
        pass


def test_an_empty_token_is_refused(world: World) -> None:
    with pytest.raises(BadSetting, match="token is empty"), serving(world, token=""):
        pass


def test_it_listens_on_loopback_only_and_stops(world: World) -> None:
    with serving(world) as served:
        assert served.base_url.startswith("http://127.0.0.1:")
        assert len(served.token) >= 16
    port = int(served.base_url.rsplit(":", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_command_serves_until_it_is_stopped() -> None:
    command = [
        sys.executable,
        "-m",
        "services.sandbox",
        "--customers",
        "3",
        "--years",
        "1",
        "--token",
        TOKEN,
        "--faults",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert TOKEN in line
            with client(Served(line.split()[3], TOKEN)) as opened:
                assert len(pulled(opened, "customer")) == 3
        finally:
            server.terminate()
    assert server.returncode is not None


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    from services.sandbox.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "python -m services.sandbox --port 8700 --token secret" in capsys.readouterr().out


def test_the_stamps_are_utc_to_the_microsecond(api: httpx.Client) -> None:
    for record in pulled(api, "allocation")[:200]:
        stamp = record["changed_at"]
        assert datetime.fromisoformat(stamp).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") == stamp
