"""What every connector to a system that is read record by record offers, so that one engine lands them all.

A record is a JSON object for one row of a canonical table:

    id          text or whole number, unique within the company
    company     whose books it is in; the entity's id
    changed_at  the instant at which the source last changed it, ISO 8601 with Z or an offset
    known_at    (optional) the instant at which the source first booked it; used when the fact is new to the lake, while
                what the lake knows already is corrected at changed_at
    bygone      (optional) true where it tells a state that the source has left, as far as it still knows it: counts
                beside `known_at`, where the fact is new to the lake
    deleted     (optional) true where the source took it back
    ...         the fields of `pipelines.fields`, by the names that the connector's `section` gives them
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from features.tables import ENTITY, Table
from features.totals import Totals
from pipelines.fields import fields_of
from pipelines.mapping_keys import From, KnownAt, Section, TableName

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records, and where the next read of the feed starts once they and all before them have landed.

    The last cursor of a read counts; None keeps what is remembered.
    """

    records: list[Json]
    cursor: str | None = None


class Source(Protocol):
    """A system that serves canonical tables, each from where the last read stopped."""

    def tables(self) -> tuple[Table, ...]:
        """What it has, in the order in which it should be read."""
        ...

    def feed(self, table: Table) -> str:
        """What the reading of the table is called in reports and in the store."""
        ...

    def section(self, table: Table) -> Section:
        """How the records' fields become those of the table."""
        ...

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        """The records since `cursor` (all of them where there is none); they may repeat what was read before.

        `SourceRefused`, `SourceBroken` and `SourceError` end it.
        """
        ...

    def totals(self, table: Table) -> Totals | None:
        """What it holds now, counted another way than by reading it all; None where it cannot say."""
        ...


def section_of(table: Table, renamed: dict[str, str | From] | None = None) -> Section:
    """How records are read whose fields have their canonical names, but for those that are `renamed`."""
    derived: dict[str, str | From] = {f.name: f.name for f in fields_of(table.name).values() if f.column is not None}
    if table is not ENTITY:
        derived[table.id_column] = "id"
    name = cast(TableName, table.name)
    return Section(table=name, fields=derived | (renamed or {}), known_at=KnownAt(instant="changed_at"))
