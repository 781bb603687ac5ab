"""Days, instants and business days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput


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


def with_day_start(frame: pl.DataFrame, day: str, zones: pl.DataFrame, name: str) -> pl.DataFrame:
    """`frame` with `name`: the instant at which the date in column `day` starts where the entity is.

    zones  entity_id, time_zone: every entity of `frame`; rows keep their order
    """

    def start(time_zone: str) -> pl.Expr:
        local = pl.col(day).cast(pl.Datetime("ms"))
        # where the clocks go forward at midnight the day starts an hour later
        candidates = (local.dt.offset_by(shift) for shift in ("0h", "1h"))
        options = [c.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null") for c in candidates]
        return pl.coalesce(options).dt.convert_time_zone("UTC")

    return _per_zone(frame, zones, name, start)


def with_day_of(frame: pl.DataFrame, instant: str, zones: pl.DataFrame, name: str) -> pl.DataFrame:
    """`frame` with `name`: the calendar day of the UTC instant in column `instant` where the entity is."""
    return _per_zone(frame, zones, name, lambda tz: pl.col(instant).dt.convert_time_zone(tz).dt.date())


def _per_zone(
    frame: pl.DataFrame, zones: pl.DataFrame, name: str, expression: Callable[[str], pl.Expr]
) -> pl.DataFrame:
    """Evaluate an expression that depends on the zone: once a zone, since Polars takes one zone a column."""
    zone_of = dict(zones.select("entity_id", "time_zone").iter_rows())
    result = pl.lit(None)
    for time_zone in sorted(set(zone_of.values())):
        members = [entity for entity, name_ in zone_of.items() if name_ == time_zone]
        result = pl.when(pl.col("entity_id").is_in(members)).then(expression(time_zone)).otherwise(result)
    return frame.with_columns(result.alias(name))


@cache
def _holidays(country: str, first_year: int, last_year: int) -> NDArray[np.datetime64]:
    import holidays

    try:
        found = holidays.country_holidays(country, years=range(first_year, last_year + 1))
    except NotImplementedError:
        return np.array([], dtype="datetime64[D]")
    return np.array(sorted(found), dtype="datetime64[D]")


@cache
def business_calendar(country: str | None, first_year: int, last_year: int) -> np.busdaycalendar:
    """Monday to Friday less the national holidays of `country` (ISO 3166 alpha-2); weekends only where unknown."""
    days = _holidays(country, first_year, last_year) if country else np.array([], dtype="datetime64[D]")
    return np.busdaycalendar(holidays=days)
