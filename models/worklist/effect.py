"""What a contact changes: how much more is paid within the horizon, how much sooner; and why that may not be known."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.errors import StateError
from models.worklist.effect_features import EFFECT_FEATURES, effect_values
from models.worklist.experiment import OUTCOMES, experiment
from models.worklist.plain import TWO_SIDED, Estimate

Floats = NDArray[np.float64]

NEEDED, NEEDED_EACH = 400, 20
FARTHEST = 3.0  # spreads from the mean beyond which a feature counts as there
# 1 was learnt on all that was past due, 2 without what is left of invoices that are disputed in part
FORMAT = 3
MODEL = "effect.json"


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

    def told(self) -> dict[str, Any]:
        """As JSON has it: no penalty for an infinite one."""
        return {
            "pooled": asdict(self.pooled),
            "penalty": None if np.isinf(self.penalty) else self.penalty,
            "base": self.base,
            "weights": self.weights.tolist(),
            "covariance": self.covariance.tolist(),
        }


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

    @property
    def told_apart(self) -> bool:
        """Whether the interval of the average effect leaves out zero: only then does it decide anything."""
        return not self.pooled.low <= 0.0 <= self.pooled.high

    def effects(self, frame: pl.DataFrame) -> pl.DataFrame:
        """effect, low, high (share of the amount paid by the horizon; 95 %) and days_sooner, in the order of `frame`.

        frame        EFFECT_FEATURES, of `models.worklist.effect_features`
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
        content = {
            "format": FORMAT,
            "features": self.feature_names,
            "horizon_days": self.horizon_days,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "heads": {name: head.told() for name, head in self.heads.items()},
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
                raise StateError(
                    f"{path} was saved by another version of Duecast (format {content['format']}; allowed: {FORMAT}, "
                    "with the same features), to which an effect means something else; "
                    "run `duecast train contact-effect`"
                )
            center, scale = (np.array(content[k], dtype=np.float64) for k in ("center", "scale"))
            heads = {name: _head(content["heads"][name]) for name in OUTCOMES}
            return cls(content["horizon_days"], center, scale, heads, content["about"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(
                f"{path} cannot be read as an effect of contact ({type(error).__name__}: {error}); "
                "run `duecast train contact-effect`"
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
