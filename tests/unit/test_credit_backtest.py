"""The backtest's origins: those at which there was enough to learn from, and what is said of the others."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.customers import DefaultRule
from features.errors import BadInput
from models.credit import backtest
from models.credit.backtest import CreditEvaluation
from models.credit.report import PAGE, write_backtest

RULE = DefaultRule(horizon_days=30)
NAMES = ("worst_overdue_days", "tenure_days")
ORIGINS = [date(2024, 3, 1), date(2024, 4, 1)]


class Outcomes:
    """Every second of 40 customers went into default; of the last of them nobody knew before `enough_from`."""

    def __init__(self, enough_from: date) -> None:
        self.enough_from = enough_from

    def defaults(self, frame: pl.DataFrame, rule: DefaultRule, observed_before: datetime | None = None) -> pl.DataFrame:
        known = observed_before is None or observed_before.date() >= self.enough_from
        bad = (pl.col("number") % 2 == 0) & (known | (pl.col("number") < 38))
        return frame.with_columns(defaulted=bad, default_reason=pl.lit("overdue"))

    def day_start(self, day: date, entity_id: str) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Even:
    def pd(self, frame: pl.DataFrame) -> np.ndarray:
        return np.full(len(frame), 0.5)


def evaluated(enough_from: date, origins: Sequence[date] = ORIGINS) -> CreditEvaluation:
    """40 customers seen on five firsts of a month; 19 defaults known at origins before `enough_from`, then 20."""
    numbers = pl.DataFrame({"number": range(40)}).with_columns(
        pl.lit("E").alias("entity_id"),
        pl.format("C{}", "number").alias("customer_id"),
        pl.lit(None, pl.String).alias("default_cause"),
        *(pl.col("number").cast(pl.Float64).alias(name) for name in NAMES),
    )
    days = pl.DataFrame({"cutoff_day": [date(2024, month, 1) for month in range(1, 6)]})
    frame = numbers.join(days, how="cross").with_columns(
        cutoff=pl.col("cutoff_day").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    )
    book = Outcomes(enough_from)
    return backtest.evaluate(book, frame, lambda _: Even(), RULE, origins, names=NAMES, draws=5, seed=1)  # type: ignore[arg-type, return-value]


def test_an_origin_with_too_few_to_learn_from_is_skipped_and_named(tmp_path: Path) -> None:
    found = evaluated(date(2024, 4, 1))
    assert found.data["origins"] == ["2024-04-01"]
    assert found.skipped == {
        "2024-03-01": "19 of 40 customers went into default: too few to learn from; allowed: 20 or more"
    }
    write_backtest(found, tmp_path)
    assert "Skipped: origin 2024-03-01, as of which 19 of 40 customers" in (tmp_path / PAGE).read_text()
    assert found.rows["cutoff_day"].min() == date(2024, 4, 1)
    assert evaluated(date(2024, 3, 1)).skipped == {}


def test_an_origin_after_the_last_snapshot_judged_nothing_and_is_not_said_to_have() -> None:
    found = evaluated(date(2024, 3, 1), [*ORIGINS, date(2024, 6, 1)])
    assert (found.data["origins"], found.skipped) == (["2024-03-01", "2024-04-01"], {})


def test_where_no_origin_has_enough_the_newest_is_named() -> None:
    with pytest.raises(BadInput, match="as of its newest origin, 2024-04-01, 19 of 40 customers went into default"):
        evaluated(date(2024, 5, 1))
