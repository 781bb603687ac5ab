"""From feature values to a chance of default, points, and what each group of features adds to the points.

What a ledger's and a portfolio's model have in common: boosters, the line that calibrates them and the scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import BadInput
from models.credit import boosters as trees
from models.credit.boosters import BoosterSettings
from models.credit.calibration import Line, chance, fit_line
from models.credit.scale import Scale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_DEFAULTS = 20


@dataclass(frozen=True)
class Parts:
    """Points that add up: typical + groups + clipping = points.

    typical   where every row starts
    groups    (n, G) points per group, in the order of `CreditScorer.group_names`
    clipping  (n,) what the ends of the scale take away or add
    points    (n,)
    columns   (n, F) points per column, in the order of `CreditScorer.names`: what the groups are made of
    """

    typical: float
    groups: Floats
    clipping: Floats
    points: Floats
    columns: Floats


@dataclass(frozen=True)
class CreditScorer:
    """A trained scorer.

    names        the columns of `values`, in order
    groups       per column, the reason that it counts towards
    directions   per column 1, -1 or 0 (`models.credit.boosters.fit`)
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    directions: tuple[int, ...]
    boosters: tuple[Any, ...]
    line: Line
    scale: Scale

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        """Every group once, in order of first use."""
        return tuple(dict.fromkeys(self.groups))

    def log_odds(self, values: Floats) -> Floats:
        """(n,) calibrated log-odds of going bad."""
        return self.line.apply(trees.log_odds(self.boosters, values))

    def pd(self, values: Floats) -> Floats:
        """(n,) chance of going bad."""
        return chance(self.log_odds(values))

    def parts(self, values: Floats) -> Parts:
        """The points of each row, taken apart. Column after column, so that one row adds up as it does among many."""
        shares = trees.contributions(self.boosters, values)
        per_unit = self.scale.factor * self.line.slope
        groups = np.zeros((len(values), len(self.group_names)))
        for column, group in enumerate(self.groups):
            groups[:, self.group_names.index(group)] -= per_unit * shares[:, column]
        log_odds = self.log_odds(values)
        unclipped, points = self.scale.unclipped(log_odds), self.scale.points(log_odds)
        start = shares[0, -1] if len(shares) else 0.0
        typical = float(self.scale.unclipped(self.line.apply(np.array([start])))[0])
        return Parts(typical, groups, points - unclipped, points, -per_unit * shares[:, : len(self.groups)])


def fit_scorer(
    values: Floats,
    bad: Floats,
    *,
    names: Sequence[str],
    groups: Sequence[str],
    directions: Sequence[int],
    settings: BoosterSettings,
    rows_of: Ints,
    categorical: Sequence[int] = (),
    scale: Scale | None = None,
    seed: int,
) -> tuple[CreditScorer, Floats]:
    """A scorer, and the out-of-fold log-odds (n,), calibrated, of the rows it learnt from.

    rows_of  (n,) who each row is about: nobody is on both sides of a fold
    """
    grown, raw = trees.fit(values, bad, directions, settings, groups=rows_of, categorical=categorical, seed=seed)
    line = fit_line(raw, bad)
    scorer = CreditScorer(tuple(names), tuple(groups), tuple(directions), grown, line, scale or Scale())
    return scorer, line.apply(raw)


def require_both(bad: Floats, who: Ints, what: str) -> None:
    """`BadInput` where there is a `shortage`."""
    found = shortage(bad, who, what)
    if found is not None:
        raise BadInput(found)


def shortage(bad: Floats, who: Ints, what: str) -> str | None:
    """What is missing unless `FEWEST_DEFAULTS` of those that the rows are about went bad, and as many did not.

    who   (n,) whom each row is about; `what` they are called
    """
    total, spoiled = len(np.unique(who)), len(np.unique(who[bad > 0]))
    allowed = f"too few to learn from; allowed: {FEWEST_DEFAULTS} or more"
    if spoiled < FEWEST_DEFAULTS:
        return f"{spoiled} of {total} {what} went into default: {allowed}"
    if total - spoiled < FEWEST_DEFAULTS:
        return f"{total - spoiled} of {total} {what} did not go into default: {allowed}"
    return None
