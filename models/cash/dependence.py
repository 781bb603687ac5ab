"""How much receivables are paid early or late together, learnt from forecasts whose outcome is known by now.

Where forecasts are right, the randomised probability integral transform (PIT) of the payment days is uniform, and its
normal score z is standard normal; what customers and entities have in common shows as correlation between the z of
different receivables of one past forecast. What is still open is known to lie above the cdf so far: its PIT is drawn
from there. The bundling share of a customer is read from days instead: how many pairs of one run were paid on one day,
beyond what their forecasts made likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from features.book import Book
from models.bins import UNKNOWN, epoch_days
from models.cash.claims import HORIZON_DAYS, Floats, Ints
from models.cash.open_items import OpenItems, within_horizon
from models.cash.simulation import Dependence
from models.distribution import Distribution
from models.metrics import pit

MOST_SHARE = 0.6
# Origins (entity) and runs' pairs (customer) that "nothing in common" and the usual bundling weigh as much as.
PRIOR_ORIGINS, PRIOR_PAIRS = 2.0, 20.0
FEWEST_PAIRS = 50


@dataclass(frozen=True)
class Outcome:
    """One past forecast's receivables with normal scores and days: what there is to learn dependence from.

    score  (n,) z, standardised over all; day  (n,) days from start to payment, -1 while open
    """

    rows: pl.DataFrame
    forecast: Distribution
    score: Floats
    day: Ints


def outcomes(book: Book, items: OpenItems, observed_before: datetime, *, seed: int) -> Outcome:
    """How the open receivables of a past forecast ended, as known before that instant; cancelled ones are left out.

    So are those that turned out to have been paid before the forecast was made.
    """
    numbered = items.frame.with_row_index("_row")
    ended = book.labelled(numbered, observed_before)
    start, paid = epoch_days(ended, "cutoff_day"), epoch_days(ended, "paid_date")
    until = epoch_days(ended, "observed_until")
    seen = paid != UNKNOWN
    kept = ~ended["cancelled"].to_numpy() & np.where(seen, paid >= start, until >= start)
    ended = ended.filter(pl.Series(kept))
    forecast = within_horizon(items.forecast.take(ended["_row"].to_numpy()))
    start, paid, until, seen = start[kept], paid[kept], until[kept], seen[kept]
    day = np.where(seen, paid - start, -1)
    observed = seen & (day < HORIZON_DAYS)
    rng = np.random.default_rng(seed)
    drawn = rng.random(len(day))
    known = pit(forecast, np.where(observed, day, 0), drawn)
    last = np.clip(np.where(seen, HORIZON_DAYS - 1, until - start), 0, HORIZON_DAYS - 1)
    so_far = forecast.cdf[np.arange(len(day)), last]
    value = np.where(observed, known, so_far + drawn * (1.0 - so_far))
    return Outcome(ended, forecast, normal_score(value), np.where(observed, day, -1))


def fit_dependence(past: Sequence[Outcome]) -> Dependence:
    """The shares in common and the bundling of every customer; nothing to learn from: independence."""
    if not past or sum(len(p.score) for p in past) < FEWEST_PAIRS:
        return Dependence()
    score = np.concatenate([p.score for p in past])
    center, scale = float(score.mean()), max(float(score.std()), 1e-6)
    sums = np.array([_pair_sums(p, center, scale) for p in past]).sum(axis=0)
    across, across_pairs, within, within_pairs = sums
    entity = _bounded(across / max(across_pairs, 1.0)) * len(past) / (len(past) + PRIOR_ORIGINS)
    both = _bounded(within / max(within_pairs, 1.0)) if within_pairs >= FEWEST_PAIRS else entity
    usual, own = _bundling(past)
    return Dependence(entity, max(both - entity, 0.0), usual, own)


def normal_score(value: Floats) -> Floats:
    """Where a standard normal has as much below it as `value`; within 3.8 of 0."""
    from scipy.special import ndtri

    score: Floats = ndtri(np.clip(value, 1e-4, 1 - 1e-4))
    return score


def _bounded(correlation: float) -> float:
    return float(np.clip(correlation, 0.0, MOST_SHARE))


def _pair_sums(past: Outcome, center: float, scale: float) -> tuple[float, float, float, float]:
    """Sum of z z' and number of pairs: of one entity but other customers; of one customer but not of one run."""
    rows = past.rows.select("entity_id", "customer_id").with_columns(
        z=pl.Series((past.score - center) / scale), run=pl.Series(past.forecast.quantile_days(0.5))
    )
    entity, customer = _pairs(rows, "entity_id"), _pairs(rows, "entity_id", "customer_id")
    run = _pairs(rows, "entity_id", "customer_id", "run")
    return entity[0] - customer[0], entity[1] - customer[1], customer[0] - run[0], customer[1] - run[1]


def _pairs(rows: pl.DataFrame, *by: str) -> tuple[float, float]:
    z = pl.col("z")
    groups = (
        rows.group_by(*by, maintain_order=True)
        .agg(total=z.sum(), squares=(z * z).sum(), n=pl.len().cast(pl.Float64))
        .sort(*by)
    )
    products = (groups["total"] ** 2 - groups["squares"]).sum() / 2
    return float(products), float((groups["n"] * (groups["n"] - 1)).sum() / 2)


def _bundling(past: Sequence[Outcome]) -> tuple[float, dict[tuple[str, str], float]]:
    """The usual bundling share, and that of each customer with runs."""
    told = pl.concat([_runs(p) for p in past])
    groups = told.group_by("entity_id", "customer_id", maintain_order=True)  # sums keep their order, to the last bit
    customers = groups.agg(pl.col("same", "chance", "pairs").sum())
    total = customers.sum()
    room = float(total["pairs"][0] - total["chance"][0])
    usual = float(np.clip((total["same"][0] - total["chance"][0]) / room, 0.0, 1.0)) if room > 1.0 else 0.0
    share = (pl.col("same") - pl.col("chance") + PRIOR_PAIRS * usual) / (
        pl.col("pairs") - pl.col("chance") + PRIOR_PAIRS
    )
    # each of a pair has to join its run: hence the root
    joins = customers.sort("entity_id", "customer_id").select("entity_id", "customer_id", share.clip(0.0, 1.0).sqrt())
    return usual**0.5, {(e, c): float(s) for e, c, s in joins.iter_rows()}


def _runs(past: Outcome) -> pl.DataFrame:
    """entity_id, customer_id, same, chance, pairs of every run of two or more whose days are known.

    same: pairs paid on one day; chance: how many that would be if each were paid by its own forecast alone
    """
    rows = past.rows.select("entity_id", "customer_id").with_columns(
        day=pl.Series(past.day), run=pl.Series(past.forecast.quantile_days(0.5)), row=pl.int_range(pl.len())
    )
    found = []
    for (entity, customer, _), group in rows.filter(pl.col("day") >= 0).group_by(
        "entity_id", "customer_id", "run", maintain_order=True
    ):
        if len(group) > 1:
            pmf = past.forecast.pmf[group["row"].to_numpy()]
            chance = float((pmf.sum(axis=0) ** 2 - (pmf**2).sum(axis=0)).sum() / 2)
            days = np.bincount(group["day"].to_numpy())
            found.append(
                (entity, customer, float((days * (days - 1)).sum() / 2), chance, len(group) * (len(group) - 1) / 2)
            )
    schema = {
        "entity_id": pl.String,
        "customer_id": pl.String,
        "same": pl.Float64,
        "chance": pl.Float64,
        "pairs": pl.Float64,
    }
    return pl.DataFrame(found, schema=schema, orient="row")
