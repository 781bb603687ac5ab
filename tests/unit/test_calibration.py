"""What is stated and what is observed: the correction, by hand and on forecasts that are known to be wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.calibration import KNOTS, PRIOR_INVOICES, Calibration, Floats, fit_calibration, identity
from models.distribution import Distribution

START = np.array(["2024-01-01", "2024-01-02"], "M8[D]")
RAW = Distribution(START, np.array([[0.2, 0.3, 0.1], [0.0, 0.5, 0.5]]))


def prior_mixed(observed: Floats, seen: int) -> Floats:
    """Observed shares at the knots drawn to the identity, as if by the prior's invoices."""
    stated = np.linspace(0, 1, KNOTS + 1)
    return (seen * observed + PRIOR_INVOICES * stated) / (seen + PRIOR_INVOICES)


def test_the_identity_changes_nothing() -> None:
    told = identity().apply(RAW)
    assert told.pmf == pytest.approx(RAW.pmf)
    assert told.start.tolist() == RAW.start.tolist()


def test_a_correction_bends_the_cdf_and_the_tail_with_it() -> None:
    bent = Calibration(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.8, 1.0])).apply(RAW)
    assert bent.cdf == pytest.approx(np.array([[0.32, 0.8, 0.84], [0.0, 0.8, 1.0]]))


def test_nothing_held_out_corrects_nothing() -> None:
    nothing = np.zeros(0)
    found = fit_calibration(nothing, nothing, np.zeros(0, dtype=bool), seed=1)
    assert found.apply(RAW).pmf == pytest.approx(RAW.pmf)


def test_paid_invoices_are_counted() -> None:
    """Of 10 invoices 6 were paid where the forecast said 0.12 and 4 where it said 0.52."""
    value = np.array([0.12] * 6 + [0.52] * 4)
    found = fit_calibration(value, value, np.ones(10, dtype=bool), seed=1)
    share = np.where(found.stated >= 0.52, 1.0, np.where(found.stated >= 0.12, 0.6, 0.0))
    assert found.observed == pytest.approx(prior_mixed(share, 10))


def test_kaplan_meier_by_hand() -> None:
    """Paid at 0.11, 0.31, 0.31, 0.71; still open at 0.21, 0.31 and 0.51.

    survival: 6/7 after 0.11; times 3/5 after 0.31 (the one open at 0.31 was at risk); times 0/1 after 0.71.
    """
    value = np.array([0.71, 0.31, 0.31, 0.21, 0.11, 0.51, 0.31])
    seen = np.array([True, True, False, False, True, False, True])
    found = fit_calibration(value, value, seen, seed=1)
    after = {0.11: 1 / 7, 0.31: 1 - 6 / 7 * 3 / 5, 0.71: 1.0}
    share = np.zeros(KNOTS + 1)
    for at, value_after in after.items():
        share[found.stated >= at] = value_after
    assert found.observed == pytest.approx(prior_mixed(share, 4))


def test_the_ends_stay_where_they_are() -> None:
    late = np.full(5_000, 0.99)
    found = fit_calibration(late, late, np.zeros(5_000, dtype=bool), seed=1)
    assert (found.observed[0], found.observed[-1]) == (0.0, 1.0)


def test_within_a_day_the_place_is_drawn() -> None:
    """All the chance on one day: whatever is drawn is uniform, which is as it should be."""
    low, high = np.zeros(20_000), np.ones(20_000)
    found = fit_calibration(low, high, np.ones(20_000, dtype=bool), seed=1)
    assert found.observed == pytest.approx(found.stated, abs=0.015)


def test_the_same_seed_draws_the_same() -> None:
    low, high, seen = np.zeros(50), np.ones(50), np.ones(50, dtype=bool)
    first, again, other = (fit_calibration(low, high, seen, seed=s).observed.tolist() for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("open_share", [0.0, 0.4])
def test_a_forecast_that_is_wrong_becomes_right(open_share: float) -> None:
    """The forecast is slow to say "paid": it states u^1.4 where u is true. Some were watched for a while only."""
    rng = np.random.default_rng(2)
    happened = rng.random(20_000) ** 1.4
    watched_until = np.where(rng.random(20_000) < open_share, rng.random(20_000), 1.0)
    seen, value = happened <= watched_until, np.minimum(happened, watched_until)
    found = fit_calibration(value, value, seen, seed=1)
    others = rng.random(20_000) ** 1.4
    corrected = np.sort(np.interp(others, found.stated, found.observed))
    uniform = (np.arange(20_000) + 0.5) / 20_000
    assert np.abs(np.sort(others) - uniform).max() > 0.1
    assert np.abs(corrected - uniform).max() < 0.025


def test_dropping_the_open_ones_would_have_been_wrong() -> None:
    """Half are watched for a third of the way only: among those seen paid, early payers are too many."""
    rng = np.random.default_rng(2)
    happened = rng.random(20_000)
    watched_until = np.where(np.arange(20_000) % 2, 1 / 3, 1.0)
    seen, value = happened <= watched_until, np.minimum(happened, watched_until)
    with_open = fit_calibration(value, value, seen, seed=1)
    paid = value[seen]
    only_paid = fit_calibration(paid, paid, np.ones(len(paid), dtype=bool), seed=1)
    assert np.abs(with_open.observed - with_open.stated).max() < 0.02
    assert np.abs(only_paid.observed - only_paid.stated).max() > 0.1


@settings(deadline=None, derandomize=True)
@given(
    arrays(np.float64, 30, elements=st.floats(0, 1)),
    arrays(np.float64, 30, elements=st.floats(0, 1)),
    arrays(np.bool_, 30),
    arrays(np.float64, 12, elements=st.floats(0, 1 / 12)),
)
def test_any_correction_is_monotone_and_keeps_a_distribution_one(
    one: Floats, other: Floats, seen: np.ndarray, pmf: Floats
) -> None:
    found = fit_calibration(np.minimum(one, other), np.maximum(one, other), seen, seed=1)
    assert (np.diff(found.observed) >= 0).all()
    assert (found.observed[0], found.observed[-1]) == (0.0, 1.0)
    told = found.apply(Distribution(START[:1], pmf[None, :]))
    assert (told.pmf >= 0).all()
    assert told.cdf[0, -1] <= 1.0
