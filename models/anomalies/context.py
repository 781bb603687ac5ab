"""What the words of a document count besides itself: the batch of round amounts it is in, the silence of its feed.

Both are of rows that were learnt before or with it, so that nothing later changes what was said.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from features.documents import FEED
from features.watchers import BATCH_DAYS, days_between
from models.anomalies.rules import WORTH_SAYING

Row = Mapping[str, Any]
BATCH = pl.List(pl.String())
SILENCE = {"silent_days": pl.Int64(), "silent_before_days": pl.Int64()}


def with_context(scored: pl.DataFrame) -> pl.DataFrame:
    """`scored` (of `AnomalyModel.scored`, all there are, in the order of learning), row for row, with what was counted.

    batch               TABLE/ID of the `neat_count` documents that `neat_batch` speaks of, itself last; null where it
                        says nothing
    silent_days         days in a row, this one included, without any document of the feed; null but for feeds
    silent_before_days  the longest such silence that was over before this one began
    """
    rows = scored.with_row_index("_row")
    batches = dict(_batches(rows))
    silences = dict(_silences(rows))
    numbers = rows["_row"].to_list()
    none = dict.fromkeys(SILENCE)
    silent = pl.DataFrame([silences.get(n, none) for n in numbers], schema=SILENCE)
    batch = pl.Series("batch", [batches.get(n) for n in numbers], dtype=BATCH)
    return scored.with_columns(batch, *silent.get_columns())


def _batches(rows: pl.DataFrame) -> Iterator[tuple[int, list[str]]]:
    columns = ["_row", "entity_id", "table", "currency", "record_id", "known_at", "neat", "neat_days", "neat_batch"]
    neat = rows.filter(pl.col("neat") > 0).select(columns)
    for group in neat.partition_by("entity_id", "table", "currency", maintain_order=True):
        recent: deque[Row] = deque()
        for row in group.iter_rows(named=True):
            recent.append(row)
            while days_between(recent[0]["known_at"], row["known_at"]) > BATCH_DAYS:
                recent.popleft()
            if row["neat_batch"] >= WORTH_SAYING:
                yield row["_row"], [f"{r['table']}/{r['record_id']}" for r in recent if _counts(r, row)]


def _counts(other: Row, row: Row) -> bool:
    """As `features.watchers_of_digits.Digits` counts them: as neat or neater, in the days in which that is rarest."""
    return bool(other["neat"] >= row["neat"] and days_between(other["known_at"], row["known_at"]) <= row["neat_days"])


def _silences(rows: pl.DataFrame) -> Iterator[tuple[int, dict[str, int]]]:
    days = rows.filter(pl.col("table") == FEED).with_columns(_feed=pl.col("record_id").str.split(":").list.first())
    for feed in days.partition_by("entity_id", "_feed", maintain_order=True):
        run, longest = 0, 0
        for number, count in feed.sort("day").select("_row", "count").iter_rows():
            if count:
                run, longest = 0, max(run, longest)
            else:
                run += 1
            yield number, {"silent_days": run, "silent_before_days": longest}
