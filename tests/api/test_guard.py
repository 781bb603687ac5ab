"""Who may come in, with what, and how every answer leaves."""

import asyncio

import pytest

from services.endpoints import BY_ID_EXAMPLE, ENDPOINTS
from services.guard import SECURITY_HEADERS

BY_ID = "/v1/payment-date/by-id"
PUBLIC = [e.path for e in ENDPOINTS if e.public and e.method == "GET"]


@pytest.mark.parametrize("path", PUBLIC)
def test_public_addresses_need_no_key(keyed, path):
    assert keyed.get(path).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer wrong", "Basic b3BlbiBzZXNhbWU=", "open sesame", "Bearer open sesamé"],
)
def test_without_the_right_key_nothing_else_answers(keyed, authorization):
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    for method, path in (
        ("GET", "/v1/model"),
        ("POST", BY_ID),
        ("GET", "/nowhere"),
        ("GET", "/metrics"),
        ("GET", "/v1/metrics/integration"),
        ("POST", "/v1/webhooks/"),
        ("POST", "/v1/webhooks/erp/more"),
    ):
        response = keyed.ask(method, path, headers=headers)
        assert response.status_code == 401
        assert response.json()["type"] == "urn:duecast:problem:unauthenticated"
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_right_key_opens(keyed, key, scheme):
    known = keyed.saying(authorization=f"{scheme} {key}")
    assert known.get("/v1/model").status_code == 200
    assert known.post(BY_ID, BY_ID_EXAMPLE).status_code == 200


def test_with_keys_any_host_name_is_answered(keyed, key):
    elsewhere = keyed.at("http://duecast.example.org").saying(authorization=f"Bearer {key}")
    assert elsewhere.get("/v1/model").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.evil.example", "localhost.evil.example", "[::1", "", "10.0.0.7"])
def test_without_keys_a_name_that_merely_points_here_is_not_answered(client, host):
    response = client.get("/v1/model", headers={"host": host})
    assert response.status_code == 421
    assert response.json()["type"] == "urn:duecast:problem:misdirected"


@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000"])
def test_without_keys_loopback_names_are_answered(client, host):
    assert client.get("/v1/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_must_say_that_it_is_json(client, content_type):
    headers = {} if content_type is None else {"content-type": content_type}
    response = client.ask("POST", BY_ID, content=b"{}", headers=headers)
    assert response.status_code == 415


def test_parameters_of_the_content_type_do_not_matter(client):
    response = client.post(BY_ID, BY_ID_EXAMPLE, headers={"content-type": "application/json; charset=utf-8"})
    assert response.status_code == 200


def test_a_compressed_body_is_refused(client):
    response = client.post(BY_ID, BY_ID_EXAMPLE, headers={"content-encoding": "gzip"})
    assert response.status_code == 415
    assert "content-encoding" in response.json()["detail"]


@pytest.mark.parametrize("length", ["x", "-1", "1.0", "²"])
def test_a_length_that_is_no_number_is_refused(client, length):
    response = client.ask(
        "POST", BY_ID, headers={"content-type": "application/json", "content-length": length.encode()}
    )
    assert response.status_code == 400


class Conversation:
    """An ASGI exchange by hand: what the client sends, message by message, and how much of it was taken."""

    def __init__(self, path: str, messages: list[dict], headers: dict[str, str] | None = None) -> None:
        given = {"host": "localhost", "content-type": "application/json"} | (headers or {})
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        self.messages = messages
        self.taken = 0
        self.sent: list[dict] = []

    def run(self, app) -> int | None:
        asyncio.run(app(self.scope, self.receive, self.send))
        return self.sent[0]["status"] if self.sent else None

    async def receive(self) -> dict:
        if self.taken == len(self.messages):
            await asyncio.Event().wait()
        self.taken += 1
        return self.messages[self.taken - 1]

    async def send(self, message: dict) -> None:
        self.sent.append(message)


def chunk(size: int, more: bool = True) -> dict:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def test_a_declared_size_over_the_limit_is_refused_before_anything_is_read(make_client):
    talk = Conversation(BY_ID, [chunk(10)], {"content-length": "100001"})
    assert talk.run(make_client(body_limit=100_000).app) == 413
    assert talk.taken == 0
    assert (b"connection", b"close") in talk.sent[0]["headers"]


@pytest.mark.parametrize("headers", [{}, {"content-length": "10"}], ids=["none declared", "less declared"])
def test_a_streamed_body_is_cut_off_at_the_limit(make_client, headers):
    talk = Conversation(BY_ID, [chunk(40_000)] * 10, headers)
    assert talk.run(make_client(body_limit=100_000).app) == 413
    assert talk.taken == 3


def test_a_body_in_pieces_is_put_together(client):
    pieces = [b'{"entity_id": "US01",', b"", b' "invoice_ids": ["A"]}']
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    talk = Conversation(BY_ID, [*messages, {"type": "http.request"}])
    assert talk.run(client.app) == 200


def test_a_body_that_does_not_arrive_is_given_up(make_client):
    talk = Conversation(BY_ID, [chunk(10)])
    assert talk.run(make_client(body_seconds=0.05).app) == 408
    assert (b"connection", b"close") in talk.sent[0]["headers"]


def test_a_caller_that_leaves_gets_no_answer(client):
    talk = Conversation(BY_ID, [chunk(10), {"type": "http.disconnect"}])
    assert talk.run(client.app) is None


def test_a_websocket_is_closed(client):
    talk = Conversation("/v1/model", [])
    talk.scope["type"] = "websocket"
    asyncio.run(client.app(talk.scope, talk.receive, talk.send))
    assert talk.sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/v1/model", 200), ("GET", "/x", 404), ("POST", BY_ID, 415)],
)
def test_every_answer_carries_the_model_version_and_the_security_headers(client, method, path, status):
    response = client.ask(method, path)
    assert response.status_code == status
    assert response.headers["x-model-version"] == "payment-date/3"
    assert {name: response.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "server" not in response.headers


def test_what_is_observed_has_bounded_names(client):
    client.get("/v1/model")
    client.get("/v1/model?customer=Müller")
    client.get("/wp-admin/" + "x" * 50)
    client.post("/v1/webhooks/" + "x" * 50, {})
    assert client.seen == [
        ("/v1/model", 200),
        ("/v1/model", 200),
        ("other", 404),
        ("/v1/webhooks/{source}", 401),
    ]
