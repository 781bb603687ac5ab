"""Errors that last: how far off all weeks of a series may be together, beyond what their draws allow for.

What makes one week's forecast too high (growth, a season, payment dates that drift) makes the next ones too high.
Weeks that are each widened for it are right one by one, yet their sum, and that of series, stays too sure. So a draw of
a series has one factor on all its weeks, as uncertain as sums of weeks of past forecasts turned out to be.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.cash.claims import Floats
from models.cash.past import PastAgain
from models.cash.simulation import CERTAIN, Draws, Level
from models.cash.spread import LEVELS, Spread, coverage, fit_spread, pit

# Sums of fewer weeks say little of what lasts.
FEWEST_WEEKS = 4
ROUNDS = 3
SPREADS = np.linspace(0.0, 0.5, 51).tolist()
PRIOR_SUMS = 10.0
SALT = 4711


def lifted(draws: Draws, lasting: Level, seed: int) -> Draws:
    """The draws with their factors; the same seed, the same factors."""
    return Draws(draws.series, draws.amount * _factors(lasting, seed, draws.amount)[:, :, None, None])


def lifted_again(past: PastAgain, lasting: Level, seed: int) -> PastAgain:
    """A past forecast with its factors."""
    factors = _factors(lasting, seed + past.as_of.toordinal(), past.totals)
    return replace(past, totals=past.totals * factors[:, :, None])


def fit_lasting(pasts: Sequence[PastAgain], common: float, seed: int) -> Level:
    """The least spread under which intervals of sums of weeks hold as much as they should; none: certain.

    pasts   not recalibrated
    common  share of the variance that all series have in common: a dozen past sums of a group cannot tell it
    """
    sums = sum(len(p.series) for p in pasts if p.ended >= FEWEST_WEEKS)
    lasting = CERTAIN
    for _ in range(ROUNDS if sums else 0):
        # what lasts widens single weeks too: with it, less is left for these, and what lasts shows more
        weeks = [week for past in pasts for week in lifted_again(past, lasting, seed).weeks()]
        lasting = Level(_least(pasts, fit_spread(weeks), common, seed), common)
    return Level(lasting.spread * sums / (sums + PRIOR_SUMS), common) if sums else CERTAIN


def _least(pasts: Sequence[PastAgain], spread: Spread, common: float, seed: int) -> float:
    told = [p for p in pasts if p.ended >= FEWEST_WEEKS]

    def held(width: float) -> float:
        again = [lifted_again(p, Level(width, common), seed).recalibrated(spread) for p in told]
        places = np.concatenate([_place_of_sum(p) for p in again])
        return sum(coverage(places, level) for level in LEVELS)

    return float(SPREADS[min(bisect_left(SPREADS, sum(LEVELS) / 100, key=held), len(SPREADS) - 1)])


def _place_of_sum(past: PastAgain) -> Floats:
    drawn, actual = (weeks[..., : past.ended].sum(axis=-1) for weeks in (past.totals, past.actual))
    return pit(drawn, actual, past.place[:, 0])


def _factors(lasting: Level, seed: int, drawn: Floats) -> Floats:
    """(draws, series) factors for what is (draws, series, ...)."""
    return lasting.drawn(np.random.default_rng([seed, SALT]), *drawn.shape[:2])
