"""Rolling origins: what the forecast would have said, week by week, beside its baselines and independence.

At each origin everything is learnt from what was known then: dependence and spread from forecasts of earlier origins
whose outcome was known by then, the payment-date model by whoever trained it before that origin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from features.book import Book
from models.cash import baselines
from models.cash.claims import WEEK_DAYS, WEEKS, Claims, Floats
from models.cash.dependence import Outcome, normal_score, outcomes
from models.cash.forecast import claims_of, drawn
from models.cash.fx import group_rates, minor_rate
from models.cash.model import CashModel, fit_cash
from models.cash.open_items import DatesPayments, OpenItems, open_items
from models.cash.receipts import first_days, receipts_after
from models.cash.simulation import INDEPENDENT, simulate
from models.cash.spread import Week

LEVELS = (80, 95)
NAIVE = {
    "due_plus_delay": baselines.due_plus_delay,
    "last_year": baselines.last_year,
    "four_weeks": baselines.four_weeks,
}
# A week's cash counts as known once so many days have passed: bank files come late.
KNOWN_AFTER_DAYS = 4
PAST_FORECASTS = 12


@dataclass(frozen=True)
class Past:
    """A forecast of an earlier origin: what it looked at, and its weekly totals before any recalibration.

    weekly  (draws, series, WEEKS)
    """

    as_of: datetime
    items: OpenItems
    series: baselines.Series
    weekly: Floats


def backtest(
    book: Book,
    origins: Sequence[date],
    payment_dates: Callable[[datetime], DatesPayments],
    *,
    warm_up: int,
    group: str,
    draws: int = 1_000,
    seed: int = 7,
    step: Callable[[str], None] = lambda _: None,
) -> pl.DataFrame:
    """One row per origin, series and week ahead (from 1).

    origins        in order; the first `warm_up` of them are only learnt from
    payment_dates  the model that was there at an instant
    group          the currency of `rate`, in which weeks of several currencies may be added up

    actual, mean, median, one column per name in `NAIVE`, in minor units; rate to minor units of `group`, null where
    none was known; pit, bare_pit, independent_pit: randomised, of the recalibrated draws, of the bare ones, and of
    those drawn without dependence
    """
    past: list[Past] = []
    parts = []
    for number, origin in enumerate(origins):
        step(f"origin {origin}")
        as_of = day_begins(book, origin)
        dated = payment_dates(as_of)
        items = open_items(book, dated, as_of)
        model = learnt(book, as_of, past[-PAST_FORECASTS:], seed=seed)
        claims = claims_of(book, dated, model, as_of, items, seed=seed)
        told = bare(as_of, items, claims, model, draws=draws, seed=seed)
        past.append(told)
        if number >= warm_up:
            parts.append(_judged(book, as_of, items, claims, model, group, draws, seed).with_columns(origin=origin))
    return pl.concat(parts)


def learnt(book: Book, as_of: datetime, past: Sequence[Past], *, seed: int, rests_on: str | None = None) -> CashModel:
    """The cash model of an instant, from forecasts made before it and what had become of them."""
    known = Book(book.facts.before(as_of), book.declared)
    ended: list[Outcome] = [outcomes(book, p.items, as_of, seed=seed) for p in past]
    weeks = [week for p in past for week in _weeks(known, p, as_of)]
    return fit_cash(book, as_of, ended, weeks, rests_on=rests_on)


def bare(as_of: datetime, items: OpenItems, claims: Claims, model: CashModel, *, draws: int, seed: int) -> Past:
    """What is kept of a forecast to learn from it later: before any recalibration."""
    found = simulate(claims, model.dependence, draws=draws, seed=seed, level_spread=model.profile.level_spread)
    return Past(as_of, items, found.series, found.weekly.sum(axis=2))


def actual_weeks(book: Book, as_of: datetime, series: baselines.Series) -> Floats:
    """(series, WEEKS) cash that came after `as_of`, as known to `book`."""
    rows = receipts_after(book.facts, as_of, book.zones).join(first_days(book.zones, as_of), on="entity_id")
    ahead = (pl.col("day") - pl.col("first_day")).dt.total_days()
    return baselines.by_week(rows.with_columns(ahead=ahead), series)


def coverage(pit: Floats, level: int) -> float:
    """Share of outcomes in the central `level` % interval, by the PIT."""
    return float((np.abs(2.0 * pit - 1.0) <= level / 100).mean())


def wape(rows: pl.DataFrame, forecast: str) -> float:
    """Sum of |forecast - actual| over the sum of actual, in group currency; rows without a rate are left out."""
    told, actual, rate = (rows.drop_nulls("rate")[c].to_numpy() for c in (forecast, "actual", "rate"))
    return float((np.abs(told - actual) * rate).sum() / (actual * rate).sum())


def _judged(
    book: Book,
    as_of: datetime,
    items: OpenItems,
    claims: Claims,
    model: CashModel,
    group: str,
    draws: int,
    seed: int,
) -> pl.DataFrame:
    seen = drawn(book, model, as_of, items, claims, draws=draws, seed=seed)
    series = seen.draws.series
    spread = model.profile.level_spread
    bare_draws = simulate(claims, model.dependence, draws=draws, seed=seed, level_spread=spread).weekly.sum(axis=2)
    alone = simulate(claims, INDEPENDENT, draws=draws, seed=seed, level_spread=spread).weekly.sum(axis=2)
    weekly = np.maximum(seen.totals.reshape(draws, len(series), WEEKS, WEEK_DAYS).sum(axis=-1), 0.0)
    actual = actual_weeks(book, as_of, series)
    place = np.random.default_rng([seed, as_of.toordinal()]).random(actual.shape)
    rates = group_rates(book, as_of, group)
    columns = {
        "actual": actual,
        "mean": weekly.mean(axis=0),
        "median": np.median(weekly, axis=0),
        "pit": _pit(weekly, actual, place),
        "bare_pit": _pit(bare_draws, actual, place),
        "independent_pit": _pit(alone, actual, place),
        **{name: naive(book, as_of, series) for name, naive in NAIVE.items()},
    }
    return pl.DataFrame(
        {
            "entity_id": np.repeat([e for e, _ in series], WEEKS),
            "currency": np.repeat([c for _, c in series], WEEKS),
            "week": np.tile(np.arange(1, WEEKS + 1), len(series)),
            "rate": [minor_rate(rates[c], c, group) if c in rates else None for _, c in series for _ in range(WEEKS)],
            **{name: table.ravel() for name, table in columns.items()},
        }
    )


def _pit(drawn_weeks: Floats, actual: Floats, place: Floats) -> Floats:
    """(series, WEEKS) share of draws below what came, ties placed at random."""
    below, tied = (drawn_weeks < actual).sum(axis=0), (drawn_weeks == actual).sum(axis=0)
    share: Floats = (below + place * (tied + 1)) / (len(drawn_weeks) + 1)
    return share


def _weeks(known: Book, past: Past, as_of: datetime) -> list[Week]:
    """The weeks of a past forecast whose cash was known by `as_of`."""
    actual = actual_weeks(known, past.as_of, past.series)
    mean, deviation = past.weekly.mean(axis=0), past.weekly.std(axis=0)
    place = np.random.default_rng(past.as_of.toordinal()).random(actual.shape)
    score = normal_score(_pit(past.weekly, actual, place))
    age = (as_of - past.as_of).days - KNOWN_AFTER_DAYS
    return [
        Week(week, *(float(table[k, week]) for table in (mean, deviation, actual, score)))
        for k in range(len(past.series))
        for week in range(min(max(age // WEEK_DAYS, 0), WEEKS))
    ]


def day_begins(book: Book, origin: date) -> datetime:
    """The latest start of the day among the entities: it has begun everywhere."""
    return max(book.day_start(origin, entity) for entity in book.zones["entity_id"]).astimezone(UTC)


def every_four_weeks(first: date, until: date) -> list[date]:
    """Origins four weeks apart, from `first` to before `until`."""
    count = max((until - first).days + 27, 0) // 28
    return [first + timedelta(days=28 * k) for k in range(count)]
