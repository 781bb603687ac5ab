"""Bring what a source says into the lake: read, parse, check, append, account for every row.

An ingest may be killed at any moment: rows are appended before they are accounted for and cursors move last, so what
was under way is read again, and the lake drops what it has already.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from features.errors import BadSetting
from features.lake import Lake
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.source import Source
from pipelines.file_feeds import entity_feed, file_feeds, read_folder, unused_columns
from pipelines.mapping_keys import Mapping
from pipelines.record_feeds import land_table
from pipelines.run import running
from pipelines.run_report import Progress, Quiet, RunReport
from pipelines.shaping import Setting
from services.store import Store


def ingest_files(
    folder: Path, mapping: Mapping, lake: Lake, store: Store, *, now: datetime, progress: Progress | None = None
) -> RunReport:
    """Land what the files of `folder` say, as the mapping declares; rows that cannot stand go to quarantine.

    Every file is read, parsed and checked before the first row lands. `NotFound` for a file that is not there,
    `BadInput` for one that is not what the mapping says (an unknown column, no rows, broken quotes): nothing lands.
    A fact dated by its day is known from the start of that day, but `now` at the latest; what the lake holds already is
    only corrected `now`.
    """
    if not mapping.files:
        raise BadSetting(f"mapping {mapping.source!r} has no files, it is for an API; allowed: a mapping with `files`")
    shown, now = progress or Quiet(), _to_the_millisecond(now)
    setting = Setting(mapping.source, mapping.entities, now)
    with running(mapping.source, lake, store, now=now, progress=shown) as run:
        read = read_folder(folder, mapping, shown)
        for given in [entity_feed(setting), *file_feeds(read, mapping, setting, lake)]:
            with run.feed(given.feed.name, given.feed.table.name, given.feed.read):
                run.land(given.feed, given.dating, cursor=given.digest)
        return run.report(unused=unused_columns(read, mapping), absent=read.absent)


def ingest_rest(
    client: RestClient,
    mapping: Mapping,
    lake: Lake,
    store: Store,
    *,
    now: datetime,
    progress: Progress | None = None,
    batch_records: int = 20_000,
) -> RunReport:
    """Land what the API serves: the whole history the first time, afterwards what changed since the last.

    As `ingest_source`, for a mapping with `rest`.
    """
    if mapping.rest is None:
        raise BadSetting(f"mapping {mapping.source!r} has no `rest`, it is for files; allowed: a mapping with `rest`")
    served = RestSource(client, mapping.rest)
    return ingest_source(served, mapping.source, lake, store, now=now, progress=progress, batch_records=batch_records)


def ingest_source(
    served: Source,
    name: str,
    lake: Lake,
    store: Store,
    *,
    now: datetime,
    progress: Progress | None = None,
    batch_records: int = 20_000,
    every_minutes: int | None = None,
) -> RunReport:
    """Land what the system called `name` serves, each table from where the last run stopped.

    A fact is known from its change stamp on, rounded up to the millisecond. `SourceRefused`, `SourceBroken` and
    `SourceError` end the run; what landed before stays, and the next run reads the rest. Pages land together, about
    `batch_records` at a time, since many small appends make the lake slow. `every_minutes`: how often news are expected
    of the system; tables that no run gets to the end of for too long are told with the silent systems.
    """
    now, shown = _to_the_millisecond(now), progress or Quiet()
    run_of = running(name, lake, store, now=now, progress=shown, every_minutes=every_minutes)
    with _few_collections(), run_of as run:
        tables = served.tables()
        run.expect([served.feed(table) for table in tables])
        for table in tables:
            land_table(served, table, run, batch_records)
        return run.report()


@contextmanager
def _few_collections() -> Iterator[None]:
    """JSON has no cycles; looking for some after every few hundred records takes a fifth of the whole time."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _to_the_millisecond(now: datetime) -> datetime:
    """Rounded up, as every instant of the lake."""
    return now + timedelta(microseconds=-now.microsecond % 1000)
