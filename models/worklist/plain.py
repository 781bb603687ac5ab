"""The plain effect of a contact: by inverse propensity alone, without any model, with customers as clusters."""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.worklist.effect_features import EFFECT_FEATURES

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

TWO_SIDED = 1.96


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect with its 95 % interval, customers as clusters."""

    effect: float
    low: float
    high: float

    @staticmethod
    def around(effect: float, error: float) -> "Estimate":
        """From a standard error."""
        return Estimate(effect, effect - TWO_SIDED * error, effect + TWO_SIDED * error)


def inverse_weights(made: Floats, chance: Floats) -> tuple[Floats, Floats]:
    """(n,) weights of those made and of those held out by their inverse chance, each summing to one (Hajek)."""
    w1, w0 = made / chance, (1.0 - made) / (1.0 - chance)
    return w1 / w1.sum(), w0 / w0.sum()


def ipw_difference(y: Floats, made: Floats, chance: Floats) -> float:
    """Mean of `y` among those made less that among those held out, by `inverse_weights`."""
    w1, w0 = inverse_weights(made, chance)
    return float((w1 * y).sum() - (w0 * y).sum())


def ipw_estimate(rows: pl.DataFrame) -> Estimate:
    """The effect on the share paid by `ipw_difference`, without any model; both arms must be there."""
    made, y = rows["made"].to_numpy().astype(np.float64), rows["paid_share"].to_numpy()
    w1, w0 = inverse_weights(made, rows["chance"].to_numpy())
    mean1, mean0 = float((w1 * y).sum()), float((w0 * y).sum())
    sums = np.bincount(customer_codes(rows), weights=(w1 - w0) * (y - np.where(made > 0, mean1, mean0)))
    return Estimate.around(mean1 - mean0, float(np.sqrt((sums**2).sum())))


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


def _stratum(edges: Sequence[str], k: int) -> str:
    values = [name.removeprefix("usual_from_") for name in edges]
    if k == 0:
        return f"usually less than {values[0]} days late"
    if k == len(values):
        return f"usually {values[-1]} or more days late"
    return f"usually {values[k - 1]} to {values[k]} days late"


def customer_codes(rows: pl.DataFrame) -> Codes:
    """(n,) a number for each customer, the same whatever the order of rows; scattered, so that folds are alike."""
    names = [f"{e}/{c}" for e, c in rows.select("entity_id", "customer_id").iter_rows()]
    places = {name: k for k, name in enumerate(sorted(set(names), key=lambda n: (crc32(n.encode()), n)))}
    return np.array([places[name] for name in names], dtype=np.int64)
