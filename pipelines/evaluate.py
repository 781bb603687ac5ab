"""How well Duecast would have done on a ledger: anyone's files, or the lake."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from models.evaluation import Evaluation, EvaluationSettings, evaluate
from pipelines.ingest import ingest_files
from pipelines.mapping import load
from pipelines.quarantine import write_quarantine
from pipelines.run_report import Progress, RunReport
from pipelines.train import evidence_window, learner
from services.store import Store

History = Literal["as-of", "frozen"]


def book_of_files(
    folder: Path, mapping: str, progress: Progress | None = None, *, quarantine: Path | None = None
) -> tuple[Book, RunReport]:
    """The ledger in `folder`, ingested into a lake that is thrown away afterwards, and the ingest's report.

    Its quarantine is thrown away too; `quarantine` is the file to keep it in.
    """
    with tempfile.TemporaryDirectory(prefix="duecast-evaluate-") as home:
        lake = Lake(Path(home) / "lake")
        with Store(f"sqlite:///{home}/state.db") as store:
            report = ingest_files(folder, load(mapping), lake, store, now=datetime.now(UTC), progress=progress)
            if quarantine is not None:
                write_quarantine(store, report.run_id, quarantine)
        return Book(Facts.read(lake)), report


def evaluate_book(
    book: Book,
    *,
    cutoff: date | None,
    until: date | None,
    origins: int = 1,
    late_days: int = 1,
    history: History = "as-of",
    seed: int = 7,
) -> Evaluation:
    """Backtest on `book`; without `cutoff` and `until`, on the newest window that has matured."""
    if cutoff is None or until is None:
        newest = evidence_window(book, seed)
        cutoff, until = cutoff or newest.cutoff, until or newest.until
    settings = EvaluationSettings(
        cutoff=cutoff, until=until, origins=origins, late_days=late_days, history=history, seed=seed
    )
    return evaluate(book, learner(book, seed), settings)
