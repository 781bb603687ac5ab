"""When a fact was learnt that the lake already holds in another form."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import polars as pl

from features.lake import Lake
from features.tables import INSTANT, Table
from pipelines.mapping_keys import KnownAt, Section


class Dating(Enum):
    """Where the `known_at` of a feed's rows comes from.

    BY_SOURCE   the source says when each version was made: taken as it is
    BY_DAY      the day of the fact, one version each: what the lake holds already is corrected now, and what is told
                of a day to come (an invoice in advance) is known now
    BY_MENTION  the days on which invoices mention a customer, many versions each: the last mention counts
    """

    BY_SOURCE = "source"
    BY_DAY = "day"
    BY_MENTION = "mention"


def dating_of(section: Section) -> Dating:
    """How the rows of a section are dated."""
    if isinstance(section.known_at, KnownAt):
        if section.known_at.instant is not None:
            return Dating.BY_SOURCE
        if section.repeats == "last":
            return Dating.BY_MENTION
    return Dating.BY_DAY


@dataclass(frozen=True, slots=True)
class Dated:
    """Rows with their final `known_at`, and how many others add nothing since later ones are known."""

    rows: pl.DataFrame
    superseded: int


def dated(rows: pl.DataFrame, table: Table, how: Dating, lake: Lake, now: datetime) -> Dated:
    """`rows` as they are to be appended to what `lake` holds.

    That a known fact is otherwise is learnt `now`, not on the day it speaks of: a replay of that day must not know it.
    That it is still so is learnt now as well, which adds nothing. What speaks of a day to come is known now.
    """
    if how is Dating.BY_SOURCE or rows.is_empty():
        return Dated(rows, 0)
    told = _told_by(now, rows, table, how)
    keys = rows.select(*table.key).unique()
    versions = lake.versions(table).select(*table.key, "known_at", "digest")
    held = versions.join(keys.lazy(), on=list(table.key), how="semi").collect()
    if held.is_empty():
        return told
    if how is Dating.BY_DAY:
        return _by_day(told.rows, table, held, now)
    kept = _by_mention(told.rows, table, held, now)
    return Dated(kept.rows, told.superseded + kept.superseded)


def _told_by(now: datetime, rows: pl.DataFrame, table: Table, how: Dating) -> Dated:
    """`rows` known `now` at the latest; of several mentions of days to come the last one counts."""
    known_at = pl.min_horizontal("known_at", _instant(now))
    if how is Dating.BY_DAY:
        return Dated(rows.with_columns(known_at.alias("known_at")), 0)
    in_order = rows.sort("known_at", maintain_order=True).with_columns(known_at.alias("known_at"))
    told = in_order.unique([*table.key, "known_at"], keep="last", maintain_order=True)
    return Dated(told, rows.height - told.height)


def _by_day(rows: pl.DataFrame, table: Table, held: pl.DataFrame, now: datetime) -> Dated:
    known = held.select(*table.key, pl.lit(value=True).alias("_held")).unique()
    marked = rows.join(known, on=list(table.key), how="left", maintain_order="left")
    known_at = pl.when("_held").then(_instant(now)).otherwise("known_at")
    return Dated(marked.with_columns(known_at.alias("known_at")).drop("_held"), 0)


def _by_mention(rows: pl.DataFrame, table: Table, held: pl.DataFrame, now: datetime) -> Dated:
    """A mention that contradicts the one held for its day is a correction where no later one is known, else nothing."""
    key = list(table.key)
    mentions = held.group_by(*key, "known_at").agg(pl.col("digest").alias("_held"))
    last = (
        pl.concat([held.select(*key, "known_at"), rows.select(*key, "known_at")])
        .group_by(key)
        .agg(pl.col("known_at").max().alias("_last"))
    )
    marked = rows.join(mentions, on=[*key, "known_at"], how="left", maintain_order="left").join(
        last, on=key, how="left", maintain_order="left"
    )
    contradicts = (~pl.col("_held").list.contains(pl.col("digest"))).fill_null(value=False)
    corrects = contradicts & (pl.col("known_at") == pl.col("_last"))
    known_at = pl.when(corrects).then(_instant(now)).otherwise("known_at")
    kept = marked.filter(~contradicts | corrects).with_columns(known_at.alias("known_at"))
    return Dated(kept.drop("_held", "_last"), rows.height - kept.height)


def _instant(now: datetime) -> pl.Expr:
    return pl.lit(now).cast(INSTANT)
