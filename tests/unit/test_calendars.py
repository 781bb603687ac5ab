"""Where days start, which day an instant belongs to, and which days are for business."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendars import business_calendar, day_of, day_start, instant, with_day_of, with_day_start, zone
from features.errors import BadInput
from features.tables import INSTANT

MS = timedelta(milliseconds=1)
# Zones with clocks that change by night, at midnight, by half an hour, not at all, or lose a whole day.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
SKIPPED = {("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kiritimati", date(1994, 12, 31))}


def zones(*names: str) -> pl.DataFrame:
    """An entity per zone: E0, E1 and so on."""
    ids = [f"E{n}" for n in range(len(names))]
    return pl.DataFrame({"entity_id": ids, "time_zone": names}, schema={"entity_id": pl.String, "time_zone": pl.String})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "time_zone", "starts"),
    [
        (date(2024, 7, 1), "UTC", "2024-07-01T00:00"),
        (date(2024, 3, 31), "Europe/Berlin", "2024-03-30T23:00"),
        (date(2024, 4, 1), "Europe/Berlin", "2024-03-31T22:00"),
        (date(2024, 11, 3), "America/New_York", "2024-11-03T04:00"),
        (date(2024, 11, 4), "America/New_York", "2024-11-04T05:00"),
        # midnight does not exist: the day starts at 01:00
        (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00"),
        (date(2024, 4, 26), "Africa/Cairo", "2024-04-25T22:00"),
        # midnight comes twice: the day starts with the first
        (date(2024, 11, 3), "America/Havana", "2024-11-03T04:00"),
        # the day before midnight has 25 hours
        (date(2018, 2, 18), "America/Sao_Paulo", "2018-02-18T03:00"),
        # the whole day does not exist: it starts when the next one does
        (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00"),
        (date(2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00"),
    ],
)
def test_a_day_starts_when_its_first_instant_comes(day: date, time_zone: str, starts: str) -> None:
    assert day_start(day, time_zone) == utc(starts)
    drawn = with_day_start(pl.DataFrame({"entity_id": ["E0"], "d": [day]}), "d", zones(time_zone), "start")
    assert drawn["start"].to_list() == [utc(starts)]
    assert drawn.schema["start"] == INSTANT


@given(st.sampled_from(ZONES), st.lists(st.dates(date(1970, 1, 2), date(2040, 1, 1)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_column_of_days_starts_as_each_of_them_does(time_zone: str, days: list[date]) -> None:
    frame = pl.DataFrame({"entity_id": ["E0"] * len(days), "d": days})
    started = with_day_start(frame, "d", zones(time_zone), "start")
    assert started["start"].to_list() == [day_start(day, time_zone) for day in days]
    back = with_day_of(started, "start", zones(time_zone), "back")
    for day, again in zip(days, back["back"], strict=True):
        assert again == day or (time_zone, day) in SKIPPED
        assert day_of(day_start(day, time_zone) - MS, time_zone) < day


def test_each_entity_has_its_own_zone_and_rows_keep_their_order() -> None:
    frame = pl.DataFrame({"entity_id": ["E1", "E0", "E2", "E1"], "d": [date(2024, 1, n) for n in (4, 3, 2, 1)]})
    where = zones("Europe/Berlin", "America/New_York", "Europe/Berlin")
    started = with_day_start(frame, "d", where, "start")
    assert started.drop("start").equals(frame)
    assert started["start"].dt.hour().to_list() == [5, 23, 23, 5]
    assert with_day_of(started, "start", where, "day")["day"].to_list() == frame["d"].to_list()
    late = started.with_columns(start=pl.col("start") - MS)
    assert with_day_of(late, "start", where, "day")["day"].to_list() == [date(2024, 1, n) for n in (3, 2, 1)] + [
        date(2023, 12, 31)
    ]


def test_without_entities_there_are_no_rows_but_types() -> None:
    nothing = pl.DataFrame(schema={"entity_id": pl.String, "d": pl.Date, "t": INSTANT})
    assert with_day_start(nothing, "d", zones(), "start").schema["start"] == INSTANT
    assert with_day_of(nothing, "t", zones(), "day").schema["day"] == pl.Date


def test_no_day_has_no_start() -> None:
    frame = pl.DataFrame({"entity_id": ["E0"], "d": [None]}, schema_overrides={"d": pl.Date})
    assert with_day_start(frame, "d", zones("Europe/Berlin"), "start")["start"].to_list() == [None]


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "Europe/Berlin/", "\0"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"unknown time zone .*; allowed: an IANA name such as Europe/Berlin"):
        zone(name)


def test_instants_are_in_utc_and_rounded_up_to_the_millisecond() -> None:
    berlin = timezone(timedelta(hours=1))
    assert instant(datetime(2024, 1, 1, 1, tzinfo=berlin)) == utc("2024-01-01T00:00")
    assert instant(datetime(2024, 1, 1, 1, tzinfo=berlin)).tzinfo is UTC
    assert instant(datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)) == utc("2024-01-01T00:00") + MS
    assert instant(datetime(2024, 1, 1, microsecond=1000, tzinfo=UTC)) == utc("2024-01-01T00:00") + MS
    with pytest.raises(BadInput, match="2024-01-01T00:00:00 has no time zone"):
        instant(datetime(2024, 1, 1))  # noqa: DTZ001 - that it lacks one is the point


def business_days(country: str | None, *days: date) -> list[bool]:
    calendar = business_calendar(country, 2023, 2025)
    return np.is_busday(np.array(days, dtype="datetime64[D]"), busdaycal=calendar).tolist()


def test_weekends_and_national_holidays_are_no_business_days() -> None:
    friday, saturday, sunday = (date(2024, 10, n) for n in (4, 5, 6))
    unity, christmas = date(2024, 10, 3), date(2024, 12, 25)
    assert business_days("DE", friday, saturday, sunday, unity, christmas) == [True, False, False, False, False]
    assert business_days("US", friday, saturday, sunday, unity, christmas) == [True, False, False, True, False]


@pytest.mark.parametrize("country", [None, "", "XX", "de", "Germany", "constants"])
def test_an_unknown_country_has_weekends_only(country: str | None) -> None:
    saturday, unity, christmas = date(2024, 10, 5), date(2024, 10, 3), date(2024, 12, 25)
    assert business_days(country, saturday, unity, christmas) == [False, True, True]


def test_years_outside_the_ones_asked_for_have_no_holidays() -> None:
    assert business_days("US", date(2026, 12, 25)) == [True]
