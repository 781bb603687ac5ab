"""Drawing claims: exact, repeatable, right on average, and wider together than apart."""

import numpy as np
import polars as pl
import pytest

from models.cash.claims import COMPONENTS, HORIZON_DAYS, NEW, OPEN, ORDERS, Claims, joined, no_claims
from models.cash.simulation import NEVER, Dependence, Draws, Level, inverse_table, simulate


def claims(count: int, *, component: str = OPEN, copies: float = 1.0, customers: int = 1, spread: int = 30) -> Claims:
    """Claims of 100.00 each, paid evenly over `spread` days."""
    head = pl.DataFrame(
        {
            "component": [component] * count,
            "entity_id": ["E"] * count,
            "invoice_id": [f"{component}{k}" for k in range(count)],
            "instalment": [1] * count,
            "customer_id": [f"C{k % customers}" for k in range(count)],
            "currency": ["EUR"] * count,
            "amount_minor": [10_000] * count,
            "copies": [copies] * count,
        }
    )
    cdf = np.minimum((np.arange(HORIZON_DAYS) + 1) / spread, 1.0)
    return joined([Claims(head, np.tile(cdf, (count, 1)))])


def drawn(*parts: Claims, told: Dependence | None = None, draws: int = 400, **more: float) -> Draws:
    return simulate(joined(parts), told or Dependence(), draws=draws, seed=5, **more)


def test_what_is_paid_within_the_horizon_is_paid_once_and_to_the_cent() -> None:
    found = drawn(claims(50))
    assert found.series == (("E", "EUR"),)
    assert (found.amount.sum(axis=(1, 2, 3)) == 50 * 10_000).all()
    assert (found.amount % 10_000 == 0).all()


def test_the_mean_follows_the_cdf() -> None:
    found = drawn(claims(200), draws=500)
    assert found.weekly.mean(axis=0)[0, 0, :4] == pytest.approx(200 * 10_000 * 7 / 30, rel=0.02)
    assert found.weekly[:, 0, 0, 5:].sum() == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads: int) -> None:
    told = Dependence(0.05, 0.2, 0.5)
    parts = joined([claims(30, customers=7), claims(30, component=NEW, copies=0.4)])
    one = simulate(parts, told, draws=60, seed=5, level=Level(0.2, 0.5), threads=2)
    other = simulate(parts, told, draws=60, seed=5, level=Level(0.2, 0.5), threads=threads)
    assert (one.amount == other.amount).all()
    assert (one.amount != simulate(parts, told, draws=60, seed=6, level=Level(0.2, 0.5)).amount).any()


@pytest.mark.parametrize(
    "told", [Dependence(entity_share=0.3), Dependence(customer_share=0.3), Dependence(usual_bundling=0.8)]
)
def test_what_is_shared_widens_the_total_and_leaves_its_mean(told: Dependence) -> None:
    alone, together = drawn(claims(100)).weekly[:, 0, 0, 0], drawn(claims(100), told=told).weekly[:, 0, 0, 0]
    assert together.std() > 2 * alone.std()
    assert together.mean() == pytest.approx(alone.mean(), rel=0.15)


def test_a_bundling_customer_settles_its_run_on_one_day() -> None:
    told = Dependence(bundling={("E", "C0"): 1.0})
    days = (drawn(claims(20), told=told).amount[:, 0, 0] > 0).sum(axis=1)
    assert (days == 1).all()


def test_orders_come_whole_or_not_at_all_and_new_business_in_copies() -> None:
    found = drawn(claims(1, component=ORDERS, copies=0.6), claims(1, component=NEW, copies=0.5), draws=2_000)
    order, new = (found.amount[:, 0, COMPONENTS.index(c)].sum(axis=-1) / 10_000 for c in (ORDERS, NEW))
    assert set(order) == {0.0, 1.0}
    assert order.mean() == pytest.approx(0.6, abs=0.05)
    assert new.mean() == pytest.approx(0.5, abs=0.06)
    assert new.max() >= 2


def test_an_uncertain_level_widens_new_business_only() -> None:
    parts = [claims(200), claims(200, component=NEW, copies=0.5)]
    calm, unsure = drawn(*parts), drawn(*parts, level=Level(0.4))
    assert (unsure.amount[:, 0, 0] == calm.amount[:, 0, 0]).all() or unsure.amount[:, 0, 0].std() > 0
    new = COMPONENTS.index(NEW)
    totals = [d.amount[:, 0, new].sum(axis=-1) for d in (calm, unsure)]
    assert totals[1].std() > 2 * totals[0].std()
    assert totals[1].mean() == pytest.approx(totals[0].mean(), rel=0.1)


def test_what_entities_have_in_common_adds_up_in_their_sum() -> None:
    rng, entities = np.random.default_rng(1), 3
    sums = {}
    for common in (0.0, 0.5, 1.0):
        factors = Level(0.1, common).drawn(rng, 20_000, entities)
        assert factors.mean(axis=0) == pytest.approx(np.ones(entities), abs=0.01)
        assert np.log(factors).std(axis=0) == pytest.approx(np.full(entities, 0.1), rel=0.05), (
            "of each as much as before"
        )
        sums[common] = factors.sum(axis=1).std()
    assert sums[0.0] == pytest.approx(0.1 * 3**0.5, rel=0.05)
    assert sums[0.5] == pytest.approx(0.1 * (3 + 6 * 0.5) ** 0.5, rel=0.05)
    assert sums[1.0] == pytest.approx(0.3, rel=0.05)


def test_nothing_to_draw_is_nothing() -> None:
    found = simulate(no_claims_with_runs(), Dependence(0.1, 0.1, 0.5), draws=10, seed=1)
    assert found.series == ()
    assert found.amount.shape == (10, 0, 3, HORIZON_DAYS)


def no_claims_with_runs() -> Claims:
    return joined([no_claims()])


def test_the_table_is_the_inverse_of_the_cdf() -> None:
    cdf = np.zeros((2, HORIZON_DAYS))
    cdf[0, 10:] = 1.0
    cdf[1, 5:] = 0.5
    table = inverse_table(cdf)
    assert set(table[0]) == {10}
    assert set(table[1]) == {5, NEVER}
    assert (table[1] == 5).mean() == pytest.approx(0.5, abs=0.01)
    assert (np.diff(table[1].astype(int)) >= 0).all()
