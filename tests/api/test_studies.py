"""Everything beside payment dates: good answers, problems, the lane of its own."""

import threading
import time

import pytest

from features.book import Book
from features.facts import Facts
from services.analysts import Analysts
from services.endpoints import (
    ALERTS_EXAMPLE,
    BY_ID_EXAMPLE,
    CASH_EXAMPLE,
    CREDIT_EXAMPLE,
    KPI_EXAMPLE,
    VERDICT_EXAMPLE,
    WORKLIST_EXAMPLE,
)
from services.lane import Lane
from services.problems import KINDS, MEDIA_TYPE

BY_ID = "/v1/payment-date/by-id"
CREDIT, CASH, WORKLIST = "/v1/credit-risk/by-id", "/v1/cash-forecast", "/v1/worklist"
ANOMALIES, VERDICTS, KPIS = "/v1/anomalies", "/v1/anomalies/verdicts", "/v1/kpis/collections"

EXAMPLES = {
    CREDIT: CREDIT_EXAMPLE,
    CASH: CASH_EXAMPLE,
    WORKLIST: WORKLIST_EXAMPLE,
    ANOMALIES: ALERTS_EXAMPLE,
    VERDICTS: VERDICT_EXAMPLE,
    KPIS: KPI_EXAMPLE,
}
DELAY = {"entity": "US01", "customer": "C-17", "days": 10}
RESOLVED = {"entity": "US01", "disputes": ["D"], "day": "2024-03-20"}
SAY_STALE = (CREDIT, CASH, WORKLIST, KPIS)
UNKNOWN_FIELD = "no such field; /v1/openapi.json lists those there are"
A_DAY = "a date written as YYYY-MM-DD"


def assert_problem(response, status: int, code: str) -> dict:
    assert response.headers["content-type"] == MEDIA_TYPE
    problem = response.json()
    assert (response.status_code, problem["status"], problem["type"]) == (status, status, f"urn:duecast:problem:{code}")
    assert problem["title"] in {kind.title for kind in KINDS}
    return problem


# --- good answers -------------------------------------------------------------------------------------------------


def test_credit_opinions_stand_in_the_order_of_the_question(client):
    response = client.post(CREDIT, {"entity_id": "US01", "customer_ids": ["B", "A"], "as_of": "2024-03-01"})
    assert response.status_code == 200
    answer = response.json()
    assert answer["model"] == response.headers["x-model-version"] == "credit-risk/2"
    assert [o["score"]["customer_id"] for o in answer["opinions"]] == ["B", "A"]
    first = answer["opinions"][0]
    assert (first["score"]["pd"], first["score"]["grade"], first["score"]["cutoff_day"]) == (0.125, "D", "2024-03-01")
    assert (first["limit"]["limit_minor"], first["limit"]["decided_by"]) == (500_000, "risk")
    assert first["lgd"] == {"share": 0.25, "basis": "entity", "cases": 31}
    assert first["score"]["reasons"] == [{"code": "late", "words": "pays late", "points": -40.0}]


def test_the_cash_forecast_has_as_many_weeks_as_were_asked_for(client):
    response = client.post(CASH, {"weeks": 3})
    assert response.headers["x-model-version"] == "cash-forecast/2"
    told = response.json()["forecast"]
    assert (told["weeks"], len(told["series"][0]["weekly"]), told["rests_on"]) == (3, 3, "payment-date/3")
    assert told["series"][0]["total"]["mean_minor"] == 300


def test_the_worklist_says_whom_to_contact_and_why(client):
    response = client.post(WORKLIST, WORKLIST_EXAMPLE)
    assert response.headers["x-model-version"] == response.json()["model"] == "contact-effect/2"
    told = response.json()["worklist"]
    [row] = told["rows"]
    assert (row["customer_id"], row["amount"], row["do"]) == ("C-17", "990.00", "call about INV-1001")
    assert (told["held"], told["horizon_days"]) == ([], 14)


def test_key_figures_carry_their_definitions_and_rest_on_no_model(client):
    response = client.post(KPIS, KPI_EXAMPLE)
    told = response.json()["kpis"]
    assert (told["as_of"], told["by"], told["group_currency"], told["days"]) == ("2024-03-01", "collector", "EUR", 90)
    assert (told["rows"][0]["value"], told["rows"][0]["unit"]) == ("41.5", "days")
    assert "dso" in told["definitions"]
    assert "model" not in response.json()
    assert response.headers["x-model-version"] == "none"


