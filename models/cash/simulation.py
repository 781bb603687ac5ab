"""Drawing the days on which claims are paid, many at once, with dependence: a nested one-factor Gaussian copula.

z = sqrt(entity) Z_entity + sqrt(customer) Z_customer + sqrt(rest) e, and the day is where the claim's own cdf reaches
Phi(z). With the chance `bundling`, e is not the claim's own but that of its run: what a customer is expected to pay on
one day settles together. Draws come in blocks, each with random numbers of its own, so threads change nothing.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.cash.claims import COMPONENTS, HORIZON_DAYS, NEW, OPEN, RUN, Claims, Floats, Ints

LEVELS, SPAN = 512, 4.0  # steps of z from -SPAN to SPAN
DRAWS_AT_ONCE = 25
THREADS = 2
SERIES = ("entity_id", "currency")
NEVER = HORIZON_DAYS  # the slot of what is not paid within the horizon


@dataclass(frozen=True)
class Dependence:
    """Shares of the variance of z that all claims of an entity and all of a customer have in common, and bundling.

    bundling   (entity_id, customer_id) -> chance that a claim settles with its run; `usual` for all others
    """

    entity_share: float = 0.0
    customer_share: float = 0.0
    usual_bundling: float = 0.0
    bundling: dict[tuple[str, str], float] | None = None

    def of_customers(self, customers: list[tuple[str, str]]) -> Floats:
        """(n,) chance of settling with the run."""
        own = self.bundling or {}
        return np.array([own.get(c, self.usual_bundling) for c in customers])


INDEPENDENT = Dependence()


@dataclass(frozen=True)
class Draws:
    """What came in per series, component, day and draw, in minor units.

    series   (entity_id, currency) in order
    amount   (draws, series, components, HORIZON_DAYS)
    """

    series: tuple[tuple[str, str], ...]
    amount: Floats

    @cached_property
    def weekly(self) -> Floats:
        """(draws, series, components, weeks)."""
        draws, series, parts, days = self.amount.shape
        weekly: Floats = self.amount.reshape(draws, series, parts, days // 7, 7).sum(axis=-1)
        return weekly


@dataclass(frozen=True)
class Level:
    """How uncertain a volume is, of several entities or series at once.

    spread  standard deviation of the log of each
    common  share of the variance that all have in common
    """

    spread: float = 0.0
    common: float = 0.0

    def drawn(self, rng: np.random.Generator, draws: int, count: int) -> Floats:
        """(draws, count) factors with a mean of 1."""
        together, own = rng.standard_normal((draws, 1)), rng.standard_normal((draws, count))
        z = np.sqrt(self.common) * together + np.sqrt(1.0 - self.common) * own
        factors: Floats = np.exp(self.spread * z - self.spread**2 / 2)
        return factors


CERTAIN = Level()


def simulate(
    claims: Claims,
    dependence: Dependence,
    *,
    draws: int,
    seed: int,
    level: Level = CERTAIN,
    threads: int = THREADS,
) -> Draws:
    """Sums of whole minor units, exact in float64; the same whatever the number of threads.

    level  how uncertain it is how much new business there is
    """
    scene = _Scene.of(claims, dependence, level)
    sizes = [min(DRAWS_AT_ONCE, draws - first) for first in range(0, draws, DRAWS_AT_ONCE)]
    seeds = np.random.SeedSequence(seed).spawn(len(sizes))
    with ThreadPoolExecutor(threads) as pool:
        blocks = list(pool.map(scene.block, sizes, seeds))
    shape = (draws, len(scene.series), len(COMPONENTS), HORIZON_DAYS)
    return Draws(scene.series, np.concatenate(blocks).reshape(shape) if blocks else np.zeros(shape))


def inverse_table(cdf: Floats) -> NDArray[np.uint8]:
    """(n, LEVELS) the day that each step of z leads to; `NEVER` beyond the cdf's end."""
    steps = normal_cdf((np.arange(LEVELS, dtype=np.float64) + 0.5) * (2 * SPAN / LEVELS) - SPAN)
    # how many steps lie at or below each cdf value: through a fine table, since searchsorted is ten times slower
    fine = np.searchsorted(steps, np.linspace(0.0, 1.0, FINE + 1), side="right").astype(np.uint16)
    reached = fine[(np.clip(cdf, 0.0, 1.0) * FINE).astype(np.int32)]
    counts = np.diff(reached, axis=1, prepend=np.uint16(0), append=np.uint16(LEVELS)).astype(np.int32)
    days = np.tile(np.arange(HORIZON_DAYS + 1, dtype=np.uint8), len(cdf))
    return np.repeat(days, counts.ravel()).reshape(len(cdf), LEVELS)


FINE = 1 << 15


def normal_cdf(z: Floats) -> Floats:
    """(n,) chance that a standard normal is at most z."""
    from scipy.special import ndtr

    chance: Floats = ndtr(z)
    return chance


