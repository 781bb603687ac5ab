"""Invoice-to-cash cycle time: days from the order to the day on which its cash was applied."""

import polars as pl

from features.calendars import with_day_of
from features.kpis.asof import AsOf
from features.ledger import RECEIVABLE

DEFINITION = (
    "Days from the order date (the issue date where the lake knows no order) to the day on which the books first had "
    "the whole invoice as settled, or to the value date of the money where that is later. Invoices settled in the "
    "period; those credited or written off by half or more are left out."
)
INVOICE = ("entity_id", "invoice_id")


def settled_invoices(since: AsOf, until: AsOf) -> pl.DataFrame:
    """One row per invoice whose last instalment was settled from the one look at the books until before the other.

    entity_id, currency, customer_id, invoice_id, issue_date, `order_date` (null where no order is known), `cycle_days`.
    """
    settled = _started(until, _settled(since, until))
    days = (pl.col("applied_on") - pl.coalesce("order_date", "issue_date")).dt.total_days()
    return settled.select(
        "entity_id", "currency", "customer_id", "invoice_id", "issue_date", "order_date", cycle_days=days
    )


def _settled(since: AsOf, until: AsOf) -> pl.DataFrame:
    """INVOICE, customer_id, currency, issue_date, applied_on."""
    owed = until.ledger.filter(pl.col("amount_minor") > 0)
    invoices = (
        owed.join(_applied_at(until), on=RECEIVABLE, how="left")
        .group_by(INVOICE)
        .agg(
            pl.col("customer_id", "currency", "issue_date").first(),
            pl.col("paid_date").max(),
            pl.col("applied_at").max(),
            whole=pl.col("paid_date").is_not_null().all() & ~pl.col("cancelled").any(),
        )
    )
    begun = invoices.join(since.cutoffs.select("entity_id", _since="cutoff"), on="entity_id")
    inside = begun.filter("whole", pl.col("applied_at") >= pl.col("_since"))
    dated = with_day_of(inside, "applied_at", until.book.zones, "_known_on")
    return dated.with_columns(applied_on=pl.max_horizontal("paid_date", "_known_on"))


def _applied_at(at: AsOf) -> pl.DataFrame:
    """RECEIVABLE, applied_at: since when each has been settled without being opened again."""
    states = at.told(at.book.states)
    paid = pl.col("paid_date").is_not_null()
    opened = states.filter(~paid).group_by(RECEIVABLE).agg(open_until=pl.col("known_to").max())
    after = pl.col("open_until").is_null() | (pl.col("known_from") >= pl.col("open_until"))
    settled = states.filter(paid).join(opened, on=RECEIVABLE, how="left").filter(after)
    return settled.group_by(RECEIVABLE).agg(applied_at=pl.col("known_from").min())


def _started(at: AsOf, settled: pl.DataFrame) -> pl.DataFrame:
    """With `order_date`, null where no order is known."""
    billed = at.facts("invoice").select(*INVOICE, "order_id")
    orders = at.facts("order").select("entity_id", "order_id", "order_date")
    return settled.join(billed, on=INVOICE, how="left").join(orders, on=["entity_id", "order_id"], how="left")
