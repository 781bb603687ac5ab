"""kill -9 at random moments of ingest and dispatch: nothing is lost, nothing is doubled. `--kills N` says how often."""

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from features.lake import Lake
from features.tables import TABLES
from services.database import Database
from services.outbox import Fate, NewMessage, Outbox
from services.sandbox.erp import serving
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

ROOT = Path(__file__).parents[2]
MESSAGES = 60

INGEST = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from features.lake import Lake
from pipelines.connectors.rest import RestClient
from pipelines.ingest import ingest_rest
from pipelines.mapping import load
from services.store import Store
url, token, state, number = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
print("ready", flush=True)
now = datetime(2026, 2, 1, 0, 0, number % 60, number, tzinfo=UTC)
with Store(f"sqlite:///{state / 'store.db'}") as store, RestClient(url, token) as client:
    ingest_rest(client, load("sandbox"), Lake(state / "lake"), store, now=now, batch_records=200)
"""

DISPATCH = """
import json, sys, time
from datetime import UTC, datetime, timedelta
from random import Random
from pipelines.connectors.web import Retries, Web
from pipelines.dispatch import Dispatcher, Patience
from services.circuits import Circuits
from services.database import Database
from services.outbox import Outbox

class Ledger:
    def __init__(self, web):
        self.web = web
    def deliver(self, message):
        found = json.loads(self.web.fetch("GET", "/documents", params={"reference": message.idempotency_key}).body)
        if not found:
            body = json.dumps({"reference": message.idempotency_key, **message.payload}).encode()
            found = [json.loads(self.web.fetch("POST", "/documents", body=body, allowed=(201,)).body)]
        return found[0]

url, state = sys.argv[1:3]
print("ready", flush=True)
box, patience = Outbox(Database(state)), Patience(first=timedelta(milliseconds=20), lease=timedelta(milliseconds=400))
with Web(url, {}) as web:
    circuits = Circuits(Database(state))
    clock = lambda: datetime.now(UTC)
    dispatcher = Dispatcher(box, circuits, {"erp": Ledger(web)}, clock=clock, rng=Random(), patience=patience)
    while box.next_due() is not None:
        dispatcher.run()
        time.sleep(0.02)
"""


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


def killed_now_and_then(program: list[str], kills: int, longest_seconds: float, seed: int) -> None:
    """Start `program` `kills` times and kill it at a random moment of its work; then let it end."""
    rng = random.Random(seed)
    for number in range(kills + 1):
        command = [sys.executable, "-c", *program, str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            if number < kills:
                time.sleep(rng.uniform(0, longest_seconds))
                process.kill()
            else:
                assert process.wait(timeout=240) == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_ingest_may_die_at_any_moment(tmp_path: Path, kills: int) -> None:
    world = simulate(WorldOptions(customers=20 + kills // 2, years=1))
    with serving(world) as served:
        program = [INGEST, served.base_url, served.token, str(tmp_path)]
        killed_now_and_then(program, kills, longest_seconds=0.6, seed=3)
    lake, until = Lake(tmp_path / "lake"), world.now(world.options.today)
    for table in TABLES:
        truth = world.facts[table.name].drop("digest")
        order = [*table.key, "known_at"]
        landed = lake.versions(table).collect().drop("digest").sort(order)
        assert landed.equals(truth.filter(truth["known_at"] <= until).sort(order)), table.name


class Ledger(ThreadingHTTPServer):
    """An ERP that knows no idempotency keys and takes its time: it stores a document for every POST."""

    def __init__(self, path: Path) -> None:
        super().__init__(("127.0.0.1", 0), Documents)
        self.path, self.lock, self.rng = path, threading.Lock(), random.Random(5)
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE document (number INTEGER PRIMARY KEY, reference TEXT, amount TEXT)")


class Documents(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Ledger

    def do_GET(self) -> None:
        reference = parse_qs(urlsplit(self.path).query)["reference"][0]
        with self.server.lock, sqlite3.connect(self.server.path) as connection:
            rows = connection.execute("SELECT number FROM document WHERE reference = ?", [reference]).fetchall()
        self._answer(200, [{"number": number} for (number,) in rows])

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.rng.uniform(0, 0.01))
        with self.server.lock, sqlite3.connect(self.server.path) as connection:
            made = connection.execute(
                "INSERT INTO document (reference, amount) VALUES (?, ?)", [told["reference"], told["amount"]]
            )
        time.sleep(self.server.rng.uniform(0, 0.01))
        self._answer(201, {"number": made.lastrowid})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # the other side was killed
            self.close_connection = True


@contextmanager
def ledger(path: Path) -> Iterator[str]:
    with Ledger(path) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_dispatch_may_die_at_any_moment(tmp_path: Path, kills: int) -> None:
    state, now = f"sqlite:///{tmp_path / 'state.db'}", datetime.now(UTC) - timedelta(minutes=1)
    database = Database(state)
    box = Outbox(database)
    count = MESSAGES + 8 * kills
    for n in range(count):
        new = NewMessage("erp", f"invoice {n % 40}", "apply_cash", f"cash-{n}", {"amount": f"{n}.00"}, "test")
        box.put(new, now=now)
    with ledger(tmp_path / "erp.db") as url:
        killed_now_and_then([DISPATCH, url, state], kills, longest_seconds=0.9, seed=4)
    assert box.counts() == {("erp", Fate.DELIVERED): count}
    with sqlite3.connect(tmp_path / "erp.db") as connection:
        made = connection.execute("SELECT number, reference, amount FROM document ORDER BY number").fetchall()
    assert len(made) == count == len({reference for _, reference, _ in made})
    assert {reference: amount for _, reference, amount in made} == {f"cash-{n}": f"{n}.00" for n in range(count)}
    numbers = {int(reference.removeprefix("cash-")): number for number, reference, _ in made}
    for document in range(40):
        of_document = [numbers[n] for n in range(document, count, 40)]
        assert of_document == sorted(of_document), "in the order in which they were put"
    results = {m.idempotency_key: m.result for m in box.messages(limit=count)}
    assert results == {reference: {"number": number} for number, reference, _ in made}
    database.close()
