"""When an invoice will be paid, as a probability for every day.

Every forecaster of the house, ours and the baselines, answers with a `Distribution`, so that one set of metrics judges
them all.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]
Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]

AGEING_EDGES = (0, 30, 60, 90)
AGEING_NAMES = ("current", "1-30", "31-60", "61-90", "90+")


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

    def quantile_dates(self, share: float) -> Dates:
        """(n,) the day on which the chance of having been paid reaches `share`."""
        return self.start + self.quantile_days(share)

    def mean_days(self) -> Floats:
        """(n,) expected days from `start`; what lies beyond the horizon counts as H."""
        tail = np.maximum(1.0 - self.cdf[:, -1], 0.0)
        within: Floats = self.pmf @ np.arange(self.horizon_days, dtype=np.float64)
        return within + tail * self.horizon_days

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
