"""The dimensions of the star."""

from collections.abc import Mapping, Sequence

import polars as pl

from features.kpis.asof import AsOf
from features.money import exponents
from pipelines.marts.catalogue import FACTS
from pipelines.marts.columns import Type
from pipelines.marts.keys import with_entity_key, with_key

_PARTS = ("year", "quarter", "month", "week", "weekday")


def entities(at: AsOf) -> pl.DataFrame:
    """Every legal entity."""
    rows = at.book.facts.latest("entity").join(at.cutoffs, on="entity_id", maintain_order="left")
    return with_entity_key(rows.with_columns(as_of="cutoff"))


def customers(at: AsOf, drafts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Those with a record, and those that only documents name."""
    key = ("entity_id", "customer_id")
    named = pl.concat([d.select(key) for d in drafts if "customer_id" in d.columns]).drop_nulls("customer_id")
    known = at.facts("customer").with_columns(known=pl.lit(value=True))
    rows = pl.concat([known.select(key), named]).unique().join(known, on=key, how="left")
    return with_entity_key(with_key(rows.with_columns(pl.col("known").fill_null(value=False)), "customer_key", key))


def currencies(at: AsOf, facts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Those that a fact or an entity's books are in."""
    used = pl.concat([f["currency"] for f in facts.values()] + [at.book.zones["entity_currency"].alias("currency")])
    codes = used.unique().to_frame()
    return codes.with_columns(decimals=pl.col("currency").replace_strict(exponents(), return_dtype=pl.Int64))


def days(facts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Every day that a fact names."""
    named = [f[c.name] for m in FACTS for f in (facts[m.name],) for c in m.columns if c.type is Type.DATE_KEY]
    keys = pl.concat([s.alias("date_key") for s in named]).drop_nulls().unique().to_frame()
    day = pl.date(pl.col("date_key") // 10_000, pl.col("date_key") // 100 % 100, pl.col("date_key") % 100)
    parts = {name: getattr(pl.col("day").dt, name)().cast(pl.Int64) for name in _PARTS}
    return keys.with_columns(day=day).with_columns(**parts)
