"""Log-odds that are right on rows the boosters had not seen: a line `intercept + slope x raw` with a rising slope.

Platt, "Probabilistic Outputs for Support Vector Machines" (1999), on log-odds. A line keeps the order of the rows, and
it keeps sums: what each reason adds to the raw log-odds is multiplied by the slope, and the reasons still add up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_SLOPE = 0.05
STEPS = 50
# A few rows must not say "never": as if half a row of each kind had been seen as well.
PRIOR_ROWS = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """From raw to calibrated log-odds of going bad."""

    intercept: float
    slope: float

    def apply(self, raw: Floats) -> Floats:
        """(n,) calibrated log-odds."""
        return self.intercept + self.slope * raw


def fit_line(raw: Floats, bad: Floats) -> Line:
    """The line of greatest likelihood; where the best slope falls below `LEAST_SLOPE`, the best line with that slope.

    raw  (n,) out-of-fold log-odds; `bad` (n,) 0 or 1, both kinds among them
    """
    count = bad.sum()
    high = (count + PRIOR_ROWS) / (count + 2 * PRIOR_ROWS)
    low = PRIOR_ROWS / (len(bad) - count + 2 * PRIOR_ROWS)
    target = np.where(bad > 0, high, low)
    centre = float(raw.mean())
    line = _newton(raw - centre, target)
    if line.slope < LEAST_SLOPE:
        line = _level(raw - centre, target)
    return Line(line.intercept - line.slope * centre, line.slope)


def chance(log_odds: Floats) -> Floats:
    """(n,) probability of going bad."""
    told: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return told


def _newton(raw: Floats, target: Floats) -> Line:
    intercept, slope = float(np.log(target.mean() / (1 - target.mean()))), 1.0
    for _ in range(STEPS):
        stated = chance(intercept + slope * raw)
        weight = stated * (1 - stated) + 1e-12
        gap = target - stated
        a, b, c = weight.sum(), (weight * raw).sum(), (weight * raw * raw).sum() + 1e-9
        g, h = gap.sum(), (gap * raw).sum()
        det = max(a * c - b * b, 1e-12)
        steps = np.clip([(c * g - b * h) / det, (a * h - b * g) / det], -1.0, 1.0)
        intercept, slope = intercept + float(steps[0]), slope + float(steps[1])
        if np.abs(steps).max() < 1e-10:
            break
    return Line(intercept, slope)


def _level(raw: Floats, target: Floats) -> Line:
    """The line of slope `LEAST_SLOPE` whose mean chance is that of the targets, by halving."""
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        above = chance(middle + LEAST_SLOPE * raw).mean() > target.mean()
        low, high = (low, middle) if above else (middle, high)
    return Line((low + high) / 2, LEAST_SLOPE)
