"""The feeds of an API: one table each, a batch of records at a time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl

from features.errors import StateError
from features.lake import Lake
from features.tables import ALLOCATION, ENTITY, Table
from pipelines.complaints import PLACE
from pipelines.connectors.records import Json, records_frame
from pipelines.connectors.rest import RestClient
from pipelines.dating import Dating
from pipelines.feeds import Feed, against_invoices, checked, settled_invoices, without
from pipelines.fields import fields_of
from pipelines.mapping_keys import Books, From, KnownAt, Rest, Section, TableName
from pipelines.readings import Style, columns_used
from pipelines.run import Run
from pipelines.shaping import Setting, shape

_CLOCKS_DIFFER = timedelta(days=1)


def land_table(client: RestClient, rest: Rest, table: Table, run: Run, batch_records: int) -> None:
    """Read one table from where the last run stopped (all of its history the first time) and land it in batches."""
    path = rest.path.format(table=table.name)
    name = f"GET {path}"
    cursor = run.store.cursor(run.source, name)
    latest = None if cursor is None else min(_instant(cursor), run.now)
    since = None if latest is None else latest - timedelta(minutes=rest.overlap_minutes)
    with run.feed(name, table.name, None):
        pages = client.pages(path, page_size=rest.page_size, changed_since=since, history=cursor is None)
        for batch in _batches(pages, batch_records):
            records = records_frame(path, batch)
            run.land(_feed(name, table, rest, records.frame, run), Dating.BY_SOURCE)
            latest = max(filter(None, (latest, records.latest_change)), default=None)
        if latest is not None:
            # from a stamp of the future on, the source would be asked for nothing that changes until then
            latest = min(latest, run.now)
            run.advance(name, latest.astimezone(UTC).isoformat(timespec="microseconds"))


def section_of(table: Table, rest: Rest) -> Section:
    """How the table's records are read: every column by its own name, unless the mapping says otherwise."""
    derived: dict[str, str | From] = {f.name: f.name for f in fields_of(table.name).values() if f.column is not None}
    if table is not ENTITY:
        derived[table.id_column] = "id"
    name = cast(TableName, table.name)
    return Section(table=name, fields=derived | rest.fields.get(name, {}), known_at=KnownAt(instant="changed_at"))


def _feed(name: str, table: Table, rest: Rest, frame: pl.DataFrame, run: Run) -> Feed:
    section = section_of(table, rest)
    whose = From(column="company")
    silent = columns_used(section, whose) - set(frame.columns)
    told = frame.with_columns(pl.lit(None, pl.String).alias(column) for column in sorted(silent))
    shaped = shape(section, told, entity=whose, style=Style(), setting=Setting(run.source, _books(run.lake), run.now))
    latest = _latest_in_its_millisecond(shaped.rows, frame, table)
    feed = checked(name, replace(shaped, rows=latest), table, frame, unique_ids=False)
    feed = replace(feed, superseded=shaped.rows.height - latest.height)
    feed = without(feed, _of_the_future(feed.rows, frame, run.now))
    if table is not ALLOCATION:
        return feed
    return without(feed, against_invoices(feed, settled_invoices([feed], run.lake)))


def _of_the_future(rows: pl.DataFrame, frame: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Complaints about records that cannot have changed yet, give or take clocks that differ."""
    late = rows.filter(pl.col("known_at") > now + _CLOCKS_DIFFER).select("_row")
    return frame.join(late, on="_row", how="semi", maintain_order="left").select(
        *PLACE,
        pl.lit("changed_at").alias("field"),
        pl.col("changed_at").alias("value"),
        pl.lit("an instant that has come (a day of grace for clocks that differ)").alias("allowed"),
    )


def _latest_in_its_millisecond(rows: pl.DataFrame, frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Without versions that another replaced before the millisecond was over, in which both would be known."""
    stamped = rows.join(frame.select("_row", "changed_at"), on="_row", how="left", maintain_order="left")
    last = pl.col("changed_at") == pl.col("changed_at").max().over(*table.key, "known_at")
    return stamped.filter(last.fill_null(value=True)).drop("changed_at")


def _books(lake: Lake) -> dict[str, Books]:
    """The entities that the lake knows."""
    known = lake.versions(ENTITY).unique("entity_id", keep="last", maintain_order=True).collect()
    fields = known.select("entity_id", "name", "currency", "time_zone", "country")
    return {i: Books(name=n, currency=c, time_zone=z, country=k) for i, n, c, z, k in fields.iter_rows()}


def _batches(pages: Iterator[list[Json]], batch_records: int) -> Iterator[list[Json]]:
    """Pages put together, so that the lake gets few large appends instead of many small ones."""
    batch: list[Json] = []
    for page in pages:
        batch += page
        if len(batch) >= batch_records:
            yield batch
            batch = []
    if batch:
        yield batch


def _instant(cursor: str) -> datetime:
    try:
        return datetime.fromisoformat(cursor)
    except ValueError:
        raise StateError(f"the stored cursor {cursor!r} is no instant; allowed: ISO 8601 with an offset") from None
