"""What must hold of the measures whatever the forecasts."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from models import metrics
from models.bootstrap import Resampled, interval
from models.distribution import Distribution, from_quantiles, on_one_day

START = np.datetime64("2024-01-01", "D")


def forecast(pmf: np.ndarray) -> Distribution:
    return Distribution(np.full(len(pmf), START), pmf)


def random_forecasts(rng: np.random.Generator, rows: int, days: int = 20) -> Distribution:
    return forecast(rng.dirichlet(np.full(days, 0.3), size=rows))


def outcomes_of(truth: Distribution, rng: np.random.Generator) -> np.ndarray:
    return (truth.cdf < rng.random(len(truth.pmf))[:, None]).sum(axis=1)


masses = arrays.arrays(np.float64, st.integers(1, 12), elements=st.floats(0.01, 1.0)).map(lambda a: a / a.sum())


@given(sure=st.integers(0, 60), day=st.integers(-5, 90))
def test_crps_of_a_sure_date_is_its_absolute_error(sure, day):
    point = on_one_day(np.array([START]), np.array([sure]))
    assert metrics.crps(point, np.array([day])) == pytest.approx([abs(sure - day)])
    assert metrics.pinball(point, np.array([day])) == pytest.approx([abs(sure - day) / 2])


@given(mass=masses, day=st.integers(-3, 20))
def test_crps_equals_its_kernel_form(mass, day):
    days = np.arange(len(mass))
    kernel = mass @ np.abs(days - day) - (mass @ np.abs(days[:, None] - days[None, :]) @ mass) / 2
    assert metrics.crps(forecast(mass[None]), np.array([day])) == pytest.approx([kernel])


@given(mass=masses, step=st.integers(0, 18))
def test_expected_pinball_is_least_at_the_true_quantile(mass, step):
    share, days = metrics.PINBALL_SHARES[step], np.arange(len(mass))

    def expected_loss(stated: int) -> float:
        above = days - stated
        return float(mass @ np.maximum(share * above, (share - 1) * above))

    stated = int(forecast(mass[None]).quantile_days(share)[0])
    assert expected_loss(stated) <= min(expected_loss(other) for other in range(-1, len(mass) + 1)) + 1e-9


@pytest.mark.parametrize("loss", [metrics.crps, metrics.pinball])
def test_nobody_beats_the_truth_on_average(loss):
    rng = np.random.default_rng(1)
    truth = random_forecasts(rng, 4000)
    days = outcomes_of(truth, rng)
    flattened = forecast(0.7 * truth.pmf + 0.3 / truth.horizon_days)
    shifted = forecast(np.roll(truth.pmf, 1, axis=1))
    assert loss(truth, days).mean() < min(loss(flattened, days).mean(), loss(shifted, days).mean())


def test_pit_is_uniform_and_covers_what_it_says_under_the_truth():
    rng = np.random.default_rng(2)
    truth = random_forecasts(rng, 20_000)
    days = outcomes_of(truth, rng)
    transformed = metrics.pit(truth, days, rng.random(len(days)))
    counts = np.histogram(transformed, bins=10, range=(0, 1))[0]
    assert np.abs(counts / 2000 - 1).max() < 0.08
    for level in metrics.LEVELS:
        assert metrics.inside_pit(transformed, level).mean() == pytest.approx(level / 100, abs=0.012)
        assert metrics.inside(truth, days, level).mean() >= level / 100 - 0.01


@given(mass=masses, day=st.integers(-2, 14), uniform=st.floats(0, 1))
def test_pit_lies_in_the_step_of_its_day(mass, day, uniform):
    one = forecast(mass[None])
    found = metrics.pit(one, np.array([day]), np.array([uniform]))[0]
    edges = np.concatenate([[0.0], one.cdf[0], [1.0]])
    at = int(np.clip(day, -1, len(mass)))
    assert edges[max(at, 0)] - 1e-12 <= found <= edges[at + 1] + 1e-12


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), rows=st.integers(5, 60), grid=st.integers(2, 40))
def test_weighted_ranking_measures_agree_with_scikit_learn(seed, rows, grid):
    rng = np.random.default_rng(seed)
    chance, happened = rng.integers(0, grid, rows) / grid, rng.random(rows) < 0.4
    happened[:2] = [True, False]
    weights = rng.integers(0, 4, (3, rows)).astype(float)
    weights[:, :2] += 1
    for measure, theirs in ((metrics.roc_auc, roc_auc_score), (metrics.average_precision, average_precision_score)):
        expected = [theirs(happened, chance, sample_weight=w) for w in weights]
        assert measure(chance, happened, weights) == pytest.approx(expected)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40))
def test_weighting_a_row_is_repeating_it(seed, rows):
    rng = np.random.default_rng(seed)
    values, weights = rng.integers(0, 9, rows).astype(float), rng.integers(0, 4, (2, rows))
    weights[:, 0] += 1
    expected = [np.median(np.repeat(values, w)) for w in weights]
    assert metrics.median(values, weights.astype(float)) == pytest.approx(expected)


@given(seed=st.integers(0, 10_000), rows=st.integers(10, 200))
def test_calibration_bins_share_equal_chances_and_rise(seed, rows):
    chance = np.random.default_rng(seed).integers(0, 30, rows) / 30
    bins = metrics.calibration_bins(chance)
    order = np.argsort(chance, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(np.unique(bins[chance == value])) == 1 for value in np.unique(chance))


@given(
    quantiles=st.lists(st.floats(-20, 60), min_size=3, max_size=3).map(sorted),
    shares=st.just((0.1, 0.5, 0.9)),
)
@example(quantiles=[0.0, 0.0, 2.225073858507203e-309], shares=(0.1, 0.5, 0.9))
def test_a_distribution_from_quantiles_is_one(quantiles, shares):
    found = from_quantiles(np.array([START]), shares, np.array([quantiles]))
    assert (found.pmf >= -1e-12).all()
    assert found.pmf.sum() == pytest.approx(1.0)
    if quantiles[0] >= 0:
        assert [abs(found.quantile_days(s)[0] - q) <= 1 for s, q in zip(shares, quantiles, strict=True)] == [True] * 3


def customers_with_their_own_error(
    rng: np.random.Generator, customers: int, each: int
) -> tuple[np.ndarray, np.ndarray]:
    error = np.repeat(rng.normal(3.0, 2.0, customers), each) + rng.normal(0.0, 0.5, customers * each)
    return np.repeat(np.arange(customers), each), error[:, None]


def test_the_interval_of_a_mean_covers_the_truth():
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(200):
        codes, error = customers_with_their_own_error(rng, customers=40, each=5)
        found = interval(Resampled(codes, draws=300, seed=trial).means(error)[:, 0])
        hits += found.low <= 3.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_drawing_customers_is_wider_than_drawing_invoices():
    codes, error = customers_with_their_own_error(np.random.default_rng(4), customers=30, each=20)
    by_customer = interval(Resampled(codes, draws=500, seed=1).means(error)[:, 0])
    by_row = interval(Resampled(np.arange(len(codes)), draws=500, seed=1).means(error)[:, 0])
    assert by_customer.high - by_customer.low > 2.5 * (by_row.high - by_row.low)


def test_the_reflected_interval_reaches_down_to_a_perfect_calibration():
    rng = np.random.default_rng(5)
    reflected, percentile = [], []
    for trial in range(40):
        chance = rng.random(600)
        happened = rng.random(600) < chance
        resampled = Resampled(np.arange(600) // 6, draws=200, seed=trial)
        answers = resampled.of(lambda w, c=chance, h=happened: metrics.calibration_error(c, h, w), np.full(600, True))
        reflected.append(interval(answers, reflected=True).low)
        percentile.append(interval(answers).low)
    assert np.median(reflected) < 0.002
    assert min(percentile) > 0.015
