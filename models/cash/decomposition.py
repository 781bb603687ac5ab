"""Why a past forecast was off: timing, amount, new business, disputes; the parts sum to forecast - actual exactly.

Per series and the days from the forecast's first day to before `until`:

disputes       receivables with a dispute that was open since the forecast, or that ended as credit or write-off
amount         the other open receivables, where paid in full before `until`: what they were to bring less what they did
timing         what is left of the open receivables: the right cash in another period
new_business   cash expected of orders and business not booked, less cash of what was not in the books
corrections    cash of what the forecast took for settled: allocations taken back or made anew
level          what recalibration and rounding added to the open receivables' expected cash
"""

from datetime import date, timedelta

import msgspec
import numpy as np
import polars as pl

from features.book import Book
from features.errors import BadInput
from features.facts import standing
from features.ledger import RECEIVABLE
from models.cash.claims import HORIZON_DAYS, OPEN
from models.cash.forecast import LookAhead
from models.cash.receipts import receipts_after

ONE_DAY = timedelta(days=1)
PARTS = ("timing", "amount", "new_business", "disputes", "corrections", "level")


class Decomposition(msgspec.Struct, frozen=True, kw_only=True):
    """One series: forecast (mean), actual, and the parts of their difference, in whole minor units."""

    entity_id: str
    currency: str
    first_day: date
    last_day: date
    forecast_minor: int
    actual_minor: int
    timing_minor: int
    amount_minor: int
    new_business_minor: int
    disputes_minor: int
    corrections_minor: int
    level_minor: int

    @property
    def parts_minor(self) -> dict[str, int]:
        """Part -> minor units, in the order of `PARTS`."""
        return {name: getattr(self, f"{name}_minor") for name in PARTS}


def decompose(seen: LookAhead, book: Book, until: date) -> list[Decomposition]:
    """One answer per series of the forecast or of the cash that came, in order. `book` knows what happened since.

    `BadInput` unless `until` lies within the forecast.
    """
    days = {entity: (until - first).days for entity, first in seen.first_day.items()}
    if not all(1 <= d <= HORIZON_DAYS for d in days.values()):
        raise BadInput(f"until is {until}; allowed: 1 to {HORIZON_DAYS} days after {min(seen.first_day.values())}")
    learnt = receipts_after(book.facts, seen.as_of, book.zones, known=seen.book.facts)
    came = learnt.filter(pl.col("day") < until)
    items = _items(seen, book, came, days, until)
    strays = _strays(seen, came)
    series = sorted(set(seen.draws.series) | set(came.select("entity_id", "currency").iter_rows()))
    return [_of(seen, key, items, strays, came, days[key[0]], until) for key in series]


def _of(
    seen: LookAhead,
    key: tuple[str, str],
    items: pl.DataFrame,
    strays: pl.DataFrame,
    came: pl.DataFrame,
    days: int,
    until: date,
) -> Decomposition:
    mean = np.zeros(3)
    if key in seen.draws.series:
        mean = seen.draws.amount[:, seen.draws.series.index(key)].mean(axis=0)[:, :days].sum(axis=1)
    told_open, told_orders, told_new = (int(np.rint(m)) for m in mean)
    own = _one(items, key)
    disputed = int(own.filter(pl.col("part") == "disputes")["off"].sum())
    off, paid_short = int(own["off"].sum()), int(own["short"].sum())
    stray = _one(strays, key)
    new, corrected = (int(stray.filter(pl.col("new") == flag)["amount_minor"].sum()) for flag in (True, False))
    return Decomposition(
        entity_id=key[0],
        currency=key[1],
        first_day=seen.first_day[key[0]],
        last_day=until - ONE_DAY,
        forecast_minor=told_open + told_orders + told_new,
        actual_minor=int(_one(came, key)["amount_minor"].sum()),
        timing_minor=off - disputed - paid_short,
        amount_minor=paid_short,
        new_business_minor=told_orders + told_new - new,
        disputes_minor=disputed,
        corrections_minor=-corrected,
        level_minor=told_open - int(own["expected"].sum()),
    )


def _one(rows: pl.DataFrame, key: tuple[str, str]) -> pl.DataFrame:
    return rows.filter(pl.col("entity_id") == key[0], pl.col("currency") == key[1])


def _items(seen: LookAhead, book: Book, came: pl.DataFrame, days: dict[str, int], until: date) -> pl.DataFrame:
    """The forecast's open receivables: expected and off (expected - actual) in the period, part, short."""
    rows = seen.claims.head.filter(pl.col("component") == OPEN)
    where = np.flatnonzero((seen.claims.head["component"] == OPEN).to_numpy())
    last = np.array([days[e] - 1 for e in rows["entity_id"]], dtype=np.int64)
    amount = rows["amount_minor"].to_numpy()
    expected = np.rint(amount * seen.claims.cdf[where, last]).astype(np.int64)
    cash = came.group_by(*RECEIVABLE, "currency").agg(cash=pl.col("amount_minor").sum())
    ended = book.states.filter(pl.col("known_to").is_null()).select(*RECEIVABLE, "paid_date", "cancelled")
    found = (
        rows.with_columns(expected=pl.Series(expected))
        .join(cash, on=[*RECEIVABLE, "currency"], how="left", maintain_order="left")
        .join(ended, on=RECEIVABLE, how="left", maintain_order="left")
        .with_columns(pl.col("cash").fill_null(0))
        .join(_disputed(seen, book), on=["entity_id", "invoice_id"], how="left", maintain_order="left")
    )
    disputed = pl.col("disputed").fill_null(value=False) | pl.col("cancelled").fill_null(value=False)
    # the rest of what was paid in part comes in another period
    paid = (pl.col("paid_date") < until).fill_null(value=False) & (pl.col("cash") > 0)
    part = pl.when(disputed).then(pl.lit("disputes")).when(paid).then(pl.lit("amount")).otherwise(pl.lit("timing"))
    told = found.with_columns(off=pl.col("expected") - pl.col("cash"), part=part)
    short = pl.when(pl.col("part") == "amount").then(pl.col("amount_minor") - pl.col("cash")).otherwise(0)
    return told.with_columns(short=short)


def _disputed(seen: LookAhead, book: Book) -> pl.DataFrame:
    """entity_id, invoice_id, disputed: under a dispute that was open at or after the forecast."""
    cases = book.facts.latest("dispute").drop_nulls("invoice_id")
    since = pl.col("closed_on").is_null() | (pl.col("closed_on") >= seen.as_of.date())
    return cases.filter(since).select("entity_id", "invoice_id", disputed=pl.lit(value=True)).unique()


def _strays(seen: LookAhead, came: pl.DataFrame) -> pl.DataFrame:
    """Cash of receivables that the forecast did not count as open; `new` where its books did not know them."""
    counted = seen.claims.head.filter(pl.col("component") == OPEN).select(*RECEIVABLE, "currency")
    known = standing(seen.book.states, seen.as_of).select(*RECEIVABLE, new=pl.lit(value=False))
    others = came.join(counted, on=[*RECEIVABLE, "currency"], how="anti")
    return others.join(known, on=RECEIVABLE, how="left").with_columns(pl.col("new").fill_null(value=True))
