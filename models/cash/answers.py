"""What a cash forecast says: periods with quantiles, per entity and currency and in group currency."""

from datetime import date
from typing import Any, Literal

import msgspec

QUANTILES = (0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975)
QUANTILE_NAMES = ("p2_5", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p97_5")
Availability = Literal["full", "pooled", "none"]


class Inflow(msgspec.Struct, frozen=True, kw_only=True):
    """Cash that comes in from `first_day` through `last_day`, in whole minor units.

    Components are means and sum to `mean_minor`; quantiles are of the total, and do not add up over periods.
    """

    first_day: date
    last_day: date
    mean_minor: int
    open_minor: int
    orders_minor: int
    new_business_minor: int
    quantiles_minor: dict[str, int]


class SeriesForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The inflow of one entity in one currency; where `availability` is none there is no period, for the reason."""

    entity_id: str
    currency: str
    availability: Availability
    availability_reason: str | None = None
    owed_minor: int  # what is open, before anything is taken off
    total: Inflow | None = None
    weekly: tuple[Inflow, ...] = ()
    daily: tuple[Inflow, ...] = ()


class GroupForecast(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in one currency, at the rates known at `as_of`; series without a rate are left out and named."""

    currency: str
    availability: Availability
    availability_reason: str | None = None
    rates: dict[str, float]  # currency -> units of the group's currency
    left_out: tuple[str, ...] = ()  # ENTITY/CURRENCY
    total: Inflow | None = None
    weekly: tuple[Inflow, ...] = ()
    daily: tuple[Inflow, ...] = ()


class CashForecast(msgspec.Struct, frozen=True, kw_only=True):
    """One forecast: what it was made with, and what comes in."""

    as_of: str
    weeks: int
    draws: int
    seed: int
    rests_on: str | None
    scenario: str | None
    series: tuple[SeriesForecast, ...]
    group: GroupForecast | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, days as text."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told
