"""A ridge line through days late: the steady hand that a small ledger needs.

Trees alone chase noise when there are a few thousand invoices. The hazard model is therefore shown, for every day,
how far that day lies from what a linear model expects; where the ledger is large the trees take over by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARLIEST, LATEST = -60.0, 120.0
PENALTY = 100.0
FOLDS = 5
LIMIT = 4.0


@dataclass(frozen=True)
class Location:
    """Expected days past due as a linear function of standardised features; missing values count as the mean.

    Standardised values are limited to +-`LIMIT`, so that one wild amount cannot throw the line.
    """

    names: tuple[str, ...]
    center: Floats
    scale: Floats
    weights: Floats
    base: float

    def days(self, values: Floats) -> Floats:
        """(n,) expected days past due; `values` (n, len(names)), NaN where missing."""
        # not `@`: BLAS may add up in another order for another number of rows, and a prediction must not depend on that
        days: Floats = self.base + (_standard(values, self.center, self.scale) * self.weights).sum(axis=1)
        return days


def fit_location(names: Sequence[str], values: Floats, days_late: Floats) -> Location:
    """Ridge regression of `days_late` (n,) on `values` (n, len(names)); penalty `PENALTY` per standardised weight."""
    with np.errstate(all="ignore"):
        known = np.isfinite(values)
        count = np.maximum(known.sum(axis=0), 1)
        center = np.where(known, values, 0.0).sum(axis=0) / count
        scale = np.sqrt((np.where(known, values - center, 0.0) ** 2).sum(axis=0) / count)
    scale[scale <= 1e-9] = 1.0
    z = _standard(values, center, scale)
    target = np.clip(days_late, EARLIEST, LATEST)
    base = float(target.mean())
    weights = np.linalg.solve(z.T @ z + PENALTY * np.eye(z.shape[1]), z.T @ (target - base)).astype(np.float64)
    return Location(tuple(names), center, scale, weights, base)


def fit_crossed(names: Sequence[str], values: Floats, days_late: Floats) -> tuple[Location, Floats]:
    """The line through everything and, for each row, what a line through the other rows would have expected.

    Rows are cut into `FOLDS` runs in the order given (time), so that what the hazard model learns to trust is as good
    as what it will get. `days_late` is NaN where unknown: such rows are expected but not learnt from.
    """
    known = np.isfinite(days_late)
    whole = fit_location(names, values[known], days_late[known])
    expected = whole.days(values)
    fold = np.arange(len(values)) * FOLDS // max(len(values), 1)
    for k in range(FOLDS):
        others = known & (fold != k)
        if others.sum() > 2 * values.shape[1]:
            inside = fold == k
            expected[inside] = fit_location(names, values[others], days_late[others]).days(values[inside])
    return whole, expected


def _standard(values: Floats, center: Floats, scale: Floats) -> Floats:
    z = np.clip((values - center) / scale, -LIMIT, LIMIT)
    return np.where(np.isfinite(z), z, 0.0)
