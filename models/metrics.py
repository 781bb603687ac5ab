"""Scores of a `Distribution` against what happened: per row where the measure is a mean, weighted where it is not.

Days count from each row's `start`. The forecast is a step function of time with its steps on whole days, and so is
judged: a quantile is the first day on which the cdf reaches it, the point forecast is the median, and no day is spread
over its hours (a sure and right forecast loses exactly nothing, and CRPS is twice the pinball loss over all quantiles).
What a distribution leaves beyond its horizon H counts as one atom at H.

Weights: `(draws, n)`, how often each row counts; the weighted functions answer `(draws,)`, NaN where undefined.
Sources: Gneiting and Raftery 2007 (CRPS, pinball), Czado, Gneiting and Held 2009 (randomised PIT for counts).
"""

import numpy as np
from numpy.typing import NDArray

from models.distribution import Days, Distribution, Floats

Flags = NDArray[np.bool_]

LEVELS = (50, 80, 95)
PINBALL_SHARES = tuple(step / 20 for step in range(1, 20))
CALIBRATION_BINS = 10


def error_days(forecast: Distribution, days: Days) -> Floats:
    """(n,) point forecast less outcome, in days: positive where the forecast is too late. Point = median."""
    return (forecast.quantile_days(0.5) - days).astype(np.float64)


def pinball(forecast: Distribution, days: Days) -> Floats:
    """(n,) quantile loss in days, averaged over the quantiles 0.05, 0.10, ... 0.95."""
    total = np.zeros(len(days))
    for share in PINBALL_SHARES:
        above = days - forecast.quantile_days(share)
        total += np.maximum(share * above, (share - 1.0) * above)
    return total / len(PINBALL_SHARES)


def crps(forecast: Distribution, days: Days) -> Floats:
    """(n,) continuous ranked probability score in days, exact for the daily steps; a sure date's absolute error.

    >>> from models.distribution import Distribution
    >>> sure = Distribution(np.array(["2024-01-01"], "M8[D]"), np.array([[0.0, 0.0, 1.0]]))
    >>> crps(sure, np.array([7])).tolist()
    [5.0]
    """
    horizon = forecast.horizon_days
    happened = np.arange(horizon) >= days[:, None]
    outside = np.maximum(days - horizon, 0) + np.maximum(-days, 0)
    score: Floats = np.square(forecast.cdf - happened).sum(axis=1) + outside
    return score


def pit(forecast: Distribution, days: Days, uniform: Floats) -> Floats:
    """(n,) randomised probability integral transform: uniform on 0..1 where the forecasts are true.

    `uniform` (n,) places each row within its day's step of the cdf.
    """
    steps = np.pad(forecast.cdf, ((0, 0), (2, 1)), constant_values=((0, 0), (0.0, 1.0)))
    at = np.clip(days, -1, forecast.horizon_days) + 2
    rows = np.arange(len(days))
    before, through = steps[rows, at - 1], steps[rows, at]
    return before + uniform * (through - before)


def inside(forecast: Distribution, days: Days, level: int) -> Flags:
    """(n,) whether the outcome lies in the central `level` % interval of whole days, ends included.

    An upper end beyond the horizon is open.
    """
    low, high = _interval(forecast, level)
    return (days >= low) & ((days <= high) | (high >= forecast.horizon_days))


def inside_pit(transformed: Floats, level: int) -> Flags:
    """(n,) the same judged by the PIT, so that days that hold much of the chance do not flatter the coverage."""
    return np.abs(2.0 * transformed - 1.0) <= level / 100


def width_days(forecast: Distribution, level: int) -> Floats:
    """(n,) last less first day of the central `level` % interval."""
    low, high = _interval(forecast, level)
    return (high - low).astype(np.float64)


def _interval(forecast: Distribution, level: int) -> tuple[Days, Days]:
    tail = (1.0 - level / 100) / 2
    return forecast.quantile_days(tail), forecast.quantile_days(1.0 - tail)


def median(values: Floats, weights: Floats) -> Floats:
    """(draws,) weighted median; the mean of the two middle values where the count is even."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    ordered = values[order]
    middle = (ordered[np.argmax(reached >= half, axis=1)] + ordered[np.argmax(reached > half, axis=1)]) / 2
    return np.where(half[:, 0] > 0, middle, np.nan)


def roc_auc(chance: Floats, happened: Flags, weights: Floats) -> Floats:
    """(draws,) area under the ROC curve; ties count half. NaN where only one class is present."""
    true, false = _positives(chance, happened, weights)
    twice_height = 2.0 * true - np.diff(true, axis=1, prepend=0.0)
    twice_area = (np.diff(false, axis=1, prepend=0.0) * twice_height).sum(axis=1)
    return _ratio(twice_area, 2.0 * true[:, -1] * false[:, -1])


def average_precision(chance: Floats, happened: Flags, weights: Floats) -> Floats:
    """(draws,) mean precision over the recall gained at each threshold. NaN where nothing happened."""
    true, false = _positives(chance, happened, weights)
    gained = np.diff(true, axis=1, prepend=0.0)
    return _ratio((gained * true / np.maximum(true + false, 1.0)).sum(axis=1), true[:, -1])


def brier(chance: Floats, happened: Flags) -> Floats:
    """(n,) squared error of the probability."""
    return np.square(chance - happened)


def calibration_error(chance: Floats, happened: Flags, weights: Floats) -> Floats:
    """(draws,) expected calibration error: |mean chance - share that happened|, averaged over `calibration_bins`.

    The bins are those of the rows counted once each, also under weights.
    """
    bins = calibration_bins(chance)
    order = np.argsort(bins, kind="stable")
    starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
    gap = np.add.reduceat(weights[:, order] * (chance - happened)[order], starts, axis=1)
    return _ratio(np.abs(gap).sum(axis=1), weights.sum(axis=1))


def calibration_bins(chance: Floats) -> NDArray[np.int64]:
    """(n,) number of each row's bin: 10 bins of equal count, except that equal chances share one."""
    edges = np.quantile(chance, np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS)
    return np.searchsorted(edges, chance, side="left").astype(np.int64)


def _positives(chance: Floats, happened: Flags, weights: Floats) -> tuple[Floats, Floats]:
    """(draws, thresholds) true and false positives at each distinct chance, from the highest down."""
    order = np.argsort(-chance, kind="stable")
    last_of_tie = np.flatnonzero(np.diff(chance[order], append=-np.inf))
    ordered = weights[:, order]
    everything = np.cumsum(ordered, axis=1)[:, last_of_tie]
    true = np.cumsum(ordered * happened[order], axis=1)[:, last_of_tie]
    return true, everything - true


def _ratio(top: Floats, bottom: Floats) -> Floats:
    quotient: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return quotient
