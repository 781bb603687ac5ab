"""What a customer owes and has ordered as of a cutoff: per currency to the cent, and in the entity's own currency."""

import polars as pl

from features.customer_events import unapplied, unbilled
from features.facts import Facts
from features.ledger import SPAN
from features.masters import CUSTOMER, Masters
from features.money import exponents

PARTS = ("open_minor", "unbilled_minor", "unapplied_minor")
HOME = tuple(f"home_{part}" for part in PARTS)


def exposures(subjects: pl.DataFrame, facts: Facts, states: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """One row per SNAPSHOT subject and currency in which there is anything, ordered by customer and currency.

    open_minor       what it owes: open receivables above 0 (the `debit_minor` of `features.kpis.ageing`)
    unbilled_minor   open orders, less what was billed of them
    unapplied_minor  money received and not allocated
    home_...         the same in minor units of the entity's currency, at the rate known at the cutoff, rounded; null
                     where no rate was known
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
    return in_home_currency(sums, masters).sort("cutoff", *CUSTOMER, "currency")


def in_home_currency(rows: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    """`rows` with `home_` columns beside those of `PARTS`, and `entity_currency`; see `exposures`."""
    rated = masters.valued(rows, at="cutoff", strictly=True).join(
        masters.zones.select("entity_id", "entity_currency"), on="entity_id", how="left"
    )
    digits = pl.col("entity_currency").replace_strict(exponents(), return_dtype=pl.Int64, default=2)
    same = pl.col("currency") == pl.col("entity_currency")
    to_minor = pl.col("rate") * pl.lit(10.0).pow(digits - 2)
    return rated.with_columns(
        pl.when(same | (pl.col(part) == 0))
        .then(part)
        .otherwise((pl.col(part) * to_minor).round().cast(pl.Int64))
        .alias(home)
        for part, home in zip(PARTS, HOME, strict=True)
    ).drop("rate", "segment", "country")


def open_orders(subjects: pl.DataFrame, facts: Facts, masters: Masters) -> pl.DataFrame:
    """The open orders of each SNAPSHOT subject as known at its cutoff, oldest first.

    CUSTOMER, order_id, order_date, currency, unbilled_minor and home_unbilled_minor as in `exposures`.
    """
    told = unbilled(facts, subjects).select(*CUSTOMER, "order_id", "order_date", "currency", *SPAN, minor="left_minor")
    rows = _held(subjects, told).rename({"minor": "unbilled_minor"})
    rows = rows.with_columns(pl.lit(0, pl.Int64).alias(part) for part in PARTS if part != "unbilled_minor")
    return (
        in_home_currency(rows, masters).sort(*CUSTOMER, "order_date", "order_id").drop("open_minor", "unapplied_minor")
    )


def _held(subjects: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """The spans that stood at each subject's cutoff, with that cutoff."""
    rows = subjects.select(*CUSTOMER, "cutoff").join(spans, on=CUSTOMER)
    stands = pl.col("known_to").is_null() | (pl.col("cutoff") <= pl.col("known_to"))
    return rows.filter((pl.col("known_from") < pl.col("cutoff")) & stands).drop(SPAN)
