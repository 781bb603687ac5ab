"""What a contact changes, learnt from drawn contacts only: how much more is paid within the horizon, how much sooner.

Each drawn contact gets a pseudo-outcome whose mean is the effect, by inverse propensity (the chance of the draw is
known) and augmented by what was to be expected anyway, predicted by trees that never saw that customer. A ridge
regression of it on a few declared features, drawn to the pooled effect as far as cross-validation over customers asks,
tells effects apart; with little to tell, everybody gets the pooled effect.
Kennedy, "Towards optimal doubly robust estimation of heterogeneous causal effects" (2023); Horvitz and Thompson (1952).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.errors import BadInput, StateError
from models.worklist.asks import EFFECT_FEATURES, effect_values
from models.worklist.experiment import OUTCOMES, experiment

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

NEEDED, NEEDED_EACH = 400, 20
FOLDS = 5
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, float("inf"))
TWO_SIDED = 1.96
FARTHEST = 3.0  # spreads from the mean beyond which a feature counts as there
FORMAT = 1
MODEL = "effect.json"
TREES, LEAVES, LEAST_IN_LEAF = 80, 8, 20


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect with its 95 % interval, customers as clusters."""

    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class Head:
    """The effect on one outcome: `pooled` and a line through the standardised features. `penalty` is inf for none."""

    pooled: Estimate
    penalty: float
    base: float
    weights: Floats
    covariance: Floats

    def of(self, z: Floats) -> tuple[Floats, Floats]:
        """(n,) effect and its standard error. One column after another: BLAS may add up in another order."""
        effect = np.full(len(z), self.base)
        columns = [np.ones(len(z)), *z.T]
        for column, weight in zip(columns[1:], self.weights, strict=True):
            effect = effect + column * weight
        variance = np.zeros(len(z))
        for i, first in enumerate(columns):
            for j, second in enumerate(columns):
                variance = variance + first * second * self.covariance[i, j]
        return effect, np.sqrt(np.maximum(variance, 0.0))


