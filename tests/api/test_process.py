"""The real thing: a trained model, MLflow, BentoML's processes, HTTP over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from features.book import Book
from features.errors import BadSetting, StateError
from features.facts import Facts
from features.kpis.engine import collection_kpis
from features.lake import Lake
from features.tables import CUSTOMER, TABLES
from models.champion import ModelVersion
from models.payment_date import PaymentDateModel, train
from models.registry import Lineage, promote, register
from models.worklist.effect import why_not_learnt
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import worklist
from pipelines.cli import run
from services.endpoints import INLINE_EXAMPLE
from services.freshness import NO_STORE
from services.launcher import Running, free_port, running
from services.predictor import predictions
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.settings import Settings, read_settings
from services.signatures import sealed

pytestmark = pytest.mark.slow

BY_ID = "/v1/payment-date/by-id"
SECRET = b"the secret that the ERP shares with us"


@dataclass(frozen=True)
class Place:
    """A lake, a registered model, and both in memory."""

    settings: Settings
    book: Book
    model: PaymentDateModel
    version: ModelVersion
    lineage: Lineage
    frame: Any

    def open_invoices(self, entity_id: str = "US01") -> list[str]:
        found = self.book.open_receivables(self.book.last_known(), entity_id)
        return found["invoice_id"].unique(maintain_order=True).to_list()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    world = simulate(WorldOptions(customers=8, years=1, invoices_per_customer_year=25.0))
    facts = Facts.of(world.facts).before(world.now())
    lake = Lake(folder / "lake")
    for table in TABLES:
        lake.append(table, facts.tables[table.name])
    book = Book(Facts.read(lake))
    frame = book.features(book.at_issue(date(2000, 1, 1), date(2100, 1, 1)))
    model = train(book.labelled(frame, world.now()), book.feature_names, seed=7)
    lineage = Lineage((date(2025, 1, 1), date(2026, 1, 4)), lake.table_versions(), {"seed": 7}, {"days.mae": 1.0})
    version = register(model, frame, lineage, mlruns=folder / "mlruns")
    (folder / "erp.secret").write_bytes(SECRET)
    settings = read_settings(
        {},
        lake=folder / "lake",
        mlruns=folder / "mlruns",
        state_url=f"sqlite:///{folder}/state.db",
        webhook_secrets=f"erp={folder / 'erp.secret'}",
        port=free_port(),
        body_limit=100_000,
    )
    return Place(settings, book, model, version, lineage, frame)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("output") / "service.log"


@pytest.fixture(scope="module")
def service(place: Place, output: Path) -> Iterator[Running]:
    with output.open("wb") as file, running(place.settings, output=file) as service:
        service.wait_until_ready(60)
        yield service


@pytest.fixture(scope="module")
def http(service: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


def test_alive_ready_and_serving_what_was_registered(http, place):
    assert http.get("/livez").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready", "model": "payment-date/1"}
    card = http.get("/v1/model").json()
    assert card["digest"] == place.version.digest
    assert card["lake_versions"] == place.version.lake_versions
    assert card["features"] == len(place.model.feature_names)


def test_the_service_answers_what_the_model_answers_to_the_last_bit(http, place):
    ids = place.open_invoices()
    answer = http.post(BY_ID, json={"entity_id": "US01", "invoice_ids": ids, "as_of": "2026-01-05"}).json()
    as_of = place.book.day_start(date(2026, 1, 5), "US01")
    subjects = place.book.open_receivables(as_of, "US01")
    said = {(p.invoice_id, p.instalment): p for p in place.model.predictions(place.book.features(subjects))}
    assert len(answer["predictions"]) == len(said) > 5
    for told in answer["predictions"]:
        own = said[told["invoice_id"], told["instalment"]]
        assert (told["p_late"], told["p_beyond"]) == (own.p_late, own.p_beyond)
        assert (told["ageing"], told["paid_by"]) == (own.ageing, own.paid_by)
        assert [(r["name"], r["days"]) for r in told["reasons"]] == [(r.name, r.days) for r in own.reasons]
        days = (own.expected_date, own.p10, own.p50, own.p90, own.typical_date)
        shown = [told[name] for name in ("expected_date", "p10", "p50", "p90", "typical_date")]
        assert shown == [day.isoformat() if day else None for day in days]


def test_asked_one_by_one_it_says_what_a_batch_says_ids_and_all(http, place):
    batch = place.book.features(place.book.open_receivables(place.book.last_known()))
    said = {(p.entity_id, p.invoice_id): p for p in predictions(place.version, place.model, batch)}
    for invoice in place.open_invoices():
        [told] = http.post(BY_ID, json={"entity_id": "US01", "invoice_ids": [invoice]}).json()["predictions"]
        assert told == json.loads(msgspec.json.encode(said["US01", invoice]))


def test_the_documented_inline_example_works(http):
    document = http.get("/v1/openapi.json").json()
    body = document["paths"]["/v1/payment-date/inline"]["post"]["requestBody"]
    answer = http.post("/v1/payment-date/inline", json=body["content"]["application/json"]["example"])
    assert answer.status_code == 200
    assert [p["invoice_id"] for p in answer.json()["predictions"]] == INLINE_EXAMPLE["predict"]


def test_key_figures_and_the_worklist_need_none_of_the_other_models(http, place):
    day = date(2026, 1, 5)
    figures = http.post("/v1/kpis/collections", json={"as_of": day.isoformat(), "by": "collector"})
    assert figures.json()["kpis"] == as_sent(collection_kpis(place.book, day, by="collector"))

    asked = http.post("/v1/worklist", json={"entity_id": "US01", "as_of": day.isoformat()})
    settings = WorklistSettings()
    why = why_not_learnt(place.book, settings.horizon_days)
    as_of = place.book.day_start(day, "US01")
    made = worklist(place.book, as_of, place.model, None, settings, entity_id="US01", not_learnt=why)
    assert asked.json()["worklist"] == as_sent(made)
    assert (asked.json()["model"], asked.headers["x-model-version"]) == (None, "none")
    assert made.rows

    refused = http.post("/v1/credit-risk/by-id", json={"entity_id": "US01", "customer_ids": ["C"]})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:duecast:problem:not-ready")
    assert "`duecast train credit-risk`" in refused.json()["detail"]


def as_sent(answer: Any) -> Any:
    return json.loads(msgspec.json.encode(answer))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/healthz", 404),
        ("GET", "/docs.json", 404),
        ("GET", "/schema.json", 404),
        ("GET", "/static_content/index.html", 404),
        ("POST", "/metrics", 415),
        ("PUT", "/v1/model", 415),
        ("GET", BY_ID, 405),
    ],
)
def test_every_refusal_is_a_problem_document_with_our_headers(http, method, path, status):
    response = http.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.headers["x-model-version"] == "payment-date/1"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "server" not in response.headers


def test_the_front_page_is_ours(http):
    page = http.get("/")
    assert "googletagmanager" not in page.text
    assert "payment-date/1 answers" in page.text


def test_metrics_have_bounded_labels(http):
    http.get("/nope/" + "x" * 40)
    text = http.get("/metrics").text
    assert 'duecast_request_seconds_count{path="other",status="404"}' in text
    assert "xxxx" not in text


def test_a_signed_webhook_is_kept_by_the_service_and_landed_by_the_command(http, place, monkeypatch, capfd):
    name, value = "Webhook AG", {"id": "HOOK-1", "company": "US01", "changed_at": "2026-01-02T09:00:00Z"}
    body = json.dumps({"table": "customer", "records": [value | {"name": name}]}).encode()
    headers = sealed(SECRET, "delivery-1", body, at=datetime.now(UTC)) | {"content-type": "application/json"}
    answers = [http.post("/v1/webhooks/erp", content=body, headers=headers) for _ in range(2)]
    assert [(a.status_code, a.json()["status"]) for a in answers] == [(202, "new"), (202, "known")]
    assert http.post("/v1/webhooks/erp", content=body + b" ", headers=headers).status_code == 401
    assert 'duecast_integration_webhooks_waiting{source="erp"} 1.0' in http.get("/v1/metrics/integration").text

    monkeypatch.setenv("DUECAST_STATE_URL", place.settings.state_url)
    assert run(["hooks", "--lake", place.settings.lake]) == 0
    assert "erp: all deliveries have landed" in capfd.readouterr().out
    customers = Lake(place.settings.lake).versions(CUSTOMER).collect()
    assert customers.filter(customer_id="HOOK-1")["name"].to_list() == [name]
    assert 'duecast_integration_webhooks_waiting{source="erp"} 0.0' in http.get("/v1/metrics/integration").text


def test_answers_say_whether_the_feeds_are_alive(http, place):
    ids = place.open_invoices()[:1]
    told = http.post(BY_ID, json={"entity_id": "US01", "invoice_ids": ids}).json()["stale"]
    assert told in ([], [NO_STORE]), "which of the two hangs on when the watch last looked"


def test_a_secret_that_cannot_be_read_is_named_before_anything_starts(empty, tmp_path):
    astray = replace(empty, webhook_secrets={"erp": (tmp_path / "none",)})
    with pytest.raises(BadSetting, match="DUECAST_WEBHOOK_SECRETS: file 1 of erp cannot be read"), running(astray):
        raise AssertionError("never entered")


def test_an_endless_body_is_cut_off(service):
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 65_536

    began = time.monotonic()
    try:
        response = httpx.post(service.url + BY_ID, content=endless(), headers={"content-type": "application/json"})
    except httpx.WriteError:
        pass  # the server closed the connection while we were still sending
    else:
        assert response.status_code == 413
    assert time.monotonic() - began < 10
    assert httpx.get(service.url + "/livez").status_code == 200


def test_bytes_that_are_not_http_do_no_harm(service):
    with socket.create_connection((service.settings.host, service.settings.port), timeout=5) as wire:
        wire.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.1 400")
    assert httpx.get(service.url + "/livez").status_code == 200


def test_nothing_that_was_asked_is_written_down(http, output):
    http.post(BY_ID, json={"entity_id": "Geheim GmbH", "invoice_ids": ["RE-4711"]})
    http.post(BY_ID, json={"entity_id": "Geheim GmbH", "invoice_ids": 4711})
    http.post(BY_ID, content=b'{"entity_id": "Geheim', headers={"content-type": "application/json"})
    written = output.read_text()
    assert "serving model=payment-date/1" in written
    assert not [word for word in ("Geheim", "4711", "Traceback", BY_ID) if word in written]


def test_a_promotion_under_load_loses_no_request_and_the_lake_follows(service, place):
    """The last test of the shared service, since it leaves another version serving."""
    ids, seen, stop = place.open_invoices()[:2], [], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=service.url, timeout=30) as client:
            while not stop.is_set():
                response = client.post(BY_ID, json={"entity_id": "US01", "invoice_ids": ids})
                seen.append((response.status_code, response.headers["x-model-version"], response.json()["model"]))

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    second = register(place.model, place.frame, place.lineage, mlruns=place.settings.mlruns)
    assert wait_for(lambda: httpx.get(service.url + "/readyz").json()["model"] == second.label)
    promote(place.settings.mlruns, 1)
    assert wait_for(lambda: httpx.get(service.url + "/readyz").json()["model"] == "payment-date/1")
    stop.set()
    for asker in askers:
        asker.join()
    assert {status for status, _, _ in seen} == {200}
    assert all(header == model for _, header, model in seen)
    assert {model for _, _, model in seen} == {"payment-date/1", "payment-date/2"}


def wait_for(done, seconds: float = 30) -> bool:
    latest = time.monotonic() + seconds
    while not done():
        if time.monotonic() > latest:
            return False
        time.sleep(0.1)
    return True


def processes_of(service: Running) -> list[psutil.Process]:
    supervisor = psutil.Process(service.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Settings of a service without a model or a lake."""
    return read_settings({}, lake=tmp_path / "lake", mlruns=tmp_path / "mlruns", port=free_port())


