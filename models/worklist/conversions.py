"""At which rates amounts of a list were converted into its entity's currency, in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from features.book import Book
from features.calendars import instant, with_day_of
from features.tables import INSTANT

Rates = Mapping[tuple[str, str], str]


def rates_told(book: Book, as_of: datetime) -> dict[tuple[str, str], str]:
    """(entity, currency) -> the rate in force just before `as_of`, and the day from which it counted there."""
    rates = book.masters.rates
    at = pl.lit(instant(as_of), INSTANT)
    stood = rates.filter((pl.col("known_from") < at) & (pl.col("known_to").is_null() | (pl.col("known_to") >= at)))
    # a rate is in force a millisecond before its day begins, for a cutoff at that very instant
    since = stood.with_columns(_since=pl.col("known_from") + timedelta(milliseconds=1))
    days = with_day_of(since, "_since", book.zones, "_day").join(
        book.zones.select("entity_id", "entity_currency"), on="entity_id"
    )
    return {
        (r["entity_id"], r["currency"]): f"converted at 1 {r['currency']} = {r['rate']:.6g} {r['entity_currency']}, "
        f"the rate in force since {r['_day']}"
        for r in days.filter(pl.col("currency") != pl.col("entity_currency")).iter_rows(named=True)
    }


def converted(entity_id: str, items: Iterable[Mapping[str, Any]], rates: Rates) -> tuple[str, ...]:
    """How what is asked for in other currencies than the entity's came into it; nothing where all is in its own."""
    found = (rates.get((entity_id, currency)) for currency in sorted({i["currency"] for i in items}))
    return tuple(words for words in found if words is not None)
