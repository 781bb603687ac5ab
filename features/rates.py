"""Foreign money in the entity's own currency, by the rates known at the time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

import polars as pl

from features.calendars import with_day_start
from features.facts import Facts, with_version
from features.money import exponents
from features.tables import INSTANT

PAIR = ("entity_id", "currency")


class _Quote(NamedTuple):
    """A rate from `since` until `until`. The smallest of those that stand counts: newest day, direct, learnt last."""

    days_back: int
    inverted: bool
    learnt_back: int
    fx_rate_id: str
    rate: float
    since: datetime
    until: datetime | None


def with_base_rate(
    rows: pl.DataFrame, rates: pl.DataFrame, zones: pl.DataFrame, *, at: str, strictly: bool = False
) -> pl.DataFrame:
    """`rows`, in any order, with `rate`: from minor units of `currency` to hundredths of the entity's currency.

    By the rate in force at the instant in column `at` (`strictly`: before it). Null where none was known: such amounts
    are left out of sums rather than mixed in.

    rates  `rates_in_force`
    zones  entity_id, entity_currency
    """
    home = zones.select("entity_id", "entity_currency")
    rated = with_version(rows, rates, by=PAIR, at=at, strictly=strictly)
    digits = pl.col("currency").replace_strict(exponents(), return_dtype=pl.Int64, default=2)
    rate = pl.when(pl.col("currency") == pl.col("entity_currency")).then(1.0).otherwise("rate")
    return (
        rated.join(home, on="entity_id", how="left")
        .with_columns(rate=rate * pl.lit(10.0).pow(2 - digits))
        .drop("entity_currency")
    )


def rates_in_force(facts: Facts, zones: pl.DataFrame) -> pl.DataFrame:
    """entity_id, currency, rate, known_from, known_to: units of the entity's currency for one of `currency`, and when.

    In force is the rate of the newest day among those known whose day has begun; where a day has a rate in both
    directions the direct one; a rate that was taken back gives way to the one before it.
    """
    quotes = _quotes(facts, zones)
    rows = [
        (*pair, rate, since)
        for pair, quoted in quotes.group_by(PAIR, maintain_order=True)
        for since, rate in _changes([_Quote(*row) for row in quoted.drop(PAIR).iter_rows()])
    ]
    schema = {"entity_id": pl.String(), "currency": pl.String(), "rate": pl.Float64(), "known_from": INSTANT}
    in_force = pl.DataFrame(rows, schema=schema, orient="row")
    return in_force.with_columns(known_to=pl.col("known_from").shift(-1).over(PAIR)).drop_nulls("rate")


def _quotes(facts: Facts, zones: pl.DataFrame) -> pl.DataFrame:
    """Every version of every rate to the entity's currency, oldest first: PAIR and the fields of `_Quote`."""
    rate = pl.col("rate").cast(pl.Float64)
    told = facts.spans("fx_rate").join(zones, on="entity_id")
    to_home = told.filter(pl.col("to_currency") == pl.col("entity_currency"))
    from_home = told.filter(pl.col("currency") == pl.col("entity_currency"))
    both = pl.concat(
        [
            to_home.with_columns(rate=rate, inverted=pl.lit(value=False)),
            from_home.with_columns(rate=1 / rate, currency="to_currency", inverted=pl.lit(value=True)),
        ]
    )
    # a rate counts from the start of its day, and for a cutoff at that very instant: hence the millisecond
    begun = with_day_start(both, "day", zones, "_begins").with_columns(
        since=pl.max_horizontal("known_from", pl.col("_begins") - timedelta(milliseconds=1))
    )
    return (
        begun.filter(pl.col("known_to").is_null() | (pl.col("since") < pl.col("known_to")))
        .sort(*PAIR, "since", "fx_rate_id")
        .select(
            *PAIR,
            -pl.col("day").cast(pl.Int32).cast(pl.Int64),
            "inverted",
            -pl.col("known_from").dt.epoch("ms"),
            "fx_rate_id",
            "rate",
            "since",
            until="known_to",
        )
    )


def _changes(quotes: Sequence[_Quote]) -> Iterator[tuple[datetime, float | None]]:
    """(since, the rate from then on or null) at every instant at which it changes."""
    instants = sorted({q.since for q in quotes} | {q.until for q in quotes if q.until is not None})
    standing: list[_Quote] = []
    waiting = iter(quotes)
    coming = next(waiting, None)
    rate: float | None = None
    for now in instants:
        while coming is not None and coming.since <= now:
            heappush(standing, coming)
            coming = next(waiting, None)
        while standing and standing[0].until is not None and standing[0].until <= now:
            heappop(standing)
        before, rate = rate, standing[0].rate if standing else None
        if rate != before:
            yield now, rate
