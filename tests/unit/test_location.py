"""The ridge line: what it learns, and that nothing wild throws it."""

import numpy as np
import pytest

from models.location import EARLIEST, FOLDS, LATEST, LIMIT, PENALTY, Floats, Location, fit_crossed, fit_location

NAMES = ("a", "b")


def ledger(n: int = 4_000, seed: int = 3) -> tuple[Floats, Floats]:
    """Days late = 4 + 3a - 2b + noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal([1.0, -5.0], [2.0, 0.5], (n, 2))
    return values, 4 + 3 * values[:, 0] - 2 * values[:, 1] + rng.normal(0, 1, n)


def test_a_line_is_found() -> None:
    values, late = ledger()
    line = fit_location(NAMES, values, late)
    assert line.names == NAMES
    asked = np.array([[1.0, -5.0], [2.0, -5.0], [1.0, -4.5]])
    assert line.days(asked) == pytest.approx([17.0, 20.0, 16.0], abs=0.3)


def test_one_feature_by_hand() -> None:
    """z = -1, 1; the weight is (z . (y - mean)) / (2 + penalty)."""
    line = fit_location(("a",), np.array([[0.0], [2.0]]), np.array([10.0, 14.0]))
    assert (line.center.tolist(), line.scale.tolist(), line.base) == ([1.0], [1.0], 12.0)
    assert line.weights == pytest.approx([4.0 / (2 + PENALTY)])
    assert line.days(np.array([[3.0]])) == pytest.approx([12.0 + 2 * 4.0 / (2 + PENALTY)])


def test_a_missing_value_counts_as_the_mean() -> None:
    values, late = ledger()
    line = fit_location(NAMES, values, late)
    mean = np.nanmean(values, axis=0)
    unknown = np.array([[np.nan, -4.0], [mean[0], -4.0]])
    found = line.days(unknown)
    assert found[0] == pytest.approx(found[1])


def test_missing_values_do_not_disturb_what_is_learnt() -> None:
    values, late = ledger()
    holed = values.copy()
    holed[::7, 0] = np.nan
    line = fit_location(NAMES, holed, late)
    assert line.center[0] == pytest.approx(np.nanmean(holed[:, 0]))
    assert line.scale[0] == pytest.approx(np.nanstd(holed[:, 0]))
    assert line.days(np.array([[1.0, -5.0]])) == pytest.approx([17.0], abs=0.3)


def test_a_feature_without_values_or_without_spread_says_nothing() -> None:
    values, late = ledger()
    odd = np.column_stack([values, np.full(len(values), np.nan), np.full(len(values), 7.0)])
    line = fit_location((*NAMES, "unknown", "constant"), odd, late)
    assert line.weights[2:].tolist() == [0.0, 0.0]
    assert np.isfinite(line.days(odd)).all()
    assert line.days(np.full((1, 4), np.nan)) == pytest.approx([late.mean()], abs=0.1)


@pytest.mark.parametrize("wild", [1e12, -1e12, np.inf, -np.inf])
def test_one_wild_value_moves_the_line_by_its_limit_at_most(wild: float) -> None:
    values, late = ledger()
    line = fit_location(NAMES, values, late)
    moved = line.days(np.array([[wild, -5.0]])) - line.days(np.array([[line.center[0], -5.0]]))
    assert moved == pytest.approx([np.sign(wild) * LIMIT * line.weights[0]])


def test_days_late_beyond_reason_count_as_the_limit() -> None:
    values, late = ledger()
    late[::100] = 5_000.0
    capped = np.where(late > LATEST, LATEST, late)
    early = np.where(late > LATEST, -5_000.0, late)
    assert fit_location(NAMES, values, late).base == pytest.approx(capped.mean())
    assert fit_location(NAMES, values, early).base == pytest.approx(np.maximum(early, EARLIEST).mean())


def test_the_line_says_the_same_of_one_row_and_of_many() -> None:
    rng = np.random.default_rng(1)
    line = Location(tuple("x" * 99), rng.normal(size=99), rng.uniform(0.1, 9, 99), rng.normal(size=99), 3.3)
    values = rng.normal(0, 5, (500, 99))
    together = line.days(values)
    assert all(line.days(values[k : k + 1])[0] == together[k] for k in range(500)), "to the last bit"


def test_crossed_expectations_have_not_seen_their_own_fold() -> None:
    values, late = ledger(500)
    whole, expected = fit_crossed(NAMES, values, late)
    assert whole.days(values).tolist() == fit_location(NAMES, values, late).days(values).tolist()
    fold = np.arange(500) * FOLDS // 500
    for k in range(FOLDS):
        others = fit_location(NAMES, values[fold != k], late[fold != k])
        assert expected[fold == k].tolist() == others.days(values[fold == k]).tolist()


def test_what_is_not_settled_is_expected_but_not_learnt_from() -> None:
    values, late = ledger(500)
    is_open = np.arange(500) % 3 == 0
    partly = np.where(is_open, np.nan, late)
    whole, expected = fit_crossed(NAMES, values, partly)
    settled = fit_location(NAMES, values[~is_open], late[~is_open])
    assert whole.weights.tolist() == settled.weights.tolist()
    assert np.isfinite(expected).all()
    assert np.abs(expected - late)[is_open].mean() < 2.5


def test_too_few_others_to_leave_a_fold_out_use_the_whole_line() -> None:
    values, late = ledger(5)
    whole, expected = fit_crossed(NAMES, values, late)
    assert expected.tolist() == whole.days(values).tolist()
