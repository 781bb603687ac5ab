"""The bytes of a bank file as lines of text, and its values as dates and amounts, with the place in every complaint."""

import codecs
import re
from datetime import date
from decimal import Decimal

from features.errors import BadInput
from features.money import to_minor

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|\n|\r")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN = re.compile(r"[0-9]{1,18}(?:\.[0-9]{0,6})?")
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


def decoded(data: bytes, name: str, encoding: str | None = None) -> str:
    """The text of `data`: as its byte order mark says, else `encoding`, else UTF-8 or, where it is not, cp1252.

    `BadInput` names the line of the first byte that is not in the encoding.
    """
    marked = next((codec for mark, codec in _MARKS if data.startswith(mark)), None)
    tried = (marked or encoding,) if marked or encoding else ("utf-8", "cp1252")
    for position, codec in enumerate(tried, start=1):
        try:
            text = data.decode(codec or "utf-8")
        except UnicodeDecodeError as error:
            if position == len(tried):
                raise BadInput(_undecoded(data, name, codec or "", error)) from None
        else:
            return _without_nulls(text, name)
    raise AssertionError("unreachable: the last encoding returns or raises")


def _undecoded(data: bytes, name: str, codec: str, error: UnicodeDecodeError) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    allowed = "UTF-8, UTF-16 with a byte order mark, or cp1252"
    return f"{name} line {line}: byte {data[error.start]:#04x} is not {codec}; allowed: {allowed}"


def _without_nulls(text: str, name: str) -> str:
    at = text.find("\x00")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise BadInput(f"{name} line {line}: a null character; allowed: text (UTF-16 needs its byte order mark)")
    return text


def lines_of(data: bytes, name: str, encoding: str | None = None) -> list[str]:
    """The lines of `data` without their ends, whichever system wrote them; see `decoded`."""
    return _LINE_END.split(decoded(data, name, encoding))


def iso_day(text: str | None, place: str, field: str) -> date:
    """The day of `2026-03-31` or of an instant that starts with it, as the bank writes it; no zone is applied."""
    try:
        found = _DAY.match(text or "")
        return plausible(date.fromisoformat(found[0])) if found else _no_day()
    except ValueError:
        raise BadInput(f"{place}: {field} is {text!r}; allowed: a day that exists, written YYYY-MM-DD") from None


def _no_day() -> date:
    raise ValueError


def plausible(day: date) -> date:
    """`day`, or `ValueError` where its year shows that something else was read as a date."""
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(day)
    return day


def minor(text: str | None, currency: str | None, place: str, field: str) -> int:
    """An unsigned amount with a point as integer minor units of `currency`."""
    if currency is None or not _PLAIN.fullmatch(text or ""):
        shown = repr(text) if currency else f"{text!r} without a currency"
        raise BadInput(f"{place}: {field} is {shown}; allowed: an amount such as 1234.50 and its currency")
    try:
        return to_minor(Decimal(text or ""), currency)
    except BadInput as error:
        raise BadInput(f"{place}: {field}: {error}") from None


def two_digit_day(text: str, place: str, field: str) -> date:
    """The day of `YYMMDD`; years from 80 on are of the last century."""
    century = "19" if text[:2] >= "80" else "20"
    try:
        return date.fromisoformat(f"{century}{text[:2]}-{text[2:4]}-{text[4:]}")
    except ValueError:
        raise BadInput(f"{place}: {field} is {text!r}; allowed: a day that exists, written YYMMDD") from None


def blank_to_none(text: str | None) -> str | None:
    """`text` without blanks around it; None where nothing is left."""
    return (text or "").strip() or None
