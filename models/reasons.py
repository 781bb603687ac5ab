"""Why this date: contributions in days that add up, and words that show the numbers behind them.

The days already past due are a reason as they are. For what is expected beyond them, a small tree model repeats the
hazard model from the features alone; its exact Shapley values (TreeSHAP) are added up by family of features. What it
cannot repeat (weekdays and holidays of the days ahead, mostly) is said as a reason of its own, so that typical days +
reasons = the expected days of the prediction, always.
Lundberg et al., "From Local Explanations to Global Understanding with Explainable AI for Trees" (2020).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.predictions import Reason

Floats = NDArray[np.float64]
Row = Mapping[str, float | None]

TREES = 120
LEAVES = 15


@dataclass(frozen=True)
class Family:
    """Features that tell one story, and how to tell it from their values: as facts, without saying what they do."""

    name: str
    members: re.Pattern[str]
    words: Callable[[Row], str]


def days_in_words(value: float) -> str:
    """Days late, to a tenth of a day.

    >>> days_in_words(3.54), days_in_words(-1), days_in_words(0.04)
    ('3.5 days late', '1 day early', 'on the due date')
    """
    size = abs(round(value, 1))
    if not size:
        return "on the due date"
    return f"{size:g} day{'' if size == 1 else 's'} {'late' if value > 0 else 'early'}"


def _share(value: float | None) -> str:
    return f"{100 * (value or 0):.0f} %"


def _usual(row: Row) -> str:
    count, mean = row.get("days_late_count"), row.get("days_late_mean")
    if not count or mean is None:
        return "nothing settled by this customer yet"
    late = _share(row.get("days_late_share_late"))
    return f"usually pays {days_in_words(mean)} ({count:.0f} settled, {late} late)"


def _lately(row: Row) -> str:
    last, mean = row.get("days_late_last"), row.get("days_late_mean_90d")
    if last is None:
        return "no recent settlement"
    return f"last paid {days_in_words(last)}" + (
        "" if mean is None else f", in 90 days {days_in_words(mean)} on average"
    )


def _rhythm(row: Row) -> str:
    days = {
        day: row.get(f"paid_{day[:3].lower()}_share") or 0.0
        for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    }
    favourite = max(days, key=lambda day: days[day])
    month_end = row.get("paid_month_end_share")
    if not days[favourite]:
        return "no payment rhythm known"
    return f"pays on {favourite}s {_share(days[favourite])} of the time, at month end {_share(month_end)}"


def _exposure(row: Row) -> str:
    overdue, open_count = row.get("overdue_0_count") or 0, row.get("open_count") or 0
    age = row.get("overdue_age_days")
    detail = f", {age:.0f} days past due on average" if overdue and age is not None else ""
    return f"{overdue:.0f} of {open_count:.0f} open invoices overdue{detail}"


def _trade(row: Row) -> str:
    tenure, count = row.get("tenure_days"), row.get("invoiced_count_365d") or 0
    return (
        "a new customer" if tenure is None else f"customer for {tenure:.0f} days, {count:.0f} invoices in the last year"
    )


def _pooled(row: Row) -> str:
    mean = row.get("entity_days_late_mean_90d")
    if mean is None:
        mean = row.get("entity_days_late_mean")
    if mean is None:
        return "nobody has paid this entity yet"
    return f"customers of this entity pay {days_in_words(mean)}"


def _amount(row: Row) -> str:
    spreads = row.get("amount_against_habit")
    if spreads is None:
        return "amount, with no usual amount to compare"
    if abs(spreads) < 0.5:
        return "an amount as usual for this customer"
    return f"an amount {'above' if spreads > 0 else 'below'} this customer's usual ({spreads:+.1f} spreads)"


def _calendar(row: Row) -> str:
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    weekday = row.get("due_weekday")
    on = "" if weekday is None else f", due on a {names[int(weekday) - 1]}"
    terms = row.get("terms")
    return f"terms of {terms:.0f} days{on}" if terms is not None else f"terms{on}"


def _age(row: Row) -> str:
    past = row.get("past_due")
    if past is None or past <= 0:
        return "not due yet"
    return f"already {past:.0f} days past due"


def _attribute(row: Row) -> str:
    told = [
        f"{name.removeprefix('attribute_')} {value:g}"
        for name, value in row.items()
        if value is not None and name.startswith("attribute_")
    ]
    return ", ".join(told) or "customer attributes unknown"


FAMILIES = (
    Family("lately", re.compile(r"days_late_(last|ewma.*|trend|.*_\d+d)|days_to_settle_ewma"), _lately),
    Family("amount", re.compile(r"days_late_(by_amount|by_cents|at_amount)|amount_.*|log_amount_.*"), _amount),
    Family("usual", re.compile(r"(?:business_)?days_late_.*|on_time_share|days_to_settle_mean"), _usual),
    Family("rhythm", re.compile(r"paid_.*|days_since_.*"), _rhythm),
    Family("exposure", re.compile(r"(open|overdue)_.*"), _exposure),
    Family("pooled", re.compile(r"(segment|entity)_.*"), _pooled),
    Family("calendar", re.compile(r"terms.*|(issue|due)_.*"), _calendar),
    Family("age", re.compile(r"age|past_due"), _age),
    Family("attributes", re.compile(r"((usual|change|age)_)?attribute_.*"), _attribute),
    Family("trade", re.compile(r".*"), _trade),
)
REST = "weekdays, holidays and month ends ahead, and what else remains"
PAST_DUE = "past_due"


def family_of(feature: str) -> int:
    """Index of the first family that claims the feature; the last one claims every other."""
    return next(k for k, family in enumerate(FAMILIES) if family.members.fullmatch(feature))


def fit_explainer(names: Sequence[str], values: Floats, expected_days_late: Floats, *, seed: int) -> Any:
    """A LightGBM Booster: from features (n, F) to what `expected_days_late` (n,) adds to the days past due."""
    import lightgbm

    parameters = {
        "objective": "regression",
        "learning_rate": 0.1,
        "num_leaves": LEAVES,
        "min_data_in_leaf": 20,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }
    return lightgbm.train(
        parameters, lightgbm.Dataset(values, expected_days_late - _past_due(names, values)), num_boost_round=TREES
    )


def contributions(
    explainer: Any, names: Sequence[str], values: Floats, expected_days_late: Floats
) -> tuple[Floats, float]:
    """Days per family (n, len(FAMILIES) + 1; what remains in the last column) and the typical days late to start from.

    Each row sums to expected_days_late less typical. `values` has at least one row.
    """
    shap = np.asarray(explainer.predict(values, pred_contrib=True, num_threads=2))
    typical = float(shap[0, -1])
    member = np.array([family_of(name) for name in names])
    parts = np.zeros((len(shap), len(FAMILIES)))
    for feature, family in enumerate(member):
        # one feature after another, so that the order of addition is the same for one row and for many
        parts[:, family] += shap[:, feature]
    parts[:, family_of(PAST_DUE)] += _past_due(names, values)
    rest = expected_days_late - typical
    for family in range(len(FAMILIES)):
        rest = rest - parts[:, family]
    return np.concatenate([parts, rest[:, None]], axis=1), typical


def _past_due(names: Sequence[str], values: Floats) -> Floats:
    """(n,) days past due at the cutoff, 0 before the due date."""
    past: Floats = np.maximum(values[:, list(names).index(PAST_DUE)], 0.0)
    return past


def in_words(days: Floats, row: Row) -> tuple[Reason, ...]:
    """Reasons of one receivable, largest first; families without any effect are left out."""
    facts = [(family.name, family.words(row)) for family in FAMILIES] + [("calendar ahead", REST)]
    told = [Reason(name, f"{said}; {effect(d)}", d) for (name, said), d in zip(facts, days.tolist(), strict=True) if d]
    return tuple(sorted(told, key=lambda r: -abs(r.days)))


def effect(days: float) -> str:
    """Which way a reason moves the date, said apart from its facts: who pays 4 days late may be early for its kind.

    >>> effect(1.5), effect(-2.0)
    ('counts for later', 'counts for earlier')
    """
    return "counts for later" if days > 0 else "counts for earlier"
