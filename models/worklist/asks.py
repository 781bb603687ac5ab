"""What a contact is about: all that is past due, less what is disputed or promised of it, less free cash and credits.

One definition for the contacts of the past, from which is learnt what they did, and for those of today's list.
"""

from dataclasses import dataclass

import polars as pl

from features.book import Book
from models.worklist.free_cash import free_cash, less_cash
from models.worklist.past_due import past_due
from models.worklist.taken import not_taken, taken


@dataclass(frozen=True)
class Asks:
    """What contacts are about, and why not about more; all as known before each cutoff.

    owed   all that was past due (`models.worklist.past_due`)
    taken  what open disputes and promises take out of it (`models.worklist.taken`)
    due    what they leave: rows of `owed` with left_minor
    free   cash and credits that settle nothing yet, or of which that is not known (`models.worklist.free_cash`)
    items  what is left to ask for: rows of `due` with asked_minor and asked_cents
    """

    owed: pl.DataFrame
    taken: pl.DataFrame
    due: pl.DataFrame
    free: pl.DataFrame
    items: pl.DataFrame


def asks(book: Book, contacted: pl.DataFrame, *, soon_days: int = 0) -> Asks:
    """What each CONTACTED row is about, of what was past due, or due within `soon_days`; it may be nothing."""
    owed = past_due(book, contacted, soon_days=soon_days)
    took, free = taken(book, owed), free_cash(book, owed)
    due = not_taken(owed, took)
    return Asks(owed, took, due, free, less_cash(due, free))
