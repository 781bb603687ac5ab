"""The draws of a day that were recorded: they stand, whatever a later list of that day would draw."""

from datetime import date, datetime

import polars as pl

from features.book import Book
from features.calendars import instant
from features.masters import CUSTOMER
from models.worklist.ranking import left_out
from models.worklist.settings import WorklistSettings

SOURCE = "duecast"
Drawn = dict[tuple[str, str, date], tuple[bool, float | None]]


def recorded(book: Book, as_of: datetime) -> Drawn:
    """(entity, customer, day) -> made, chance of every contact that a list recorded at `as_of` or later.

    The one thing that a list may know of what came after it: a draw is no knowledge of the world, but what was decided.
    """
    told = book.facts.tables["contact"].filter(
        (pl.col("source") == SOURCE) & ~pl.col("deleted") & (pl.col("known_at") >= instant(as_of))
    )
    first = told.sort("known_at").unique(["entity_id", "contact_id"], keep="first", maintain_order=True)
    return {(e, c, d): (m, p) for e, c, d, m, p in first.select(*CUSTOMER, "day", "made", "chance").iter_rows()}


def draw(
    stands: Drawn, settings: WorklistSettings, entity_id: str, customer_id: str, day: date
) -> tuple[bool, float | None]:
    """Whether the contact is made, and the chance of it (null: no draw): as recorded, or else by a draw."""
    if (entity_id, customer_id, day) in stands:
        return stands[entity_id, customer_id, day]
    out = left_out(settings.seed, entity_id, customer_id, day, settings.holdout_share)
    return not out, 1.0 - settings.holdout_share if settings.holdout_share else None
