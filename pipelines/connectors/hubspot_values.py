"""The values of HubSpot's properties, exactly. All are text or null, whatever their type is called in the portal."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from features.errors import Violation

_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_MILLIS = re.compile(r"-?\d{9,15}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = Decimal(10) ** 12
_DECIMALS = 12

A_NUMBER = f"a number such as 1234.50, less than {_LARGEST:,f}, with at most {_DECIMALS} decimals"
AN_INSTANT = "an instant: ISO 8601 with Z or an offset, or milliseconds since 1970"


class Properties:
    """The properties of one object; what cannot be read is added to `faults`, and None comes back."""

    def __init__(self, where: str, values: Mapping[str, Any], faults: list[Violation]) -> None:
        self.where = where
        self._values = values
        self._faults = faults

    def text(self, name: str) -> str | None:
        """Trimmed; None where it is null, blank or absent."""
        value = self._values.get(name)
        if value is None:
            return None
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"')
        return shown.strip() or None

    def needed(self, name: str, allowed: str) -> str:
        """The text, or a fault and ''."""
        text = self.text(name)
        if text is None:
            self.fault(name, allowed)
        return text or ""

    def number(self, name: str) -> Decimal | None:
        """None where it is null or blank, and where it is no number, which is a fault."""
        text = self.text(name)
        if text is None:
            return None
        number = number_of(text)
        if number is None:
            self.fault(name, A_NUMBER)
        return number

    def needed_number(self, name: str) -> Decimal:
        """The number, or a fault and 0."""
        if self.text(name) is None:
            self.fault(name, A_NUMBER)
        return self.number(name) or Decimal(0)

    def instant(self, name: str) -> datetime | None:
        """None and a fault where there is none."""
        instant = instant_of(self.text(name))
        if instant is None:
            self.fault(name, AN_INSTANT)
        return instant

    def day(self, name: str, zone: ZoneInfo) -> date | None:
        """The day in `zone` of an instant, or the day itself; None and a fault where there is none."""
        day = day_of(self.text(name), zone)
        if day is None:
            self.fault(name, f"a date written as YYYY-MM-DD, or {AN_INSTANT}")
        return day

    def fault(self, name: str, allowed: str) -> None:
        """Note that the property may not be what it is."""
        self._faults.append(Violation(self.where, name, self.text(name), allowed))


def number_of(text: str) -> Decimal | None:
    """
    >>> number_of("1.5E3"), number_of("1,000"), number_of("NaN")
    (Decimal('1.5E+3'), None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    exponent = number.normalize().as_tuple().exponent
    small = isinstance(exponent, int) and -exponent <= _DECIMALS
    return number if small and abs(number) < _LARGEST else None


def instant_of(text: str | None) -> datetime | None:
    """ISO 8601 with an offset, milliseconds since 1970, or a date, which is midnight in UTC as in the portal.

    >>> instant_of("1767225600000") == instant_of("2026-01-01T00:00:00.000Z") == instant_of("2026-01-01")
    True
    """
    if text is None:
        return None
    try:
        if _MILLIS.fullmatch(text):
            return _EPOCH + timedelta(milliseconds=int(text))
        instant = datetime.fromisoformat(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
        return None if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def millis(instant: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def day_of(text: str | None, zone: ZoneInfo) -> date | None:
    """
    >>> str(day_of("2026-01-31T23:30:00Z", ZoneInfo("Europe/Berlin"))), str(day_of("2026-01-31", ZoneInfo("UTC")))
    ('2026-02-01', '2026-01-31')
    """
    instant = instant_of(text)
    if instant is None or text is None:
        return None
    return instant.date() if _DAY.fullmatch(text) else instant.astimezone(zone).date()
