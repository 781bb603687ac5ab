"""How the payers pay: each one's own draw from its customer type."""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from services.sandbox.calendars import NEVER, Calendar, Flags, Floats, Ints, PayDays
from services.sandbox.customers import Customers, quotas
from services.sandbox.names import SEGMENTS
from services.sandbox.options import WorldOptions
from services.sandbox.payers import TYPES, CustomerType, Habit, Range
from services.sandbox.window import Window

SHIFTED_TYPES, SHIFTED_SEGMENT, SHIFTED_SHARE = ("stretcher",), "construction", 0.7
SHIFT_DAYS = (8.0, 10.0)
APPROVAL_SHARE, APPROVAL_DAYS, APPROVAL_ABOVE = 0.25, (3.0, 8.0), (0.8, 1.6)
SLOW_SEASONS = ((6, 7), (6, 7, 8), (11, 0), (10, 11, 0), (0, 1))  # calendar months, January 0


@dataclass(frozen=True)
class Habits:
    """One row per customer, the one that pays deciding: a child whose parent pays has its parent's habits.

    approval_above   spreads above the customer's median amount from which an invoice waits `approval_days` longer
    """

    type: Ints  # position in TYPES
    habit: Ints
    weekday: Ints
    closes: Flags  # pays nothing between Christmas and New Year
    lag_days: Floats
    noise_days: Floats
    exact_share: Floats
    miss_share: Floats
    slow_season: Ints  # position in SLOW_SEASONS
    slow_season_days: Floats
    decline_from: Ints
    decline_days_per_month: Floats
    default_on: Ints
    dispute_share: Floats
    shift_days: Floats
    approval_days: Floats
    approval_above: Floats
    partial_share: Floats
    short_share: Floats
    bundles: Flags  # one payment for all that is due on a pay day

    def of_payers(self, payer: Ints) -> "Habits":
        """The same with each customer's row replaced by its payer's."""
        return Habits(*(getattr(self, f.name)[payer] for f in fields(self)))

    def frame(self) -> pl.DataFrame:
        """For the truth: type and habit in words, numbers as they are, days that never come as null."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return pl.DataFrame(columns).with_columns(
            pl.col("type").replace_strict(dict(enumerate(t.name for t in TYPES)), return_dtype=pl.String),
            pl.col("habit").replace_strict({h.value: h.name.lower() for h in Habit}, return_dtype=pl.String),
            pl.col("slow_season").replace_strict(
                {i: [m + 1 for m in s] for i, s in enumerate(SLOW_SEASONS)}, return_dtype=pl.List(pl.Int64)
            ),
            *(
                pl.when(pl.col(c) != NEVER).then(pl.col(c)).cast(pl.Int32).cast(pl.Date).alias(c)
                for c in ("decline_from", "default_on")
            ),
        )


def draw_habits(options: WorldOptions, customers: Customers, window: Window, rng: np.random.Generator) -> Habits:
    """Every customer's habits; those who are paid for get their payer's."""
    count = len(customers)
    weights = np.array([options.mix.get(t.name, 0.0) for t in TYPES])
    type_ = quotas(rng, weights, count)
    habit = _by_type(type_, [_habits(t, count, rng) for t in TYPES]).astype(np.int64)
    decline_from, default_on = _decline(type_, customers, window, rng)
    own = Habits(
        type=type_,
        habit=habit,
        weekday=rng.choice(5, size=count, p=(0.12, 0.24, 0.18, 0.26, 0.20)),
        closes=rng.random(count) < 0.2,
        lag_days=_drawn(type_, [t.lag_days for t in TYPES], rng),
        noise_days=_drawn(type_, [t.noise_days for t in TYPES], rng),
        exact_share=_drawn(type_, [t.exact_share for t in TYPES], rng),
        miss_share=_drawn(type_, [t.miss_share for t in TYPES], rng),
        slow_season=rng.integers(len(SLOW_SEASONS), size=count),
        slow_season_days=_drawn(type_, [t.slow_season_days for t in TYPES], rng),
        decline_from=decline_from,
        decline_days_per_month=_drawn(type_, [t.decline_days_per_month for t in TYPES], rng),
        default_on=default_on,
        dispute_share=_drawn(type_, [t.dispute_share for t in TYPES], rng),
        shift_days=_shift(type_, customers.segment, rng),
        approval_days=np.where(rng.random(count) < APPROVAL_SHARE, rng.uniform(*APPROVAL_DAYS, size=count), 0.0),
        approval_above=rng.uniform(*APPROVAL_ABOVE, size=count),
        partial_share=np.where(rng.random(count) < 0.08, rng.uniform(0.05, 0.15, size=count), 0.008),
        short_share=np.where(rng.random(count) < 0.12, rng.uniform(0.03, 0.10, size=count), 0.004),
        bundles=rng.random(count) < np.where(habit >= Habit.WEEKLY, 0.95, 0.4),
    )
    return own.of_payers(customers.payer)


def pay_days(calendar: Calendar, habits: Habits, customers: Customers) -> PayDays:
    """When each customer's invoices are paid: on its payer's pay days, in its payer's country."""
    country = calendar.index(customers.countries)[customers.payer]
    return calendar.pay_days(country, habits.habit, habits.weekday, habits.closes)


def _by_type(type_: Ints, per_type: list[Floats]) -> Floats:
    return np.stack(per_type)[type_, np.arange(len(type_))]


def _habits(kind: CustomerType, count: int, rng: np.random.Generator) -> Floats:
    weights = np.array([w for _, w in kind.habits])
    return rng.choice([float(h) for h, _ in kind.habits], size=count, p=weights / weights.sum())


def _drawn(type_: Ints, ranges: list[Range], rng: np.random.Generator) -> Floats:
    low, high = (np.array(side)[type_] for side in zip(*ranges, strict=True))
    return rng.uniform(low, high)


def _decline(type_: Ints, customers: Customers, window: Window, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """When each declining customer begins to, and when the worst of them stop paying; NEVER for all others."""
    count = len(type_)
    declines = np.array([t.decline_days_per_month[1] > 0 for t in TYPES])[type_]
    share = np.array([t.default_share for t in TYPES])[type_]
    first = customers.joined + 60
    begins = first + (rng.random(count) * np.maximum(window.today - first - 60, 1)).astype(np.int64)
    stops = begins + rng.integers(90, 540, size=count)
    defaults = rng.random(count) < share
    return np.where(declines, begins, NEVER), np.where(defaults, stops, NEVER)


def _shift(type_: Ints, segment: Ints, rng: np.random.Generator) -> Floats:
    hit = np.isin(type_, [i for i, t in enumerate(TYPES) if t.name in SHIFTED_TYPES])
    hit |= segment == SEGMENTS.index(SHIFTED_SEGMENT)
    hit &= rng.random(len(type_)) < SHIFTED_SHARE
    return np.where(hit, rng.uniform(*SHIFT_DAYS, size=len(type_)), 0.0)
