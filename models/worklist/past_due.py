"""What a customer owes past due, as it stood before an instant.

A CONTACTED row is a customer at a cutoff: entity_id, customer_id, cutoff_day, cutoff. The same functions look at the
contacts of the past, to learn what they did, and at today's candidates.
"""

from collections.abc import Sequence

import polars as pl

from features.book import Book
from features.events import cents
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER

CONTACTED = (*CUSTOMER, "cutoff_day", "cutoff")
ACCOUNT = (*CONTACTED, "currency")
CONTACTS_AT_ONCE = 2_000


def past_due(book: Book, contacted: pl.DataFrame, *, soon_days: int = 0) -> pl.DataFrame:
    """What each CONTACTED row owed, as known before its cutoff, ordered by it and by age.

    CONTACTED, RECEIVABLE, currency, issue_date, due_date, amount_minor, open_minor, `past_due_days`, `rate` and
    `open_cents` (hundredths of the entity's currency, null where no rate was known): one row for every receivable
    that was past due, or due within `soon_days`.
    """
    owed = book.states.filter((pl.col("open_minor") > 0) & (pl.col("amount_minor") > 0))
    parts = [_past_due(owed, some, soon_days) for some in at_once(contacted)]
    rows = book.masters.valued(pl.concat(parts), at="cutoff", strictly=True)
    known = rows.with_columns(open_cents=cents("open_minor")).drop("segment", "country")
    return known.sort("cutoff", *CUSTOMER, "due_date", "invoice_id", "instalment")


def at_once(contacted: pl.DataFrame) -> list[pl.DataFrame]:
    """The CONTACTED rows, each once, in parts that fit into memory beside what they are joined to; at least one."""
    rows = contacted.select(CONTACTED).unique(maintain_order=True)
    return [rows[at : at + CONTACTS_AT_ONCE] for at in range(0, max(len(rows), 1), CONTACTS_AT_ONCE)]


def less(rows: pl.DataFrame, column: str, amounts: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """`rows` with what `amounts` (`on`, and one amount) leave of `column`, the oldest taken off first, in their order.

    Never below zero; of what nothing is left of, there is no row.
    """
    (amount,) = set(amounts.columns) - set(on)
    beside = rows.join(amounts, on=on, how="left", maintain_order="left")
    older = pl.col(column).cum_sum().over(on, order_by=["due_date", "invoice_id", "instalment"])
    over = (older - pl.col(amount).fill_null(0)).clip(lower_bound=0)
    left = beside.with_columns(pl.min_horizontal(column, over).alias(column)).drop(amount)
    return left.filter(pl.col(column) > 0)


def stood() -> pl.Expr:
    """Whether what was the word from `known_from` to `known_to` was known before `cutoff` and not yet replaced."""
    ended_later = pl.col("known_to").is_null() | (pl.col("known_to") >= pl.col("cutoff"))
    return (pl.col("known_from") < pl.col("cutoff")) & ended_later


def _past_due(owed: pl.DataFrame, contacted: pl.DataFrame, soon_days: int) -> pl.DataFrame:
    due = pl.col("due_date") < pl.col("cutoff_day") + pl.duration(days=soon_days)
    return (
        contacted.join(owed, on=CUSTOMER)
        .filter(stood() & due)
        .select(
            *CONTACTED,
            *RECEIVABLE[1:],
            "currency",
            "issue_date",
            "due_date",
            "amount_minor",
            "open_minor",
            past_due_days=(pl.col("cutoff_day") - pl.col("due_date")).dt.total_days(),
        )
    )
