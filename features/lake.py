"""The lake: every fact ever learnt, one append-only Delta table for each canonical table.

Layout: `ROOT/<table>/`, with one column beyond the table's schema: `_landed`, which grows with every row that lands.
It settles which of two versions with the same `known_at` came last, and makes the order of rows the same on every
read. Instants are kept in microseconds (Delta knows nothing else) and read back in milliseconds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import polars as pl
from filelock import FileLock, Timeout

from features import delta as store
from features.contracts import require_schema
from features.errors import BadInput, BadSetting, StateError
from features.tables import INSTANT, TABLES, Table

_STORED_INSTANT = pl.Datetime("us", "UTC")
_COMMIT_BITS = 32  # `_landed` is the commit's number, shifted, plus the row's place in the commit
_ATTEMPTS = 10
_UNFIT = frozenset("[]|^%\\")  # in a local path: the Delta library crashes or looks elsewhere


@dataclass(frozen=True, slots=True)
class Appended:
    """Rows that landed, and rows that said nothing new; together the rows that were given."""

    landed: int
    duplicates: int


class Lake:
    """Facts under `root`: a local folder, or an object store's URL such as s3://bucket/folder.

    `storage_options` go to the object store as they are (credentials, region, endpoint). Any number of processes may
    read while one writes. Writers wait for each other by a lock file in a folder, for `patience_seconds` at most; on an
    object store, where there is none, the one that commits second notices and starts again. `BadSetting` for a folder
    with a character in its path that the Delta library cannot take.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        storage_options: Mapping[str, str] | None = None,
        patience_seconds: float = 120.0,
    ) -> None:
        self._folder = _local_folder(root)
        self._root = str(self._folder or root).rstrip("/")
        self._options = storage_options
        self._patience_seconds = patience_seconds

    def append(self, table: Table, rows: pl.DataFrame) -> Appended:
        """Land the rows that say something new, in one atomic commit.

        A row adds nothing when the version in force at its `known_at` (the latest of its key with `known_at` not
        after the row's; the last landed of several) has the same digest. So a page sent twice adds nothing, A then B
        then A again is three versions, and a version that arrives late lands where it belongs. What was dropped is
        gone: an A dropped because A was in force does not come back when a B from before it arrives later.

        The order of `rows` does not matter. `TypeError` unless they have exactly the table's columns, `BadInput`
        where a system column or key is null, or where two rows of one key and `known_at` differ (`contracts.check`
        keeps such rows out). `StateError` where the table is damaged or other writers leave no room.
        """
        _refuse_unchecked(table, rows)
        if rows.is_empty():
            return Appended(0, 0)
        for _ in range(_ATTEMPTS):
            with self._one_writer():
                landed = self._land(table, rows)
            if landed is not None:
                return Appended(landed, rows.height - landed)
        raise StateError(f"lake table {table.name}: another writer was faster {_ATTEMPTS} times; let it end first")

    def versions(self, table: Table, *, before: datetime | None = None, at: int | None = None) -> pl.LazyFrame:
        """Every version of every fact, `deleted` ones too, in the order of `known_at` and then of landing.

        `before` keeps `known_at < before`; `at` reads the table as it was at that Delta version (`NotFound` where it
        never had one). A table nothing landed in is empty, a column that was declared later is null. `StateError` where
        files are damaged or missing.
        """
        limit = None if before is None else _instant(before)
        delta = store.opened(self._place(table), at)
        if delta is None:
            return pl.LazyFrame(schema=table.schema)
        stored = store.scanned(self._place(table), delta, _stored_schema(table))
        if limit is not None:
            stored = stored.filter(pl.col("known_at") < limit)
        return stored.sort("known_at", "_landed").select(pl.col(c).cast(dtype) for c, dtype in table.schema.items())

    def known(self, table: Table, as_of: datetime, *, at: int | None = None) -> pl.LazyFrame:
        """The latest version of every fact with `known_at < as_of`, without those that are `deleted` in it."""
        latest = pl.struct(*table.key).is_last_distinct()
        return self.versions(table, before=as_of, at=at).filter(latest).filter(~pl.col("deleted"))

    def table_versions(self) -> dict[str, int]:
        """Delta version by table name, for lineage; tables nothing landed in are left out."""
        found = {table.name: store.opened(self._place(table)) for table in TABLES}
        return {name: delta.version() for name, delta in found.items() if delta is not None}

    def compact(self, table: Table, *, at_least: int = 32) -> int:
        """Merge the table's small files into large ones once there are `at_least` so many; how many went.

        Rows stay as they are, and so do older versions. Cheap where there is nothing to do.
        """
        with self._one_writer():
            delta = store.opened(self._place(table))
            return 0 if delta is None else store.compacted(self._place(table), delta, at_least=at_least)

    def _place(self, table: Table) -> store.Place:
        folder = None if self._folder is None else self._folder / table.name
        return store.Place(table.name, f"{self._root}/{table.name}", folder, self._options)

    @contextmanager
    def _one_writer(self) -> Iterator[None]:
        if self._folder is None:
            yield
            return
        lock = FileLock(self._folder / ".writer.lock", timeout=self._patience_seconds)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            waited = f"{self._patience_seconds:g} s"
            raise StateError(f"lake {self._root}: another process has been writing for {waited}; let it end") from None
        except OSError as error:
            raise StateError(f"lake {self._root} cannot be written: {error}") from error
        try:
            yield
        finally:
            lock.release()

    def _land(self, table: Table, rows: pl.DataFrame) -> int | None:
        """How many of `rows` landed; None where another writer committed in between."""
        place = self._place(table)
        schema = _stored_schema(table)
        delta = store.opened(place) or store.created(place, schema)
        fresh = _news(table, rows, _said(table, store.scanned(place, delta, schema), rows))
        first = (delta.version() + 1) << _COMMIT_BITS
        landing = fresh.with_columns((first + pl.int_range(pl.len(), dtype=pl.Int64)).alias("_landed"))
        if fresh.is_empty() or store.committed(place, delta, landing):
            return fresh.height
        return None


