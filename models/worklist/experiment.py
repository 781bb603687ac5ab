"""The contacts that a draw decided, and what came of them: the only rows from which the effect is learnt.

This looks forward from each contact, like `features.labels`; nothing of it may reach a feature. It is an intention to
treat: what counts is what the draw said, whether or not anybody picked up.
"""

from datetime import datetime

import polars as pl

from features.book import Book
from features.calendars import with_day_of, with_day_start
from features.facts import standing
from features.labels import knowledge_lags
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from models.worklist.asks import asks
from models.worklist.effect_features import effect_features
from models.worklist.past_due import CONTACTED

OUTCOMES = ("paid_share", "days_open")


def contact_rows(book: Book, before: datetime) -> pl.DataFrame:
    """CONTACTED, contact_id, made, chance of every contact as known just before `before`; chance null: no draw."""
    told = standing(book.facts.spans("contact"), before)
    rows = with_day_start(told, "day", book.zones, "cutoff").rename({"day": "cutoff_day"})
    return rows.select(*CONTACTED, "contact_id", "made", "chance").sort("cutoff", *CUSTOMER, "contact_id")


def experiment(book: Book, before: datetime, horizon_days: int) -> pl.DataFrame:
    """One row per drawn contact whose `horizon_days` were over and known just before `before`.

    CONTACTED, contact_id, made, chance, EFFECT_FEATURES and OUTCOMES:
    paid_share  of the amount the contact was about (`models.worklist.asks`), what was paid by the end of the horizon
    days_open   days of the horizon that it stayed unpaid on average, weighted by amount; the whole horizon where it was
    Credits and write-offs are no payment. Contacts with nothing left to ask for, or whose amounts nobody can convert,
    are left out: that depends on nothing the draw could change. A customer drawn twice on a day counts once, by the
    first.
    """
    drawn = contact_rows(book, before).filter(pl.col("chance").is_not_null())
    drawn = _mature(book, drawn.unique(CONTACTED, keep="first", maintain_order=True), before, horizon_days)
    asked = asks(book, drawn).items
    found = outcomes(book, asked, before, horizon_days)
    rows = drawn.join(effect_features(book, asked), on=CONTACTED).join(found, on=CONTACTED)
    return rows.sort("cutoff", *CUSTOMER)


def outcomes(book: Book, asked: pl.DataFrame, before: datetime, horizon_days: int) -> pl.DataFrame:
    """CONTACTED and OUTCOMES of what each contact was about, as known just before `before`."""
    each = _collected(book, asked, before, horizon_days)
    # what was paid before the contact, and learnt after it, was not there to be collected
    still = (pl.col("owed_minor") - pl.col("_before")).clip(lower_bound=0)
    left = each.with_columns(_left=pl.min_horizontal(still, "asked_minor"))
    paid = left.with_columns(_paid_in=pl.min_horizontal("_paid", "_left").clip(lower_bound=0))
    days = pl.col("_waited") + (pl.col("_left") - pl.col("_paid_in")) * horizon_days
    rate = pl.col("rate")
    totals = paid.group_by(CONTACTED).agg(
        _all=(pl.col("_left") * rate).sum(), _in=(pl.col("_paid_in") * rate).sum(), _days=(days * rate).sum()
    )
    return totals.filter(pl.col("_all") > 0).select(
        *CONTACTED,
        paid_share=pl.col("_in") / pl.col("_all"),
        days_open=(pl.col("_days") / pl.col("_all")).clip(0, horizon_days),
    )


def _collected(book: Book, asked: pl.DataFrame, before: datetime, horizon_days: int) -> pl.DataFrame:
    """`asked` with owed_minor and what was settled `_before` the contact, `_paid` within the horizon, `_waited` for."""
    settled = standing(book.facts.spans("allocation"), before).select(
        *RECEIVABLE, "currency", "date", "kind", part_minor="amount_minor"
    )
    owed = standing(book.states, before).select(*RECEIVABLE, "currency", owed_minor="amount_minor")
    rows = asked.join(owed, on=[*RECEIVABLE, "currency"]).drop_nulls("rate")
    wait = (pl.col("date") - pl.col("cutoff_day")).dt.total_days()
    parts = rows.join(settled, on=[*RECEIVABLE, "currency"]).with_columns(_wait=wait)
    part, inside = pl.col("part_minor"), pl.col("_wait").is_between(0, horizon_days) & (pl.col("kind") == "payment")
    sums = parts.group_by(*CONTACTED, *RECEIVABLE[1:]).agg(
        _before=part.filter(pl.col("_wait") < 0).sum(),
        _paid=part.filter(inside).sum(),
        _waited=(part * pl.col("_wait")).filter(inside).sum(),
    )
    each = rows.join(sums, on=[*CONTACTED, *RECEIVABLE[1:]], how="left")
    return each.with_columns(pl.col("_before", "_paid", "_waited").fill_null(0))


def _mature(book: Book, rows: pl.DataFrame, before: datetime, horizon_days: int) -> pl.DataFrame:
    """Those whose horizon ended on a day of which the bank is known to have told (see `features.labels`)."""
    lags = knowledge_lags(book.states, book.zones, before)
    newest = standing(book.states, before).group_by("entity_id").agg(_newest=pl.col("paid_date").max())
    at = book.zones.with_columns(_at=pl.lit(before))
    last = (
        with_day_of(at, "_at", book.zones, "_day")
        .join(lags, on="entity_id", how="left")
        .join(newest, on="entity_id", how="left")
        .select(
            "entity_id",
            _last=pl.min_horizontal(pl.col("_day") - pl.duration(days=pl.col("lag_days").fill_null(0) + 1), "_newest"),
        )
    )
    ripe = pl.col("cutoff_day") + pl.duration(days=horizon_days) <= pl.col("_last")
    return rows.join(last, on="entity_id", how="left", maintain_order="left").filter(ripe).drop("_last")
