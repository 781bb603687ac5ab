"""The baselines on frames small enough to answer by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from features.errors import BadInput
from models.baselines import (
    COUNT_COLUMN,
    LIGHTGBM_SHARES,
    MEAN_COLUMN,
    QUANTILE_COLUMNS,
    SHARE_LATE_COLUMN,
    CustomerAverage,
    CustomerQuantiles,
    DueDate,
    LightGBMQuantiles,
    standard_baselines,
)
from models.forecaster import RanksLate

ISSUED = date(2024, 1, 1)


def frame(days_late: list[int | None], **columns: list[float | None]) -> pl.DataFrame:
    """LABELLED rows, due 10 days after their cutoff day; other columns are features."""
    due = ISSUED + timedelta(days=10)
    paid = [None if late is None else due + timedelta(days=late) for late in days_late]
    own = {
        "entity_id": pl.Series(["E1"] * len(paid)),
        "customer_id": pl.Series(["C1"] * len(paid)),
        "cutoff_day": pl.Series([ISSUED] * len(paid), dtype=pl.Date),
        "due_date": pl.Series([due] * len(paid), dtype=pl.Date),
        "paid_date": pl.Series(paid, dtype=pl.Date),
        "cancelled": pl.Series([False] * len(paid)),
    }
    return pl.DataFrame(own | {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()})


TRAINING = frame([0, 0, 2, 6, None])  # 8 days late over 4 settled, half of them late


def test_due_date_names_the_due_date_and_everybodys_share_late():
    fitted = DueDate().fit(TRAINING)
    asked = frame([None, None])
    assert fitted.distribution(asked).quantile_days(0.5).tolist() == [10, 10]
    assert fitted.distribution(asked).pmf.max(axis=1).tolist() == [1.0, 1.0]
    assert isinstance(fitted, RanksLate)
    assert fitted.late_chance(asked, 1).tolist() == [0.5, 0.5]
    assert fitted.late_chance(asked, 5).tolist() == [0.25, 0.25]


def test_customer_average_rounds_to_the_nearest_day_and_pools_the_new():
    fitted = CustomerAverage().fit(TRAINING)
    asked = frame([None] * 4, **{MEAN_COLUMN: [3.4, 3.5, -40.0, None], SHARE_LATE_COLUMN: [0.8, 0.1, 0.0, None]})
    assert fitted.distribution(asked).quantile_days(0.5).tolist() == [13, 14, 0, 12]
    assert isinstance(fitted, RanksLate)
    assert fitted.late_chance(asked, 1).tolist() == [0.8, 0.1, 0.0, 0.5]


def test_customer_history_rule_keeps_its_ranking_at_the_level_of_a_later_event():
    fitted = CustomerAverage().fit(TRAINING)
    asked = frame([None] * 3, **{MEAN_COLUMN: [0.0] * 3, SHARE_LATE_COLUMN: [0.8, 0.1, None]})
    assert isinstance(fitted, RanksLate)
    assert fitted.late_chance(asked, 5) == pytest.approx([0.4, 0.05, 0.25])


def own_quantiles(*rows: list[float | None]) -> dict[str, list[float | None]]:
    return {name: [row[k] for row in rows] for k, name in enumerate(QUANTILE_COLUMNS.values())}


def test_customer_quantiles_are_the_customers_own_or_everybodys():
    steady = [1.0] * 7
    asked = frame(
        [None] * 3,
        **own_quantiles(steady, steady, [None] * 7),
        **{COUNT_COLUMN: [5.0, 4.0, None]},
    )
    found = CustomerQuantiles().fit(frame([4] * 9)).distribution(asked)
    assert found.quantile_days(0.5).tolist() == [11, 14, 14]
    assert found.pmf.max(axis=1) == pytest.approx([1.0, 1.0, 1.0])


def test_customer_quantiles_lie_straight_between_and_give_the_chance_of_late():
    # 2.5 % at -2, then 7.5 % to -1, 15 % to 0, 25 % to 1, 25 % to 2, 15 % to 3, 7.5 % to 4, 2.5 % at 4.
    asked = frame([None], **own_quantiles([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]), **{COUNT_COLUMN: [20.0]})
    found = CustomerQuantiles().fit(TRAINING).distribution(asked)
    assert found.pmf.sum() == pytest.approx(1.0)
    assert found.late(asked["due_date"].to_numpy()) == pytest.approx([1 - (0.25 + 0.125)])
    assert found.late(asked["due_date"].to_numpy(), 4) == pytest.approx([0.025 + 0.0375])


def test_what_is_past_at_the_cutoff_is_ruled_out():
    # paid 14 to 8 days before due, seen 10 days before due: only the upper part can still happen
    asked = frame([None], **own_quantiles([-14.0, -13.0, -12.0, -11.0, -10.0, -9.0, -8.0]), **{COUNT_COLUMN: [20.0]})
    found = CustomerQuantiles().fit(TRAINING).distribution(asked)
    assert found.pmf[0] == pytest.approx(np.array([0.2, 0.1125, 0.0625]) / 0.375)


def learnable(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    habit = rng.integers(0, 20, rows).astype(float)
    late = (habit + rng.integers(-2, 3, rows)).astype(int)
    return frame([int(d) for d in late], habit=habit.tolist(), noise=rng.random(rows).tolist())


def test_lightgbm_quantiles_learn_what_can_be_learnt_and_repeat_themselves():
    training, asked = learnable(1500, seed=1), learnable(300, seed=2)
    first, again = (LightGBMQuantiles(rounds=60).fit(training).distribution(asked) for _ in range(2))
    assert np.array_equal(first.pmf, again.pmf)
    assert first.pmf.sum(axis=1) == pytest.approx(np.ones(300))
    error = first.quantile_days(0.5) - 10 - asked["habit"].to_numpy()
    assert np.abs(error).mean() < 1.5
    assert list(LIGHTGBM_SHARES) == sorted(LIGHTGBM_SHARES)


def test_lightgbm_learns_from_settled_rows_only():
    training = learnable(400, seed=1)
    with_open = pl.concat([training, frame([None] * 50, habit=[5.0] * 50, noise=[None] * 50)])
    asked = learnable(20, seed=2)
    plain, padded = (LightGBMQuantiles(rounds=5).fit(t).distribution(asked) for t in (training, with_open))
    assert np.array_equal(plain.pmf, padded.pmf)


@pytest.mark.parametrize("baseline", standard_baselines(), ids=lambda b: b.name)
def test_nothing_settled_is_the_callers_to_mend(baseline):
    with pytest.raises(BadInput, match="none of the 2 training invoices was paid by the cutoff"):
        baseline.fit(frame([None, None]))


@pytest.mark.parametrize("baseline", standard_baselines(), ids=lambda b: b.name)
def test_two_settled_rows_are_enough(baseline):
    everything = {MEAN_COLUMN: [None, 1.0], SHARE_LATE_COLUMN: [None, 1.0], COUNT_COLUMN: [0.0, 1.0]}
    rows = frame([1, 3], **everything, **own_quantiles([None] * 7, [1.0] * 7))
    found = baseline.fit(rows).distribution(rows)
    assert found.pmf.sum(axis=1) == pytest.approx([1.0, 1.0])


def test_a_missing_column_is_named():
    with pytest.raises(BadInput, match="no column 'days_late_mean'"):
        CustomerAverage().fit(TRAINING).distribution(frame([None]))
