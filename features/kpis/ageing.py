"""The ageing that everything ties to: what is open as of T by days past due, to the cent.

Open is what the books say: a receivable's amount less what was allocated to it, of either sign. So the buckets of a
group sum to its open receivables, whatever was overpaid, credited or billed with a negative sign. `debit_minor` is
what customers owe (and can fail to pay), `credit_minor` what the seller owes them on the same ledger; open is their
sum. Credit notes and cash that nobody has allocated are no receivables and stand apart (`features.kpis.views`).
"""

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from features.book import Book
from features.contracts import require_schema
from features.errors import BadSetting
from features.kpis.asof import ATTRIBUTES, AsOf
from features.kpis.buckets import BUCKETS

BOOKS = ("entity_id", "currency")
MORE = ("customer_id", *ATTRIBUTES)

AMOUNTS: dict[str, pl.DataType] = {
    "receivables": pl.Int64(),
    "open_minor": pl.Int64(),
    "debit_minor": pl.Int64(),
    "credit_minor": pl.Int64(),
}


def ageing(book: Book, as_of: date | datetime, by: Sequence[str] = ()) -> pl.DataFrame:
    """One row per group and bucket, every bucket of every group with anything open: `ageing_schema(by)`.

    as_of  an instant, or a day: its start where each entity is
    by     columns beside entity and currency, of `MORE`; the customer's attributes as they stood at `as_of`

    `BadSetting` for a column that is not one of them.
    """
    return aged(AsOf.of(book, as_of), by)


def aged(at: AsOf, by: Sequence[str] = ()) -> pl.DataFrame:
    """`ageing` of a look at the books."""
    schema = ageing_schema(by)
    keys = [*BOOKS, *by]
    rows = at.with_attributes(at.receivables)
    sums = rows.group_by(*keys, "bucket").agg(
        receivables=pl.len().cast(pl.Int64),
        open_minor=pl.col("open_minor").sum(),
        debit_minor=pl.col("open_minor").clip(lower_bound=0).sum(),
        credit_minor=pl.col("open_minor").clip(upper_bound=0).sum(),
    )
    every = rows.select(keys).unique().join(_buckets(), how="cross")
    found = every.join(sums, on=[*keys, "bucket"], how="left", nulls_equal=True).with_columns(
        pl.col(list(AMOUNTS)).fill_null(0)
    )
    frame = found.sort(*keys, "_place").select(list(schema))
    require_schema(frame, schema, "the rows of an ageing")
    return frame


def ageing_schema(by: Sequence[str] = ()) -> dict[str, pl.DataType]:
    """Column -> type: entity, currency, `by`, bucket, AMOUNTS."""
    strangers = [column for column in by if column not in MORE]
    if strangers:
        raise BadSetting(f"an ageing by {strangers[0]!r}; allowed: {', '.join(MORE)}")
    return {name: pl.String() for name in (*BOOKS, *by, "bucket")} | AMOUNTS


def _buckets() -> pl.DataFrame:
    return pl.DataFrame({"bucket": [b.label for b in BUCKETS], "_place": range(len(BUCKETS))})