@dataclass(frozen=True)
class ContactEffect:
    """The effect of a contact within `horizon_days`. `about`: rows, customers, made, held_out, first and last day."""

    horizon_days: int
    center: Floats
    scale: Floats
    heads: dict[str, Head]
    about: dict[str, Any]
    feature_names: tuple[str, ...] = EFFECT_FEATURES

    @property
    def pooled(self) -> Estimate:
        """The average effect on the share paid by the horizon, over the customers that were drawn."""
        return self.heads["paid_share"].pooled

    def effects(self, frame: pl.DataFrame) -> pl.DataFrame:
        """effect, low, high (share of the amount paid by the horizon; 95 %) and days_sooner, in the order of `frame`.

        frame        EFFECT_FEATURES, of `models.worklist.asks.effect_features`
        days_sooner  how many days of the horizon sooner the money comes, on average by amount
        The interval says nothing of what drawing to the pooled effect hides.
        """
        z = self._standardised(effect_values(frame, self.feature_names))
        effect, error = self.heads["paid_share"].of(z)
        days_open, _ = self.heads["days_open"].of(z)
        return pl.DataFrame(
            {
                "effect": np.clip(effect, -1.0, 1.0),
                "low": np.clip(effect - TWO_SIDED * error, -1.0, 1.0),
                "high": np.clip(effect + TWO_SIDED * error, -1.0, 1.0),
                "days_sooner": np.clip(-days_open, -self.horizon_days, self.horizon_days),
            }
        )

    def _standardised(self, values: Floats) -> Floats:
        z: Floats = np.clip((values - self.center) / self.scale, -FARTHEST, FARTHEST)
        return z

    def save(self, folder: Path) -> None:
        """Write `effect.json` into `folder`, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        heads = {
            name: {
                "pooled": asdict(h.pooled),
                "penalty": None if np.isinf(h.penalty) else h.penalty,
                "base": h.base,
                "weights": h.weights.tolist(),
                "covariance": h.covariance.tolist(),
            }
            for name, h in self.heads.items()
        }
        content = {
            "format": FORMAT,
            "features": self.feature_names,
            "horizon_days": self.horizon_days,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "heads": heads,
            "about": self.about,
        }
        (folder / MODEL).write_text(json.dumps(content, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path) -> "ContactEffect":
        """Read what `save` wrote; `StateError` for a file that is missing, damaged or of another format."""
        path = folder / MODEL
        try:
            content = json.loads(path.read_text())
            if content["format"] != FORMAT or tuple(content["features"]) != EFFECT_FEATURES:
                raise StateError(f"{path} was saved by another version of Duecast; train it again")
            center, scale = (np.array(content[k], dtype=np.float64) for k in ("center", "scale"))
            heads = {name: _head(content["heads"][name]) for name in OUTCOMES}
            return cls(content["horizon_days"], center, scale, heads, content["about"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{path} cannot be read as an effect of contact ({type(error).__name__}: {error})"
            ) from error


def _head(told: dict[str, Any]) -> Head:
    penalty = float("inf") if told["penalty"] is None else float(told["penalty"])
    covariance = np.array(told["covariance"], dtype=np.float64)
    weights = np.array(told["weights"], dtype=np.float64)
    if weights.shape != (len(EFFECT_FEATURES),) or covariance.shape != (len(weights) + 1,) * 2:
        raise ValueError(f"{len(weights)} weights for {len(EFFECT_FEATURES)} features")
    return Head(Estimate(**told["pooled"]), penalty, float(told["base"]), weights, covariance)


def lacking(rows: pl.DataFrame) -> str | None:
    """Why the drawn contacts do not suffice to learn from, in words; None where they do."""
    made = int(rows["made"].sum()) if len(rows) else 0
    if len(rows) < NEEDED:
        many = "too few" if len(rows) else "no"
        return f"{many} randomised contacts yet ({len(rows)} of {NEEDED} needed)"
    if min(made, len(rows) - made) < NEEDED_EACH:
        short = "made" if made < NEEDED_EACH else "held out"
        return f"too few randomised contacts {short} yet ({min(made, len(rows) - made)} of {NEEDED_EACH} needed)"
    return None


def why_not_learnt(book: Book, horizon_days: int) -> str:
    """Why no effect is known, where none was trained: too few drawn contacts, or nobody trained on them."""
    rows = experiment(book, book.last_known(), horizon_days)
    why = lacking(rows)
    return (
        why or f"{len(rows)} randomised contacts are there, but nothing was learnt: run `duecast train contact-effect`"
    )


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
    customers = _codes(rows)
    values = effect_values(rows)
    center, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = np.clip((values - center) / scale, -FARTHEST, FARTHEST)
    heads = {name: _fit_head(pseudo_outcomes(rows, name, customers, seed=seed), z, customers) for name in OUTCOMES}
    about = {
        "rows": len(rows),
        "customers": int(customers.max()) + 1,
        "made": int(rows["made"].sum()),
        "held_out": int((~rows["made"]).sum()),
        "first_day": str(rows["cutoff_day"].min()),
        "last_day": str(rows["cutoff_day"].max()),
        "seed": seed,
    }
    return ContactEffect(horizon_days, center, scale, heads, about)


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


def ipw_difference(y: Floats, made: Floats, chance: Floats) -> float:
    """Mean of `y` among those made less that among those held out, each weighted by its inverse chance (Hajek)."""
    w1, w0 = made / chance, (1.0 - made) / (1.0 - chance)
    return float((w1 * y).sum() / w1.sum() - (w0 * y).sum() / w0.sum())


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
    penalty = _chosen_penalty(pseudo, z, customers)
    weights, covariance = _ridge(pseudo, z, penalty, customers)
    mean, error = float(pseudo.mean()), _cluster_error(pseudo, customers)
    pooled = Estimate(mean, mean - TWO_SIDED * error, mean + TWO_SIDED * error)
    return Head(pooled, penalty, float(weights[0]), weights[1:], covariance)


def _chosen_penalty(pseudo: Floats, z: Floats, customers: Codes) -> float:
    """The penalty with the least squared error on customers left out; the pooled effect wins a tie."""
    fold = customers % FOLDS
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for k in range(FOLDS):
            held = fold == k
            if not held.any() or held.all():
                continue
            weights, _ = _ridge(pseudo[~held], z[~held], penalty, customers[~held])
            loss += float(((pseudo[held] - weights[0] - z[held] @ weights[1:]) ** 2).sum())
        losses.append(loss)
    best = min(range(len(PENALTIES)), key=lambda k: (losses[k], -PENALTIES[k]))
    return PENALTIES[best]


def _ridge(pseudo: Floats, z: Floats, penalty: float, customers: Codes) -> tuple[Floats, Floats]:
    """Base and weights (the base is not drawn anywhere), and their covariance with customers as clusters."""
    if np.isinf(penalty):
        weights = np.zeros(z.shape[1] + 1)
        weights[0] = pseudo.mean()
        covariance = np.zeros((len(weights), len(weights)))
        covariance[0, 0] = _cluster_error(pseudo, customers) ** 2
        return weights, covariance
    x = np.concatenate([np.ones((len(z), 1)), z], axis=1)
    normal = x.T @ x + np.diag([0.0, *[penalty] * z.shape[1]])
    weights = np.linalg.solve(normal, x.T @ pseudo)
    scores = np.zeros((int(customers.max()) + 1, x.shape[1]))
    np.add.at(scores, customers, x * (pseudo - x @ weights)[:, None])
    inverse = np.linalg.inv(normal)
    return weights, inverse @ (scores.T @ scores) @ inverse


def _cluster_error(pseudo: Floats, customers: Codes) -> float:
    """Standard error of the mean when a customer's contacts rise and fall together."""
    sums = np.bincount(customers, weights=pseudo - pseudo.mean())
    return float(np.sqrt((sums**2).sum()) / len(pseudo))


