"""What a customer is owed: cash and credits that settle nothing yet, and what they leave to ask for.

Cash is a payment less what it was put to. Credits are credit notes less what they were put to, negative invoices as far
as they are open, and what was paid or credited on an invoice beyond its amount. Whether something is due makes no
difference: it can be set off now. Like the `net_ar` of the key figures, currency by currency.
"""

import polars as pl

from features.book import Book
from features.events import cents
from features.masters import CUSTOMER
from models.worklist.past_due import ACCOUNT, CONTACTED, at_once, less, stood

SOURCE_OF_CASH = ("entity_id", "kind", "from_id")
SPAN = ("known_from", "known_to")


def free_cash(book: Book, contacted: pl.DataFrame) -> pl.DataFrame:
    """CONTACTED, currency, free_minor, untold_minor, as known before each cutoff; accounts with either.

    free_minor    cash and credits less what they were put to; 0 where less than nothing is left
    untold_minor  of payments and credit notes that were put to an invoice in another currency, the books not saying how
                  much of them that took: all that may be left, and nothing of it is in `free_minor`
    """
    sources, parts, owing = _sources(book), _parts(book), _credits_on_invoices(book)
    return pl.concat([_free(_left(sources, parts, some), owing, some) for some in at_once(contacted)])


def less_cash(due: pl.DataFrame, free: pl.DataFrame) -> pl.DataFrame:
    """`due` with asked_minor and asked_cents: what `free_cash` does not cover of its left_minor.

    The oldest is covered first, currency by currency; what is covered in full is left out.
    """
    rows = due.with_columns(asked_minor="left_minor")
    asked = less(rows, "asked_minor", free.select(*ACCOUNT, "free_minor"), ACCOUNT)
    return asked.with_columns(asked_cents=cents("asked_minor"))


def _sources(book: Book) -> pl.DataFrame:
    cash, notes = book.facts.spans("payment").drop_nulls("customer_id"), book.facts.spans("credit_note")
    own = (*CUSTOMER, "currency", *SPAN)
    return pl.concat(
        [
            cash.select(*own, "amount_minor", kind=pl.lit("payment"), from_id="payment_id"),
            notes.select(*own, -pl.col("amount_minor"), kind=pl.lit("credit_note"), from_id="credit_note_id"),
        ]
    )


def _parts(book: Book) -> pl.DataFrame:
    told = book.facts.spans("allocation").drop_nulls("from_id")
    return told.select(*SOURCE_OF_CASH, *SPAN, "paid_minor", part_minor="amount_minor", part_currency="currency")


def _credits_on_invoices(book: Book) -> pl.DataFrame:
    """Negative invoices and those settled beyond their amount: what the customer is owed on them, below 0 for owing."""
    beyond = (pl.col("open_minor") < 0) | ((pl.col("amount_minor") < 0) & (pl.col("open_minor") != 0))
    return book.states.filter(beyond).select(*CUSTOMER, "currency", *SPAN, left_minor=-pl.col("open_minor"))


def _left(sources: pl.DataFrame, parts: pl.DataFrame, contacted: pl.DataFrame) -> pl.DataFrame:
    """What is left of each source that stood: ACCOUNT, left_minor, `_told` where every part of it is."""
    there = contacted.join(sources, on=CUSTOMER).filter(stood()).drop(SPAN)
    each = [*CONTACTED, *SOURCE_OF_CASH[1:]]
    put = there.select(*each, "currency").join(parts, on=SOURCE_OF_CASH).filter(stood())
    # cents of the invoice are no cents of the payment: across currencies only what the books say it took
    used = pl.when(pl.col("part_currency") == pl.col("currency")).then("part_minor").otherwise("paid_minor")
    sums = put.group_by(each).agg(_used=used.sum(), _told=used.is_not_null().all())
    return there.join(sums, on=each, how="left").select(
        *ACCOUNT,
        left_minor=pl.col("amount_minor") - pl.col("_used").fill_null(0),
        _told=pl.col("_told").fill_null(value=True),
    )


def _free(left: pl.DataFrame, owing: pl.DataFrame, contacted: pl.DataFrame) -> pl.DataFrame:
    on_invoices = contacted.join(owing, on=CUSTOMER).filter(stood())
    rows = pl.concat([left, on_invoices.select(*ACCOUNT, "left_minor", _told=pl.lit(value=True))])
    part, told = pl.col("left_minor"), pl.col("_told")
    sums = rows.group_by(ACCOUNT).agg(
        free_minor=part.filter(told).sum().clip(lower_bound=0),
        untold_minor=part.filter(~told).clip(lower_bound=0).sum(),
    )
    return sums.filter((pl.col("free_minor") > 0) | (pl.col("untold_minor") > 0))
