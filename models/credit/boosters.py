"""Boosted trees for "does it go bad": LightGBM models, each grown without one fold, whose log-odds are averaged.

What a fold's models say of that fold is out of fold, and so tells how far off they are (`models.credit.calibration`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

THREADS = 2
BINS = 127


@dataclass(frozen=True)
class BoosterSettings:
    """How the trees grow. The defaults are for tables of tens of thousands of rows (`portfolio`)."""

    trees: int = 350
    learning_rate: float = 0.03
    leaves: int = 15
    smallest_leaf: int = 100
    feature_share: float = 0.3
    row_share: float = 0.7
    l2: float = 20.0
    path_smooth: float = 100.0
    folds: int = 5
    repeats: int = 1


def fit(
    values: Floats,
    bad: Floats,
    directions: Sequence[int],
    settings: BoosterSettings,
    *,
    groups: Ints,
    categorical: Sequence[int] = (),
    seed: int,
) -> tuple[tuple[Any, ...], Floats]:
    """The boosters, and the out-of-fold log-odds (n,) of the rows they were grown from.

    values       (n, F), NaN where missing; columns in `categorical` hold whole numbers from 0
    bad          (n,) 1 where it went bad
    directions   per column 1, -1 or 0: whether the chance may only rise, only fall, or move freely with it
    groups       (n,) rows of one group are never on both sides of a fold
    """
    boosters = []
    unseen = np.zeros(len(bad))
    for repeat in range(settings.repeats):
        fold = folds_of(bad, groups, settings.folds, seed + repeat)
        for k in range(settings.folds):
            inside = fold != k
            booster = _grown(values[inside], bad[inside], directions, settings, categorical, seed + 1000 * repeat + k)
            unseen[~inside] += booster.predict(values[~inside], raw_score=True, num_threads=THREADS)
            boosters.append(booster)
    return tuple(boosters), unseen / settings.repeats


def folds_of(bad: Floats, groups: Ints, folds: int, seed: int) -> Ints:
    """(n,) fold of each row: groups dealt out at random, those with anything bad first, so that each fold has some."""
    group = np.unique(groups, return_inverse=True)[1]
    count = int(group.max(initial=-1)) + 1
    spoiled = np.bincount(group, weights=bad, minlength=count) > 0
    order = np.lexsort((np.random.default_rng(seed).random(count), ~spoiled))
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % folds
    return fold[group]


def log_odds(boosters: Sequence[Any], values: Floats) -> Floats:
    """(n,) mean log-odds, added up one booster after another: the same bits for one row as among many."""
    total = np.zeros(len(values))
    if len(values):
        for booster in boosters:
            total += booster.predict(values, raw_score=True, num_threads=THREADS)
    return total / len(boosters)


def contributions(boosters: Sequence[Any], values: Floats) -> Floats:
    """(n, F + 1) what each column adds to the mean log-odds, and, last, where they start from (TreeSHAP)."""
    total = np.zeros((len(values), values.shape[1] + 1))
    if len(values):
        for booster in boosters:
            total += np.asarray(booster.predict(values, pred_contrib=True, num_threads=THREADS))
    return total / len(boosters)


def _grown(
    values: Floats,
    bad: Floats,
    directions: Sequence[int],
    settings: BoosterSettings,
    categorical: Sequence[int],
    seed: int,
) -> Any:
    import lightgbm

    parameters = {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.smallest_leaf,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "path_smooth": settings.path_smooth,
        "max_bin": BINS,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbosity": -1,
    }
    if any(directions):
        parameters["monotone_constraints"] = list(directions)
    data = lightgbm.Dataset(
        values, bad, categorical_feature=list(categorical), params={"max_bin": BINS, "verbosity": -1}
    )
    return lightgbm.train(parameters, data, num_boost_round=settings.trees)
