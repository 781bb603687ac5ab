"""Loss rates by bucket for the provision matrix: given, or derived from what became of overdue money in the past.

IFRS 9's simplified approach (5.5.15, B5.5.35) provides for lifetime losses of trade receivables by days past due. A
derived rate is direct: of what was owed in a bucket, the share that some time later was written off or still owed. A
chain of roll rates through the later buckets says the same of much money, but of little a single step in which nothing
rolled makes all of it 0. Rates are historical, then times a forward-looking factor, at most 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import polars as pl

from features.book import Book
from features.errors import BadSetting
from features.kpis.asof import AsOf
from features.kpis.buckets import LABELS, OLDEST, require_bucket
from features.kpis.rounding import to_decimals
from features.ledger import RECEIVABLE

RATE_DECIMALS = 6
STEP_DAYS = 30
FEWEST_RECEIVABLES = 10
Key = tuple[str, str, str]
"""Entity, currency and bucket."""


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


@dataclass(frozen=True, slots=True)
class _Past:
    """How many receivables were seen in a bucket, and the share of what was owed of them that was lost."""

    receivables: int
    lost: Fraction


def derived_rates(
    book: Book,
    as_of: date | datetime,
    *,
    steps: int = 12,
    recovery_days: int = 365,
    oldest_rate: Decimal | None = None,
    fewest: int = FEWEST_RECEIVABLES,
) -> list[LossRates]:
    """Historical loss rates of every entity and currency, to 6 decimals, from what was known as of `as_of`.

    Of what was owed in a bucket that is lost what `recovery_days` later was still owed or written off, over `steps`
    looks 30 days apart, each as the books stood then. Where its own receivables are fewer than `fewest`, or none of
    them was lost, the rate is that of all currencies of the entity, else of all entities, each pair of entity and
    currency weighing by its receivables; a note says so. It is 0, with a note, only where nobody lost anything, and a
    bucket in which too little was owed anywhere has none: of the oldest, `oldest_rate` where that is given.
    """
    at = AsOf.of(book, as_of)
    past = _pasts(at, steps, recovery_days)
    known = at.ledger.select("entity_id", "currency").unique().sort("entity_id", "currency")
    return [_rates(entity, currency, past, fewest, oldest_rate) for entity, currency in known.iter_rows()]


def _rates(
    entity: str, currency: str, past: Mapping[Key, _Past], fewest: int, oldest_rate: Decimal | None
) -> LossRates:
    rates: dict[str, Decimal] = {}
    unknown: dict[str, str] = {}
    notes: dict[str, str] = {}
    for label in LABELS:
        rate, said = _rate((entity, currency, label), past, fewest)
        if rate is None and label == OLDEST and oldest_rate is not None:
            rate, said = Fraction(oldest_rate), ""
        if rate is None:
            unknown[label] = said
            continue
        rates[label] = to_decimals(rate, RATE_DECIMALS)
        if said:
            notes[label] = said
    return LossRates(rates, entity, currency, unknown=unknown, notes=notes)


def _rate(key: Key, past: Mapping[Key, _Past], fewest: int) -> tuple[Fraction | None, str]:
    """The rate of the narrowest pool with receivables enough of which something was lost, and what to know of it."""
    entity, _, label = key
    alike = {k: p for k, p in past.items() if k[2] == label}
    own = _pooled(p for k, p in alike.items() if k == key)
    if own.receivables >= fewest and own.lost:
        return own.lost, ""
    everybody = _pooled(alike.values())
    for whom, pool in (
        (f"all currencies of {entity}", _pooled(p for k, p in alike.items() if k[0] == entity)),
        ("all entities", everybody),
    ):
        if pool.receivables >= fewest and pool.lost:
            why = "are too few" if own.receivables < fewest else "lost nothing"
            return pool.lost, f"the rate of {whom}, {pool.receivables} receivables: its own {own.receivables} {why}"
    if everybody.receivables >= fewest:
        return Fraction(0), f"the rate is 0: nothing was lost of the {everybody.receivables} receivables looked at"
    return None, f"only {everybody.receivables} receivables were seen long enough in {label}; allowed: {fewest} or more"


def _pooled(pasts: Iterable[_Past]) -> _Past:
    """Each weighing by its receivables: amounts in different currencies are not added up."""
    told = list(pasts)
    count = sum(past.receivables for past in told)
    return _Past(
        count, sum((past.lost * past.receivables for past in told), Fraction(0)) / count if count else Fraction(0)
    )


def _pasts(at: AsOf, steps: int, recovery_days: int) -> dict[Key, _Past]:
    looks = [at.earlier(STEP_DAYS * step) for step in range(steps)]
    both = pl.concat([_unpaid(look.earlier(recovery_days), look) for look in looks])
    sums = both.group_by("entity_id", "currency", "bucket").agg(
        pl.col("open_minor", "lost_minor").sum(), count=pl.struct(RECEIVABLE).n_unique()
    )
    return {
        (entity, currency, bucket): _Past(count, Fraction(max(lost, 0), owed))
        for entity, currency, bucket, owed, lost, count in sums.sort("entity_id", "currency", "bucket").iter_rows()
    }


def _unpaid(then: AsOf, now: AsOf) -> pl.DataFrame:
    """RECEIVABLE, currency, bucket and open_minor of what was owed then; lost_minor: still owed now, or written off."""
    owed = then.receivables.filter(pl.col("open_minor") > 0)
    still = now.receivables.filter(pl.col("open_minor") > 0).select(*RECEIVABLE, _still="open_minor")
    both = owed.join(still, on=RECEIVABLE, how="left")
    for name, look in (("_before", then), ("_gone", now)):
        both = both.join(_given_up(look, name), on=RECEIVABLE, how="left")
    since = pl.col("_gone").fill_null(0) - pl.col("_before").fill_null(0)
    lost = pl.min_horizontal("open_minor", pl.col("_still").fill_null(0) + since)
    return both.select(*RECEIVABLE, "currency", "bucket", "open_minor", lost_minor=lost)


def _given_up(at: AsOf, name: str) -> pl.DataFrame:
    """RECEIVABLE and, as `name`, what was written off of it."""
    written = at.allocations.filter(pl.col("kind") == "write_off")
    return written.group_by(RECEIVABLE).agg(pl.col("amount_minor").sum().alias(name))
