"""What became of each entity of a list: its own instant, its own day, and how many of its customers went where."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl

from features.book import Book
from features.calendars import instant, with_day_of
from features.tables import INSTANT


class OfEntity(Protocol):
    """A row of any list."""

    @property
    def entity_id(self) -> str:
        """Whose it is."""
        ...


@dataclass(frozen=True, slots=True)
class EntityList:
    """How the list of one entity was made: from what was known before `as_of`, for its `day` there.

    Everybody with anything past due is one of `contacts`, `held`, `beyond` and `not_worth`.
    """

    entity_id: str
    as_of: datetime
    day: date
    availability: str
    availability_reason: str | None
    contacts: int
    held: int
    beyond: int
    not_worth: int


def days_at(book: Book, as_of: datetime, entity_id: str | None) -> list[tuple[str, date]]:
    """Every entity, or the one named, and which day it is there."""
    chosen = book.zones if entity_id is None else book.zones.filter(pl.col("entity_id") == entity_id)
    at = chosen.sort("entity_id").select("entity_id", _at=pl.lit(instant(as_of), INSTANT))
    return list(with_day_of(at, "_at", book.zones, "day").select("entity_id", "day").iter_rows())


def counts(lists: Sequence[Iterable[OfEntity]]) -> defaultdict[str, tuple[int, ...]]:
    """Entity -> how many of its rows are in each of `lists`."""
    each = [Counter(row.entity_id for row in rows) for rows in lists]
    told = {entity: tuple(of[entity] for of in each) for entity in set().union(*each)}
    return defaultdict(lambda: (0,) * len(lists), told)
