"""The cash forecast of an instant: claims, their draws, and what they say per entity and currency.

seen = look_ahead(book, payment_dates, model, as_of, draws=1000, seed=7)
seen.forecast(group="EUR")                        # models.cash.answers.CashForecast
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

import msgspec
import numpy as np
import polars as pl

from features.book import Book
from features.facts import standing
from features.ledger import RECEIVABLE
from models.cash.answers import (
    QUANTILE_NAMES,
    QUANTILES,
    Availability,
    CashForecast,
    GroupForecast,
    Inflow,
    SeriesForecast,
)
from models.cash.billing import order_claims
from models.cash.claims import COMPONENTS, HORIZON_DAYS, NEW, WEEK_DAYS, WEEKS, Claims, Floats, joined
from models.cash.fx import group_rates, minor_rate
from models.cash.lasting import lifted
from models.cash.model import CashModel
from models.cash.new_business import new_claims
from models.cash.open_items import DatesPayments, OpenItems, open_claims, open_items
from models.cash.receipts import first_days
from models.cash.scenarios import Scenario
from models.cash.simulation import Draws, simulate

DRAWS = 1_000
FEWEST_SETTLED, FULL_SETTLED = 5, 30
NO_SCENARIO = Scenario()
NO_NEW = "no business not yet booked is foretold: the entity has no invoices of a whole quarter to go by"
Answer = TypeVar("Answer", SeriesForecast, GroupForecast)


@dataclass(frozen=True)
class LookAhead:
    """Everything behind one forecast.

    settled  series -> receivables paid by `as_of`: how much its forecast rests on
    owed     series -> open amount before anything is taken off
    """

    as_of: datetime
    first_day: dict[str, date]
    items: OpenItems
    claims: Claims
    draws: Draws
    totals: Floats  # (draws, series, HORIZON_DAYS) recalibrated
    settled: dict[tuple[str, str], int]
    owed: dict[tuple[str, str], int]
    book: Book
    model: CashModel
    seed: int
    scenario: Scenario

    def forecast(
        self, *, weeks: int = WEEKS, group: str | None = None, entity: str | None = None, currency: str | None = None
    ) -> CashForecast:
        """The answer, of some series only where named; `group` adds all of these in one currency.

        `BadSetting` for a scenario of rates that lead nowhere asked for.
        """
        self.scenario.refuse_idle_rates(group)
        chosen = [k for k, (e, c) in enumerate(self.draws.series) if entity in (None, e) and currency in (None, c)]
        series = tuple(self._series(k, weeks) for k in chosen)
        return CashForecast(
            as_of=self.as_of.isoformat(),
            weeks=weeks,
            draws=len(self.totals),
            seed=self.seed,
            rests_on=self.model.rests_on,
            scenario=self.scenario.name,
            series=series,
            group=self._group(chosen, series, weeks, group) if group else None,
        )

    @cached_property
    def _with_new_business(self) -> set[str]:
        """Entities of which business not yet booked is expected."""
        return set(self.claims.head.filter(pl.col("component") == NEW)["entity_id"])

    def _series(self, k: int, weeks: int) -> SeriesForecast:
        entity, currency = self.draws.series[k]
        availability, reason = _availability(self.settled.get((entity, currency), 0))
        new_to_come = entity in self._with_new_business
        told = SeriesForecast(
            entity_id=entity,
            currency=currency,
            availability=availability,
            availability_reason=reason if new_to_come else "; ".join(filter(None, (reason, NO_NEW))),
            owed_minor=self.owed.get((entity, currency), 0),
        )
        if availability == "none":
            return told
        first, total, parts = self.first_day[entity], self.totals[:, k], self.draws.amount[:, k].mean(axis=0)
        return _with_periods(told, first, total, parts, weeks)

    def _group(self, chosen: Sequence[int], series: Sequence[SeriesForecast], weeks: int, group: str) -> GroupForecast:
        rates = self.scenario.rates(group_rates(self.book, self.as_of, group), group)
        answered = [k for k, s in zip(chosen, series, strict=True) if s.availability != "none"]
        rated = [k for k in answered if self.draws.series[k][1] in rates]
        left_out = tuple("/".join(self.draws.series[k]) for k in chosen if k not in rated)
        used = {c: rates[c] for c in sorted({self.draws.series[k][1] for k in rated})}
        why = _left_out(
            {
                f"without a rate to {group} known": [k for k in answered if k not in rated],
                "without a forecast": [k for k in chosen if k not in answered],
            },
            self.draws.series,
        )
        told = GroupForecast(
            currency=group,
            availability=("pooled" if left_out else "full") if rated else "none",
            availability_reason=why or (None if rated else "there is nothing to forecast"),
            rates=used,
            left_out=left_out,
        )
        if not rated:
            return told
        factor = np.array([minor_rate(used[c], c, group) for _, c in (self.draws.series[k] for k in rated)])
        first = min(self.first_day[self.draws.series[k][0]] for k in rated)
        wait = [(self.first_day[self.draws.series[k][0]] - first).days for k in rated]
        totals = np.stack([_later(self.totals[:, k], w) for k, w in zip(rated, wait, strict=True)], axis=1)
        means = [_later(self.draws.amount[:, k].mean(axis=0), w) for k, w in zip(rated, wait, strict=True)]
        total = self.model.group_spread.apply((totals * factor[None, :, None]).sum(axis=1))
        parts = (np.stack(means) * factor[:, None, None]).sum(axis=0)
        return _with_periods(told, first, total, parts, weeks)


def look_ahead(
    book: Book,
    payment_dates: DatesPayments,
    model: CashModel,
    as_of: datetime,
    *,
    draws: int = DRAWS,
    seed: int = 7,
    scenario: Scenario = NO_SCENARIO,
) -> LookAhead:
    """Draw the coming 13 weeks with what was known at `as_of`; `scenario` changes the claims before they are drawn."""
    items = open_items(book, payment_dates, as_of)
    claims = claims_of(book, payment_dates, model, as_of, items, seed=seed)
    return drawn(book, model, as_of, items, claims, draws=draws, seed=seed, scenario=scenario)


def in_scenario(base: LookAhead, scenario: Scenario) -> LookAhead:
    """`base`, made without a scenario, drawn again from the same random numbers with what `scenario` changes."""
    draws = len(base.totals)
    return drawn(
        base.book, base.model, base.as_of, base.items, base.claims, draws=draws, seed=base.seed, scenario=scenario
    )


def claims_of(
    book: Book, payment_dates: DatesPayments, model: CashModel, as_of: datetime, items: OpenItems, *, seed: int
) -> Claims:
    """Open receivables, open orders and business not yet booked."""
    return joined(
        [
            open_claims(items, model.dilution),
            order_claims(book, payment_dates, as_of, model.billing, model.dilution),
            new_claims(book, payment_dates, as_of, model.profile, model.billing, model.dilution, seed=seed),
        ]
    )


def drawn(
    book: Book,
    model: CashModel,
    as_of: datetime,
    items: OpenItems,
    claims: Claims,
    *,
    draws: int = DRAWS,
    seed: int = 7,
    scenario: Scenario = NO_SCENARIO,
) -> LookAhead:
    """The draws of `claims`, recalibrated, with all that the answer needs."""
    changed = scenario.apply(claims, book, as_of)
    found = lifted(simulate(changed, model.dependence, draws=draws, seed=seed, level=model.level), model.lasting, seed)
    return LookAhead(
        as_of=as_of,
        first_day=dict(first_days(book.zones, as_of).iter_rows()),
        items=items,
        claims=changed,
        draws=_levelled(found, model),
        totals=model.spread.apply(found.amount.sum(axis=2)),
        settled=_settled(book, as_of),
        owed=_owed(items),
        book=book,
        model=model,
        seed=seed,
        scenario=scenario,
    )


def _levelled(found: Draws, model: CashModel) -> Draws:
    """The components with the level that the total is given, so that their means still sum to its mean."""
    level = np.repeat(np.array(model.spread.level), WEEK_DAYS)
    return Draws(found.series, found.amount * level)


def _settled(book: Book, as_of: datetime) -> dict[tuple[str, str], int]:
    paid = standing(book.states, as_of).filter(pl.col("paid_date").is_not_null() & ~pl.col("cancelled"))
    counted = paid.group_by("entity_id", "currency").len().sort("entity_id", "currency")
    return {(e, c): n for e, c, n in counted.iter_rows()}


def _owed(items: OpenItems) -> dict[tuple[str, str], int]:
    total = items.frame.select(*RECEIVABLE, "currency", "open_minor").group_by("entity_id", "currency")
    return {(e, c): n for e, c, n in total.agg(pl.col("open_minor").sum()).iter_rows()}


def _availability(settled: int) -> tuple[Availability, str | None]:
    if settled < FEWEST_SETTLED:
        return "none", f"{settled} settled receivables in this currency; a forecast needs {FEWEST_SETTLED} or more"
    if settled < FULL_SETTLED:
        return (
            "pooled",
            f"{settled} settled receivables in this currency; its own history counts from {FULL_SETTLED} on",
        )
    return "full", None


def _left_out(why: dict[str, list[int]], series: Sequence[tuple[str, str]]) -> str | None:
    """In words, which series are not in the group, by reason."""
    told = [f"{', '.join('/'.join(series[k]) for k in rows)} ({reason})" for reason, rows in why.items() if rows]
    return f"left out: {'; '.join(told)}" if told else None


def _later(daily: Floats, days: int) -> Floats:
    """(..., HORIZON_DAYS) of an entity where the day has begun `days` later; what falls beyond the end is left out."""
    moved = np.zeros_like(daily)
    moved[..., days:] = daily[..., : HORIZON_DAYS - days]
    return moved


def _with_periods(told: Answer, first: date, total: Floats, parts: Floats, weeks: int) -> Answer:
    """`told` with its periods: `total` (draws, HORIZON_DAYS), `parts` (components, HORIZON_DAYS) means."""
    days = weeks * WEEK_DAYS

    def period(begin: int, end: int) -> Inflow:
        return _inflow(
            first + timedelta(days=begin),
            first + timedelta(days=end - 1),
            total[:, begin:end].sum(axis=1),
            parts[:, begin:end].sum(axis=1),
        )

    return msgspec.structs.replace(
        told,
        total=period(0, days),
        weekly=tuple(period(at, at + WEEK_DAYS) for at in range(0, days, WEEK_DAYS)),
        daily=tuple(period(at, at + 1) for at in range(days)),
    )


def _inflow(first: date, last: date, drawn: Floats, parts: Floats) -> Inflow:
    """Rounded once: the components to whole minor units, and the mean as their sum."""
    whole = {name: int(np.rint(part)) for name, part in zip(COMPONENTS, parts, strict=True)}
    quantiles = np.rint(np.quantile(np.maximum(drawn, 0.0), QUANTILES)).astype(np.int64)
    return Inflow(
        first_day=first,
        last_day=last,
        mean_minor=sum(whole.values()),
        **{f"{name}_minor": amount for name, amount in whole.items()},
        quantiles_minor=dict(zip(QUANTILE_NAMES, quantiles.tolist(), strict=True)),
    )