def _codes(rows: pl.DataFrame) -> Codes:
    """(n,) a number for each customer, the same whatever the order of rows; scattered, so that folds are alike."""
    names = [f"{e}/{c}" for e, c in rows.select("entity_id", "customer_id").iter_rows()]
    places = {name: k for k, name in enumerate(sorted(set(names), key=lambda n: (crc32(n.encode()), n)))}
    return np.array([places[name] for name in names], dtype=np.int64)


def strata(rows: pl.DataFrame) -> list[tuple[str, int, Estimate]]:
    """The plain IPW effect on the share paid in each stratum of usual lateness: words, contacts, estimate.

    For people to look at beside the model; a stratum without both arms has none and is left out.
    """
    edges = [name for name in EFFECT_FEATURES if name.startswith("usual_from_")]
    stratum = pl.sum_horizontal(edges).cast(pl.Int64)
    told = []
    for k in range(len(edges) + 1):
        inside = rows.filter(stratum == k)
        if 0 < inside["made"].sum() < len(inside):
            told.append((_stratum(edges, k), len(inside), ipw_estimate(inside)))
    return told


def ipw_estimate(rows: pl.DataFrame) -> Estimate:
    """The effect on the share paid by `ipw_difference`, without any model; both arms must be there."""
    made, y = rows["made"].to_numpy().astype(np.float64), rows["paid_share"].to_numpy()
    chance = rows["chance"].to_numpy()
    w1, w0 = made / chance, (1.0 - made) / (1.0 - chance)
    w1, w0 = w1 / w1.sum(), w0 / w0.sum()
    mean = np.where(made > 0, (w1 * y).sum(), (w0 * y).sum())
    error = float(np.sqrt((np.bincount(_codes(rows), weights=(w1 - w0) * (y - mean)) ** 2).sum()))
    effect = ipw_difference(y, made, chance)
    return Estimate(effect, effect - TWO_SIDED * error, effect + TWO_SIDED * error)


def _stratum(edges: Sequence[str], k: int) -> str:
    values = [name.removeprefix("usual_from_") for name in edges]
    if k == 0:
        return f"usually less than {values[0]} days late"
    if k == len(values):
        return f"usually {values[-1]} or more days late"
    return f"usually {values[k - 1]} to {values[k]} days late"
