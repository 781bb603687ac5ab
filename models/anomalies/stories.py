"""Which documents belong together, and what is left of that once people judged some: the names of alerts."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

import polars as pl

from features.documents import KEY
from models.anomalies.context import with_context
from models.anomalies.rules import RULES

FLAGGED = 0.4  # strength from which a document is part of the story that its rule tells

# kind -> the columns that documents of one story share, and the days that may lie between two of them
STORIES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "duplicate_invoice": (("table", "twin_id"), 30),
    "duplicate_payment": (("table", "twin_id"), 30),
    "account_changed": (("customer_id",), 15),
    "below_approval_limit": (("customer_id", "known_day"), 1),
    "round_sums": (("table", "currency"), 20),
    "rebill_loop": (("customer_id", "currency"), 60),
    "feed_break": (("_feed",), 6),
}


def with_stories(scored: pl.DataFrame) -> pl.DataFrame:
    """`scored` (of `AnomalyModel.scored`), row for row, with `alert_id`: the same for documents of one story.

    A story is named by its first document, so that it keeps its name as it grows. Rows must be all there are: where a
    story begins is not known from a part. Nothing is judged or taken back yet: see `with_verdicts` and
    `models.anomalies.returns.with_returns`. What the words count is there: `models.anomalies.context.with_context`.
    """
    numbered = scored.with_row_index("_row").with_columns(
        _feed=pl.col("record_id").str.split(":").list.first(),
        _strength=pl.max_horizontal(r.name for r in RULES),
    )
    parts = [_anchored(rows, str(kind)) for (kind,), rows in numbered.group_by("kind", maintain_order=True)]
    named = pl.concat(parts).sort("_row") if parts else numbered.with_columns(_anchor=pl.lit(""))
    ids = [story_id(*row) for row in named.select("entity_id", "kind", pl.col("_anchor")).iter_rows()]
    return with_context(scored).with_columns(
        alert_id=pl.Series(ids, dtype=pl.String),
        judged=pl.lit(value=False),
        judged_before=pl.lit(0, pl.Int64),
        taken_back_day=pl.lit(None, pl.Date),
        twin_back_day=pl.lit(None, pl.Date),
    )


def _anchored(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """With `_anchor`: the record that the story of each row began with."""
    own = pl.concat_str("table", pl.lit("/"), "record_id")
    alone = rows.with_columns(_anchor=own)
    if kind not in STORIES:
        return alone.select("_row", "entity_id", "kind", "_anchor")
    shared, gap_days = STORIES[kind]
    by = ["entity_id", *shared]
    told = alone.filter(pl.col("_strength") >= FLAGGED).sort("known_at", *KEY)
    apart = (pl.col("known_at") - pl.col("known_at").shift(1)).dt.total_days() > gap_days
    told = told.with_columns(_part=apart.fill_null(value=False).cum_sum().over(by)).with_columns(
        _anchor=pl.col("_anchor").first().over(*by, "_part")
    )
    rest = alone.filter(pl.col("_strength") < FLAGGED)
    columns = ["_row", "entity_id", "kind", "_anchor"]
    return pl.concat([told.select(columns), rest.select(columns)])


def story_id(entity_id: str, kind: str, anchor: str) -> str:
    """The name of a story that begins with document `anchor`, TABLE/ID."""
    return hashlib.sha256(json.dumps([entity_id, kind, anchor]).encode()).hexdigest()[:16]


def with_verdicts(told: pl.DataFrame, settled: Mapping[str, datetime]) -> pl.DataFrame:
    """`told` (of `with_stories`, all there are), row for row, with what people said of it.

    settled  alert id -> when the newest verdict on it was given: it is about what was learnt before that

    What comes later to a judged story is an alert of its own: its id names the first document that is new.
    """
    schema = {"alert_id": pl.String(), "_at": pl.Datetime("us", "UTC")}
    verdicts = pl.DataFrame(list(settled.items()), schema=schema, orient="row")
    rows = told.with_columns(_story=pl.col("alert_id"))
    for _ in settled:  # a story may have been judged again and again
        known = rows.join(verdicts, on="alert_id", how="left", maintain_order="left")
        about = ~pl.col("judged") & (pl.col("known_at") < pl.col("_at")).fill_null(value=False)
        if known.filter(about).is_empty():
            break
        known = known.with_columns(judged=pl.col("judged") | about)
        rows = _renamed(known, ~pl.col("judged") & pl.col("_at").is_not_null()).drop("_at")
    return rows.drop("_story")


def _renamed(rows: pl.DataFrame, rest: pl.Expr) -> pl.DataFrame:
    """What is left of stories that were judged, as alerts of their own."""
    left = rows.filter(rest).sort("known_at", *KEY).group_by("_story", maintain_order=True)
    heads = left.agg(pl.col("table").first(), pl.col("record_id").first(), pl.len()).rows()
    size = dict(rows.group_by("_story").len().iter_rows())
    new = [(story, _part_id(story, table, record), size[story] - n) for story, table, record, n in heads]
    schema = {"_story": pl.String(), "_id": pl.String(), "_before": pl.Int64()}
    named = rows.join(pl.DataFrame(new, schema=schema, orient="row"), on="_story", how="left", maintain_order="left")
    return named.with_columns(
        alert_id=pl.when(rest).then("_id").otherwise("alert_id"),
        judged_before=pl.when(rest).then("_before").otherwise("judged_before"),
    ).drop("_id", "_before")


def _part_id(story: str, table: str, record_id: str) -> str:
    """Of what is left of a story from this document on."""
    return hashlib.sha256(json.dumps([story, table, record_id]).encode()).hexdigest()[:16]


def part(told: pl.DataFrame, alert_id: str) -> pl.DataFrame:
    """What is left of a story from the document on that gave the alert its id."""
    stories = told.filter(pl.col("alert_id").is_duplicated()).sort("known_at", *KEY)
    for row in stories.select("alert_id", "table", "record_id").iter_rows():
        if _part_id(*row) == alert_id:
            story = stories.filter(pl.col("alert_id") == row[0]).with_row_index("_at")
            first = story.filter((pl.col("table") == row[1]) & (pl.col("record_id") == row[2]))["_at"][0]
            rest = story.filter(pl.col("_at") >= first)
            return rest.with_columns(alert_id=pl.lit(alert_id), judged_before=pl.lit(first, pl.Int64)).drop("_at")
    return told.clear()
