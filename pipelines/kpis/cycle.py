"""Invoice-to-cash cycle time of a period, by entity and currency; `features.kpis.cycle` defines it."""

import polars as pl
from msgspec import Struct

from features.book import Book
from features.kpis.asof import AsOf
from features.kpis.cycle import DEFINITION, settled_invoices
from services.work_done import Period

__all__ = ["DEFINITION", "Cycle", "cycle_times"]


class Cycle(Struct, frozen=True):
    """Of one entity and currency. `from_order`: how many of the invoices are counted from an order."""

    entity_id: str
    currency: str
    invoices: int
    from_order: int
    median_days: float
    p90_days: float


def cycle_times(book: Book, period: Period) -> list[Cycle]:
    """By entity and currency, as the books stood at the end of the period; quantiles interpolated. May be empty."""
    if book.zones.is_empty():  # the other figures of a landscape may be asked for before anything has landed
        return []
    settled = settled_invoices(AsOf.of(book, period.since), AsOf.of(book, period.until))
    found = settled.group_by("entity_id", "currency").agg(
        pl.len(),
        pl.col("order_date").is_not_null().sum(),
        pl.col("cycle_days").median().alias("median"),
        pl.col("cycle_days").quantile(0.9, "linear").alias("p90"),
    )
    return [Cycle(*row) for row in found.sort("entity_id", "currency").iter_rows()]
