"""What our forecaster has to beat: four plain ways of saying when an invoice will be paid.

due_date            every invoice is paid on its due date
customer_average    due date + the customer's average days late, to the nearest day
customer_quantiles  due date + the customer's empirical quantiles of days late
lightgbm_quantiles  LightGBM quantile regression of days late on the same features

A customer's figures are read as of each row's cutoff from the feature columns named below. Where there are none, or
too few for quantiles, the days late of all settled training rows stand in. Baselines learn from settled rows only, as
such rules do in practice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.errors import BadInput
from models.distribution import Dates, Days, Distribution, Floats, from_quantiles, on_one_day
from models.forecaster import Fitted, Forecaster

if TYPE_CHECKING:
    from lightgbm import Booster

MEAN_COLUMN = "days_late_mean"
SHARE_LATE_COLUMN = "days_late_share_late"
COUNT_COLUMN = "days_late_count"
QUANTILE_COLUMNS = {
    0.025: "days_late_q025",
    0.1: "days_late_q10",
    0.25: "days_late_q25",
    0.5: "days_late_median",
    0.75: "days_late_q75",
    0.9: "days_late_q90",
    0.975: "days_late_q975",
}
# With fewer settled invoices than this, a customer's own quantiles say less than everybody's.
QUANTILES_NEED = 5
TWO_THREADS_FROM = 10_000
LIGHTGBM_SHARES = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)


@dataclass(frozen=True)
class _DueDateFitted:
    days_late: Floats

    def distribution(self, features: pl.DataFrame) -> Distribution:
        return _on(features, np.zeros(len(features)))

    def late_chance(self, features: pl.DataFrame, late_days: int) -> Floats:
        return np.full(len(features), _share_late(self.days_late, late_days))


@dataclass(frozen=True)
class DueDate:
    """Paid on the due date. As late as everybody: the training share, the same for each row."""

    name: str = "due_date"

    def fit(self, labelled: pl.DataFrame) -> Fitted:
        return _DueDateFitted(settled_days_late(labelled))


@dataclass(frozen=True)
class _CustomerAverageFitted:
    days_late: Floats

    def distribution(self, features: pl.DataFrame) -> Distribution:
        mean = _column(features, MEAN_COLUMN)
        expected = np.where(np.isnan(mean), self.days_late.mean(), mean)
        return _on(features, expected)

    def late_chance(self, features: pl.DataFrame, late_days: int) -> Floats:
        share, pooled = _column(features, SHARE_LATE_COLUMN), _share_late(self.days_late, 1)
        own = np.where(np.isnan(share), pooled, share)
        # The history column counts 1+ days; for a later event the same ranking, at that event's overall level.
        level = _share_late(self.days_late, late_days) / pooled if pooled else 1.0
        return np.clip(own * level, 0.0, 1.0)


@dataclass(frozen=True)
class CustomerAverage:
    """Paid on due date + the customer's average delay; late as often as the customer was (customer-history rule)."""

    name: str = "customer_average"

    def fit(self, labelled: pl.DataFrame) -> Fitted:
        return _CustomerAverageFitted(settled_days_late(labelled))


@dataclass(frozen=True)
class _CustomerQuantilesFitted:
    pooled: Floats

    def distribution(self, features: pl.DataFrame) -> Distribution:
        own = np.stack([_column(features, name) for name in QUANTILE_COLUMNS.values()], axis=1)
        count = np.nan_to_num(_column(features, COUNT_COLUMN))
        thin = (count < QUANTILES_NEED) | np.isnan(own).any(axis=1)
        return _spread(features, tuple(QUANTILE_COLUMNS), np.where(thin[:, None], self.pooled, own))


@dataclass(frozen=True)
class CustomerQuantiles:
    """The customer's empirical quantiles of days late, or everybody's below `QUANTILES_NEED` settled invoices."""

    name: str = "customer_quantiles"

    def fit(self, labelled: pl.DataFrame) -> Fitted:
        return _CustomerQuantilesFitted(np.quantile(settled_days_late(labelled), tuple(QUANTILE_COLUMNS)))


