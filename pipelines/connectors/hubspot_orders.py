"""The orders that HubSpot's won deals are, from where the last read stopped.

Deals come by their last change. A page is never asked for by its offset: a deal that changes in the meantime moves to
the end, and its neighbour would slip onto a page that was read already; besides, HubSpot ends every search after
10,000 results. Instead each page asks for what changed at or after the last one's end, and where one change stamp
fills a whole page (an import does that), what bears it is read by id.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from features.errors import SourceBroken
from pipelines.connectors.cursors import ChangeCursor
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_answers import Filter, Link, Page, Record
from pipelines.connectors.hubspot_deals import (
    STAMP,
    Deal,
    company_properties,
    deal_properties,
    line_properties,
    order_of,
)
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.connectors.hubspot_values import instant_of, millis
from pipelines.connectors.source import Json
from pipelines.orders import Orders, Unreadable, WonOrder

_ID = "hs_object_id"
_Version = tuple[str, int | None]  # id, change stamp in milliseconds


class HubSpotOrders:
    """Won deals of the portal behind `client`, read as `settings` say (`pipelines.orders.WonOrders`)."""

    def __init__(self, client: HubSpot, settings: WonDeals) -> None:
        self._client = client
        self._settings = settings
        self._won = Filter("dealstage", "IN", values=settings.won_stages)

    def read(self, cursor: str | None, now: datetime) -> Iterator[Orders]:
        """Pages; the cursor is the latest change stamp that has come.

        A deal that left its won stage, or that was archived, is not told. A change of a line item or a company alone
        does not change the deal's stamp: see `named`.
        """
        at = ChangeCursor(cursor, now, timedelta(minutes=self._settings.overlap_minutes))
        for records in self._changed(None if at.since is None else millis(at.since)):
            orders, unreadable = self._orders(records)
            yield orders, unreadable, at.after([_stamped(record) for record in records])

    def named(self, order_ids: Sequence[str]) -> tuple[list[WonOrder], list[Unreadable]]:
        """The won deals among these orders (or ids of HubSpot) as they stand now; those won no longer are absent.

        For what was set aside and may have been mended since.
        """
        ids = [one.removeprefix(self._settings.prefix) for one in order_ids]
        found = self._client.read("deals", ids, deal_properties(self._settings))
        won = [record for record in found.values() if record.properties.get("dealstage") in self._settings.won_stages]
        return self._orders(won)

    def _changed(self, since: int | None) -> Iterator[list[Record]]:
        """Every won deal changed since then, in the order of change, once (again only if it changes meanwhile)."""
        told: set[_Version] = set()
        while True:
            page = self._search(() if since is None else (Filter(STAMP, "GTE", str(since)),), STAMP)
            yield from _new(page, told)
            if page.after is None:
                return
            told |= {_version(record) for record in page.results}
            furthest = _furthest(page, since)
            if furthest == since:
                yield from self._changed_at(since, told)
                since, told = since + 1, set()
            else:
                since, told = furthest, {version for version in told if version[1] == furthest}

    def _changed_at(self, stamp: int, told: set[_Version]) -> Iterator[list[Record]]:
        """Those that bear one stamp, by id, but for those that were told."""
        window, last = (Filter(STAMP, "GTE", str(stamp)), Filter(STAMP, "LTE", str(stamp))), -1
        while True:
            page = self._search((*window, Filter(_ID, "GT", str(last))), _ID)
            yield from _new(page, told)
            if page.after is None:
                return
            furthest = max((int(record.id) for record in page.results if record.id.isdigit()), default=last)
            if furthest <= last:
                raise SourceBroken(f"POST deals/search: {_ID} does not grow beyond {last}; it would never end")
            last = furthest

    def _search(self, filters: tuple[Filter, ...], sort: str) -> Page[Record]:
        settings = self._settings
        asked = deal_properties(settings)
        return self._client.search(
            "deals", (self._won, *filters), sort=sort, properties=asked, limit=settings.page_size
        )

    def _orders(self, records: list[Record]) -> tuple[list[WonOrder], list[Unreadable]]:
        read = [order_of(deal, self._settings) for deal in self._deals(records)]
        orders = [one for one in read if isinstance(one, WonOrder)]
        return orders, [one for one in read if isinstance(one, Unreadable)]

    def _deals(self, records: list[Record]) -> list[Deal]:
        client, ids = self._client, [record.id for record in records]
        lines, companies = client.links("deals", ids, "line_items"), client.links("deals", ids, "companies")
        line_records = client.read("line_items", _targets(lines), line_properties(self._settings))
        company_records = client.read("companies", _targets(companies), company_properties(self._settings))
        return [Deal(one, lines[one.id], line_records, companies[one.id], company_records) for one in records]


def _new(page: Page[Record], told: set[_Version]) -> Iterator[list[Record]]:
    fresh = [record for record in page.results if _version(record) not in told]
    if fresh:
        yield fresh


def _version(record: Record) -> _Version:
    return record.id, _millis(record)


def _furthest(page: Page[Record], since: int | None) -> int:
    """The latest stamp of a page of what changed since then."""
    stamps = [stamp for record in page.results if (stamp := _millis(record)) is not None]
    if not stamps:
        raise SourceBroken(f"POST deals/search: a whole page without a readable {STAMP}; it would never end")
    if since is not None and min(stamps) < since:
        raise SourceBroken(f"POST deals/search: {STAMP} is {min(stamps)}; asked for: {since} or later")
    return max(stamps)


def _targets(links: dict[str, list[Link]]) -> list[str]:
    return list(dict.fromkeys(link.to for some in links.values() for link in some))


def _millis(record: Record) -> int | None:
    instant = instant_of(_text(record))
    return None if instant is None else millis(instant)


def _text(record: Record) -> str | None:
    value = record.properties.get(STAMP)
    return None if value is None else str(value)


def _stamped(record: Record) -> Json:
    """As `ChangeCursor` reads it."""
    instant = instant_of(_text(record))
    return {"changed_at": None if instant is None else instant.astimezone(UTC).isoformat()}
