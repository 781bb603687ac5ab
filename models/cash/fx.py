"""Group currency: rates known at an instant, across all entities' books."""

from datetime import datetime

import polars as pl

from features.book import Book
from features.facts import standing
from features.money import exponent

STEPS = 2  # straight, or over one currency in between


def group_rates(book: Book, as_of: datetime, group: str) -> dict[str, float]:
    """Currency -> units of `group` for one of it, wherever the rates known at `as_of` lead there.

    Straight or the other way round first, else over one currency in between; of several, the first entity's in order.
    """
    reached = {group: 1.0}
    for _ in range(STEPS):
        before = dict(reached)
        for currency, other, rate in _quotes(book, as_of):
            if other in before:
                reached.setdefault(currency, rate * before[other])
    return reached


def minor_rate(rate: float, currency: str, group: str) -> float:
    """From minor units of `currency` to minor units of `group`."""
    return rate * 10.0 ** (exponent(group) - exponent(currency))


def _quotes(book: Book, as_of: datetime) -> list[tuple[str, str, float]]:
    """(currency, other, units of `other` for one of `currency`), both ways round."""
    rows = (
        standing(book.masters.rates, as_of)
        .join(book.zones.select("entity_id", "entity_currency"), on="entity_id")
        .filter(pl.col("rate") > 0)
        .sort("entity_id", "currency")
        .select("currency", "entity_currency", "rate")
    )
    return [pair for a, b, rate in rows.iter_rows() for pair in ((a, b, rate), (b, a, 1 / rate))]
