"""Reason codes of a credit score: stable names, fixed words for each direction, and the numbers behind them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
CLIPPED = "scale_end"


@dataclass(frozen=True, slots=True)
class CreditReason:
    """Why a score lies above or below the typical one: `points` add up over the reasons of one score."""

    code: str
    words: str
    points: float


@dataclass(frozen=True)
class Code:
    """Features that tell one story. `good` and `bad` are its words where it adds points and where it takes them."""

    name: str
    members: re.Pattern[str]
    good: str
    bad: str
    detail: Callable[[Row], str]

    def words(self, points: float, row: Row) -> str:
        """The fixed words of the direction, and the numbers where there are any."""
        said, numbers = self.good if points >= 0 else self.bad, self.detail(row)
        return f"{said} ({numbers})" if numbers else said


def number(row: Row, name: str) -> float | None:
    """A feature's value, None where it is missing."""
    value = row.get(name)
    return None if value is None else float(value)


def _overdue(row: Row) -> str:
    count, worst = number(row, "overdue_0_count") or 0.0, number(row, "worst_overdue_days")
    return f"{count:.0f} overdue, the oldest by {worst:.0f} days" if worst else "nothing overdue"


def _lately(row: Row) -> str:
    mean, count = number(row, "days_late_mean_90d"), number(row, "late_31_count_90d") or 0.0
    if mean is None:
        return "nothing settled in 90 days"
    return f"{mean:+.0f} days against due in 90 days, {count:.0f} settled 31 or more days late"


def _usual(row: Row) -> str:
    mean, count = number(row, "days_late_mean"), number(row, "days_late_count") or 0.0
    return "nothing settled yet" if mean is None else f"{mean:+.0f} days against due over {count:.0f} settled"


def _silence(row: Row) -> str:
    days = number(row, "days_since_paid")
    return "never paid" if days is None else f"last payment {days:.0f} days ago"


def _losses(row: Row) -> str:
    return f"{number(row, 'lost_count') or 0:.0f} receivables written off"


def _exposure(row: Row) -> str:
    used = number(row, "limit_utilisation")
    return "no limit on file" if used is None else f"{100 * used:.0f} % of the limit on file"


def _disputes(row: Row) -> str:
    disputes, credits = number(row, "disputed_count") or 0.0, number(row, "credited_count_365d") or 0.0
    return f"{disputes:.0f} open disputes, {credits:.0f} credits and write-offs in a year"


def _trade(row: Row) -> str:
    days, count = number(row, "tenure_days"), number(row, "invoiced_count_365d") or 0.0
    return "" if days is None else f"customer for {days:.0f} days, {count:.0f} invoices in a year"


def _peers(row: Row) -> str:
    mean = number(row, "segment_days_late_mean_90d")
    return "" if mean is None else f"its segment pays {mean:+.0f} days against due"


def _signals(row: Row) -> str:
    told = [
        f"{name.removeprefix('attribute_')} {value:g}"
        for name, value in row.items()
        if name.startswith("attribute_") and isinstance(value, float)
    ]
    return ", ".join(told) or "nothing is known"


CODES = (
    Code("losses", re.compile(r"lost_.*"), "no losses that count", "written off before", _losses),
    Code("overdue", re.compile(r"overdue_.*|worst_overdue_days"), "little overdue", "overdue now", _overdue),
    Code(
        "recent_lateness",
        re.compile(r"days_late_(last|ewma.*|.*_(90|180)d)|late_31_count_90d|days_to_settle_ewma"),
        "paid well lately",
        "paid late lately",
        _lately,
    ),
    Code(
        "usual_lateness",
        re.compile(r"(business_)?days_late_.*|late_\d+_count_.*|on_time_share|days_to_settle_mean"),
        "usually pays well",
        "usually pays late",
        _usual,
    ),
    Code("silence", re.compile(r"paid_.*|days_since_(paid|settled|first_paid)"), "pays steadily", "silent", _silence),
    Code(
        "disputes",
        re.compile(r"disputed_.*|credit(ed|_note)_.*|dilution_share"),
        "few disputes",
        "disputes and credits",
        _disputes,
    ),
    Code(
        "exposure",
        re.compile(r"open_.*|limit_.*|unbilled_cents|unapplied_cents"),
        "owes little for its size",
        "owes much for its size",
        _exposure,
    ),
    Code("peers", re.compile(r"(segment|entity)_.*"), "peers pay well", "peers pay late", _peers),
    Code(
        "signals",
        re.compile(r"((usual|change|age)_)?attribute_.*"),
        "external signals speak for it",
        "external signals speak against it",
        _signals,
    ),
    Code("trade", re.compile(r".*"), "trade of long standing", "trade that is thin, new or falling", _trade),
)
CLIPPED_WORDS = "the scale ends here"


def code_of(feature: str) -> str:
    """Name of the first code that claims the feature; the last one claims every other."""
    return next(code.name for code in CODES if code.members.fullmatch(feature))
