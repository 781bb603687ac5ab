"""How good chances of default are: ranking, sharpness and calibration, with intervals that draw customers anew."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import Codes, Interval, Resampled, interval
from models.metrics import average_precision, brier, calibration_error, roc_auc

Floats = NDArray[np.float64]

SMALLEST_CHANCE = 1e-6
# Measure -> what it is, for tables and READMEs.
MEASURES = {
    "roc_auc": "area under the ROC curve",
    "average_precision": "mean precision over the recall gained",
    "brier": "mean squared error of the chance",
    "log_loss": "mean negative log-likelihood",
    "ece": "expected calibration error over 10 bins of equal count",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A measure with its 95 % interval."""

    value: float
    interval: Interval


def measured(pd: Floats, bad: Floats, customers: Codes, *, draws: int, seed: int) -> dict[str, Measured]:
    """Every one of `MEASURES` for chances `pd` (n,) against `bad` (n,), rows being those of `customers` (n,)."""
    resampled = Resampled(customers, draws=draws, seed=seed)
    everyone = np.ones(len(bad), dtype=np.bool_)
    happened = bad > 0
    ranked: dict[str, Callable[[Floats], Floats]] = {
        "roc_auc": lambda weights: roc_auc(pd, happened, weights),
        "average_precision": lambda weights: average_precision(pd, happened, weights),
        "ece": lambda weights: calibration_error(pd, happened, weights),
    }
    answers = {name: resampled.of(statistic, everyone) for name, statistic in ranked.items()}
    means = resampled.means(np.stack([brier(pd, happened), log_loss(pd, bad)], axis=1))
    answers |= {"brier": means[:, 0], "log_loss": means[:, 1]}
    return {
        name: Measured(float(answers[name][0]), interval(answers[name], reflected=name == "ece")) for name in MEASURES
    }


def log_loss(pd: Floats, bad: Floats) -> Floats:
    """(n,) negative log-likelihood, the chance kept off 0 and 1."""
    kept = np.clip(pd, SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)
    return -(bad * np.log(kept) + (1 - bad) * np.log(1 - kept))
