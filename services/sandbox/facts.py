"""Every version of every fact, in the canonical tables.

A draft is a table's own columns with `_entity` (position), `_local` (the moment it was learnt, microseconds of local
time) and `deleted`. `finished` turns drafts into facts and the API's records.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.contracts import digest
from features.tables import Table
from services.sandbox.calendars import Ints
from services.sandbox.options import WorldOptions
from services.sandbox.records import own_columns, records

SOURCE = "sandbox"


def numbered(prefix: str, entity: Ints, *order: Ints) -> pl.Series:
    """Ids such as INV-000001, counted within each entity in the given order (the first key first), row by row."""
    at = np.lexsort((*reversed(order), entity))
    number = np.empty(len(at), dtype=np.int64)
    number[at] = np.arange(len(at)) - np.searchsorted(entity[at], entity[at]) + 1
    digits = pl.Series(number).cast(pl.String).str.zfill(6)
    return pl.select(pl.concat_str(pl.lit(f"{prefix}-"), digits)).to_series()


def days(numbers: Ints) -> pl.Series:
    """Day numbers as dates."""
    return pl.Series(numbers.astype(np.int32)).cast(pl.Date)


def words(values: Sequence[str], at: Ints) -> NDArray[np.object_]:
    """The text at each position."""
    return np.array(values, dtype=object)[at]


def unused(table: Table) -> pl.DataFrame:
    """The draft of a table of which this world has nothing."""
    own = {c.name: c.kind.dtype for c in own_columns(table)}
    return pl.DataFrame(schema=own | {"_entity": pl.Int64, "_local": pl.Int64, "deleted": pl.Boolean})


def finished(table: Table, draft: pl.DataFrame, options: WorldOptions) -> pl.DataFrame:
    """The draft as rows of `table.schema` with `changed_at` (to the microsecond) and `record`, in the API's order."""
    entities = pl.DataFrame(
        {
            "_entity": range(len(options.entities)),
            "entity_id": [e.entity_id for e in options.entities],
            "_books": [e.currency for e in options.entities],
        },
        schema_overrides={"_entity": pl.Int64},
    )
    rows = (
        draft.with_columns(pl.col(c.name).cast(c.kind.dtype) for c in own_columns(table))
        .join(entities, on="_entity", how="left", maintain_order="left")
        .with_columns(changed_at=_instants(draft, options))
        .sort("changed_at", table.id_column, "entity_id")
    )
    rows = rows.with_columns(record=records(table, rows))
    return rows.with_columns(
        source=pl.lit(SOURCE),
        source_id=pl.col(table.id_column),
        known_at=pl.col("changed_at").dt.offset_by("999us").dt.cast_time_unit("ms"),
        digest=digest(rows["record"]),
    ).select(*table.schema, "changed_at", "record")


def _instants(draft: pl.DataFrame, options: WorldOptions) -> pl.Series:
    """Local moments as instants; none lies in the hour that the clocks skip or repeat."""
    local = pl.col("_local").cast(pl.Datetime("us"))
    instant = pl.coalesce(
        pl.when(pl.col("_entity") == number).then(local.dt.replace_time_zone(e.time_zone).dt.convert_time_zone("UTC"))
        for number, e in enumerate(options.entities)
    )
    return draft.select(instant.alias("changed_at")).to_series()
