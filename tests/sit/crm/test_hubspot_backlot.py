"""HubSpot's won deals, read from a process that others wrote: all of them, once, by change, the wrong ones named."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from features.errors import SourceBroken, SourceRefused, StateError
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_answers import Filter
from pipelines.connectors.hubspot_orders import HubSpotOrders
from pipelines.orders import faults_of, order_record
from pipelines.systems.backlot_corpus import BETWEEN_CHANGES, FAULTY, FIRST_CHANGE, UNREADABLE

GOOD = {str(1001 + number) for number in range(60)}


def swept(hubspot, settings, later, cursor=None):
    orders, unreadable, reached = [], [], cursor
    for some, bad, at in HubSpotOrders(hubspot, settings).read(cursor, later):
        orders, unreadable, reached = orders + some, unreadable + bad, at or reached
    return orders, unreadable, reached


def test_every_won_deal_comes_exactly_once(hubspot, settings, later) -> None:
    orders, unreadable, _ = swept(hubspot, settings, later)
    told = Counter(order.order_id for order in orders)
    assert told == Counter(f"hubspot-{deal}" for deal in GOOD | set(FAULTY))
    assert Counter(one.place for one in unreadable) == Counter(f"HubSpot deal {deal}" for deal in UNREADABLE)


@pytest.mark.parametrize("page_size", [1, 2, 64, 65, 200])
def test_the_size_of_a_page_changes_nothing(hubspot, settings, later, page_size) -> None:
    orders, unreadable, reached = swept(hubspot, replace(settings, page_size=page_size), later)
    assert len({order.order_id for order in orders}) == len(orders) == 63
    assert len(unreadable) == 2
    assert reached == (FIRST_CHANGE + 64 * BETWEEN_CHANGES).isoformat(timespec="microseconds")


def test_an_order_is_the_deal_to_the_cent(hubspot, settings, later) -> None:
    orders = {order.order_id: order for order in swept(hubspot, settings, later)[0]}
    order = orders["hubspot-1001"]
    assert (order.entity_id, order.customer_id, order.currency) == ("US01", "C-1001", "EUR")
    assert (order.net, order.tax, order.total) == (Decimal("134.97"), Decimal("25.64"), Decimal("160.61"))
    assert [line.unit_price for line in order.lines] == [Decimal("19.99"), Decimal("37.50")]
    assert {line.tax_rate for line in order.lines} == {Decimal("0.19")}
    assert (order.order_date, order.reference) == (date(2026, 1, 5), "PO-1001")
    assert orders["hubspot-1002"].currency == "USD"
    assert orders["hubspot-1003"].customer_id == "hubspot-703", "Verre & Lumière has no number of its own"
    assert order_record(order)["amount"] == "160.61"


def test_the_close_date_is_the_same_day_as_text_and_as_milliseconds(hubspot, settings, later) -> None:
    orders = {order.order_id: order for order in swept(hubspot, settings, later)[0]}
    assert orders["hubspot-1032"].order_date == orders["hubspot-1033"].order_date == date(2026, 1, 6), "00:30 in Berlin"
    assert orders["hubspot-1030"].order_date == date(2026, 1, 5), "23:30 at most"


def test_what_is_in_order_has_no_faults_and_what_is_not_is_named(hubspot, settings, later) -> None:
    orders, unreadable, _ = swept(hubspot, settings, later)
    faults = {order.order_id.removeprefix("hubspot-"): faults_of(order) for order in orders}
    assert {deal: found[0].field for deal, found in faults.items() if found} == FAULTY
    assert {one.payload["deal"]["id"]: one.violations[0].field for one in unreadable} == UNREADABLE
    assert all(one.violations[0].value is None and one.violations[0].allowed for one in unreadable)


def test_only_what_changed_comes_the_next_time(serve, client_of, records, settings, later) -> None:
    with serve(records) as before, client_of(before) as client:
        _, _, cursor = swept(client, settings, later)
    changed = FIRST_CHANGE + timedelta(days=20)
    stamp = str(int(changed.timestamp()) * 1000)
    again = [
        record | {"properties": record["properties"] | {"hs_lastmodifieddate": stamp, "amount": "1.00"}}
        if record["doc_id"] == "deals-1005"
        else record
        for record in records
    ]
    with serve(again) as after, client_of(after) as client:
        orders, _, reached = swept(client, settings, later, cursor)
    assert {order.order_id: order.net for order in orders} == {
        "hubspot-1005": Decimal("1.00"),
        "hubspot-9005": Decimal("3.335"),
    }, "the changed one, and the last one once more, for it lies in the overlap"
    assert reached == changed.isoformat(timespec="microseconds")


def test_a_stamp_in_the_future_does_not_hide_what_comes_before_it(hubspot, settings) -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert swept(hubspot, settings, now)[2] == now.isoformat(timespec="microseconds")


def test_many_deals_of_one_stamp_are_all_read(serve, client_of, records, settings, later) -> None:
    stamp = str(int(FIRST_CHANGE.timestamp()) * 1000)
    at_once = [
        record | {"properties": record["properties"] | {"hs_lastmodifieddate": stamp}}
        if record["object_type"] == "deals"
        else record
        for record in records
    ]
    with serve(at_once) as portal, client_of(portal) as client:
        orders, unreadable, _ = swept(client, settings, later)
    assert sorted(order.order_id for order in orders) == sorted(f"hubspot-{deal}" for deal in GOOD | set(FAULTY))
    assert len(unreadable) == 2


def test_deals_are_read_again_by_their_ids_if_they_are_won(hubspot, settings) -> None:
    orders, unreadable = HubSpotOrders(hubspot, settings).named(["9001", "1001", "8001", "4711"])
    assert [order.order_id for order in orders] == ["hubspot-1001"], "8001 is lost, 4711 does not exist"
    assert [one.place for one in unreadable] == ["HubSpot deal 9001"]


def test_archived_deals_are_not_told(serve, client_of, records, settings, later) -> None:
    kept = [record | {"archived": True} if record["doc_id"] == "deals-1001" else record for record in records]
    with serve(kept) as portal, client_of(portal) as client:
        orders, _, _ = swept(client, settings, later)
    assert {order.order_id for order in orders} == {f"hubspot-{deal}" for deal in GOOD - {"1001"} | set(FAULTY)}


def test_an_archived_line_item_is_named_instead_of_left_out(serve, client_of, records, settings, later) -> None:
    kept = [record | {"archived": True} if record["doc_id"] == "line_items-10011" else record for record in records]
    with serve(kept) as portal, client_of(portal) as client:
        orders, unreadable, _ = swept(client, settings, later)
    shorter = [order for order in orders if order.order_id == "hubspot-1001"]
    named = [one for one in unreadable if one.place == "HubSpot deal 1001"]
    assert not shorter, "the portal says which line items there were"
    assert (named[0].violations[0].field, named[0].violations[0].value) == ("line item", "10011")


def test_a_wrong_token_is_refused(portal, settings, later) -> None:
    with HubSpot(portal.url, "wrong") as client, pytest.raises(SourceRefused, match="401"):
        swept(client, settings, later)


def test_an_unknown_kind_is_a_broken_protocol(hubspot) -> None:
    with pytest.raises(SourceBroken, match="status 400"):
        hubspot.search("nonsense", [Filter("a", "EQ", "b")], sort="a", properties=["a"], limit=1)


def test_a_corpus_that_backlot_refuses_says_so(serve, records) -> None:
    with pytest.raises(StateError, match="import into backlot failed"), serve([records[0] | {"record_id": "x"}]):
        pass
