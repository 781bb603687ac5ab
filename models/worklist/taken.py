"""What an open dispute or promise takes out of what a contact is about, as known before each cutoff, in words."""

from datetime import timedelta

import polars as pl

from features.book import Book
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.promises import TOLERANCE_DAYS, promises_known
from models.worklist.past_due import CONTACTED, stood

INVOICE = ("entity_id", "invoice_id")
WORDS = ("hold", "reason", "released_by")
DISPUTED, PROMISED = "disputed", "promised"


def taken(book: Book, owed: pl.DataFrame) -> pl.DataFrame:
    """CONTACTED, invoice_id (null: the whole account), hold, reason, released_by.

    owed  rows of `models.worklist.past_due`; what names an invoice takes it from whoever owes it: a parent may
          dispute, or promise, what its child was sent
    """
    return pl.concat([_disputed(book, owed), _promised(book, owed)])


def not_taken(owed: pl.DataFrame, took: pl.DataFrame) -> pl.DataFrame:
    """The rows of `owed` that nothing of `taken` is about."""
    left = owed.join(took.drop_nulls("invoice_id"), on=[*CONTACTED, "invoice_id"], how="anti", maintain_order="left")
    whole = took.filter(pl.col("invoice_id").is_null())
    return left.join(whole, on=CONTACTED, how="anti", maintain_order="left")


def _disputed(book: Book, owed: pl.DataFrame) -> pl.DataFrame:
    still = (pl.col("status") == "open") & (
        pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("cutoff_day"))
    )
    rows = _about(book.facts.spans("dispute"), owed).filter(stood() & still).sort("entity_id", "dispute_id")
    since = pl.col("opened_on").cast(pl.String)
    why = pl.col("reason").str.replace_all("_", " ", literal=True).fill_null("no reason given")
    what = pl.col("invoice_id").fill_null("the whole account")
    return rows.select(
        *CONTACTED,
        "invoice_id",
        hold=pl.lit(DISPUTED),
        reason=pl.format("disputed since {} ({}): {}", since, why, what),
        released_by=pl.format("dispute {} being closed", pl.col("dispute_id")),
    )


def _promised(book: Book, owed: pl.DataFrame) -> pl.DataFrame:
    """By the promises that `promises_known` holds to be open and to cover what they are about at each cutoff."""
    lasts = pl.col("promised_for") + pl.duration(days=TOLERANCE_DAYS) >= pl.col("cutoff_day")
    maybe = _about(book.facts.spans("promise"), owed).filter(stood() & lasts)["cutoff"].unique().sort()
    items = owed.select(*CONTACTED, *RECEIVABLE[1:])
    none = items.head(0).select(*CONTACTED, "invoice_id", **dict.fromkeys(WORDS, pl.lit("")))
    at_each = ((items.filter(pl.col("cutoff") == at), promises_known(book, at).open) for at in maybe)
    return pl.concat([none, *(_promised_at(some, known) for some, known in at_each)])


def _promised_at(items: pl.DataFrame, promises: pl.DataFrame) -> pl.DataFrame:
    rows = items.join(promises.drop("customer_id"), on=RECEIVABLE, maintain_order="left_right")
    day, made, broken = (
        e.cast(pl.String) for e in (pl.col("promised_for"), pl.col("made_on"), pl.col("due_by") + timedelta(days=1))
    )
    return rows.select(
        *CONTACTED,
        "invoice_id",
        hold=pl.lit(PROMISED),
        reason=pl.format("{} promised for {} on {}", pl.col("invoice_id"), day, made),
        released_by=pl.format("the promise being kept, or {} when it is broken", broken),
    )


def _about(told: pl.DataFrame, owed: pl.DataFrame) -> pl.DataFrame:
    """Disputes or promises beside each contact that owes the invoice they name, or whose account they are about."""
    items, contacts = owed.select(*CONTACTED, "invoice_id").unique(), owed.select(CONTACTED).unique()
    named = told.drop_nulls("invoice_id").drop("customer_id").join(items, on=INVOICE)
    whole = told.filter(pl.col("invoice_id").is_null()).join(contacts, on=CUSTOMER)
    return pl.concat([named, whole.select(named.columns)])
