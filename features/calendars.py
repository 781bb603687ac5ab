"""Days, instants and business days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput
from features.tables import INSTANT

NOON_TO_MIDNIGHT = timedelta(hours=12)


def zone(name: str) -> ZoneInfo:
    """The IANA zone called `name`; `BadInput` where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(f"unknown time zone {name!r}; allowed: an IANA name such as Europe/Berlin") from None


def day_start(day: date, time_zone: str) -> datetime:
    """The instant at which `day` starts in `time_zone`, in UTC.

    >>> day_start(date(2026, 7, 1), "Europe/Berlin").isoformat()
    '2026-06-30T22:00:00+00:00'
    """
    return datetime.combine(day, time(), tzinfo=zone(time_zone)).astimezone(UTC)


def day_of(instant: datetime, time_zone: str) -> date:
    """The calendar day of `instant` in `time_zone`."""
    return instant.astimezone(zone(time_zone)).date()


def instant(moment: datetime) -> datetime:
    """`moment` in UTC, rounded up to the millisecond: what is known before the one is known before the other.

    `BadInput` where it does not say its zone.
    """
    if moment.tzinfo is None:
        raise BadInput(f"{moment.isoformat()} has no time zone; allowed: an instant such as 2024-01-31T00:00:00+00:00")
    beyond = moment.microsecond % 1000
    return moment.astimezone(UTC) + timedelta(microseconds=1000 - beyond if beyond else 0)


def with_day_start(frame: pl.DataFrame, day: str, zones: pl.DataFrame, name: str) -> pl.DataFrame:
    """`frame` with `name`: the instant at which the date in column `day` starts where the entity is.

    zones  entity_id, time_zone: every entity of `frame`; rows keep their order
    """

    def start(time_zone: str) -> pl.Expr:
        midnight = pl.col(day).cast(pl.Datetime("ms"))
        # where the clocks go forward at midnight, the day starts when they do: 12 hours after the noon before
        options = [
            local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
            for local in (midnight, midnight - NOON_TO_MIDNIGHT)
        ]
        return pl.coalesce(options[0], options[1] + NOON_TO_MIDNIGHT)

    return _per_zone(frame, zones, name, start, INSTANT)


def with_day_of(frame: pl.DataFrame, moment: str, zones: pl.DataFrame, name: str) -> pl.DataFrame:
    """`frame` with `name`: the calendar day of the UTC instant in column `moment` where the entity is."""
    return _per_zone(frame, zones, name, lambda tz: pl.col(moment).dt.convert_time_zone(tz).dt.date(), pl.Date())


def _per_zone(
    frame: pl.DataFrame, zones: pl.DataFrame, name: str, expression: Callable[[str], pl.Expr], dtype: pl.DataType
) -> pl.DataFrame:
    """Evaluate an expression that depends on the zone: once a zone, since Polars takes one zone a column."""
    zone_of = dict(zones.select("entity_id", "time_zone").iter_rows())
    result = pl.lit(None, dtype=dtype)
    for time_zone in sorted(set(zone_of.values())):
        members = [entity for entity, name_ in zone_of.items() if name_ == time_zone]
        result = pl.when(pl.col("entity_id").is_in(members)).then(expression(time_zone)).otherwise(result)
    return frame.with_columns(result.alias(name))


@cache
def _holidays(country: str, first_year: int, last_year: int) -> NDArray[np.datetime64]:
    import holidays

    if country not in holidays.list_supported_countries():
        return np.array([], dtype="datetime64[D]")
    found = holidays.country_holidays(country, years=range(first_year, last_year + 1))
    return np.array(sorted(found), dtype="datetime64[D]")


@cache
def business_calendar(country: str | None, first_year: int, last_year: int) -> np.busdaycalendar:
    """Monday to Friday less the national holidays of `country` (ISO 3166) in those years; weekends where unknown."""
    days = _holidays(country, first_year, last_year) if country else np.array([], dtype="datetime64[D]")
    return np.busdaycalendar(holidays=days)
