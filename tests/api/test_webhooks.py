"""Webhooks in: who may deliver, what is kept, what is answered; and what callers hear of silent feeds and figures."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from services.database import Database
from services.endpoints import BY_ID_EXAMPLE, DELIVERY_EXAMPLE, INLINE_EXAMPLE
from services.heartbeats import Heartbeats
from services.webhooks import Inbox

HOOK = "/v1/webhooks/erp"
BODY = json.dumps(DELIVERY_EXAMPLE).encode()
NOW = datetime(2024, 3, 1, 10, tzinfo=UTC)
OTHER_SECRET = b"another secret of enough bytes"


@pytest.fixture
def inbox(tmp_path):
    """What the service keeps, opened anew for every look."""

    def waiting(source: str = "erp") -> list[tuple[str, str]]:
        database = Database(f"sqlite:///{tmp_path}/state.db")
        found = [(w.delivery_id, w.payload) for w in Inbox(database).waiting(source)]
        database.close()
        return found

    return waiting


def test_a_signed_delivery_is_kept_before_it_is_answered(client, seal, inbox):
    response = client.post(HOOK, BODY, headers=seal(BODY))
    assert (response.status_code, response.json()) == (202, {"delivery_id": "d1", "status": "new"})
    assert inbox() == [("d1", BODY.decode())]


def test_a_delivery_that_is_sent_again_is_answered_alike_and_adds_nothing(client, seal, inbox):
    client.post(HOOK, BODY, headers=seal(BODY))
    client.clock.now += timedelta(hours=1)
    again = client.post(HOOK, BODY, headers=seal(BODY, at=client.clock.now))
    assert (again.status_code, again.json()["status"]) == (202, "known")
    assert len(inbox()) == 1


def test_another_body_under_the_same_id_is_refused_and_not_kept(client, seal, inbox):
    client.post(HOOK, BODY, headers=seal(BODY))
    other = BODY.replace(b"Acorn", b"Birch")
    response = client.post(HOOK, other, headers=seal(other))
    assert (response.status_code, response.json()["type"]) == (409, "urn:duecast:problem:conflict")
    assert inbox() == [("d1", BODY.decode())]


def test_two_sources_may_use_the_same_id(make_client, seal, inbox):
    client = make_client(secrets={"erp": (OTHER_SECRET,), "crm": (OTHER_SECRET,)})
    for source in ("erp", "crm"):
        sent = client.post(f"/v1/webhooks/{source}", BODY, headers=seal(BODY, secret=OTHER_SECRET))
        assert sent.json()["status"] == "new"
        assert len(inbox(source)) == 1


def test_no_api_key_is_needed_where_others_need_one(keyed, seal):
    assert keyed.post(HOOK, BODY, headers=seal(BODY)).status_code == 202
    assert keyed.get("/v1/model").status_code == 401


@pytest.mark.parametrize(
    "spoil",
    [
        lambda h: {},
        lambda h: h | {"x-duecast-signature": ""},
        lambda h: h | {"x-duecast-signature": h["x-duecast-signature"].removeprefix("v1=")},
        lambda h: h | {"x-duecast-signature": h["x-duecast-signature"].replace("v1=", "v0=")},
        lambda h: h | {"x-duecast-signature": "v1=" + "0" * 64},
        lambda h: h | {"x-duecast-signature": "v1=é".encode()},
        lambda h: h | {"x-duecast-timestamp": str(int(h["x-duecast-timestamp"]) + 1)},
        lambda h: h | {"x-duecast-timestamp": "soon"},
        lambda h: h | {"x-duecast-delivery": "d2"},
    ],
)
def test_whatever_is_wrong_with_the_signature_is_answered_alike(client, seal, spoil, inbox, caplog):
    unknown = client.post("/v1/webhooks/nobody", BODY, headers=seal(BODY))
    with caplog.at_level(logging.DEBUG):
        wrong = client.post(HOOK, BODY, headers=spoil(seal(BODY)))
    assert (wrong.status_code, wrong.content) == (401, unknown.content)
    told = {"type": "urn:duecast:problem:unsigned", "title": "A valid signature is needed", "status": 401}
    assert wrong.json() == told
    assert dict(wrong.headers) == dict(unknown.headers)
    assert not [r for r in caplog.records if r.name.startswith("services")]
    assert inbox() == []


@pytest.mark.parametrize("delivery_id", ["", "a.b", "a b", "x" * 101, "d/1"])
def test_an_id_that_could_be_taken_for_something_else_is_refused(client, seal, delivery_id):
    assert client.post(HOOK, BODY, headers=seal(BODY, delivery_id)).status_code == 401


def test_a_body_that_was_changed_on_the_way_is_refused(client, seal):
    assert client.post(HOOK, BODY + b" ", headers=seal(BODY)).status_code == 401


@pytest.mark.parametrize(("seconds", "status"), [(300, 202), (301, 401), (-300, 202), (-301, 401)])
def test_a_delivery_is_believed_for_five_minutes(client, seal, seconds, status):
    headers = seal(BODY)
    client.clock.now += timedelta(seconds=seconds)
    assert client.post(HOOK, BODY, headers=headers).status_code == status


def test_while_secrets_change_both_are_good_and_then_only_the_new_one(make_client, seal):
    old, new = b"the old secret of 16 bytes", b"the new secret of 16 bytes"
    during, after = make_client(secrets={"erp": (new, old)}), make_client(secrets={"erp": (new,)})
    for number, secret in enumerate((old, new)):
        assert during.post(HOOK, BODY, headers=seal(BODY, f"d{number}", secret)).status_code == 202
    assert after.post(HOOK, BODY, headers=seal(BODY, "d3", old)).status_code == 401
    assert after.post(HOOK, BODY, headers=seal(BODY, "d4", new)).status_code == 202


@pytest.mark.parametrize("body", [b"{}", b'{"event": "invoice.changed"}', b'{"table": "invoice", "records": []}'])
def test_a_mere_notice_is_kept_too(client, seal, body):
    assert client.post(HOOK, body, headers=seal(body)).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"nonsense", 400, "malformed"),
        (b'{"table": "customer', 400, "malformed"),
        (b'{"records": ' + b"[" * 50_000, 400, "malformed"),
        (b"[]", 422, "invalid"),
        (b'{"records": 7}', 422, "invalid"),
        (b'{"table": "customer", "records": [7]}', 422, "invalid"),
        (b'{"records": [{"id": "1"}]}', 422, "invalid"),
        (b'{"table": "toys", "records": []}', 422, "invalid"),
    ],
)
def test_a_signed_body_that_is_no_delivery_is_refused_and_not_kept(client, seal, body, status, code, inbox):
    response = client.post(HOOK, body, headers=seal(body))
    assert (response.status_code, response.json()["type"]) == (status, f"urn:duecast:problem:{code}")
    assert inbox() == []


def test_an_unsigned_body_is_not_even_looked_into(client, seal):
    assert client.post(HOOK, b"nonsense", headers=seal(b"other")).status_code == 401


def test_a_body_over_the_limit_is_refused(make_client, seal):
    body = b" " * 1001
    assert make_client(body_limit=1000).post(HOOK, body, headers=seal(body)).status_code == 413


def test_while_the_store_is_out_of_reach_the_sender_is_asked_to_come_again(make_client, seal, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    client = make_client(state_url=f"sqlite:///{tmp_path}/file/state.db")
    for response in (client.post(HOOK, BODY, headers=seal(BODY)), client.get("/v1/metrics/integration")):
        assert response.status_code == 503
        assert response.json()["type"] == "urn:duecast:problem:unavailable"
        assert response.headers["retry-after"] == "10"
    assert "the operational store failed" in caplog.text
    assert client.post("/v1/payment-date/by-id", BY_ID_EXAMPLE).status_code == 200


def test_answers_by_id_say_which_feeds_are_silent_and_inline_ones_rest_on_none(client):
    assert client.post("/v1/payment-date/by-id", BY_ID_EXAMPLE).json()["stale"] == []
    client.serving.stale = ("bank has had no news since 2024-02-01",)
    assert client.post("/v1/payment-date/by-id", BY_ID_EXAMPLE).json()["stale"] == [*client.serving.stale]
    assert client.post("/v1/payment-date/inline", INLINE_EXAMPLE).json()["stale"] == []


def test_the_figures_are_told_to_who_has_a_key(keyed, key, seal, tmp_path):
    keyed.post(HOOK, BODY, headers=seal(BODY))
    database = Database(f"sqlite:///{tmp_path}/state.db")
    Heartbeats(database).beat("erp", "GET /invoice", "invoice", now=NOW - timedelta(hours=1), news=True)
    database.close()
    assert keyed.get("/v1/metrics/integration").status_code == 401
    told = keyed.saying(authorization=f"Bearer {key}").get("/v1/metrics/integration")
    assert told.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    silence = 'duecast_integration_feed_silence_seconds{source="erp",feed="GET /invoice",table="invoice"} 3600.0'
    assert silence in told.text.splitlines()
    assert 'duecast_integration_webhooks_waiting{source="erp"} 1.0' in told.text.splitlines()
