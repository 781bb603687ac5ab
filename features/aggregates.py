"""What a feature can say about the events that are visible at a cutoff: the vocabulary of the declarations.

Two families. `Additive` aggregates are a formula over exact whole-number totals, so an event can leave again (its
window closes, a correction replaces it) by subtraction, and no order of addition can change a bit. `Ordered` ones
depend on which events are there and in which order (by `known_from`, then `event_id`), and are recomputed wherever an
event leaves. In both, a null value is missing and is passed over; with no value at all the result is null, except that
`Count` and `Sum` of nothing are 0. Columns of kind DAY hold dates or whole days since 1970-01-01.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import polars as pl

from features.errors import BadSetting

DAY = (pl.Date(), pl.Int64())
WHOLE = (pl.Int64(),)
FLAG = (pl.Boolean(),)
NUMBER = (pl.Int64(), pl.Float64(), pl.Date())
ANY = (*NUMBER, pl.Boolean(), pl.String(), pl.Datetime("ms", "UTC"))

EWMA_REACH = 1_000


class Term(NamedTuple):
    """One running total of an event column: power 0 counts its values, 1 adds them, 2 adds their squares."""

    column: str
    power: int

    @property
    def name(self) -> str:
        """A column name that no other term has."""
        return f"{('count', 'sum', 'squares')[self.power]}:{self.column}"

    def of_rows(self) -> pl.Expr:
        """What each event row adds, as Int64; a missing value adds nothing."""
        if self.power == 0:
            return pl.col(self.column).is_not_null().cast(pl.Int64).alias(self.name)
        value = pl.col(self.column).cast(pl.Int64).fill_null(0)
        return (value if self.power == 1 else value * value).alias(self.name)

    def total(self) -> pl.Expr:
        """The total at an instant, as Int64."""
        return pl.col(self.name)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Common to all. `kinds`: the types its columns may have; `is_age`: the feature is `cutoff_day` less the state."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = WHOLE
    is_age: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The event columns it reads."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Additive(Aggregate):
    """A formula over totals."""

    def terms(self) -> tuple[Term, ...]:
        """The totals it is made from."""
        raise NotImplementedError

    def state(self) -> pl.Expr:
        """Its value from the totals, Float64."""
        raise NotImplementedError


def _over(numerator: Term, denominator: Term) -> pl.Expr:
    return pl.when(denominator.total() != 0).then(numerator.total() / denominator.total())


@dataclass(frozen=True, slots=True)
class Count(Additive):
    """How many events, or how many with a value in `column`."""

    column: str | None = None
    kinds: ClassVar[tuple[pl.DataType, ...]] = ANY

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column or "known_from",)

    def terms(self) -> tuple[Term, ...]:
        return (Term(self.columns[0], 0),)

    def state(self) -> pl.Expr:
        return Term(self.columns[0], 0).total().cast(pl.Float64)


@dataclass(frozen=True, slots=True)
class _OfTotals(Additive):
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def terms(self) -> tuple[Term, ...]:
        return Term(self.column, 0), Term(self.column, 1)

    def state(self) -> pl.Expr:
        return _over(Term(self.column, 1), Term(self.column, 0))


@dataclass(frozen=True, slots=True)
class Sum(_OfTotals):
    """Total of a whole-number column."""

    def terms(self) -> tuple[Term, ...]:
        return (Term(self.column, 1),)

    def state(self) -> pl.Expr:
        return Term(self.column, 1).total().cast(pl.Float64)


@dataclass(frozen=True, slots=True)
class Mean(_OfTotals):
    """Mean of a whole-number column."""


@dataclass(frozen=True, slots=True)
class Share(_OfTotals):
    """Share of true among the values of a Boolean column, 0 to 1."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = FLAG


