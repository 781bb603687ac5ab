"""From features to a raw distribution: the ridge line, the day bins and the boosters put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.catalogue import is_of_attribute
from features.errors import BadInput
from features.ledger import RECEIVABLE
from models import bins, hazard
from models.bins import Grid, Matrix, epoch_days
from models.distribution import Distribution
from models.hazard import Episodes, HazardSettings
from models.location import Location, fit_crossed

Floats = NDArray[np.float64]

# Days a distribution looks ahead; a longer wait is "beyond the horizon".
HORIZON_DAYS = 400
CHUNK = 2_000
# Rows of a receivable that is seen again while open tell of the late ones; they must not drown those seen at issue.
SEEN_AGAIN_WEIGHT = 0.25


@dataclass(frozen=True)
class Scorer:
    """From features to a raw distribution: the ridge line, the hazard and how many bagged boosters it has."""

    names: tuple[str, ...]
    location: Location
    boosters: tuple[Any, ...]

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """The distribution before calibration, `HORIZON_DAYS` long."""
        start = epoch_days(frame, "cutoff_day")
        parts = [self._chunk(frame[at : at + CHUNK]) for at in range(0, len(frame), CHUNK)]
        pmf = np.concatenate([p.pmf for p in parts]) if parts else np.zeros((0, HORIZON_DAYS))
        return Distribution(start.astype("datetime64[D]"), pmf)

    def _chunk(self, frame: pl.DataFrame) -> Distribution:
        start, due = epoch_days(frame, "cutoff_day"), epoch_days(frame, "due_date")
        values = feature_values(frame, self.names)
        at_risk = bins.grid(start, due)
        rows = design(frame, values, self.location.days(values), at_risk)
        if not len(rows):
            return hazard.distribution(start, at_risk, np.zeros(0), HORIZON_DAYS)
        chances = np.mean([booster.predict(rows, num_threads=hazard.THREADS) for booster in self.boosters], axis=0)
        return hazard.distribution(start, at_risk, chances, HORIZON_DAYS)


def fit_scorer(
    rows: pl.DataFrame,
    names: tuple[str, ...],
    settings: HazardSettings,
    seed: int,
    *,
    rounds: int | None = None,
    held_out: pl.DataFrame | None = None,
) -> Scorer:
    """The ridge line and the hazard; `rounds` fixes the number of trees, `held_out` finds it.

    Both frames have the column of `with_first_seen`.
    """
    values = feature_values(rows, names)
    location, expected = fit_crossed(names, values, _days_late_first_seen(rows))
    boosters = []
    for bag in range(settings.bags):
        lived = _lived(rows, settings, seed + bag)
        unseen = None
        if held_out is not None:
            fate = _lived(held_out, settings, seed + bag)
            others = feature_values(held_out, names)
            unseen = (design(held_out, others, location.days(others), fate.bins), fate)
        matrix = design(rows, values, expected, lived.bins)
        boosters.append(hazard.fit(matrix, lived, settings, seed=seed + bag, rounds=rounds, held_out=unseen))
    return Scorer(names, location, tuple(boosters))


def feature_values(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    """(n, F) the feature columns as float64, NaN where missing; `BadInput` names a column that is not there.

    What comes of a dated attribute of which the ledger never heard is missing in every row.
    """
    absent = [name for name in names if name not in frame.columns]
    missing = [name for name in absent if not is_of_attribute(name)]
    if missing:
        raise BadInput(f"the model reads feature {missing[0]!r}, which this ledger does not have; train a model on it")
    known = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)
    # row by row in memory: NumPy adds up a row in another order otherwise, and a prediction must not depend on that
    return known.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy(order="c")


def design(frame: pl.DataFrame, values: Floats, expected: Floats, at_risk: Grid) -> Matrix:
    """(m, F + bin features + 1) what the trees see of a bin: the receivable, the day, the day less the ridge line."""
    special = bins.bin_features(at_risk, frame, frame["country"].to_list())
    past_line = at_risk.first - (epoch_days(frame, "due_date") + expected)[at_risk.row]
    return np.concatenate(
        [values.astype(np.float32)[at_risk.row], special, past_line.astype(np.float32)[:, None]], axis=1
    )


def _lived(rows: pl.DataFrame, settings: HazardSettings, seed: int) -> Episodes:
    lived = hazard.episodes(
        *(epoch_days(rows, column) for column in ("cutoff_day", "due_date", "paid_date", "observed_until")),
        empty_bins=settings.empty_bins,
        seed=seed,
    )
    return replace(lived, weight=lived.weight * _weights(rows)[lived.bins.row])


def with_first_seen(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `first_seen`: whether its receivable is seen for the first time, among all that there are."""
    return rows.with_columns(first_seen=pl.col("cutoff") == pl.col("cutoff").min().over(RECEIVABLE))


def _days_late_first_seen(rows: pl.DataFrame) -> Floats:
    """(n,) days late where a receivable is seen for the first time, NaN where it is seen again or was not paid.

    A line through those that are seen again would be drawn to the late ones: only they are still there to be seen.
    """
    late = (pl.col("paid_date") - pl.col("due_date")).dt.total_days().cast(pl.Float64)
    return rows.select(pl.when("first_seen").then(late).fill_null(float("nan"))).to_series().to_numpy()


def _weights(rows: pl.DataFrame) -> Floats:
    """(n,) 1 where a receivable is seen for the first time, `SEEN_AGAIN_WEIGHT` where it is seen again."""
    return rows.select(pl.when("first_seen").then(1.0).otherwise(SEEN_AGAIN_WEIGHT)).to_series().to_numpy()
