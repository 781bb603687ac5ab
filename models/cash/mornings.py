"""When a day begins, and what was known by then: every entity by its own clock."""

from datetime import date, datetime

import polars as pl

from features.book import DATED, Book
from features.calendars import instant
from features.errors import NotFound
from features.facts import Facts
from features.tables import INSTANT


def begun_everywhere(book: Book, day: date) -> datetime:
    """The latest start of the day among the entities. `NotFound` where there is no entity."""
    return max(_starts(book, day).values())


def at_start_of(book: Book, day: date) -> tuple[Book, datetime]:
    """The book as it stood when `day` began where each entity is, and the instant from which it is asked.

    That is the latest start among the entities with documents by then. The others' days have begun before it: what they
    learnt since is not in the book, so a forecast of theirs is the one that their own entity's start gives.
    `NotFound` where there is no entity.
    """
    starts = {entity: instant(start) for entity, start in _starts(book, day).items()}
    limits = pl.DataFrame({"entity_id": list(starts), "_start": list(starts.values())}, schema_overrides=_LIMIT)
    documents = pl.concat([_known(book.facts.tables[name], limits).select("entity_id") for name in DATED])
    present = set(documents["entity_id"]) or set(starts)
    as_of = max(starts[entity] for entity in present)
    tables = {name: _known(rows, limits) for name, rows in book.facts.before(as_of).tables.items() if name != "entity"}
    return Book(Facts({**tables, "entity": book.facts.tables["entity"]}), book.declared), as_of


_LIMIT = {"_start": INSTANT}


def _starts(book: Book, day: date) -> dict[str, datetime]:
    starts = {entity: book.day_start(day, entity) for entity in book.zones["entity_id"]}
    if not starts:
        raise NotFound("the ledger knows of no entity; ingest some invoices first")
    return starts


def _known(rows: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """What each entity had learnt before its start, in the same order."""
    found = rows.join(limits, on="entity_id", how="left", maintain_order="left")
    return found.filter(pl.col("known_at") < pl.col("_start")).drop("_start")
