"""Tryton's client against answers that a real Tryton seldom gives."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import httpx
import pytest

from features.errors import BadInput, BadSetting, NotFound, SourceBroken, SourceError, SourceRefused, StateError
from features.tables import table
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_companies import companies
from pipelines.connectors.tryton_json import decode, encode
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.web import Retries, Web

Handler = Callable[[httpx.Request], httpx.Response]
URL = "http://127.0.0.1:1"
ONCE = Retries(attempts=1)


def client(handler: Handler, context: dict[str, object] | None = None) -> Tryton:
    return Tryton(Web(URL, {}, transport=httpx.MockTransport(handler), retries=ONCE), "erp", context)


def answer(status: int, body: object) -> Handler:
    return lambda _: httpx.Response(status, json=body)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("12.340"),
        date(2024, 2, 29),
        datetime(2024, 2, 29, 23, 59, 59, 123456),  # noqa: DTZ001  Tryton's are naive
        timedelta(days=7),
        {"lines": [["create", [{"amount": Decimal("-1")}]]]},
    ],
)
def test_typed_values_come_back_as_they_went(value: object) -> None:
    assert decode(encode(value), "here") == value


def test_aware_instants_go_as_utc() -> None:
    there = datetime(2024, 5, 1, 2, 0, tzinfo=timezone(timedelta(hours=2)))
    assert decode(encode(there), "here") == datetime(2024, 5, 1, 0, 0)  # noqa: DTZ001  Tryton's are naive


def test_what_tryton_has_no_word_for_is_not_sent() -> None:
    with pytest.raises(TypeError, match="object cannot be said"):
        encode(object())


@pytest.mark.parametrize("body", [b"<html>", b'{"__class__": "Decimal", "decimal": "x"}', b'{"__class__": "date"}'])
def test_answers_that_are_no_json_of_tryton_are_named(body: bytes) -> None:
    with pytest.raises(SourceBroken, match="GET party: the answer is not Tryton's JSON"):
        decode(body, "GET party")


def test_the_context_goes_with_every_request() -> None:
    seen: list[dict[str, object]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        import base64

        seen.append(json.loads(base64.urlsafe_b64decode(request.headers["X-Tryton-Context"])))
        return httpx.Response(200, json=[])

    erp = client(handler, {"language": "en", "company": 1, "companies": [1, 2]})
    erp.search("party.party")
    erp.of_company(2).search("party.party")
    assert [(c["company"], c["companies"], c["language"]) for c in seen] == [(1, [1, 2], "en"), (2, [2], "en")]


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (answer(401, {}), SourceRefused, "refused the token"),
        (answer(404, {}), NotFound, "no such record or model"),
        (answer(400, {"status": 400, "message": "Not this way"}), BadInput, "Not this way"),
        (answer(409, "changed meanwhile"), BadInput, "changed meanwhile"),
        (answer(500, {}), SourceError, "status 500"),
        (lambda _: httpx.Response(400, text="bad gateway"), SourceBroken, "bad gateway"),
        (answer(200, {"a": 1}), SourceBroken, "no list of records"),
        (answer(200, [{"name": "x"}]), SourceBroken, "no list of records"),
    ],
)
def test_refusals_say_what_was_asked_and_why(handler: Handler, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        client(handler).search("party.party")


def test_writes_are_not_repeated_when_their_fate_is_unknown() -> None:
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        raise httpx.ReadTimeout("gone", request=request)

    patient = Retries(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
    erp = Tryton(Web(URL, {}, transport=httpx.MockTransport(handler), retries=patient), "erp")
    with pytest.raises(SourceError):
        erp.create("party.party", {"name": "x"})
    assert calls == ["POST"]


def test_an_empty_key_is_a_setting() -> None:
    with pytest.raises(BadSetting, match="the key of Tryton is empty"):
        Tryton.connect(URL, "erp", " ")


def test_many_ids_are_asked_for_in_parts() -> None:
    sizes: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        import base64

        ((_, _, ids),) = json.loads(base64.urlsafe_b64decode(request.url.params["d"]))
        sizes.append(len(ids))
        return httpx.Response(200, json=[{"id": i, "name": "n"} for i in ids])

    found = list(client(handler).of_ids("party.party", "id", range(450), ("name",)))
    assert len(found) == 450
    assert sizes == [200, 200, 50]


def test_a_user_who_sees_one_of_several_companies_is_refused() -> None:
    erp = client(answer(200, []), {"companies": [1, 2], "company": 1, "company_filter": "one"})
    with pytest.raises(BadSetting, match="has 2 companies and sees only one"):
        companies(erp)


def test_a_user_without_companies_is_refused() -> None:
    with pytest.raises(BadSetting, match="no company"):
        companies(client(answer(200, []), {"companies": []}))


@pytest.mark.parametrize("cursor", ["nonsense", "[1]", '{"DE01": "yesterday"}', '{"DE01": 3}'])
def test_a_cursor_of_another_hand_is_named(cursor: str) -> None:
    source = TrytonSource(client(answer(200, [])))
    with pytest.raises(StateError, match="is none of Tryton's"):
        list(source.read(table("invoice"), cursor, datetime(2024, 1, 1, tzinfo=UTC)))


def session(handler: Handler) -> TrytonSession:
    return TrytonSession.log_in(URL, "erp", "admin", "secret", transport=httpx.MockTransport(handler), retries=ONCE)


def test_a_login_that_is_refused_is_named() -> None:
    with pytest.raises(SourceRefused):
        session(answer(401, {}))
    with pytest.raises(SourceBroken, match="names no session"):
        session(answer(200, {"id": 1, "result": None}))


def test_what_rpc_refuses_is_said_in_its_words() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        match json.loads(request.content)["method"]:
            case "common.db.login":
                return httpx.Response(200, json={"id": 1, "result": [1, "token", None]})
            case "model.res.user.get_preferences":
                return httpx.Response(200, json={"id": 1, "result": {"company": 1}})
            case "model.party.party.create":
                return httpx.Response(200, json={"id": 1, "error": ["UserError", ["The code must be unique.", ""]]})
        return httpx.Response(200, json={"id": 1, "result": []})

    with session(handler) as clerk:
        assert clerk.context == {"company": 1}
        with pytest.raises(BadInput, match=r"model\.party\.party\.create: Tryton refused it: UserError; .*unique"):
            clerk.create("party.party", [{}])
        with pytest.raises(SourceBroken, match="no record in"):
            clerk.one("party.party", [])


@pytest.mark.parametrize(
    ("record", "fields", "said"),
    [
        ({"id": 7}, ("number",), "record 7: number is not in the answer; allowed: the fields that were asked for"),
        ({"id": 7, "party": {}}, ("party.code",), "record 7: party.code is not in the answer"),
        ({"id": 7, "lines": [{"debit": Decimal(1)}, {}]}, ("lines.debit",), "lines.debit is not in the answer"),
        ({"id": 7, "party": 3}, ("party.code",), "party.code is not in the answer"),
        ({"id": 7, "total_amount": "1.00"}, ("total_amount",), "total_amount is '1.00'; allowed: a decimal"),
        ({"id": 7, "total_amount": 1.0}, ("total_amount",), "total_amount is 1.0; allowed: a decimal"),
        ({"id": 7, "invoice_date": "2024-05-01"}, ("invoice_date",), "invoice_date is '2024-05-01'; allowed: a day"),
        ({"id": 7, "write_date": date(2024, 5, 1)}, ("write_date",), "allowed: an instant"),
        ({"id": 7, "state": 1}, ("state",), "state is 1; allowed: text"),
    ],
)
def test_a_field_that_is_missing_or_of_another_type_is_named(record: dict, fields: tuple[str, ...], said: str) -> None:
    erp = client(lambda _: httpx.Response(200, content=encode([record])))
    with pytest.raises(SourceBroken, match=r"GET account\.invoice: ") as caught:
        erp.search("account.invoice", [], fields)
    assert said in str(caught.value)


def test_what_may_be_empty_may_be_empty() -> None:
    record = {"id": 7, "party": None, "lines": [], "total_amount": None, "write_date": None}
    erp = client(lambda _: httpx.Response(200, content=encode([record])))
    assert erp.search("m", [], ("party.code", "lines.debit", "total_amount", "write_date")) == [record]
