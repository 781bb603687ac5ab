"""The REST client against a scripted server: paging, patience, refusals, and answers outside the protocol."""

import gzip
import json
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from features.errors import BadSetting, SourceBroken, SourceError, SourceRefused
from pipelines.connectors.records import as_json, exact, records_frame
from pipelines.connectors.rest import RestClient
from pipelines.connectors.web import Limits, Retries

PATH = "/api/v1/invoice"
HASTY = Retries(attempts=4, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)


class Script:
    """Answers requests one after the other and remembers them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **keys: object) -> RestClient:
        return RestClient("http://erp.test", "secret", transport=httpx.MockTransport(self), retries=HASTY, **keys)

    def records(self, **keys: object) -> list[dict]:
        with self.client() as client:
            return [record for page in client.pages(PATH, page_size=2, **keys) for record in page]


def page(*ids: str, next_cursor: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": i} for i in ids], "next_cursor": next_cursor})


def test_pages_follow_the_cursor_to_the_end() -> None:
    script = Script(page("1", "2", next_cursor="c1"), page("3", next_cursor="c2"), page())
    assert [r["id"] for r in script.records()] == ["1", "2", "3"]
    queries = [dict(r.url.params) for r in script.requests]
    assert queries == [{"limit": "2"}, {"limit": "2", "cursor": "c1"}, {"limit": "2", "cursor": "c2"}]
    assert {r.headers["Authorization"] for r in script.requests} == {"Bearer secret"}


def test_a_change_stamp_and_history_are_asked_for_on_every_page() -> None:
    since = datetime(2024, 3, 1, 10, 0, 0, 123, tzinfo=UTC)
    script = Script(page("1", next_cursor="c"), page("2"))
    script.records(changed_since=since, history=True)
    for request in script.requests:
        assert request.url.params["changed_since"] == "2024-03-01T10:00:00.000123+00:00"
        assert request.url.params["history"] == "true"


@pytest.mark.parametrize(
    "hiccup",
    [
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(429),
        httpx.Response(429, headers={"Retry-After": "soon"}),
        httpx.Response(429, headers=[(b"Retry-After", "²".encode("latin-1"))]),
        httpx.Response(500),
        httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        httpx.Response(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000", "Date": "just now"}),
        httpx.Response(
            503,
            headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"},
        ),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut off"),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(hiccup: httpx.Response | Exception) -> None:
    script = Script(hiccup, hiccup, page("1"))
    assert [r["id"] for r in script.records()] == ["1"]
    assert len(script.requests) == 3


def test_a_pause_is_as_long_as_the_source_asks_for() -> None:
    """Own waits are zero here, so that the second spent is the one asked for."""
    script = Script(httpx.Response(429, headers={"Retry-After": "1"}), page("1"))
    before = datetime.now(UTC)
    script.records()
    assert 0.95 <= (datetime.now(UTC) - before).total_seconds() < 5


def test_patience_ends() -> None:
    script = Script(*[httpx.Response(503)] * 4)
    with pytest.raises(SourceError, match=r"GET /api/v1/invoice: no answer in 4 attempts: status 503; try later"):
        script.records()
    assert len(script.requests) == 4


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_not_tried_again_and_not_shown(status: int) -> None:
    script = Script(httpx.Response(status, text="token secret is wrong"))
    with pytest.raises(SourceRefused, match=rf"the source refused the token \({status}\)") as caught:
        script.records()
    assert len(script.requests) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("status", [204, 302, 400, 404])
def test_other_answers_break_the_protocol(status: int) -> None:
    script = Script(httpx.Response(status, headers={"Location": "http://elsewhere.test"}))
    with pytest.raises(SourceBroken, match=rf"status {status}; allowed: 200"):
        script.records()
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "outside the protocol"),
        (b'{"data": [', "outside the protocol"),
        (b'{"data": []}', "missing required field `next_cursor`"),
        (b'{"next_cursor": null}', "missing required field `data`"),
        (b'{"data": [1], "next_cursor": null}', "Expected `object`"),
        (b'{"data": [], "next_cursor": 7}', "Expected `str | null`"),
        (b'{"data": [{"id": "\xff"}], "next_cursor": null}', "outside the protocol"),
    ],
)
def test_malformed_pages_break_the_protocol(body: bytes, said: str) -> None:
    with pytest.raises(SourceBroken, match=r"^GET /api/v1/invoice: the answer") as caught:
        Script(httpx.Response(200, content=body)).records()
    assert said in str(caught.value)


def test_a_body_that_cannot_be_decompressed_breaks_the_protocol() -> None:
    damaged = httpx.Response(200, stream=httpx.ByteStream(b"no gzip"), headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceBroken, match="cannot be decompressed"):
        Script(damaged).records()


def test_a_cursor_that_comes_again_would_never_end() -> None:
    script = Script(page("1", next_cursor="c"), page("2", next_cursor="d"), page("3", next_cursor="c"))
    with pytest.raises(SourceBroken, match="came before"):
        script.records()


def test_an_answer_is_bounded_also_when_compressed() -> None:
    big = gzip.compress(json.dumps({"data": [{"id": "x" * 100_000}], "next_cursor": None}).encode())
    script = Script(httpx.Response(200, content=big, headers={"Content-Encoding": "gzip"}))
    with script.client(limits=Limits(response_bytes=10_000)) as client, pytest.raises(SourceBroken, match="too large"):
        list(client.pages(PATH, page_size=1))


@pytest.mark.parametrize(
    "url", ["", "erp.test", "ftp://erp.test", "http://", "http://erp.test:port", "file:///etc/passwd"]
)
def test_an_address_has_to_be_one(url: str) -> None:
    with pytest.raises(BadSetting, match="no address of a source; allowed: http:// or https://"):
        RestClient(url, "secret")


def test_a_token_has_to_be_there() -> None:
    with pytest.raises(BadSetting, match="the token of the source is empty"):
        RestClient("http://erp.test", "  ")


@pytest.mark.parametrize(
    ("url", "told"),
    [("http://erp.test", 1), ("https://erp.test", 0), ("http://127.0.0.1:8700", 0), ("http://localhost", 0)],
)
def test_a_token_that_others_can_read_is_warned_of(url: str, told: int, caplog: pytest.LogCaptureFixture) -> None:
    RestClient(url, "secret").close()
    assert len(caplog.records) == told
    assert "secret" not in caplog.text


def test_a_path_below_the_address_is_kept() -> None:
    script = Script(page("1"))
    with RestClient("http://erp.test/sub/", "t", transport=httpx.MockTransport(script), retries=HASTY) as client:
        list(client.pages(PATH, page_size=1))
    assert script.requests[0].url.path == "/sub/api/v1/invoice"


STAMP = "2024-03-01T10:00:00.000001Z"


def test_records_become_text_columns() -> None:
    found = records_frame(
        f"GET {PATH}",
        [
            {"id": 7, "company": "A", "changed_at": STAMP, "deleted": False, "amount": "1.50", "n": 2, "x": 1.5},
            {"id": "8", "company": None, "changed_at": "2024-03-01T12:00:00+02:00", "deleted": True, "ok": True},
            {"id": "9", "company": "A", "changed_at": STAMP, "customer": {"name": "Z"}, "parts": [{"n": 1}]},
        ],
    )
    rows = found.to_dicts()
    assert rows[0]["_where"] == "GET /api/v1/invoice record 7 in A of 2024-03-01T10:00:00.000001+00:00"
    assert rows[1]["_where"] == "GET /api/v1/invoice record 8 of 2024-03-01T10:00:00.000000+00:00"
    assert [r["id"] for r in rows] == ["7", "8", "9"]
    assert [r["_deleted"] for r in rows] == [False, True, False]
    assert (rows[0]["amount"], rows[0]["n"], rows[0]["x"], rows[1]["ok"]) == ("1.50", "2", "1.5", "true")
    assert (rows[2]["customer.name"], rows[2]["parts"]) == ("Z", '[{"n":1}]')
    assert rows[1]["changed_at"] == "2024-03-01T10:00:00.000000+00:00"


@pytest.mark.parametrize(
    "record",
    [
        {"changed_at": STAMP},
        {"id": "1"},
        {"id": "1", "changed_at": "yesterday"},
        {"id": "1", "changed_at": "2024-03-01T10:00:00"},
        {"id": "1", "changed_at": STAMP, "deleted": "no"},
        {"id": {}, "changed_at": STAMP},
    ],
)
def test_a_record_without_what_every_record_says_breaks_the_protocol(record: dict) -> None:
    with pytest.raises(SourceBroken, match=r"GET /api/v1/invoice: record .*every record has id, company, changed_at"):
        records_frame(f"GET {PATH}", [record])


def nested(depth: int, opening: str = '{"a":', closing: str = "}") -> object:
    return msgspec.json.decode(opening * depth + "1" + closing * depth)


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_a_record_that_is_nested_without_end_breaks_the_protocol(opening: str, closing: str) -> None:
    sound = {"id": "1", "changed_at": STAMP, "x": nested(19, opening, closing)}
    records_frame("GET", [sound])
    for depth in (20, 600):
        deep = {"id": "2", "changed_at": STAMP, "x": nested(depth, opening, closing)}
        with pytest.raises(SourceBroken, match="GET: record '2' is nested too deep; allowed: 20 levels"):
            records_frame("GET", [sound, deep])
        assert as_json([sound, deep], [1]) == [f'{{"changed_at":"{STAMP}","id":"2"}}']


def test_a_page_that_is_nested_deeper_than_can_be_read_breaks_the_protocol() -> None:
    body = b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}"
    with pytest.raises(SourceBroken, match="outside the protocol"):
        Script(httpx.Response(200, content=body)).records()


def test_two_fields_that_would_be_one_column_are_refused() -> None:
    records = [{"id": "1", "changed_at": STAMP, "x": {"y": 1}}, {"id": "2", "changed_at": STAMP, "x.y": "b"}]
    with pytest.raises(SourceBroken, match=r"GET: an object's field and another field are both called 'x\.y'"):
        records_frame("GET", records)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("90071992547409.93", "90071992547409.93"),
        ("1.50", "1.50"),
        ("1e2", "100"),
        ("-1.5E-7", "-0.00000015"),
        ("1e999999999", "1e999999999"),
        ("1e-99999999999999999999999", "1e-99999999999999999999999"),
    ],
)
def test_numbers_are_exact_and_none_is_too_large(literal: str, text: str) -> None:
    record = msgspec.json.Decoder(float_hook=exact).decode(f'{{"id":"1","changed_at":"{STAMP}","n":{literal}}}')
    assert records_frame("GET", [record])["n"].to_list() == [text]


def test_a_record_that_is_kept_has_the_numbers_that_came() -> None:
    record = msgspec.json.Decoder(float_hook=exact).decode('{"b": 1.10, "a": [90071992547409.93, 2]}')
    assert as_json([record], [0]) == ['{"a":[90071992547409.93,2],"b":1.10}']


def test_a_record_cannot_pretend_to_be_ours() -> None:
    row = records_frame("GET", [{"id": "1", "changed_at": STAMP, "_row": 9, "_where": "x", "_deleted": True}]).row(0)
    assert row[:1] == (0,)
    assert "x" not in row
    assert True not in row
