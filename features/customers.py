"""Customers as of an instant: who is asked about, what was known of each, who was in default already.

A SNAPSHOT is a customer at a cutoff: entity_id, customer_id, cutoff_day and cutoff, its instant. Training looks at the
first of every month, at the start of that day where the entity is.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from features.calendars import instant, with_day_of, with_day_start
from features.customer_events import losses
from features.errors import BadSetting
from features.events import LAST_YEAR, cents
from features.facts import Facts, standing, with_version
from features.ledger import RECEIVABLE, SPAN
from features.masters import CUSTOMER, Masters
from features.money import exponents
from features.tables import INSTANT

SNAPSHOT = (*CUSTOMER, "cutoff_day", "cutoff")
ACTIVE_DAYS = 365
CAUSES = ("overdue", "written_off", "insolvent")


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """What counts as a default, and how far ahead it is foreseen.

    horizon_days       days after the snapshot in which it must happen
    late_days          an invoice so many days past due, or more
    materiality_cents  open amounts below it do not count; in hundredths of the entity's currency. One that no exchange
                       rate can value decides nothing either way: answers say that it is left out
    cure_days          days after a write-off in which the customer still counts as in default
    """

    horizon_days: int = 180
    late_days: int = 90
    materiality_cents: int = 10_000
    cure_days: int = 180

    def __post_init__(self) -> None:
        least = {"horizon_days": 1, "late_days": 1, "materiality_cents": 0, "cure_days": 0}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise BadSetting(f"{name} is {getattr(self, name)}; allowed: {minimum} or more")


def snapshots(states: pl.DataFrame, zones: pl.DataFrame, first: date, until: date) -> pl.DataFrame:
    """SNAPSHOT rows of every first of a month from `first` until before `until`, of the customers active as of then.

    Active is who had something open, or was invoiced in the `ACTIVE_DAYS` before.
    """
    spans = _active_spans(states, until)
    months = pl.date_ranges(pl.col("_first").dt.month_start(), "_last", interval="1mo")
    rows = (
        with_day_of(with_day_of(spans, "since", zones, "_first"), "through", zones, "_last")
        .with_columns(cutoff_day=months)
        .explode("cutoff_day")
        .filter(pl.col("cutoff_day").is_between(first, until, closed="left"))
    )
    begun = with_day_start(rows, "cutoff_day", zones, "cutoff")
    seen = begun.filter((pl.col("since") < pl.col("cutoff")) & (pl.col("cutoff") <= pl.col("through")))
    return _ordered(seen.unique(SNAPSHOT))


def _active_spans(states: pl.DataFrame, until: date) -> pl.DataFrame:
    """CUSTOMER, since, through: when each customer was active, overlapping spans made one."""
    end = pl.lit(datetime.combine(until, datetime.min.time()) + timedelta(days=2)).cast(pl.Datetime("ms"))
    owed = states.filter(pl.col("amount_minor") > 0)
    invoiced = owed.group_by(*CUSTOMER, "invoice_id").agg(since=pl.col("known_from").min())
    lately = invoiced.select(*CUSTOMER, "since", through=pl.col("since") + timedelta(days=ACTIVE_DAYS))
    still = owed.filter(pl.col("open_minor") > 0).select(
        *CUSTOMER, since="known_from", through=pl.col("known_to").fill_null(end.dt.replace_time_zone("UTC"))
    )
    spans = pl.concat([lately, still]).sort(*CUSTOMER, "since")
    reached = pl.col("through").cum_max().shift(1).over(CUSTOMER)
    runs = spans.with_columns(_run=(pl.col("since") > reached).fill_null(value=True).cum_sum())
    joined = runs.group_by(*CUSTOMER, "_run").agg(pl.col("since").min(), pl.col("through").max())
    return joined.filter(pl.col("since") <= pl.col("through")).drop("_run")


def customers_as_of(facts: Facts, zones: pl.DataFrame, as_of: datetime, entity_id: str | None = None) -> pl.DataFrame:
    """SNAPSHOT rows of every customer known at `as_of`: on record, or named by a document (of one entity, if named)."""
    tables = ("customer", "invoice", "credit_note", "payment", "order")
    known = pl.concat(standing(facts.spans(name), as_of).select(CUSTOMER) for name in tables).drop_nulls().unique()
    if entity_id is not None:
        known = known.filter(pl.col("entity_id") == entity_id)
    moment = known.with_columns(cutoff=pl.lit(instant(as_of), INSTANT))
    return _ordered(with_day_of(moment, "cutoff", zones, "cutoff_day"))


def with_master(subjects: pl.DataFrame, facts: Facts, masters: Masters) -> pl.DataFrame:
    """`subjects`, in any order, with the customer's segment, country and limit on file as known before each cutoff.

    credit_limit_minor, credit_limit_cents  in the entity's currency, minor units and hundredths; null where none is on
                                            file
    """
    known = masters.looked_up(subjects, at="cutoff", strictly=True)
    limits = facts.spans("customer").select(*CUSTOMER, "credit_limit_minor", *SPAN)
    found = with_version(known, limits, by=CUSTOMER, at="cutoff", strictly=True)
    digits = pl.col("entity_currency").replace_strict(exponents(), return_dtype=pl.Int64, default=2)
    return (
        found.join(masters.zones.select("entity_id", "entity_currency"), on="entity_id", how="left")
        .with_columns(
            credit_limit_cents=(pl.col("credit_limit_minor") * pl.lit(10.0).pow(2 - digits)).round().cast(pl.Int64)
        )
        .drop("entity_currency")
    )


def in_default(subjects: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """`subjects`, row for row, with `default_cause`: the first of `CAUSES` that held at the cutoff; null where none.

    spans  `default_spans` of them
    """
    rows = subjects.with_row_index("_row")
    held = rows.join(spans, on=CUSTOMER).filter(
        (pl.col("known_from") < pl.col("cutoff"))
        & (pl.col("known_to").is_null() | (pl.col("cutoff") <= pl.col("known_to")))
    )
    first = held.with_columns(pl.col("default_cause").cast(pl.Enum(CAUSES))).sort("default_cause")
    causes = first.unique("_row", keep="first", maintain_order=True).select(
        "_row", pl.col("default_cause").cast(pl.String)
    )
    return rows.join(causes, on="_row", how="left", maintain_order="left").drop("_row")


def default_spans(
    customers: pl.DataFrame, facts: Facts, states: pl.DataFrame, masters: Masters, rule: DefaultRule
) -> pl.DataFrame:
    """CUSTOMER, default_cause, known_from, known_to: for how long each of `customers` was known to be in default, why.

    customers  a frame with their CUSTOMER columns; nothing is worked out about the others
    """
    frames = {
        "overdue": _long_overdue(states.join(customers, on=CUSTOMER, how="semi"), masters, rule),
        "written_off": _written_off(losses(facts, customers), masters, rule),
        "insolvent": _insolvent(facts, customers),
    }
    spans = [frame.select(*CUSTOMER, pl.lit(cause).alias("default_cause"), *SPAN) for cause, frame in frames.items()]
    ever = pl.col("known_to").is_null() | (pl.col("known_from") < pl.col("known_to"))
    return pl.concat(spans).filter(ever).join(customers, on=CUSTOMER, how="semi")


def is_material(minor: str, rule: DefaultRule) -> pl.Expr:
    """Whether an amount counts; one whose rate is not known does not: a cent without a rate is no default."""
    return (cents(minor) >= rule.materiality_cents).fill_null(value=False)


def _long_overdue(states: pl.DataFrame, masters: Masters, rule: DefaultRule) -> pl.DataFrame:
    """From the start of the day on which it is `late_days` past due, for a cutoff at that very instant too."""
    still = masters.valued(states.filter(pl.col("open_minor") > 0, pl.col("due_date").dt.year() < LAST_YEAR))
    aged = still.filter(is_material("open_minor", rule)).with_columns(
        _day=pl.col("due_date") + pl.duration(days=rule.late_days)
    )
    since = with_day_start(aged, "_day", masters.zones, "_since")
    return since.with_columns(
        known_from=pl.max_horizontal("known_from", pl.col("_since") - pl.duration(milliseconds=1))
    )


def _written_off(lost: pl.DataFrame, masters: Masters, rule: DefaultRule) -> pl.DataFrame:
    material = masters.valued(lost).filter(is_material("amount_minor", rule))
    # from when it was first told of that day: what is corrected or written off later does not put off the cure
    first_told = pl.col("known_from").min().over(*RECEIVABLE, "day")
    return material.with_columns(known_to=pl.min_horizontal("known_to", first_told + pl.duration(days=rule.cure_days)))


def _insolvent(facts: Facts, customers: pl.DataFrame) -> pl.DataFrame:
    """While the number of the newest day of which it was told is above 0; what is told of an older day is no news."""
    every = facts.spans("customer_attribute").filter(pl.col("name") == "insolvent")
    told = every.join(customers, on=CUSTOMER, how="semi").sort(*CUSTOMER, "known_from", "day")
    newest = told.filter(pl.col("day") >= pl.col("day").cum_max().over(CUSTOMER)).with_columns(
        known_to=pl.min_horizontal("known_to", pl.col("known_from").shift(-1).over(CUSTOMER))
    )
    return newest.filter(pl.col("value") > 0)


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(SNAPSHOT).sort("cutoff", *CUSTOMER)
