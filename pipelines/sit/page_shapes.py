"""What a page of each protocol looks like, as data: where its rows are, what leads to the next, how rows are read."""

import json
import re
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

Row = dict[str, Any]
Place = tuple[str, ...]
Queries = Sequence[tuple[str, str]]

_JSON_DATE = re.compile(r"/Date\((-?\d+)([+-]\d+)?\)/")


@dataclass(frozen=True, slots=True)
class PageShape:
    """One protocol's page.

    rows        where the list of rows stands in the answer; () where the answer is the list
    link        where the next page is told; None where the caller asks by itself
    leads       the query parameter by which a link leads on
    bare        the link is the parameter's value alone, not an address
    stamps      fields that say when a row changed
    currencies  fields that hold a currency's code
    """

    name: str
    rows: Place
    link: Place | None = None
    leads: str | None = None
    bare: bool = False
    stamps: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()

    def holds(self, answer: Any) -> bool:
        """Whether the answer is such a page."""
        rows = inside(answer, self.rows)
        return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)

    def link_of(self, answer: Any) -> str | None:
        """The link to the next page, which some services wrap as {"uri": ...}; None on the last page."""
        told = inside(answer, self.link) if self.link else None
        told = told.get("uri") if isinstance(told, dict) else told
        return str(told) if told else None

    def continued(self, query: Queries) -> bool:
        """Whether a request goes on with a listing."""
        if self.leads is None:
            return any(_goes_on(domain) for name, domain in query if name == "d")
        return any(name == self.leads or (name == "$skip" and value != "0") for name, value in query)

    def asked_fields(self, query: Queries) -> tuple[str, ...]:
        """The fields that the request names, as they stand in a row; none where it takes what there is."""
        told = dict(query)
        selected = set(told.get("$select", "").split(",")) - set(told.get("$expand", "").split(","))
        named = {value.split(".")[0] for name, value in query if name == "f"}
        return tuple(sorted((selected | named) - {""}))

    def order(self, query: Queries) -> tuple[str, ...]:
        """The fields by which the rows should ascend; none where the protocol promises nothing."""
        if self.name == "rest":
            return ("changed_at", "id")
        told = dict(query)
        if "$orderby" in told:
            return tuple(told["$orderby"].split(","))
        return tuple(name for name, way in _decoded(told.get("o", "")) if way == "ASC")


REST = PageShape(
    name="rest",
    rows=("data",),
    link=("next_cursor",),
    leads="cursor",
    bare=True,
    stamps=("changed_at", "known_at"),
    currencies=("currency", "paid_currency"),
)
ODATA_V2 = PageShape(
    name="odata v2",
    rows=("d", "results"),
    link=("d", "__next"),
    leads="$skiptoken",
    stamps=("LastChangeDateTime",),
    currencies=("TransactionCurrency",),
)
ODATA_V4 = replace(ODATA_V2, name="odata v4", rows=("value",), link=("@odata.nextLink",))
LIST = PageShape(  # Tryton's REST API, the mailbox of a bank
    name="list", rows=(), stamps=("create_date", "write_date"), currencies=("currency.code",)
)
SHAPES = (REST, ODATA_V2, ODATA_V4, LIST)


def shape_of(answer: Any) -> PageShape | None:
    """The shape that an answer has; None where it is no page."""
    return next((shape for shape in SHAPES if shape.holds(answer)), None)


def inside(value: Any, place: Place) -> Any:
    """What stands at a place; None where there is nothing."""
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def put(answer: Any, place: Place, value: Any) -> Any:
    """The answer with another value at the place."""
    if not place:
        return value
    return {**answer, place[0]: put(answer.get(place[0]), place[1:], value)}


def objects(value: Any) -> Iterator[Row]:
    """Every object in a value, from the outside in."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)


def shifted(stamp: Any, seconds: float) -> Any:
    """A stamp, however the protocol writes it, moved by that time; what cannot be read stays."""
    if isinstance(stamp, dict) and stamp.get("__class__") == "datetime":
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        moved = datetime(*(stamp[name] for name in names)) + timedelta(seconds=seconds)  # noqa: DTZ001  of any zone
        return stamp | {name: getattr(moved, name) for name in names}
    if not isinstance(stamp, str):
        return stamp
    if found := _JSON_DATE.fullmatch(stamp):
        return f"/Date({int(found[1]) + round(seconds * 1000)}{found[2] or ''})/"
    try:
        instant = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return (instant + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def query_of(target: str) -> list[tuple[str, str]]:
    """The parameters of a request's target."""
    return parse_qsl(target.partition("?")[2], keep_blank_values=True)


def _goes_on(domain: str) -> bool:
    """Whether a Tryton domain starts after a row: every listing goes on by what it met last."""
    return any(clause and clause[0] == "OR" for clause in _decoded(domain)) or any(
        clause[:2] == ["id", ">"] and clause[2] for clause in _decoded(domain) if len(clause) == 3
    )


def _decoded(text: str) -> list[Any]:
    try:
        told = json.loads(urlsafe_b64decode(text)) if text else []
    except (NotBase64, ValueError):
        return []
    return [clause for clause in told if isinstance(clause, list)]
