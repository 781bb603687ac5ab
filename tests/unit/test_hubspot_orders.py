"""Sweeping the won deals of a portal that pages, ends searches, and changes while it is read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from features.errors import SourceBroken, StateError
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_orders import HubSpotOrders
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.connectors.web import Retries

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = WonDeals(entities={"default": "DE01"}, currency="EUR", page_size=3, overlap_minutes=0)
SEARCH = "/crm/v3/objects/deals/search"


def iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp_at(second: float) -> str:
    return iso(START + timedelta(seconds=second))


class Portal:
    """Deals as HubSpot serves them: ISO stamps, filters in milliseconds. It refuses offsets."""

    def __init__(self, stamps: dict[int, str]) -> None:
        self.deals = {str(one): self.deal(one, stamp) for one, stamp in stamps.items()}
        self.searches: list[dict] = []
        self.meanwhile: Callable[[int], None] = lambda _: None

    @staticmethod
    def deal(one: int, stamp: str | None) -> dict[str, str | None]:
        told = {"amount": "10", "closedate": stamp_at(0), "pipeline": "default", "dealstage": "closedwon"}
        return told | {"hs_lastmodifieddate": stamp, "hs_object_id": str(one)}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if request.url.path == SEARCH:
            return self.search(asked)
        ids = [one["id"] for one in asked["inputs"]]
        if "associations" in request.url.path:
            to = 7 if request.url.path.split("/")[5] == "companies" else 11
            return self.told([{"from": {"id": one}, "to": [{"toObjectId": to}]} for one in ids])
        told = {"7": {"name": "Customer"}, "11": {"hs_sku": "A", "quantity": "1", "price": "10"}} | self.deals
        return self.told([{"id": one, "properties": told[one]} for one in ids if one in told])

    def search(self, asked: dict) -> httpx.Response:
        assert "after" not in asked, "an offset skips deals while others change, and ends at 10,000"
        filters = asked["filterGroups"][0]["filters"]
        hits = [one for one in self.deals if all(self.fulfils(self.deals[one], told) for told in filters)]
        hits.sort(key=lambda one: self.number(self.deals[one], asked["sorts"][0]["propertyName"]))
        self.searches.append(asked)
        page, paging = hits[: asked["limit"]], {"paging": {"next": {"after": str(asked["limit"])}}}
        answer = self.told(
            [{"id": one, "properties": dict(self.deals[one])} for one in page], **paging if hits[len(page) :] else {}
        )
        self.meanwhile(len(self.searches))
        return answer

    @staticmethod
    def told(results: list[dict], **keys: object) -> httpx.Response:
        return httpx.Response(200, json={"results": results} | keys)

    @staticmethod
    def number(deal: dict, name: str) -> int:
        if name == "hs_object_id":
            return int(deal[name])
        return int(datetime.fromisoformat(deal[name]).timestamp() * 1000) if deal[name] else 0

    def fulfils(self, deal: dict, told: dict) -> bool:
        name, operator = told["propertyName"], told["operator"]
        if operator == "IN":
            return deal[name] in told["values"]
        value, bound = self.number(deal, name), int(told["value"])
        return {"GTE": value >= bound, "LTE": value <= bound, "GT": value > bound}[operator]

    def client(self) -> HubSpot:
        retries = Retries(attempts=1)
        return HubSpot("http://crm.test", "secret", transport=httpx.MockTransport(self), retries=retries)

    def sweep(self, cursor: str | None = None, settings: WonDeals = SETTINGS) -> tuple[list[str], str | None]:
        ids: list[str] = []
        with self.client() as client:
            for orders, unreadable, reached in HubSpotOrders(client, settings).read(cursor, NOW):
                ids += [order.order_id.removeprefix("hubspot-") for order in orders]
                ids += [one.place.removeprefix("HubSpot deal ") for one in unreadable]
                cursor = reached or cursor
        return ids, cursor


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 31])
def test_all_come_once_and_no_search_goes_by_offset(count) -> None:
    portal = Portal({one: stamp_at(one) for one in range(count)})
    ids, cursor = portal.sweep()
    assert sorted(ids, key=int) == [str(one) for one in range(count)]
    assert cursor == (None if count == 0 else (START + timedelta(seconds=count - 1)).isoformat(timespec="microseconds"))


@pytest.mark.parametrize("of_one_stamp", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_many_of_one_stamp_come_once(of_one_stamp, before) -> None:
    stamps = [stamp_at(one) for one in range(before)] + [stamp_at(50)] * of_one_stamp + [stamp_at(60), stamp_at(61)]
    portal = Portal(dict(enumerate(stamps)))
    ids, _ = portal.sweep()
    assert sorted(ids, key=int) == [str(one) for one in range(len(stamps))]


def test_a_deal_that_changes_while_it_is_read_hides_no_other() -> None:
    portal = Portal({one: stamp_at(one) for one in range(10)})

    def change_the_first(search: int) -> None:
        if search == 1:
            portal.deals["0"]["hs_lastmodifieddate"] = stamp_at(100)

    portal.meanwhile = change_the_first
    ids, cursor = portal.sweep()
    assert sorted(ids, key=int) == ["0", "0", *map(str, range(1, 10))], "the changed one comes again, as it is now"
    assert cursor == (START + timedelta(seconds=100)).isoformat(timespec="microseconds")


def test_the_last_of_a_page_that_changes_comes_again() -> None:
    portal = Portal({one: stamp_at(one) for one in range(5)})

    def change_the_third(search: int) -> None:
        if search == 1:
            portal.deals["2"]["hs_lastmodifieddate"] = stamp_at(100)

    portal.meanwhile = change_the_third
    assert sorted(portal.sweep()[0]) == ["0", "1", "2", "2", "3", "4"]


def test_a_deal_that_is_won_meanwhile_comes_at_the_end() -> None:
    portal = Portal({one: stamp_at(one) for one in range(5)})
    late = Portal.deal(99, stamp_at(200))
    portal.meanwhile = lambda search: portal.deals.setdefault("99", late) and None
    assert sorted(portal.sweep()[0], key=int) == ["0", "1", "2", "3", "4", "99"]


def test_only_changes_come_the_next_time_and_the_overlap_again() -> None:
    portal = Portal({one: stamp_at(60 * one) for one in range(5)})
    _, cursor = portal.sweep()
    portal.deals["1"]["hs_lastmodifieddate"] = stamp_at(1000)
    assert sorted(portal.sweep(cursor)[0]) == ["1", "4"]
    patient = WonDeals(entities={"default": "DE01"}, currency="EUR", page_size=3, overlap_minutes=2)
    assert sorted(portal.sweep(cursor, patient)[0]) == ["1", "2", "3", "4"]


def test_a_cursor_between_pages_is_where_a_broken_read_goes_on() -> None:
    portal = Portal({one: stamp_at(one) for one in range(9)})
    with portal.client() as client:
        _, _, cursor = next(HubSpotOrders(client, SETTINGS).read(None, NOW))
    assert sorted(portal.sweep(cursor)[0]) == ["2", "3", "4", "5", "6", "7", "8"]


def test_only_won_deals_are_asked_for_and_reopened_ones_are_absent() -> None:
    portal = Portal({1: stamp_at(1), 2: stamp_at(2)})
    portal.deals["2"]["dealstage"] = "closedlost"
    assert portal.sweep()[0] == ["1"]
    with portal.client() as client:
        orders, _ = HubSpotOrders(client, SETTINGS).named(["hubspot-1", "2", "3"])
    assert [order.order_id for order in orders] == ["hubspot-1"]


def test_a_deal_with_an_unreadable_stamp_is_told_among_others() -> None:
    portal = Portal({1: stamp_at(1), 2: stamp_at(2)})
    portal.deals["3"] = Portal.deal(3, None)
    ids, cursor = portal.sweep()
    assert sorted(ids) == ["1", "2", "3"]
    assert cursor == (START + timedelta(seconds=2)).isoformat(timespec="microseconds")


def test_pages_without_stamps_would_never_end() -> None:
    portal = Portal({})
    portal.deals = {str(one): Portal.deal(one, None) for one in range(4)}
    with pytest.raises(SourceBroken, match="a whole page without a readable hs_lastmodifieddate"):
        portal.sweep()


def test_a_portal_that_ignores_the_filter_is_found_out() -> None:
    portal = Portal({one: stamp_at(one) for one in range(9)})
    portal.fulfils = lambda deal, told: True  # type: ignore[method-assign]
    with pytest.raises(SourceBroken, match="asked for: "):
        portal.sweep()


def test_ids_that_do_not_grow_would_never_end() -> None:
    portal = Portal({one: stamp_at(1) for one in range(9)})
    honest = portal.fulfils
    portal.fulfils = lambda deal, told: told["operator"] == "GT" or honest(deal, told)  # type: ignore[method-assign]
    with pytest.raises(SourceBroken, match="hs_object_id does not grow"):
        portal.sweep()


def test_a_cursor_that_another_hand_changed() -> None:
    with pytest.raises(StateError, match="no instant"):
        Portal({}).sweep("yesterday")
