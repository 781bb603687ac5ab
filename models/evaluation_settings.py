"""What an evaluation tests, and how."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from features.errors import BadSetting
from models.baselines import standard_baselines
from models.forecaster import Forecaster

FIRST_DAY = date(1900, 1, 1)


@dataclass(frozen=True)
class EvaluationSettings:
    """What to test: receivables first seen in [cutoff, until), in `origins` windows of equal length.

    late_days  the event is "paid that many or more days late, or never"
    history    features as of each first-seen day ("as-of"), or as of the window's origin ("frozen")
    """

    cutoff: date
    until: date
    origins: int = 1
    late_days: int = 1
    history: Literal["as-of", "frozen"] = "as-of"
    train_from: date = FIRST_DAY
    draws: int = 1000
    segment_draws: int = 200
    seed: int = 0
    baselines: tuple[Forecaster, ...] = field(default_factory=standard_baselines)

    def __post_init__(self) -> None:
        days = (self.until - self.cutoff).days
        _check(days >= 1, f"until {self.until} is not after cutoff {self.cutoff}", "a later day")
        _check(1 <= self.origins <= days, f"origins is {self.origins}", f"1 to {days}, at most one a day")
        _check(self.late_days >= 1, f"late_days is {self.late_days}", "1 or more")
        _check(self.history in ("as-of", "frozen"), f"history is {self.history!r}", "as-of or frozen")
        _check(
            self.train_from < self.cutoff, f"train_from {self.train_from} is not before the cutoff", "an earlier day"
        )
        _check(min(self.draws, self.segment_draws) >= 1, "no bootstrap draws", "1 or more draws")

    def windows(self) -> list[tuple[date, date]]:
        """The (origin, end) of each window, in time order."""
        days = (self.until - self.cutoff).days
        edges = [self.cutoff + timedelta(days=days * k // self.origins) for k in range(self.origins + 1)]
        return list(pairwise(edges))


def _check(fine: bool, wrong: str, allowed: str) -> None:
    if not fine:
        raise BadSetting(f"{wrong}; allowed: {allowed}")
