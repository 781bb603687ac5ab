"""Who was at risk on which day, and how chances per day become a distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bins import LAST_DAY, UNKNOWN, Grid, Ints, Matrix, grid
from models.hazard import MOST_EMPTY_BINS, SMALL, SMALL_BAGS, Episodes, distribution, episodes, fit, settings_for

EVERY_BIN = 10_000
HORIZON = 400


def days(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def lived(
    start: int, due: int, paid: int = UNKNOWN, observed_until: int = UNKNOWN, *, empty_bins: int = EVERY_BIN
) -> Episodes:
    """The episodes of one receivable."""
    return episodes(days(start), days(due), days(paid), days(observed_until), empty_bins=empty_bins, seed=1)


def test_a_paid_receivable_is_at_risk_until_it_is_paid() -> None:
    found = lived(100, 103, paid=104)
    assert found.bins.first.tolist() == [100, 101, 102, 103, 104]
    assert found.paid.tolist() == [0, 0, 0, 0, 1]
    assert found.weight.tolist() == [1] * 5


def test_paid_on_the_first_day_is_one_row() -> None:
    found = lived(100, 103, paid=100)
    assert (found.bins.first.tolist(), found.paid.tolist()) == ([100], [1])


def test_an_open_receivable_is_at_risk_while_it_is_known_to_be_unpaid() -> None:
    found = lived(100, 103, observed_until=102)
    assert found.bins.first.tolist() == [100, 101, 102]
    assert not found.paid.any()


def test_an_open_receivable_says_nothing_before_anything_was_seen() -> None:
    assert len(lived(100, 103, observed_until=99).bins.row) == 0
    assert len(lived(100, 103, observed_until=UNKNOWN).bins.row) == 0


def test_payment_counts_and_not_what_was_seen_after_it() -> None:
    found = lived(100, 103, paid=102, observed_until=500)
    assert found.bins.first.tolist() == [100, 101, 102]


def test_a_payment_within_a_week_is_a_payment_of_that_week() -> None:
    found = lived(100, 100, paid=149)
    assert found.bins.first[-1] == 146
    assert found.bins.width[-1] == 7
    assert found.paid[-1] == 1
    assert len(found.paid) == 47


def test_a_week_of_which_the_end_was_not_seen_is_left_out() -> None:
    until_its_last_day, until_a_day_before = (lived(100, 100, observed_until=d).bins.first[-1] for d in (152, 151))
    assert (until_its_last_day, until_a_day_before) == (146, 145)


def test_paid_after_the_last_bin_is_never_seen_paid() -> None:
    found = lived(100, 100, paid=100 + LAST_DAY + 1)
    assert not found.paid.any()
    assert found.bins.first[-1] + found.bins.width[-1] - 1 == 100 + LAST_DAY


def test_thinned_rows_stand_for_all_of_them() -> None:
    start = np.full(4_000, 100)
    due = start + np.tile([10, 20, 40, 80], 1_000)
    paid = np.where(np.arange(4_000) % 2, due + 3, UNKNOWN)
    seen = due + 5
    full = episodes(start, due, paid, seen, empty_bins=EVERY_BIN, seed=1)
    some = episodes(start, due, paid, seen, empty_bins=6, seed=1)
    assert len(some.paid) < len(full.paid) / 4
    assert some.paid.sum() == full.paid.sum() == 2_000, "no payment is thinned"
    assert (some.weight[some.paid == 1] == 1).all()
    for terms in (10, 20, 40, 80):
        of_these = {name: e.weight[(due - start)[e.bins.row] == terms].sum() for name, e in (("f", full), ("s", some))}
        assert of_these["s"] == pytest.approx(of_these["f"], rel=0.03)
    for day in (100, 105, 113):
        on_day = {name: e.weight[e.bins.first == day].sum() for name, e in (("full", full), ("some", some))}
        assert on_day["some"] == pytest.approx(on_day["full"], rel=0.12), "unbiased on every day, not only in sum"


def test_thinning_draws_by_seed() -> None:
    arguments = (days(100), days(160), days(UNKNOWN), days(190))
    first, again, other = (episodes(*arguments, empty_bins=12, seed=s).bins.first.tolist() for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_small_ledgers_grow_several_small_models() -> None:
    small, large = settings_for(SMALL - 1), settings_for(SMALL)
    assert (small.bags, large.bags) == (SMALL_BAGS, 1)
    assert small.leaves < large.leaves
    assert settings_for(0).empty_bins == MOST_EMPTY_BINS
    assert settings_for(1_000_000).empty_bins >= 1


def test_chances_per_day_multiply() -> None:
    bins = Grid(days(0, 0, 0, 1), days(10, 11, 12, 20), days(1, 1, 1, 1))
    told = distribution(days(10, 20), bins, np.array([0.5, 0.2, 1.0, 0.25]), 4)
    assert told.start.astype(int).tolist() == [10, 20]
    assert told.pmf == pytest.approx(np.array([[0.5, 0.1, 0.4, 0.0], [0.25, 0.0, 0.0, 0.0]]))


def test_a_wide_bin_spreads_its_chance_over_its_days() -> None:
    bins = Grid(days(0, 0, 0), days(10, 11, 18), days(1, 7, 30))
    told = distribution(days(10), bins, np.array([0.3, 0.5, 0.4]), 12)
    week, month = 0.7 * 0.5 / 7, 0.7 * 0.5 * 0.4 / 30
    assert told.pmf[0] == pytest.approx([0.3, *[week] * 7, *[month] * 4])
    assert told.cdf[0, -1] == pytest.approx(0.3 + 0.35 + 4 * month), "the rest lies beyond the horizon"


def test_without_bins_nothing_is_expected_within_the_horizon() -> None:
    nothing = Grid(days(), days(), days())
    told = distribution(days(10, 11), nothing, np.zeros(0), 5)
    assert told.pmf.tolist() == [[0.0] * 5] * 2


receivables = st.lists(st.tuples(st.integers(10_000, 12_000), st.integers(-380, 420)), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(receivables, st.integers(0, 2**32))
def test_any_hazard_makes_a_distribution_and_each_row_its_own(rows: list[tuple[int, int]], seed: int) -> None:
    due = days(*(d for d, _ in rows))
    start = due + days(*(past for _, past in rows))
    bins = grid(start, due)
    hazard = np.random.default_rng(seed).choice([0.0, 1e-9, 0.01, 0.3, 0.999, 1.0], len(bins.row))
    told = distribution(start, bins, hazard, HORIZON)
    assert told.pmf.shape == (len(rows), HORIZON)
    assert (told.pmf >= 0).all()
    assert (np.diff(told.cdf, axis=1) >= 0).all()
    assert (told.cdf <= 1).all()
    for k in range(len(rows)):
        mine = bins.row == k
        alone = distribution(
            start[k : k + 1], Grid(bins.row[mine] * 0, bins.first[mine], bins.width[mine]), hazard[mine], HORIZON
        )
        assert alone.pmf[0].tobytes() == told.pmf[k].tobytes(), "to the last bit"
        never = np.prod(1.0 - hazard[mine])
        if start[k] + HORIZON > due[k] + LAST_DAY:
            assert told.cdf[k, -1] == pytest.approx(1.0 - never, abs=1e-9)


def thinned_days() -> tuple[Matrix, Episodes]:
    """A tenth of the days with x = 0 bring payment, half of those with x = 1; days without are thinned to a third."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 2, 6_000).astype(np.float32)
    happened = rng.random(6_000) < np.where(x == 1, 0.5, 0.1)
    kept = happened | (rng.random(6_000) < 1 / 3)
    n = int(kept.sum())
    fate = Episodes(
        Grid(np.arange(n), np.arange(n), np.ones(n, dtype=np.int64)),
        happened[kept].astype(np.float64),
        np.where(happened, 1.0, 3.0)[kept],
    )
    return x[kept][:, None], fate


def test_the_hazard_is_learnt_as_if_nothing_had_been_thinned() -> None:
    rows, fate = thinned_days()
    booster = fit(rows, fate, settings_for(SMALL), seed=3, held_out=(rows, fate))
    assert booster.best_iteration > 10
    assert booster.predict(np.array([[0.0], [1.0]])) == pytest.approx([0.1, 0.5], abs=0.03)


def test_a_given_number_of_rounds_is_kept() -> None:
    assert fit(*thinned_days(), settings_for(SMALL), seed=3, rounds=5).num_trees() == 5
