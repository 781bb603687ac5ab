"""Listings that are spoilt page by page: which page this is, and which one comes in its place."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipelines.sit.faults import PAGE_FAULTS, Fault
from pipelines.sit.page_shapes import PageShape, inside, put, query_of
from pipelines.sit.spoiling import spoil_rows

_AGAIN, _FIRST = "again", "first"  # put before a link's parameter: what the proxy has in mind with it

Ask = Callable[[str, Mapping[str, str]], Any]
"""What the system answers to a GET of that target with these headers; None where that is no JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the system; `meant` is what we had in mind with the link that led here."""

    target: str
    meant: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Listings:
    """The listings of `upstream` behind a proxy at `origin`; `strike` says whether a fault of these kinds strikes."""

    def __init__(self, upstream: httpx.URL, ask: Ask, strike: Callable[..., Fault | None]) -> None:
        self.upstream = upstream
        self.origin = ""
        self._ask = ask
        self._strike = strike
        self._mark = secrets.token_hex(4)  # ours, where proxies stand in a row
        self._first: dict[str, str] = {}
        self._before: dict[str, Any] = {}
        self._number: dict[str, int] = {}

    def spoilt(self, answer: Any, shape: PageShape, request: Request, fault: Fault | None) -> Any:
        """What comes in the place of `answer`."""
        number = self._numbered(request, shape)
        if fault is None:
            return answer
        ahead = fault.kind == "reordered_page" and shape.link is not None  # the page comes before the one before it
        if request.meant or (fault.kind in PAGE_FAULTS and number == fault.page - ahead):
            answer = self._other_page(answer, shape, request)
        changed = answer if fault.kind == "clock_skew" else spoil_rows(answer, shape, fault)
        if changed is not answer and self._strike(request.target, fault.kind):
            answer = changed
        self._before[request.path] = answer
        return answer

    def _numbered(self, request: Request, shape: PageShape) -> int:
        """Which page of the listing this is; remembers where listings start."""
        if shape.continued(query_of(request.target)):
            self._number[request.path] = self._number.get(request.path, 1) + 1
        else:
            self._number[request.path] = 1
            self._first[request.path] = request.target
        return self._number[request.path]

    def _other_page(self, answer: Any, shape: PageShape, request: Request) -> Any:
        """The page that comes in place of the right one."""
        if request.meant == _FIRST:
            return self._one_place_late(answer, shape, request)
        if request.meant:
            return answer
        struck = self._strike(request.target, *PAGE_FAULTS)
        if struck is None:
            return answer
        link = shape.link_of(answer)
        if shape.link is None or shape.leads is None:
            return self._without_links(answer, shape, request, struck)
        if struck.kind == "dropped_page":
            return self._next(link, shape, request) if link else put(answer, shape.rows, [])
        if struck.kind == "duplicated_page":
            return put(answer, shape.link, self._marked(self._own_link(shape, request), shape, _AGAIN))
        if link is None:
            return put(answer, shape.rows, inside(answer, shape.rows)[::-1])
        following = self._next(link, shape, request)
        return put(following, shape.link, self._marked(link, shape, _FIRST))

    def _without_links(self, answer: Any, shape: PageShape, request: Request, struck: Fault) -> Any:
        """A protocol whose caller asks for each page by itself."""
        rows = inside(answer, shape.rows)
        if struck.kind == "dropped_page":
            return put(answer, shape.rows, [])
        if struck.kind == "reordered_page":
            return put(answer, shape.rows, rows[::-1])
        before = self._before.get(request.path)
        if before is None or struck.page == 1:
            return put(answer, shape.rows, [*rows, *rows])
        return before

    def _one_place_late(self, answer: Any, shape: PageShape, request: Request) -> Any:
        """The page that should have come before `answer`, which leads on to what comes after it."""
        assert shape.link is not None
        first = self._ask(self._first[request.path], request.headers)
        return put(first, shape.link, shape.link_of(answer))

    def _next(self, link: str, shape: PageShape, request: Request) -> Any:
        target = self._target(link, shape, request)
        return self._ask(target, request.headers)

    def _target(self, link: str, shape: PageShape, request: Request) -> str:
        """The request that a link stands for."""
        if not shape.bare:
            parts = urlsplit(link)
            path = parts.path if parts.path.startswith("/") else f"{request.path.rpartition('/')[0]}/{parts.path}"
            return f"{path}?{parts.query}"
        query = [(name, value) for name, value in query_of(request.target) if name != shape.leads]
        return f"{request.path}?{httpx.QueryParams([*query, (str(shape.leads), link)])}"

    def _own_link(self, shape: PageShape, request: Request) -> str:
        if shape.bare:
            return dict(query_of(request.target))[str(shape.leads)]
        return f"{self.origin}{request.target}"

    def meaning(self, target: str) -> tuple[str, str]:
        """The request as the system knows it, and what we had in mind with the link that led to it."""
        found = re.search(rf"(?<==)({_AGAIN}|{_FIRST}){self._mark}\.", target)
        return (target, "") if found is None else (target[: found.start()] + target[found.end() :], found[1])

    def _marked(self, link: str, shape: PageShape, meant: str) -> str:
        """The link with our mark before the parameter that leads on."""
        mark = f"{meant}{self._mark}."
        if shape.bare:
            return mark + link
        name = re.escape(str(shape.leads).removeprefix("$"))
        return re.sub(rf"((?:\$|%24){name}=)", rf"\g<1>{mark}", link)

    def led_back(self, link: str) -> str:
        """The link, to us where it leads to the system."""
        origin = f"{self.upstream.scheme}://{self.upstream.netloc.decode()}"
        return self.origin + link.removeprefix(origin) if link.startswith(origin) else link
