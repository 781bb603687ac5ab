"""Surrogate keys that are the same in every export: 63 bits of the SHA-256 of what identifies the row."""

from collections.abc import Sequence
from hashlib import sha256

import polars as pl

from features.errors import StateError

_SEPARATOR = "\x1f"


def with_key(rows: pl.DataFrame, name: str, of: Sequence[str]) -> pl.DataFrame:
    """`rows` with the key `name` made from the columns `of`; null where one of them is null.

    `StateError` where two different rows come to the same key: one in 10^18 pairs.
    """
    told = pl.concat_str([pl.col(c).cast(pl.String) for c in of], separator=_SEPARATOR)
    texts = rows.select(told.alias("text")).to_series()
    distinct = texts.drop_nulls().unique()
    keys = pl.Series([surrogate(text) for text in distinct], dtype=pl.Int64)
    if keys.n_unique() < len(keys):
        raise StateError(f"two values of {', '.join(of)} come to the same {name}; name one of them differently")
    return rows.with_columns(texts.replace_strict(distinct, keys, return_dtype=pl.Int64, default=None).alias(name))


def with_entity_key(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with `entity_key`."""
    return with_key(rows, "entity_key", ("entity_id",))


def surrogate(text: str) -> int:
    """The key of what `text` says.

    >>> surrogate("DE01")
    7553241882954515751
    """
    return int.from_bytes(sha256(text.encode()).digest()[:8]) >> 1


def key_of_day(column: str) -> pl.Expr:
    """A date as YYYYMMDD; null stays null."""
    day = pl.col(column)
    year, month = day.dt.year().cast(pl.Int32), day.dt.month().cast(pl.Int32)
    return year * 10_000 + month * 100 + day.dt.day().cast(pl.Int32)
