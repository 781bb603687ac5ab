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
LEAST_EACH, LEAST_CUSTOMERS = 20, 20  # of a stratum: contacts of either arm, and customers, which are the clusters


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


@dataclass(frozen=True, slots=True)
class Stratum:
    """Drawn contacts alike, in `words`; `found` is null where they do not suffice, and `lacking` says why."""

    words: str
    contacts: int
    found: Estimate | None
    lacking: str | None = None


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


def strata(rows: pl.DataFrame) -> list[Stratum]:
    """The plain IPW effect on the share paid in each stratum of usual lateness that has contacts.

    For people to look at beside the model; none where contacts or customers are too few for an interval.
    """
    edges = [name for name in EFFECT_FEATURES if name.startswith("usual_from_")]
    stratum = pl.sum_horizontal(edges).cast(pl.Int64)
    told = []
    for k in range(len(edges) + 1):
        inside = rows.filter(stratum == k)
        if len(inside):
            told.append(_stratum(inside, _words(edges, k)))
    return told


def _stratum(inside: pl.DataFrame, words: str) -> Stratum:
    made, customers = int(inside["made"].sum()), inside.select("entity_id", "customer_id").n_unique()
    counts = {"made": made, "held out": len(inside) - made, "customers": customers}
    least = {"made": LEAST_EACH, "held out": LEAST_EACH, "customers": LEAST_CUSTOMERS}
    short = [f"{counts[name]} {name} of {least[name]}" for name in least if counts[name] < least[name]]
    if short:
        return Stratum(words, len(inside), None, f"too few: {', '.join(short)} needed")
    found = ipw_estimate(inside)
    if found.low == found.high:
        return Stratum(words, len(inside), None, "no spread: all made paid alike, all held out too")
    return Stratum(words, len(inside), found)


def _words(edges: Sequence[str], k: int) -> str:
    values = [name.removeprefix("usual_from_") for name in edges]
    if k == 0:
        return f"usually less than {values[0]} days late"
    if k == len(values):
        return f"usually {values[-1]} or more days late"
    return f"usually {values[k - 1]} to {values[k]} days late"


def customer_codes(rows: pl.DataFrame) -> Codes:
    """(n,) a number for each customer, the same whatever the order of rows; scattered, so that folds are alike."""
    keys = list(rows.select("entity_id", "customer_id").iter_rows())
    places = {key: k for k, key in enumerate(sorted(set(keys), key=lambda key: (crc32("/".join(key).encode()), key)))}
    return np.array([places[key] for key in keys], dtype=np.int64)
