"""Train the cash model: rehearse forecasts of the past, learn from what became of them, register the result.

The rehearsal forecasts every `ORIGIN_DAYS` of the past as the benchmark does, by payment dates of a model trained on
what was known less than `RETRAINED_DAYS` before: nothing is learnt from a forecast that was trained on its own outcome.
The registered model names the payment-date version that it is used with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.book import Book
from features.errors import BadInput, NotFound
from features.facts import standing
from features.lake import Lake
from models import registry
from models.cash.answers import CashForecast
from models.cash.backtest import PAST_FORECASTS, Past, learnt, rehearsed
from models.cash.model import CashModel
from models.cash.open_items import DatesPayments
from models.champion import CASH_FORECAST, PAYMENT_DATE, ModelVersion, champion
from pipelines.train import learner, read_at_rest

ORIGIN_DAYS, RETRAINED_DAYS = 28, 112
REHEARSED_DAYS = PAST_FORECASTS * ORIGIN_DAYS
# As many as payment dates are learnt from. Fewer teach next to nothing, and would still replace what serves.
FEWEST_SETTLED = 30
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

    `NotFound` where no payment-date model serves or the lake is empty; `BadInput` under `FEWEST_SETTLED`.
    """
    serving = champion(mlruns, PAYMENT_DATE)
    if serving is None:
        raise NotFound(f"no payment-date model in {mlruns}, which a cash forecast rests on: run `duecast train` first")
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    book = Book(facts)
    _refuse_too_thin(book)
    model = fit_rehearsed(book, book.last_known(), seed=seed, rests_on=serving.label, step=step)
    step("registering")
    frame = book.at_issue(date.min, date.max)
    lineage = registry.Lineage(
        data_window=(min(frame["cutoff_day"]), max(frame["cutoff_day"])),
        lake_versions=versions,
        params={**model.about, "rests_on": serving.label, "rests_on_digest": serving.digest},
        metrics=_figures(model),
        learnt_before=book.last_known(),
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
    """The cash model of an instant from forecasts rehearsed before it; from fewer where history is too short."""
    past = []
    for back in range(REHEARSED_DAYS, 0, -RETRAINED_DAYS):
        origins = [as_of - timedelta(days=back - ahead) for ahead in range(0, RETRAINED_DAYS, ORIGIN_DAYS)]
        past += _rehearsed(book, origins, seed, step, train)
    step("learning from what became of them")
    return learnt(book, as_of, past, seed=seed, rests_on=rests_on)


def _rehearsed(book: Book, origins: list[datetime], seed: int, step: Step, train: TrainsDates) -> list[Past]:
    """Forecasts of the origins, by payment dates of the first; none where too little was settled by then."""
    step(f"rehearsal: payment dates as of {origins[0].date()}")
    try:
        dated = train(book, origins[0], seed)
    except BadInput:
        return []
    past = []
    for origin in origins:
        step(f"rehearsal: {origin.date()}")
        past.append(rehearsed(book, dated, origin, seed=seed))
    return past


def _refuse_too_thin(book: Book) -> None:
    paid = pl.col("paid_date").is_not_null() & ~pl.col("cancelled") & (pl.col("amount_minor") > 0)
    settled = standing(book.states, book.last_known()).filter(paid).height
    if settled < FEWEST_SETTLED:
        raise BadInput(
            f"only {settled} settled receivables to learn cash from; allowed: {FEWEST_SETTLED} or more. "
            "Ingest more history; the model that serves stays"
        )


def _figures(model: CashModel) -> dict[str, float]:
    told = model.dependence
    shares = {"entity_share": told.entity_share, "customer_share": told.customer_share, "bundling": told.usual_bundling}
    spread = {f"spread_week_{k}": factor for k, factor in enumerate(model.spread.spread, start=1)}
    spread |= {f"group_spread_week_{k}": factor for k, factor in enumerate(model.group_spread.spread, start=1)}
    level = {"level_spread": model.level.spread, "level_common": model.level.common}
    level |= {"lasting_spread": model.lasting.spread}
    return {**shares, **spread, **level, "billed_share": model.billing.billed_share}
