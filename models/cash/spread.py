"""Totals recalibrated: what past forecasts of weekly totals got wrong, level and spread, by how far ahead.

Learnt from weeks whose cash was known when it was learnt, pooled over series: where actual cash lay among the draws.
Level factors move means, spread factors widen draws about their mean; both are pulled towards 1 and bounded, so that
a handful of weeks changes little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.cash.claims import WEEK_DAYS, WEEKS, Floats

BANDS = ((0, 4), (4, 8), (8, WEEKS))
PRIOR_WEEKS = 30.0
LEAST, MOST = 0.7, 3.0
MOST_LEVEL = 0.15
# Of the normal scores, these shares should lie within so many deviations; the factor mends both alike.
WITHIN = {0.80: 1.2816, 0.95: 1.9600}


@dataclass(frozen=True)
class Week:
    """One series' week of a past forecast.

    mean, deviation  of the draws
    score            normal score of the share of draws below what came, ties placed at random
    """

    ahead: int
    mean: float
    deviation: float
    actual: float
    score: float


@dataclass(frozen=True)
class Spread:
    """(WEEKS,) factors on the mean and on the deviation from it."""

    level: tuple[float, ...] = (1.0,) * WEEKS
    spread: tuple[float, ...] = (1.0,) * WEEKS

    def apply(self, daily: Floats) -> Floats:
        """(draws, ..., HORIZON_DAYS) draws of totals with their weeks' factors; cash below nothing is nothing."""
        level, spread = (np.repeat(np.array(f), WEEK_DAYS) for f in (self.level, self.spread))
        mean = daily.mean(axis=0)
        changed: Floats = mean * level + (daily - mean) * level * spread
        return changed


def fit_spread(weeks: Sequence[Week]) -> Spread:
    """Factors from past weeks; none: all 1."""
    level, spread = np.ones(WEEKS), np.ones(WEEKS)
    for first, last in BANDS:
        band = [w for w in weeks if first <= w.ahead < last and w.mean > 0 and w.deviation > 0]
        level[first:last] = _level(band)
        spread[first:last] = _spread(band)
    return Spread(tuple(level.tolist()), tuple(spread.tolist()))


def _level(band: Sequence[Week]) -> float:
    """Actual over expected, every week measured in its own deviations: currencies differ in size."""
    if not band:
        return 1.0
    ratio = sum(w.actual / w.deviation for w in band) / sum(w.mean / w.deviation for w in band)
    return float(np.clip(_pulled(ratio, len(band)), 1 - MOST_LEVEL, 1 + MOST_LEVEL))


def _spread(band: Sequence[Week]) -> float:
    if not band:
        return 1.0
    far = np.abs([w.score for w in band])
    wide = float(np.mean([np.quantile(far, share) / should for share, should in WITHIN.items()]))
    return float(np.clip(_pulled(wide, len(band)), LEAST, MOST))


def _pulled(factor: float, weeks: int) -> float:
    return 1.0 + (factor - 1.0) * weeks / (weeks + PRIOR_WEEKS)
