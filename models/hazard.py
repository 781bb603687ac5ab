"""The chance of being paid in a day, given not yet paid: discrete-time survival with LightGBM.

Every receivable is a row per day bin until it is paid or until nobody knows more (an open invoice counts as "not paid
so far" instead of being dropped). Days without payment are sampled and weighted back, which leaves the hazard
unbiased. Singer and Willett, "It's About Time" (1993); Tutz and Schmid, "Modeling Discrete Time-to-Event Data" (2016).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bins import UNKNOWN, Grid, Ints, Matrix, grid
from models.distribution import Distribution

Floats = NDArray[np.float64]

THREADS = 2

# Fewer receivables than this: small trees, several of them drawn anew.
SMALL = 5_000
SMALL_BAGS = 4
# Days without payment are plenty; beyond so many rows more of them teach nothing.
SAMPLED_ROWS = 75_000
FEWEST_EMPTY_BINS, MOST_EMPTY_BINS = 6, 40


@dataclass(frozen=True)
class HazardSettings:
    """How the trees grow. The defaults were chosen by rolling-origin validation inside training data only.

    empty_bins   sampled bins without payment per receivable
    bags         boosters from other draws of empty bins and columns, whose hazards are averaged
    """

    trees: int = 300
    learning_rate: float = 0.06
    leaves: int = 31
    smallest_leaf: int = 60
    feature_share: float = 0.5
    row_share: float = 0.8
    l2: float = 5.0
    empty_bins: int = 12
    patience: int = 30
    bags: int = 1


def settings_for(receivables: int) -> HazardSettings:
    """Smaller and slower trees where there is less to learn from."""
    empty_bins = int(np.clip(SAMPLED_ROWS // max(receivables, 1), FEWEST_EMPTY_BINS, MOST_EMPTY_BINS))
    if receivables < SMALL:
        return HazardSettings(
            leaves=7, learning_rate=0.04, smallest_leaf=100, l2=20.0, empty_bins=empty_bins, bags=SMALL_BAGS
        )
    return HazardSettings(empty_bins=empty_bins)


@dataclass(frozen=True)
class Episodes:
    """Bins at risk with what happened in them.

    paid    (m,) 1 where the payment fell into the bin
    weight  (m,) how many bins the row stands for
    """

    bins: Grid
    paid: NDArray[np.float64]
    weight: NDArray[np.float64]


def episodes(start: Ints, due: Ints, paid: Ints, observed_until: Ints, *, empty_bins: int, seed: int) -> Episodes:
    """The bins in which each receivable was at risk, thinned to about `empty_bins` without payment per receivable.

    paid            (n,) day of payment, `UNKNOWN` where there is none
    observed_until  (n,) last day it is known to have been unpaid, where `paid` is unknown

    A bin of several days that ends after `observed_until` is left out: nobody knows how it ended.
    """
    bins = grid(start, due)
    last = bins.first + bins.width - 1
    unpaid_through = np.where(paid != UNKNOWN, paid - 1, observed_until)
    empty = last <= unpaid_through[bins.row]
    hit = (paid[bins.row] >= bins.first) & (paid[bins.row] <= last)
    per_row = np.bincount(bins.row[empty], minlength=len(start))
    keep_share = np.minimum(1.0, empty_bins / np.maximum(per_row, 1))
    drawn = np.random.default_rng(seed).random(len(bins.row)) < keep_share[bins.row]
    chosen = np.flatnonzero(hit | (empty & drawn))
    weight = np.where(hit, 1.0, 1.0 / keep_share[bins.row])[chosen]
    return Episodes(bins.take(chosen), hit[chosen].astype(np.float64), weight)


def fit(
    rows: Matrix,
    lived: Episodes,
    settings: HazardSettings,
    *,
    seed: int,
    rounds: int | None = None,
    held_out: tuple[Matrix, Episodes] | None = None,
) -> Any:
    """A LightGBM Booster of the hazard with `rounds` trees, or stopped early on `held_out`."""
    import lightgbm

    data = lightgbm.Dataset(rows, lived.paid, weight=lived.weight, free_raw_data=True, params={"max_bin": 127})
    watch: dict[str, Any] = {}
    if held_out is not None:
        unseen, fate = held_out
        valid = lightgbm.Dataset(unseen, fate.paid, weight=fate.weight, reference=data)
        watch = {"valid_sets": [valid], "callbacks": [lightgbm.early_stopping(settings.patience, verbose=False)]}
    parameters = {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.smallest_leaf,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, data, num_boost_round=rounds or settings.trees, **watch)


def distribution(start: Ints, bins: Grid, hazard: Floats, horizon_days: int) -> Distribution:
    """Hazards per bin as chances per day; a bin of several days spreads its chance evenly over them.

    start   (n,) first day at risk, as days since 1970-01-01
    hazard  (m,) chance of being paid in the bin given unpaid before it
    """
    n = len(start)
    counts = np.bincount(bins.row, minlength=n)
    position = np.arange(len(bins.row)) - np.repeat(np.cumsum(counts) - counts, counts)
    stay = np.ones((n, int(counts.max(initial=0)) + 1))
    stay[bins.row, position + 1] = 1.0 - hazard
    survival = np.cumprod(stay, axis=1)
    chance = survival[bins.row, position] * hazard
    day = np.repeat(bins.first - start[bins.row], bins.width) + _within(bins.width)
    row = np.repeat(bins.row, bins.width)
    share = np.repeat(chance / bins.width, bins.width)
    inside = day < horizon_days
    pmf = np.zeros((n, horizon_days))
    pmf[row[inside], day[inside]] = share[inside]
    return Distribution(start.astype("datetime64[D]"), pmf)


def _within(width: Ints) -> Ints:
    """0, 1, .., width-1 for each bin in turn."""
    return np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
