"""One look at the books: what stood when the day began where each entity is, and the period before that day."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import polars as pl

from features.book import Book
from features.calendars import instant, with_day_of, with_day_start
from features.errors import NotFound
from features.kpis.buckets import bucket_of
from features.masters import CUSTOMER
from features.tables import INSTANT

ATTRIBUTES = ("segment", "parent_id", "collector")


@dataclass(frozen=True)
class AsOf:
    """`book` as known before each entity's `cutoff`.

    cutoffs  entity_id, cutoff, cutoff_day: one row an entity
    """

    book: Book
    cutoffs: pl.DataFrame

    @staticmethod
    def of(book: Book, as_of: date | datetime) -> "AsOf":
        """As of an instant, the same for all; or of a day, which starts where the entity is.

        `NotFound` where the ledger has no entity; `BadInput` for a day long after all that it knows.
        """
        zones = book.zones.select("entity_id", "time_zone")
        if zones.is_empty():
            raise NotFound("the ledger is empty; ingest some invoices first")
        if isinstance(as_of, datetime):
            at = zones.with_columns(cutoff=pl.lit(instant(as_of), INSTANT))
            return AsOf(book, with_day_of(at, "cutoff", zones, "cutoff_day").drop("time_zone"))
        book.refuse_unreached(as_of)
        days = zones.with_columns(cutoff_day=pl.lit(as_of))
        return AsOf(book, with_day_start(days, "cutoff_day", zones, "cutoff").drop("time_zone"))

    def earlier(self, days: int) -> "AsOf":
        """The same books at the start of the day that many days before."""
        moved = self.cutoffs.with_columns(pl.col("cutoff_day") - pl.duration(days=days))
        return AsOf(self.book, with_day_start(moved, "cutoff_day", self.book.zones, "cutoff"))

    def standing(self, spans: pl.DataFrame) -> pl.DataFrame:
        """The rows of `spans` that were the word at their entity's cutoff, with `cutoff_day`."""
        return self.told(spans).filter(pl.col("known_to").is_null()).drop("known_from", "known_to")

    def told(self, spans: pl.DataFrame) -> pl.DataFrame:
        """Every row of `spans` learnt before its entity's cutoff; that it ends at the cutoff or later nobody knew."""
        rows = spans.join(self.cutoffs, on="entity_id", maintain_order="left")
        ended = pl.when(pl.col("known_to") < pl.col("cutoff")).then("known_to")
        return rows.filter(pl.col("known_from") < pl.col("cutoff")).with_columns(known_to=ended).drop("cutoff")

    def facts(self, table: str) -> pl.DataFrame:
        """The table's own columns as they stood, with `cutoff_day`."""
        return self.standing(self.book.facts.spans(table))

    @cached_property
    def ledger(self) -> pl.DataFrame:
        """Every receivable that stood, settled ones too: `features.ledger.receivable_states` with `cutoff_day`."""
        return self.standing(self.book.states)

    @cached_property
    def receivables(self) -> pl.DataFrame:
        """Those of `ledger` of which something is open, of either sign, with `past_due_days` and `bucket`."""
        past_due = (pl.col("cutoff_day") - pl.col("due_date")).dt.total_days()
        still_open = self.ledger.filter(pl.col("open_minor") != 0).with_columns(past_due_days=past_due)
        return still_open.with_columns(bucket=bucket_of("past_due_days"))

    @cached_property
    def allocations(self) -> pl.DataFrame:
        """What settled a receivable that stood, in its currency, with the receivable's `customer_id`."""
        on = ["entity_id", "invoice_id", "instalment", "currency"]
        owed = self.ledger.select(*on, "customer_id", "issue_date")
        return self.facts("allocation").join(owed, on=on, maintain_order="left")

    @cached_property
    def customers(self) -> pl.DataFrame:
        """CUSTOMER and ATTRIBUTES of every customer with a record."""
        return self.facts("customer").select(*CUSTOMER, *ATTRIBUTES)

    def with_attributes(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with the customer's ATTRIBUTES, null where nobody knows them."""
        return rows.join(self.customers, on=CUSTOMER, how="left", maintain_order="left")
