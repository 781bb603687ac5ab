"""Whether the lake holds what the source says that it holds, and what explains it where it does not."""

from dataclasses import dataclass

import polars as pl

from features.errors import SourceBroken
from features.lake import Lake
from features.tables import Table
from features.totals import Totals, differences, entity_of, standing_rows, totals_of
from pipelines.connectors.source import Json, Source
from pipelines.run import Run
from services.controls import Control, Controls

_NAMED = 3


@dataclass(frozen=True)
class Reading:
    """What came when everything was read, and what of it was set aside: frames as `keys_of` makes them."""

    told: pl.DataFrame
    aside: pl.DataFrame


def keys_of(table: Table, records: list[Json]) -> pl.DataFrame:
    """The table's key, when the record was changed, and whether it is taken back; no entity where none is named."""
    told = [(r.get("company"), r["id"], r["changed_at"], r.get("deleted", False)) for r in records]
    schema = {"entity_id": pl.String, table.id_column: pl.String, "changed_at": pl.String, "deleted": pl.Boolean}
    rows = [
        (None if whose is None else str(whose), str(key), at, gone)[-len(schema) :] for whose, key, at, gone in told
    ]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("changed_at").str.to_datetime("%+", time_zone="UTC"))


def ties(source: Source, table: Table, run: Run) -> bool:
    """Whether the totals tie, which is kept; as many records may be missing as were when all was read last."""
    theirs = source.totals(table)
    if theirs is None:
        return True
    controls, name = Controls(run.store.database), source.feed(table)
    ours = totals_of(standing_rows(run.lake, table, run.source), table)
    found = Control(theirs, ours)
    if differences(theirs, ours):
        last = controls.last(run.source, name) or found
        if differences(theirs, ours, apart=last.apart, doubtful=last.doubtful):
            return False
        found = Control(theirs, ours, last.apart, last.doubtful)
    controls.keep(run.run_id, name, found, now=run.now)
    return True


def require_tie(source: Source, table: Table, run: Run, reading: Reading) -> None:
    """As `ties`, after everything was read: only what was set aside then may be missing, or `SourceBroken`."""
    theirs = source.totals(table)
    if theirs is None:
        return
    name, rows = source.feed(table), standing_rows(run.lake, table, run.source)
    aside = _latest(reading.aside, table)
    apart, doubtful = _apart(aside, rows, table, run.lake), _doubtful(aside, theirs)
    ours = totals_of(rows, table)
    if not differences(theirs, ours):
        apart, doubtful = 0, ()
    found = differences(theirs, ours, apart=apart, doubtful=doubtful)
    control = Control(theirs, ours, apart, doubtful, tuple(found))
    Controls(run.store.database).keep(run.run_id, name, control, now=run.now)
    if found:
        told = "; ".join([*found, *_untold(reading, rows, table)])
        raise SourceBroken(f"{name}: the control totals do not tie: {told}; nothing was taken back")


def _untold(reading: Reading, rows: pl.DataFrame, table: Table) -> list[str]:
    """The first few that stand in the lake although the source told nothing of them."""
    told = _latest(reading.told, table).filter(~pl.col("deleted"))
    extra = rows.join(told, on=list(table.key), how="anti").sort(table.key)
    if extra.is_empty():
        return []
    shown = ", ".join(" ".join(key) for key in extra.head(_NAMED).select(table.key).iter_rows())
    more = f" and {extra.height - _NAMED:,} more" if extra.height > _NAMED else ""
    return [f"the lake holds {shown}{more}, of which the source tells nothing"]


def _latest(keys: pl.DataFrame, table: Table) -> pl.DataFrame:
    return keys.sort("changed_at", maintain_order=True).filter(pl.struct(*table.key).is_last_distinct())


def _apart(aside: pl.DataFrame, rows: pl.DataFrame, table: Table, lake: Lake) -> int:
    """How many records were set aside that stand at the source, while none of their key is among `rows`, which stand.

    One that was taken back later than it was set aside stands nowhere.
    """
    key = list(table.key)
    missing = aside.filter(~pl.col("deleted")).join(rows, on=key, how="anti")
    versions = lake.versions(table).filter("deleted").select(*key, "known_at")
    gone = versions.join(missing.lazy(), on=key, how="inner").filter(pl.col("known_at") >= pl.col("changed_at"))
    return missing.join(gone.collect(), on=key, how="anti").height


def _doubtful(aside: pl.DataFrame, theirs: Totals) -> tuple[str, ...]:
    """The entities whose sums may be others; all, where a record does not say whose it is."""
    if aside["entity_id"].has_nulls():
        return tuple(sorted({entity_of(name) for name in theirs.sums or {}}))
    return tuple(sorted(set(aside["entity_id"])))