def test_without_a_model_it_is_alive_not_ready_and_ends_without_leaving_anything(empty):
    with running(empty) as service:
        family = processes_of(service)
        assert len(family) >= 2
        assert httpx.get(service.url + "/livez").status_code == 200
        answer = httpx.get(service.url + "/readyz")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:duecast:problem:not-ready")
        with pytest.raises(StateError, match=r"has no model to answer with within 0\.2 s"):
            service.wait_until_ready(0.2)
    assert not any(process.is_running() for process in family)
    with pytest.raises(httpx.ConnectError):
        httpx.get(service.url + "/livez")


def test_a_supervisor_that_is_killed_takes_its_worker_with_it(empty):
    with running(empty) as service:
        supervisor, *workers = processes_of(service)
        supervisor.kill()
        assert wait_for(lambda: not any(worker.is_running() for worker in workers), 10)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_serve_ends_on_sigterm_in_good_order_and_on_kill_without_orphans(empty, number, expected):
    code = "from services.launcher import serve; from services.settings import read_settings; serve(read_settings())"
    process = subprocess.Popen([sys.executable, "-c", code], env=empty.environment())
    assert wait_for(lambda: status(empty.url + "/livez") == 200)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(20) == expected
    assert wait_for(lambda: not any(member.is_running() for member in family), 15)


def status(url: str) -> int:
    try:
        return httpx.get(url).status_code
    except httpx.TransportError:
        return 0


def test_a_service_that_does_not_come_alive_in_time_is_given_up_and_ended(empty):
    def ours() -> set[psutil.Process]:
        return set(psutil.Process(os.getpid()).children(recursive=True))

    before = ours()
    with pytest.raises(StateError, match="did not come alive within 0 s"), running(replace(empty, start_seconds=0)):
        raise AssertionError("never entered")
    assert ours() <= before


def test_a_port_that_is_taken_is_named(empty):
    with socket.socket() as other:
        other.bind((empty.host, empty.port))
        other.listen()
        with pytest.raises(BadSetting, match=f"DUECAST_PORT is {empty.port}, which cannot be used"), running(empty):
            raise AssertionError("never entered")
