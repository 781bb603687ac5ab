"""How good a portfolio model is: repeated stratified folds, beside logistic regression and plain LightGBM.

Every model, its calibration included, learns from the other folds only. A table without dates has no past and future:
what the folds say of tomorrow's borrowers is as good as tomorrow is like today.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput
from models.credit import baselines
from models.credit.boosters import BoosterSettings, folds_of
from models.credit.measures import MEASURES, log_loss
from models.credit.portfolio_features import bad_rows, categories_of, columns, values
from models.credit.portfolio_model import train_portfolio
from models.credit.portfolio_spec import PortfolioSpec
from models.credit.scale import GradeRow, grade_table
from models.credit.scorer import FEWEST_DEFAULTS
from models.metrics import average_precision, brier, calibration_error, roc_auc

Floats = NDArray[np.float64]
OURS = "duecast"


@dataclass(frozen=True)
class CrossValidation:
    """Forecaster -> measure -> its value in every fold of every repeat; our grades over the first repeat."""

    folds: dict[str, dict[str, list[float]]]
    grades: tuple[GradeRow, ...]

    def summary(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Forecaster -> measure -> mean and standard deviation over the folds."""
        return {
            who: {name: (float(np.mean(told)), float(np.std(told, ddof=1))) for name, told in table.items()}
            for who, table in self.folds.items()
        }

    @property
    def metrics(self) -> dict[str, float]:
        """Flat means for the registry: ours, and each baseline's behind its name."""
        return {
            name if who == OURS else f"{who}.{name}": mean
            for who, table in self.summary().items()
            for name, (mean, _) in table.items()
        }


def cross_validate(
    table: pl.DataFrame,
    spec: PortfolioSpec,
    *,
    seeds: Sequence[int],
    folds: int = 5,
    settings: BoosterSettings | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> CrossValidation:
    """One repeat per seed. The baselines run on the columns as they are and, named `_engineered`, on our features.

    `BadInput` unless every fold leaves enough to learn from (`require_folds`).
    """
    bad = require_folds(table, spec, folds)
    found: dict[str, dict[str, list[float]]] = {}
    unseen = np.zeros(len(bad))
    for repeat, seed in enumerate(seeds):
        fold = folds_of(bad, np.arange(len(bad)), folds, seed)
        for k in range(folds):
            step(f"repeat {repeat + 1} of {len(seeds)}, fold {k + 1} of {folds}")
            inside = fold != k
            told = _told(table.filter(inside), table.filter(~inside), spec, settings, seed)
            for who, pd in told.items():
                for name, value in _measures(pd, bad[~inside]).items():
                    found.setdefault(who, {}).setdefault(name, []).append(value)
            if repeat == 0:
                unseen[~inside] = told[OURS]
    return CrossValidation(found, grade_table(unseen, bad))


def require_folds(table: pl.DataFrame, spec: PortfolioSpec, folds: int) -> Floats:
    """`bad_rows`; `BadInput` where too few went bad, or did not, to hold one of `folds` back and still learn."""
    bad = bad_rows(table, spec)
    fewest = ceil(FEWEST_DEFAULTS * folds / (folds - 1))
    for count, how in ((int(bad.sum()), "went"), (int((1 - bad).sum()), "did not go")):
        if count < fewest:
            raise BadInput(
                f"{count} of {len(bad)} rows {how} into default: too few to learn from and hold a fold of {folds} "
                f"back; allowed: {fewest} or more"
            )
    return bad


def _told(
    train: pl.DataFrame, test: pl.DataFrame, spec: PortfolioSpec, settings: BoosterSettings | None, seed: int
) -> dict[str, Floats]:
    bad, categories = bad_rows(train, spec), categories_of(train, spec)
    told = {OURS: train_portfolio(train, spec, seed=seed, settings=settings).pd(test)}
    plain = [_plain(part, spec, categories) for part in (train, test)]
    engineered = [values(columns(part, spec, categories)) for part in (train, test)]
    fits: dict[str, Any] = {"logistic": baselines.logistic, "lightgbm": baselines.lightgbm}
    for name, fit in fits.items():
        told[name] = fit(plain[0], bad, seed)(plain[1])
        told[f"{name}_engineered"] = fit(engineered[0], bad, seed)(engineered[1])
    return told


def _plain(table: pl.DataFrame, spec: PortfolioSpec, categories: dict[str, list[str]]) -> Floats:
    """The columns as they are: numbers, and a column of 0 and 1 for every category."""
    numbers = [table[name].fill_null(float("nan")).to_numpy() for name in spec.number_columns]
    flags = [
        (table[name] == value).fill_null(value=False).cast(pl.Float64).to_numpy()
        for name, known in categories.items()
        for value in known
    ]
    return np.stack([*numbers, *flags], axis=1)


def _measures(pd: Floats, bad: Floats) -> dict[str, float]:
    once, happened = np.ones((1, len(bad))), bad > 0
    told = {
        "roc_auc": roc_auc(pd, happened, once)[0],
        "average_precision": average_precision(pd, happened, once)[0],
        "brier": brier(pd, happened).mean(),
        "log_loss": log_loss(pd, bad).mean(),
        "ece": calibration_error(pd, happened, once)[0],
    }
    return {name: float(told[name]) for name in MEASURES}
