"""Business not yet booked: the invoices of the coming weeks, drawn after those of the past.

A quarter of 13 weeks ago falls on the same weekdays and within a day or two of the same days of the month. So each
receivable issued in the last quarters, moved forward by whole quarters, is a replica of one to come: same customer,
amount and terms, with an expected number of copies that follows recency, growth and season. What the order book
already covers is taken off, and the level as a whole is uncertain (`levels.py`).
"""

from dataclasses import dataclass
from datetime import datetime
from math import exp, log, sqrt

import numpy as np
import polars as pl

from features.book import SUBJECT, Book
from features.facts import standing
from features.ledger import RECEIVABLE, receivable_versions
from features.tables import INSTANT
from models.bins import epoch_days
from models.cash.billing import Billing
from models.cash.claims import HEAD, HORIZON_DAYS, NEW, Claims, Floats, Ints, no_claims
from models.cash.dilution import Dilution
from models.cash.open_items import DatesPayments, diluted
from models.cash.receipts import first_days

QUARTER_DAYS = HORIZON_DAYS
RECENCY = (0.4, 0.3, 0.2, 0.1)  # weight of the last quarter, the one before it, and so on
YEAR_DAYS = 364
MOST_GROWTH = 0.4  # of the log volume a year
SEASON_PRIOR = 60.0  # invoices that the even year weighs as much as
MOST_REPLICAS = 4_000


@dataclass(frozen=True)
class Profile:
    """How an entity's invoicing moves, learnt from issue days alone.

    growth        entity_id -> log growth a year
    season        (entity_id, calendar month) -> volume relative to an even year
    """

    growth: dict[str, float]
    season: dict[tuple[str, int], float]


def fit_profile(book: Book, as_of: datetime) -> Profile:
    """From all invoices known at `as_of`. Under two years of history: no growth; under one: no season."""
    issued = issued_by(book, as_of)
    growth = {e: _growth(rows) for (e,), rows in issued.group_by("entity_id", maintain_order=True)}
    season = {
        (str(e), month): value
        for (e,), rows in issued.group_by("entity_id", maintain_order=True)
        for month, value in _season(rows).items()
    }
    return Profile({str(e): g for e, g in growth.items()}, season)