def test_an_alert_is_told_with_its_evidence_until_somebody_judges_it(client):
    before = client.post(ANOMALIES, ALERTS_EXAMPLE)
    assert before.headers["x-model-version"] == before.json()["model"] == "anomalies/2"
    [alert] = before.json()["alerts"]
    assert (alert["alert_id"], alert["chance"], alert["known_at"]) == (
        VERDICT_EXAMPLE["alert_id"],
        0.75,
        "2024-02-28T09:00:00Z",
    )
    assert alert["evidence"][0]["rule"] == "twin_number"
    assert (before.json()["documents"], before.json()["silent"]) == (1200, ["no limits"])

    said = client.post(VERDICTS, VERDICT_EXAMPLE)
    assert said.headers["x-model-version"] == "none", "a person said so"
    assert said.json() == {
        "alert_id": VERDICT_EXAMPLE["alert_id"],
        "verdict": "not",
        "documents": ["invoice/INV-1001", "invoice/INV-1O01"],
    }
    assert client.post(ANOMALIES, ALERTS_EXAMPLE).json()["alerts"] == []


def test_a_verdict_is_kept_with_its_giver_and_the_newest_counts(client):
    client.post(VERDICTS, VERDICT_EXAMPLE)
    client.post(VERDICTS, VERDICT_EXAMPLE | {"verdict": "real", "who": "ben", "why": "paid twice"})
    standing = client.desk.on_record().standing()[VERDICT_EXAMPLE["alert_id"]]
    assert (standing.verdict, standing.who, standing.why, standing.at) == (
        "real",
        "ben",
        "paid twice",
        client.clock.now,
    )


# --- what is wrong with a question --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "changes", "place", "value", "allowed"),
    [
        (CREDIT, {"customer_ids": []}, "$.customer_ids", "[]", "a list of length >= 1"),
        (CREDIT, {"customer_ids": [7]}, "$.customer_ids[0]", "7", "text"),
        (CREDIT, {"customer_ids": ["A"] * 101}, "$.customer_ids", "101 ids", "at most 100 ids"),
        (CASH, {"scenario": {"delay": [DELAY] * 101}}, "$.scenario.delay", "101 entries", "at most 100 entries"),
        (
            CASH,
            {"scenario": {"resolve": [RESOLVED, RESOLVED | {"disputes": ["D"] * 101}]}},
            "$.scenario.resolve[1].disputes",
            "101 entries",
            "at most 100 entries",
        ),
        (
            CASH,
            {"scenario": {"delay": [DELAY, DELAY | {"days": 10**30}]}},
            "$.scenario.delay[1].days",
            str(10**30),
            "a whole number <= 3660",
        ),
        (CREDIT, {"invoice_ids": ["A"]}, "$.invoice_ids", '["A"]', UNKNOWN_FIELD),
        (CREDIT, {"as_of": "01.03.2024"}, "$.as_of", "01.03.2024", A_DAY),
        (CASH, {"weeks": 14}, "$.weeks", "14", "a whole number <= 13"),
        (CASH, {"weeks": 0}, "$.weeks", "0", "a whole number >= 1"),
        (CASH, {"weeks": 2.5}, "$.weeks", "2.5", "a whole number"),
        (CASH, {"group_currency": "EURO"}, "$.group_currency", "EURO", "text of length <= 3"),
        (CASH, {"draws": 10}, "$.draws", "10", UNKNOWN_FIELD),
        (WORKLIST, {"capacity": 0}, "$.capacity", "0", "a whole number >= 1"),
        (WORKLIST, {"capacity": 1001}, "$.capacity", "1001", "a whole number <= 1000"),
        (WORKLIST, {"horizon_days": 91}, "$.horizon_days", "91", "a whole number <= 90"),
        (WORKLIST, {"entity_id": ""}, "$.entity_id", "", "text of length >= 1"),
        (WORKLIST, {"record": True}, "$.record", "true", UNKNOWN_FIELD),
        (ANOMALIES, {"budget_share": 0}, "$.budget_share", "0", "a number > 0.0"),
        (ANOMALIES, {"budget_share": 1.5}, "$.budget_share", "1.5", "a number <= 1.0"),
        (ANOMALIES, {"budget_share": "1 %"}, "$.budget_share", "1 %", "a number"),
        (ANOMALIES, {"per_day": 0}, "$.per_day", "0", "a whole number >= 1"),
        (ANOMALIES, {"least_chance": -0.1}, "$.least_chance", "-0.1", "a number >= 0.0"),
        (ANOMALIES, {"least_chance": 1.5}, "$.least_chance", "1.5", "a number <= 1.0"),
        (ANOMALIES, {"since": "yesterday"}, "$.since", "yesterday", A_DAY),
        (VERDICTS, {"verdict": "maybe"}, "$.verdict", "maybe", "one of real, not"),
        (VERDICTS, {"who": ""}, "$.who", "", "text of length >= 1"),
        (VERDICTS, {"why": ""}, "$.why", "", "text of length >= 1"),
        (VERDICTS, {"why": "x" * 1001}, "$.why", "x" * 100 + "…", "text of length <= 1000"),
        (VERDICTS, {"at": "2024-03-01"}, "$.at", "2024-03-01", UNKNOWN_FIELD),
        (KPIS, {"days": 0}, "$.days", "0", "a whole number >= 1"),
        (KPIS, {"days": 3661}, "$.days", "3661", "a whole number <= 3660"),
        (KPIS, {"by": 7}, "$.by", "7", "text"),
        (KPIS, {"by": "city"}, "$.by", "city", "one of entity, currency, segment, parent, collector, customer"),
        (KPIS, {"entity_id": "US01"}, "$.entity_id", "US01", UNKNOWN_FIELD),
    ],
)
def test_a_question_that_breaks_its_type_names_path_value_and_what_is_allowed(
    client, path, changes, place, value, allowed
):
    problem = assert_problem(client.post(path, EXAMPLES[path] | changes), 422, "invalid")
    assert problem["errors"] == [{"path": place, "value": value, "allowed": allowed}]


