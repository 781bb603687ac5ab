"""What a mart is made of: columns, keys and grain, declared once for Parquet, Delta, PostgreSQL and the catalogue."""

from dataclasses import dataclass
from enum import Enum

import polars as pl

from features.tables import INSTANT


class Type(Enum):
    """What a column holds: its type in Parquet and Delta, and in PostgreSQL."""

    KEY = (pl.Int64(), "BIGINT", "surrogate key")
    DATE_KEY = (pl.Int32(), "INTEGER", "day as YYYYMMDD")
    TEXT = (pl.String(), "TEXT", "text")
    DAY = (pl.Date(), "DATE", "date")
    INSTANT = (INSTANT, "TIMESTAMPTZ", "instant, UTC")
    MINOR = (pl.Int64(), "BIGINT", "whole minor units of the currency")
    AMOUNT = (pl.Decimal(38, 4), "NUMERIC(38,4)", "major units of the currency, exact")
    COUNT = (pl.Int64(), "BIGINT", "whole number")
    RATIO = (pl.Decimal(38, 4), "NUMERIC(38,4)", "number")
    SHARE = (pl.Float64(), "DOUBLE PRECISION", "0 to 1")
    FLAG = (pl.Boolean(), "BOOLEAN", "true or false")

    def __init__(self, dtype: pl.DataType, sql: str, words: str) -> None:
        self.dtype = dtype
        self.sql = sql
        self.words = words


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `to` names the dimension that it points to, by that one's key."""

    name: str
    type: Type
    doc: str
    optional: bool = False
    to: str | None = None


@dataclass(frozen=True, slots=True)
class Mart:
    """One table of the star. `grain` says what a row is; `key` is unique and never null."""

    name: str
    doc: str
    grain: str
    key: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column -> Polars type, in order."""
        return {c.name: c.type.dtype for c in self.columns}

    @property
    def references(self) -> tuple[Column, ...]:
        """The columns that point to dimensions."""
        return tuple(c for c in self.columns if c.to is not None)


def money(name: str, doc: str, *, optional: bool = False) -> tuple[Column, Column]:
    """An amount twice: `NAME_minor` in minor units, `NAME` in major units."""
    return (
        Column(f"{name}_minor", Type.MINOR, f"{doc}, in minor units", optional),
        Column(name, Type.AMOUNT, doc, optional),
    )


def date_key(name: str, doc: str, *, optional: bool = False) -> Column:
    """A day, as the key of `dim_date`."""
    return Column(f"{name}_key", Type.DATE_KEY, doc, optional, to="dim_date")