@dataclass(frozen=True, slots=True)
class MeanAge(_OfTotals):
    """Mean days from a day column to the day of the cutoff; negative where the days lie ahead."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = DAY
    is_age: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Std(_OfTotals):
    """Sample standard deviation (n - 1) of a whole-number column; null with fewer than two values.

    Sums of squares are kept as Int64: values times values times events must stay below 9.2e18 (days of up to 3,000,000
    over a million events), which the engine checks. The squares are re-centred on the rounded mean in exact integers
    before anything becomes a float, so that a small spread around a large mean keeps its digits.
    """

    def terms(self) -> tuple[Term, ...]:
        return Term(self.column, 0), Term(self.column, 1), Term(self.column, 2)

    def state(self) -> pl.Expr:
        n, total, squares = (term.total() for term in self.terms())
        centre = (2 * total + n) // (2 * n)
        rest = total - centre * n
        around_centre = squares - centre * (total + rest)
        return pl.when(n >= 2).then(((around_centre - rest * rest / n) / (n - 1)).sqrt())


@dataclass(frozen=True, slots=True)
class Ratio(Additive):
    """Sum of `over` by the sum of `under`; null where that sum is 0. A weighted mean where `over` is a product."""

    over: str
    under: str

    @property
    def columns(self) -> tuple[str, ...]:
        return self.over, self.under

    def terms(self) -> tuple[Term, ...]:
        return Term(self.over, 1), Term(self.under, 1)

    def state(self) -> pl.Expr:
        return _over(*self.terms())


@dataclass(frozen=True, slots=True)
class Ordered(Aggregate):
    """A value per event, from that event and those before it, in order of (`known_from`, `event_id`)."""

    column: str
    kinds: ClassVar[tuple[pl.DataType, ...]] = NUMBER

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def reach(self) -> int | None:
        """How many of the newest values decide it; None for an extreme of all, which no order can change."""
        raise NotImplementedError

    def running(self, value: pl.Expr) -> pl.Expr:
        """Its value after each event of one customer's, in order and none missing; the engine puts it `over` them."""
        raise NotImplementedError


def _at_least_one(last: int | None) -> None:
    if last is not None and last < 1:
        raise BadSetting(f"last is {last}; allowed: how many of the newest events to use, 1 or more")


@dataclass(frozen=True, slots=True)
class Last(Ordered):
    """The newest value."""

    @property
    def reach(self) -> int:
        return 1

    def running(self, value: pl.Expr) -> pl.Expr:
        return value


@dataclass(frozen=True, slots=True)
class _OfNewest(Ordered):
    last: int = field(kw_only=True)

    def __post_init__(self) -> None:
        _at_least_one(self.last)

    @property
    def reach(self) -> int:
        return self.last


@dataclass(frozen=True, slots=True)
class LastMean(_OfNewest):
    """Mean of the newest `last` values of a whole-number column."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = WHOLE

    def running(self, value: pl.Expr) -> pl.Expr:
        count = pl.int_range(1, pl.len() + 1).clip(upper_bound=self.last)
        total = value.cum_sum()
        return (total - total.shift(self.last, fill_value=0)) / count


@dataclass(frozen=True, slots=True)
class Quantile(_OfNewest):
    """Quantile of the newest `last` values, interpolated linearly between neighbours."""

    share: float

    def __post_init__(self) -> None:
        _at_least_one(self.last)
        if not 0 <= self.share <= 1:
            raise BadSetting(f"share of Quantile is {self.share}; allowed: 0 to 1")

    def running(self, value: pl.Expr) -> pl.Expr:
        return value.cast(pl.Float64).rolling_quantile(self.share, "linear", window_size=self.last, min_samples=1)


@dataclass(frozen=True, slots=True)
class Median(_OfNewest):
    """Median of the newest `last` values; between the middle two where their number is even."""

    def running(self, value: pl.Expr) -> pl.Expr:
        return Quantile(self.column, 0.5, last=self.last).running(value)


@dataclass(frozen=True, slots=True)
class _Extreme(Ordered):
    last: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _at_least_one(self.last)

    @property
    def reach(self) -> int | None:
        return self.last


@dataclass(frozen=True, slots=True)
class Min(_Extreme):
    """Smallest of all values, or of the newest `last`."""

    def running(self, value: pl.Expr) -> pl.Expr:
        return value.cum_min() if self.last is None else value.rolling_min(self.last, min_samples=1)


@dataclass(frozen=True, slots=True)
class Max(_Extreme):
    """Largest of all values, or of the newest `last`."""

    def running(self, value: pl.Expr) -> pl.Expr:
        return value.cum_max() if self.last is None else value.rolling_max(self.last, min_samples=1)


@dataclass(frozen=True, slots=True)
class DaysSince(Max):
    """Days from the latest value of a day column to the day of the cutoff; negative where it lies ahead."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = DAY
    is_age: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class MaxAge(Min):
    """Days from the earliest value of a day column to the day of the cutoff."""

    kinds: ClassVar[tuple[pl.DataType, ...]] = DAY
    is_age: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Ewma(Ordered):
    """Exponentially weighted mean: an event weighs half as much as the one `half_life` events newer.

    Where events leave, values so old that they weigh less than 2^-50 of the newest may be left out.
    """

    half_life: float

    def __post_init__(self) -> None:
        if not 0 < self.half_life <= EWMA_REACH / 50:
            raise BadSetting(
                f"half_life of Ewma is {self.half_life}; allowed: above 0, up to {EWMA_REACH // 50} events"
            )

    @property
    def reach(self) -> int:
        return EWMA_REACH

    def running(self, value: pl.Expr) -> pl.Expr:
        return value.cast(pl.Float64).ewm_mean(half_life=self.half_life, adjust=True)
