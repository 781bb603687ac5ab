"""What the books took back since: documents that were deleted, and what that leaves of a story."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from features.calendars import with_day_of
from features.documents import KEY, WRITE_OFF
from features.facts import Facts
from features.masters import entity_zones
from features.tables import INSTANT

DUPLICATES = ("duplicate_invoice", "duplicate_payment")  # undone as soon as either of the two is gone
_TABLES = {"invoice": "invoice", "credit_note": "credit_note", "payment": "payment", "allocation": WRITE_OFF}


def taken_back_days(facts: Facts, starts: Mapping[str, datetime] | None = None) -> pl.DataFrame:
    """KEY and `taken_back_day`, where the entity is, of documents that are deleted and did not come again.

    starts  with what was learnt before: entity_id -> the instant; None: with all there is
    """
    gone = pl.concat([_gone(facts.tables[name], name, as_, starts) for name, as_ in _TABLES.items()])
    return with_day_of(gone, "known_at", entity_zones(facts), "taken_back_day").drop("known_at")


def _gone(versions: pl.DataFrame, name: str, table: str, starts: Mapping[str, datetime] | None) -> pl.DataFrame:
    """The records whose newest version says that they are deleted."""
    key = ["entity_id", f"{name}_id"]
    rows = versions.join(versions.filter(pl.col("deleted")).select(key), on=key, how="semi")
    if starts is not None:
        begins = pl.col("entity_id").replace_strict(dict(starts), default=None, return_dtype=INSTANT)
        rows = rows.filter(pl.col("known_at") < begins)
    newest = rows.sort("known_at", *key, maintain_order=True).unique(key, keep="last", maintain_order=True)
    return newest.filter(pl.col("deleted")).select(
        "entity_id", pl.lit(table).alias("table"), pl.col(f"{name}_id").alias("record_id"), "known_at"
    )


def with_returns(told: pl.DataFrame, back: pl.DataFrame) -> pl.DataFrame:
    """`told` (of `with_stories`), row for row, with the day on which the document, and its twin, were taken back.

    back  of `taken_back_days`
    """
    own = told.drop("taken_back_day", "twin_back_day").join(back, on=KEY, how="left", maintain_order="left")
    twins = back.rename({"record_id": "twin_id", "taken_back_day": "twin_back_day"})
    return own.join(twins, on=["entity_id", "table", "twin_id"], how="left", maintain_order="left")


def returns_of(rows: pl.DataFrame) -> pl.DataFrame:
    """alert_id of each story of `rows`, with `taken_back`, the documents that are gone, TABLE/ID, twins included.

    taken_back_day  when nothing of the story was left: of its documents, or of each pair of twins one; else null
    """
    twin_day = pl.when(pl.col("kind").is_in(DUPLICATES)).then("twin_back_day")
    days = rows.with_columns(_twin_day=twin_day).with_columns(
        _settled=pl.min_horizontal("taken_back_day", "_twin_day"),
        _own=pl.when(pl.col("taken_back_day").is_not_null()).then(pl.concat_str("table", pl.lit("/"), "record_id")),
        _twin=pl.when(pl.col("_twin_day").is_not_null()).then(pl.concat_str("table", pl.lit("/"), "twin_id")),
    )
    gone = pl.concat([pl.col("_own").drop_nulls(), pl.col("_twin").drop_nulls()]).unique().sort()
    whole = pl.when(pl.col("_settled").is_not_null().all()).then(pl.col("_settled").max())
    return days.group_by("alert_id").agg(gone.alias("taken_back"), whole.alias("taken_back_day"))
