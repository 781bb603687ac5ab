"""Cash that came in: the one definition that forecasts, baselines and decompositions are held against.

A receipt is an allocation of kind `payment`, in the invoice's currency, on its value date. After an instant `as_of`
comes what the books did not know then: money that was at the bank already but not in the books counts on the first
day, a corrected allocation counts by its difference. Unapplied cash, overpayments and refunds belong to no receivable
and are left out.
"""

from datetime import datetime

import polars as pl

from features.calendars import with_day_of
from features.facts import Facts, standing
from features.ledger import RECEIVABLE

RECEIPT = (*RECEIVABLE, "customer_id", "currency", "day", "amount_minor")


def receipts(facts: Facts) -> pl.DataFrame:
    """RECEIPT rows of everything paid, as it stands after all that is known."""
    return _with_customer(_by_day(facts.latest("allocation")), facts)


def receipts_after(facts: Facts, as_of: datetime, zones: pl.DataFrame, *, known: Facts | None = None) -> pl.DataFrame:
    """RECEIPT rows of what was learnt from `as_of` on; no day lies before the day of `as_of` where the entity is.

    known  what was known at `as_of`, where that is less than all that `facts` had learnt before it
    """
    past = standing((known or facts).spans("allocation"), as_of)
    before = _by_day(past).with_columns(-pl.col("amount_minor"))
    news = pl.concat([_by_day(facts.latest("allocation")), before])
    first = first_days(zones, as_of)
    clipped = news.join(first, on="entity_id").with_columns(day=pl.max_horizontal("day", "first_day"))
    keys = [c for c in news.columns if c != "amount_minor"]
    added = clipped.group_by(keys).agg(pl.col("amount_minor").sum()).filter(pl.col("amount_minor") != 0)
    return _with_customer(added.sort(keys), facts)


def first_days(zones: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """entity_id, first_day: the day of `as_of` where each entity is."""
    at = zones.select("entity_id", "time_zone").with_columns(_at=pl.lit(as_of))
    return with_day_of(at, "_at", zones, "first_day").select("entity_id", "first_day")


def _by_day(allocations: pl.DataFrame) -> pl.DataFrame:
    paid = allocations.filter(pl.col("kind") == "payment")
    return paid.select(*RECEIVABLE, "currency", pl.col("date").alias("day"), "amount_minor")


def _with_customer(rows: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    """A document that was taken back since has no customer: its cash stays, under an empty name."""
    owners = facts.latest("invoice").select("entity_id", "invoice_id", "customer_id", _owed_in="currency")
    joined = rows.join(owners, on=["entity_id", "invoice_id"], how="left", maintain_order="left")
    found = joined.filter((pl.col("currency") == pl.col("_owed_in")).fill_null(value=True))
    return found.with_columns(pl.col("customer_id").fill_null("")).select(RECEIPT)
