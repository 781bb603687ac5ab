"""An OData service, V2 or V4: rows by their declared types, whole and counted; what changed since; and writes.

    with ODataService("https://erp.example", "/sap/opu/odata/sap/API_X_SRV", basic("user", "password")) as service:
        for page in service.pages("A_Set", Query(where=(Condition("CompanyCode", "eq", ("1710",)),))): ...

A page may lead to the next one by a link ($skiptoken); a service that never pages is asked window by window ($skip, in
the order of the key). Either way the rows are held against the service's own count. Links are followed on the service's
own origin only: anywhere else would be given our credentials.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote, unquote, urljoin

import httpx

from features.errors import SourceBroken, SourceError, SourceRefused
from pipelines.connectors.odata_answers import Page, Row, page_of, row_of
from pipelines.connectors.odata_auth import PlainQuery
from pipelines.connectors.odata_errors import message_of
from pipelines.connectors.odata_metadata import Model, model_of
from pipelines.connectors.odata_query import Query, key_text
from pipelines.connectors.web import Answer, Call, Limits, Retries, Web, source_url

_SAID_NO = (400, 403, 404, 405, 406, 409, 410, 412, 415, 422, 423, 428, 501)
_MOST_PAGES = 1_000_000
_JSON = {"Accept": "application/json"}
_TRACK = {"Prefer": "odata.track-changes"}


class ODataService:
    """The service at `path` on the system at `origin`. Use it as a context manager, or `close` it.

    page_size   rows asked for at a time; None leaves the size to the service, which must page by itself then
    headers     sent with every request, say {"sap-client": "100"}
    """

    def __init__(
        self,
        origin: str,
        path: str,
        auth: httpx.Auth,
        *,
        page_size: int | None = 500,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self._origin = source_url(origin)
        self.path = "/" + path.strip("/") + "/"
        self._page_size = page_size
        self._token: str | None = None
        self._web = Web(
            origin,
            _JSON | dict(headers or {}),
            auth=PlainQuery(auth),
            transport=transport,
            retries=retries,
            limits=limits,
            on_call=on_call,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._web.close()

    @cached_property
    def model(self) -> Model:
        """What the service declares."""
        answer = self._get(self.path + "$metadata", {}, {"Accept": "application/xml"})
        return model_of(answer.body, f"GET {self.path}$metadata")

    def pages(self, entity_set: str, query: Query = Query()) -> Iterator[Page]:  # noqa: B008  it is frozen
        """All rows that `query` asks for. They may repeat; none is missing that was there all the while.

        `SourceBroken` for answers outside the protocol, `SourceError` where fewer rows came than the service counted,
        as happens when some are deleted meanwhile: read again.
        """
        entity = self.model.entity(entity_set)
        options = query.options(entity, self.model.version) | self._counted
        if self._page_size is None:
            yield from self._whole(self._linked(entity_set, options), entity_set, query.select)
            return
        options |= {"$orderby": ",".join(entity.keys)}
        yield from self._whole(self._windows(entity_set, options, self._page_size), entity_set, query.select)

    def rows(self, entity_set: str, query: Query = Query()) -> Iterator[Row]:  # noqa: B008  it is frozen
        """The rows of all pages."""
        for page in self.pages(entity_set, query):
            yield from page.rows

    def count(self, entity_set: str, query: Query = Query()) -> int:  # noqa: B008  it is frozen
        """How many rows the service says there are."""
        where = {
            k: v for k, v in query.options(self.model.entity(entity_set), self.model.version).items() if k == "$filter"
        }
        answer = self._get(f"{self.path}{entity_set}/$count", where, {"Accept": "text/plain"})
        text = answer.body.decode("utf-8-sig", errors="replace").strip()
        if not text.isascii() or not text.isdigit():
            raise SourceBroken(f"GET {self.path}{entity_set}/$count: {text[:40]!r} is no count")
        return int(text)

    def row(self, entity_set: str, key: Mapping[str, str | bool | int]) -> Row:
        """The entity with that key; `SourceBroken` with the service's words where there is none."""
        path = self.path + quote(key_text(self.model, entity_set, key), safe="(),='")
        answer = self._get(path, {})
        return row_of(answer.body, self.model, self.model.entity(entity_set), f"GET {self.path}{entity_set}")

    def tracked(self, entity_set: str, query: Query = Query()) -> Iterator[Page]:  # noqa: B008  it is frozen
        """All rows, asking the service to remember what is read; the last page holds the link to what changes then.

        No link comes from a service that cannot track changes.
        """
        options = query.options(self.model.entity(entity_set), self.model.version)
        yield from self._linked(entity_set, options, _TRACK)

    def changes(self, entity_set: str, delta_link: str) -> Iterator[Page]:
        """What changed or went since `delta_link` was given; the last page holds the next link.

        `SourceBroken` where the service does not know the link any more (410): read everything again.
        """
        yield from self._follow(entity_set, *self._inside(delta_link, self.path))

    def create(self, entity_set: str, values: Mapping[str, Any]) -> Row:
        """Post a new entity; what the service made of it."""
        answer = self._write("POST", self.path + entity_set, values)
        return row_of(answer.body, self.model, self.model.entity(entity_set), f"POST {self.path}{entity_set}")

    def update(
        self, entity_set: str, key: Mapping[str, str | bool | int], values: Mapping[str, Any], etag: str
    ) -> None:
        """Change some properties, if the entity is still at `etag` (`*` for whatever it is at)."""
        path = self.path + quote(key_text(self.model, entity_set, key), safe="(),='")
        self._write("PATCH", path, values, {"If-Match": etag})

    @property
    def _counted(self) -> dict[str, str]:
        return {"$inlinecount": "allpages"} if self.model.version < 4 else {"$count": "true"}

    def _whole(self, pages: Iterator[Page], entity_set: str, select: Collection[str]) -> Iterator[Page]:
        """The pages, whose rows have what was selected; in the end there are as many different ones as were counted."""
        keys = self.model.entity(entity_set).keys
        read: set[tuple[Any, ...]] = set()
        rows, told = 0, 0
        for page in pages:
            self._require_selected(page, entity_set, select)
            yield page
            rows += len(page.rows)
            read.update(tuple(row.get(key) for key in keys) for row in page.rows)
            told = page.count if page.count is not None else told
        came = len(read) if not select or set(keys) <= set(select) else rows
        if came < told:
            raise SourceError(f"GET {self.path}{entity_set}: {came} of {told} rows came; read again")

    def _require_selected(self, page: Page, entity_set: str, select: Collection[str]) -> None:
        for row in page.rows:
            if missing := [name for name in select if name not in row]:
                raise SourceBroken(
                    f"GET {self.path}{entity_set}: a row without {', '.join(missing)}, which was asked for"
                )

    def _windows(self, entity_set: str, options: dict[str, str], size: int) -> Iterator[Page]:
        """Window after window; each may itself come in linked pages."""
        read, told = 0, None
        for _ in range(_MOST_PAGES):
            rows = 0
            for page in self._linked(entity_set, options | {"$top": str(size), "$skip": str(read)}):
                yield page
                rows += len(page.rows)
                if told is not None and page.count is not None and page.count < told:
                    raise SourceError(f"GET {self.path}{entity_set}: rows went while it was read; read again")
                told = page.count if page.count is not None else told
            read += rows
            if rows == 0 or (told is not None and read >= told):
                return
        raise SourceBroken(f"GET {self.path}{entity_set}: more than {_MOST_PAGES:,} pages")

    def _linked(
        self, entity_set: str, options: dict[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[Page]:
        yield from self._follow(entity_set, self.path + entity_set, options, headers)

    def _follow(
        self, entity_set: str, path: str, options: Mapping[str, str] | None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Page]:
        """The page at an address and all that its links lead to."""
        seen: set[str] = set()
        while True:
            answer = self._get(path, options, headers)
            where = f"GET {self.path}{entity_set} page {len(seen) + 1}"
            page = page_of(answer.body, self.model, self.model.entity(entity_set), where)
            yield page
            if page.next_link is None:
                return
            if page.next_link in seen or len(seen) >= _MOST_PAGES:
                raise SourceBroken(f"{where}: the link to the next page came before; it would never end")
            seen.add(page.next_link)
            path, options = self._inside(page.next_link, path)

    def _inside(self, link: str, base: str) -> tuple[str, dict[str, str] | None]:
        """Path and options of a link, which must lead to where we are already.

        A link is opaque. One with a raw plus goes back as it came, since only its author knows what the plus means.
        """
        try:
            url = httpx.URL(urljoin(str(self._origin.join(base)), link))
        except (httpx.InvalidURL, ValueError):
            raise SourceBroken(f"GET {self.path}: the service names an unreadable link") from None
        if _origin_of(url) != _origin_of(self._origin) or url.userinfo:
            allowed = f"{self._origin.scheme}://{self._origin.netloc.decode()}"
            raise SourceBroken(f"GET {self.path}: a link leads to {url.host!r}; followed are links on {allowed} only")
        path, _, query = url.raw_path.decode("ascii").partition("?")
        if "+" in query:
            return f"{path}?{query}", None
        pairs = [part.partition("=") for part in query.split("&") if part]
        return path, {unquote(name): unquote(value) for name, _, value in pairs}

    def _get(self, path: str, options: Mapping[str, str] | None, headers: Mapping[str, str] | None = None) -> Answer:
        return self._understood("GET", path, self._asked("GET", path, options, None, headers))

    def _asked(
        self,
        method: str,
        path: str,
        options: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        allowed: Collection[int] = (200, 201, 204, *_SAID_NO),
    ) -> Answer:
        return self._web.fetch(method, path, params=options or None, body=body, headers=headers, allowed=allowed)

    def _understood(self, method: str, path: str, answer: Answer) -> Answer:
        """The answer, unless the service says no."""
        place = f"{method} {path.partition('?')[0].partition('(')[0]}"
        if answer.status == 403:
            raise SourceRefused(f"{place}: the service refuses (403): {message_of(answer)}; check the user's rights")
        if answer.status == 410:
            raise SourceBroken(
                f"{place}: the link is no longer known (410): {message_of(answer)}; read everything again"
            )
        if answer.status in _SAID_NO:
            raise SourceBroken(f"{place}: status {answer.status}: {message_of(answer)}")
        return answer

    def _write(
        self, method: str, path: str, values: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send with a CSRF token, and with a fresh one where the service says that the token is no good any more."""
        body = json.dumps(values).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        for _ in range(2):
            token = self._token = self._token or self._fetched_token()
            answer = self._asked(method, path, None, body, {**told, "X-CSRF-Token": token})
            if answer.status != 403 or answer.headers.get("x-csrf-token", "").lower() != "required":
                break
            self._token = None
        return self._understood(method, path, answer)

    def _fetched_token(self) -> str:
        """A token of this session, whose cookie the connection keeps; empty where the service wants none."""
        answer = self._get(self.path, {}, {"X-CSRF-Token": "Fetch"})
        return str(answer.headers.get("x-csrf-token", ""))


def _origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)
