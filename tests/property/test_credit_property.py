"""Promises of the credit scorers: reasons add up, lateness never helps, one row answers as it does among many."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.customer_catalogue import customer_catalogue, direction, is_read
from models.credit.boosters import BoosterSettings, folds_of
from models.credit.calibration import chance, fit_line
from models.credit.codes import CLIPPED_WORDS, CODES, code_of
from models.credit.portfolio_model import PortfolioModel, train_portfolio
from models.credit.scale import GRADES, Scale, grade, wilson
from models.credit.scorer import CreditScorer, fit_scorer
from models.metrics import roc_auc
from pipelines.credit_tables import load_portfolio

NAMES = [d.name for d in customer_catalogue(("bureau_score",)) if is_read(d.name)]
# Never null in a frame (`test_nothing_overdue_is_the_lowest_value_and_not_a_missing_one`).
OVERDUE = ("worst_overdue_days", "overdue_share", "overdue_0_count", "overdue_0_cents")
SMALL = BoosterSettings(trees=40, learning_rate=0.1, leaves=6, smallest_leaf=5, feature_share=0.5, l2=1, path_smooth=1)
# A portfolio whose lateness is noise but for the newest month, so that unconstrained trees would break the promise.
MONTHS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")


def drawn_values(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.abs(rng.normal(size=(rows, len(NAMES)))) * 20
    values[rng.random(values.shape) < 0.15] = np.nan
    places = [NAMES.index(name) for name in OVERDUE]
    values[:, places] = np.where(rng.random((rows, 1)) < 0.5, 0.0, np.nan_to_num(values[:, places], nan=1.0))
    return values


@pytest.fixture(scope="module")
def scorer() -> CreditScorer:
    values = drawn_values(800, 1)
    signal = np.nan_to_num(values[:, NAMES.index("worst_overdue_days")]) - 15
    # against the direction of the field on purpose: those with a late mean do better here
    signal -= 0.8 * np.nan_to_num(values[:, NAMES.index("days_late_mean")])
    bad = (np.random.default_rng(2).random(800) < chance(signal / 6)).astype(np.float64)
    return fit_scorer(
        values,
        bad,
        names=NAMES,
        groups=[code_of(name) for name in NAMES],
        directions=[direction(name) for name in NAMES],
        settings=SMALL,
        rows_of=np.arange(800),
        seed=3,
    )[0]


JUDGEMENTS = {"well", "badly", "good", "bad", "late", "early", "little", "much", "few", "many", "silent", "steadily"}


@given(points=st.floats(0.001, 500), values=st.lists(st.none() | st.floats(0, 500), min_size=len(NAMES)))
@settings(max_examples=60, deadline=None)
def test_the_words_of_a_code_follow_the_sign_and_claim_nothing_else(points: float, values: list[float | None]) -> None:
    row = dict(zip(NAMES, values, strict=False))
    for code in CODES:
        up, down = code.words(points, row), code.words(-points, row)
        assert ("raises the score" in up, "lowers the score" in up) == (True, False)
        assert down == up.replace("raises", "lowers"), "the numbers are the same whichever way they count"
        assert not JUDGEMENTS & set(code.subject.split()), "a subject that judges contradicts one of the two signs"


def test_every_reason_of_a_portfolio_is_said_with_its_direction() -> None:
    table, spec = portfolio(400, 1), load_portfolio("uci-credit-default")
    told = [r for s in train_portfolio(table, spec, seed=1, settings=SMALL).scores(table[:40]) for r in s.reasons]
    assert {r.code for r in told} >= set(spec.reasons)
    for reason in told:
        way = "raises" if reason.points > 0 else "lowers"
        subject = spec.reasons.get(reason.code)
        assert reason.words == (CLIPPED_WORDS if subject is None else f"{subject}: {way} the score")


def portfolio(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    spec = load_portfolio("uci-credit-default")
    columns = {name: rng.uniform(0, 50_000, rows) for name in spec.number_columns}
    columns |= {name: rng.integers(-2, 4, rows).astype(float) for name in MONTHS}
    columns["LIMIT_BAL"] = rng.uniform(10_000, 100_000, rows)
    risk = np.maximum(columns["PAY_0"], 0) - 0.7 * np.maximum(columns["PAY_3"], 0) - 0.5
    texts = {name: rng.integers(1, 4, rows).astype(str) for name in spec.category_columns}
    bad = np.where(rng.random(rows) < chance(risk), "1", "0")
    return pl.DataFrame({"ID": [str(k) for k in range(rows)], spec.target.column: bad, **texts, **columns})


@pytest.fixture(scope="module")
def cards() -> PortfolioModel:
    return train_portfolio(portfolio(700, 1), load_portfolio("uci-credit-default"), seed=5, settings=SMALL)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 30))
def test_typical_points_reasons_and_clipping_sum_to_the_score(scorer: CreditScorer, seed: int, rows: int) -> None:
    values = drawn_values(rows, seed) * 3
    told = scorer.parts(values)
    np.testing.assert_allclose(told.typical + told.groups.sum(axis=1) + told.clipping, told.points, atol=1e-6)
    np.testing.assert_allclose(told.points, scorer.scale.points(scorer.log_odds(values)))


def test_the_scale_ends_are_said_as_a_reason_of_their_own(scorer: CreditScorer) -> None:
    narrow = CreditScorer(
        scorer.names, scorer.groups, scorer.directions, scorer.boosters, scorer.line, Scale(lowest=599, highest=600)
    )
    told = narrow.parts(drawn_values(50, 4))
    assert np.abs(told.clipping).max() > 1
    assert told.points.min() >= 599
    np.testing.assert_allclose(told.typical + told.groups.sum(axis=1) + told.clipping, told.points, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), column=st.integers(0, len(NAMES) - 1), more=st.floats(0.01, 200))
def test_raising_a_feature_never_moves_the_risk_against_its_direction(
    scorer: CreditScorer, seed: int, column: int, more: float
) -> None:
    values = drawn_values(20, seed)
    raised = values.copy()
    raised[:, column] += more
    change = scorer.pd(raised) - scorer.pd(values)
    sign = direction(NAMES[column])
    assert (change * sign >= 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 90), cents=st.integers(1, 10**7))
def test_one_invoice_late_never_lowers_the_risk_of_whom_nothing_was_overdue(
    scorer: CreditScorer, seed: int, days: int, cents: int
) -> None:
    values = drawn_values(20, seed)
    values[:, [NAMES.index(name) for name in OVERDUE]] = 0.0
    late, only_days = values.copy(), values.copy()
    for name, value in zip(OVERDUE, (days, 1.0, 1, cents), strict=True):
        late[:, NAMES.index(name)] = value
    only_days[:, NAMES.index("worst_overdue_days")] = days
    assert (scorer.pd(late) >= scorer.pd(values)).all()
    assert (scorer.pd(only_days) >= scorer.pd(values)).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 40))
def test_a_row_alone_gets_the_bits_that_it_gets_among_many(
    scorer: CreditScorer, cards: PortfolioModel, seed: int, rows: int
) -> None:
    values, table = drawn_values(rows, seed), portfolio(rows, seed)
    together, asked = scorer.parts(values), cards.scores(table)
    for k in range(rows):
        alone = scorer.parts(values[k : k + 1])
        assert alone.points[0] == together.points[k]
        assert (alone.groups[0] == together.groups[k]).all()
        assert cards.scores(table[k : k + 1]) == [asked[k]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), month=st.sampled_from(MONTHS), more=st.integers(1, 6))
def test_a_later_month_never_lowers_a_borrower_s_risk(cards: PortfolioModel, seed: int, month: str, more: int) -> None:
    """In the table itself, not in one feature: every number that lateness feeds moves with it."""
    table = portfolio(20, seed).with_columns(pl.col(month).clip(lower_bound=0))
    later = table.with_columns(pl.col(month) + more)
    assert (cards.pd(later) >= cards.pd(table)).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_portfolio_s_reasons_sum_to_its_score(cards: PortfolioModel, seed: int) -> None:
    for score in cards.scores(portfolio(5, seed)):
        assert score.typical_score + sum(r.points for r in score.reasons) == pytest.approx(score.score, abs=1e-6)
        assert 300 <= score.score <= 850
        assert score.grade == grade(score.pd)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), slope=st.floats(-2, 3), rows=st.integers(10, 200))
def test_calibration_keeps_the_order_and_hits_the_mean(seed: int, slope: float, rows: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(-2, 2, rows)
    bad = (rng.random(rows) < chance(slope * raw)).astype(np.float64)
    bad[:2] = 0, 1
    line = fit_line(raw, bad)
    assert line.slope > 0
    assert chance(line.apply(raw)).mean() == pytest.approx(bad.mean(), abs=1.5 / rows)


@settings(max_examples=100, deadline=None)
@given(pd=st.floats(0, 1), higher=st.floats(0, 1))
def test_grades_and_points_fall_as_the_chance_rises(pd: float, higher: float) -> None:
    low, high = sorted((pd, higher))
    assert list(GRADES).index(grade(low)) <= list(GRADES).index(grade(high))
    odds = np.log(np.clip([low, high], 1e-9, 1 - 1e-9)) - np.log1p(-np.clip([low, high], 1e-9, 1 - 1e-9))
    better, worse = Scale().points(odds)
    assert better >= worse


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 500), data=st.data())
def test_wilson_holds_the_share(count: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, count))
    low, high = wilson(events, count)
    assert 0 <= low <= events / count + 1e-12
    assert events / count - 1e-12 <= high <= 1


@given(seed=st.integers(0, 10_000))
def test_nobody_is_on_both_sides_of_a_fold_and_every_fold_has_somebody_bad(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 60, 400)
    bad = (groups % 6 == 0).astype(np.float64)
    fold = folds_of(bad, groups, 5, seed)
    assert all(len(np.unique(fold[groups == one])) == 1 for one in np.unique(groups))
    assert set(fold[bad > 0]) == set(range(5))


def test_a_scorer_is_calibrated_on_what_its_trees_had_not_seen() -> None:
    values = drawn_values(400, 5)
    steep = BoosterSettings(trees=150, learning_rate=0.3, leaves=31, smallest_leaf=2, l2=0, path_smooth=0)
    noise = (np.random.default_rng(6).random(400) < 0.3).astype(np.float64)
    told, unseen = fit_scorer(
        values, noise, names=NAMES, groups=NAMES, directions=[0] * len(NAMES), settings=steep, rows_of=np.arange(400),
        seed=3,
    )  # fmt: skip
    assert told.line.slope < 0.5  # trees that learnt noise by heart are believed little
    assert abs(chance(unseen).mean() - 0.3) < 0.06
    assert roc_auc(unseen, noise > 0, np.ones((1, 400)))[0] < 0.65
