"""Every endpoint's good answer, and every problem it can answer with."""

import json
import logging
import threading
import time

import pytest

from services.endpoints import BY_ID_EXAMPLE, ENDPOINTS, INLINE_EXAMPLE, catalogue
from services.lane import Lane
from services.problems import KINDS, MEDIA_TYPE

BY_ID, INLINE = "/v1/payment-date/by-id", "/v1/payment-date/inline"


def assert_problem(response, status: int, code: str) -> dict:
    assert response.headers["content-type"] == MEDIA_TYPE
    problem = response.json()
    assert (response.status_code, problem["status"], problem["type"]) == (status, status, f"urn:duecast:problem:{code}")
    assert problem["title"] in {kind.title for kind in KINDS}
    return problem


def test_by_id_answers_in_the_order_of_the_question(client):
    response = client.post(BY_ID, {"entity_id": "US01", "invoice_ids": ["B", "A"], "as_of": "2024-03-01"})
    assert response.status_code == 200
    assert response.headers["x-model-version"] == "payment-date/3"
    answer = response.json()
    assert answer["model"] == "payment-date/3"
    assert [p["invoice_id"] for p in answer["predictions"]] == ["B", "A"]
    first = answer["predictions"][0]
    assert (first["amount"], first["cutoff"], first["expected_date"]) == (
        "990.00",
        "2024-03-01T00:00:00Z",
        "2024-03-20",
    )
    assert first["p_late"] == 0.875
    assert first["reasons"] == [{"name": "days_late_mean", "words": "usually pays 7 days late", "days": 5.0}]
    assert (first["prediction_id"], first["feature_digest"]) == ("f" * 32, "e" * 64)


def test_inline_answers_for_the_invoices_it_is_asked_about(client):
    response = client.post(INLINE, INLINE_EXAMPLE)
    assert response.status_code == 200
    assert [p["invoice_id"] for p in response.json()["predictions"]] == ["INV-1003"]


def test_model_card(client):
    card = client.get("/v1/model").json()
    assert card["digest"] == "d" * 64
    assert (card["trained_from"], card["trained_until"]) == ("2021-01-01", "2023-12-31")
    assert card["lake_versions"] == {"invoice": 2}


def test_alive_and_ready_with_a_model(client):
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "model": "payment-date/3"}


def test_alive_but_not_ready_without_a_model(client):
    client.serving.predictor = None
    assert client.get("/livez").status_code == 200
    for response in (
        client.get("/readyz"),
        client.get("/v1/model"),
        client.post(BY_ID, BY_ID_EXAMPLE),
        client.post(INLINE, INLINE_EXAMPLE),
    ):
        problem = assert_problem(response, 503, "not-ready")
        assert problem["detail"] == "no model has been promoted yet"
        assert response.headers["x-model-version"] == "none"
        assert response.headers["retry-after"] == "5"


