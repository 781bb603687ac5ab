"""How far off a quarter's business may be as a whole, and how much of that all entities have in common.

Learnt from whole quarters of the past: their invoicing against that of their replicas (`new_business.py`), beyond the
chance of single invoices. What growth, season or the economy do to everybody adds up in the group's sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from math import sqrt

import numpy as np
import polars as pl

from features.book import Book
from models.cash.new_business import QUARTER_DAYS, Profile, issued_by, replicas
from models.cash.simulation import Level

NO_SPREAD, MOST_SPREAD = 0.05, 0.5
REHEARSALS = 4
# Before any quarter is seen, half of it is taken to be common; that weighs as much as two quarters.
PRIOR_COMMON, PRIOR_QUARTERS = 0.5, 2


@dataclass(frozen=True)
class _Quarter:
    """A past quarter of one series: how far it was off, relative to what was expected.

    chance  variance of `off` from single invoices alone
    """

    entity: str
    off: float
    chance: float


def fit_level(book: Book, as_of: datetime, profile: Profile) -> Level:
    """From all invoices known at `as_of`; the least spread where single invoices explain all there is.

    A series counts by how well chance would have let it be told: by how many invoices carry it, whatever its
    currency's units.
    """
    issued = issued_by(book, as_of)
    quarters = [list(_quarters(issued, profile, back)) for back in range(1, REHEARSALS + 1)]
    series = [one for quarter in quarters for one in quarter]
    weight = sum(1 / one.chance for one in series)
    variance = sum(one.off**2 / one.chance - 1 for one in series) / weight if weight else 0.0
    spread = float(np.clip(sqrt(max(variance, 0.0)), NO_SPREAD, MOST_SPREAD))
    return Level(spread, _common(quarters, spread**2))


def _quarters(issued: pl.DataFrame, profile: Profile, back: int) -> Iterator[_Quarter]:
    """The series of the quarter that began `back` quarters ago, as it would have been foretold then."""
    past = issued.with_columns(pl.col("first_day") - pl.duration(days=back * QUARTER_DAYS))
    told = replicas(past.filter(pl.col("issue_date") < pl.col("first_day")), profile)
    ahead = (pl.col("issue_date") - pl.col("first_day")).dt.total_days()
    came = past.filter(ahead.is_between(0, QUARTER_DAYS - 1))
    for (entity, currency), rows in told.group_by("entity_id", "currency", maintain_order=True):
        amount, copies = (rows[c].to_numpy().astype(np.float64) for c in ("amount_minor", "copies"))
        expected = float((amount * copies).sum())
        actual = float(came.filter(pl.col("entity_id") == entity, pl.col("currency") == currency)["amount_minor"].sum())
        chance = float((amount**2 * copies * (1 + copies)).sum())
        if expected > 0:
            yield _Quarter(str(entity), actual / expected - 1, chance / expected**2)


def _common(quarters: list[list[_Quarter]], variance: float) -> float:
    """Share of the variance that series of different entities have in common, from quarters that hold several."""
    product, weight, seen = 0.0, 0.0, 0
    for quarter in quarters:
        pairs = [(a, b) for a, b in combinations(quarter, 2) if a.entity != b.entity]
        seen += bool(pairs)
        product += sum(a.off * b.off / (a.chance * b.chance) for a, b in pairs)
        weight += sum(1 / (a.chance * b.chance) for a, b in pairs)
    found = float(np.clip(product / weight / variance, 0.0, 1.0)) if weight else PRIOR_COMMON
    return (seen * found + PRIOR_QUARTERS * PRIOR_COMMON) / (seen + PRIOR_QUARTERS)