def _local_folder(root: str | Path) -> Path | None:
    parts = urlsplit(str(root))
    if "://" in str(root) and parts.scheme != "file":
        return None
    folder = Path(unquote(parts.path) if parts.scheme == "file" else root).absolute()
    if _UNFIT & set(str(folder)):
        raise BadSetting(
            f"a lake cannot be in {str(folder)!r}; allowed: a path without any of {' '.join(sorted(_UNFIT))}"
        )
    return folder


def _instant(moment: datetime) -> pl.Expr:
    if moment.tzinfo is None:
        raise BadInput(f"{moment.isoformat()} has no time zone; allowed: an instant such as 2024-01-31T00:00:00+00:00")
    return pl.lit(moment.astimezone(UTC), dtype=_STORED_INSTANT)


def _stored_schema(table: Table) -> dict[str, pl.DataType]:
    stored = {name: _STORED_INSTANT if dtype == INSTANT else dtype for name, dtype in table.schema.items()}
    return stored | {"_landed": pl.Int64()}


def _refuse_unchecked(table: Table, rows: pl.DataFrame) -> None:
    require_schema(rows, table.schema, f"rows for lake table {table.name}")
    holes = [name for name in (*table.key, "known_at", "digest", "deleted") if rows[name].has_nulls()]
    if holes:
        raise BadInput(f"rows for lake table {table.name} lack {', '.join(holes)}; contracts.check keeps such rows out")


def _said(table: Table, stored: pl.LazyFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """What the lake holds under the ids in `rows`; of other entities too, which does no harm."""
    ids = rows[table.id_column].unique()
    id_ = pl.col(table.id_column)
    in_range = id_.is_between(
        pl.lit(ids.min()), pl.lit(ids.max())
    )  # files keep the range of their ids: most need not be opened
    of_interest = stored.filter(in_range & id_.is_in(ids.implode()))
    return of_interest.select(*table.key, pl.col("known_at").cast(INSTANT), "digest", "_landed").collect()


def _news(table: Table, rows: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The rows that change what is in force at their `known_at`, oldest first."""
    given = rows.with_row_index("_row").select(*table.key, "known_at", "digest", "_row")
    # what landed comes before what is given at the same instant, in the order of landing
    told = pl.concat([said, given], how="diagonal").sort(*table.key, "known_at", "_landed", nulls_last=True)
    same_fact = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in table.key)
    same_content = pl.col("digest") == pl.col("digest").shift()
    same_instant = pl.col("known_at") == pl.col("known_at").shift()
    both_given = pl.col("_row").is_not_null() & pl.col("_row").shift().is_not_null()
    told = told.with_columns(
        (same_fact & same_content).fill_null(value=False).alias("_repeats"),
        (same_fact & ~same_content & same_instant & both_given).fill_null(value=False).alias("_contradicts"),
    )
    for fact in told.filter("_contradicts").head(1).select(*table.key, "known_at").iter_rows():
        raise BadInput(f"two rows for lake table {table.name} contradict each other: {fact}; see contracts.check")
    fresh = told.filter(pl.col("_row").is_not_null() & ~pl.col("_repeats"))
    return rows[fresh["_row"]].select(*table.schema).sort("known_at", maintain_order=True)
