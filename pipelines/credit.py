"""Credit risk of the lake's customers: train and register, score, limits, losses, explanations."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path

import polars as pl

from features.book import Book
from features.customers import DefaultRule
from features.errors import BadInput, NotFound
from features.exposures import exposures, open_orders
from features.facts import Facts
from features.lake import Lake
from features.recoveries import loss_share
from models import registry
from models.champion import CREDIT_RISK, ModelVersion, champion, load, verify
from models.credit import backtest, risk_model
from models.credit.answers import CreditScore
from models.credit.backtest import CreditEvaluation
from models.credit.counterfactuals import Counterfactual, counterfactuals
from models.credit.losses import ExpectedLoss, LossSettings, expected_losses
from models.credit.policy import BlockedOrder, CreditLimit, LimitSettings, blocked_orders, credit_limits
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


@dataclass(frozen=True)
class Customers:
    """Customers as of an instant with the champion's scores. `frame`: the customer FEATURE frame, row for row."""

    book: Book
    model: CreditRiskModel
    frame: pl.DataFrame
    scores: list[CreditScore]


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
    """Every feature of a customer that this ledger has."""
    return tuple(declared.name for declared in book.prepared_customers.declarations)


def snapshot_frame(book: Book, rule: DefaultRule) -> pl.DataFrame:
    """The customer FEATURE frame of every monthly snapshot of the ledger, with `default_cause`."""
    # a day more than UTC has: it may have begun already where an entity is
    until = date.fromordinal(book.last_known().date().toordinal() + ROOM_DAYS)
    subjects = book.snapshots(date(1900, 1, 1), until)
    return book.in_default(book.customer_features(subjects), rule)


def scored_customers(
    lake: Lake, mlruns: Path, *, as_of: date | None = None, entity: str | None = None, customer: str | None = None
) -> Customers:
    """Every customer known as of a day (its start where each entity is), or of one entity, with the champion's scores.

    as_of  None: with all there is. `NotFound` without a champion or such customers
    """
    version = champion(mlruns, CREDIT_RISK)
    if version is None:
        raise NotFound(f"no credit-risk model in {mlruns}: run `duecast train credit-risk` first")
    verify(version, mlruns)
    model = load(version, mlruns)
    book = Book(Facts.read(lake))
    subjects = _subjects(book, as_of, entity)
    if customer is not None:
        subjects = subjects.filter(pl.col("customer_id") == customer)
    if subjects.is_empty():
        whom = f"customer {customer!r} is not" if customer else "no customer is"
        raise NotFound(f"{whom} known as of {as_of or 'now'}; choose another day, or ingest customers")
    return scored(book, model, subjects)


def scored(book: Book, model: CreditRiskModel, subjects: pl.DataFrame) -> Customers:
    """SNAPSHOT subjects with the model's scores."""
    frame = book.in_default(book.customer_features(subjects), model.rule)
    return Customers(book, model, frame, model.scores(frame))


def limits_of(asked: Customers, settings: LimitSettings) -> tuple[list[CreditLimit], list[BlockedOrder]]:
    """Every customer's limit, and the open orders that the limits would block."""
    book = asked.book
    held = exposures(asked.frame, book.facts, book.states, book.masters)
    home = dict(book.zones.select("entity_id", "entity_currency").iter_rows())
    limits = credit_limits(asked.frame, asked.scores, held, home, settings)
    return limits, blocked_orders(open_orders(asked.frame, book.facts, book.masters), limits, settings)


def losses_of(asked: Customers, settings: LossSettings) -> list[ExpectedLoss]:
    """The expected loss on every customer and currency."""
    book = asked.book
    return expected_losses(exposures(asked.frame, book.facts, book.states, book.masters), asked.scores, settings)


def own_lgd(asked: Customers) -> float:
    """The ledger's own loss given default; `BadInput` where too few defaults have closed to tell."""
    at = asked.frame["cutoff"].to_list()[0]
    found = loss_share(asked.book.facts, asked.book.states, asked.model.rule, at)
    if found.share is None:
        raise BadInput(
            f"only {found.closed} receivables in default have closed: too few to read an LGD off; give --lgd"
        )
    return found.share


def ways_up(asked: Customers) -> list[Counterfactual]:
    """For the single customer asked about: what would go with a better grade. Empty where it has no grade."""
    if asked.scores[0].grade is None:
        return []
    return counterfactuals(asked.model.scorer, asked.frame)


def _subjects(book: Book, as_of: date | None, entity: str | None) -> pl.DataFrame:
    if as_of is None:
        return book.customers_as_of(book.last_known(), entity)
    entities = [entity] if entity else book.zones["entity_id"].sort().to_list()
    return pl.concat([book.customers_as_of(book.day_start(as_of, name), name) for name in entities])
