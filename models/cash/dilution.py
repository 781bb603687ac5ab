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
    customers     (entity_id, customer_id) -> the same of one customer, pulled towards its entity's in its currencies

    Amounts are only ever added up within a currency; shares of several are weighed by their receivables.
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
    pooled = _shares(paid, "entity_id")
    told = _over_currencies(pooled, "share", "entity_id")
    cash_share = {e: min(float(s), 1.0) for e, s, _ in told.iter_rows()}
    return Dilution(cash_share, _of_customers(paid, pooled), _cancel_rates(ended))


def _of_customers(paid: pl.DataFrame, pooled: pl.DataFrame) -> dict[tuple[str, str], float]:
    """Each customer's share; `pooled` is its entity's by currency: a customer is compared with others in its own."""
    owner = ("entity_id", "customer_id")
    usual = pooled.select("entity_id", "currency", usual="share")
    own = _shares(paid, *owner).join(usual, on=["entity_id", "currency"])
    told = _over_currencies(own, "share", *owner).join(_over_currencies(own, "usual", *owner), on=[*owner, "n"])
    weight = pl.col("n") / (pl.col("n") + PRIOR_RECEIVABLES)
    pulled = told.select(*owner, weight * pl.col("share") + (1 - weight) * pl.col("usual"))
    return {(e, c): min(float(s), 1.0) for e, c, s in pulled.sort(owner).iter_rows()}


def _shares(paid: pl.DataFrame, *owner: str) -> pl.DataFrame:
    """owner, currency, share, n: what came as money of the receivables in each currency."""
    share = pl.col("cash_minor").sum() / pl.col("amount_minor").sum()
    return paid.group_by(*owner, "currency").agg(share=share, n=pl.len()).sort(*owner, "currency")


def _over_currencies(shares: pl.DataFrame, name: str, *owner: str) -> pl.DataFrame:
    """owner, the mean of column `name` over currencies, n: weighed by receivables, as there is no other common unit."""
    mean = (pl.col(name) * pl.col("n")).sum() / pl.col("n").sum()
    return shares.group_by(owner, maintain_order=True).agg(mean.alias(name), pl.col("n").sum())


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
