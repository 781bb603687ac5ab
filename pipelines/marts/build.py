"""The star made from the books as of a day: every mart under its declared schema, with keys that fit."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from features.book import Book
from features.contracts import require_schema
from features.kpis.asof import AsOf
from features.money import exponents
from models.champion import ModelVersion
from pipelines.marts import dimensions
from pipelines.marts.catalogue import FACTS, MARTS
from pipelines.marts.columns import Mart, Type
from pipelines.marts.facts import DRAFTS, kpi_rows, prediction_rows
from pipelines.marts.keys import key_of_day, with_entity_key, with_key
from services.schemas import Prediction

Marts = dict[str, pl.DataFrame]


def marts(
    book: Book,
    as_of: date | datetime,
    predictions: Sequence[Prediction] = (),
    version: ModelVersion | None = None,
    *,
    group_currency: str | None = None,
) -> Marts:
    """Mart name -> rows, in the order of `MARTS`.

    as_of           an instant, or a day: its start where each entity is; nothing learnt then or later is in them
    predictions     about the receivables that were open then, by the model `version`
    group_currency  KPIs over all currencies too, in this one; `BadInput` for one that there is not
    """
    at = AsOf.of(book, as_of)
    drafts = {name: draft(at) for name, draft in DRAFTS.items()}
    drafts["fact_kpi"] = kpi_rows(at, as_of, group_currency)
    drafts["fact_prediction"] = prediction_rows(at, predictions, version)
    facts = {mart.name: _finished(mart, drafts[mart.name]) for mart in FACTS}
    found = facts | {
        "dim_entity": dimensions.entities(at),
        "dim_customer": dimensions.customers(at, list(drafts.values())),
        "dim_currency": dimensions.currencies(at, facts),
        "dim_date": dimensions.days(facts),
    }
    return {mart.name: _checked(mart, found[mart.name]) for mart in MARTS}


def _finished(mart: Mart, draft: pl.DataFrame) -> pl.DataFrame:
    """The draft with surrogate keys, keys of days and exact amounts, under the mart's schema."""
    rows = with_entity_key(draft)
    if "customer_id" in draft.columns:
        rows = with_key(rows, "customer_key", ("entity_id", "customer_id"))
    amounts = [c.name for c in mart.columns if c.type is Type.AMOUNT]
    days = [c.name for c in mart.columns if c.type is Type.DATE_KEY]
    whole = rows.with_columns(
        *(_major(f"{name}_minor").alias(name) for name in amounts),
        *(key_of_day(name.removesuffix("_key")).alias(name) for name in days),
    )
    return _checked(mart, whole)


def _checked(mart: Mart, rows: pl.DataFrame) -> pl.DataFrame:
    frame = rows.select(list(mart.schema)).sort(mart.key)
    require_schema(frame, mart.schema, f"the rows of mart {mart.name}")
    return frame


def _major(minor: str) -> pl.Expr:
    """Column `minor` in major units of `currency`: exact, since no currency has more than four decimals."""
    digits = set(exponents().values())
    unit = {e: Decimal(1).scaleb(-e) for e in digits}
    by_currency = {code: unit[e] for code, e in exponents().items()}
    factor = pl.col("currency").replace_strict(by_currency, return_dtype=Type.AMOUNT.dtype)
    return (pl.col(minor).cast(Type.AMOUNT.dtype) * factor).cast(Type.AMOUNT.dtype)
