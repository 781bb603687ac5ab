"""From the bytes of a body to a typed question, or to a problem that names the place, the value and what is allowed."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec.json import Decoder

from features.errors import Violation
from services import problems
from services.problems import InvalidQuestion, Refused
from services.schemas import AMOUNT_PATTERN, FIRST_DAY, LAST_DAY

T = TypeVar("T")

A_DAY = "a date written as YYYY-MM-DD"
A_DAY_IN_RANGE = f"{A_DAY}, from {FIRST_DAY} to {LAST_DAY}"
AN_AMOUNT = 'a decimal number as text, such as "1234.50"'
SHOWN_LENGTH = 100

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"^Object (?P<fault>missing required|contains unknown) field `(?P<field>.*)`$", re.DOTALL)
_EXPECTED = re.compile(r"^Expected (?P<allowed>.*?)(?:, got .*)?$", re.DOTALL)
_TYPE = re.compile(r"`([^`]*)`")
_TYPES = {"str": "text", "int": "a whole number", "float": "a number", "array": "a list", "object": "an object"}
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_IN_WORDS = {
    "Invalid RFC3339 encoded date": A_DAY,
    "`date`": A_DAY,
    "`date | null`": A_DAY,
    f"`str` matching regex {AMOUNT_PATTERN!r}": AN_AMOUNT,
}


def decode(decoder: Decoder[T], body: bytes) -> T:
    """The question in `body`; `Refused` where it is not JSON, `InvalidQuestion` where it is not of this type.

    The type bounds depth and size: what it does not name is refused before it is looked into.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidQuestion([_violation(str(error), _parsed(body), decoder.type)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from None


def days_out_of_range(where: str, thing: msgspec.Struct) -> Iterator[Violation]:
    """One violation for each date of `thing` that no calendar of ours covers."""
    for field in thing.__struct_fields__:
        day = getattr(thing, field)
        if isinstance(day, date) and not FIRST_DAY <= day <= LAST_DAY:
            yield Violation(where, field, day.isoformat(), A_DAY_IN_RANGE)


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from None


def _malformed(error: Exception) -> Refused:
    detail = str(error) if isinstance(error, msgspec.DecodeError) else "not UTF-8, or nested too deep"
    return Refused(problems.MALFORMED, detail)


def _violation(message: str, content: Any, kind: Any) -> Violation:
    at = _AT.match(message)
    assert at is not None, "matches any text"
    what, path = at["what"], at["path"] or "$"
    if field := _FIELD.match(what):
        path = f"{path}.{field['field']}"
        missing = field["fault"].startswith("missing")
        allowed = "a value: it is required" if missing else "no such field; /v1/openapi.json lists those there are"
    elif what.startswith("Invalid enum value"):
        allowed = _choices(kind, path)
    else:
        expected = _EXPECTED.match(what)
        stated = expected["allowed"] if expected else what
        allowed = _IN_WORDS.get(stated) or _TYPE.sub(lambda found: _TYPES.get(found[1], found[1]), stated)
    where, _, name = path.rpartition(".")
    return Violation(where or path, name if where else "", _shown(content, path), allowed)


def _choices(kind: Any, path: str) -> str:
    """The values of a `Literal` of the question itself; one that stands deeper is left to the document."""
    literal = get_type_hints(kind).get(path.removeprefix("$."))
    return f"one of {', '.join(get_args(literal))}" if literal else "a value that /v1/openapi.json lists"


def _shown(value: Any, path: str) -> str | None:
    """What stands at `path` as JSON, cut short; None where nothing does."""
    for name, index in _STEP.findall(path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