@dataclass(frozen=True)
class _LightGBMQuantilesFitted:
    columns: tuple[str, ...]
    boosters: "tuple[Booster, ...]"

    def distribution(self, features: pl.DataFrame) -> Distribution:
        table = _matrix(features, self.columns)
        quantiles = np.stack([np.asarray(booster.predict(table)) for booster in self.boosters], axis=1)
        return _spread(features, LIGHTGBM_SHARES, np.sort(quantiles, axis=1))


@dataclass(frozen=True)
class LightGBMQuantiles:
    """One LightGBM model of days late per quantile of `LIGHTGBM_SHARES`; crossing quantiles are sorted."""

    rounds: int = 100
    seed: int = 0
    name: str = "lightgbm_quantiles"

    def fit(self, labelled: pl.DataFrame) -> Fitted:
        import lightgbm

        days_late = settled_days_late(labelled)
        columns = tuple(name for name, dtype in labelled.schema.items() if dtype == pl.Float64)
        table = _matrix(labelled.filter(_settled()), columns)
        fixed = self._parameters(len(days_late))
        data = lightgbm.Dataset(table, label=days_late, params=fixed, free_raw_data=False)
        return _LightGBMQuantilesFitted(
            columns,
            tuple(
                lightgbm.train({**fixed, "alpha": share}, data, num_boost_round=self.rounds)
                for share in LIGHTGBM_SHARES
            ),
        )

    def _parameters(self, rows: int) -> dict[str, object]:
        return {
            "objective": "quantile",
            "learning_rate": 0.1,
            "num_leaves": 15,
            "min_data_in_leaf": 20,
            # On few rows a second thread costs more than it brings; the answer is the same.
            "num_threads": 2 if rows >= TWO_THREADS_FROM else 1,
            "deterministic": True,
            "force_col_wise": True,
            "seed": self.seed,
            "verbosity": -1,
        }


def standard_baselines(seed: int = 0) -> tuple[Forecaster, ...]:
    """The four, weakest first."""
    return DueDate(), CustomerAverage(), CustomerQuantiles(), LightGBMQuantiles(seed=seed)


def settled_days_late(labelled: pl.DataFrame) -> Floats:
    """(rows that were paid,) paid date less due date in days; `BadInput` where there is none."""
    settled = labelled.filter(_settled())
    if settled.is_empty():
        raise BadInput(
            f"none of the {len(labelled)} training invoices was paid by the cutoff; allowed: at least one; "
            "choose a later cutoff or load payments"
        )
    return settled.select((pl.col("paid_date") - pl.col("due_date")).dt.total_days()).to_series().to_numpy() * 1.0


def _on(features: pl.DataFrame, days_late: Floats) -> Distribution:
    """All the chance on due date + `days_late`, to the nearest day."""
    start, due_offset = _clock(features)
    return on_one_day(start, np.floor(due_offset + days_late + 0.5).astype(np.int64))


def _spread(features: pl.DataFrame, shares: Sequence[float], days_late: Floats) -> Distribution:
    """The distribution with these quantiles (n, shares) of days late."""
    start, due_offset = _clock(features)
    return from_quantiles(start, shares, due_offset[:, None] + days_late)


def _clock(features: pl.DataFrame) -> tuple[Dates, Days]:
    """Each row's cutoff day, and the days from it to the due date."""
    start = features["cutoff_day"].to_numpy().astype("datetime64[D]")
    due = features["due_date"].to_numpy().astype("datetime64[D]")
    return start, (due - start).astype(np.int64)


def _settled() -> pl.Expr:
    return pl.col("paid_date").is_not_null()


def _share_late(days_late: Floats, late_days: int) -> float:
    return float((days_late >= late_days).mean())


def _column(features: pl.DataFrame, name: str) -> Floats:
    if name not in features.columns:
        raise BadInput(f"the feature frame has no column {name!r}; the baselines read it; declare that feature")
    return features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _matrix(features: pl.DataFrame, columns: Sequence[str]) -> Floats:
    return features.select(pl.col(columns).fill_null(np.nan)).to_numpy()
