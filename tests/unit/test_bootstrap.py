"""The customer bootstrap: what it draws, and what it does at the edges."""

import numpy as np
import pytest

from models.bootstrap import Resampled, interval

CODES = np.array([7, 7, 9, 3, 3, 3])
TABLE = np.array([[1.0, 1.0], [3.0, np.nan], [2.0, np.nan], [6.0, 5.0], [0.0, np.nan], [4.0, np.nan]])


def test_the_first_answer_is_the_estimate():
    found = Resampled(CODES, draws=50, seed=1).means(TABLE)
    assert found.shape == (51, 2)
    assert found[0] == pytest.approx([16 / 6, 3.0])


def test_means_and_row_statistics_see_the_same_draws():
    resampled = Resampled(CODES, draws=300, seed=1)
    weighted = resampled.of(lambda weights: weights @ TABLE[:, 0] / weights.sum(axis=1), np.full(6, True))
    assert weighted == pytest.approx(resampled.means(TABLE)[:, 0])


def test_customers_stay_together():
    seen = []
    Resampled(CODES, draws=30, seed=1).of(lambda weights: seen.append(weights) or weights.sum(axis=1), np.full(6, True))
    weights = np.concatenate(seen)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, 0] + weights[:, 2] + weights[:, 3] == 3).all()


def test_the_seed_decides():
    first, again, other = (Resampled(CODES, draws=40, seed=s).means(TABLE) for s in (1, 1, 2))
    assert np.array_equal(first, again, equal_nan=True)
    assert not np.array_equal(first, other, equal_nan=True)


def test_many_rows_are_drawn_in_parts_with_the_same_answer():
    whole = Resampled(CODES, draws=40, seed=1).means(TABLE)
    parts = Resampled(CODES, draws=40, seed=1, cells_at_once=18).means(TABLE)
    assert np.array_equal(parts, whole, equal_nan=True)


def test_a_draw_without_a_known_row_is_left_out():
    answers = Resampled(CODES, draws=200, seed=1).means(TABLE)[:, 1]
    assert np.isnan(answers).any()
    assert interval(answers).low == 1.0
    assert interval(answers).high == 5.0


def test_one_customer_has_no_interval():
    found = interval(Resampled(np.zeros(5, dtype=np.int64), draws=100, seed=1).means(np.arange(5.0)[:, None])[:, 0])
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize("reflected", [False, True])
def test_an_interval_holds_its_estimate(reflected):
    found = interval(np.array([5.0, 6.0, 7.0, 8.0]), reflected=reflected)
    assert found.low <= 5.0 <= found.high


def test_no_rows():
    empty = Resampled(np.array([], dtype=np.int64), draws=10, seed=1)
    assert np.isnan(empty.means(np.empty((0, 2)))).all()
    assert np.isnan(empty.of(lambda weights: weights.sum(axis=1), np.array([], dtype=bool))).all()
