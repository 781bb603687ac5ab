"""What would go with a better grade: small changes to what a customer can change, tried on the model.

They are associations, not effects: customers like this one, but for the change, carry the better grade. Only what is
declared here is ever changed, by the steps declared here; never who the customer is (country, segment, tenure).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.credit.scale import GRADES, grade
from models.credit.scorer import CreditScorer
from models.scorer import feature_values

Floats = NDArray[np.float64]
Values = Mapping[str, float | None]
ASSOCIATION = "customers like this one but for that, by association; no promise that the change brings it about"
MOST_SHOWN = 3
STEPS_TOGETHER = 2


@dataclass(frozen=True)
class Change:
    """Something a customer can do. `steps` are the sizes to try, small to large.

    moves  the features that would read differently, given the row; None where the change is not there to be made
    words  in the place of "with ... the grade is B"
    """

    name: str
    steps: tuple[float, ...]
    moves: Callable[[Values, float], dict[str, float] | None]
    words: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """With the changes in `words` the grade is `grade` and the chance `pd`. `note` says that it is an association."""

    words: str
    changes: tuple[tuple[str, float], ...]
    grade: str
    pd: float
    note: str = ASSOCIATION


def counterfactuals(scorer: CreditScorer, frame: pl.DataFrame) -> list[Counterfactual]:
    """Up to `MOST_SHOWN` ways to a better grade for the single row of `frame`, the smallest changes first.

    Empty where the grade is the best there is, or nothing within the steps betters it.
    """
    row = frame.row(0, named=True)
    base = feature_values(frame, scorer.names)
    now = grade(float(scorer.pd(base)[0]))
    plans = _plans(row)
    if not plans or now == next(iter(GRADES)):
        return []
    told = scorer.pd(_changed(base, scorer.names, plans))
    found: list[Counterfactual] = []
    seen: list[set[str]] = []
    for plan, pd in zip(plans, told, strict=True):
        names = {change.name for change, _, _ in plan}
        better = grade(float(pd)) < now
        if better and not any(known <= names for known in seen):
            seen.append(names)
            words = " and ".join(change.words(step) for change, step, _ in plan)
            steps = tuple((change.name, step) for change, step, _ in plan)
            found.append(
                Counterfactual(f"with {words} the grade is {grade(float(pd))}", steps, grade(float(pd)), float(pd))
            )
    return found[:MOST_SHOWN]


Plan = tuple[tuple[Change, float, dict[str, float]], ...]


def _plans(row: Values) -> list[Plan]:
    """Single changes by the size of their step, then pairs."""
    single: list[tuple[int, Plan]] = []
    for change in CHANGES:
        for size, step in enumerate(change.steps):
            moves = change.moves(row, step)
            if moves:
                single.append((size, ((change, step, moves),)))
    pairs = [
        (a + b, (*first, *second))
        for (a, first), (b, second) in combinations(single, STEPS_TOGETHER)
        if first[0][0].name != second[0][0].name and not first[0][2].keys() & second[0][2].keys()
    ]
    return [plan for _, plan in (*sorted(single, key=lambda p: p[0]), *sorted(pairs, key=lambda p: p[0]))]


def _changed(base: Floats, names: tuple[str, ...], plans: list[Plan]) -> Floats:
    rows = np.repeat(base, len(plans), axis=0)
    place = {name: k for k, name in enumerate(names)}
    for k, plan in enumerate(plans):
        for _, _, moves in plan:
            for name, value in moves.items():
                if name in place:
                    rows[k, place[name]] = value
    return rows


def _fewer_late(row: Values, count: float) -> dict[str, float] | None:
    """So many of the invoices due in 90 days and settled late had been settled on the due date."""
    settled, share = row["days_late_count_due_90d"] or 0.0, row["days_late_share_late_due_90d"] or 0.0
    mean, late = row["days_late_mean_due_90d"], round(share * settled)
    if mean is None or late < count or mean <= 0:
        return None
    left = (late - count) / late
    return {
        "days_late_share_late_due_90d": share * left,
        "days_late_mean_due_90d": mean * left,
        "late_31_count_90d": round((row["late_31_count_90d"] or 0.0) * left),
    }


def _nothing_overdue_by(row: Values, days: float) -> dict[str, float] | None:
    """What is overdue by more than `days` had been paid."""
    worst, opened = row["worst_overdue_days"], row["open_cents"] or 0.0
    if not worst or worst <= days or not opened:
        return None
    gone_count, gone_cents = row[f"overdue_{days:.0f}_count"] or 0.0, row[f"overdue_{days:.0f}_cents"] or 0.0
    moves = {
        f"overdue_{bound}_{what}": max((row[f"overdue_{bound}_{what}"] or 0.0) - gone, 0.0) if bound < days else 0.0
        for bound in (0, 30, 60, 90)
        for what, gone in (("count", gone_count), ("cents", gone_cents))
    }
    left = opened - gone_cents
    moves["worst_overdue_days"] = days
    moves["open_count"] = (row["open_count"] or 0.0) - gone_count
    moves["open_cents"] = left
    moves["overdue_share"] = moves["overdue_0_cents"] / left if left > 0 else 0.0
    return moves | _utilisations(row, left)


def _less_owed(row: Values, percent: float) -> dict[str, float] | None:
    """Less of the limit on file was used, by that part of what is open."""
    opened = row["open_cents"] or 0.0
    if not opened or row["limit_utilisation"] is None:
        return None
    left = opened * (1 - percent / 100)
    return {"open_cents": left, **_utilisations(row, left)}


def _utilisations(row: Values, open_cents: float) -> dict[str, float]:
    limit = row["credit_limit_cents"]
    if not limit:
        return {}
    ordered = row["unbilled_cents"] or 0.0
    return {
        "limit_utilisation": open_cents / limit,
        "limit_utilisation_with_orders": (open_cents + ordered) / limit,
    }


CHANGES = (
    Change(
        "fewer_late_90d",
        (1.0, 2.0, 3.0, 5.0),
        _fewer_late,
        lambda n: f"{n:.0f} fewer late invoice{'' if n == 1 else 's'} in 90 days",
    ),
    Change(
        "overdue_paid",
        (60.0, 30.0, 0.0),
        _nothing_overdue_by,
        lambda d: f"nothing overdue by more than {d:.0f} days" if d else "nothing overdue",
    ),
    Change("less_owed", (10.0, 25.0, 50.0), _less_owed, lambda p: f"{p:.0f} % less owed"),
)
