"""Whether the clock of a system agrees with ours: its change stamps say when a fact was known."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

CLOCKS_DIFFER = timedelta(minutes=5)


def moment(text: str) -> datetime | None:
    """The instant that an HTTP date tells, one without a zone in UTC; none where it is unreadable."""
    try:
        told = parsedate_to_datetime(text)
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def clock_ahead(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """How far the clock of who answered is ahead of `now`; None where it does not say or a cache answered."""
    sent = moment(headers.get("Date", ""))
    return None if sent is None or "Age" in headers else sent - now


def told_apart(ahead: timedelta) -> str | None:
    """What is wrong with a clock that far ahead (or behind), in words; None where it may be."""
    if abs(ahead) <= CLOCKS_DIFFER:
        return None
    way = "ahead of" if ahead > timedelta() else "behind"
    apart = timedelta(seconds=round(abs(ahead).total_seconds()))
    return f"the source's clock is {apart} {way} ours; allowed: {CLOCKS_DIFFER}; set the clocks"
