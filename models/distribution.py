"""When an invoice will be paid, as a probability for every day.

Every forecaster of the house, ours and the baselines, answers with a `Distribution`, so that one set of metrics judges
them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]
Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

AGEING_EDGES = (0, 30, 60, 90)
AGEING_NAMES = ("current", "1-30", "31-60", "61-90", "90+")
# Two years: how far ahead the distributions built below look at most.
LONGEST_DAYS = 730

_EQUAL_DAYS = 1e-9  # quantiles closer than that are one: dividing by their distance could overflow


@dataclass(frozen=True)
class Distribution:
    """Chances per row and day, given that the row was unpaid before its `start`.

    start  (n,)    first day on which the payment can fall: the day of the cutoff
    pmf    (n, H)  chance of being paid on `start + j` days, 0 <= j < H; rows sum to 1 less the chance of paying later
    """

    start: Dates
    pmf: Floats

    @property
    def horizon_days(self) -> int:
        """H, the number of days that the distribution looks ahead."""
        return int(self.pmf.shape[1])

    @cached_property
    def cdf(self) -> Floats:
        """(n, H) chance of being paid on or before `start + j`; never above 1."""
        return np.minimum(np.cumsum(self.pmf, axis=1), 1.0)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Distribution":
        """The same for some rows only."""
        return Distribution(self.start[rows], self.pmf[rows])

    def quantile_days(self, share: float) -> Days:
        """(n,) first j with cdf >= share; H where the distribution does not reach it."""
        days: Days = (self.cdf < share - 1e-12).sum(axis=1).astype(np.int64)
        return days

    def mean_days_within(self) -> Floats:
        """(n,) expected days from `start`, given payment within the horizon; 0 where that cannot happen."""
        inside = self.cdf[:, -1]
        # not `@`: BLAS may add up in another order for another number of rows, and a prediction must not depend on that
        within: Floats = (self.pmf * np.arange(self.horizon_days)).sum(axis=1)
        return np.divide(within, inside, out=np.zeros_like(within), where=inside > 0)

    def paid_by(self, days: Dates) -> Floats:
        """(n,) chance of being paid on or before `days` (one day per row): 0 before start, the last cdf after H."""
        offset = (days - self.start).astype(np.int64)
        inside = np.clip(offset, 0, self.horizon_days - 1)
        return np.where(offset < 0, 0.0, self.cdf[np.arange(len(inside)), inside])

    def late(self, due: Dates, late_days: int = 1) -> Floats:
        """(n,) chance of being paid `late_days` or more days after `due`, or never."""
        return 1.0 - self.paid_by(due + np.timedelta64(late_days - 1, "D"))

    def ageing(self, due: Dates) -> Floats:
        """(n, 5) chance of being paid in each bucket of `AGEING_NAMES`, days past due; rows sum to 1."""
        edges = [self.paid_by(due + np.timedelta64(edge, "D")) for edge in AGEING_EDGES]
        return np.diff(np.stack(edges, axis=1), axis=1, prepend=0.0, append=1.0)


def on_one_day(start: Dates, days: Days) -> Distribution:
    """All the chance on `start + days` (n,); on the start day itself where that is past.

    >>> on_one_day(np.array(["2024-01-01", "2024-01-01"], "M8[D]"), np.array([2, -5])).pmf.tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    day = np.clip(days, 0, LONGEST_DAYS - 1)
    pmf = np.zeros((len(day), int(day.max(initial=0)) + 1))
    pmf[np.arange(len(day)), day] = 1.0
    return Distribution(start, pmf)


def from_quantiles(start: Dates, shares: Sequence[float], days: Floats) -> Distribution:
    """The distribution whose quantiles are `days` (n, shares) after `start`, rising along each row.

    Straight between the quantiles, each tail wholly on its last quantile; a value counts for the day nearest to it.
    Days before the start are ruled out and the rest scaled up; where nothing is left, the start day has it all. What
    lies beyond `LONGEST_DAYS` is left out.

    >>> from_quantiles(np.array(["2024-01-01"], "M8[D]"), (0.25, 0.75), np.array([[1.0, 2.0]])).pmf.tolist()
    [[0.0, 0.5, 0.5]]
    """
    horizon = int(np.clip(np.ceil(days.max(initial=0.0)) + 1, 1, LONGEST_DAYS))
    # Edge j is the end of day j - 1 and the start of day j.
    edges = np.arange(horizon + 1, dtype=np.float64) - 0.5
    cdf = _straight_between(edges, shares, days)
    before = cdf[:, :1]
    gone = before > 1.0 - 1e-9
    cdf = np.where(gone, 1.0, (cdf - before) / np.where(gone, 1.0, 1.0 - before))
    cdf[:, 0] = 0.0
    return Distribution(start, np.diff(cdf, axis=1))


def _straight_between(points: Floats, shares: Sequence[float], values: Floats) -> Floats:
    """(n, points) the cdf at `points` of the distributions with these quantiles; equal quantiles make a step."""
    cdf = shares[0] * (points >= values[:, :1]) + (1.0 - shares[-1]) * (points >= values[:, -1:])
    for k in range(len(shares) - 1):
        low, high = values[:, k : k + 1], values[:, k + 1 : k + 2]
        gap = high - low
        wide = gap > _EQUAL_DAYS
        along = np.clip((points - low) / np.where(wide, gap, 1.0), 0.0, 1.0)
        cdf += (shares[k + 1] - shares[k]) * np.where(wide, along, points >= low)
    return np.minimum(cdf, 1.0)
