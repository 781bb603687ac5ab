"""The ledger told as events: what the features count, add up and remember.

An event is visible between `known_from` and `known_to`. Its values are exact integers (days, hundredths of the
entity's currency, thousandths of a log), so that sums over it come out the same in any order and on any subset.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from features.calendars import business_calendar, with_day_start
from features.facts import Facts, with_version
from features.ledger import receivable_versions
from features.masters import Masters

ATTRIBUTE = "attribute_"
# No one asks about days outside these years, and nobody has declared their holidays.
FIRST_YEAR, LAST_YEAR = 1900, 2100
OVERDUE_DAYS = (0, 30, 60, 90)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HEAD = ("entity_id", "customer_id", "segment", "event_id", "known_from", "known_to")


def event_frames(
    facts: Facts, states: pl.DataFrame, masters: Masters, attributes: Iterable[str] = ()
) -> dict[str, pl.DataFrame]:
    """Event name -> frame: HEAD columns and the values named in each function below.

    states      `features.ledger.receivable_states(facts)`
    masters     `Masters.of(facts)`
    attributes  names of the dated customer attributes to tell of; one that nobody has set has no events
    """
    states = masters.valued(states)
    owed = masters.valued(receivable_versions(facts))
    open_states = states.filter(pl.col("open_minor") > 0)
    return {
        "invoiced": _invoiced(owed),
        "settled": _settled(states),
        "open": _open(open_states),
        **{f"overdue_{days}": _overdue(open_states, masters.zones, days) for days in OVERDUE_DAYS},
        "paid": _paid(facts, masters),
        "credited": _credited(facts, masters),
        **_attributes(facts, masters, attributes),
    }


def attribute_names(facts: Facts) -> tuple[str, ...]:
    """The names of the dated customer attributes, in order; each becomes features by itself."""
    return tuple(facts.tables["customer_attribute"]["name"].unique().sort())


def subject_columns(subjects: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """`subjects`, in any order, with what the features compare history against, all as known before each `cutoff`.

    segment, country   of the customer
    amount_cents, log_amount   like the events'; null where no rate was known
    terms_days, age_days, past_due_days   issue to due, issue to cutoff, due to cutoff
    """
    known = masters.valued(subjects, at="cutoff", strictly=True)
    return known.with_columns(
        amount_cents=cents("amount_minor"),
        log_amount=log_amount("amount_minor"),
        terms_days=epoch_day("due_date") - epoch_day("issue_date"),
        age_days=epoch_day("cutoff_day") - epoch_day("issue_date"),
        past_due_days=epoch_day("cutoff_day") - epoch_day("due_date"),
    )


def cents(minor: str) -> pl.Expr:
    """Column `minor` in hundredths of the entity's currency, rounded; needs the column `rate`."""
    return (pl.col(minor) * pl.col("rate")).round().cast(pl.Int64)


def log_amount(minor: str) -> pl.Expr:
    """1000 x ln(1 + amount in the entity's currency), rounded to a whole number; amounts below zero count as zero."""
    return (cents(minor).clip(lower_bound=0) * 0.01).log1p().mul(1000).round().cast(pl.Int64)


def _receivable_id() -> pl.Expr:
    return pl.concat_str("invoice_id", pl.lit("/"), "instalment")


def epoch_day(column: str) -> pl.Expr:
    """Days since 1970-01-01."""
    return pl.col(column).cast(pl.Int32).cast(pl.Int64)


def _invoiced(owed: pl.DataFrame) -> pl.DataFrame:
    """A receivable became known: amount, terms and issue day."""
    return owed.select(
        *HEAD[:3],
        _receivable_id().alias("event_id"),
        *HEAD[4:],
        amount_cents=cents("amount_minor"),
        log_amount=log_amount("amount_minor"),
        terms_days=epoch_day("due_date") - epoch_day("issue_date"),
        issue_day=epoch_day("issue_date"),
    )


def _settled(states: pl.DataFrame) -> pl.DataFrame:
    """A receivable was settled by being paid: how late, how long it took, on what kind of day."""
    paid = states.filter(pl.col("paid_date").is_not_null() & ~pl.col("cancelled") & (pl.col("amount_minor") > 0))
    late = epoch_day("paid_date") - epoch_day("due_date")
    weekday = pl.col("paid_date").dt.weekday()
    return paid.with_columns(business_days_late=business_days_late(paid)).select(
        *HEAD[:3],
        _receivable_id().alias("event_id"),
        *HEAD[4:],
        "business_days_late",
        days_late=late,
        days_to_settle=epoch_day("paid_date") - epoch_day("issue_date"),
        is_late=late > 0,
        is_late_8=late > 7,
        is_late_31=late > 30,
        is_late_61=late > 60,
        is_late_91=late > 90,
        on_time=pl.col("business_days_late") == 0,
        amount_cents=cents("amount_minor"),
        log_amount=log_amount("amount_minor"),
        late_x_log_amount=late * log_amount("amount_minor"),
        log_amount_squared=log_amount("amount_minor").pow(2),
        late_cents_days=late.clip(lower_bound=0) * cents("amount_minor"),
        terms_days=epoch_day("due_date") - epoch_day("issue_date"),
        paid_day=epoch_day("paid_date"),
        paid_month_end=pl.col("paid_date").dt.month_end().sub(pl.col("paid_date")).dt.total_days() <= 2,
        paid_mid_month=pl.col("paid_date").dt.day().is_between(13, 17),
        **{f"paid_{name}": weekday == number for number, name in enumerate(WEEKDAYS, start=1)},
    )


