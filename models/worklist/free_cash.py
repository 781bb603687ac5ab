"""Cash and credits of a customer that settle nothing yet, and what they leave to ask for."""

import polars as pl

from features.book import Book
from features.events import cents
from features.masters import CUSTOMER
from models.worklist.past_due import CONTACTED, at_once, stood

SOURCE_OF_CASH = ("entity_id", "kind", "from_id")
ACCOUNT = (*CONTACTED, "currency")


def free_cash(book: Book, contacted: pl.DataFrame) -> pl.DataFrame:
    """CONTACTED, currency, free_minor: what was not put to anything yet, as known before each cutoff; above zero."""
    sources, parts = _sources(book), _parts(book)
    return pl.concat([_free(sources, parts, some) for some in at_once(contacted)])


def less_cash(owed: pl.DataFrame, free: pl.DataFrame) -> pl.DataFrame:
    """`owed` with asked_minor and asked_cents: what `free_cash` does not cover, the oldest covered first.

    Currency by currency; what is covered in full is left out.
    """
    rows = owed.join(free, on=ACCOUNT, how="left", maintain_order="left")
    older = pl.col("open_minor").cum_sum().over(ACCOUNT, order_by=["due_date", "invoice_id", "instalment"])
    over = (older - pl.col("free_minor").fill_null(0)).clip(lower_bound=0)
    asked = rows.with_columns(asked_minor=pl.min_horizontal("open_minor", over)).drop("free_minor")
    return asked.filter(pl.col("asked_minor") > 0).with_columns(asked_cents=cents("asked_minor"))


def _sources(book: Book) -> pl.DataFrame:
    cash, notes = book.facts.spans("payment").drop_nulls("customer_id"), book.facts.spans("credit_note")
    own = (*CUSTOMER, "currency", "known_from", "known_to")
    return pl.concat(
        [
            cash.select(*own, "amount_minor", kind=pl.lit("payment"), from_id="payment_id"),
            notes.select(*own, -pl.col("amount_minor"), kind=pl.lit("credit_note"), from_id="credit_note_id"),
        ]
    )


def _parts(book: Book) -> pl.DataFrame:
    told = book.facts.spans("allocation").drop_nulls("from_id")
    part = pl.coalesce("paid_minor", "amount_minor")
    return told.select(*SOURCE_OF_CASH, "known_from", "known_to", part_minor=part)


def _free(sources: pl.DataFrame, parts: pl.DataFrame, contacted: pl.DataFrame) -> pl.DataFrame:
    there = contacted.join(sources, on=CUSTOMER).filter(stood()).drop("known_from", "known_to")
    each = [*CONTACTED, *SOURCE_OF_CASH[1:]]
    put = there.select(each).join(parts, on=SOURCE_OF_CASH).filter(stood())
    used = put.group_by(each).agg(pl.col("part_minor").sum())
    left = pl.col("amount_minor") - pl.col("part_minor").fill_null(0)
    rows = there.join(used, on=each, how="left").group_by(ACCOUNT).agg(free_minor=left.sum())
    return rows.filter(pl.col("free_minor") > 0)
