"""JSON records of a system as a frame of text columns, like the rows of a file, ready for the same parsers."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
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
_SAID = ("id", "company", "deleted", "bygone", *_STAMPS)
_DEEPEST = 20
_MOST_DIGITS = 400  # what a float can hold; a number with more zeros is no amount and would fill the memory
_AS_IT_CAME = msgspec.json.Encoder(decimal_format="number", order="sorted")


class _Envelope(msgspec.Struct, frozen=True):
    """What every record says, whatever its table."""

    id: str | int
    changed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    company: str | int | None = None
    deleted: bool = False
    bygone: bool = False
    known_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def records_frame(feed: str, records: list[Json]) -> pl.DataFrame:
    """The records' fields as text, `PLACE` and `_deleted`; a row each.

    Nested objects become `outer.inner`, lists JSON. `SourceBroken` where a record lacks what every record must say, is
    nested too deep, or where two of its fields would become one column.
    """
    _refuse_deep(feed, records)
    _refuse_shapeless(feed, records)
    told = _one_each(feed, list(_columns(records)))
    frame = pl.DataFrame(told | {name: _said(records, name) for name in _SAID if name not in told})
    frame = frame.with_columns(
        *(pl.col(name).str.to_datetime("%+", time_zone="UTC").dt.strftime(_STAMP) for name in _STAMPS),
        (pl.col("deleted") == "true").fill_null(value=False).alias("_deleted"),
    )
    return frame.with_columns(_place(feed).alias("_where")).with_row_index("_row")


def as_json(records: list[Json], rows: list[int]) -> list[str]:
    """The records at these positions as JSON with sorted keys; fields that are nested too deep are left out."""
    return [as_text({n: v for n, v in records[row].items() if not _is_deep([[v]])}) for row in rows]


def as_text(record: Json) -> str:
    """The record as JSON with sorted keys, its numbers as exact as they came."""
    return _AS_IT_CAME.encode(record).decode()


def exact(literal: str) -> Decimal | str:
    """A JSON number with a point or an exponent, to the last digit; as text where no amount could be so large or small.

    For a decoder's `float_hook`, which must not fail: a number that nobody asks for harms nobody.

    >>> exact("90071992547409.93"), exact("1e2"), exact("1e999999999")
    (Decimal('90071992547409.93'), Decimal('100'), '1e999999999')
    """
    try:
        number = Decimal(literal)
    except InvalidOperation:
        return literal
    return Decimal(f"{number:f}") if abs(number.adjusted()) <= _MOST_DIGITS else literal


def _refuse_deep(feed: str, records: list[Json]) -> None:
    if _is_deep(records):
        record = next(record for record in records if _is_deep([record]))
        allowed = f"allowed: {_DEEPEST} levels of objects and lists"
        raise SourceBroken(f"{feed}: record {record.get('id')!r} is nested too deep; {allowed}")


def _is_deep(values: list[Any]) -> bool:
    """Whether objects and lists among the values have more than so many levels; without recursion, which would end."""
    for _ in range(_DEEPEST + 1):
        nested = [v for v in values if type(v) is dict or type(v) is list]
        if not nested:
            return False
        values = list(chain.from_iterable(v.values() if type(v) is dict else v for v in nested))
    return True


def _one_each(feed: str, columns: list[tuple[str, pl.Series]]) -> dict[str, pl.Series]:
    times = Counter(name for name, _ in columns)
    twice = sorted(name for name, count in times.items() if count > 1)
    if twice:
        told = f"{feed}: an object's field and another field are both called {twice[0]!r}"
        raise SourceBroken(f"{told}; allowed: names without a dot, or that no object's field has")
    return dict(columns)


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
    if isinstance(value, Decimal):
        return f"{value:f}"
    return msgspec.json.encode(value).decode()
