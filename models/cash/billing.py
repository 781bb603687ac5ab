"""Orders not yet billed: when they become invoices, how many never do, and what of the future they already cover."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from features.book import SUBJECT, Book
from features.facts import standing
from features.tables import INSTANT
from models.bins import epoch_days
from models.cash.claims import HEAD, HORIZON_DAYS, ORDERS, Claims, Floats, Ints, no_claims
from models.cash.dilution import Dilution
from models.cash.open_items import DatesPayments, diluted
from models.cash.receipts import first_days

LONGEST_LAG_DAYS = 180
USUAL_TERMS_DAYS = 30
PRIOR_ORDERS = 5.0


@dataclass(frozen=True)
class Billing:
    """What past orders say.

    lag            (LONGEST_LAG_DAYS + 1,) share of billed orders whose invoice came so many days after the order
    billed_share   share of closed orders that were billed rather than cancelled
    ordered_share  entity_id -> share of recent invoices that name an order which was known before they were issued
    """

    lag: tuple[float, ...]
    billed_share: float
    ordered_share: dict[str, float]

    def uncovered(self, replicas: pl.DataFrame) -> pl.DataFrame:
        """Replicas with their copies less those whose order is in the book already and counted there."""
        ahead = np.maximum(epoch_days(replicas, "issue_date") - epoch_days(replicas, "first_day"), 0)
        later = 1.0 - np.cumsum(self.lag) if self.lag else np.zeros(1)
        booked = np.where(ahead < len(later), later[np.minimum(ahead, len(later) - 1)], 0.0)
        share = np.array([self.ordered_share.get(e, 0.0) for e in replicas["entity_id"]])
        return replicas.with_columns(copies=pl.col("copies") * pl.Series(1.0 - share * booked))


def fit_billing(book: Book, as_of: datetime) -> Billing:
    """From orders and invoices known at `as_of`; no order was ever billed: nothing is expected of any."""
    orders = standing(book.facts.spans("order"), as_of)
    invoices = _invoices(book, as_of)
    named = invoices.join(orders, on=["entity_id", "order_id"])
    waited = (named["issue_date"] - named["order_date"]).dt.total_days().clip(0, LONGEST_LAG_DAYS).to_numpy()
    if not len(waited):
        return Billing((), 0.0, {})
    counts = np.bincount(waited, minlength=LONGEST_LAG_DAYS + 1)
    billed = orders.filter(pl.col("status") == "billed").height
    cancelled = orders.filter(pl.col("status") == "cancelled").height
    share = (billed + PRIOR_ORDERS) / (billed + cancelled + PRIOR_ORDERS)
    return Billing(tuple((counts / counts.sum()).tolist()), share, _ordered_shares(book, invoices, as_of))


def order_claims(book: Book, model: DatesPayments, as_of: datetime, billing: Billing, dilution: Dilution) -> Claims:
    """One claim per order open at `as_of`: billed after the rest of the usual lag, then paid like a new invoice."""
    orders = standing(book.facts.spans("order"), as_of).filter(
        (pl.col("status") == "open") & (pl.col("amount_minor") > 0)
    )
    if orders.is_empty() or not billing.lag:
        return no_claims()
    orders = _not_yet_billed(orders, book, as_of).sort("entity_id", "order_id")
    orders = orders.join(first_days(book.zones, as_of), on="entity_id", maintain_order="left")
    waited = epoch_days(orders, "first_day") - epoch_days(orders, "order_date")
    left = remaining_lag(billing.lag, waited)
    subjects = _as_invoices(orders, book, as_of, (left * np.arange(HORIZON_DAYS)).sum(axis=1))
    forecast = model.distribution(book.features(subjects))
    terms = epoch_days(subjects, "issue_date") - epoch_days(subjects, "due_date")
    paid = diluted(forecast.pmf, dilution, terms)
    share = dilution.shares(orders["entity_id"].to_list(), orders["customer_id"].to_list())
    head = orders.with_columns(
        component=pl.lit(ORDERS),
        invoice_id="order_id",
        instalment=pl.lit(1, pl.Int64),
        amount_minor=pl.Series(np.rint(orders["amount_minor"].to_numpy() * share).astype(np.int64)),
        copies=pl.lit(billing.billed_share),
        from_day=pl.lit(0, pl.Int64),
    )
    return Claims(head.select(HEAD), after_lag(paid, left))


def remaining_lag(lag: tuple[float, ...], waited: Ints) -> Floats:
    """(n, HORIZON_DAYS) chance of being billed in so many days, given that it was not in the days waited so far.

    An order older than any that was billed has no better chance than the slowest: evenly over a quarter.
    """
    padded = np.concatenate([np.array(lag), np.zeros(HORIZON_DAYS)])
    at = np.clip(waited, 0, len(lag))[:, None] + np.arange(HORIZON_DAYS)
    chances = padded[np.minimum(at, len(padded) - 1)]
    total = np.concatenate([np.cumsum(padded[::-1])[::-1], [0.0]])[np.clip(waited, 0, len(lag))]
    even = np.full(HORIZON_DAYS, 1.0 / HORIZON_DAYS)
    return np.where(total[:, None] > 1e-9, chances / np.maximum(total[:, None], 1e-9), even)


def after_lag(cdf: Floats, lag: Floats) -> Floats:
    """As `cdf`, the chance of being paid by a day, where the invoice comes after `lag` and `cdf` counts from it."""
    total, width = np.zeros_like(cdf), cdf.shape[1]
    for days in range(lag.shape[1]):
        total[:, days:] += lag[:, days : days + 1] * cdf[:, : width - days]
    return np.minimum(total, 1.0)


def _invoices(book: Book, as_of: datetime) -> pl.DataFrame:
    known = standing(book.facts.spans("invoice"), as_of).filter(pl.col("amount_minor") > 0)
    return known.select(
        "entity_id", "invoice_id", "order_id", "customer_id", "currency", "amount_minor", "issue_date", "instalments"
    )


def _ordered_shares(book: Book, invoices: pl.DataFrame, as_of: datetime) -> dict[str, float]:
    """Of the invoices of the last quarter: how many name an order that was in the books before their day."""
    first = first_days(book.zones, as_of)
    recent = invoices.join(first, on="entity_id").filter(
        (pl.col("first_day") - pl.col("issue_date")).dt.total_days() <= HORIZON_DAYS
    )
    told = book.facts.spans("order").group_by("entity_id", "order_id").agg(told=pl.col("known_from").min().dt.date())
    found = recent.join(told, on=["entity_id", "order_id"], how="left")
    before = (pl.col("told") < pl.col("issue_date")).fill_null(value=False)
    return dict(found.group_by("entity_id").agg(before.mean()).sort("entity_id").iter_rows())


def _not_yet_billed(orders: pl.DataFrame, book: Book, as_of: datetime) -> pl.DataFrame:
    """Orders with the amount that no invoice in their currency has billed yet; without those billed in full.

    Whatever their status says: it may lag behind.
    """
    key = ["entity_id", "order_id", "currency"]
    billed = _invoices(book, as_of).group_by(key).agg(billed_minor=pl.col("amount_minor").sum())
    left = pl.col("amount_minor") - pl.col("billed_minor").fill_null(0)
    return orders.join(billed, on=key, how="left").with_columns(amount_minor=left).filter(pl.col("amount_minor") > 0)


def _as_invoices(orders: pl.DataFrame, book: Book, as_of: datetime, wait_days: Floats) -> pl.DataFrame:
    """SUBJECT rows of the invoices the orders become, on the day they are expected, under the customer's last terms."""
    last = (
        _invoices(book, as_of)
        .sort("issue_date", "invoice_id")
        .with_columns(_due=pl.col("instalments").list.first().struct.field("due_date"))
        .with_columns(terms=(pl.col("_due") - pl.col("issue_date")).dt.total_days())
        .group_by("entity_id", "customer_id")
        .agg(pl.col("terms").last())
    )
    billed = pl.Series("billed", np.rint(wait_days).astype(np.int64))
    return (
        orders.with_columns(billed)
        .join(last, on=["entity_id", "customer_id"], how="left", maintain_order="left")
        .with_columns(issue_date=pl.col("first_day") + pl.duration(days="billed"))
        .with_columns(
            due_date=pl.col("issue_date") + pl.duration(days=pl.col("terms").fill_null(USUAL_TERMS_DAYS)),
            invoice_id="order_id",
            instalment=pl.lit(1, pl.Int64),
            cutoff_day="issue_date",
            cutoff=pl.lit(as_of, INSTANT),
        )
        .select(SUBJECT)
    )
