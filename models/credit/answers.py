"""The answer about one customer, ready to be read, stored or sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import polars as pl

from features.customer_catalogue import is_signal
from features.customers import ACTIVE_DAYS, DefaultRule
from models.credit.codes import CODES, CreditReason, ranked
from models.credit.scale import grade
from models.credit.scorer import CreditScorer, Parts
from models.predictions import OWN_HISTORY
from models.scorer import feature_values

Availability = Literal["full", "pooled", "none"]


@dataclass(frozen=True, slots=True)
class CreditScore:
    """How likely a customer is to go into default within `horizon_days` of the start of `cutoff_day`.

    availability    "full"; "pooled" where the customer's own history is thin; "none" where nothing can be said, and
                    then every figure is null. `availability_reason` says why, unless full
    default_cause   why it is in default already, "overdue", "written_off" or "insolvent": then `pd` is 1, as a
                    statement and not by the model, and score, grade and reasons are left out; null where it is not
    pd              probability of default
    score           300 to 850, the more the safer
    grade           A to G, by `pd`
    typical_score   the score that reasons start from: typical + the points of all reasons = score
    signals         external signals that were known, name -> value; `signals_missing` those the model reads and misses
    """

    entity_id: str
    customer_id: str
    cutoff_day: date
    horizon_days: int
    availability: str
    availability_reason: str | None
    default_cause: str | None
    pd: float | None
    score: float | None
    grade: str | None
    typical_score: float | None
    reasons: tuple[CreditReason, ...]
    signals: dict[str, float]
    signals_missing: tuple[str, ...]


def scores(scorer: CreditScorer, rule: DefaultRule, frame: pl.DataFrame) -> list[CreditScore]:
    """One answer per row of the customer FEATURE frame with `default_cause`, in its order."""
    values = feature_values(frame, scorer.names)
    parts, pd = scorer.parts(values), scorer.pd(values)
    return [_score(scorer, rule, row, k, float(pd[k]), parts) for k, row in enumerate(frame.iter_rows(named=True))]


def _score(
    scorer: CreditScorer, rule: DefaultRule, row: Mapping[str, Any], k: int, pd: float, parts: Parts
) -> CreditScore:
    availability, why = availability_of(row, rule)
    scored = availability != "none" and row["default_cause"] is None
    told = {name: row.get(name) for name in scorer.names if is_signal(name)}
    return CreditScore(
        entity_id=row["entity_id"],
        customer_id=row["customer_id"],
        cutoff_day=row["cutoff_day"],
        horizon_days=rule.horizon_days,
        availability=availability,
        availability_reason=why,
        default_cause=row["default_cause"],
        pd=pd if scored else 1.0 if row["default_cause"] else None,
        score=float(parts.points[k]) if scored else None,
        grade=grade(pd) if scored else None,
        typical_score=parts.typical if scored else None,
        reasons=reasons(scorer, parts, k, row) if scored else (),
        signals={name.removeprefix("attribute_"): value for name, value in told.items() if value is not None},
        signals_missing=tuple(name.removeprefix("attribute_") for name, value in told.items() if value is None),
    )


def reasons(scorer: CreditScorer, parts: Parts, k: int, row: Mapping[str, Any]) -> tuple[CreditReason, ...]:
    """Reasons of row `k`, largest first; codes without any effect are left out."""
    by_name = {code.name: code for code in CODES}
    told = (
        CreditReason(name, by_name[name].words(points, row, moved_by(scorer, parts, k, name)), points)
        for name, points in zip(scorer.group_names, parts.groups[k].tolist(), strict=True)
    )
    return ranked(told, float(parts.clipping[k]))


def moved_by(scorer: CreditScorer, parts: Parts, k: int, group: str) -> list[str]:
    """The columns of a group that moved the score of row `k` the way the group did, the strongest first."""
    total = parts.groups[k, scorer.group_names.index(group)]
    own = [c for c, name in enumerate(scorer.groups) if name == group and parts.columns[k, c] * total > 0]
    return [scorer.names[c] for c in sorted(own, key=lambda c: -abs(parts.columns[k, c]))]


def availability_of(row: Mapping[str, Any], rule: DefaultRule) -> tuple[Availability, str | None]:
    """How much can be said of a customer, and why not more."""
    if row["default_cause"] is not None:
        return "full", _in_default(row["default_cause"], rule)
    opened = row["open_count"] or 0
    if not row["charged_count"]:
        return "none", _no_history(row)
    idle = row["days_since_invoiced"]
    if not opened and idle is not None and idle > ACTIVE_DAYS:
        return "none", f"nothing open, and last invoiced {idle:.0f} days ago; active customers are scored"
    valued = int((row["valued_open_count"] or 0) + (row["valued_invoiced_count_365d"] or 0))
    if not valued:
        return "none", "no exchange rate was known for anything it owes or bought in a year: load exchange rates"
    gaps = [gap for gap in (_thin(row), _unvalued(row, valued, rule)) if gap]
    return ("pooled", "; ".join(gaps)) if gaps else ("full", None)


def _thin(row: Mapping[str, Any]) -> str | None:
    settled, opened = int(row["days_late_count"] or 0), row["open_count"] or 0
    if settled >= OWN_HISTORY:
        return None
    disputed = ", and all that is open is disputed" if opened and row["disputed_open_count"] >= opened else ""
    return f"{settled} settled invoices of this customer; its own history counts from {OWN_HISTORY} on{disputed}"


def _unvalued(row: Mapping[str, Any], valued: int, rule: DefaultRule) -> str | None:
    """Amounts that are too small, since some of what they add up has no rate; and what that leaves undecided."""
    missing = int((row["open_count"] or 0) + (row["invoiced_count_365d"] or 0)) - valued
    if missing <= 0:
        return None
    opened = int((row["open_count"] or 0) - (row["valued_open_count"] or 0))
    return (
        f"no exchange rate was known for {opened} open receivables and {missing - opened} of those of a year: amounts "
        f"leave them out{_undecided(row, opened, rule)}; load exchange rates"
    )


def _undecided(row: Mapping[str, Any], unvalued_open: int, rule: DefaultRule) -> str:
    if not unvalued_open or (row["worst_overdue_days"] or 0) < rule.late_days:
        return ""
    return f", so that something {rule.late_days} or more days past due is not known to be large enough for a default"


def _in_default(cause: str, rule: DefaultRule) -> str:
    return {
        "overdue": f"in default already: something is {rule.late_days} or more days past due",
        "written_off": f"in default already: something was written off in the last {rule.cure_days} days",
        "insolvent": "in default already: it is insolvent",
    }[cause] + "; stated, not by the model"


def _no_history(row: Mapping[str, Any]) -> str:
    if row["invoiced_count"]:
        return "only negative invoices so far, which it does not owe: nothing to judge by"
    if row["credit_note_count"]:
        return "only credit notes so far, no invoice: nothing to judge by"
    return "no invoice so far: nothing to judge by"
