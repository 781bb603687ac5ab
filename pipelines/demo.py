"""The whole way once, on a sandbox seller: what a newcomer sees first."""

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from rich.console import Console

from features.errors import StateError
from features.lake import Lake
from models.report import terminal_table
from pipelines.connectors.rest import RestClient
from pipelines.ingest import ingest_rest
from pipelines.mapping import load
from pipelines.run_report import render
from pipelines.score import score
from pipelines.screen import Bars, console, prediction_table, save_picture
from pipelines.train import train
from services.launcher import free_port, running
from services.sandbox.erp import serving
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.schemas import Answer, Prediction
from services.settings import Settings, quieten, read_settings
from services.store import Store

HOME = Path(".duecast/demo")
BIN = os.path.relpath(Path(sys.executable).parent)
PICTURE = "predictions.svg"
SHIFT_DAYS = WorldOptions().shift_days_before_today
SHOWN = 8
READY_SECONDS = 60
SEED = 7


def run(*, customers: int, keep: Path | None, stay: bool) -> None:
    """Sandbox, pull, train, serve, ask; what it made is in `keep`, or in `HOME`, which is made anew."""
    quieten()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    screen, home = console(), keep or HOME
    if keep is None:
        shutil.rmtree(home, ignore_errors=True)
    settings = read_settings(
        lake=home / "lake", mlruns=home / "mlruns", state_url=f"sqlite:///{home}/state.db", port=free_port()
    )
    with _step(screen, f"Simulating a seller with {customers} customers and three years of history"):
        world = simulate(WorldOptions(seed=SEED, customers=customers))
    with serving(world) as erp:
        screen.print(f"Its ERP answers at {erp.base_url}; pulling everything over HTTP")
        _pull(settings, erp.base_url, erp.token, screen)
        _train(settings, home, screen)
        with open(home / "service.log", "wb") as log, running(settings, output=log) as service:
            with _step(screen, f"Starting the service at {service.url}"):
                service.wait_until_ready(READY_SECONDS)
            _ask(settings, service.url, screen, home / PICTURE)
            stays = stay or sys.stdin.isatty()
            screen.print(_farewell(service.url, erp.base_url, home, stays=stays), soft_wrap=True)
            if stays:
                screen.print("[bold]Ctrl-C ends both services.[/bold]")
                _until_interrupted()


def _pull(settings: Settings, url: str, token: str, screen: Console) -> None:
    with Store(settings.state_url) as store, RestClient(url, token) as client, Bars(screen) as bars:
        report = ingest_rest(client, load("sandbox"), Lake(settings.lake), store, now=datetime.now(UTC), progress=bars)
    screen.print(render(report))


def _train(settings: Settings, home: Path, screen: Console) -> None:
    begun = time.monotonic()
    with screen.status("training") as status:

        def step(words: str) -> None:
            screen.print(f"  {words} ({time.monotonic() - begun:.0f} s)")
            status.update(words)

        done = train(Lake(settings.lake), settings.mlruns, home / "report", seed=SEED, step=step)
    screen.print(terminal_table(done.evaluation))
    screen.print(f"Registered and promoted: {done.version.label} ({time.monotonic() - begun:.0f} s)")


def _ask(settings: Settings, url: str, screen: Console, picture: Path) -> None:
    """Ask the service about a few open invoices, and hold its answers against the batch scorer's."""
    scored = score(Lake(settings.lake), settings.mlruns)
    chosen = _spread(scored)
    answered = [_by_id(url, p) for p in chosen]
    table = prediction_table(answered, f"{len(chosen)} of {len(scored)} open receivables, as the service answers")
    screen.print(table)
    save_picture(table, picture)
    if answered != chosen:
        raise StateError(
            "the service and the batch scorer answer differently about the same invoices; please report it"
        )
    screen.print("The service and `duecast score` agree to the last bit.")


def _by_id(url: str, p: Prediction) -> Prediction:
    question = {"entity_id": p.entity_id, "invoice_ids": [p.invoice_id]}
    answer = httpx.post(f"{url}/v1/payment-date/by-id", json=question, timeout=30, trust_env=False)
    answer.raise_for_status()
    told = msgspec.json.decode(answer.content, type=Answer).predictions
    return next(t for t in told if t.instalment == p.instalment)


def _spread(scored: Sequence[Prediction]) -> list[Prediction]:
    """A few predictions from hardly late to surely late."""
    ranked = sorted((p for p in scored if p.p_late is not None), key=lambda p: p.p_late or 0.0)
    places = sorted({round(k * (len(ranked) - 1) / (SHOWN - 1)) for k in range(SHOWN)})
    return [ranked[place] for place in places]


@contextmanager
def _step(screen: Console, words: str) -> Iterator[None]:
    begun = time.monotonic()
    with screen.status(words):
        yield
    screen.print(f"{words}: {time.monotonic() - begun:.1f} s")


def _until_interrupted() -> None:
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return


def _farewell(service: str, erp: str, home: Path, *, stays: bool) -> str:
    running = {
        f"{service}/": "the service: its pages, health and model",
        f"{service}/v1/openapi.json": "every endpoint, with examples that work",
        f"{erp}/healthz": "the sandbox ERP",
    }
    places = (running if stays else {}) | {
        f"{home}/report/report.md": "the backtest with its pictures",
        f"{home}/{PICTURE}": "the table above as a picture",
    }
    listed = "\n".join(f"  {place:<42} {what}" for place, what in places.items())
    return f"""
Look at
{listed}
  {BIN}/mlflow ui --backend-store-uri sqlite:///{home}/mlruns/mlflow.db

The sandbox's payers changed their ways {SHIFT_DAYS} days before its today, in the middle of the backtest.
No model can know that beforehand, hence intervals that hold less than they say; `make results`
shows the calm months too.

More of the same seller
  export DUECAST_LAKE={home}/lake
  export DUECAST_MLRUNS={home}/mlruns
  export DUECAST_STATE_URL=sqlite:///{home}/state.db
  {BIN}/duecast kpis collections --group-currency EUR           what is owed, and how long it takes
  {BIN}/duecast worklist                                        whom to contact today, and why
  {BIN}/duecast train anomalies, then {BIN}/duecast anomalies list
  {BIN}/duecast train cash-forecast, then {BIN}/duecast cash
  {BIN}/duecast train credit-risk, then {BIN}/duecast credit limits

Your own ledger
  copy pipelines/mappings/generic.yaml, name your columns in it, then
  {BIN}/duecast evaluate --data FOLDER --mapping YOUR.yaml      how well it would have done
  {BIN}/duecast ingest --data FOLDER --mapping YOUR.yaml
  {BIN}/duecast train, then {BIN}/duecast score and {BIN}/duecast serve
"""
