"""The fault proxy: nothing shows without a fault, each fault does what it says, and only as often as it says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from features.errors import BadSetting
from pipelines.sit.faults import Fault
from pipelines.sit.page_shapes import LIST, ODATA_V2, ODATA_V4, REST, shape_of, shifted
from pipelines.sit.proxy import FaultProxy, fault_proxy

ROWS = [{"id": str(n), "company": "E", "changed_at": f"2024-01-0{n}T00:00:00Z", "currency": "EUR"} for n in range(1, 7)]
SENT = datetime(2026, 1, 1, tzinfo=UTC)


class Upstream(BaseHTTPRequestHandler):
    """Two rows a page, in three protocols; remembers what was posted."""

    protocol_version = "HTTP/1.1"
    posted: list[bytes]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        at = int(query.get("cursor", query.get("$skiptoken", "0")))
        rows, more = ROWS[at : at + 2], at + 2 < len(ROWS)
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        link = f"{here}{url.path}?$skiptoken={at + 2}" if more else None
        answers: dict[str, Any] = {
            "/rest": {"data": rows, "next_cursor": str(at + 2) if more else None},
            "/v2": {"d": {"results": rows} | ({"__next": link} if more else {})},
            "/wrapped": {"d": {"results": rows} | ({"__next": {"uri": link}} if more else {})},
            "/v4": {"value": rows} | ({"@odata.nextLink": link} if more else {}),
            "/list": rows,
            "/xml": None,
        }
        body = b'<Amt Ccy="EUR">1</Amt>' if url.path == "/xml" else json.dumps(answers[url.path]).encode()
        self.answer(body, "application/xml" if url.path == "/xml" else "application/json")

    def do_POST(self) -> None:
        self.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"{}", "application/json")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response_only(200)
        self.send_header("Date", format_datetime(SENT, usegmt=True))
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def posted() -> list[bytes]:
    return []


@pytest.fixture
def upstream(posted: list[bytes]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Upstream,), {"posted": posted}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


Open = Callable[..., Any]


@pytest.fixture
def spoilt(upstream: str) -> Open:
    @contextmanager
    def opened(fault: Fault | None = None, seed: int = 1) -> Iterator[tuple[FaultProxy, httpx.Client]]:
        with (
            fault_proxy(upstream, fault, seed=seed) as proxy,
            httpx.Client(base_url=proxy.url, trust_env=False) as client,
        ):
            yield proxy, client

    return opened


def rest_ids(client: httpx.Client) -> list[list[str]]:
    """The ids page by page, following what each page says."""
    pages, cursor = [], None
    while len(pages) < 9:
        told = client.get("/rest", params={"cursor": cursor} if cursor else {}).json()
        pages.append([row["id"] for row in told["data"]])
        cursor = told["next_cursor"]
        if cursor is None:
            break
    return pages


def linked_ids(client: httpx.Client, path: str) -> list[list[str]]:
    pages, address = [], path
    while len(pages) < 9:
        told = client.get(address).json()
        inner = told.get("d", told)
        pages.append([row["id"] for row in inner.get("results", inner.get("value"))])
        link = inner.get("__next") or inner.get("@odata.nextLink")
        if link is None:
            break
        address = link["uri"] if isinstance(link, dict) else link
        assert address.startswith(str(client.base_url).rstrip("/")), "paging leaves the proxy"
    return pages


WHOLE = [["1", "2"], ["3", "4"], ["5", "6"]]


def test_without_a_fault_nothing_shows(spoilt: Open, upstream: str) -> None:
    with spoilt() as (proxy, client):
        assert rest_ids(client) == WHOLE
        for path in ("/v2", "/wrapped", "/v4"):
            assert linked_ids(client, path) == WHOLE
        direct = httpx.get(f"{upstream}/list", trust_env=False)
        assert client.get("/list").content == direct.content
        assert client.get("/list").headers["date"] == direct.headers["date"]
        assert proxy.injected == 0


PAGES = {
    "dropped_page": [["1", "2"], ["5", "6"]],
    "duplicated_page": [["1", "2"], ["3", "4"], ["3", "4"], ["5", "6"]],
    "reordered_page": [["3", "4"], ["1", "2"], ["5", "6"]],
}


@pytest.mark.parametrize("kind", list(PAGES))
def test_pages_are_dropped_duplicated_and_reordered_in_every_linked_protocol(spoilt: Open, kind: Any) -> None:
    with spoilt(Fault(kind=kind)) as (proxy, client):
        assert rest_ids(client) == PAGES[kind]
        for path in ("/v2", "/wrapped", "/v4"):
            assert linked_ids(client, path) == PAGES[kind]
        assert proxy.injected == 4


def test_the_last_page_can_be_dropped_too(spoilt: Open) -> None:
    with spoilt(Fault(kind="dropped_page", page=3)) as (_, client):
        assert rest_ids(client) == [["1", "2"], ["3", "4"], []]


def test_proxies_in_a_row_do_not_take_each_others_marks(spoilt: Open) -> None:
    with (
        spoilt(Fault(kind="reordered_page")) as (proxy, _),
        fault_proxy(proxy.url) as outer,
        httpx.Client(base_url=outer.url, trust_env=False) as client,
    ):
        assert rest_ids(client) == PAGES["reordered_page"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("dropped_page", []), ("reordered_page", ["2", "1"]), ("duplicated_page", ["1", "2", "1", "2"])],
)
def test_lists_that_the_caller_pages_are_spoilt_in_place(spoilt: Open, kind: Any, expected: list[str]) -> None:
    with spoilt(Fault(kind=kind, page=1)) as (_, client):
        assert [row["id"] for row in client.get("/list").json()] == expected


def test_fields_types_and_currencies(spoilt: Open) -> None:
    with spoilt(Fault(kind="renamed_field", field="currency")) as (_, client):
        assert set(client.get("/v2").json()["d"]["results"][0]) == {"id", "company", "changed_at", "currency_new"}
    with spoilt(Fault(kind="changed_type", field="id")) as (_, client):
        assert client.get("/rest").json()["data"][0]["id"] == {"value": "1"}
    with spoilt(Fault(kind="wrong_currency", currency="SGD")) as (_, client):
        assert {row["currency"] for row in client.get("/rest").json()["data"]} == {"SGD"}
        assert client.get("/xml").text == '<Amt Ccy="SGD">1</Amt>'


def test_another_clock_moves_the_date_and_the_stamps(spoilt: Open) -> None:
    with spoilt(Fault(kind="clock_skew", seconds=-3600.0)) as (_, client):
        answer = client.get("/rest")
    assert answer.headers["date"] == format_datetime(SENT - timedelta(hours=1), usegmt=True)
    assert answer.json()["data"][0]["changed_at"] == "2023-12-31T23:00:00.000000+00:00"


def test_answers_are_late_refused_and_cut(spoilt: Open) -> None:
    with (
        spoilt(Fault(kind="timeout", seconds=5.0, times=1)) as (_, client),
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("/rest", timeout=0.1)
    with spoilt(Fault(kind="too_many", seconds=7)) as (_, client):
        refused = client.get("/rest")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    with spoilt(Fault(kind="server_error", times=1)) as (_, client):
        assert [client.get("/rest").status_code for _ in range(2)] == [500, 200]
    with spoilt(Fault(kind="cut_connection", times=1)) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            client.get("/rest")
        assert rest_ids(client) == WHOLE
    with spoilt(Fault(kind="cut_body")) as (_, client), pytest.raises(json.JSONDecodeError):
        client.get("/rest").json()


def test_a_webhook_is_replayed(spoilt: Open, posted: list[bytes]) -> None:
    with spoilt(Fault(kind="replayed_webhook", times=1)) as (_, client):
        client.post("/hook", content=b"one")
        client.post("/hook", content=b"two")
    assert posted == [b"one", b"one", b"two"]


def test_a_share_strikes_the_same_requests_for_the_same_seed(spoilt: Open) -> None:
    def struck(seed: int) -> list[int]:
        with spoilt(Fault(kind="server_error", share=0.5), seed) as (_, client):
            return [client.get("/list").status_code for _ in range(20)]

    first = struck(3)
    assert first == struck(3)
    assert set(first) == {200, 500}
    assert first != struck(4)


def test_other_paths_are_left_alone(spoilt: Open) -> None:
    with spoilt(Fault(kind="server_error", path="/v2$")) as (_, client):
        assert client.get("/rest").status_code == 200
        assert client.get("/v2?x=1").status_code == 500


def test_a_system_that_is_gone_is_as_gone_through_the_proxy(spoilt: Open) -> None:
    with fault_proxy("http://127.0.0.1:9") as proxy, httpx.Client(base_url=proxy.url, trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.get("/rest")
        assert proxy.trace.emptied()[0].status == 0


def test_the_trace_tells_of_pages(spoilt: Open) -> None:
    with spoilt(Fault(kind="reordered_page", page=1)) as (proxy, client):
        rest_ids(client)
        client.get("/v4", params={"$select": "id,total", "$orderby": "id"})
        pages = [e.page for e in proxy.trace.emptied()]
        assert proxy.trace.exchanges == []
    assert [page.continued for page in pages[:3]] == [False, True, True]
    assert all(page.ascends for page in pages)
    assert pages[-1].absent == ("total",)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "lost"}, "fault 'lost'; allowed: dropped_page"),
        ({"kind": "timeout", "share": 1.5}, "fault share 1.5"),
        ({"kind": "renamed_field"}, "fault renamed_field without a field"),
    ],
)
def test_a_fault_that_cannot_be_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        Fault(**wrong)


def test_an_upstream_that_is_no_address_is_named() -> None:
    with pytest.raises(BadSetting, match="no address of a source"), fault_proxy("ftp://x"):
        pass


def test_shapes_are_told_apart() -> None:
    assert shape_of({"data": [], "next_cursor": None}) is REST
    assert shape_of({"d": {"results": [{}]}}) is ODATA_V2
    assert shape_of({"value": [{}]}) is ODATA_V4
    assert shape_of([{"id": 1}]) is LIST
    assert shape_of({"count": 1}) is None
    assert shape_of([1]) is None


def test_stamps_are_moved_however_they_are_written() -> None:
    assert shifted("/Date(1000+0060)/", 2.0) == "/Date(3000+0060)/"
    assert shifted("2024-01-01T00:00:00Z", 60.0) == "2024-01-01T00:01:00.000000+00:00"
    told = {"__class__": "datetime", "year": 2024, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0}
    assert shifted(told | {"microsecond": 0}, -1.0)["year"] == 2023
    assert shifted("soon", 1.0) == "soon"
    assert shifted(None, 1.0) is None
