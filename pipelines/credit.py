"""Credit risk of the lake's customers: train and register, score, limits, losses, explanations."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path

import polars as pl

from features.book import Book
from features.customer_catalogue import is_read
from features.customers import DefaultRule
from features.errors import BadInput, NotFound
from features.facts import Facts
from features.lake import Lake
from models import registry
from models.champion import CREDIT_RISK, ModelVersion, ready
from models.credit import backtest, risk_model
from models.credit.answers import CreditScore
from models.credit.backtest import CreditEvaluation
from models.credit.opinions import ScoredCustomers, scored
from models.credit.report import write_backtest
from models.credit.risk_model import CreditRiskModel
from pipelines.train import read_at_rest

ORIGINS, ORIGIN_MONTHS = 3, 3
ROOM_DAYS = 32
WHAT_TO_DO = (
    "To mend it: ingest a longer history, lower --late-days, or train on a portfolio table (duecast train credit-risk "
    "--data FILE --mapping M)"
)
Step = Callable[[str], None]


@dataclass(frozen=True)
class TrainedCredit:
    """What a training left behind: the registered version, the model, and what its kind did on later snapshots."""

    version: ModelVersion
    model: CreditRiskModel
    evaluation: CreditEvaluation


def train_credit_risk(
    lake: Lake,
    mlruns: Path,
    report: Path,
    *,
    rule: DefaultRule | None = None,
    seed: int,
    step: Step = lambda _: None,
) -> TrainedCredit:
    """Backtest over rolling origins, train on every snapshot with a closed window, register and promote.

    `BadInput` where the lake is empty, or too few of its customers ever went into default; it says what to do.
    """
    rule = rule or DefaultRule()
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    book = Book(facts)
    frame = snapshot_frame(book, rule)
    names = feature_names(book)
    outcomes = book.defaults(frame, rule)
    try:
        step("training on every snapshot with a closed window")
        model = risk_model.train(outcomes, names, rule, seed=seed)
        step("backtest: train on the past, judge on what came after")
        evaluation = evaluate_credit_risk(book, frame, rule, seed=seed)
    except BadInput as error:
        raise BadInput(f"{error}. {WHAT_TO_DO}") from None
    write_backtest(evaluation, report)
    step("registering")
    learnt = risk_model.learnable(outcomes)
    days = learnt["cutoff_day"].to_list()
    lineage = registry.Lineage(
        data_window=(days[0], days[-1]),
        lake_versions=versions,
        params=model.about,
        metrics=evaluation.metrics,
        report_folder=report,
        learnt_before=book.last_known(),
    )
    asked = learnt.drop("defaulted", "default_day", "default_reason")
    version = registry.register(model, asked, lineage, mlruns=mlruns, name=CREDIT_RISK, answer=CreditScore)
    return TrainedCredit(version, model, evaluation)


def evaluate_credit_risk(book: Book, frame: pl.DataFrame, rule: DefaultRule, *, seed: int) -> CreditEvaluation:
    """The backtest on the newest origins whose windows have closed."""
    last = book.last_known().astimezone(UTC).date()
    origins = backtest.newest_origins(frame, rule, origins=ORIGINS, months=ORIGIN_MONTHS, last=last)
    names = feature_names(book)
    return backtest.evaluate(
        book,
        frame,
        lambda known: risk_model.train(known, names, rule, seed=seed),
        rule,
        origins,
        names=names,
        seed=seed,
    )


def feature_names(book: Book) -> tuple[str, ...]:
    """Every feature of a customer that this ledger has and models read."""
    return tuple(declared.name for declared in book.prepared_customers.declarations if is_read(declared.name))


def snapshot_frame(book: Book, rule: DefaultRule) -> pl.DataFrame:
    """The customer FEATURE frame of every monthly snapshot of the ledger, with `default_cause`."""
    # a day more than UTC has: it may have begun already where an entity is
    until = date.fromordinal(book.last_known().date().toordinal() + ROOM_DAYS)
    subjects = book.snapshots(date(1900, 1, 1), until)
    return book.in_default(book.customer_features(subjects), rule)


def scored_customers(
    lake: Lake, mlruns: Path, *, as_of: date | None = None, entity: str | None = None, customer: str | None = None
) -> ScoredCustomers:
    """Every customer known as of a day (its start where each entity is), or of one entity, with the champion's scores.

    as_of  None: with all there is. `NotFound` without a champion or such customers
    """
    _, model = ready(mlruns, CREDIT_RISK)
    book = Book(Facts.read(lake))
    subjects = _subjects(book, as_of, entity)
    if customer is not None:
        subjects = subjects.filter(pl.col("customer_id") == customer)
    if subjects.is_empty():
        whom = f"customer {customer!r} is not" if customer else "no customer is"
        raise NotFound(f"{whom} known as of {as_of or 'now'}; choose another day, or ingest customers")
    return scored(book, model, subjects)


def _subjects(book: Book, as_of: date | None, entity: str | None) -> pl.DataFrame:
    if as_of is None:
        return book.customers_as_of(book.last_known(), entity)
    entities = [entity] if entity else book.zones["entity_id"].sort().to_list()
    return pl.concat([book.customers_as_of(book.day_start(as_of, name), name) for name in entities])
