"""The numbers under which added records are kept: those of a source that counts as it books, honest and odd alike.

While odd documents are written they carry numbers after all others, which would betray them. Once all are there every
record is counted anew in the order of booking, and whatever names one names it by its new number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from services.sandbox.anomaly_desk import PREFIXES, Desk, Drafts
from services.sandbox.anomaly_twins import misspelt

NAMING = ("invoice_id", "credit_note_id", "payment_id", "allocation_id", "from_id", "record_id", "reference", "why")
_NUMBER = re.compile(rf"\b({'|'.join(PREFIXES.values())})(-?)(\d{{6,}})", re.IGNORECASE)


@dataclass(frozen=True)
class Numbers:
    """(entity, number while writing) -> number in the books."""

    names: Mapping[tuple[int, str], str]
    entity_ids: tuple[str, ...]

    @classmethod
    def given(cls, drafts: Drafts, desk: Desk) -> "Numbers":
        """Those of a source that counts every booking, but for twins, which have a misspelt one of their original."""
        names: dict[tuple[int, str], str] = {}
        for table, prefix in PREFIXES.items():
            for entity, old, number in _counted(drafts[table], f"{table}_id", prefix, desk).iter_rows():
                names[entity, old] = f"{prefix}-{number:06d}"
        taken = {(entity, name) for (entity, _), name in names.items()}
        for (entity, old), original in desk.misspelt.items():
            free = [n for n in misspelt(names[entity, original]) if (entity, n) not in taken]
            names[entity, old] = desk.pick(free)
            taken.add((entity, names[entity, old]))
        return cls(names, tuple(desk.entity_ids))

    def in_drafts(self, drafts: Drafts) -> Drafts:
        """The drafts, whose `_entity` is a position, with the numbers of the books."""
        return {table: self._renamed(rows, rows["_entity"].to_list()) for table, rows in drafts.items()}

    def in_truth(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The same for rows with `entity_id`."""
        at = {entity: number for number, entity in enumerate(self.entity_ids)}
        return self._renamed(rows, [at[e] for e in rows["entity_id"]])

    def _renamed(self, rows: pl.DataFrame, entities: list[int]) -> pl.DataFrame:
        columns = [c for c in NAMING if c in rows.columns]
        return rows.with_columns(
            pl.Series(c, [t and self._text(e, t) for e, t in zip(entities, rows[c], strict=True)], dtype=pl.String)
            for c in columns
        )

    def _text(self, entity: int, text: str) -> str:
        """Numbers keep the way in which they are written: in small letters, without a hyphen, with something added."""

        def new(found: re.Match[str]) -> str:
            prefix, hyphen, digits = found.groups()
            old = f"{prefix.upper()}-{digits}"
            name = self.names.get((entity, old), old)
            return name if found[0] == old else prefix + hyphen + name.rpartition("-")[2]

        return _NUMBER.sub(new, text)


def _counted(rows: pl.DataFrame, key: str, prefix: str, desk: Desk) -> pl.DataFrame:
    """_entity, number while writing, and its place among the entity's bookings from 1 on."""
    twins = pl.DataFrame(list(desk.misspelt), schema={"_entity": pl.Int64, key: pl.String}, orient="row")
    plain = rows.filter(pl.col(key).str.contains(rf"^{prefix}-\d+$")).join(twins, on=["_entity", key], how="anti")
    first = plain.group_by("_entity", key).agg(pl.col("_local").min()).sort("_entity", "_local", key)
    return first.select("_entity", key, pl.int_range(1, pl.len() + 1).over("_entity"))
