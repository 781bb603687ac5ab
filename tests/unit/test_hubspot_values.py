"""HubSpot's property values: texts that are numbers, instants and days, or are not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.connectors.hubspot_values import Properties, day_of, instant_of, millis, number_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1234.50", "1234.50"),
        ("-0.1", "-0.1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.2E7", "12000000"),
        ("0.1000000000000000000000", "0.1"),
        ("999999999999", "999999999999"),
    ],
)
def test_numbers_are_exact(text, number) -> None:
    assert number_of(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "1,234.50", "1_000", "NaN", "Infinity", "0x10", "1e99", "1e-13", "1000000000000", "1.2.3", "٣", "--1"]
)
def test_what_is_no_number(text) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize(
    "text", ["2026-01-31T23:30:00Z", "2026-01-31T23:30:00.000Z", "2026-02-01T00:30:00+01:00", "1769902200000"]
)
def test_an_instant_in_every_spelling(text) -> None:
    assert instant_of(text) == datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    assert day_of(text, BERLIN) == date(2026, 2, 1)
    assert day_of(text, ZoneInfo("America/New_York")) == date(2026, 1, 31)


def test_a_day_stays_that_day_in_every_zone() -> None:
    assert day_of("2026-01-31", ZoneInfo("America/New_York")) == date(2026, 1, 31)
    assert instant_of("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [None, "", "2026-02-30", "31.01.2026", "2026-01-31T10:00:00", "999999999999999", "17", "0001-01-01T00:00:00+23:00"],
)
def test_what_is_no_instant(text) -> None:
    assert instant_of(text) is None
    assert day_of(text, BERLIN) is None


def test_milliseconds_are_rounded_down() -> None:
    assert millis(datetime(1970, 1, 1, 0, 0, 1, 1999, tzinfo=UTC)) == 1001


def test_properties_note_what_cannot_be_read() -> None:
    faults: list = []
    told = Properties("deal 1", {"a": " x ", "b": "  ", "c": None, "n": "one", "d": 12, "f": Decimal("1.10")}, faults)
    assert (told.text("a"), told.text("b"), told.text("c"), told.text("absent")) == ("x", None, None, None)
    assert (told.text("d"), told.number("d"), told.number("f")) == ("12", 12, Decimal("1.10"))
    assert not faults
    assert (told.number("n"), told.needed_number("c"), told.needed("b", "text"), told.day("a", BERLIN)) == (
        None,
        0,
        "",
        None,
    )
    assert [(fault.field, fault.value) for fault in faults] == [("n", "one"), ("c", None), ("b", None), ("a", "x")]
