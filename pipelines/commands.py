"""What each command of `pipelines.cli` does: open what it needs, run it, show the result."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from features.book import Book
from features.errors import BadSetting, NotFound, SourceError
from features.facts import Facts
from features.lake import Lake
from models import registry
from models.report import JSON, json_text, terminal_table, write
from pipelines.connectors.rest import RestClient
from pipelines.connectors.web import tell_retries
from pipelines.evaluate import History, book_of_files, evaluate_book
from pipelines.ingest import ingest_files, ingest_rest
from pipelines.landscape import System, load_landscape
from pipelines.mapping import load
from pipelines.quarantine import write_quarantine
from pipelines.run_report import RunReport, render
from pipelines.score import score
from pipelines.score import write as write_predictions
from pipelines.screen import Bars, console, prediction_table
from pipelines.system_ingest import ingest_system
from pipelines.train import train
from services.freshness import stale
from services.settings import quieten, read_settings
from services.store import Store

SHOWN = 20


def ingest_into(
    *,
    data: Path | None,
    url: str | None,
    mapping: str,
    token_file: Path | None,
    quarantine: Path | None,
    lake: str | None,
) -> None:
    """Ingest a folder or an API, write what was set aside where asked, and show the run report."""
    tell_retries()
    settings = read_settings(lake=lake)
    screen, declared, now = console(), load(mapping), datetime.now(UTC)
    into = Lake(settings.lake)
    with Store(settings.state_url) as store, Bars(screen) as bars:
        if data is not None:
            report = ingest_files(data, declared, into, store, now=now, progress=bars)
        else:
            with RestClient(str(url), _token(token_file)) as client:
                report = ingest_rest(client, declared, into, store, now=now, progress=bars)
        if quarantine is not None:
            write_quarantine(store, report.run_id, quarantine)
    _tell(screen, report, quarantine)
    screen.print(f"Lake: {settings.lake}. Next: duecast train")


def ingest_system_into(name: str, *, landscape: Path | None, quarantine: Path | None, lake: str | None) -> None:
    """Ingest a system of the landscape, and show what landed.

    `SourceError` at the end names bank files that could not be read and statements that are missing.
    """
    tell_retries()
    settings = read_settings(lake=lake, landscape=landscape)
    screen, systems = console(), load_landscape(settings.landscape)
    with Store(settings.state_url) as store, Bars(screen) as bars:
        done = ingest_system(systems, name, Lake(settings.lake), store, clock=lambda: datetime.now(UTC), progress=bars)
        if quarantine is not None:
            write_quarantine(store, done.run.run_id, quarantine)
    _tell(screen, done.run, quarantine)
    screen.print(f"Lake: {settings.lake}. Next: {_next(systems.system(name), done.run)}")
    if done.complaints:
        raise SourceError("; ".join(done.complaints))


def _next(system: System, run: RunReport) -> str:
    if run.counts.quarantined:
        return "duecast errors list"
    return "duecast dispatch" if system.hubspot is not None else "duecast train, duecast score"


def train_and_register(*, lake: str | None, mlruns: Path | None, report: Path, seed: int) -> None:
    """Train, register, promote, and show the backtest."""
    quieten()
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen = console()
    with screen.status("training") as status:
        done = train(Lake(settings.lake), settings.mlruns, report, seed=seed, step=status.update)
    screen.print(terminal_table(done.evaluation))
    screen.print(f"Champion: {done.version.label}. Report: {report / 'report.md'}. Next: duecast score, duecast serve")


def evaluate_ledger(
    *,
    data: Path | None,
    mapping: str | None,
    quarantine: Path | None,
    cutoff: date | None,
    until: date | None,
    origins: int,
    late_days: int,
    history: History,
    report: Path,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
    seed: int,
) -> None:
    """Evaluate on files or the lake; show the table, write the report, log it to MLflow."""
    quieten()
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen = console()
    book = _book(data, mapping, quarantine, settings.lake)
    with screen.status("evaluating"):
        found = evaluate_book(
            book, cutoff=cutoff, until=until, origins=origins, late_days=late_days, history=history, seed=seed
        )
        write(found, report)
        registry.record_evaluation(found.data, found.metrics, report, mlruns=settings.mlruns)
    screen.print(terminal_table(found))
    if json_out is not None:
        json_out.write_text(json_text(found), encoding="utf-8")
    screen.print(f"Report: {report / 'report.md'}, {JSON} and pictures beside it")


def score_lake(
    *,
    as_of: date | None,
    entity: str | None,
    invoices: Sequence[str],
    out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Score what is open, write all of it where asked, show the first rows, and say which feeds are silent."""
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen = console()
    told = score(Lake(settings.lake), settings.mlruns, as_of=as_of, entity=entity, invoices=invoices)
    if out is not None:
        write_predictions(told, out)
    shown = told if invoices else sorted(told, key=lambda p: -(p.p_late or 0.0))[:SHOWN]
    screen.print(prediction_table(shown, f"{len(shown)} of {len(told)} open receivables, the likeliest late first"))
    for silence in stale(settings.state_url, now=datetime.now(UTC)):
        screen.print(f"[yellow]![/yellow] stale: {escape(silence)}")
    screen.print("All of them: duecast score --out predictions.parquet" if out is None else f"Written: {out}")


def _book(data: Path | None, mapping: str | None, quarantine: Path | None, lake: str) -> Book:
    if data is None or mapping is None:
        return Book(Facts.read(Lake(lake)))
    screen = console()
    with Bars(screen) as bars:
        book, report = book_of_files(data, mapping, bars, quarantine=quarantine)
    _tell(screen, report, quarantine)
    return book


def _tell(screen: Console, report: RunReport, quarantine: Path | None) -> None:
    screen.print(render(report))
    if quarantine is not None:
        screen.print(f"Set aside: {quarantine}")


def _token(file: Path | None) -> str:
    if file is None:
        raise NotFound("--url needs --token-file: a file that holds the API's token")
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NotFound(f"--token-file {file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise BadSetting(f"--token-file {file} is not text; allowed: a file that holds the API's token") from None
