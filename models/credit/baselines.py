"""What the credit-risk model has to beat: four plain ways of saying how likely a default is.

base_rate       the share that went into default, for everybody
worst_overdue   the share by age of the oldest overdue invoice: nothing overdue, 1-7, 8-30, 31-60, 61+ days
logistic        logistic regression on the same features, standardised, missing values at the mean
lightgbm        LightGBM as it comes out of the box on the same features
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Predict = Callable[[Floats], Floats]
Fit = Callable[[Floats, Floats, int], Predict]

OVERDUE_EDGES = (0.5, 7.5, 30.5, 60.5)
OVERDUE_COLUMN = "worst_overdue_days"
# As if so many rows at the base rate stood in every band.
PRIOR_ROWS = 20


def base_rate(values: Floats, bad: Floats, seed: int) -> Predict:
    """The same chance for everybody."""
    rate = float(bad.mean())
    return lambda asked: np.full(len(asked), rate)


def worst_overdue(column: int) -> Fit:
    """The share per band of `values[:, column]`, 0 being the band of nothing overdue."""

    def fit(values: Floats, bad: Floats, seed: int) -> Predict:
        bands = _bands(values[:, column])
        counts = np.bincount(bands, minlength=len(OVERDUE_EDGES) + 1)
        spoiled = np.bincount(bands, weights=bad, minlength=len(OVERDUE_EDGES) + 1)
        rates = (spoiled + PRIOR_ROWS * bad.mean()) / (counts + PRIOR_ROWS)
        return lambda asked: rates[_bands(asked[:, column])]

    return fit


def _bands(days: Floats) -> NDArray[np.int64]:
    return np.searchsorted(OVERDUE_EDGES, days)


def logistic(values: Floats, bad: Floats, seed: int) -> Predict:
    """Ridge-penalised logistic regression (the library's default penalty)."""
    from sklearn.linear_model import LogisticRegression

    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)
    spread = np.where(spread > 0, spread, 1.0)

    def scaled(rows: Floats) -> Floats:
        return np.clip(np.where(np.isfinite(rows), (rows - mean) / spread, 0.0), -8.0, 8.0)

    model = LogisticRegression(max_iter=2000, random_state=seed).fit(scaled(values), bad)
    return lambda asked: model.predict_proba(scaled(asked))[:, 1]


def lightgbm(values: Floats, bad: Floats, seed: int) -> Predict:
    """100 trees of 31 leaves, no constraints, no calibration."""
    import lightgbm as library

    parameters = {
        "objective": "binary",
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 2,
        "verbosity": -1,
    }
    booster = library.train(parameters, library.Dataset(values, bad), num_boost_round=100)
    return lambda asked: np.asarray(booster.predict(asked, num_threads=2))
