"""Customer-cluster bootstrap: invoices of one customer rise and fall together, so customers are drawn, not invoices.

>>> import numpy as np
>>> resampled = Resampled(np.array([0, 0, 1, 2]), draws=200, seed=1)
>>> error = resampled.means(np.array([[1.0], [3.0], [2.0], [6.0]]))[:, 0]
>>> float(error[0]), interval(error)
(3.0, Interval(low=2.0, high=6.0))
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.distribution import Floats

Codes = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]

CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval; both ends NaN where there is none (fewer than two customers, or never defined)."""

    low: float
    high: float


class Resampled:
    """Statistics of some rows, once as they are (position 0) and once per draw of as many customers with replacement.

    The same customers, draws and seed give the same draws, so two forecasters' answers are paired draw by draw.
    """

    def __init__(self, customers: Codes, *, draws: int, seed: int, cells_at_once: int = CELLS_AT_ONCE) -> None:
        """`cells_at_once` bounds the memory: draws x rows held at a time. It changes no answer."""
        self._codes: Codes = np.unique(customers, return_inverse=True)[1].astype(np.int64)
        self._count = int(self._codes.max(initial=-1)) + 1
        self._draws = draws if self._count > 1 else 0
        self._seed = seed
        self._draws_at_once = max(1, cells_at_once // max(len(self._codes), 1))

    def means(self, table: Floats) -> Floats:
        """(1 + draws, k) mean of each column of `table` (n, k) over its rows that are not NaN; NaN where none is."""
        known = np.isfinite(table)
        sums, counts = self._by_customer(np.where(known, table, 0.0)), self._by_customer(known.astype(np.float64))
        answers = []
        for times in self._times():
            top, bottom = times @ sums, times @ counts
            answers.append(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0))
        return np.concatenate(answers)

    def of(self, statistic: Statistic, rows: NDArray[np.bool_]) -> Floats:
        """(1 + draws,) what `statistic` says of row weights (draws, rows that are true); NaN where there is no row."""
        codes = self._codes[rows]
        if not len(codes):
            return np.full(1 + self._draws, np.nan)
        return np.concatenate([statistic(times[:, codes]) for times in self._times()])

    def _by_customer(self, table: Floats) -> Floats:
        columns = [np.bincount(self._codes, weights=column, minlength=self._count) for column in table.T]
        return np.stack(columns, axis=1)

    def _times(self) -> Iterator[Floats]:
        """How often each customer counts, some draws at a time: (1, customers) of ones first."""
        yield np.ones((1, self._count))
        rng = np.random.default_rng(self._seed)
        for first in range(0, self._draws, self._draws_at_once):
            draws = min(self._draws_at_once, self._draws - first)
            drawn = rng.integers(0, self._count, size=(draws, self._count))
            drawn += np.arange(draws)[:, None] * self._count
            times = np.bincount(drawn.ravel(), minlength=draws * self._count)
            yield times.reshape(draws, self._count).astype(np.float64)


def interval(answers: Floats, *, reflected: bool = False) -> Interval:
    """95 % interval from `(1 + draws,)` answers, always holding the estimate at position 0.

    Percentile by default. `reflected` (the basic bootstrap) is for a statistic that noise can only raise, such as the
    calibration error: its draws sit above the estimate by as much as the estimate sits above the truth.
    """
    estimate, draws = answers[0], answers[1:]
    draws = draws[np.isfinite(draws)]
    if not np.isfinite(estimate) or not len(draws):
        return Interval(np.nan, np.nan)
    low, high = np.quantile(draws, [0.025, 0.975])
    if reflected:
        low, high = max(2.0 * estimate - high, 0.0), 2.0 * estimate - low
    return Interval(float(min(low, estimate)), float(max(high, estimate)))
