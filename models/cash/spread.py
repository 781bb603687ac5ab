"""Totals recalibrated: what past forecasts of weekly totals got wrong, level and spread, by how far ahead.

Learnt from weeks whose cash was known when it was learnt, pooled over series, as the model of now would have drawn
them. Level factors move means. Spread factors widen draws about their mean: each is the one under which the central
intervals of those weeks would have held what they should, found by widening the very draws, since lumpy weeks answer
to a factor less than smooth ones. Both are pulled towards 1 and bounded, so that a handful of weeks changes little.
What all series miss together, a sum of series feels more than any of them: the group has a spread of its own on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.cash.claims import WEEKS, Floats

BANDS = ((0, 4), (4, 8), (8, WEEKS))
LEVELS = (80, 95)
PRIOR_WEEKS = 30.0
FACTORS = np.linspace(0.7, 3.0, 116)
MOST_LEVEL = 0.15


@dataclass(frozen=True)
class Week:
    """One series' week of a past forecast.

    ahead  weeks before it, from 0
    drawn  (draws,) its totals before any recalibration
    place  where among draws of just that much the actual counts, 0 to 1
    """

    ahead: int
    drawn: Floats
    actual: float
    place: float


@dataclass(frozen=True)
class Spread:
    """(WEEKS,) factors on the mean and on the deviation from it."""

    level: tuple[float, ...] = (1.0,) * WEEKS
    spread: tuple[float, ...] = (1.0,) * WEEKS

    def apply(self, totals: Floats) -> Floats:
        """(draws, ..., days or weeks) draws with their weeks' factors; below 0 means nothing comes."""
        days = totals.shape[-1] // WEEKS
        level, spread = (np.repeat(np.array(f), days) for f in (self.level, self.spread))
        return _widened(totals, level, spread)

    def only_spread(self) -> "Spread":
        """The same without moving means."""
        return Spread(spread=self.spread)


def fit_spread(weeks: Sequence[Week]) -> Spread:
    """Factors from past weeks; none: all 1."""
    level, spread = np.ones(WEEKS), np.ones(WEEKS)
    for first, last in BANDS:
        band = [w for w in weeks if first <= w.ahead < last and w.drawn.std() > 0]
        if band:
            drawn = np.stack([w.drawn for w in band], axis=1)
            actual, place = (np.array([getattr(w, name) for w in band]) for name in ("actual", "place"))
            level[first:last] = _level(drawn, actual)
            spread[first:last] = _spread(drawn * level[first], actual, place)
    return Spread(tuple(level.tolist()), tuple(spread.tolist()))


def pit(drawn: Floats, actual: Floats, place: Floats) -> Floats:
    """Of draws along the first axis, the share below what came; `place` decides among ties."""
    below, tied = (drawn < actual).sum(axis=0), (drawn == actual).sum(axis=0)
    share: Floats = (below + place * (tied + 1)) / (len(drawn) + 1)
    return share


def coverage(places: Floats, level: int) -> float:
    """Share of outcomes in the central `level` % interval, by their PIT."""
    return float((np.abs(2.0 * places - 1.0) <= level / 100).mean())


def _level(drawn: Floats, actual: Floats) -> float:
    """Actual over expected, every week measured in its own deviations: currencies differ in size."""
    deviation = drawn.std(axis=0)
    ratio = (actual / deviation).sum() / (drawn.mean(axis=0) / deviation).sum()
    return float(np.clip(_pulled(ratio, len(actual)), 1 - MOST_LEVEL, 1 + MOST_LEVEL))


def _spread(drawn: Floats, actual: Floats, place: Floats) -> float:
    """The least factor under which the intervals of all `LEVELS` together hold as much as they should."""
    for factor in FACTORS:
        places = pit(np.maximum(_widened(drawn, 1.0, factor), 0.0), actual, place)
        if sum(coverage(places, level) for level in LEVELS) >= sum(LEVELS) / 100:
            break
    return _pulled(float(factor), len(actual))


def _widened(drawn: Floats, level: Floats | float, spread: Floats | float) -> Floats:
    mean = drawn.mean(axis=0)
    changed: Floats = mean * level + (drawn - mean) * level * spread
    return changed


def _pulled(factor: float, weeks: int) -> float:
    return 1.0 + (factor - 1.0) * weeks / (weeks + PRIOR_WEEKS)
