"""Rolling origins: what the forecast would have said, week by week, beside its baselines and independence.

At each origin everything is learnt from what was known then: dependence and spread from forecasts of earlier origins
whose outcome was known by then, the payment-date model by whoever trained it before that origin. Earlier forecasts are
drawn again with the dependence learnt since: the spread mends the model of now, not what it knew less of then.
An origin is one instant for all entities, at which its day has begun everywhere: forecast and actual count from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from features.book import Book
from models.cash import baselines
from models.cash.claims import WEEK_DAYS, WEEKS, Claims, Floats
from models.cash.dependence import outcomes
from models.cash.forecast import LookAhead, claims_of, drawn
from models.cash.fx import group_rates, minor_rate
from models.cash.lasting import fit_lasting, lifted_again
from models.cash.model import CashModel, fit_cash
from models.cash.mornings import begun_everywhere
from models.cash.open_items import DatesPayments, OpenItems, open_items
from models.cash.past import GROUP, PastAgain
from models.cash.receipts import first_days, receipts_after
from models.cash.simulation import INDEPENDENT, Dependence, Draws, simulate
from models.cash.spread import Spread, fit_spread, pit

NAIVE = {
    "due_plus_delay": baselines.due_plus_delay,
    "last_year": baselines.last_year,
    "four_weeks": baselines.four_weeks,
}
# A week's cash counts as known once so many days have passed: bank files come late.
KNOWN_AFTER_DAYS = 4
PAST_FORECASTS = 12
PAST_DRAWS = 500
TOGETHER = 0
NO_SPREAD = Spread()
ROW_WEEKS = (*range(1, WEEKS + 1), TOGETHER)


@dataclass(frozen=True)
class Past:
    """A forecast of an earlier origin: what it looked at and took for coming, with what was known then."""

    as_of: datetime
    items: OpenItems
    claims: Claims


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
    """One row per origin, series and week ahead (from 1), and with week `TOGETHER` for the sum of all weeks.

    Entity `GROUP` is the sum of the series that an answer in group currency has, at the rates of the origin.

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
        as_of = begun_everywhere(book, origin)
        now = rehearsed(book, payment_dates(as_of), as_of, seed=seed)
        if number >= warm_up:
            model = learnt(book, as_of, past[-PAST_FORECASTS:], seed=seed)
            parts.append(_judged(book, now, model, group, draws, seed).with_columns(origin=origin))
        past.append(now)
    return pl.concat(parts)


def rehearsed(book: Book, dated: DatesPayments, as_of: datetime, *, seed: int) -> Past:
    """The forecast of an instant, kept to learn from it later."""
    items = open_items(book, dated, as_of)
    claims = claims_of(book, dated, fit_cash(book, as_of, []), as_of, items, seed=seed)
    return Past(as_of, items.within_horizon(), claims.within_horizon())


def learnt(book: Book, as_of: datetime, past: Sequence[Past], *, seed: int, rests_on: str | None = None) -> CashModel:
    """The cash model of an instant, from forecasts made before it and what had become of them."""
    known = Book(book.facts.before(as_of), book.declared)
    model = fit_cash(book, as_of, [outcomes(book, p.items, as_of, seed=seed) for p in past], rests_on=rests_on)
    again = [seen for p in past if (seen := _again(known, p, model, as_of, seed))]
    lasting = fit_lasting(again, model.level.common, seed)
    again = [lifted_again(seen, lasting, seed) for seen in again]
    spread = fit_spread([week for seen in again for week in seen.weeks()])
    together = [week for seen in again for week in seen.recalibrated(spread).together(known).weeks()]
    about = {**model.about, "past_weeks": sum(s.ended * len(s.series) for s in again)}
    return replace(model, lasting=lasting, spread=spread, group_spread=fit_spread(together).only_spread(), about=about)


def actual_weeks(book: Book, as_of: datetime, series: baselines.Series) -> Floats:
    """(series, WEEKS) cash that came after `as_of`, as known to `book`."""
    rows = receipts_after(book.facts, as_of, book.zones).join(first_days(book.zones, as_of), on="entity_id")
    ahead = (pl.col("day") - pl.col("first_day")).dt.total_days()
    return baselines.by_week(rows.with_columns(ahead=ahead), series)


