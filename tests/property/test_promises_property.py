"""For every promise: no chance is lost, one that is surely kept brings the money forward, none changes nothing."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.distribution import Distribution
from models.promises import NO_HABITS, PARTS, Habits, Promise, chance_kept, fit_weights, with_promises

DAY = date(2024, 3, 1)
some = settings(max_examples=60, deadline=None, derandomize=True)
chances = st.floats(0.0, 1.0)
rows = st.lists(st.floats(0.0, 1.0), min_size=40, max_size=90).filter(lambda r: sum(r) > 0.1)
habits = st.builds(
    lambda a, b, c, tilt: Habits(np.array([a, b, c]), np.array(tilt), 9),
    st.floats(-3, 3),
    st.floats(0, 3),
    st.floats(0, 3),
    st.lists(st.floats(0.01, 20), min_size=len(PARTS), max_size=len(PARTS)),
)


def own(row: list[float], share: float) -> Distribution:
    weight = np.array(row)
    return Distribution(np.array([DAY], dtype="datetime64[D]"), (share * weight / weight.sum())[None])


def promise(ahead: int, rate: float, habits: Habits) -> Promise:
    day = DAY + timedelta(days=ahead)
    said = {"promise_id": "X", "promised_for": day, "due_by": day + timedelta(days=2), "kept": 1, "due": 2}
    return Promise(said | {"kept_rate": rate}, habits)


@some
@given(rows, st.floats(0.2, 1.0), st.integers(-2, 30), chances, habits)
def test_no_chance_is_lost(row: list[float], share: float, ahead: int, rate: float, learnt: Habits) -> None:
    plain = own(row, share)
    seen, (chance,) = with_promises(plain, [promise(ahead, rate, learnt)])
    assert seen.pmf.min() >= 0
    assert seen.pmf[0, : ahead + 3].sum() == pytest.approx(chance)
    left = 1 - seen.pmf.sum()
    assert left >= -1e-9
    assert share < 1 or left == pytest.approx(0, abs=1e-9)


@some
@given(rows, st.floats(0.2, 0.95))
def test_a_promise_for_tomorrow_by_who_keeps_all_brings_the_money_forward(row: list[float], share: float) -> None:
    plain = own(row, share)
    last = np.array([DAY + timedelta(days=3)], dtype="datetime64[D]")
    base = plain.paid_by(last)[0]
    assume(base < 0.95)
    seen, _ = with_promises(plain, [promise(1, 1.0, NO_HABITS)])
    assert seen.paid_by(last)[0] > base


@some
@given(st.lists(st.tuples(chances, chances, st.booleans()), min_size=1, max_size=60), chances, chances, chances)
def test_who_keeps_more_is_believed_more(
    past: list[tuple[float, float, bool]], own_chance: float, one: float, other: float
) -> None:
    told = np.array([[a, b] for a, b, _ in past])
    weights = fit_weights(told[:, 0], told[:, 1], np.array([kept for *_, kept in past]))
    assert np.isfinite(weights).all()
    low, high = sorted([one, other])
    assert chance_kept(weights, own_chance, low) <= chance_kept(weights, own_chance, high)
    assert chance_kept(weights, low, own_chance) <= chance_kept(weights, high, own_chance)


@some
@given(rows, st.floats(0.2, 1.0))
def test_without_a_promise_nothing_changes(row: list[float], share: float) -> None:
    seen, _ = with_promises(own(row, share), [None])
    assert seen.pmf.tobytes() == own(row, share).pmf.tobytes()
