"""Where an incremental read starts and where the next one will, for sources that stamp their changes."""

from datetime import UTC, datetime, timedelta
from typing import cast

import polars as pl

from features.errors import StateError
from pipelines.connectors.source import Json


class ChangeCursor:
    """Follows the latest change stamp of a feed.

    A stamp that lies in the future would make the source be asked for nothing until then, so `now` is the limit.
    Reading starts `overlap` before the last stamp: a transaction that took long commits with an early one.
    """

    def __init__(self, cursor: str | None, now: datetime, overlap: timedelta) -> None:
        self._now = now
        self._latest = None if cursor is None else min(_instant(cursor), now)
        self.since = None if self._latest is None else self._latest - overlap

    def after(self, records: list[Json]) -> str | None:
        """The cursor once `records` have landed; None before the first stamp. Unreadable ones are skipped."""
        newest = _newest(records)
        if newest is not None and (self._latest is None or newest > self._latest):
            self._latest = min(newest, self._now)
        return None if self._latest is None else self._latest.astimezone(UTC).isoformat(timespec="microseconds")


def _newest(records: list[Json]) -> datetime | None:
    texts = [text for record in records if isinstance(text := record.get("changed_at"), str)]
    stamps = pl.Series(texts, dtype=pl.String).str.to_datetime("%+", time_zone="UTC", strict=False)
    return cast("datetime | None", stamps.max())


def _stamp(text: object) -> datetime | None:
    try:
        stamp = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return stamp if stamp is not None and stamp.tzinfo is not None else None


def _instant(cursor: str) -> datetime:
    stamp = _stamp(cursor)
    if stamp is None:
        raise StateError(f"the cursor {cursor!r} is no instant; the operational store was changed by another hand")
    return stamp
