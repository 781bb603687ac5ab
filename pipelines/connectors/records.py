"""JSON records of a system as a frame of text columns, like the rows of a file, ready for the same parsers."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import Annotated, Any

import msgspec
import polars as pl

from features.errors import SourceBroken
from pipelines.complaints import RESERVED, worded
from pipelines.connectors.source import Json

_STAMPS = ("changed_at", "known_at")
_STAMP = "%Y-%m-%dT%H:%M:%S%.6f%:z"
_SAID = ("id", "company", "deleted", *_STAMPS)


class _Envelope(msgspec.Struct, frozen=True):
    """What every record says, whatever its table."""

    id: str | int
    changed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    company: str | int | None = None
    deleted: bool = False
    known_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def records_frame(feed: str, records: list[Json]) -> pl.DataFrame:
    """The records' fields as text, `PLACE` and `_deleted`; a row each.

    Nested objects become `outer.inner`, lists JSON. `SourceBroken` where a record lacks what every record must say.
    """
    _refuse_shapeless(feed, records)
    told = dict(_columns(records))
    frame = pl.DataFrame(told | {name: _said(records, name) for name in _SAID if name not in told})
    frame = frame.with_columns(
        *(pl.col(name).str.to_datetime("%+", time_zone="UTC").dt.strftime(_STAMP) for name in _STAMPS),
        (pl.col("deleted") == "true").fill_null(value=False).alias("_deleted"),
    )
    return frame.with_columns(_place(feed).alias("_where")).with_row_index("_row")


def as_json(records: list[Json], rows: list[int]) -> list[str]:
    """The records at these positions as JSON with sorted keys."""
    return [msgspec.json.encode(records[row], order="sorted").decode() for row in rows]


def _refuse_shapeless(feed: str, records: list[Json]) -> None:
    try:
        msgspec.convert(records, list[_Envelope])
    except msgspec.ValidationError:
        for record in records:
            _refuse_one_shapeless(feed, record)


def _refuse_one_shapeless(feed: str, record: Json) -> None:
    try:
        msgspec.convert(record, _Envelope)
    except msgspec.ValidationError as error:
        allowed = "id, company, changed_at (ISO 8601 with Z or an offset), deleted (true or false)"
        raise SourceBroken(f"{feed}: record {record.get('id')!r}: {error}; every record has {allowed}") from None


def _said(records: list[Json], name: str) -> pl.Series:
    return pl.Series([_text(record.get(name)) for record in records], dtype=pl.String)


def _place(feed: str) -> pl.Expr:
    """The record by its id, which is unique within a company only, and the version by its stamp."""
    company = pl.coalesce(pl.lit(" in ") + pl.col("company"), pl.lit(""))
    return worded(f"{feed} record {{}}{{}} of {{}}", pl.col("id"), company, pl.col("changed_at"))


def _columns(records: list[Json], prefix: str = "") -> Iterator[tuple[str, pl.Series]]:
    for name in dict.fromkeys(chain.from_iterable(records)):
        if prefix or name not in RESERVED:
            yield from _column(f"{prefix}{name}", [record.get(name) for record in records])


def _column(name: str, values: list[Any]) -> Iterator[tuple[str, pl.Series]]:
    """One column, or those of the objects that stand in it."""
    kinds = set(map(type, values))
    if kinds <= {str, NoneType}:
        yield name, pl.Series(values, dtype=pl.String)
        return
    if kinds != {dict}:
        yield name, pl.Series([None if isinstance(v, dict) else _text(v) for v in values], dtype=pl.String)
    if dict in kinds:
        yield from _columns([v if isinstance(v, dict) else {} for v in values], f"{name}.")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