def replicas(issued: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """`issued` moved forward, with `copies`; rows whose replica would be issued within the horizon only.

    issued  receivables with `first_day` (the horizon's first day), issue_date, due_date, ...
    """
    back = (pl.col("first_day") - pl.col("issue_date")).dt.total_days()
    quarter = (back - 1) // QUARTER_DAYS
    known = _whole_quarters(back).over("entity_id")
    kept = issued.with_columns(_quarter=quarter, _known=known).filter(
        pl.col("_quarter").is_between(0, pl.col("_known") - 1)
    )
    ahead = pl.duration(days=(pl.col("_quarter") + 1) * QUARTER_DAYS)
    moved = kept.with_columns(
        _from=pl.col("issue_date").dt.month(),
        issue_date=pl.col("issue_date") + ahead,
        due_date=pl.col("due_date") + ahead,
    ).with_columns(_to=pl.col("issue_date").dt.month())
    factor = [
        RECENCY[q]
        / sum(RECENCY[:known])
        * exp(profile.growth.get(e, 0.0) * (q + 1) * QUARTER_DAYS / YEAR_DAYS)
        * profile.season.get((e, to), 1.0)
        / profile.season.get((e, source), 1.0)
        for q, known, e, source, to in moved.select("_quarter", "_known", "entity_id", "_from", "_to").iter_rows()
    ]
    return moved.with_columns(copies=pl.Series(factor, dtype=pl.Float64)).drop("_quarter", "_known", "_from", "_to")


def new_claims(
    book: Book,
    model: DatesPayments,
    as_of: datetime,
    profile: Profile,
    billing: Billing,
    dilution: Dilution,
    *,
    seed: int,
) -> Claims:
    """Replicas as claims: each paid like a new invoice of its customer, seen with what is known now."""
    found = replicas(issued_by(book, as_of), profile)
    if found.is_empty():
        return no_claims()
    found = billing.uncovered(_thinned(found, seed))
    first = epoch_days(found, "first_day")
    subjects = found.with_columns(cutoff_day=pl.col("issue_date"), cutoff=pl.lit(as_of, INSTANT))
    forecast = model.distribution(book.features(subjects.select(SUBJECT)))
    late = epoch_days(found, "issue_date") - first
    terms = epoch_days(found, "issue_date") - epoch_days(found, "due_date")
    share = dilution.shares(found["entity_id"].to_list(), found["customer_id"].to_list())
    head = found.with_columns(
        component=pl.lit(NEW),
        amount_minor=pl.Series(np.rint(found["amount_minor"].to_numpy() * share).astype(np.int64)),
        from_day=pl.Series(late),
    )
    return Claims(head.select(HEAD), shifted(diluted(forecast.pmf, dilution, terms), late))


def shifted(cdf: Floats, days: Ints) -> Floats:
    """As `cdf`, each row `days` later."""
    at = np.arange(cdf.shape[1]) - days[:, None]
    inside = np.take_along_axis(cdf, np.clip(at, 0, None), axis=1)
    return np.where(at >= 0, inside, 0.0)


def issued_by(book: Book, as_of: datetime) -> pl.DataFrame:
    """Receivables known at `as_of` and issued before its day, with `first_day`."""
    known = standing(receivable_versions(book.facts), as_of).filter(pl.col("amount_minor") > 0)
    return (
        known.join(first_days(book.zones, as_of), on="entity_id")
        .filter(pl.col("issue_date") < pl.col("first_day"))
        .select(*RECEIVABLE, "customer_id", "currency", "amount_minor", "issue_date", "due_date", "first_day")
        .sort(RECEIVABLE)
    )


def _whole_quarters(back: pl.Expr) -> pl.Expr:
    """How many whole quarters of invoices there are, up to what `RECENCY` weighs; `back`: days since their issue."""
    return ((back.max() + 7) // QUARTER_DAYS).clip(upper_bound=len(RECENCY))


def _thinned(found: pl.DataFrame, seed: int) -> pl.DataFrame:
    """About `MOST_REPLICAS` rows, of every series its share chosen at random; those kept stand for those left out."""
    if len(found) <= MOST_REPLICAS:
        return found
    series = ("entity_id", "currency")
    shuffled = found.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(
        _place=pl.int_range(pl.len()).over(series), _all=pl.len().over(series)
    )
    share = (pl.col("_all") * (MOST_REPLICAS / len(found))).ceil()
    kept = shuffled.with_columns(_kept=share).filter(pl.col("_place") < pl.col("_kept"))
    weighed = kept.with_columns(copies=pl.col("copies") * pl.col("_all") / pl.col("_kept"))
    return weighed.drop("_place", "_all", "_kept").sort(*RECEIVABLE, "issue_date")


def _growth(rows: pl.DataFrame) -> float:
    """Log growth a year of the number of invoices: the last year against the one before, 0 without two years."""
    back = (rows["first_day"] - rows["issue_date"]).dt.total_days()
    if not (back >= 2 * YEAR_DAYS - 7).any():
        return 0.0
    last, before = int((back <= YEAR_DAYS).sum()), int(((back > YEAR_DAYS) & (back <= 2 * YEAR_DAYS)).sum())
    steady = 1 - 2 / sqrt(min(last, before) + 1) if min(last, before) else 0.0
    return float(np.clip(log((last + 1) / (before + 1)) * max(steady, 0.0), -MOST_GROWTH, MOST_GROWTH))


def _season(rows: pl.DataFrame) -> dict[int, float]:
    """Calendar month -> invoices relative to an even year, over the whole years there are, growth taken out."""
    back = (pl.col("first_day") - pl.col("issue_date")).dt.total_days()
    years = int(rows.select((back.max() + 7) // YEAR_DAYS).item())
    if years < 1:
        return {}
    growth = _growth(rows)
    whole = rows.filter(back <= years * YEAR_DAYS).select(
        month=pl.col("issue_date").dt.month(), weight=(back.cast(pl.Float64) * growth / YEAR_DAYS).exp()
    )
    # in the order of rows and of months: sums of floats are not the same to the last bit in another
    count = dict(whole.group_by("month", maintain_order=True).agg(pl.col("weight").sum()).sort("month").iter_rows())
    even = sum(count.values()) / 12
    return {m: (count.get(m, 0.0) + SEASON_PRIOR) / (even + SEASON_PRIOR) for m in range(1, 13)}