@dataclass(frozen=True)
class _Scene:
    """All that blocks share, ordered by customer so that what is looked up lies close together."""

    series: tuple[tuple[str, str], ...]
    table: NDArray[np.uint8]  # flat
    row: Ints  # where a claim's levels begin in the table
    slot: Ints  # where a claim's days begin among the sums
    amount: Floats
    customer: Ints
    entity: Ints  # per customer
    run: Ints
    share_of_255: NDArray[np.uint8]
    ordered: Ints  # claims that are there with a chance: orders
    copies: Floats
    new: Ints  # claims that come in copies
    dependence: Dependence
    level: Level

    @classmethod
    def of(cls, claims: Claims, dependence: Dependence, level: Level) -> "_Scene":
        head = claims.head.with_row_index("row").sort("entity_id", "customer_id", RUN, "row")
        order = head["row"].to_numpy()
        series = tuple(sorted(set(head.select(SERIES).iter_rows())))
        customers = list(dict.fromkeys(head.select("entity_id", "customer_id").iter_rows()))
        entities = sorted({e for e, _ in customers})
        part = head["component"].replace_strict({c: k for k, c in enumerate(COMPONENTS)}, return_dtype=pl.Int64)
        number = {key: k for k, key in enumerate(series)}
        of_series = np.array([number[key] for key in head.select(SERIES).iter_rows()], dtype=np.int64)
        bundling = dependence.of_customers(customers)
        customer = _codes(head, "entity_id", "customer_id")
        return cls(
            series=series,
            table=inverse_table(claims.cdf[order, :HORIZON_DAYS]).ravel(),
            row=np.arange(len(order), dtype=np.int64) * LEVELS,
            slot=(of_series * len(COMPONENTS) + part.to_numpy()) * (HORIZON_DAYS + 1),
            amount=head["amount_minor"].to_numpy().astype(np.float64),
            customer=customer,
            entity=np.array([entities.index(e) for e, _ in customers], dtype=np.int64),
            run=_codes(head, "entity_id", "customer_id", RUN),
            share_of_255=np.rint(255 * bundling[customer]).astype(np.uint8),
            ordered=np.flatnonzero(((part != COMPONENTS.index(NEW)) & (part != COMPONENTS.index(OPEN))).to_numpy()),
            copies=head["copies"].to_numpy(),
            new=np.flatnonzero((part == COMPONENTS.index(NEW)).to_numpy()),
            dependence=dependence,
            level=level,
        )

    def block(self, draws: int, seed: np.random.SeedSequence) -> Floats:
        """(draws, sums) of one block."""
        rng = np.random.Generator(np.random.SFC64(seed))
        width = len(self.series) * len(COMPONENTS)
        sums = np.zeros((draws, width * (HORIZON_DAYS + 1)))
        if len(self.amount):
            for k in range(draws):
                sums[k] = self._draw(rng, sums.shape[1])
        return sums.reshape(draws, width, HORIZON_DAYS + 1)[:, :, :HORIZON_DAYS].reshape(draws, -1)

    def _draw(self, rng: np.random.Generator, slots: int) -> Floats:
        days = self.table[self._levels(rng)]
        sums = np.bincount(self.slot + days, weights=self._amounts(rng), minlength=slots)
        return sums.astype(np.float64, copy=False)

    def _levels(self, rng: np.random.Generator) -> Ints:
        """(n,) where in the table each claim's z lies."""
        told, count = self.dependence, len(self.amount)
        z = rng.standard_normal(count, dtype=np.float32)
        if self.share_of_255.any():
            runs = rng.standard_normal(int(self.run[-1]) + 1, dtype=np.float32)
            together = rng.integers(0, 255, count, dtype=np.uint8) < self.share_of_255
            z = np.where(together, runs[self.run], z)
        rest = 1.0 - told.customer_share - told.entity_share
        if rest < 1.0:
            common = np.sqrt(np.float32(told.customer_share)) * rng.standard_normal(len(self.entity), dtype=np.float32)
            shock = rng.standard_normal(int(self.entity.max()) + 1, dtype=np.float32)
            common += np.sqrt(np.float32(told.entity_share)) * shock[self.entity]
            z *= np.sqrt(np.float32(rest))
            z += common[self.customer]
        z *= np.float32(LEVELS / (2 * SPAN))
        z += np.float32(LEVELS / 2)
        np.clip(z, 0, LEVELS - 1, out=z)
        level: Ints = z.astype(np.int64)
        level += self.row
        return level

    def _amounts(self, rng: np.random.Generator) -> Floats:
        if not len(self.new) and not len(self.ordered):
            return self.amount
        amount = self.amount.copy()
        amount[self.ordered] *= rng.random(len(self.ordered)) < self.copies[self.ordered]
        level = self.level.drawn(rng, 1, int(self.entity.max()) + 1)[0]
        expected = self.copies[self.new] * level[self.entity[self.customer[self.new]]]
        amount[self.new] *= rng.poisson(expected)
        return amount


def _codes(head: pl.DataFrame, *columns: str) -> Ints:
    """(n,) number of each row's group, 0, 1, 2 in the order of rows (which are ordered by group)."""
    changes = head.select(pl.any_horizontal(pl.col(c) != pl.col(c).shift(1) for c in columns).fill_null(value=False))
    return changes.to_series().cast(pl.Int64).cum_sum().to_numpy()
