"""Reason codes of a credit score: stable names, fixed words for each direction, and the numbers behind them.

The words say what was looked at and which way it moved the score, and leave it to the numbers whether that is much or
little: peers that pay 15 days late raise a score where the peers of others pay later still.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.reasons import days_in_words

Row = Mapping[str, Any]
CLIPPED = "scale_end"
TRADE_SHOWN = 2


@dataclass(frozen=True, slots=True)
class CreditReason:
    """Why a score lies above or below the typical one: `points` add up over the reasons of one score."""

    code: str
    words: str
    points: float


@dataclass(frozen=True)
class Code:
    """Features that tell one story. `subject` is what they are about, in the singular and without a judgement.

    detail  the numbers behind it, of the row and those of its features that moved the score, the strongest first
    """

    name: str
    members: re.Pattern[str]
    subject: str
    detail: Callable[[Row, Sequence[str]], str]

    def words(self, points: float, row: Row, moved_by: Sequence[str] = ()) -> str:
        """What moved the score, which way, and the numbers where there are any."""
        said, numbers = f"{self.subject} {effect(points)}", self.detail(row, moved_by)
        return f"{said} ({numbers})" if numbers else said


def effect(points: float) -> str:
    """The fixed words of the direction.

    >>> effect(3.5), effect(-0.1)
    ('raises the score', 'lowers the score')
    """
    return "raises the score" if points > 0 else "lowers the score"


def number(row: Row, name: str) -> float | None:
    """A feature's value, None where it is missing."""
    value = row.get(name)
    return None if value is None else float(value)


def _overdue(row: Row, _: Sequence[str]) -> str:
    count, worst = number(row, "overdue_0_count") or 0.0, number(row, "worst_overdue_days")
    return f"{count:.0f} overdue, the oldest by {worst:.0f} days" if worst else "nothing overdue"


def _lately(row: Row, _: Sequence[str]) -> str:
    mean, count = number(row, "days_late_mean_due_90d"), number(row, "late_31_count_90d") or 0.0
    usual = "nothing due in 90 days is settled" if mean is None else f"due in 90 days: {days_in_words(mean)} on average"
    return f"{usual}, {count:.0f} settled in 90 days were 31 or more days late"


def _usual(row: Row, _: Sequence[str]) -> str:
    mean, count = number(row, "days_late_mean"), number(row, "days_late_count") or 0.0
    return "nothing settled yet" if mean is None else f"{days_in_words(mean)} on average over {count:.0f} settled"


def _silence(row: Row, _: Sequence[str]) -> str:
    days = number(row, "paid_through_days")
    if days is None:
        return "nothing settled yet"
    due = f"fell due {days:.0f} days ago" if days > 0 else f"falls due in {-days:.0f} days" if days else "is due today"
    return f"the newest that it settled {due}"


def _losses(row: Row, _: Sequence[str]) -> str:
    return f"{number(row, 'lost_count') or 0:.0f} receivables written off"


def _exposure(row: Row, _: Sequence[str]) -> str:
    used = number(row, "limit_utilisation")
    return "no limit on file" if used is None else f"{100 * used:.0f} % of the limit on file"


def _disputes(row: Row, _: Sequence[str]) -> str:
    disputes, credits = number(row, "disputed_count") or 0.0, number(row, "credited_count_365d") or 0.0
    return f"{disputes:.0f} open disputes, {credits:.0f} credits and write-offs in a year"


TRADE: Mapping[str, Callable[[float], str]] = {
    "invoiced_count": lambda n: f"{n:.0f} invoices so far",
    "invoiced_count_90d": lambda n: f"{n:.0f} invoices in 90 days",
    "invoiced_count_365d": lambda n: f"{n:.0f} invoices in a year",
    "invoiced_cents": lambda n: f"{n / 100:,.0f} invoiced so far",
    "invoiced_cents_365d": lambda n: f"{n / 100:,.0f} invoiced in a year",
    "log_amount_mean": lambda _: "how large its invoices are",
    "log_amount_std": lambda _: "how much its invoices differ in size",
    "terms_days_mean": lambda n: f"terms of {n:.0f} days",
    "tenure_days": lambda n: f"customer for {n:.0f} days",
    "charged_count": lambda n: f"{n:.0f} receivables so far",
    "days_since_invoiced": lambda n: f"last invoiced {n:.0f} days ago",
}
"""Feature -> what it says; what is not here says nothing of trade."""


def _trade(row: Row, moved_by: Sequence[str]) -> str:
    """Of what moved the score only: the length of a trade is no evidence for what its volume did."""
    told = [TRADE[name](value) for name in moved_by if name in TRADE and (value := number(row, name)) is not None]
    return ", ".join(told[:TRADE_SHOWN])


def _peers(row: Row, _: Sequence[str]) -> str:
    mean = number(row, "segment_days_late_mean_due_90d")
    return "" if mean is None else f"its segment pays {days_in_words(mean)} on average"


def _signals(row: Row, _: Sequence[str]) -> str:
    told = [
        f"{name.removeprefix('attribute_')} {value:g}"
        for name, value in row.items()
        if name.startswith("attribute_") and isinstance(value, float)
    ]
    return ", ".join(told) or "nothing is known"


CODES = (
    Code("losses", re.compile(r"lost_.*"), "its record of losses", _losses),
    Code("overdue", re.compile(r"overdue_.*|worst_overdue_days"), "what is overdue now", _overdue),
    Code(
        "recent_lateness",
        re.compile(r"days_late_.*_due_(90|180)d|late_31_count_90d"),
        "when it paid lately",
        _lately,
    ),
    Code(
        "usual_lateness",
        re.compile(r"(business_)?days_late_.*|late_\d+_count_.*|days_to_settle_mean"),
        "when it usually pays",
        _usual,
    ),
    Code("silence", re.compile(r"paid_.*"), "how far it has paid up", _silence),
    Code(
        "disputes",
        re.compile(r"disputed_.*|credit(ed|_note)_.*|dilution_share"),
        "its record of disputes and credits",
        _disputes,
    ),
    Code(
        "exposure",
        re.compile(r"open_.*|limit_.*|unbilled_cents|unapplied_cents"),
        "what it owes and has ordered",
        _exposure,
    ),
    Code("peers", re.compile(r"(segment|entity)_.*"), "when its peers pay", _peers),
    Code("signals", re.compile(r"((usual|change|age)_)?attribute_.*"), "what outside signals say", _signals),
    Code("trade", re.compile(r".*"), "the length and volume of its trade", _trade),
)
CLIPPED_WORDS = "the scale ends here"


def ranked(reasons: Iterable[CreditReason], clipping: float) -> tuple[CreditReason, ...]:
    """Those with any effect, largest first; `clipping` is what the ends of the scale take away or add."""
    told = [*reasons, CreditReason(CLIPPED, CLIPPED_WORDS, clipping)]
    return tuple(sorted((r for r in told if r.points), key=lambda r: -abs(r.points)))


def code_of(feature: str) -> str:
    """Name of the first code that claims the feature; the last one claims every other."""
    return next(code.name for code in CODES if code.members.fullmatch(feature))
