"""The payment-date model: train it, ask it, save it, load it.

    model = train(frame, seed=7)              # a LABELLED frame of `features.book`
    model.predictions(book.features(book.open_receivables(as_of)))

It is a discrete-time hazard (`models.hazard`) over day bins (`models.bins`) that sees a ridge line through days late
(`models.location`), recalibrated on the newest invoices (`models.calibration`), with reasons (`models.reasons`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.errors import BadInput
from features.ledger import RECEIVABLE
from models import hazard
from models.answers import answers, days_past_due
from models.bins import LONGEST_WAIT, UNKNOWN, epoch_days
from models.calibration import Calibration, fit_calibration, identity
from models.distribution import Distribution
from models.hazard import HazardSettings
from models.model_files import read_model, write_model
from models.predictions import PaymentPrediction
from models.reasons import fit_explainer
from models.scorer import Scorer, feature_values, fit_scorer, with_first_seen

FEWEST_SETTLED = 30
HELD_OUT_SHARE = 0.15
FEWEST_HELD_OUT, MOST_HELD_OUT = 50, 2_000
EXPLAINED_ROWS = 4_000


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

    def predictions(self, frame: pl.DataFrame, days: Sequence[date] = ()) -> list[PaymentPrediction]:
        """One answer per row of the FEATURE frame, in its order; `days` are what else `paid_by` is to tell of."""
        return answers(self.distribution(frame), self.explainer, self.feature_names, frame, days)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: LightGBM's native text and one JSON file, nothing pickled."""
        write_model(folder, self.scorer, self.calibration, self.explainer, self.about)

    @classmethod
    def load(cls, folder: Path) -> "PaymentDateModel":
        """Read what `save` wrote; `StateError` names the file that cannot be used (see `models.model_files`)."""
        return cls(*read_model(folder))


def train(labelled: pl.DataFrame, names: Sequence[str], *, seed: int = 7, use_open: bool = True) -> PaymentDateModel:
    """Train on a LABELLED frame: every row one receivable at one cutoff.

    A receivable may come at several cutoffs: at issue, and again while it is still open (`features.book.still_open`).

    names     the feature columns to learn from
    use_open  False drops what is still open instead of learning "not paid so far" from it (to show what that costs)

    `BadInput` where fewer than `FEWEST_SETTLED` receivables were settled.
    """
    # a due date years ahead means "none" to those who write it: nothing to learn from it
    rows = labelled.filter(
        pl.col("paid_date").is_null() | (pl.col("paid_date") >= pl.col("cutoff_day")),
        pl.col("due_date") - pl.col("cutoff_day") < pl.duration(days=LONGEST_WAIT),
    )
    rows = rows if use_open else _closed(rows)
    rows = with_first_seen(rows.sort("cutoff", *RECEIVABLE))
    settled = rows.filter(pl.col("paid_date").is_not_null()).select(RECEIVABLE).n_unique()
    if settled < FEWEST_SETTLED:
        raise BadInput(
            f"only {settled} settled invoices to learn from; allowed: {FEWEST_SETTLED} or more. "
            "Ingest more history or choose a later cutoff"
        )
    names = tuple(names)
    settings = hazard.settings_for(settled)
    rounds, calibration = _rehearse(rows, names, settings, seed, use_open=use_open)
    scorer = fit_scorer(rows, names, settings, seed, rounds=rounds)
    explained = rows.sample(min(EXPLAINED_ROWS, len(rows)), seed=seed)
    seen = calibration.apply(scorer.distribution(explained))
    explainer = fit_explainer(names, feature_values(explained, names), days_past_due(seen, explained), seed=seed)
    about = {
        "receivables": rows.select(RECEIVABLE).n_unique(),
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
    rows: pl.DataFrame, names: tuple[str, ...], settings: HazardSettings, seed: int, *, use_open: bool
) -> tuple[int, Calibration]:
    """Train on the older part with what had happened by then, judge on the next: how many trees, how far off the cdf?

    The held-out rows are the newest that have had time to be paid, and few enough that the rehearsal is no staler than
    the model will be when it is used. Too few rows for that: half the trees, no correction.
    """
    ripe = rows.filter(pl.col("cutoff_day") <= _last_day(rows) - timedelta(days=_usual_wait_days(rows)))
    held_out = min(int(len(ripe) * HELD_OUT_SHARE), MOST_HELD_OUT)
    if held_out < FEWEST_HELD_OUT:
        return settings.trees // 2, identity()
    cut: date = ripe["cutoff_day"][-held_out]
    newest = ripe.filter(pl.col("cutoff_day") >= cut)
    older = known_before(rows.filter(pl.col("cutoff_day") < cut), cut)
    older = older if use_open else _closed(older)
    seen = older["paid_date"].is_not_null().sum()
    if seen < FEWEST_SETTLED or newest["paid_date"].is_not_null().sum() < FEWEST_HELD_OUT:
        return settings.trees // 2, identity()
    rehearsal = fit_scorer(older, names, settings, seed, held_out=newest)
    rounds = int(np.median([max(booster.best_iteration, 10) for booster in rehearsal.boosters]))
    return rounds, _calibrated(rehearsal, newest, seed)


def _usual_wait_days(rows: pl.DataFrame) -> int:
    """Days from cutoff to payment within which 9 of 10 were paid, of those paid so far."""
    wait = (rows["paid_date"] - rows["cutoff_day"]).dt.total_days().quantile(0.9, "higher")
    return int(wait or 0)


def _last_day(rows: pl.DataFrame) -> date:
    last = rows["observed_until"].max()
    assert isinstance(last, date)
    return last


def _closed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("paid_date").is_not_null())


def known_before(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """The LABELLED rows with only those outcomes that had happened before `day`, as if they were learnt at once."""
    later = pl.col("paid_date") >= day
    return rows.with_columns(
        paid_date=pl.when(~later).then("paid_date"),
        observed_until=pl.min_horizontal("observed_until", pl.lit(day) - pl.duration(days=1)),
    )


def _calibrated(scorer: Scorer, newest: pl.DataFrame, seed: int) -> Calibration:
    """Each receivable counts once: those seen again are the late ones, several times over."""
    newest = newest.filter("first_seen")
    stated = scorer.distribution(newest)
    paid = epoch_days(newest, "paid_date")
    seen = (paid != UNKNOWN) & (paid < epoch_days(newest, "cutoff_day") + stated.horizon_days)
    day = np.where(paid != UNKNOWN, paid, epoch_days(newest, "observed_until"))
    high = stated.paid_by(day.astype("datetime64[D]"))
    low = np.where(seen, stated.paid_by((day - 1).astype("datetime64[D]")), high)
    return fit_calibration(low, high, seen, seed=seed)
