"""HubSpot's CRM over HTTP: search, read by id, associations.

Sources: HubSpot's reference of the CRM API, objects v3 and associations v4. What is posted here only reads, so it may
be repeated.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Self

import httpx
import msgspec

from features.errors import BadSetting, SourceBroken
from pipelines.connectors.hubspot_answers import Filter, Link, Links, Page, Record, decoded, only_absent
from pipelines.connectors.web import Answer, Call, Limits, Retries, Web

READ_AT_ONCE = 100
LINKS_AT_ONCE = 500


class HubSpot:
    """Reads the portal at `base_url` with the token of a private app. Use it as a context manager, or `close` it.

    Every method: `SourceRefused` for a wrong token or missing scopes, `SourceBroken` for answers outside the
    protocol, `SourceError` when it stays out of reach.
    """

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
            raise BadSetting("the token of HubSpot is empty; allowed: the access token of a private app")
        headers = {
            "Authorization": f"Bearer {token.strip()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self._web = Web(base_url, headers, transport=transport, retries=retries, limits=limits, on_call=on_call)
        self._reads_links_at_once = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._web.close()

    def search(
        self, kind: str, filters: Sequence[Filter], *, sort: str, properties: Sequence[str], limit: int
    ) -> Page[Record]:
        """The first `limit` (200 at most) of the objects that fulfil all filters, by `sort`, ascending."""
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": properties,
            "limit": limit,
        }
        path = f"/crm/v3/objects/{kind}/search"
        return decoded(self._post(path, body), f"POST {path}", Page[Record])

    def read(self, kind: str, ids: Sequence[str], properties: Sequence[str]) -> dict[str, Record]:
        """The objects by their ids; those that are gone are absent."""
        path = f"/crm/v3/objects/{kind}/batch/read"
        found: dict[str, Record] = {}
        for part in _parts(ids, READ_AT_ONCE):
            body = {"inputs": [{"id": one} for one in part], "properties": properties}
            page = decoded(self._post(path, body, 207), f"POST {path}", Page[Record])
            only_absent(page.errors, path)
            found |= {record.id: record for record in page.results}
        return found

    def links(self, kind: str, ids: Sequence[str], to: str) -> dict[str, list[Link]]:
        """For each of the ids its associations with objects of the kind `to`, by id."""
        found: dict[str, dict[str, Link]] = {one: {} for one in ids}
        for part in _parts(ids, LINKS_AT_ONCE):
            for one, link in self._links(kind, part, to):
                if one not in found:
                    raise SourceBroken(f"associations of {kind} with {to}: {one!r} came, which nobody asked for")
                found[one][link.to] = link
        return {one: sorted(links.values(), key=lambda link: link.toObjectId) for one, links in found.items()}

    def _links(self, kind: str, ids: Sequence[str], to: str) -> Iterator[tuple[str, Link]]:
        if self._reads_links_at_once:
            path = f"/crm/v4/associations/{kind}/{to}/batch/read"
            answer = self._post(path, {"inputs": [{"id": one} for one in ids]}, 207, 404)
            if answer.status != 404:
                yield from self._links_at_once(answer, path, kind, to)
                return
            self._reads_links_at_once = False
        for one in ids:
            yield from ((one, link) for link in self._links_of(kind, one, to, None))

    def _links_at_once(self, answer: Answer, path: str, kind: str, to: str) -> Iterator[tuple[str, Link]]:
        page = decoded(answer, f"POST {path}", Page[Links])
        only_absent(page.errors, path)
        for links in page.results:
            yield from ((links.of.id, link) for link in links.to)
            if links.paging is not None and links.paging.next is not None:
                more = self._links_of(kind, links.of.id, to, str(links.paging.next.after))
                yield from ((links.of.id, link) for link in more)

    def _links_of(self, kind: str, one: str, to: str, after: str | None) -> Iterator[Link]:
        path, seen = f"/crm/v4/objects/{kind}/{one}/associations/{to}", set[str]()
        while True:
            query = {"limit": str(LINKS_AT_ONCE)} | ({} if after is None else {"after": after})
            page = decoded(self._web.fetch("GET", path, params=query), f"GET {path}", Page[Link])
            yield from page.results
            after = page.after
            if after is None:
                return
            if after in seen:
                raise SourceBroken(f"GET {path}: the cursor {after!r} came before; it would never end")
            seen.add(after)

    def _post(self, path: str, body: object, *also: int) -> Answer:
        content = msgspec.json.encode(body)
        return self._web.fetch("POST", path, body=content, again=True, allowed=(200, *also))


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