def test_the_front_page_links_to_every_readable_address_and_loads_nothing(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for endpoint in ENDPOINTS:
        assert endpoint.path in page.text
    assert 'href="/v1/openapi.json"' in page.text
    assert "payment-date/3 answers" in page.text
    assert not any(word in page.text for word in ("<script", "<link", "<img", "src=", "http"))
    client.serving.predictor, client.serving.reason = None, "<b>broken</b>"
    assert "&lt;b&gt;broken" in client.get("/").text


def test_an_unknown_invoice_is_named_by_its_place(client):
    response = client.post(BY_ID, {"entity_id": "US01", "invoice_ids": ["A", "missing"]})
    problem = assert_problem(response, 404, "not-found")
    assert problem["errors"] == [{"path": "$.invoice_ids[1]", "value": "missing", "allowed": "an open invoice"}]


def test_an_unknown_entity_lists_those_there_are(client):
    problem = assert_problem(client.post(BY_ID, {"entity_id": "X", "invoice_ids": ["A"]}), 404, "not-found")
    assert problem["detail"] == "no entity 'X'; there are: US01"


@pytest.mark.parametrize(
    ("question", "path", "value", "allowed"),
    [
        ({"invoice_ids": ["A"]}, "$.entity_id", None, "a value: it is required"),
        ({"entity_id": "", "invoice_ids": ["A"]}, "$.entity_id", "", "text of length >= 1"),
        ({"entity_id": "US01", "invoice_ids": []}, "$.invoice_ids", "[]", "a list of length >= 1"),
        ({"entity_id": "US01", "invoice_ids": [7]}, "$.invoice_ids[0]", "7", "text"),
        ({"entity_id": "US01", "invoice_ids": ["A"] * 101}, "$.invoice_ids", "101 ids", "at most 100 ids"),
        (
            {"entity_id": "US01", "invoice_ids": ["A"], "as_of": "01.03.2024"},
            "$.as_of",
            "01.03.2024",
            "a date written as YYYY-MM-DD",
        ),
        (
            {"entity_id": "US01", "invoice_ids": ["A"], "asof": "2024-03-01"},
            "$.asof",
            "2024-03-01",
            "no such field; /v1/openapi.json lists those there are",
        ),
        ([], "$", "[]", "an object"),
    ],
)
def test_a_question_that_breaks_its_type_names_path_value_and_what_is_allowed(client, question, path, value, allowed):
    problem = assert_problem(client.post(BY_ID, question), 422, "invalid")
    assert problem["errors"] == [{"path": path, "value": value, "allowed": allowed}]
    assert problem["detail"].startswith(f"{path} is ")


def changed(**fields) -> dict:
    """The example with another value somewhere in its first invoice (or at the top, for `top_...`)."""
    question = json.loads(json.dumps(INLINE_EXAMPLE))
    for name, value in fields.items():
        if name.startswith("top_"):
            question[name.removeprefix("top_")] = value
        else:
            question["invoices"][0][name] = value
    return question


@pytest.mark.parametrize(
    ("question", "path", "value", "allowed"),
    [
        (changed(amount=1200.5), "$.invoices[0].amount", "1200.5", "text"),
        (
            changed(amount="1.200,50"),
            "$.invoices[0].amount",
            "1.200,50",
            'a decimal number as text, such as "1234.50"',
        ),
        (changed(due_date="2023-02-30"), "$.invoices[0].due_date", "2023-02-30", "a date written as YYYY-MM-DD"),
        (changed(payments=[{"amount": "1"}]), "$.invoices[0].payments[0].date", None, "a value: it is required"),
        (changed(top_invoices=[]), "$.invoices", "[]", "a list of length >= 1"),
        (changed(top_predict=["x"] * 101), "$.predict", "101 ids", "at most 100 ids"),
        (
            changed(top_entity={"tz": "UTC"}),
            "$.entity.tz",
            "UTC",
            "no such field; /v1/openapi.json lists those there are",
        ),
    ],
)
def test_a_ledger_that_breaks_its_type_names_path_value_and_what_is_allowed(client, question, path, value, allowed):
    problem = assert_problem(client.post(INLINE, question), 422, "invalid")
    assert problem["errors"] == [{"path": path, "value": value, "allowed": allowed}]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"entity_id": "\xff"}', b'{"entity_id": 1, "invoice_ids": [', b"[" * 50_000],
    ids=["empty", "cut off", "not JSON", "not UTF-8", "wrong and cut off", "deep"],
)
def test_a_body_that_is_not_json_is_malformed(client, body):
    assert_problem(client.post(BY_ID, body), 400, "malformed")


def test_nesting_below_a_known_field_is_refused_before_it_is_walked(client):
    deep = b'{"entity_id": ' + b"[" * 20_000 + b"]" * 20_000 + b', "invoice_ids": ["A"]}'
    assert client.post(BY_ID, deep).status_code in (400, 422)


def test_a_value_is_quoted_only_in_part_when_it_is_long(client):
    problem = assert_problem(client.post(BY_ID, {"entity_id": "x" * 5000, "invoice_ids": ["A"]}), 422, "invalid")
    assert len(problem["errors"][0]["value"]) == 101


@pytest.mark.parametrize("path", ["/v2", "/v1", "/v1/model/", "/docs.json", "/schema.json", "/healthz", "/favicon.ico"])
def test_an_address_that_is_not_there_is_a_problem_that_lists_those_that_are(client, path):
    problem = assert_problem(client.get(path), 404, "not-found")
    assert BY_ID in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"), [("GET", BY_ID, {"POST"}), ("DELETE", "/v1/model", {"GET", "HEAD"})]
)
def test_a_method_that_is_not_answered_names_those_that_are(client, method, path, allowed):
    response = client.ask(method, path)
    assert_problem(response, 405, "method-not-allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


def test_a_failure_of_ours_says_nothing_but_that_and_logs_no_value(make_client, caplog):
    def fail() -> None:
        raise KeyError("customer Müller owes 17")

    from services.problems import INTERNAL

    client = make_client()
    client.serving.predictor.before = fail
    with caplog.at_level(logging.DEBUG):
        response = client.post(BY_ID, BY_ID_EXAMPLE)
    problem = assert_problem(response, 500, "internal")
    assert problem == {"type": "urn:duecast:problem:internal", "title": INTERNAL.title, "status": 500}
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("services")]
    assert len(logged) == 1
    assert "error=KeyError" in logged[0]
    assert "test_endpoints.py:" in logged[0]
    assert "Müller" not in caplog.text


def test_a_full_queue_sends_the_next_one_away_at_once(slow_client):
    client, event = slow_client
    threading.Timer(0.5, event.set).start()
    began = time.monotonic()
    responses = client.ask_all([("POST", BY_ID, {"json": BY_ID_EXAMPLE})] * 5)
    assert sorted(r.status_code for r in responses) == [200, 200, 503, 503, 503]
    assert time.monotonic() - began < 5
    for response in responses:
        if response.status_code == 503:
            assert_problem(response, 503, "busy")
            assert response.headers["retry-after"] == "1"
    assert client.post(BY_ID, BY_ID_EXAMPLE).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(make_client):
    event = threading.Event()
    client = make_client(lane=Lane(limit=1, deadline=0.05))
    client.serving.predictor.before = lambda: event.wait(10)
    assert_problem(client.post(BY_ID, BY_ID_EXAMPLE), 504, "timeout")
    event.set()


def test_a_swap_between_two_questions_changes_the_version_everywhere(client, make_client):
    other = make_client().serving.predictor
    other.card = type(other.card)(**{f: getattr(other.card, f) for f in other.card.__struct_fields__} | {"version": 4})
    assert client.post(BY_ID, BY_ID_EXAMPLE).headers["x-model-version"] == "payment-date/3"
    client.serving.predictor = other
    response = client.post(BY_ID, BY_ID_EXAMPLE)
    assert response.headers["x-model-version"] == response.json()["model"] == "payment-date/4"


def test_the_catalogue_has_a_row_for_every_endpoint():
    text = catalogue()
    assert all(f"| `{e.method} {e.path}` |" in text for e in ENDPOINTS)
