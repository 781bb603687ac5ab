"""One Delta table on disk: made, opened with its damage noticed, scanned, appended to.

What the rows mean is `features.lake`'s business. Every failure below us comes out as a `StateError` that names the
table. Nothing is ever vacuumed and the log is kept, so that every version stays readable; tables are append-only for
other tools too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from features.errors import NotFound, StateError

_WRITER = "duecast"
_PARQUET = WriterProperties(compression="ZSTD", compression_level=1)  # smaller *and* faster to write than Snappy here
_CONFIGURATION = {
    "delta.appendOnly": "true",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table lives. `folder` is the same place as `uri` where that is local, else None."""

    name: str
    uri: str
    folder: Path | None
    options: Mapping[str, str] | None

    @property
    def storage_options(self) -> dict[str, str] | None:
        """A copy for the libraries, which want a plain dict."""
        return None if self.options is None else dict(self.options)

    def fault(self, error: Exception) -> StateError:
        """`error` in one line that names the table."""
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return StateError(
            f"lake table {self.name} at {self.uri} is damaged or out of reach: {lines[0].strip()};"
            " check the storage, or put the table back from a copy"
        )


def opened(place: Place, at: int | None = None) -> DeltaTable | None:
    """The table now, or as of Delta version `at`; None where it was never made.

    `NotFound` for a version it never had; `StateError` where its log, or a file that the log lists, is damaged or gone.
    """
    delta = _latest(place)
    if delta is None and at is None:
        return None
    newest = -1 if delta is None else delta.version()
    if at is not None and not 0 <= at <= newest:
        there_are = f"there are 0 to {newest}" if newest >= 0 else "nothing landed in it yet"
        raise NotFound(f"lake table {place.name} has no version {at}; {there_are}")
    if delta is not None and at is not None:
        _load_version(place, delta, at)
    if delta is not None and place.folder is not None:
        _require_files(place.folder, place, delta)
    return delta


def created(place: Place, schema: Mapping[str, pl.DataType]) -> DeltaTable:
    """A new table without rows, as a commit of its own: data without a log is then always damage."""
    arrow = pl.DataFrame(schema=schema).to_arrow().schema
    try:
        return DeltaTable.create(
            place.uri,
            schema=Schema.from_arrow(arrow),
            mode="ignore",
            configuration=_CONFIGURATION,
            storage_options=place.storage_options,
        )
    except CommitFailedError as error:
        made_by_another = _latest(place)
        if made_by_another is None:
            raise place.fault(error) from error
        return made_by_another
    except (DeltaError, OSError) as error:
        raise place.fault(error) from error


def scanned(place: Place, delta: DeltaTable, schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """Its rows under `schema`, lazily: a column that files lack is null, one that is not asked for is left out.

    Filters and projections reach the Parquet files. They are listed here rather than by `pl.scan_delta`, which does not
    find the files of a folder with a blank or an umlaut in its name.
    """
    names = _listed(delta)["path"]
    if names.is_empty():
        return pl.LazyFrame(schema=schema)
    return pl.scan_parquet(
        [f"{place.uri}/{name}" for name in names],
        schema=dict(schema),
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        storage_options=place.storage_options,
    )


def committed(place: Place, delta: DeltaTable, rows: pl.DataFrame) -> bool:
    """Append `rows` as the version after `delta`'s, all or nothing; False where another writer has been here since.

    New columns are added to the table. The transaction id is what lets the second of two writers notice the first.
    """
    ours = Transaction(_WRITER, delta.version() + 1)
    try:
        write_deltalake(
            delta,
            rows,
            mode="append",
            schema_mode="merge",
            writer_properties=_PARQUET,
            commit_properties=CommitProperties(app_transactions=[ours]),
        )
    except CommitFailedError:
        return False
    except (DeltaError, OSError) as error:
        raise place.fault(error) from error
    return True


def compacted(place: Place, delta: DeltaTable, *, at_least: int) -> int:
    """Merge small files into large ones, as a version with the same rows; how many went, 0 where they are too few."""
    if _listed(delta).height < at_least:
        return 0
    try:
        return int(delta.optimize.compact(writer_properties=_PARQUET)["numFilesRemoved"])
    except (DeltaError, OSError) as error:
        raise place.fault(error) from error


def _latest(place: Place) -> DeltaTable | None:
    try:
        return DeltaTable(place.uri, storage_options=place.storage_options)
    except TableNotFoundError as error:
        if place.folder is not None and any(place.folder.glob("*.parquet")):
            raise place.fault(error) from error
        return None
    except (DeltaError, OSError) as error:
        raise place.fault(error) from error


def _load_version(place: Place, delta: DeltaTable, at: int) -> None:
    if at == delta.version():
        return
    try:
        delta.load_as_version(at)
    except (DeltaError, OSError) as error:
        raise place.fault(error) from error


def _require_files(folder: Path, place: Place, delta: DeltaTable) -> None:
    """A lost or cut file would otherwise show up as a panic, deep in whatever query reads it first."""
    for name, size in _listed(delta).iter_rows():
        file = folder / name
        if not file.is_file():
            raise place.fault(FileNotFoundError(f"{name} is gone"))
        if file.stat().st_size != size:
            raise place.fault(OSError(f"{name} has {file.stat().st_size} bytes instead of {size}"))


def _listed(delta: DeltaTable) -> pl.DataFrame:
    """`path`, below the table's folder, and `size_bytes` of every file that is part of the version."""
    return pl.DataFrame(delta.get_add_actions(flatten=True)).select("path", "size_bytes")
