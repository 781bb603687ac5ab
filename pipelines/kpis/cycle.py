"""Invoice-to-cash cycle time: days from the order to the day on which its cash was applied."""

import polars as pl
from msgspec import Struct

from features.book import Book
from features.calendars import with_day_of
from features.facts import standing
from features.ledger import RECEIVABLE
from services.work_done import Period

DEFINITION = (
    "Days from the order date (the issue date where the lake knows no order) to the day on which the books first had "
    "the whole invoice as settled, or to the value date of the money where that is later. Invoices settled in the "
    "period; those credited or written off by half or more are left out."
)
INVOICE = ("entity_id", "invoice_id")


class Cycle(Struct, frozen=True):
    """Of one entity and currency. `from_order`: how many of the invoices are counted from an order."""

    entity_id: str
    currency: str
    invoices: int
    from_order: int
    median_days: float
    p90_days: float


def cycle_times(book: Book, period: Period) -> list[Cycle]:
    """By entity and currency, as the books stood at the end of the period; quantiles are interpolated."""
    settled = _started(book, _settled(book, period))
    days = (pl.col("applied_on") - pl.col("started_on")).dt.total_days()
    found = settled.group_by("entity_id", "currency").agg(
        pl.len(),
        pl.col("order_date").is_not_null().sum(),
        days.median().alias("median"),
        days.quantile(0.9, "linear").alias("p90"),
    )
    return [Cycle(*row) for row in found.sort("entity_id", "currency").iter_rows()]


def _settled(book: Book, period: Period) -> pl.DataFrame:
    """INVOICE, currency, issue_date, applied_on of every invoice whose last instalment was settled in the period."""
    owed = standing(book.states, period.until).filter(pl.col("amount_minor") > 0)
    applied = owed.join(_applied_at(book.states), on=RECEIVABLE, how="left")
    invoices = applied.group_by(INVOICE).agg(
        pl.col("currency").first(),
        pl.col("issue_date").first(),
        pl.col("paid_date").max(),
        pl.col("applied_at").max(),
        whole=pl.col("paid_date").is_not_null().all() & ~pl.col("cancelled").any(),
    )
    inside = pl.col("applied_at").is_between(period.since, period.until, closed="left")
    dated = with_day_of(invoices.filter("whole", inside), "applied_at", book.zones, "_known_on")
    return dated.with_columns(applied_on=pl.max_horizontal("paid_date", "_known_on"))


def _applied_at(states: pl.DataFrame) -> pl.DataFrame:
    """RECEIVABLE, applied_at: since when each has been settled without being opened again."""
    paid = pl.col("paid_date").is_not_null()
    opened = states.filter(~paid).group_by(RECEIVABLE).agg(open_until=pl.col("known_to").max())
    after = pl.col("open_until").is_null() | (pl.col("known_from") >= pl.col("open_until"))
    settled = states.filter(paid).join(opened, on=RECEIVABLE, how="left").filter(after)
    return settled.group_by(RECEIVABLE).agg(applied_at=pl.col("known_from").min())


def _started(book: Book, settled: pl.DataFrame) -> pl.DataFrame:
    """With `order_date`, null where no order is known, and `started_on`."""
    billed = book.facts.latest("invoice").select(*INVOICE, "order_id")
    orders = book.facts.latest("order").select("entity_id", "order_id", "order_date")
    known = settled.join(billed, on=INVOICE, how="left").join(orders, on=["entity_id", "order_id"], how="left")
    return known.with_columns(started_on=pl.coalesce("order_date", "issue_date"))
