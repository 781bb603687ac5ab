"""Every measure against a number worked out by hand."""

import numpy as np
import pytest

from models import metrics
from models.distribution import Distribution

ONE = np.ones((1, 4))


def forecast(*rows: list[float]) -> Distribution:
    return Distribution(np.array(["2024-01-01"] * len(rows), "M8[D]"), np.array(rows))


# cdf 0.2, 0.7, 1.0: the median is day 1.
THREE_DAYS = [0.2, 0.5, 0.3]


def test_error_is_the_median_less_the_outcome():
    days = np.array([0, 1, 4])
    assert metrics.error_days(forecast(THREE_DAYS, THREE_DAYS, THREE_DAYS), days).tolist() == [1.0, 0.0, -3.0]


def test_pinball_on_the_middle_day():
    # 0.05..0.20 say day 0: 0.05 + 0.10 + 0.15 + 0.20 = 0.5. 0.25..0.70 say day 1: 0. 0.75..0.95 say day 2:
    # 0.25 + 0.20 + 0.15 + 0.10 + 0.05 = 0.75.
    assert metrics.pinball(forecast(THREE_DAYS), np.array([1])) == pytest.approx(1.25 / 19)


def test_pinball_of_a_sure_date_is_half_its_error():
    sure = forecast([0.0, 0.0, 1.0], [0.0, 0.0, 1.0])
    assert metrics.pinball(sure, np.array([6, 0])) == pytest.approx([2.0, 1.0])


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (0, 0.8**2 + 0.3**2),
        (1, 0.2**2 + 0.3**2),
        (2, 0.2**2 + 0.7**2),
        (5, 0.2**2 + 0.7**2 + 1.0 + 2.0),  # the last step, then two days beyond the horizon
        (-2, 0.8**2 + 0.3**2 + 2.0),
    ],
)
def test_crps(day, expected):
    assert metrics.crps(forecast(THREE_DAYS), np.array([day])) == pytest.approx(expected)


def test_crps_counts_the_chance_beyond_the_horizon_at_the_horizon():
    # 0.4 on day 0, the rest "at 2": 0.6**2 + 0.6**2 when paid on day 0.
    assert metrics.crps(forecast([0.4, 0.0]), np.array([0])) == pytest.approx(0.72)


@pytest.mark.parametrize(("day", "expected"), [(-1, 0.0), (0, 0.05), (1, 0.325), (2, 0.775), (3, 1.0), (99, 1.0)])
def test_pit_stands_within_the_step_of_its_day(day, expected):
    assert metrics.pit(forecast(THREE_DAYS), np.array([day]), np.array([0.25])) == pytest.approx(expected)


def test_pit_beyond_the_horizon_shares_what_is_left():
    assert metrics.pit(forecast([0.4, 0.2]), np.array([7]), np.array([0.5])) == pytest.approx(0.8)


def test_interval_of_whole_days_includes_its_ends():
    # 10 % and 90 % quantiles: days 0 and 2; 25 % and 75 %: days 1 and 2.
    rows = forecast(*[THREE_DAYS] * 4)
    assert metrics.inside(rows, np.array([-1, 0, 2, 3]), 80).tolist() == [False, True, True, False]
    assert metrics.inside(rows, np.array([0, 1, 2, 2]), 50).tolist() == [False, True, True, True]
    assert metrics.width_days(rows, 80).tolist() == [2.0] * 4
    assert metrics.width_days(rows, 50).tolist() == [1.0] * 4


def test_interval_is_open_where_the_horizon_ends_before_it():
    assert metrics.inside(forecast([0.3, 0.2]), np.array([400]), 80).tolist() == [True]


def test_pit_coverage():
    assert metrics.inside_pit(np.array([0.1, 0.0999, 0.5, 0.9, 0.91]), 80).tolist() == [True, False, True, True, False]


CHANCE = np.array([0.9, 0.4, 0.4, 0.1])
HAPPENED = np.array([True, True, False, False])


def test_auc_counts_a_tie_half():
    # four pairs: 0.9 beats both, 0.4 ties with 0.4 and beats 0.1
    assert metrics.roc_auc(CHANCE, HAPPENED, ONE) == pytest.approx([3.5 / 4])


def test_auc_under_weights():
    # positives 0.9 (x1) and 0.4 (x3); negatives 0.4 (x2) and 0.1 (x0): 2 wins + 3 * 2 / 2 of 8 pairs
    assert metrics.roc_auc(CHANCE, HAPPENED, np.array([[1.0, 3.0, 2.0, 0.0]])) == pytest.approx([5 / 8])


def test_average_precision():
    # threshold 0.9: recall 1/2 at precision 1; threshold 0.4: recall 1 at precision 2/3
    assert metrics.average_precision(CHANCE, HAPPENED, ONE) == pytest.approx([0.5 + 0.5 * 2 / 3])


def test_one_class_has_no_ranking():
    assert np.isnan(metrics.roc_auc(CHANCE, np.ones(4, dtype=bool), ONE)).all()
    assert np.isnan(metrics.average_precision(CHANCE, np.zeros(4, dtype=bool), ONE)).all()


def test_brier():
    assert metrics.brier(CHANCE, HAPPENED) == pytest.approx([0.01, 0.36, 0.16, 0.01])


def test_calibration_error_with_one_row_a_bin():
    # ten distinct chances, ten bins of one row: the mean of |chance - outcome|
    chance = np.arange(10) / 10
    happened = np.arange(10) >= 5
    expected = np.mean([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert metrics.calibration_error(chance, happened, np.ones((1, 10))) == pytest.approx([expected])


def test_calibration_error_keeps_equal_chances_together():
    chance, happened = np.full(40, 0.25), np.arange(40) % 4 == 0
    assert metrics.calibration_error(chance, happened, np.ones((1, 40))) == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([1, 1, 1, 1], 2.5), ([1, 0, 1, 1], 2.0), ([5, 1, 1, 1], 1.0), ([1, 2, 0, 1], 3.0), ([0, 0, 0, 0], np.nan)],
)
def test_weighted_median(weights, expected):
    found = metrics.median(np.array([1.0, 3.0, 2.0, 4.0]), np.array([weights], dtype=float))
    assert found == pytest.approx([expected], nan_ok=True)
