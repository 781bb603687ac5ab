"""Control totals: whether the lake holds what the source holds, by count, sums and a digest of the ids."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from features.lake import Lake
from features.tables import Table

_AMOUNT = "amount_minor"
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a source, or the lake, holds of a table: the rows that are not taken back.

    sums    minor units by "ENTITY CURRENCY"; None where the table has no amounts, or the source does not say
    digest  of the ids, see `digest_of`; None where the source does not say
    """

    count: int
    sums: Mapping[str, int] | None = None
    digest: str | None = None


def lake_totals(lake: Lake, table: Table, source: str) -> Totals:
    """What the lake holds of `source`, as it stands after everything that is known."""
    return totals_of(standing_rows(lake, table, source), table)


def standing_rows(lake: Lake, table: Table, source: str) -> pl.DataFrame:
    """The keys of the rows of `source` that stand, with `amount_minor` and `currency` where the table has them."""
    wanted = [*table.key, "source", "deleted", *(c for c in (_AMOUNT, "currency") if c in table.schema)]
    latest = lake.versions(table).select(wanted).unique(table.key, keep="last")
    return latest.filter(~pl.col("deleted"), pl.col("source") == source).drop("source", "deleted").collect()


def totals_of(rows: pl.DataFrame, table: Table) -> Totals:
    """The totals of rows that hold the table's key and, where it has them, `amount_minor` and `currency`."""
    ids = rows.select(pl.concat_str(table.key, separator=_BETWEEN).alias("id"))["id"]
    return Totals(rows.height, _sums(rows) if _AMOUNT in table.schema else None, digest_of(ids))


def digest_of(ids: pl.Series) -> str:
    """SHA-256, as hex, of the ids (entity, unit separator, id) in the order of their bytes, a line each.

    >>> digest_of(pl.Series(["b", "a"])) == hashlib.sha256(b"a\\nb").hexdigest()
    True
    """
    return hashlib.sha256("\n".join(ids.cast(pl.String).sort()).encode()).hexdigest()


def differences(theirs: Totals, ours: Totals, *, apart: int = 0, doubtful: Collection[str] = ()) -> list[str]:
    """Where the totals do not tie, in words.

    apart     records that stand at theirs and are set aside here, where none of the same key stands
    doubtful  entities of theirs with records that are set aside: whatever these sum to, the lake's sums may be others
    """
    found = []
    if theirs.count != ours.count + apart:
        kept = f" and {apart} set aside" if apart else ""
        found.append(f"the source has {theirs.count:,} records, the lake {ours.count:,}{kept}")
    if theirs.sums is not None and ours.sums is not None:
        found += _different_sums(_sums_without(doubtful, theirs.sums), _sums_without(doubtful, ours.sums))
    if not apart and not found and None not in (theirs.digest, ours.digest) and theirs.digest != ours.digest:
        found.append(f"the source has {theirs.count:,} records as the lake, but not the same ones")
    return found


def _sums(rows: pl.DataFrame) -> dict[str, int]:
    named = pl.concat_str("entity_id", "currency", separator=" ").alias("of")
    summed = rows.group_by(named).agg(pl.col(_AMOUNT).sum())
    return dict(summed.sort("of").iter_rows())


def entity_of(name: str) -> str:
    """Whose sum it is that is called "ENTITY CURRENCY"."""
    return name.rpartition(" ")[0]


def _sums_without(doubtful: Collection[str], sums: Mapping[str, int]) -> dict[str, int]:
    return {name: minor for name, minor in sums.items() if entity_of(name) not in doubtful}


def _different_sums(theirs: Mapping[str, int], ours: Mapping[str, int]) -> list[str]:
    return [
        f"{name}: the source sums to {theirs.get(name, 0):,} minor units, the lake to {ours.get(name, 0):,}"
        for name in sorted({*theirs, *ours})
        if theirs.get(name, 0) != ours.get(name, 0)
    ]
