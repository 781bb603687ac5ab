"""What a cash forecast has to beat: due date plus the customer's average delay, and last year's or last month's weeks.

Each answers with (series, WEEKS) minor units, from what was known at the origin.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.book import Book
from features.facts import Facts, standing
from features.ledger import receivable_versions
from models.cash.claims import HORIZON_DAYS, WEEK_DAYS, WEEKS, Floats
from models.cash.receipts import first_days, receipts

Series = tuple[tuple[str, str], ...]
YEAR_DAYS = 364
MONTH_WEEKS = 4
MOST_SCALE = 3.0


def due_plus_delay(book: Book, as_of: datetime, series: Series) -> Floats:
    """What is open, paid in full on its due date plus its customer's average delay; overdue: on the first day.

    New business: last quarter's invoices once more, a quarter later, paid in the same way.
    """
    known = standing(book.states, as_of).filter(pl.col("amount_minor") > 0)
    first = first_days(book.zones, as_of)
    paid = known.filter(pl.col("paid_date").is_not_null() & ~pl.col("cancelled"))
    late = (pl.col("paid_date") - pl.col("due_date")).dt.total_days().mean()
    own = paid.group_by("entity_id", "customer_id").agg(delay=late)
    pooled = paid.group_by("entity_id").agg(usual=late)
    again = _last_quarter(book, as_of, first)
    columns = ["entity_id", "customer_id", "currency", "due_date", "amount_minor"]
    owed = known.filter(pl.col("open_minor") > 0).with_columns(amount_minor="open_minor").select(columns)
    rows = (
        pl.concat([owed, again.select(columns)])
        .join(own, on=["entity_id", "customer_id"], how="left")
        .join(pooled, on="entity_id", how="left")
        .join(first, on="entity_id")
    )
    delay = pl.coalesce("delay", "usual", pl.lit(0.0)).round().cast(pl.Int64)
    ahead = (pl.col("due_date") - pl.col("first_day")).dt.total_days() + delay
    return by_week(rows.with_columns(ahead=ahead.clip(0)), series)


def last_year(book: Book, as_of: datetime, series: Series) -> Floats:
    """The same week last year, scaled by the last quarter over the same quarter a year before; zero where none was."""
    came = _came(book, as_of)
    back = -came["ahead"]
    year_ago = by_week(came.with_columns(pl.col("ahead") + YEAR_DAYS), series)
    recent = _sum(came.filter(back.is_between(1, HORIZON_DAYS)), series)
    before = _sum(came.filter(back.is_between(YEAR_DAYS + 1, YEAR_DAYS + HORIZON_DAYS)), series)
    scale = np.clip(np.divide(recent, before, out=np.ones(len(series)), where=before > 0), 1 / MOST_SCALE, MOST_SCALE)
    scaled: Floats = year_ago * scale[:, None]
    return scaled


def four_weeks(book: Book, as_of: datetime, series: Series) -> Floats:
    """The mean of the last four weeks, for every week."""
    came = _came(book, as_of)
    recent = came.filter((-came["ahead"]).is_between(1, MONTH_WEEKS * WEEK_DAYS))
    return np.repeat(_sum(recent, series)[:, None] / MONTH_WEEKS, WEEKS, axis=1)


def by_week(rows: pl.DataFrame, series: Series) -> Floats:
    """(series, WEEKS) sums of `amount_minor` by `ahead`, days from the first day; what lies outside is left out."""
    number = {key: k for k, key in enumerate(series)}
    inside = rows.filter(pl.col("ahead").is_between(0, HORIZON_DAYS - 1))
    table = np.zeros((len(series), WEEKS))
    sums = inside.group_by("entity_id", "currency", week=pl.col("ahead") // WEEK_DAYS).agg(pl.col("amount_minor").sum())
    for entity, currency, week, amount in sums.iter_rows():
        if (entity, currency) in number:
            table[number[(entity, currency)], week] = amount
    return table


def _came(book: Book, as_of: datetime) -> pl.DataFrame:
    """Receipts known at `as_of`, with `ahead`: days from the first day, negative."""
    known = receipts(
        Facts.of({n: t for n, t in book.facts.before(as_of).tables.items() if n in ("allocation", "invoice")})
    )
    first = first_days(book.zones, as_of)
    return known.join(first, on="entity_id").with_columns(ahead=(pl.col("day") - pl.col("first_day")).dt.total_days())


def _sum(rows: pl.DataFrame, series: Series) -> Floats:
    total = {
        (e, c): a for e, c, a in rows.group_by("entity_id", "currency").agg(pl.col("amount_minor").sum()).iter_rows()
    }
    return np.array([float(total.get(key, 0)) for key in series])


def _last_quarter(book: Book, as_of: datetime, first: pl.DataFrame) -> pl.DataFrame:
    issued = standing(receivable_versions(book.facts), as_of).filter(pl.col("amount_minor") > 0)
    back = (pl.col("first_day") - pl.col("issue_date")).dt.total_days()
    recent = issued.join(first, on="entity_id").filter(back.is_between(1, HORIZON_DAYS))
    return recent.with_columns(pl.col("due_date") + timedelta(days=HORIZON_DAYS))
