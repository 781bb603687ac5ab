"""Train on everything the lake knows and register the result with its evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.book import Book
from features.errors import BadInput
from features.facts import Facts
from features.lake import Lake
from models import payment_date, registry
from models.champion import ModelVersion
from models.evaluation import Evaluation, EvaluationSettings, evaluate
from models.payment_date import PaymentDateModel
from models.report import write

EVIDENCE_DAYS = 90
Step = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """What a training left behind: the registered version, and what its kind did on invoices it had not seen."""

    version: ModelVersion
    model: PaymentDateModel
    evaluation: Evaluation


def train(lake: Lake, mlruns: Path, report: Path, *, seed: int, step: Step = lambda _: None) -> Trained:
    """Backtest on the newest matured window, train on everything, register and promote.

    report  folder for the backtest's report; its figures and pictures go into the registry with the model
    step    told in words what begins

    `BadInput` where the lake is empty or too thin to learn from.
    """
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    book = Book(facts)
    step("backtest: train on the past, judge on what came after")
    evaluation = evaluate(book, learner(book, seed), evidence_window(book, seed))
    write(evaluation, report)
    step("training on everything")
    labelled = book.labelled(all_at_issue(book))
    model = learner(book, seed)(labelled, book.last_known())
    step("registering")
    days = labelled["cutoff_day"]
    lineage = registry.Lineage(
        data_window=(_day(days.min()), _day(days.max())),
        lake_versions=versions,
        params=model.about,
        metrics=evaluation.metrics,
        report_folder=report,
        learnt_before=book.last_known(),
    )
    frame = labelled.drop("paid_date", "cancelled", "observed_until")
    return Trained(registry.register(model, frame, lineage, mlruns=mlruns), model, evaluation)


def read_at_rest(lake: Lake) -> tuple[dict[str, int], Facts]:
    """All facts and the Delta versions they are of: read again where an ingest landed something in between."""
    while True:
        versions = lake.table_versions()
        facts = Facts.read(lake)
        if lake.table_versions() == versions:
            return versions, facts


def learner(book: Book, seed: int, *, use_open: bool = True) -> Callable[[pl.DataFrame, datetime], PaymentDateModel]:
    """What turns the LABELLED rows seen at issue before an instant into a model.

    It adds the same receivables seen again while they were open: served predictions are mostly about such ones.
    """

    def learn(at_issue: pl.DataFrame, before: datetime) -> PaymentDateModel:
        # a day more than UTC has: it may have begun already where an entity is
        again = book.seen_again(before.date() + timedelta(days=1)).filter(pl.col("cutoff") < before)
        rows = pl.concat([at_issue, book.labelled(book.features(again), before)])
        return payment_date.train(rows, book.feature_names, seed=seed, use_open=use_open)

    return learn


def all_at_issue(book: Book) -> pl.DataFrame:
    """The FEATURE frame of every receivable of the ledger, as known at its issue."""
    return book.features(book.at_issue(date.min, date.max))


def evidence_window(book: Book, seed: int) -> EvaluationSettings:
    """The newest `EVIDENCE_DAYS` days of issue whose invoices have mostly had time to be paid.

    Of 100 invoices paid so far, 95 were paid within the days that the window is kept away from the end.
    """
    issued = book.labelled(book.at_issue(date.min, date.max))
    wait = (issued["paid_date"] - issued["issue_date"]).dt.total_days().drop_nulls()
    if wait.is_empty():
        raise BadInput("nothing in the lake was ever paid: nothing to learn from; ingest payments first")
    ripe = timedelta(days=int(wait.quantile(0.95, "higher") or 0))
    last, first = _day(issued["observed_until"].max()), _day(issued["issue_date"].min())
    until = last - ripe
    cutoff = max(until - timedelta(days=EVIDENCE_DAYS), first + (until - first) * 2 // 3)
    if cutoff >= until:
        raise BadInput(
            f"the lake's invoices run from {first} to {last}: too short a history to hold any back for a test; "
            "ingest more history"
        )
    return EvaluationSettings(cutoff=cutoff, until=until, seed=seed)


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value
