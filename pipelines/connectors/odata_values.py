"""Values of OData: from the wire to plain JSON, and from plain text to a literal that holds nothing but a value.

Decoded values are JSON-able and exact: decimals as text, never a float; instants in UTC with an offset; V2's
`Edm.DateTime` without one, because it is local to a place that the service does not name; days as YYYY-MM-DD. Texts
keep their zeros. Sources: OData V2 "JSON Format" and "URI Conventions"; OData V4 "JSON Format" 7, "URL Conventions" 5.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from features.errors import BadInput, SourceBroken

_V2_DATE = re.compile(r"/Date\((-?\d{1,18})([+-]\d{1,4})?\)/")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = ("Edm.Decimal", "Edm.Double", "Edm.Single")
_WHOLE = ("Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64")


def decoded(edm_type: str, value: Any, where: str) -> Any:
    """A primitive value as plain JSON; null stays null. `SourceBroken` naming `where` for what the type cannot hold."""
    if value is None:
        return None
    reader: Callable[[Any], Any] = _READERS.get(edm_type, _text)
    try:
        return reader(value)
    except (ValueError, InvalidOperation, OverflowError, TypeError):
        raise SourceBroken(
            f"{where}: {str(value)[:80]!r} is no {edm_type}; the service breaks its own metadata"
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _number(value: Any) -> str:
    number = Decimal(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None
    if number is None or not number.is_finite() or abs(number.adjusted()) > 400:
        raise ValueError(value)
    return format(number, "f")


def _integer(value: Any) -> int:
    number = Decimal(_number(value))
    if number != number.to_integral_value():
        raise ValueError(value)
    return int(number)


def _guid(value: Any) -> str:
    return str(UUID(_text(value)))


def _local(value: Any) -> str:
    """V2's DateTime: a reading of a clock whose zone nobody tells."""
    parts = _V2_DATE.fullmatch(_text(value))
    if parts is None:
        moment = datetime.fromisoformat(_cut(value))
        if moment.tzinfo is not None:
            raise ValueError(value)
        return moment.isoformat()
    if parts[2]:
        raise ValueError(value)
    return (_EPOCH + timedelta(milliseconds=int(parts[1]))).replace(tzinfo=None).isoformat()


def _instant(value: Any) -> str:
    """In UTC. The milliseconds of `/Date(ms+minutes)/` are UTC already; the offset tells but how it was shown."""
    parts = _V2_DATE.fullmatch(_text(value))
    if parts is not None:
        return (_EPOCH + timedelta(milliseconds=int(parts[1]))).isoformat()
    moment = datetime.fromisoformat(_cut(value))
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC).isoformat()


def _cut(value: str) -> str:
    """To the microsecond: OData allows twelve digits."""
    return _FRACTION.sub(r"\1", value)


def _day(value: Any) -> str:
    if len(_text(value)) != 10:
        raise ValueError(value)
    return date.fromisoformat(value).isoformat()


_READERS: dict[str, Callable[[Any], Any]] = {
    "Edm.Boolean": _flag,
    "Edm.Guid": _guid,
    "Edm.DateTime": _local,
    "Edm.DateTimeOffset": _instant,
    "Edm.Date": _day,
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_WHOLE, _integer),
}


def quoted(text: str) -> str:
    """A string literal; what could end it is doubled.

    >>> quoted("O'Neil' or 1 eq 1")
    "'O''Neil'' or 1 eq 1'"
    """
    return "'" + text.replace("'", "''") + "'"


def literal(edm_type: str, value: str | bool | int | Decimal, version: int) -> str:
    """`value` as a literal of `edm_type` in a filter or key; `BadInput` where it is none: nothing slips through."""
    if edm_type == "Edm.String":
        return quoted(str(value))
    try:
        plain = _READERS[edm_type](value)
    except (KeyError, ValueError, TypeError, InvalidOperation, OverflowError):
        raise BadInput(f"{str(value)[:80]!r} cannot stand in a filter or key as {edm_type}") from None
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if edm_type == "Edm.DateTimeOffset":
        plain = plain.replace("+00:00", "Z")
    before, after = _V2_MARKS.get(edm_type, ("", "")) if version < 4 else ("", "")
    return f"{before}{plain}{after}"


_V2_MARKS = {
    "Edm.DateTime": ("datetime'", "'"),
    "Edm.DateTimeOffset": ("datetimeoffset'", "'"),
    "Edm.Guid": ("guid'", "'"),
    "Edm.Decimal": ("", "M"),
    "Edm.Double": ("", "d"),
    "Edm.Single": ("", "f"),
    "Edm.Int64": ("", "L"),
}
