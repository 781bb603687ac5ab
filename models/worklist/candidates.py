"""Who could be contacted: each customer with something past due, what it owes, and how likely it pays anyway."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from features.book import SUBJECT, Book
from features.calendars import instant, with_day_of
from features.facts import standing
from features.masters import CUSTOMER
from features.tables import INSTANT
from models.distribution import Distribution
from models.worklist.asks import Asks, asks
from models.worklist.effect_features import effect_features
from models.worklist.settings import WorklistSettings


@dataclass(frozen=True)
class Candidates:
    """Everything the list is made from, as known at `as_of`.

    asks      what each contact would be about (`models.worklist.asks`)
    items     its items, with `paid_anyway` (null where the model cannot say)
    features  CONTACTED and EFFECT_FEATURES of each customer with anything to be asked for
    """

    as_of: datetime
    asks: Asks
    items: pl.DataFrame
    features: pl.DataFrame


class PaymentDates(Protocol):
    """A payment-date model."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame will be paid."""
        ...


def candidates(
    book: Book,
    as_of: datetime,
    model: PaymentDates | None,
    settings: WorklistSettings,
    *,
    entity_id: str | None = None,
) -> Candidates:
    """The customers of `book` (of one entity, where named) with anything past due at `as_of`.

    model  a payment-date model; None: how likely each pays anyway is not known, and the list says so
    """
    owed = book.open_receivables(as_of, entity_id)
    who = owed.select(*CUSTOMER, "cutoff_day", "cutoff").unique().sort(CUSTOMER)
    asked = asks(book, who, soon_days=settings.soon_days)
    features = effect_features(book, asked.items).sort(CUSTOMER)
    return Candidates(as_of, asked, with_paid_anyway(book, asked.items, model, settings.horizon_days), features)


def with_paid_anyway(book: Book, asked: pl.DataFrame, model: PaymentDates | None, horizon_days: int) -> pl.DataFrame:
    """`asked` (items of `asks`) with `paid_anyway`: the chance that it is paid by the end of the horizon.

    As collecting goes: the model has learnt from customers some of whom were contacted, so it is not quite the chance
    without any contact, but that of the customer as it has been treated so far.
    """
    if model is None or asked.is_empty():
        return asked.with_columns(paid_anyway=pl.lit(None, dtype=pl.Float64))
    frame = book.features(asked.select(SUBJECT))
    seen = model.distribution(frame)
    chances = seen.paid_by(seen.start + np.timedelta64(horizon_days, "D"))
    return asked.with_columns(paid_anyway=pl.Series(chances, dtype=pl.Float64))


def standing_on(book: Book, table: str, as_of: datetime) -> pl.DataFrame:
    """The rows of `table` that stood at `as_of`, with `cutoff_day`, the day it is where the entity is.

    Of two of one day `known_from` says which was learnt last.
    """
    rows = standing(book.facts.spans(table), as_of).drop("known_to")
    at = rows.with_columns(cutoff=pl.lit(instant(as_of), INSTANT))
    return with_day_of(at, "cutoff", book.zones, "cutoff_day").drop("cutoff")
