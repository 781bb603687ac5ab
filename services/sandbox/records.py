"""The API's record of each fact, derived from the table's declaration, as JSON text."""

from collections.abc import Callable, Sequence

import polars as pl

from features.money import exponent
from features.tables import Column, Kind, Table

INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S%.6fZ"


def record_field(column: Column) -> str:
    """What the API calls a column: its name, without `_minor` since the API writes major units."""
    return column.name.removesuffix("_minor") if column.kind is Kind.MONEY else column.name


def own_columns(table: Table) -> tuple[Column, ...]:
    """The table's own columns; whose books a record belongs to is said by its `company`."""
    return tuple(c for c in table.own_columns if c.name != "entity_id")


def records(table: Table, rows: pl.DataFrame) -> pl.Series:
    """Each row as the API tells it: JSON with sorted keys and no spaces.

    rows  entity_id, deleted, `changed_at` (UTC, microseconds), the table's own columns, and `_books`: the currency of
          the entity's books, in which amounts are where the table names no currency
    """
    if rows.is_empty():
        return pl.Series("record", [], dtype=pl.String)
    currency = "currency" if any(c.name == "currency" for c in own_columns(table)) else "_books"
    digits = {c: exponent(c) for c in rows[currency].unique().sort()}
    fields = {
        "id": pl.col(table.id_column),
        "company": pl.col("entity_id"),
        "changed_at": pl.col("changed_at").dt.to_string(INSTANT_FORMAT),
        "deleted": pl.col("deleted"),
        **{record_field(c): _value(c, sorted(set(digits.values()))) for c in own_columns(table)},
    }
    in_order = pl.struct(fields[name].alias(name) for name in sorted(fields))
    known = rows.with_columns(_digits=pl.col(currency).replace_strict(digits, return_dtype=pl.Int64, default=None))
    return known.select(in_order.struct.json_encode().alias("record")).to_series()


def major_units(minor: pl.Expr, digits: int) -> pl.Expr:
    """A whole number of minor units as a decimal of major units, in text: -123450 is "-1234.50" with two digits."""
    sign = pl.when(minor < 0).then(pl.lit("-")).when(minor >= 0).then(pl.lit(""))
    whole = (minor.abs() // 10**digits).cast(pl.String)
    if digits == 0:
        return pl.concat_str(sign, whole)
    fraction = (minor.abs() % 10**digits).cast(pl.String).str.zfill(digits)
    return pl.concat_str(sign, whole, pl.lit("."), fraction)


def _value(column: Column, digits: Sequence[int]) -> pl.Expr:
    value = pl.col(column.name)
    match column.kind:
        case Kind.DAY:
            return value.dt.to_string("%Y-%m-%d")
        case Kind.MONEY:
            return _by_digits(digits, lambda d: major_units(value, d))
        case Kind.INSTALMENTS:
            return _by_digits(digits, lambda d: value.list.eval(_instalment(d)))
        case Kind.RATE:
            return value.cast(pl.String)
        case _:
            return value


def _by_digits(digits: Sequence[int], text: Callable[[int], pl.Expr]) -> pl.Expr:
    """The expression for each row's own number of decimals (column `_digits`)."""
    return pl.coalesce(pl.when(pl.col("_digits") == d).then(text(d)) for d in digits)


def _instalment(digits: int) -> pl.Expr:
    part = pl.element().struct
    return pl.struct(
        major_units(part.field("amount_minor"), digits).alias("amount"),
        part.field("due_date").dt.to_string("%Y-%m-%d").alias("due_date"),
        part.field("number").alias("number"),
    )
