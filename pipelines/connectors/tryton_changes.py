"""What changed in Tryton since an instant: two passes, each by (stamp, id), so that no row is missed or skipped.

Tryton stamps in UTC, to the microsecond, and leaves `write_date` empty on what was never changed. What was never
changed comes first: a row that is changed meanwhile is then met again among the changed ones, not lost between them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_json import Json

STAMPS = ("create_date", "write_date")
_PASSES: tuple[tuple[str, list[list[Any]]], ...] = (
    ("create_date", [["write_date", "=", None]]),
    ("write_date", [["write_date", "!=", None]]),
)


@dataclass
class Window:
    """Changes from `since` on (all where it is None), read in pages of `page`; `latest` is the last stamp met."""

    since: datetime | None
    page: int
    latest: datetime | None = None

    def saw(self, rows: list[Json]) -> None:
        """Remember the latest change among the rows."""
        self.latest = max([*filter(None, [self.latest]), *map(stamp_of, rows)], default=None)


def changed(
    erp: Tryton, model: str, domain: Sequence[Any], fields: Collection[str], window: Window
) -> Iterator[list[Json]]:
    """Pages of the records in `domain` that were made or changed in the window, which learns of the latest of them."""
    for stamp, only in _PASSES:
        beyond: list[Any] = [] if window.since is None else [[stamp, ">=", window.since]]
        while True:
            wanted = {*fields, *STAMPS}
            order = [(stamp, "ASC"), ("id", "ASC")]
            rows = erp.search(model, [*domain, *only, *beyond], wanted, order=order, limit=window.page)
            window.saw(rows)
            if rows:
                yield rows
            if len(rows) < window.page:
                break
            last = rows[-1]
            beyond = [["OR", [[stamp, ">", last[stamp]]], [[stamp, "=", last[stamp]], ["id", ">", last["id"]]]]]


def stamp_of(*rows: Json | None) -> datetime:
    """When the latest of the rows was last changed; rows without stamps do not count."""
    found = [row[name] for row in rows if row for name in STAMPS if row.get(name)]
    latest: datetime = max(found)
    return latest.replace(tzinfo=UTC)


def as_text(instant: datetime) -> str:
    """An instant as records say it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
