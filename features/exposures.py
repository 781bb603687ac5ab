"""What a customer owes and has ordered as of a cutoff: per currency to the cent, and in the entity's own currency."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import polars as pl

from features.customer_events import unapplied, unbilled
from features.facts import Facts, with_version
from features.kpis.rounding import half_up
from features.ledger import SPAN
from features.masters import CUSTOMER, Masters
from features.money import exponent

PARTS = ("open_minor", "unbilled_minor", "unapplied_minor")
HOME = tuple(f"home_{part}" for part in PARTS)


def exposures(subjects: pl.DataFrame, facts: Facts, states: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """One row per SNAPSHOT subject and currency in which there is anything, ordered by customer and currency.

    open_minor       what it owes: open receivables above 0 (the `debit_minor` of `features.kpis.ageing`)
    unbilled_minor   open orders, less what was billed of them
    unapplied_minor  money received and not allocated
    home_...         the same in minor units of the entity's currency (`in_home_minor`), at the rate known at the
                     cutoff; null where none was
    entity_currency
    """
    owed = states.filter(pl.col("open_minor") > 0)
    frames = {
        "open_minor": owed.select(*CUSTOMER, "currency", *SPAN, minor="open_minor"),
        "unbilled_minor": unbilled(facts, subjects).select(*CUSTOMER, "currency", *SPAN, minor="left_minor"),
        "unapplied_minor": unapplied(facts, subjects).select(*CUSTOMER, "currency", *SPAN, minor="left_minor"),
    }
    held = pl.concat(_held(subjects, frame).with_columns(part=pl.lit(part)) for part, frame in frames.items())
    sums = held.group_by(*CUSTOMER, "cutoff", "currency").agg(
        pl.col("minor").filter(pl.col("part") == part).sum().alias(part) for part in PARTS
    )
    return _in_home_currency(sums, masters).sort("cutoff", *CUSTOMER, "currency")


def open_orders(subjects: pl.DataFrame, facts: Facts, masters: Masters) -> pl.DataFrame:
    """The open orders of each SNAPSHOT subject as known at its cutoff, oldest first.

    CUSTOMER, order_id, order_date, currency, unbilled_minor, entity_currency and rate: units of that for one of the
    order's currency, null where none was known. Add up before converting: a sum is rounded once (`in_home_minor`).
    """
    told = unbilled(facts, subjects).select(*CUSTOMER, "order_id", "order_date", "currency", *SPAN, minor="left_minor")
    rows = _rated(_held(subjects, told).rename({"minor": "unbilled_minor"}), masters)
    return rows.sort(*CUSTOMER, "order_date", "order_id")


def in_home_minor(minor: int, rate: float, currency: str, home: str) -> int:
    """Minor units of `currency` in those of `home`, exact and then rounded once, halves away from zero.

    rate  units of `home` for one of `currency`; what was written as a decimal counts as that decimal

    >>> in_home_minor(5, 0.7, "USD", "EUR"), in_home_minor(1_000, 0.006, "JPY", "EUR")
    (4, 600)
    """
    return half_up(minor * Fraction(repr(rate)) * Fraction(10) ** (exponent(home) - exponent(currency)))


def _in_home_currency(rows: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """`rows` with `home_` columns beside those of `PARTS`, and `entity_currency`; nothing is nothing at any rate."""
    rated = _rated(rows, masters)
    told = [
        [
            0 if not row[part] else None if row["rate"] is None else in_home_minor(row[part], *_pair(row))
            for part in PARTS
        ]
        for row in rated.iter_rows(named=True)
    ]
    home = pl.DataFrame(told, schema=dict.fromkeys(HOME, pl.Int64()), orient="row")
    return rated.hstack(home).drop("rate")


def _pair(row: Mapping[str, Any]) -> tuple[float, str, str]:
    return row["rate"], row["currency"], row["entity_currency"]


def _rated(rows: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """`rows` with `entity_currency`, and the `rate` to it that was known before each cutoff; 1 from itself."""
    known = with_version(rows, masters.rates, by=("entity_id", "currency"), at="cutoff", strictly=True)
    homes = masters.zones.select("entity_id", "entity_currency")
    same = pl.col("currency") == pl.col("entity_currency")
    return known.join(homes, on="entity_id", how="left").with_columns(rate=pl.when(same).then(1.0).otherwise("rate"))


def _held(subjects: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The spans that stood at each subject's cutoff, with that cutoff."""
    rows = subjects.select(*CUSTOMER, "cutoff").join(spans, on=CUSTOMER)
    stands = pl.col("known_to").is_null() | (pl.col("cutoff") <= pl.col("known_to"))
    return rows.filter((pl.col("known_from") < pl.col("cutoff")) & stands).drop(SPAN)