@pytest.mark.parametrize("path", [CREDIT, WORKLIST])
def test_an_entity_is_required_where_customers_are_an_entitys(client, path):
    question = {name: value for name, value in EXAMPLES[path].items() if name != "entity_id"}
    problem = assert_problem(client.post(path, question), 422, "invalid")
    assert problem["errors"] == [{"path": "$.entity_id", "value": None, "allowed": "a value: it is required"}]


@pytest.mark.parametrize("path", EXAMPLES)
@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 422), (b"", 400)])
def test_what_is_no_question_is_refused(client, path, body, status):
    assert_problem(client.post(path, body), status, "malformed" if status == 400 else "invalid")


@pytest.mark.parametrize("path", [CREDIT, CASH, WORKLIST, ANOMALIES])
def test_an_unknown_entity_lists_those_there_are(client, path):
    problem = assert_problem(client.post(path, EXAMPLES[path] | {"entity_id": "X"}), 404, "not-found")
    assert problem["detail"] == "no entity 'X'; there are: US01"


def test_an_unknown_customer_is_named_by_its_place(client):
    response = client.post(CREDIT, {"entity_id": "US01", "customer_ids": ["A", "missing"]})
    problem = assert_problem(response, 404, "not-found")
    assert problem["errors"] == [{"path": "$.customer_ids[1]", "value": "missing", "allowed": "a known customer"}]


def test_a_verdict_on_what_is_no_alert_is_not_kept(client):
    problem = assert_problem(client.post(VERDICTS, VERDICT_EXAMPLE | {"alert_id": "none"}), 404, "not-found")
    assert problem["detail"] == "no alert 'none'; list them first"
    assert client.desk.on_record().verdicts == ()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"who": "  "}, "the name of the person who judges"),
        ({"who": "Machine"}, "the name of the person who judges"),
        ({"why": "\u200b "}, "why is missing"),
    ],
    ids=["nobody", "a machine", "no reason"],
)
def test_a_verdict_by_nobody_or_without_a_reason_is_refused(client, said, words):
    problem = assert_problem(client.post(VERDICTS, VERDICT_EXAMPLE | said), 422, "invalid")
    assert words in problem["detail"]
    assert client.desk.on_record().verdicts == ()


# --- what is not there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES)
def test_before_the_lake_was_read_nothing_of_it_is_told(client, path):
    client.serving.analysts = None
    response = client.post(path, EXAMPLES[path])
    assert assert_problem(response, 503, "not-ready")["detail"] == "the lake is being read"
    assert response.headers["retry-after"] == "5"
    assert client.post(BY_ID, BY_ID_EXAMPLE).status_code == 200


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (CREDIT, "no credit-risk model serves: train one with `duecast train credit-risk`"),
        (CASH, "no cash-forecast model serves: train one with `duecast train cash-forecast`"),
        (ANOMALIES, "no anomalies model serves: train one with `duecast train anomalies`"),
        (VERDICTS, "no anomalies model serves: train one with `duecast train anomalies`"),
    ],
)
def test_without_its_model_a_question_is_answered_by_the_command_that_trains_one(make_client, path, command):
    client = make_client(analysts=Analysts({}, Book(Facts.of({}))))
    assert assert_problem(client.post(path, EXAMPLES[path]), 503, "not-ready")["detail"] == command


@pytest.mark.parametrize("path", [WORKLIST, KPIS])
def test_on_an_empty_lake_what_needs_no_model_is_told_so(make_client, path):
    client = make_client(analysts=Analysts({}, Book(Facts.of({}))))
    question = {name: value for name, value in EXAMPLES[path].items() if name != "as_of"}
    problem = assert_problem(client.post(path, question), 404, "not-found")
    assert problem["detail"] in ("no entity 'US01'; there are: none", "the ledger is empty; ingest some invoices first")