def wape(rows: pl.DataFrame, forecast: str) -> float:
    """Sum of |forecast - actual| over the sum of actual, in group currency; rows without a rate are left out."""
    told, actual, rate = (rows.drop_nulls("rate")[c].to_numpy() for c in (forecast, "actual", "rate"))
    return float((np.abs(told - actual) * rate).sum() / (actual * rate).sum())


def _judged(book: Book, now: Past, model: CashModel, group: str, draws: int, seed: int) -> pl.DataFrame:
    as_of = now.as_of
    seen = drawn(book, model, as_of, now.items, now.claims, draws=draws, seed=seed)
    series = seen.draws.series
    rates = group_rates(book, as_of, group)
    rate = [minor_rate(rates[c], c, group) if c in rates else None for _, c in series]
    factor = _in_group(seen, rate, group)

    def whole(weekly: Floats, spread: Spread = NO_SPREAD) -> Floats:
        return _with_sums(weekly, factor, spread)

    bare = whole(_bare(now.claims, model, model.dependence, draws=draws, seed=seed).weekly.sum(axis=2))
    alone = whole(_bare(now.claims, model, INDEPENDENT, draws=draws, seed=seed).weekly.sum(axis=2))
    totals = seen.totals.reshape(draws, len(series), WEEKS, WEEK_DAYS).sum(axis=-1)
    weekly = np.maximum(whole(totals, model.group_spread), 0.0)
    actual = whole(actual_weeks(book, as_of, series))
    place = np.random.default_rng([seed, as_of.toordinal()]).random(actual.shape)
    columns = {
        "actual": actual,
        "mean": weekly.mean(axis=0),
        "median": np.median(weekly, axis=0),
        "pit": pit(weekly, actual, place),
        "bare_pit": pit(bare, actual, place),
        "independent_pit": pit(alone, actual, place),
        **{name: whole(naive(book, as_of, series)) for name, naive in NAIVE.items()},
    }
    rows = [
        (*key, week, r) for key, r in zip([*series, (GROUP, group)], [*rate, 1.0], strict=True) for week in ROW_WEEKS
    ]
    keys = pl.DataFrame(rows, schema=["entity_id", "currency", "week", "rate"], orient="row")
    return keys.with_columns(pl.Series(name, table.ravel()) for name, table in columns.items())


def _in_group(seen: LookAhead, rate: Sequence[float | None], group: str) -> Floats:
    """(series, 1) what takes each series to the group's currency; 0 for what its answer leaves out."""
    told = seen.forecast(weeks=1, group=group).group
    left_out = set(told.left_out) if told else set()
    parts = zip(seen.draws.series, rate, strict=True)
    return np.array([[0.0 if "/".join(key) in left_out else r or 0.0] for key, r in parts]).reshape(-1, 1)


def _with_sums(weekly: Floats, factor: Floats, spread: Spread) -> Floats:
    """(..., series + 1, weeks + 1) with the group behind the series, and all weeks together behind the weeks."""
    group = (weekly * factor).sum(axis=-2, keepdims=True)
    group = spread.apply(group) if spread is not NO_SPREAD else group
    series = np.concatenate([weekly, group], axis=-2)
    return np.concatenate([series, series.sum(axis=-1, keepdims=True)], axis=-1)


def _again(known: Book, past: Past, model: CashModel, as_of: datetime, seed: int) -> PastAgain | None:
    """A past forecast as `model` draws it, with the weeks whose cash was known by `as_of`; None without any."""
    age_days = (as_of - past.as_of).days - KNOWN_AFTER_DAYS
    ended = min(max(age_days // WEEK_DAYS, 0), WEEKS)
    if not ended:
        return None
    drawn_again = _bare(past.claims, model, model.dependence, draws=PAST_DRAWS, seed=seed)
    if not drawn_again.series:
        return None
    actual = actual_weeks(known, past.as_of, drawn_again.series)
    place = np.random.default_rng(past.as_of.toordinal()).random(actual.shape)
    return PastAgain(past.as_of, drawn_again.series, drawn_again.weekly.sum(axis=2), actual, place, ended)


def _bare(claims: Claims, model: CashModel, dependence: Dependence, *, draws: int, seed: int) -> Draws:
    """Draws before any recalibration."""
    return simulate(claims, dependence, draws=draws, seed=seed, level=model.level)


def every_four_weeks(first: date, until: date) -> list[date]:
    """Origins four weeks apart, from `first` to before `until`."""
    count = max((until - first).days + 27, 0) // 28
    return [first + timedelta(days=28 * k) for k in range(count)]
