"""What went over the wire, page by page: enough to judge paging and fields, without keeping the rows."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from pipelines.sit.page_shapes import PageShape, Row, inside, query_of


@dataclass(frozen=True, slots=True)
class SeenPage:
    """One page: digests of its rows, whether they ascend as was asked for, and what was asked for but is not there.

    continued   whether it goes on with a listing
    last        the place of the last row in the order asked for; None where no order was
    absent      fields that were asked for and that some row lacks
    """

    rows: tuple[str, ...]
    continued: bool
    ascends: bool = True
    last: tuple[Any, ...] | None = None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `status` 0 where none came; `started` and `ended` are seconds of one clock.

    headers  what the answer says of the time
    """

    method: str
    target: str
    status: int
    started: float
    ended: float
    at: datetime
    headers: httpx.Headers
    page: SeenPage | None = None
    injected: bool = False

    @property
    def path(self) -> str:
        """Without the query, which may hold what is nobody's business."""
        return self.target.partition("?")[0]


@dataclass
class Trace:
    """The exchanges since it was last emptied, oldest first."""

    exchanges: list[Exchange] = field(default_factory=list)

    def emptied(self) -> list[Exchange]:
        """What was seen so far, which is forgotten."""
        seen, self.exchanges = self.exchanges, []
        return seen


def seen_page(answer: Any, shape: PageShape, target: str) -> SeenPage:
    """A page as it is remembered."""
    rows, query = inside(answer, shape.rows), query_of(target)
    names = shape.order(query)
    places = [_place(row, names) for row in rows] if names else []
    asked = shape.asked_fields(query)
    return SeenPage(
        rows=tuple(_digest(row) for row in rows),
        continued=shape.continued(query),
        ascends=places == sorted(places),
        last=places[-1] if places else None,
        absent=tuple(name for name in asked if any(name not in row for row in rows)),
    )


def _digest(row: Row) -> str:
    return hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=12).hexdigest()


def _place(row: Row, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(_comparable(row.get(name)) for name in names)


def _comparable(value: Any) -> Any:
    """Numbers among themselves, the parts of Tryton's instants among themselves, all else as text."""
    if isinstance(value, dict):
        return "", tuple(part for part in value.values() if isinstance(part, int))
    if isinstance(value, int | float):
        return "", (value,)
    return str(value), ()
