"""JSON as Tryton writes it: decimals, days and instants are objects that name their class."""

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from features.errors import SourceBroken

Json = dict[str, Any]

_DAY = ("year", "month", "day")
_MOMENT = (*_DAY, "hour", "minute", "second", "microsecond")
_READ: dict[str, Callable[[Json], Any]] = {
    "Decimal": lambda told: Decimal(told["decimal"]),
    "date": lambda told: date(*(told[part] for part in _DAY)),
    "datetime": lambda told: datetime(*(told[part] for part in _MOMENT)),  # noqa: DTZ001  Tryton's are UTC, unsaid
    "timedelta": lambda told: timedelta(seconds=told["seconds"]),
    "bytes": lambda told: base64.b64decode(told["base64"]),
}


def encode(value: Any) -> bytes:
    """`value` as JSON; aware instants are brought to UTC, which is what Tryton takes naive ones for.

    >>> encode({"amount": Decimal("1.50"), "on": date(2024, 5, 1)}).decode()
    '{"amount": {"__class__": "Decimal", "decimal": "1.50"}, "on": {"__class__": "date", "year": 2024, "month": 5, \
"day": 1}}'
    """
    return json.dumps(value, default=_written).encode()


def decode(body: bytes, where: str) -> Any:
    """The value of a JSON text; `SourceBroken`, naming `where` it was read, for anything else."""
    try:
        return json.loads(body, object_hook=_object)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise SourceBroken(f"{where}: the answer is not Tryton's JSON: {error}; allowed: its REST or RPC API") from None


def in_address(value: Any) -> str:
    """`value` as it goes into a query or a header."""
    return base64.urlsafe_b64encode(encode(value)).decode()


def _object(told: Json) -> Any:
    read = _READ.get(told.get("__class__", ""))
    return told if read is None else read(told)


def _written(value: object) -> Json:
    match value:
        case datetime():
            utc = value if value.tzinfo is None else (value - value.utcoffset()).replace(tzinfo=None)  # type: ignore[operator]
            return {"__class__": "datetime"} | {part: getattr(utc, part) for part in _MOMENT}
        case date():
            return {"__class__": "date"} | {part: getattr(value, part) for part in _DAY}
        case timedelta():
            return {"__class__": "timedelta", "seconds": value.total_seconds()}
        case bytes():
            return {"__class__": "bytes", "base64": base64.b64encode(value).decode()}
        case Decimal():
            return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(f"{type(value).__name__} cannot be said in Tryton's JSON")
