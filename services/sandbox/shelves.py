"""The records of one table, ready to send: what is visible at an instant, page by page."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput
from features.tables import Table
from features.totals import Totals, totals_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Positions = NDArray[np.int64]
Key = tuple[int, str, str]  # microseconds of changed_at, id, company: the order of the answers


@dataclass(frozen=True, slots=True)
class Page:
    """Encoded records, and the cursor of the next page, null on the last one."""

    records: list[bytes]
    next_cursor: str | None


class Shelf:
    """One table's records in the order of (changed_at, id, company)."""

    def __init__(self, table: Table, facts: pl.DataFrame, records: pl.DataFrame) -> None:
        """`facts` and `records` are a world's, row by row the same facts."""
        self._changed: Positions = records["changed_at"].to_physical().to_numpy()
        self._texts = [text.encode() for text in records["record"]]
        self._ids: list[str] = facts[table.id_column].to_list()
        self._companies: list[str] = facts["entity_id"].to_list()
        self._table = table
        self._held = facts.select(c for c in (*table.key, "deleted", "amount_minor", "currency") if c in facts.columns)
        self._fact: Positions = facts.select(pl.struct(table.key).rank("dense")).to_series().to_numpy().astype(np.int64)

    def __len__(self) -> int:
        return len(self._texts)

    def changed_before(self, now: datetime) -> Positions:
        """Positions of all versions that were there before `now`."""
        return np.arange(np.searchsorted(self._changed, microseconds(now)))

    def changed_since(self, visible: Positions, since: datetime) -> NDArray[np.bool_]:
        """Which of the positions changed at or after `since`."""
        recent: NDArray[np.bool_] = self._changed[visible] >= microseconds(since)
        return recent

    def newest(self, visible: Positions, within: timedelta) -> NDArray[np.bool_]:
        """Which of the positions changed within that time of the last of them."""
        if len(visible) == 0:
            return np.zeros(0, dtype=bool)
        recent: NDArray[np.bool_] = self._changed[visible] > self._changed[visible[-1]] - microseconds(EPOCH + within)
        return recent

    def current(self, visible: Positions) -> Positions:
        """The last version of each fact among the positions."""
        _, from_the_end = np.unique(self._fact[visible[::-1]], return_index=True)
        return np.sort(visible[::-1][from_the_end])

    def totals(self, shown: Positions) -> Totals:
        """Of the positions `shown`, without what is taken back."""
        return totals_of(self._held[shown].filter(~pl.col("deleted")), self._table)

    def page(
        self, shown: Positions, limit: int, *, since: datetime | None, cursor: str | None, repeat: int = 0
    ) -> Page:
        """Up to `limit` of the positions `shown`: those after the cursor and not before `since`.

        repeat  records before the cursor that come once more; `BadInput` for a cursor that is none
        """
        first = np.searchsorted(self._changed, microseconds(since)) if since else 0
        if cursor is not None:
            first = max(first, self._after(_key(cursor)))
        start = int(np.searchsorted(shown, first))
        end = min(start + limit, len(shown))
        at = shown[max(start - repeat, 0) : end]
        last = None if end == len(shown) else _cursor(self._key(int(shown[end - 1])))
        return Page([self._texts[p] for p in at], last)

    def _key(self, position: int) -> Key:
        return int(self._changed[position]), self._ids[position], self._companies[position]

    def _after(self, key: Key) -> int:
        """The first position whose key comes after `key`."""
        position = int(np.searchsorted(self._changed, key[0]))
        while position < len(self) and self._key(position) <= key:
            position += 1
        return position


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key(cursor: str) -> Key:
    try:
        key: Key = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=Key)
        return key
    except (ValueError, msgspec.DecodeError):
        raise BadInput(f"cursor is {cursor!r}; allowed: the next_cursor of an earlier answer, as it was") from None
