"""From distributions to the answers that people and programs read."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.bins import LAST_DAY, epoch_days
from models.distribution import AGEING_NAMES, Distribution
from models.predictions import OWN_HISTORY, PAID_BY_DAYS, PaymentPrediction
from models.reasons import contributions, in_words
from models.scorer import feature_values

Floats = NDArray[np.float64]


def answers(
    seen: Distribution, explainer: Any, names: Sequence[str], frame: pl.DataFrame, days: Sequence[date] = ()
) -> list[PaymentPrediction]:
    """One answer per row of the FEATURE frame, from its distribution `seen` and the reasons of `explainer`.

    days  asked for in `paid_by`, beside the usual ones
    """
    if frame.is_empty():
        return []
    expected = days_past_due(seen, frame)
    parts, typical = contributions(explainer, names, feature_values(frame, names), expected)
    due = frame["due_date"].to_numpy().astype("datetime64[D]")
    chances = _Chances(seen, due, days)
    return [
        _answer(row, k, chances, float(expected[k]), parts[k], typical)
        for k, row in enumerate(frame.iter_rows(named=True))
    ]


def days_past_due(seen: Distribution, frame: pl.DataFrame) -> Floats:
    """(n,) expected days past due, given payment within the horizon."""
    days: Floats = seen.mean_days_within() + (epoch_days(frame, "cutoff_day") - epoch_days(frame, "due_date"))
    return days


class _Chances:
    """All that is read off the distributions, for every row at once."""

    def __init__(self, seen: Distribution, due: NDArray[np.datetime64], days: Sequence[date]) -> None:
        self.horizon_days = seen.horizon_days
        self.quantiles = {share: seen.quantile_days(share) for share in (0.1, 0.5, 0.9)}
        self.late = seen.late(due)
        self.beyond = 1.0 - seen.cdf[:, -1]
        self.ageing = seen.ageing(due)
        self.soon = {ahead: seen.paid_by(seen.start + np.timedelta64(ahead, "D")) for ahead in PAID_BY_DAYS}
        self.asked = {day: seen.paid_by(np.full(len(due), day, dtype="datetime64[D]")) for day in days}

    def paid_by(self, k: int, cutoff: date) -> dict[str, float]:
        """ISO date -> chance of row `k`, in the order of the days."""
        soon = {cutoff + timedelta(days=ahead): chance[k] for ahead, chance in self.soon.items()}
        asked = {day: chance[k] for day, chance in self.asked.items()}
        return {str(day): float(chance) for day, chance in sorted((soon | asked).items())}


def _answer(
    row: Mapping[str, Any], k: int, chances: _Chances, expected: float, parts: Floats, typical: float
) -> PaymentPrediction:
    availability, why = _availability(row, chances.horizon_days)
    said = availability != "none"
    dated = said and chances.beyond[k] < 0.5
    if said and not dated:
        why = "; ".join(filter(None, (why, _undated(chances.beyond[k], chances.horizon_days))))
    cutoff: date = row["cutoff_day"]
    due: date = row["due_date"]

    def quantile(share: float) -> date | None:
        days = int(chances.quantiles[share][k])
        return cutoff + timedelta(days=days) if said and days < chances.horizon_days else None

    return PaymentPrediction(
        **{
            name: row[name]
            for name in ("entity_id", "customer_id", "invoice_id", "instalment", "currency", "amount_minor")
        },
        due_date=due,
        cutoff_day=cutoff,
        availability=availability,
        availability_reason=why,
        expected_date=due + timedelta(days=round(expected)) if dated else None,
        p10=quantile(0.1),
        p50=quantile(0.5),
        p90=quantile(0.9),
        p_late=float(chances.late[k]) if said else None,
        p_beyond=float(chances.beyond[k]) if said else None,
        ageing=dict(zip(AGEING_NAMES, chances.ageing[k].tolist(), strict=True)) if said else {},
        paid_by=chances.paid_by(k, cutoff) if said else {},
        typical_date=due + timedelta(days=round(typical)) if dated else None,
        reasons=in_words(parts, row) if dated else (),
    )


def _undated(beyond: float, horizon_days: int) -> str:
    """Why no day is expected, though chances are told: the mean of the few that pay in time would mislead."""
    return f"not paid within {horizon_days - 1} days with a chance of {100 * beyond:.0f} %, so no day is expected"


def _availability(row: Mapping[str, Any], horizon_days: int) -> tuple[str, str | None]:
    past_due = (row["cutoff_day"] - row["due_date"]).days
    if past_due > LAST_DAY:
        return "none", f"{past_due} days past due; payment dates are learnt up to {LAST_DAY} days past due"
    if -past_due >= horizon_days:
        return "none", f"due in {-past_due} days; payment dates are foreseen up to {horizon_days - 1} days ahead"
    settled = int(row.get("days_late_count") or 0)
    if settled < OWN_HISTORY:
        return "pooled", f"{settled} settled invoices of this customer; its own history counts from {OWN_HISTORY} on"
    return "full", None
