"""Train the cash model: rehearse forecasts of the past, learn from what became of them, register the result.

The rehearsal trains a payment-date model on what was known `REHEARSED_DAYS` ago, so that the forecasts learnt from
were never trained on their own outcomes. The registered model names the payment-date version that it is used with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.book import Book
from features.errors import BadInput, NotFound
from features.lake import Lake
from models import registry
from models.cash.answers import CashForecast
from models.cash.backtest import learnt, rehearsed
from models.cash.claims import HORIZON_DAYS
from models.cash.model import CashModel
from models.cash.open_items import DatesPayments
from models.champion import CASH_FORECAST, PAYMENT_DATE, ModelVersion, champion
from pipelines.train import learner, read_at_rest

ORIGIN_DAYS = 28
REHEARSED_DAYS = 2 * HORIZON_DAYS + ORIGIN_DAYS
Step = Callable[[str], None]
# Makes the payment dates that there were at an instant: of a book, that instant and a seed.
TrainsDates = Callable[[Book, datetime, int], DatesPayments]


@dataclass(frozen=True)
class TrainedCash:
    """What a training left behind."""

    version: ModelVersion
    model: CashModel


def train_cash(lake: Lake, mlruns: Path, *, seed: int, step: Step = lambda _: None) -> TrainedCash:
    """Train on everything the lake knows, register and promote; step is told in words what begins.

    `NotFound` where no payment-date model serves; `BadInput` where the lake is empty.
    """
    serving = champion(mlruns, PAYMENT_DATE)
    if serving is None:
        raise NotFound(f"no payment-date model in {mlruns}, which a cash forecast rests on: run `duecast train` first")
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    book = Book(facts)
    model = fit_rehearsed(book, book.last_known(), seed=seed, rests_on=serving.label, step=step)
    step("registering")
    frame = book.at_issue(date.min, date.max)
    lineage = registry.Lineage(
        data_window=(_day(frame["cutoff_day"].min()), _day(frame["cutoff_day"].max())),
        lake_versions=versions,
        params={**model.about, "rests_on": serving.label, "rests_on_digest": serving.digest},
        metrics=_figures(model),
    )
    version = registry.register(model, frame, lineage, mlruns=mlruns, name=CASH_FORECAST, answer=CashForecast)
    return TrainedCash(version, model)


def trained_before(book: Book, origin: datetime, seed: int) -> DatesPayments:
    """A payment-date model of what was known before `origin`; `BadInput` where too little was settled by then."""
    issued = book.at_issue(date.min, origin.date() + timedelta(days=1)).filter(pl.col("cutoff") < origin)
    return learner(book, seed)(book.labelled(book.features(issued), origin), origin)


def fit_rehearsed(
    book: Book,
    as_of: datetime,
    *,
    seed: int,
    rests_on: str | None = None,
    step: Step = lambda _: None,
    train: TrainsDates = trained_before,
) -> CashModel:
    """The cash model of an instant from forecasts rehearsed before it; without any where history is too short."""
    step("rehearsal: forecasts of the past, with what was known then")
    origins = [as_of - timedelta(days=back) for back in range(REHEARSED_DAYS, ORIGIN_DAYS - 1, -ORIGIN_DAYS)]
    try:
        dated = train(book, origins[0], seed)
    except BadInput:  # too little was settled by then: nothing to learn dependence from, which the model says
        return learnt(book, as_of, [], seed=seed, rests_on=rests_on)
    past = []
    for origin in origins:
        step(f"rehearsal: {origin.date()}")
        past.append(rehearsed(book, dated, origin, seed=seed))
    step("learning from what became of them")
    return learnt(book, as_of, past, seed=seed, rests_on=rests_on)


def _figures(model: CashModel) -> dict[str, float]:
    told = model.dependence
    shares = {"entity_share": told.entity_share, "customer_share": told.customer_share, "bundling": told.usual_bundling}
    spread = {f"spread_week_{k}": factor for k, factor in enumerate(model.spread.spread, start=1)}
    return {**shares, **spread, "level_spread": model.profile.level_spread, "billed_share": model.billing.billed_share}


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value
