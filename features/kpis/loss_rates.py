"""Loss rates by bucket for the provision matrix: given, or derived from how overdue money rolled in the past.

IFRS 9's simplified approach (5.5.15, B5.5.35) provides for lifetime losses of trade receivables by days past due. A
derived rate is the chance to roll through every later bucket, times what was lost of the oldest one: historical, then
times a forward-looking factor, at most 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import polars as pl

from features.book import Book
from features.errors import BadSetting
from features.kpis.asof import AsOf
from features.kpis.buckets import LABELS, OLDEST, require_bucket
from features.kpis.rolls import rolls
from features.kpis.rounding import to_decimals
from features.ledger import RECEIVABLE

RATE_DECIMALS = 6
STEP_DAYS = 30


@dataclass(frozen=True)
class LossRates:
    """Bucket label -> share that will be lost, for the entity, currency and segment named; null means any.

    `unknown` says of a bucket why it has no rate, `notes` what one should know of its rate. `BadSetting` for another
    bucket, or a share outside 0 to 1.
    """

    rates: Mapping[str, Decimal]
    entity_id: str | None = None
    currency: str | None = None
    segment: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what was given."""
        for label, rate in self.rates.items():
            require_bucket(label, "loss rates")
            if not (rate.is_finite() and 0 <= rate <= 1):
                raise BadSetting(f"the loss rate of {label} is {rate}; allowed: 0 to 1, such as 0.015 for 1.5 %")

    def fits(self, row: Mapping[str, object]) -> bool:
        """Whether they are for a row with these `entity_id`, `currency` and, where it has one, `segment`."""
        return all(want is None or row.get(key) == want for key, want in self._scope)

    @property
    def narrowness(self) -> int:
        """How many of entity, currency and segment they name."""
        return sum(want is not None for _, want in self._scope)

    @property
    def _scope(self) -> tuple[tuple[str, str | None], ...]:
        return (("entity_id", self.entity_id), ("currency", self.currency), ("segment", self.segment))


def narrowest(rates: Sequence[LossRates], row: Mapping[str, object]) -> LossRates | None:
    """Of those that fit the row and have a rate for its `bucket` the one that names most; the first of several.

    Where none has, the one that names most of those that fit: it may say why. Null where none fits.
    """
    fitting = sorted((r for r in rates if r.fits(row)), key=lambda r: -r.narrowness)
    return next((r for r in fitting if row["bucket"] in r.rates), fitting[0] if fitting else None)


def with_factor(rate: Decimal, factor: Decimal) -> Decimal:
    """The rate times the forward-looking factor, at most 1; `BadSetting` for a factor that is not above 0."""
    if not (factor.is_finite() and factor > 0):
        raise BadSetting(f"the forward-looking factor is {factor}; allowed: above 0, such as 1.1 for a tenth more")
    return min(rate * factor, Decimal(1))


def derived_rates(
    book: Book,
    as_of: date | datetime,
    *,
    steps: int = 12,
    recovery_days: int = 365,
    oldest_rate: Decimal | None = None,
) -> list[LossRates]:
    """Historical loss rates of every entity and currency, to 6 decimals, from what was known as of `as_of`.

    A bucket's roll rate is pooled over `steps` steps of 30 days, each look as the books stood then. Of the oldest
    bucket is lost what was owed in it and `recovery_days` later was still owed or written off, pooled likewise:
    `oldest_rate` where nothing was ever owed in it. What never rolled on is lost at a rate of 0; a bucket in which, or
    after which, nothing was ever owed has no rate.
    """
    at = AsOf.of(book, as_of)
    looks = [rolls(at.earlier(STEP_DAYS * step), STEP_DAYS) for step in range(steps)]
    flows = pl.concat(looks).group_by("entity_id", "currency", "bucket").agg(pl.col("from_minor", "rolled_minor").sum())
    flow = {(e, c, b): (start, on) for e, c, b, start, on in flows.iter_rows()}
    lost = _lost(at, recovery_days, steps)
    given = None if oldest_rate is None else Fraction(oldest_rate)
    known = at.ledger.select("entity_id", "currency").unique().sort("entity_id", "currency")
    return [
        _chained((entity, currency), flow, lost.get((entity, currency), given), recovery_days)
        for entity, currency in known.iter_rows()
    ]


def _chained(
    pair: tuple[str, str],
    flow: Mapping[tuple[str, str, str], tuple[int, int]],
    oldest: Fraction | None,
    recovery_days: int,
) -> LossRates:
    rates: dict[str, Decimal] = {}
    unknown: dict[str, str] = {}
    notes: dict[str, str] = {}
    chain, why = oldest, f"nothing was owed in {OLDEST} {recovery_days} days earlier to see what was lost of it"
    for label in reversed(LABELS):
        if label != OLDEST:
            start, on = flow.get((*pair, label), (0, 0))
            if start == 0:
                chain, why = None, f"nothing was ever owed in {label}"
            elif on == 0:  # what never rolls is never lost, whatever is lost of what does
                chain = Fraction(0)
            else:
                chain = None if chain is None else chain * Fraction(on, start)
        if chain is None:
            unknown[label] = why
        else:
            rates[label] = to_decimals(chain, RATE_DECIMALS)
            if chain == 0:
                notes[label] = "the rate is 0: none of it was lost, or rolled so far as to be, in the steps looked at"
    return LossRates(rates, *pair, unknown=unknown, notes=notes)


def _lost(at: AsOf, recovery_days: int, steps: int) -> dict[tuple[str, str], Fraction]:
    """Entity and currency -> share of what was owed in the oldest bucket that was never paid, pooled over the steps."""
    looks = [at.earlier(STEP_DAYS * step) for step in range(steps)]
    both = pl.concat([_unpaid(look.earlier(recovery_days), look) for look in looks])
    sums = both.group_by("entity_id", "currency").agg(pl.col("open_minor", "lost_minor").sum())
    return {(entity, currency): Fraction(max(lost, 0), whole) for entity, currency, whole, lost in sums.iter_rows()}


def _unpaid(then: AsOf, now: AsOf) -> pl.DataFrame:
    """entity_id, currency, open_minor in the oldest bucket then, lost_minor: of it still owed now, or written off."""
    owed = then.receivables.filter((pl.col("bucket") == OLDEST) & (pl.col("open_minor") > 0))
    still = now.receivables.filter(pl.col("open_minor") > 0).select(*RECEIVABLE, _still="open_minor")
    both = owed.join(still, on=RECEIVABLE, how="left")
    for name, look in (("_before", then), ("_gone", now)):
        both = both.join(_given_up(look, name), on=RECEIVABLE, how="left")
    since = pl.col("_gone").fill_null(0) - pl.col("_before").fill_null(0)
    lost = pl.min_horizontal("open_minor", pl.col("_still").fill_null(0) + since)
    return both.select("entity_id", "currency", "open_minor", lost_minor=lost)


def _given_up(at: AsOf, name: str) -> pl.DataFrame:
    """RECEIVABLE and, as `name`, what was written off of it."""
    written = at.allocations.filter(pl.col("kind") == "write_off")
    return written.group_by(RECEIVABLE).agg(pl.col("amount_minor").sum().alias(name))
