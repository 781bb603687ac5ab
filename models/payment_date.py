"""The payment-date model: train it, ask it, save it, load it.

    model = train(frame, seed=7)              # a LABELLED frame of `features.book`
    model.predictions(book.features(book.open_receivables(as_of)))

It is a discrete-time hazard (`models.hazard`) over day bins (`models.bins`) that sees a ridge line through days late
(`models.location`), recalibrated on the newest invoices (`models.calibration`), with reasons (`models.reasons`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.errors import BadInput, StateError
from models import hazard
from models.answers import answers, days_past_due
from models.bins import BIN_FEATURES, epoch_days
from models.calibration import Calibration, fit_calibration, identity
from models.distribution import Distribution
from models.hazard import HazardSettings
from models.location import Location
from models.predictions import PaymentPrediction
from models.reasons import fit_explainer
from models.scorer import Scorer, feature_values, fit_scorer

FEWEST_SETTLED = 30
HELD_OUT_SHARE = 0.15
FEWEST_HELD_OUT = 50
EXPLAINED_ROWS = 4_000
UNKNOWN = np.iinfo(np.int64).min
FORMAT = 1


@dataclass(frozen=True)
class PaymentDateModel:
    """A trained model. `about` says what it was trained on and how, for the registry and the reports."""

    scorer: Scorer
    calibration: Calibration
    explainer: Any
    about: dict[str, Any]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns it reads, in order."""
        return self.scorer.names

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame will be paid, given that it is unpaid at its cutoff."""
        return self.calibration.apply(self.scorer.distribution(frame))

    def predictions(self, frame: pl.DataFrame) -> list[PaymentPrediction]:
        """One answer per row of the FEATURE frame, in its order."""
        return answers(self.distribution(frame), self.explainer, self.feature_names, frame)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: LightGBM's native text and one JSON file, nothing pickled."""
        folder.mkdir(parents=True, exist_ok=True)
        for k, booster in enumerate(self.scorer.boosters):
            booster.save_model(str(folder / f"hazard-{k}.txt"))
        self.explainer.save_model(str(folder / "explainer.txt"))
        line = self.scorer.location
        content = {
            "format": FORMAT,
            "features": self.scorer.names,
            "bin_features": BIN_FEATURES,
            "boosters": len(self.scorer.boosters),
            "location": {
                "center": line.center.tolist(),
                "scale": line.scale.tolist(),
                "weights": line.weights.tolist(),
                "base": line.base,
            },
            "calibration": {"stated": self.calibration.stated.tolist(), "observed": self.calibration.observed.tolist()},
            "about": self.about,
        }
        (folder / "model.json").write_text(json.dumps(content, indent=1, allow_nan=False))

    @classmethod
    def load(cls, folder: Path) -> "PaymentDateModel":
        """Read what `save` wrote; `StateError` names the file that is missing or of another format.

        LightGBM crashes the process on a damaged text file: check digests first where a file may be damaged
        (`models.registry.verify`).
        """
        import lightgbm

        try:
            content = json.loads((folder / "model.json").read_text())
            texts = [folder / f"hazard-{k}.txt" for k in range(content["boosters"])] + [folder / "explainer.txt"]
            *boosters, explainer = (lightgbm.Booster(model_str=path.read_text()) for path in texts)
        except (OSError, ValueError, KeyError) as error:
            raise StateError(f"the model in {folder.name} cannot be read ({error}); register it again") from error
        if content["format"] != FORMAT or tuple(content["bin_features"]) != BIN_FEATURES:
            raise StateError(f"the model in {folder.name} was saved by another version of Duecast; train it again")
        names, line = tuple(content["features"]), content["location"]
        center, scale, weights = (np.array(line[k]) for k in ("center", "scale", "weights"))
        location = Location(names, center, scale, weights, line["base"])
        calibration = Calibration(*(np.array(content["calibration"][k]) for k in ("stated", "observed")))
        return cls(Scorer(names, location, tuple(boosters)), calibration, explainer, content["about"])


