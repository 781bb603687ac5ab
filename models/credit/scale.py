"""Scores and grades: chances of default as the numbers that credit managers are used to."""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from features.errors import BadSetting

Floats = NDArray[np.float64]

# Grade -> the highest chance of default that still has it; the last takes the rest.
GRADES = {"A": 0.005, "B": 0.01, "C": 0.02, "D": 0.05, "E": 0.10, "F": 0.25, "G": 1.0}
CONFIDENCE_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Scale:
    """Points linear in log-odds: `anchor_points` at `anchor_odds` good to one bad, `double_points` more at twice that.

    Points end at `lowest` and `highest`.
    """

    anchor_points: float = 600.0
    anchor_odds: float = 30.0
    double_points: float = 40.0
    lowest: float = 300.0
    highest: float = 850.0

    def __post_init__(self) -> None:
        if not (self.double_points > 0 and self.anchor_odds > 0 and self.lowest < self.highest):
            raise BadSetting(f"scale is {self}; allowed: double_points and anchor_odds above 0, lowest below highest")

    @property
    def factor(self) -> float:
        """Points per unit of log-odds."""
        return self.double_points / log(2.0)

    def unclipped(self, log_odds: Floats) -> Floats:
        """(n,) points of log-odds of going bad, not yet clipped."""
        return self.anchor_points - self.factor * (log_odds + log(self.anchor_odds))

    def points(self, log_odds: Floats) -> Floats:
        """(n,) points between `lowest` and `highest`."""
        return np.clip(self.unclipped(log_odds), self.lowest, self.highest)


def grade(pd: float) -> str:
    """The grade of a chance of default.

    >>> grade(0.004), grade(0.05), grade(0.3)
    ('A', 'D', 'G')
    """
    return next(name for name, highest in GRADES.items() if pd <= highest)


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One grade in a backtest: how many, their mean stated chance, the share that did default and its 95 % interval."""

    grade: str
    count: int
    defaults: int
    mean_pd: float
    rate: float
    low: float
    high: float


def grade_table(pd: Floats, bad: Floats) -> tuple[GradeRow, ...]:
    """A row per grade that occurs, best first."""
    told = np.array([grade(float(p)) for p in pd], dtype=object)
    rows = []
    for name in GRADES:
        at = told == name
        if at.any():
            count, defaults = int(at.sum()), int(bad[at].sum())
            low, high = wilson(defaults, count)
            rows.append(GradeRow(name, count, defaults, float(pd[at].mean()), defaults / count, low, high))
    return tuple(rows)


def wilson(events: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927). Rows of one customer hang together, so the truth is wider.

    >>> low, high = wilson(0, 10)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.278)
    """
    share, z2 = events / count, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = CONFIDENCE_Z * sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)
