"""How fast the service answers: `python tests/bench/bench_service.py [--customers N] [--requests N] [--json OUT]`.

Simulates a ledger, trains on a part of it, registers the model, starts the real service on loopback and asks it over
kept-alive connections; figures are what the caller waits, in milliseconds. `livez` is the floor: no work behind it.

`--beside` asks for payment dates while studies run instead: the first one of each kind, which has everything to do.
"""

import argparse
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from features.tables import TABLES
from models.payment_date import train
from models.registry import Lineage, register
from pipelines.anomaly_training import train_anomalies
from pipelines.cash_training import train_cash
from services.endpoints import INLINE_EXAMPLE
from services.launcher import Running, free_port, running
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.settings import Settings, read_settings

TRAINED_ON = 8_000
CROWD = 8
BULK = 100
JSON = {"content-type": "application/json"}
BY_ID = "/v1/payment-date/by-id"
STUDIES = {
    "alerts": ("/v1/anomalies", {}),
    "cash": ("/v1/cash-forecast", {}),
    "kpis": ("/v1/kpis/collections", {"by": "customer"}),
    "worklist": ("/v1/worklist", {"entity_id": "US01"}),
}


def prepared(folder: Path, customers: int, *, studies: bool = False) -> tuple[Settings, list[str]]:
    """A lake and champions under `folder`; the settings to serve them, and open invoices of US01."""
    world = simulate(WorldOptions(customers=customers))
    facts = Facts.of(world.facts).before(world.now())
    lake = Lake(folder / "lake")
    for table in TABLES:
        lake.append(table, facts.tables[table.name])
    book = Book(facts)
    issued = book.at_issue(date(2000, 1, 1), date(2100, 1, 1))
    frame = book.features(issued.sample(min(TRAINED_ON, len(issued)), seed=7))
    model = train(book.labelled(frame, world.now()), book.feature_names, seed=7)
    lineage = Lineage((issued["issue_date"].min(), issued["issue_date"].max()), lake.table_versions(), {}, {})
    register(model, frame, lineage, mlruns=folder / "mlruns")
    if studies:
        train_anomalies(lake, folder / "mlruns")
        train_cash(lake, folder / "mlruns", seed=7)
    settings = read_settings({}, lake=folder / "lake", mlruns=folder / "mlruns", port=free_port(), queue_limit=1000)
    return settings, book.open_receivables(book.last_known(), "US01")["invoice_id"].unique().sort().to_list()


def waits(
    settings: Settings, method: str, path: str, bodies: Callable[[int], bytes | None], requests: int
) -> list[float]:
    """Milliseconds of each request on one connection, after a tenth of them to warm up."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=60)
    took = []
    for number in range(requests + requests // 10):
        began = time.perf_counter()
        connection.request(method, path, bodies(number), JSON)
        answer = connection.getresponse()
        content = answer.read()
        took.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{method} {path} answered {answer.status}: {content[:300]!r}")
    connection.close()
    return took[requests // 10 :]


def measured(service: Running, ids: list[str], requests: int) -> dict[str, float]:
    """Name -> milliseconds, or requests a second."""

    def by_id(number: int, count: int = 1) -> bytes:
        some = [ids[(number * count + k) % len(ids)] for k in range(min(count, len(ids)))]
        return json.dumps({"entity_id": "US01", "invoice_ids": some}).encode()

    inline = json.dumps(INLINE_EXAMPLE).encode()
    cases = {
        "livez": ("GET", "/livez", lambda _: None, requests),
        "by_id": ("POST", BY_ID, by_id, requests),
        f"by_id_{BULK}": ("POST", BY_ID, lambda n: by_id(n, BULK), max(requests // 10, 10)),
        "inline": ("POST", "/v1/payment-date/inline", lambda _: inline, max(requests // 10, 10)),
    }
    found = {}
    for name, case in cases.items():
        found |= {f"{name}.{key}": value for key, value in quantiles(waits(service.settings, *case)).items()}
    began = time.perf_counter()
    with ThreadPoolExecutor(CROWD) as pool:
        crowd = [pool.submit(waits, service.settings, *cases["by_id"][:3], requests // CROWD) for _ in range(CROWD)]
        together = [wait for asked in crowd for wait in asked.result()]
    found |= {f"by_id_{CROWD}_connections.{key}": value for key, value in quantiles(together).items()}
    found[f"by_id_{CROWD}_connections.per_second"] = len(together) * 1.1 / (time.perf_counter() - began)
    return found


def beside(service: Running, ids: list[str], requests: int) -> dict[str, float]:
    """Name -> milliseconds of one prediction after the other: alone, and while each study runs."""

    def asked(number: int) -> bytes:
        return json.dumps({"entity_id": "US01", "invoice_ids": [ids[number % len(ids)]]}).encode()

    found = {f"alone.{k}": v for k, v in quantiles(waits(service.settings, "POST", BY_ID, asked, requests)).items()}
    with ThreadPoolExecutor(1) as pool:
        for name, (path, question) in STUDIES.items():
            body = json.dumps(question).encode()
            study = pool.submit(waits, service.settings, "POST", path, lambda _, body=body: body, 1)
            together = waits_until(study, service.settings, asked)
            told = quantiles(together) | {"predictions": len(together), "study_s": study.result()[0] / 1000}
            found |= {f"beside_{name}.{key}": value for key, value in told.items()}
    return found


def waits_until(study: Future[list[float]], settings: Settings, bodies: Callable[[int], bytes]) -> list[float]:
    """Milliseconds of one prediction after the other until `study` is done."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=60)
    took: list[float] = []
    while not study.done():
        began = time.perf_counter()
        connection.request("POST", BY_ID, bodies(len(took)), JSON)
        connection.getresponse().read()
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return took


def quantiles(milliseconds: list[float]) -> dict[str, float]:
    """p50, p90, p99 and the worst."""
    p50, p90, p99 = np.quantile(milliseconds, [0.5, 0.9, 0.99])
    return {"p50_ms": float(p50), "p90_ms": float(p90), "p99_ms": float(p99), "max_ms": max(milliseconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings, ids = prepared(Path(folder), given.customers, studies=given.beside)
        began = time.perf_counter()
        with running(settings) as service:
            alive = time.perf_counter() - began
            service.wait_until_ready(300)
            found = {"start.alive_s": alive, "start.ready_s": time.perf_counter() - began}
            found |= (beside if given.beside else measured)(service, ids, given.requests)
    grid = Grid("figure", "value")
    for name, value in found.items():
        grid.add_row(name, f"{value:.2f}")
    Console().print(grid)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
