"""How the effect of a contact is learnt from drawn contacts.

Each drawn contact gets a pseudo-outcome whose mean is the effect, by inverse propensity (the chance of the draw is
known) and augmented by what was to be expected anyway, predicted by trees that never saw that customer. A ridge
regression of it on a few declared features, drawn to the pooled effect as far as cross-validation over customers asks,
tells effects apart; with little to tell, everybody gets the pooled effect.
Kennedy, "Towards optimal doubly robust estimation of heterogeneous causal effects" (2023); Horvitz and Thompson (1952).
"""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput
from models.worklist.effect import FARTHEST, ContactEffect, Head, lacking
from models.worklist.effect_features import effect_values
from models.worklist.experiment import OUTCOMES
from models.worklist.plain import Estimate, customer_codes, ipw_difference
from models.worklist.ridge import FOLDS, chosen_penalty, cluster_error, ridge

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

TREES, LEAVES, LEAST_IN_LEAF = 80, 8, 20


def fit_effect(rows: pl.DataFrame, horizon_days: int, *, seed: int = 7) -> ContactEffect:
    """Learn from EXPERIMENT rows (`models.worklist.experiment`), in any order.

    `BadInput` where there are too few, or where one was not decided by a draw: such a row says nothing of the effect.
    """
    if rows["chance"].null_count():
        raise BadInput(
            f"{rows['chance'].null_count()} contacts without a chance: a person chose them, and whom a person calls "
            "pays worse anyway; allowed: contacts that a draw decided"
        )
    why = lacking(rows)
    if why is not None:
        raise BadInput(f"{why}; let `duecast worklist --record` draw more")
    rows = rows.sort("cutoff", "entity_id", "customer_id")
    customers = customer_codes(rows)
    values = effect_values(rows)
    center, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = np.clip((values - center) / scale, -FARTHEST, FARTHEST)
    heads = {name: _fit_head(pseudo_outcomes(rows, name, customers, seed=seed), z, customers) for name in OUTCOMES}
    return ContactEffect(horizon_days, center, scale, heads, _about(rows, seed))


def _about(rows: pl.DataFrame, seed: int) -> dict[str, Any]:
    return {
        "rows": len(rows),
        "customers": rows.select("entity_id", "customer_id").n_unique(),
        "made": int(rows["made"].sum()),
        "held_out": int((~rows["made"]).sum()),
        "first_day": str(rows["cutoff_day"].min()),
        "last_day": str(rows["cutoff_day"].max()),
        "seed": seed,
    }


def pseudo_outcomes(rows: pl.DataFrame, outcome: str, customers: Codes, *, seed: int) -> Floats:
    """(n,) numbers whose mean, among contacts alike, is the effect of the draw on `outcome`."""
    y = rows[outcome].to_numpy().astype(np.float64)
    made = rows["made"].to_numpy().astype(np.float64)
    chance = rows["chance"].to_numpy()
    expected = _expected_anyway(effect_values(rows), y, customers, seed)
    rough = ipw_difference(y - expected, made, chance)
    # the residual of each arm's own expectation: `expected` is that of both arms together
    residual = y - expected - (made - chance) * rough
    pseudo: Floats = rough + (made - chance) / (chance * (1.0 - chance)) * residual
    return pseudo


def _expected_anyway(values: Floats, y: Floats, customers: Codes, seed: int) -> Floats:
    """(n,) what the features alone say of the outcome, each by trees that saw none of its customer's contacts."""
    import lightgbm

    parameters = {
        "objective": "regression",
        "learning_rate": 0.06,
        "num_leaves": LEAVES,
        "min_data_in_leaf": LEAST_IN_LEAF,
        "lambda_l2": 5.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    fold = customers % FOLDS
    expected = np.full(len(y), float(y.mean()))
    for k in range(FOLDS):
        held, seen = fold == k, fold != k
        if not held.any() or not seen.any():
            continue
        data = lightgbm.Dataset(values[seen], y[seen])
        expected[held] = lightgbm.train(parameters, data, num_boost_round=TREES).predict(values[held], num_threads=1)
    return expected


def _fit_head(pseudo: Floats, z: Floats, customers: Codes) -> Head:
    penalty = chosen_penalty(pseudo, z, customers)
    weights, covariance = ridge(pseudo, z, penalty, customers)
    pooled = Estimate.around(float(pseudo.mean()), cluster_error(pseudo, customers))
    return Head(pooled, penalty, float(weights[0]), weights[1:], covariance)