def business_days_late(rows: pl.DataFrame) -> pl.Series:
    """Business days of the payer's country from due to paid; a due date on a day off counts as the next business day.

    rows  due_date, paid_date, country (null: weekends only)
    """
    late = np.zeros(len(rows), dtype=np.int64)
    countries = rows["country"]
    due, paid = (rows[c].to_numpy().astype("datetime64[D]") for c in ("due_date", "paid_date"))
    years = _years(due, paid)
    for country in countries.unique():
        at = countries.eq_missing(pl.Series([country], dtype=pl.String)).to_numpy()
        calendar = business_calendar(country, *years)
        first, last = (np.busday_offset(d[at], 0, roll="forward", busdaycal=calendar) for d in (due, paid))
        late[at] = np.busday_count(first, last, busdaycal=calendar)
    return pl.Series("business_days_late", late)


def _years(*days: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> tuple[int, int]:
    known = np.concatenate(days)
    if len(known) == 0:
        return (1970, 1970)
    years = known.astype("datetime64[Y]").astype(int) + 1970
    return max(int(years.min()), FIRST_YEAR), min(int(years.max()) + 1, LAST_YEAR)


def _open(open_states: pl.DataFrame) -> pl.DataFrame:
    """A receivable is open: how much, due when."""
    return open_states.select(
        *HEAD[:3],
        _receivable_id().alias("event_id"),
        *HEAD[4:],
        open_cents=cents("open_minor"),
        due_day=epoch_day("due_date"),
        partly_paid=pl.col("open_minor") < pl.col("amount_minor"),
    )


def _overdue(open_states: pl.DataFrame, zones: pl.DataFrame, days: int) -> pl.DataFrame:
    """A receivable is open and more than `days` days past due.

    It becomes so at the start of the day after, and is so for a cutoff at that very instant: hence the millisecond.
    """
    # a due date of 9999-12-31 means "never", and is beyond what Python's instants can tell
    ever = open_states.filter(pl.col("due_date").dt.year() < LAST_YEAR)
    since = with_day_start(
        ever.with_columns(_overdue_day=pl.col("due_date") + pl.duration(days=days + 1)), "_overdue_day", zones, "_since"
    ).with_columns(pl.col("_since") - pl.duration(milliseconds=1))
    begun = since.with_columns(known_from=pl.max_horizontal("known_from", "_since"))
    return _open(begun.filter(pl.col("known_to").is_null() | (pl.col("known_from") < pl.col("known_to"))))


def _paid(facts: Facts, masters: Masters) -> pl.DataFrame:
    """Money came in from a known payer; what went back to it is no event."""
    received = facts.spans("payment").drop_nulls("customer_id").filter(pl.col("amount_minor") > 0)
    return masters.valued(received).select(
        *HEAD[:3],
        pl.col("payment_id").alias("event_id"),
        *HEAD[4:],
        amount_cents=cents("amount_minor"),
        value_day=epoch_day("value_date"),
    )


def _credited(facts: Facts, masters: Masters) -> pl.DataFrame:
    """Part of a receivable was credited or written off instead of paid."""
    owners = facts.spans("invoice").select("entity_id", "invoice_id", "customer_id", "known_from", "known_to")
    credits = facts.spans("allocation").filter(pl.col("kind") != "payment")
    rows = with_version(credits, owners, by=("entity_id", "invoice_id"), at="known_from").drop_nulls("customer_id")
    return masters.valued(rows).select(
        *HEAD[:3],
        pl.col("allocation_id").alias("event_id"),
        *HEAD[4:],
        amount_cents=cents("amount_minor"),
        written_off=pl.col("kind") == "write_off",
    )


def _attributes(facts: Facts, masters: Masters, names: Iterable[str]) -> dict[str, pl.DataFrame]:
    """One event type per attribute name: its value and the day it holds from, the newest of these days last.

    What is learnt of an older day when a newer one is known already is no news, and left out.
    """
    told = masters.looked_up(facts.spans("customer_attribute")).sort("known_from", "day")
    newest_by_then = pl.col("day").cum_max().over(*HEAD[:2], "name")
    rows = told.filter(pl.col("day") >= newest_by_then)
    return {
        f"{ATTRIBUTE}{name}": rows.filter(pl.col("name") == name).select(
            *HEAD[:3],
            pl.concat_str(pl.col("day").dt.to_string(), pl.lit(" "), "attribute_id").alias("event_id"),
            *HEAD[4:],
            pl.col("value"),
            attribute_day=epoch_day("day"),
        )
        for name in names
    }
