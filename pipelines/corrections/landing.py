"""What every path of a correction into the lake has in common: its names, its dates, whose payload it is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from features.tables import INSTANT
from pipelines.corrections.cases import Case
from pipelines.dating import Dating
from pipelines.feeds import Feed
from pipelines.run import Run
from services.corrections import Json
from services.runs import Counts


@dataclass(frozen=True, slots=True)
class Landed:
    """What landed: the names of its feeds, its counts, and why it broke again, if it did."""

    feeds: tuple[str, ...]
    counts: Counts
    reasons: tuple[str, ...]


def landed(feeds: Iterable[tuple[Feed, Dating]], case: Case, payload: Json, run: Run) -> Landed:
    """Land the feeds as of the case. What a person changed is learnt now, whenever the source speaks of."""
    told = [(under_case(feed, case), how) for feed, how in feeds]
    if payload != case.given:
        told = [(replace(feed, rows=learnt(feed.rows, run.now)), how) for feed, how in told]
    counts = sum((run.land(feed, how) for feed, how in told), Counts())
    reasons = tuple(f"{feed.table.name}: {violation}" for feed, _ in told for violation in feed.first)
    return Landed(tuple(feed.name for feed, _ in told), counts, reasons)


def learnt(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The rows, known `now` at the earliest: before that nobody knew what the correction says."""
    known_at = pl.max_horizontal("known_at", pl.lit(now).cast(INSTANT))
    return rows.with_columns(known_at.alias("known_at"))


def under_case(feed: Feed, case: Case) -> Feed:
    """The feed whose bad rows are told as of the payload that came first, or of its place where there was none."""
    return replace(feed, payloads=lambda rows: [case.raw] * len(rows))  # type: ignore[list-item]  # null: no payload


def feed_name(case: Case, name: str) -> str:
    """What the ledger calls the correction of a table."""
    return f"correction {case.case_id}: {name}"
