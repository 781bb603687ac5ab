"""A source that serves canonical tables over HTTP, page by page.

    GET {base}/api/v1/{table}?changed_since=ISO&cursor=OPAQUE&limit=500&history=true      Authorization: Bearer TOKEN
    {"data": [{"id", "company", "changed_at", "deleted", the table's own columns}, ...], "next_cursor": text or null}

Ordered by (changed_at, id). A source may also tell its control totals, of what stands now:

    GET {base}/api/v1/{table}/totals
    {"count": 7, "sums": {"ENTITY CURRENCY": "1234.50"} or null, "digest": see `features.totals`, or null}
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
import msgspec

from features.errors import BadInput, BadSetting, SourceBroken
from features.money import to_minor
from features.tables import TABLES, Table
from features.totals import Totals
from pipelines.connectors.cursors import ChangeCursor
from pipelines.connectors.records import exact
from pipelines.connectors.source import Batch, section_of
from pipelines.connectors.web import Call, Limits, Retries, Web
from pipelines.mapping_keys import From, Rest, Section
from pipelines.readings import columns_used


class _Page(msgspec.Struct, frozen=True):
    data: list[dict[str, Any]]
    next_cursor: str | None


class _Totals(msgspec.Struct, frozen=True):
    count: int
    sums: dict[str, str] | None = None
    digest: str | None = None


_PAGE = msgspec.json.Decoder(_Page, float_hook=exact)


class RestClient:
    """Reads pages from the source at `base_url` with a bearer token. Use it as a context manager, or `close` it."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        if not token.strip():
            raise BadSetting("the token of the source is empty; allowed: the token that its administrator gave you")
        headers = {"Authorization": f"Bearer {token.strip()}", "Accept": "application/json"}
        self._web = Web(base_url, headers, transport=transport, retries=retries, limits=limits, on_call=on_call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._web.close()

    def pages(
        self, path: str, *, page_size: int, changed_since: datetime | None = None, history: bool = False
    ) -> Iterator[list[dict[str, Any]]]:
        """The records of every page of `path`, in the source's order; it may repeat some.

        `changed_since` is inclusive; `history` asks for every version of each record instead of its current state.
        `SourceRefused` for wrong credentials, `SourceBroken` for answers outside the protocol, `SourceError` when
        the source stays out of reach.
        """
        query = {"limit": str(page_size)}
        if changed_since is not None:
            query["changed_since"] = changed_since.astimezone(UTC).isoformat(timespec="microseconds")
        if history:
            query["history"] = "true"
        seen: set[str] = set()
        while True:
            page = self._page(path, query)
            yield page.data
            if page.next_cursor is None:
                return
            if page.next_cursor in seen:
                raise SourceBroken(f"GET {path}: the cursor of page {len(seen) + 1} came before; it would never end")
            seen.add(page.next_cursor)
            query["cursor"] = page.next_cursor

    def _page(self, path: str, query: dict[str, str]) -> _Page:
        answer = self._web.fetch("GET", path, params=query)
        try:
            return _PAGE.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            allowed = 'allowed: {"data": [records], "next_cursor": text or null}'
            raise SourceBroken(f"GET {path}: the answer is outside the protocol: {error}; {allowed}") from None

    def totals(self, path: str) -> Totals | None:
        """The control totals of `path`; None where the source does not tell any (404)."""
        answer = self._web.fetch("GET", f"{path}/totals", allowed=(200, 404))
        if answer.status == 404:
            return None
        try:
            told = msgspec.json.decode(answer.body, type=_Totals)
            sums = None if told.sums is None else {of: _minor(text, of) for of, text in told.sums.items()}
        except (msgspec.DecodeError, UnicodeDecodeError, BadInput) as error:
            allowed = 'allowed: {"count", "sums": {"ENTITY CURRENCY": amount} or null, "digest": text or null}'
            raise SourceBroken(f"GET {path}/totals: the answer is outside the protocol: {error}; {allowed}") from None
        return Totals(told.count, sums, told.digest)


def _minor(amount: str, of: str) -> int:
    return to_minor(amount, of.rsplit(" ", 1)[-1])


class RestSource:
    """What the API behind `client` serves: the whole history the first time, afterwards what changed since the last."""

    def __init__(self, client: RestClient, rest: Rest) -> None:
        self._client = client
        self._rest = rest

    def tables(self) -> tuple[Table, ...]:
        """Those that the mapping names."""
        return tuple(table for table in TABLES if table.name in self._rest.tables)

    def feed(self, table: Table) -> str:
        """The request."""
        return f"GET {self._path(table)}"

    def section(self, table: Table) -> Section:
        """Every column by its own name, unless the mapping says otherwise."""
        return section_of(table, self._rest.fields.get(table.name))

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        """Pages; the cursor is the latest change stamp that has come.

        `SourceBroken` where the mapping says that records are complete and one is not.
        """
        wanted = columns_used(self.section(table), From(column="company")) if self._rest.complete else set()
        at = ChangeCursor(cursor, now, timedelta(minutes=self._rest.overlap_minutes))
        pages = self._client.pages(
            self._path(table), page_size=self._rest.page_size, changed_since=at.since, history=cursor is None
        )
        for records in pages:
            self._require_complete(table, records, wanted)
            yield Batch(records, at.after(records))

    def _require_complete(self, table: Table, records: list[dict[str, Any]], wanted: set[str]) -> None:
        for record in records:
            if not wanted <= record.keys():
                missing, there = sorted(wanted - record.keys()), sorted(record.keys() - wanted)
                told = f"{self.feed(table)}: record {record.get('id')!r} lacks {', '.join(missing)}"
                raise SourceBroken(f"{told}; beside what is read it has {', '.join(there) or 'nothing'}")

    def totals(self, table: Table) -> Totals | None:
        """As the source tells them."""
        return self._client.totals(self._path(table))

    def _path(self, table: Table) -> str:
        return self._rest.path.format(table=table.name)
