"""From strengths to one chance that a document is really odd.

Without feedback the rules' declared weights are believed: each is a chance of being right on its own, they add up as
log odds of a noisy-or, and the level is set so that the mean chance is the expected rate. With verdicts the weights are
learnt, never below zero and held close to the declared ones while there are few: more evidence never lowers a chance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARPNESS = 11.0  # log odds that a weight of nearly 1 adds at full strength; with 8 chances were far too low in between
FOREST_WEIGHT = 1.5
PRIOR_VERDICTS = 3.0  # how strongly the declared weights are held
LOW, HIGH = -40.0, 40.0


@dataclass(frozen=True)
class Combination:
    """log odds = base + roots of strengths times weights, the forest's excess last."""

    weights: Floats
    base: float
    verdicts: int  # that it learnt from

    def chances(self, evidence: Floats) -> Floats:
        """(n,) of (n, rules + 1) evidence; a row alone gets the bits it gets among many."""
        total = np.full(len(evidence), self.base)
        for column, weight in zip(evidence.T, self.weights, strict=True):
            total = total + weight * column
        chance: Floats = 1.0 / (1.0 + np.exp(-np.clip(total, LOW, HIGH)))
        return chance

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        return {"weights": self.weights.tolist(), "base": self.base, "verdicts": self.verdicts}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> "Combination":
        """The combination that `as_json` told of."""
        return cls(np.array(told["weights"], dtype=np.float64), float(told["base"]), int(told["verdicts"]))


def declared(evidence: Floats, rule_weights: Floats, expected_rate: float) -> Combination:
    """What is believed before anybody judged: the mean chance over `evidence` is `expected_rate`."""
    weights = np.append(SHARPNESS * rule_weights, FOREST_WEIGHT)
    low, high = -20.0, 10.0
    for _ in range(60):
        base = (low + high) / 2
        if Combination(weights, base, 0).chances(evidence).mean() > expected_rate:
            high = base
        else:
            low = base
    return Combination(weights, (low + high) / 2, 0)


def learnt(prior: Combination, evidence: Floats, real: NDArray[np.bool_], verdicts: int) -> Combination:
    """The prior moved by what people said.

    evidence, real  documents that were judged, and those that nobody had a reason to look at, as not real
    verdicts        how many were judged
    """
    from scipy.optimize import minimize

    start = np.append(prior.weights, prior.base)
    design = np.column_stack([evidence, np.ones(len(evidence))])
    sign = np.where(real, 1.0, -1.0)

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = sign * (design @ at)
        pull = (at - start)[:-1]
        value = np.logaddexp(0.0, -margin).sum() + 0.5 * PRIOR_VERDICTS * float((pull**2).sum()) / SHARPNESS
        slope = -(design.T @ (sign / (1.0 + np.exp(np.clip(margin, LOW, HIGH)))))
        slope[:-1] += PRIOR_VERDICTS * pull / SHARPNESS
        return float(value), slope

    bounds = [(0.0, None)] * len(prior.weights) + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return Combination(np.maximum(found.x[:-1], 0.0), float(found.x[-1]), verdicts)