def train(labelled: pl.DataFrame, names: Sequence[str], *, seed: int = 7, use_open: bool = True) -> PaymentDateModel:
    """Train on a LABELLED frame: every row one receivable at one cutoff.

    names     the feature columns to learn from
    use_open  False drops what is still open instead of learning "not paid so far" from it (to show what that costs)

    `BadInput` where fewer than `FEWEST_SETTLED` receivables were settled.
    """
    rows = labelled.filter(pl.col("paid_date").is_null() | (pl.col("paid_date") >= pl.col("cutoff_day")))
    rows = rows if use_open else rows.filter(pl.col("paid_date").is_not_null())
    rows = rows.sort("cutoff", "entity_id", "invoice_id", "instalment")
    settled = rows.filter(pl.col("paid_date").is_not_null()).select("entity_id", "invoice_id", "instalment").n_unique()
    if settled < FEWEST_SETTLED:
        raise BadInput(
            f"only {settled} settled invoices to learn from; allowed: {FEWEST_SETTLED} or more. "
            "Ingest more history or choose a later cutoff"
        )
    names = tuple(names)
    settings = hazard.settings_for(settled)
    rounds, calibration = _rehearse(rows, names, settings, seed)
    scorer = fit_scorer(rows, names, settings, seed, rounds=rounds)
    explained = rows.sample(min(EXPLAINED_ROWS, len(rows)), seed=seed)
    raw = calibration.apply(scorer.distribution(explained))
    explainer = fit_explainer(feature_values(explained, names), days_past_due(raw, explained), seed=seed)
    about = {
        "receivables": rows.select("entity_id", "invoice_id", "instalment").n_unique(),
        "rows": len(rows),
        "settled": settled,
        "first_cutoff": str(rows["cutoff_day"].min()),
        "last_cutoff": str(rows["cutoff_day"].max()),
        "observed_until": str(rows["observed_until"].max()),
        "rounds": rounds,
        "seed": seed,
        "use_open": use_open,
        "settings": asdict(settings),
    }
    return PaymentDateModel(scorer, calibration, explainer, about)


def _rehearse(
    rows: pl.DataFrame, names: tuple[str, ...], settings: HazardSettings, seed: int
) -> tuple[int, Calibration]:
    """Train on the older part as it was known then and look at the newest: how many trees, and how far off is the cdf?

    Too few rows for that: half the trees, no correction.
    """
    cut: date = rows["cutoff_day"][int(len(rows) * (1 - HELD_OUT_SHARE))]
    newest = rows.filter(pl.col("cutoff_day") >= cut)
    older = known_before(rows.filter(pl.col("cutoff_day") < cut), cut)
    seen = older["paid_date"].is_not_null().sum()
    if seen < FEWEST_SETTLED or newest["paid_date"].is_not_null().sum() < FEWEST_HELD_OUT:
        return settings.trees // 2, identity()
    rehearsal = fit_scorer(older, names, settings, seed, held_out=newest)
    rounds = int(np.median([max(booster.best_iteration, 10) for booster in rehearsal.boosters]))
    return rounds, _calibrated(rehearsal, newest, seed)


def known_before(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """The LABELLED rows with only those outcomes that had happened before `day`."""
    later = pl.col("paid_date") >= day
    return rows.with_columns(
        paid_date=pl.when(~later).then("paid_date"),
        observed_until=pl.min_horizontal("observed_until", pl.lit(day) - pl.duration(days=1)),
    )


def _calibrated(scorer: Scorer, newest: pl.DataFrame, seed: int) -> Calibration:
    stated = scorer.distribution(newest)
    paid = epoch_days(newest, "paid_date")
    seen = paid != UNKNOWN
    day = np.where(seen, paid, epoch_days(newest, "observed_until"))
    high = stated.paid_by(day.astype("datetime64[D]"))
    low = np.where(seen, stated.paid_by((day - 1).astype("datetime64[D]")), high)
    return fit_calibration(low, high, seen, seed=seed)
