"""What looks forward, of customers: whether and when a customer went into default. Nothing here may reach a feature."""

from datetime import datetime

import polars as pl

from features.calendars import with_day_of
from features.customer_events import losses
from features.customers import DefaultRule, is_material
from features.events import LAST_YEAR
from features.facts import Facts, standing
from features.labels import knowledge_lags
from features.ledger import RECEIVABLE, SETTLES
from features.masters import CUSTOMER, Masters

OUTCOME = ("defaulted", "default_day", "default_reason")


def with_defaults(
    frame: pl.DataFrame,
    facts: Facts,
    states: pl.DataFrame,
    masters: Masters,
    rule: DefaultRule,
    observed_before: datetime,
) -> pl.DataFrame:
    """`frame` (SNAPSHOT rows), row for row, with what was known just before `observed_before` of each one's window.

    The window are the cutoff's day, which has only begun, and the `rule.horizon_days` days after it.
    defaulted       null until the window has closed as known: also of one that went into default early in its window,
                    since those that did not are not known yet
    default_day     the first day in the window on which it was in default; null where `defaulted` is not true
    default_reason  "overdue", "written_off" or "insolvent"
    """
    rows = frame.with_row_index("_row")
    closes = pl.col("cutoff_day") + pl.duration(days=rule.horizon_days)
    events = default_events(facts, states, masters, rule, observed_before)
    inside = (
        rows.select("_row", *CUSTOMER, "cutoff_day")
        .join(events, on=CUSTOMER)
        .filter((pl.col("default_day") >= pl.col("cutoff_day")) & (pl.col("default_day") <= closes))
        .sort("_row", "default_day", "default_reason")
        .unique("_row", keep="first", maintain_order=True)
        .select("_row", "default_day", "default_reason")
    )
    closed = closes <= pl.col("_observed")
    return (
        rows.join(inside, on="_row", how="left", maintain_order="left")
        .join(
            observed_through(states, masters.zones, observed_before), on="entity_id", how="left", maintain_order="left"
        )
        .with_columns(
            defaulted=pl.when(closed).then(pl.col("default_day").is_not_null()),
            default_day=pl.when(closed).then("default_day"),
            default_reason=pl.when(closed).then("default_reason"),
        )
        .select(*frame.columns, *OUTCOME)
    )


def observed_through(states: pl.DataFrame, zones: pl.DataFrame, before: datetime) -> pl.DataFrame:
    """entity_id, _observed: the last day of which it is known, just before `before`, what was paid and what was not.

    Nobody knows that beyond the newest payment of the entity, nor of the days whose payments are usually still to come.
    """
    paid = standing(states, before).filter(~pl.col("cancelled"))
    newest = paid.group_by("entity_id").agg(_newest=pl.col("paid_date").max())
    seen = with_day_of(zones.with_columns(_at=pl.lit(before)), "_at", zones, "_day")
    return (
        seen.join(newest, on="entity_id", how="left")
        .join(knowledge_lags(states, zones, before), on="entity_id", how="left")
        .with_columns(_seen=pl.col("_day") - pl.duration(days=1) - pl.duration(days=pl.col("lag_days").fill_null(0)))
        .select(
            "entity_id", _observed=pl.when(pl.col("_newest").is_not_null()).then(pl.min_horizontal("_seen", "_newest"))
        )
    )


def default_events(
    facts: Facts, states: pl.DataFrame, masters: Masters, rule: DefaultRule, before: datetime
) -> pl.DataFrame:
    """CUSTOMER, default_day, default_reason: every day on which a default began, as known just before `before`.

    A write-off or an insolvency dated back began on the day on which it was first told: until then nobody was in
    default by it, and a snapshot in between must not count as one that went well.
    """
    written = _from_when_told(losses(facts), masters, (*RECEIVABLE, "day"))
    lost = masters.valued(standing(written, before)).filter(is_material("amount_minor", rule))
    failed = facts.spans("customer_attribute").filter(pl.col("name") == "insolvent", pl.col("value") > 0)
    insolvent = standing(_from_when_told(failed, masters, (*CUSTOMER, "day")), before)
    return pl.concat(
        [
            rows.select(*CUSTOMER, default_day=day, default_reason=pl.lit(reason))
            for rows, day, reason in (
                (_grown_late(facts, states, masters, rule, before), "_late_day", "overdue"),
                (lost, "day", "written_off"),
                (insolvent, "day", "insolvent"),
            )
        ]
    )


def _from_when_told(rows: pl.DataFrame, masters: Masters, same: tuple[str, ...]) -> pl.DataFrame:
    """`rows` with `day` not before the day on which any row that agrees in `same` was first known where the entity is.

    What is told again later, say with another amount, was known before.
    """
    first = rows.with_columns(_first=pl.col("known_from").min().over(same))
    dated = with_day_of(first, "_first", masters.zones, "_first_day")
    return dated.with_columns(day=pl.max_horizontal("day", "_first_day")).drop("_first", "_first_day")


def _grown_late(
    facts: Facts, states: pl.DataFrame, masters: Masters, rule: DefaultRule, before: datetime
) -> pl.DataFrame:
    """Receivables of which enough was open on the day that was `late_days` after due: `_late_day`.

    By the day on which money counted, not by the day on which it was learnt: a bank file that came late makes no
    default. What was settled on that very day was `late_days` late.
    """
    owed = standing(states, before).filter(pl.col("amount_minor") > 0, pl.col("due_date").dt.year() < LAST_YEAR)
    aged = owed.with_columns(_late_day=pl.col("due_date") + pl.duration(days=rule.late_days))
    parts = standing(facts.spans("allocation"), before).select(*SETTLES, "date", part_minor="amount_minor")
    settled = (
        aged.select(*SETTLES, "_late_day")
        .join(parts, on=SETTLES)
        .filter(pl.col("date") < pl.col("_late_day"))
        .group_by(RECEIVABLE)
        .agg(pl.col("part_minor").sum())
    )
    open_then = pl.col("amount_minor") - pl.col("part_minor").fill_null(0)
    late = aged.join(settled, on=RECEIVABLE, how="left").with_columns(_open_minor=open_then)
    return masters.valued(late.filter(pl.col("_open_minor") > 0)).filter(is_material("_open_minor", rule))