@pytest.mark.parametrize("path", [ANOMALIES, VERDICTS])
def test_with_the_store_out_of_reach_alerts_are_refused_and_the_rest_goes_on(make_client, tmp_path, path):
    (tmp_path / "file").write_text("")
    client = make_client(state_url=f"sqlite:///{tmp_path}/file/state.db")
    response = client.post(path, EXAMPLES[path])
    assert_problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "10"
    assert {client.post(p, EXAMPLES[p]).status_code for p in SAY_STALE} == {200}


# --- stale feeds, versions, lanes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SAY_STALE)
def test_answers_say_which_feeds_are_silent(client, path):
    assert client.post(path, EXAMPLES[path]).json()["stale"] == []
    client.serving.stale = ("bank: silent since yesterday",)
    assert client.post(path, EXAMPLES[path]).json()["stale"] == ["bank: silent since yesterday"]


def test_the_worklist_is_made_with_what_is_known_of_the_feeds(client):
    client.serving.stale = ("bank: silent since yesterday",)
    told = client.post(WORKLIST, WORKLIST_EXAMPLE).json()["worklist"]
    assert told["rows"] == []
    assert told["held"][0]["holds"][0]["reason"] == "bank: silent since yesterday"


def test_feeds_that_fall_silent_while_a_list_is_made_are_not_told_with_it(client):
    """Otherwise an answer would list contacts and say that it must not."""

    def fall_silent() -> None:
        client.serving.stale = ("bank: silent since yesterday",)

    client.serving.analysts.before = fall_silent
    answer = client.post(WORKLIST, WORKLIST_EXAMPLE).json()
    assert (len(answer["worklist"]["rows"]), answer["stale"]) == (1, [])


def test_a_question_keeps_the_analysts_that_it_began_with(client, make_client):
    newer = make_client().serving.analysts
    newer.version = 3

    def swap() -> None:
        client.serving.analysts = newer

    client.serving.analysts.before = swap
    versions = [client.post(CREDIT, CREDIT_EXAMPLE).headers["x-model-version"] for _ in range(2)]
    assert versions == ["credit-risk/2", "credit-risk/3"]


def test_a_slow_study_holds_up_no_prediction_and_no_delivery(make_client):
    event = threading.Event()
    client = make_client(studies=Lane(limit=1, threads=1))
    client.serving.analysts.before = lambda: event.wait(10)
    study, prediction = ("POST", CREDIT, {"json": CREDIT_EXAMPLE}), ("POST", BY_ID, {"json": BY_ID_EXAMPLE})
    client.serving.predictor.before = event.set
    began = time.monotonic()
    responses = client.ask_all([study, prediction])
    assert [r.status_code for r in responses] == [200, 200]
    assert time.monotonic() - began < 5, "the study ended because the prediction was answered"


def test_a_full_queue_of_studies_sends_the_next_one_away_and_predictions_go_on(make_client):
    event = threading.Event()
    client = make_client(studies=Lane(limit=1, threads=1))
    client.serving.analysts.before = lambda: event.wait(10)
    threading.Timer(0.5, event.set).start()
    study, prediction = ("POST", KPIS, {"json": KPI_EXAMPLE}), ("POST", BY_ID, {"json": BY_ID_EXAMPLE})
    *studies, told = client.ask_all([study] * 4 + [prediction])
    assert sorted(r.status_code for r in studies) == [200, 200, 503, 503]
    assert told.status_code == 200
    for response in studies:
        if response.status_code == 503:
            assert_problem(response, 503, "busy")


def test_a_study_that_takes_too_long_is_given_up(make_client):
    event = threading.Event()
    client = make_client(studies=Lane(limit=1, deadline=0.05))
    client.serving.analysts.before = lambda: event.wait(10)
    assert_problem(client.post(CASH, CASH_EXAMPLE), 504, "timeout")
    event.set()


def test_a_failure_of_ours_says_nothing_but_that(client, caplog):
    def fail() -> None:
        raise KeyError("customer Müller owes 17")

    client.serving.analysts.before = fail
    assert set(assert_problem(client.post(CREDIT, CREDIT_EXAMPLE), 500, "internal")) == {"type", "title", "status"}
    assert "Müller" not in caplog.text


@pytest.mark.parametrize("path", EXAMPLES)
def test_a_key_is_needed_where_there_are_keys(keyed, key, path):
    assert_problem(keyed.post(path, EXAMPLES[path]), 401, "unauthenticated")
    assert keyed.saying(authorization=f"Bearer {key}").post(path, EXAMPLES[path]).status_code == 200
