"""What every hold may look at, and what it finds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.book import Book
from models.worklist.candidates import Candidates, standing_on
from models.worklist.settings import WorklistSettings

FOUND = pl.Schema(
    {
        "entity_id": pl.String,
        "customer_id": pl.String,
        "reason": pl.String,
        "released_by": pl.String,
    }
)


@dataclass(frozen=True)
class Scene:
    """The candidates of a day, as known at `candidates.as_of`; `stale` says why it is not known who has paid."""

    book: Book
    candidates: Candidates
    settings: WorklistSettings
    stale: Sequence[str] = ()

    def standing(self, table: str) -> pl.DataFrame:
        """The rows of `table` that were known, with `cutoff_day`."""
        return standing_on(self.book, table, self.candidates.as_of)


Finding = Callable[[Scene], pl.DataFrame]
"""A FOUND frame: CUSTOMER, reason, released_by."""


def found(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """A FOUND frame of `rows`; what a row leaves out is null."""
    return pl.DataFrame(list(rows), schema=FOUND)
