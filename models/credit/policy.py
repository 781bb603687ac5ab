"""Credit limits: how much to lend a customer, and how much of it is used.

    appetite            what a customer's default may cost: appetite share x purchases of the last year, or the cap
    limit by risk       the exposure whose expected loss is the appetite: min(share x purchases, cap) / (PD x LGD)
    limit by capacity   what the customer turns over: capacity factor x mean purchases a month x terms in months
    suggested limit     the smaller of the two, rounded down; 0 for a customer in default

Exposure is what is open on the ledger and what is ordered and not yet billed, each switchable, in the entity's currency
at the rates known at the cutoff. Where a rate is missing nothing is suggested: half an exposure is worse than none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from features.errors import BadSetting
from features.money import exponent
from models.credit.answers import CreditScore
from models.credit.losses import DEFAULT_LGD

MONTH_DAYS = 30
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The credit policy. Amounts are in whole units of the entity's currency.

    appetite_share     expected loss that a customer may cost in the model's horizon, by what it bought in the last year
    appetite_cap       the same in whole units, at most; None: no cap
    lgd                share of the exposure lost in a default
    capacity_factor    how many times the purchases of one term of payment may be outstanding
    fallback_days      terms where the customer has none
    round_to           limits are whole multiples of it
    count_receivables, count_orders   what is exposure
    """

    appetite_share: float = 0.01
    appetite_cap: int | None = None
    lgd: float = DEFAULT_LGD
    capacity_factor: float = 2.0
    fallback_days: int = 30
    round_to: int = 500
    count_receivables: bool = True
    count_orders: bool = True

    def __post_init__(self) -> None:
        least = {"appetite_cap": 0, "capacity_factor": 0, "fallback_days": 1, "round_to": 1}
        for name, minimum in least.items():
            given = getattr(self, name)
            if given is not None and not minimum <= given < float("inf"):
                raise BadSetting(f"{name} is {given}; allowed: {minimum} or more")
        if not 0 <= self.appetite_share <= 1:
            raise BadSetting(f"appetite_share is {self.appetite_share}; allowed: 0 to 1, such as 0.01 for 1 %")
        if not 0 < self.lgd <= 1:
            raise BadSetting(f"lgd is {self.lgd}; allowed: above 0, up to 1")
        if not (self.count_receivables or self.count_orders):
            raise BadSetting("neither receivables nor orders count as exposure; allowed: at least one of the two")


@dataclass(frozen=True, slots=True)
class CreditLimit:
    """A customer's limit and its use, in minor units of `currency`, the entity's.

    availability     "none" where no limit can be suggested; `availability_reason` says why, and what is null
    exposure_minor   null where a rate is missing
    limit_minor      suggested; `decided_by` is "risk", "capacity" or "default"
    used_share       exposure by suggested limit; null where the limit is 0
    on_file_minor    the limit that the books have
    on_file_share    exposure by that; null where there is none
    """

    entity_id: str
    customer_id: str
    currency: str
    availability: str
    availability_reason: str | None
    pd: float | None
    exposure_minor: int | None
    limit_minor: int | None
    decided_by: str | None
    used_share: float | None
    on_file_minor: int | None
    on_file_share: float | None


def credit_limits(
    frame: pl.DataFrame,
    scores: Iterable[CreditScore],
    exposures: pl.DataFrame,
    home: Mapping[str, str],
    settings: LimitSettings,
) -> list[CreditLimit]:
    """One per row of the customer FEATURE frame and score, in their order.

    exposures  `features.exposures.exposures` of the same customers at the same cutoffs; `home` entity -> its currency
    """
    held: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in exposures.iter_rows(named=True):
        held.setdefault((row["entity_id"], row["customer_id"]), []).append(row)
    return [
        _limit(row, score, held.get((row["entity_id"], row["customer_id"]), []), home[row["entity_id"]], settings)
        for row, score in zip(frame.iter_rows(named=True), scores, strict=True)
    ]


def appetite(row: Row, settings: LimitSettings) -> float:
    """Expected loss that the customer may cost, in whole units: its share of the purchases of a year, or the cap."""
    share = settings.appetite_share * _bought(row)
    return share if settings.appetite_cap is None else min(share, settings.appetite_cap)


def limit_by_risk(pd: float, row: Row, settings: LimitSettings) -> float:
    """In whole units of the entity's currency: appetite / (PD x LGD); endless where the chance is 0."""
    return appetite(row, settings) / (pd * settings.lgd) if pd > 0 else float("inf")


def limit_by_capacity(row: Row, settings: LimitSettings) -> float:
    """In whole units: the factor x what was bought in a usual term of payment, by the last year."""
    terms = row["terms_days_mean"] or 0
    terms = terms if terms >= 1 else settings.fallback_days
    months = min(max((row["tenure_days"] or 0) / MONTH_DAYS, 1.0), 365 / MONTH_DAYS)
    return float(settings.capacity_factor * _bought(row) / months * terms / MONTH_DAYS)


def _bought(row: Row) -> float:
    """Purchases of the last year in whole units; 0 where more was taken back than sold."""
    return max(row["invoiced_cents_365d"] or 0, 0) / 100


def _limit(
    row: Row, score: CreditScore, held: list[dict[str, Any]], currency: str, settings: LimitSettings
) -> CreditLimit:
    unit = 10 ** exponent(currency)
    exposure, gap = _exposure(held, currency, settings)
    gap = gap or _untold_purchases(row, score, currency)
    failed = score.default_cause is not None  # then the limit is 0, whatever it owes
    limit, decided_by = _suggested(row, score, unit, settings) if failed or gap is None else (None, None)
    on_file = row["credit_limit_minor"]
    return CreditLimit(
        score.entity_id,
        score.customer_id,
        currency,
        "none" if gap and not failed else score.availability,
        "; ".join(filter(None, (score.availability_reason, gap))) if failed else gap or score.availability_reason,
        score.pd,
        exposure,
        limit,
        decided_by,
        exposure / limit if limit and exposure is not None else None,
        on_file,
        exposure / on_file if on_file and exposure is not None else None,
    )


def _exposure(held: list[dict[str, Any]], currency: str, settings: LimitSettings) -> tuple[int | None, str | None]:
    """In the entity's currency, or why it cannot be told."""
    switched = {"home_open_minor": settings.count_receivables, "home_unbilled_minor": settings.count_orders}
    counted = [part for part, counts in switched.items() if counts]
    missing = sorted({row["currency"] for row in held if any(row[part] is None for part in counted)})
    if missing:
        return None, f"no rate from {missing[0]} to {currency} was known: load exchange rates"
    return sum(row[part] for row in held for part in counted), None


def _untold_purchases(row: Row, score: CreditScore, currency: str) -> str | None:
    """Why the capacity cannot be told: of what the customer bought nothing could be valued."""
    if score.default_cause is not None or not row["invoiced_count_365d"] or row["log_amount_mean"] is not None:
        return None
    return f"no rate to {currency} was known for anything it bought: load exchange rates"


def _suggested(row: Row, score: CreditScore, unit: int, settings: LimitSettings) -> tuple[int | None, str | None]:
    if score.default_cause is not None:
        return 0, "default"
    if score.pd is None:
        return None, None
    risk, capacity = limit_by_risk(score.pd, row, settings), limit_by_capacity(row, settings)
    steps = int(min(risk, capacity) // settings.round_to)
    return steps * settings.round_to * unit, "risk" if risk <= capacity else "capacity"
