"""The feeds of a system that is read record by record: one table each, a batch of records at a time."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from features.lake import Lake
from features.tables import ALLOCATION, ENTITY, INSTANT, Table
from pipelines.complaints import PLACE
from pipelines.connectors.records import as_json, records_frame
from pipelines.connectors.source import Batch, Source
from pipelines.control_totals import Reading, keys_of, require_tie, ties
from pipelines.dating import Dating
from pipelines.feeds import Feed, against_invoices, checked, settled_invoices, without
from pipelines.mapping_keys import Books, From, Section
from pipelines.readings import Style, columns_used
from pipelines.run import Run
from pipelines.shaping import Setting, shape

LOG = logging.getLogger(__name__)

_CLOCKS_DIFFER = timedelta(days=1)
_WHOSE = From(column="company")


def land_table(source: Source, table: Table, run: Run, batch_records: int) -> None:
    """Read one table from where the last run stopped and land it, about `batch_records` at a time.

    The cursor moves last, when everything before it has landed. Then the lake is compared with what the source says
    that it holds. Where they differ the source may have changed meanwhile, or something was lost on the way: what
    changed is read again, then everything; `SourceBroken` where they differ still.
    """
    name = source.feed(table)
    with run.feed(name, table.name, None):
        _read(source, table, run, batch_records, run.store.cursor(run.source, name))
        if not ties(source, table, run):
            _read(source, table, run, batch_records, run.store.cursor(run.source, name))
            if not ties(source, table, run):
                LOG.warning("%s: the control totals do not tie; all of it is read again", name)
                require_tie(source, table, run, _read_all(source, table, run, batch_records))


def _read(source: Source, table: Table, run: Run, batch_records: int, cursor: str | None) -> None:
    """Read and land from `cursor`."""
    for _ in _landed(source, table, run, batch_records, cursor):
        pass


def _read_all(source: Source, table: Table, run: Run, batch_records: int) -> Reading:
    """Read and land everything, and keep in mind what came."""
    told, aside = [keys_of(table, [])], [keys_of(table, [])]
    for batch, feed in _landed(source, table, run, batch_records, None):
        told.append(keys_of(table, batch.records))
        aside.append(keys_of(table, [batch.records[row] for row in feed.bad["_row"].unique()]))
    return Reading(pl.concat(told), pl.concat(aside))


def _landed(
    source: Source, table: Table, run: Run, batch_records: int, cursor: str | None
) -> Iterator[tuple[Batch, Feed]]:
    """Each batch from `cursor` on, once it has landed; the cursor moves last."""
    name, reached = source.feed(table), None
    for batch in _gathered(source.read(table, cursor, run.now), batch_records):
        feed = record_feed(name, source.section(table), table, batch, run)
        run.land(feed, Dating.BY_SOURCE)
        reached = batch.cursor
        yield batch, feed
    if reached is not None:
        run.advance(name, reached)


def _gathered(batches: Iterator[Batch], least: int) -> Iterator[Batch]:
    """The batches, put together to at least `least` records: many small appends make the lake slow."""
    held = Batch([])
    for batch in batches:
        held = Batch(held.records + batch.records, batch.cursor or held.cursor)
        if len(held.records) >= least:
            yield held
            held = Batch([], held.cursor)
    yield held


def record_feed(name: str, section: Section, table: Table, batch: Batch, run: Run) -> Feed:
    """What the records say about the table, parted into rows that may land and rows set aside."""
    told = records_frame(name, batch.records)
    silent = columns_used(section, _WHOSE) - set(told.columns)
    told = told.with_columns(pl.lit(None, pl.String).alias(column) for column in sorted(silent))
    shaped = shape(section, told, entity=_WHOSE, style=Style(), setting=Setting(run.source, _books(run.lake), run.now))
    latest = _latest_in_its_millisecond(shaped.rows, told, table)
    known = _known_first(latest, told, table, run)
    feed = checked(name, replace(shaped, rows=known), table, partial(as_json, batch.records), unique_ids=False)
    feed = replace(feed, superseded=shaped.rows.height - known.height)
    feed = without(feed, _of_the_future(feed.rows, told, run.now))
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


def _known_first(rows: pl.DataFrame, frame: pl.DataFrame, table: Table, run: Run) -> pl.DataFrame:
    """The rows, those that are the first of their fact dated by when the source booked them, if it says so.

    Else a ledger that is read for the first time would seem to have learnt everything when it was last touched. Where
    an earlier version was set aside nothing is the first: what a later one says was not known then. Bygone states of
    facts that are known, be it as set aside, are left out.
    """
    if frame["known_at"].null_count() == frame.height:
        return rows
    keys = list(table.key)
    held = run.lake.versions(table).select(keys).join(rows.lazy().select(keys), on=keys, how="semi").unique().collect()
    told = rows.join(_booked(frame, table, run), on="_row", how="left", maintain_order="left")
    told = told.join(held.with_columns(_held=pl.lit(value=True)), on=keys, how="left", maintain_order="left")
    earliest = pl.col("known_at") == pl.col("known_at").min().over(keys)
    first = pl.col("_first") & earliest & pl.col("_held").is_null()
    told = told.filter(first | ~(pl.col("_bygone") & pl.col("_booked").is_not_null()))
    stamp = pl.when(first & ~pl.col("deleted")).then(pl.min_horizontal("known_at", _up_to_the_millisecond("_booked")))
    return told.with_columns(stamp.otherwise("known_at").cast(INSTANT).alias("known_at")).select(rows.columns)


def _booked(frame: pl.DataFrame, table: Table, run: Run) -> pl.DataFrame:
    """Of each record when it was booked, whether it is bygone, and whether it is the first version of it ever told."""
    whose = ["company", "id"]
    stamps = pl.col("changed_at", "known_at").str.to_datetime("%+", time_zone="UTC")
    told = frame.select("_row", *whose, stamps, (pl.col("bygone") == "true").fill_null(value=False).alias("_bygone"))
    told = told.join(_set_aside(table, run), on=whose, how="left", nulls_equal=True, maintain_order="left")
    first = pl.min_horizontal(pl.col("changed_at").min().over(whose), "_aside")
    return told.select("_row", "_bygone", pl.col("known_at").alias("_booked"), _first=pl.col("changed_at") == first)


def _set_aside(table: Table, run: Run) -> pl.DataFrame:
    """Company and id of the records in quarantine, and the change of the earliest of them as `_aside`."""
    payload = run.store.quarantined(source=run.source, table=table.name, limit=None)["payload"]
    told = {name: payload.str.json_path_match(f"$.{name}") for name in ("company", "id", "changed_at")}
    at = pl.col("changed_at").str.to_datetime("%+", time_zone="UTC", strict=False)
    return pl.DataFrame(told).group_by("company", "id").agg(at.min().alias("_aside"))


def _up_to_the_millisecond(column: str) -> pl.Expr:
    return (pl.col(column) + pl.duration(microseconds=999)).dt.truncate("1ms")


def _books(lake: Lake) -> dict[str, Books]:
    """The entities that the lake knows."""
    known = lake.versions(ENTITY).unique("entity_id", keep="last", maintain_order=True).collect()
    fields = known.select("entity_id", "name", "currency", "time_zone", "country")
    return {i: Books(name=n, currency=c, time_zone=z, country=k) for i, n, c, z, k in fields.iter_rows()}
