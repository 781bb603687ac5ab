"""How much of what is owed never becomes cash: short pays and credits on what is paid, and cancellations.

Both are learnt from receivables that ended, as known at an instant. A cancellation (credit note, write-off) competes
with the payment day by day; it is no matter of the final share alone: what is written off after a year would
otherwise be taken off twice, since the payment model already says that it is not paid soon.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.facts import standing
from features.ledger import SETTLES
from models.cash.receipts import first_days

Floats = NDArray[np.float64]

# Edges of the age bands, days past due: not yet due, to 30, 60, 90, beyond.
AGE_EDGES = (1, 31, 61, 91)
# A customer's own share counts as much as its entity's once so many of its receivables have ended.
PRIOR_RECEIVABLES = 20.0
# Cancellations per day at risk before anything is known: one in ten thousand, as firm as a hundred days.
PRIOR_RATE, PRIOR_DAYS = 1e-4, 100.0
FARTHEST_DAYS = 3_650


@dataclass(frozen=True)
class Dilution:
    """What is lost on the way to cash.

    cash_share    entity_id -> share of a paid receivable's amount that came as money
    customers     (entity_id, customer_id) -> the same of one customer, pulled towards its entity's
    cancel_rate   chance a day of being cancelled in each age band (5)
    """

    cash_share: dict[str, float]
    customers: dict[tuple[str, str], float]
    cancel_rate: tuple[float, ...]

    def shares(self, entities: list[str], customers: list[str]) -> Floats:
        """(n,) expected cash per unit owed, of what is paid."""
        pooled = float(np.mean(list(self.cash_share.values()))) if self.cash_share else 1.0
        return np.array(
            [
                self.customers.get((e, c), self.cash_share.get(e, pooled))
                for e, c in zip(entities, customers, strict=True)
            ]
        )

    def survival(self, past_due_days: NDArray[np.int64], days: int) -> Floats:
        """(n, days) chance of not being cancelled before each of the coming days; `past_due_days` on the first."""
        age = past_due_days[:, None] + np.arange(days)
        rate = np.array(self.cancel_rate)[np.searchsorted(AGE_EDGES, age, side="right")]
        alive: Floats = np.exp(rate - np.cumsum(rate, axis=1))
        return alive


def fit_dilution(book: Book, as_of: datetime) -> Dilution:
    """From everything that had ended by `as_of`; nothing ended: everything is taken to become cash."""
    ended = _ends(book, as_of)
    paid = ended.filter(pl.col("paid_date").is_not_null() & ~pl.col("cancelled"))
    pooled = paid.group_by("entity_id").agg(share=_share())
    cash_share = dict(pooled.sort("entity_id").iter_rows())
    own = paid.group_by("entity_id", "customer_id").agg(share=_share(), n=pl.len()).join(pooled, on="entity_id")
    weight = pl.col("n") / (pl.col("n") + PRIOR_RECEIVABLES)
    told = own.select("entity_id", "customer_id", weight * pl.col("share") + (1 - weight) * pl.col("share_right"))
    customers = {(e, c): min(float(s), 1.0) for e, c, s in told.sort("entity_id", "customer_id").iter_rows()}
    return Dilution({e: min(float(s), 1.0) for e, s in cash_share.items()}, customers, _cancel_rates(ended))


def _share() -> pl.Expr:
    return pl.col("cash_minor").sum() / pl.col("amount_minor").sum()


def _ends(book: Book, as_of: datetime) -> pl.DataFrame:
    """Every receivable as known at `as_of`, with the cash it brought and its entity's day."""
    cash = (
        standing(book.facts.spans("allocation"), as_of)
        .filter(pl.col("kind") == "payment")
        .group_by(SETTLES)
        .agg(cash_minor=pl.col("amount_minor").sum())
    )
    return (
        standing(book.states, as_of)
        .filter(pl.col("amount_minor") > 0)
        .join(cash, on=SETTLES, how="left")
        .with_columns(pl.col("cash_minor").fill_null(0))
        .join(first_days(book.zones, as_of), on="entity_id")
    )


def _cancel_rates(rows: pl.DataFrame) -> tuple[float, ...]:
    """Cancellations per day at risk in each age band."""
    end = pl.coalesce("paid_date", "first_day")
    begun = (pl.col("issue_date") - pl.col("due_date")).dt.total_days()
    until = (end - pl.col("due_date")).dt.total_days()
    rows = rows.select("cancelled", begun=begun, until=until)
    edges = (-FARTHEST_DAYS, *AGE_EDGES, FARTHEST_DAYS)
    rates = []
    for low, high in pairwise(edges):
        inside = rows.select(
            days=(pl.min_horizontal("until", pl.lit(high)) - pl.max_horizontal("begun", pl.lit(low))).clip(0),
            ended=pl.col("cancelled") & pl.col("until").is_between(low, high, closed="left"),
        ).sum()
        days, count = float(inside["days"][0] or 0), float(inside["ended"][0] or 0)
        rates.append((count + PRIOR_RATE * PRIOR_DAYS) / (days + PRIOR_DAYS))
    return tuple(rates)
