"""Everything that is booked as one stream of documents, in the order in which it was learnt.

A document is the first version of an invoice, credit note or payment, a write-off, a change of a customer's master
data, or a day of a feed. What is said of it is what its first version said: later versions are news of their own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from features.calendars import instant, with_day_of, with_day_start
from features.facts import Facts, with_version
from features.masters import CUSTOMER, Masters
from features.tables import INSTANT

FEED, WRITE_OFF = "feed", "write_off"
FEEDS = ("invoice", "payment")
KEY = ("entity_id", "table", "record_id")
DOCUMENT: dict[str, pl.DataType] = {
    "entity_id": pl.String(),
    "table": pl.String(),  # invoice, credit_note, payment, write_off, customer, feed
    "record_id": pl.String(),  # of a feed: TABLE:DAY
    "customer_id": pl.String(),
    "day": pl.Date(),  # on the document
    "known_at": INSTANT,
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "home_cents": pl.Int64(),  # hundredths of the entity's currency by the rate known then; null where there was none
    "number": pl.String(),  # what people call it: an invoice's number, what a payer wrote
    "refers_to": pl.String(),  # the invoice that a credit note names
    "account": pl.String(),  # the money's other side; the account on file of a customer
    "account_on_file": pl.String(),  # of the payer, as known then
    "count": pl.Int64(),  # documents of a feed's day
    "known_day": pl.Date(),  # where the entity is
    "hour": pl.Float64(),  # on the clocks where the entity is, 0 to below 24
    "cutoff": INSTANT,  # just after it was learnt
}
_MILLISECOND = timedelta(milliseconds=1)


def documents(facts: Facts) -> pl.DataFrame:
    """DOCUMENT rows, ordered by `known_at` and KEY.

    Raises as `features.masters.entity_zones`; a ledger without documents gives no rows.
    """
    masters = Masters.of(facts)
    booked = pl.concat(
        [_invoices(facts), _credit_notes(facts), _payments(facts), _write_offs(facts), _customers(facts)],
        how="diagonal_relaxed",
    )
    timed = _local(booked, masters.zones)
    empty = pl.DataFrame(schema=DOCUMENT)
    rows = pl.concat([empty.drop("home_cents", "cutoff", "account_on_file"), timed, _feed_days(timed, masters.zones)],
                     how="diagonal_relaxed")  # fmt: skip
    rows = _with_account_on_file(masters.valued(rows, at="known_at"), facts)
    home = (pl.col("amount_minor") * pl.col("rate")).round().cast(pl.Int64)
    made = rows.with_columns(home_cents=home, cutoff=pl.col("known_at") + _MILLISECOND)
    return made.select(pl.col(c).cast(t) for c, t in DOCUMENT.items()).sort("known_at", *KEY)


def known_before(rows: pl.DataFrame, cutoffs: Mapping[str, datetime]) -> pl.DataFrame:
    """The rows of `documents`, whatever columns were added, that it gives of what was learnt before a cutoff.

    cutoffs  of every entity: entity_id -> the instant
    """
    if not cutoffs:
        return rows.clear()
    ends = {entity: instant(cutoff) for entity, cutoff in cutoffs.items()}
    known = rows.filter(pl.col("known_at") < pl.col("entity_id").replace_strict(ends, return_dtype=INSTANT))
    booked = known.filter(pl.col("table") != FEED)
    if booked.is_empty():
        return booked
    # that a day of a feed is over is learnt with the next document of any feed
    told = (pl.col("day") < booked["known_day"].max()) & (pl.col("known_at") <= booked["known_at"].max())
    return known.filter((pl.col("table") != FEED) | told)


def taken_back(facts: Facts) -> pl.DataFrame:
    """entity_id, table, record_id, known_at: when the source took a document back."""
    frames = [
        facts.tables[name]
        .filter(pl.col("deleted"))
        .select("entity_id", pl.lit(name).alias("table"), record_id=pl.col(f"{name}_id"), known_at="known_at")
        for name in ("invoice", "credit_note", "payment")
    ]
    return pl.concat(frames).sort("known_at", *KEY)


def _first(facts: Facts, name: str) -> pl.DataFrame:
    """The first version of every record of a table."""
    key = ["entity_id", f"{name}_id"]
    rows = facts.tables[name].filter(~pl.col("deleted")).sort("known_at", maintain_order=True)
    return rows.unique(key, keep="first", maintain_order=True)


def _invoices(facts: Facts) -> pl.DataFrame:
    return _first(facts, "invoice").select(
        "entity_id",
        pl.lit("invoice").alias("table"),
        pl.col("invoice_id").alias("record_id"),
        "customer_id",
        pl.col("issue_date").alias("day"),
        "known_at",
        "currency",
        "amount_minor",
        pl.col("invoice_id").alias("number"),
    )


def _credit_notes(facts: Facts) -> pl.DataFrame:
    return _first(facts, "credit_note").select(
        "entity_id",
        pl.lit("credit_note").alias("table"),
        pl.col("credit_note_id").alias("record_id"),
        "customer_id",
        pl.col("issue_date").alias("day"),
        "known_at",
        "currency",
        "amount_minor",
        pl.col("credit_note_id").alias("number"),
        pl.col("invoice_id").alias("refers_to"),
    )


def _payments(facts: Facts) -> pl.DataFrame:
    return _first(facts, "payment").select(
        "entity_id",
        pl.lit("payment").alias("table"),
        pl.col("payment_id").alias("record_id"),
        "customer_id",
        pl.col("value_date").alias("day"),
        "known_at",
        "currency",
        "amount_minor",
        pl.col("reference").alias("number"),
        pl.col("payer_account").alias("account"),
    )


def _write_offs(facts: Facts) -> pl.DataFrame:
    """Amounts are negative, as those of credit notes."""
    owners = facts.spans("invoice").select("entity_id", "invoice_id", "customer_id", "known_from", "known_to")
    rows = _first(facts, "allocation").filter(pl.col("kind") == "write_off")
    owned = with_version(rows, owners, by=("entity_id", "invoice_id"), at="known_at")
    return owned.select(
        "entity_id",
        pl.lit(WRITE_OFF).alias("table"),
        pl.col("allocation_id").alias("record_id"),
        "customer_id",
        pl.col("date").alias("day"),
        "known_at",
        "currency",
        -pl.col("amount_minor"),
        pl.col("invoice_id").alias("refers_to"),
    )


def _customers(facts: Facts) -> pl.DataFrame:
    """A new account on file; the first one that a customer has is no change."""
    spans = facts.spans("customer").sort(*CUSTOMER, "known_from")
    changed = spans.filter(pl.col("bank_account").ne_missing(pl.col("bank_account").shift(1).over(CUSTOMER)))
    later = changed.filter(pl.col("known_from") > pl.col("known_from").min().over(CUSTOMER))
    moment = pl.col("known_from").dt.to_string("%Y-%m-%dT%H:%M:%S%.3f")
    return later.select(
        "entity_id",
        pl.lit("customer").alias("table"),
        pl.concat_str("customer_id", pl.lit(":"), moment).alias("record_id"),
        "customer_id",
        pl.col("known_from").alias("known_at"),
        pl.col("bank_account").alias("account"),
    )


def _local(rows: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """With `known_day` and `hour` where the entity is; what has no day of its own is of the day it was known."""
    timed = with_day_of(rows, "known_at", zones, "known_day").with_columns(hour=_hour(zones))
    return timed.with_columns(day=pl.coalesce("day", "known_day"))


def _hour(zones: pl.DataFrame) -> pl.Expr:
    """What the clocks show where the entity is: 0.5 is there twice on the day on which they go back at one."""
    found = [pl.lit(None, pl.Float64)]
    for (time_zone,), rows in zones.group_by("time_zone", maintain_order=True):
        local = pl.col("known_at").dt.convert_time_zone(str(time_zone)).dt.replace_time_zone(None)
        hour = (local - local.dt.truncate("1d")).dt.total_milliseconds() / 3_600_000
        found.append(pl.when(pl.col("entity_id").is_in(rows["entity_id"].to_list())).then(hour))
    return pl.coalesce(found)


def _feed_days(booked: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Every day of every entity's feeds between its first document and the last of all, learnt when it was over."""
    counted = booked.filter(pl.col("table").is_in(FEEDS)).group_by("entity_id", "table", "known_day").len()
    if counted.is_empty():
        return booked.clear()
    last = booked["known_day"].max()
    first = (
        counted.group_by("entity_id", "table").agg(pl.col("known_day").min().alias("_first")).sort("entity_id", "table")
    )
    days = first.with_columns(known_day=pl.date_ranges("_first", pl.lit(last, pl.Date), closed="left")).explode(
        "known_day"
    )
    rows = days.drop_nulls("known_day").join(counted, on=["entity_id", "table", "known_day"], how="left")
    over = with_day_start(rows.with_columns(_over=pl.col("known_day") + timedelta(days=1)), "_over", zones, "known_at")
    # where the day is not over yet, another entity, to the east, may be a day ahead
    return over.filter(pl.col("known_at") <= booked["known_at"].max()).select(
        "entity_id",
        pl.concat_str("table", pl.lit(":"), pl.col("known_day").dt.to_string()).alias("record_id"),
        "known_at",
        "known_day",
        pl.lit(FEED).alias("table"),
        pl.col("known_day").alias("day"),
        pl.col("len").fill_null(0).cast(pl.Int64).alias("count"),
    )


def _with_account_on_file(rows: pl.DataFrame, facts: Facts) -> pl.DataFrame:
    masters = facts.spans("customer").select(
        *CUSTOMER, pl.col("bank_account").alias("account_on_file"), "known_from", "known_to"
    )
    return with_version(rows, masters, by=CUSTOMER, at="known_at")
