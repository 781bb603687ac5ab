"""All that is known: every version of every fact, and for how long each version was the word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import polars as pl

from features.calendars import instant
from features.tables import TABLES, Table, table


class Versions(Protocol):
    """What can list every version of a table: the lake."""

    def versions(self, table: Table, *, before: datetime | None = None) -> pl.LazyFrame:
        """Rows of `table.schema` with `known_at` before `before`."""
        ...


@dataclass(frozen=True)
class Facts:
    """Every version of every canonical table, in memory; a table without rows is there and empty.

    The order of rows says one thing only: which of two versions of a fact learnt in the same instant came last.
    """

    tables: Mapping[str, pl.DataFrame]
    _spans: dict[str, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, tables: Mapping[str, pl.DataFrame]) -> "Facts":
        """Facts from some tables; the others are empty."""
        return cls({t.name: tables.get(t.name, pl.DataFrame(schema=t.schema)).select(list(t.schema)) for t in TABLES})

    @classmethod
    def read(cls, lake: Versions, *, before: datetime | None = None) -> "Facts":
        """Everything the lake knew before `before` (everything, where that is None)."""
        return cls.of({t.name: lake.versions(t, before=before).collect() for t in TABLES})

    def before(self, as_of: datetime) -> "Facts":
        """Only what was known before `as_of`; entities stay whole, since they are the frame and not the picture."""
        limit = instant(as_of)
        known = {name: rows.filter(pl.col("known_at") < limit) for name, rows in self.tables.items()}
        return Facts({**known, "entity": self.tables["entity"]})

    def spans(self, name: str) -> pl.DataFrame:
        """The table's own columns with `known_from` and `known_to`: the instants between which a version was the word.

        `known_to` is null while a version still stands. Versions that the source took back have no row; a version
        overtaken in the same instant has none either.
        """
        if name not in self._spans:
            self._spans[name] = self._made_spans(table(name))
        return self._spans[name]

    def _made_spans(self, declared: Table) -> pl.DataFrame:
        own = [
            c.name for c in declared.columns if c.name not in ("source", "source_id", "known_at", "digest", "deleted")
        ]
        return (
            self.tables[declared.name]
            .sort(*declared.key, "known_at", maintain_order=True)
            .with_columns(
                known_from=pl.col("known_at"),
                known_to=pl.col("known_at").shift(-1).over(declared.key),
            )
            .filter(~pl.col("deleted") & (pl.col("known_to").is_null() | (pl.col("known_from") < pl.col("known_to"))))
            .select(*own, "known_from", "known_to")
        )

    def latest(self, name: str) -> pl.DataFrame:
        """The table's own columns as they stand after everything that is known."""
        return self.spans(name).filter(pl.col("known_to").is_null()).drop("known_from", "known_to")


def standing(spans: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The rows of `spans` that were the word at `as_of`: learnt before it, not replaced before it."""
    limit = instant(as_of)
    ended_later = pl.col("known_to").is_null() | (pl.col("known_to") >= limit)
    return spans.filter((pl.col("known_from") < limit) & ended_later)


def with_version(
    rows: pl.DataFrame, versions: pl.DataFrame, *, by: Sequence[str], at: str, strictly: bool = False
) -> pl.DataFrame:
    """`rows`, in any order, with the columns of the version that stood at the instant in column `at`; else null.

    versions  `by` columns, `known_from`, `known_to` and the columns to add
    strictly  true: learnt before that instant, as a cutoff sees it; false: in that very instant counts too, as for what
              is learnt together
    """
    added = [c for c in versions.columns if c not in (*by, "known_from", "known_to")]
    told = versions.rename({"known_from": "_from", "known_to": "_to"}).sort("_from", maintain_order=True)
    found = rows.sort(at).join_asof(
        told, left_on=at, right_on="_from", by=list(by), allow_exact_matches=not strictly, check_sortedness=False
    )
    stands = pl.col("_to").is_null() | (pl.col("_to") >= pl.col(at) if strictly else pl.col("_to") > pl.col(at))
    return found.with_columns(pl.when(stands).then(c).alias(c) for c in added).drop("_from", "_to")
