"""A won deal becomes an order, or it is said why not; nothing is guessed, nothing is dropped."""

import json
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from features.errors import BadSetting
from pipelines.connectors.hubspot_answers import Link, Record
from pipelines.connectors.hubspot_deals import Deal, company_properties, deal_properties, line_properties, order_of
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.orders import Unreadable, WonOrder, faults_of

D = Decimal
SETTINGS = WonDeals(entities={"default": "DE01"}, currency="EUR", customer_property="erp_no")
DEAL = {
    "amount": "20.00",
    "closedate": "2026-01-05",
    "hs_lastmodifieddate": "2026-01-06T08:00:00.123Z",
    "pipeline": "default",
}
LINE = {"hs_sku": "A1", "name": "Thing", "quantity": "2", "price": "10.00"}
COMPANY = {"name": "Customer", "erp_no": "C-1"}


def deal(changes=None, *, lines=({},), companies=((7, None),), gone=(), company=None, **keys) -> Deal:
    line_records = {str(n): Record(str(n), LINE | told) for n, told in enumerate(lines, 11) if str(n) not in gone}
    links = [json_link(to, label) for to, label in companies]
    company_records = {str(to): Record(str(to), company or COMPANY) for to, _ in companies if str(to) not in gone}
    line_links = [Link(n) for n, _ in enumerate(lines, 11)]
    return Deal(Record("1", DEAL | (changes or {}), **keys), line_links, line_records, links, company_records)


def json_link(to: int, label: str | None) -> Link:
    return msgspec.convert({"toObjectId": to, "associationTypes": [{"label": label}]}, Link)


def fault_of(one: Deal, settings: WonDeals = SETTINGS) -> list[tuple[str, str | None]]:
    read = order_of(one, settings)
    assert isinstance(read, Unreadable), "it was read as an order"
    return [(fault.field, fault.value) for fault in read.violations]


def test_a_deal_is_an_order() -> None:
    order = order_of(deal(), SETTINGS)
    assert isinstance(order, WonOrder)
    assert (order.order_id, order.entity_id, order.customer_id) == ("hubspot-1", "DE01", "C-1")
    assert (order.currency, order.net, order.tax, order.total) == ("EUR", D("20.00"), None, D("20.00"))
    assert (order.order_date, order.changed_at.microsecond) == (date(2026, 1, 5), 123000)
    assert faults_of(order) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"amount": None}, ("amount", None)),
        ({"amount": "20,00"}, ("amount", "20,00")),
        ({"closedate": None}, ("closedate", None)),
        ({"closedate": "05.01.2026"}, ("closedate", "05.01.2026")),
        ({"hs_lastmodifieddate": ""}, ("hs_lastmodifieddate", None)),
        ({"pipeline": "other"}, ("pipeline", "other")),
        ({"pipeline": None}, ("pipeline", None)),
    ],
)
def test_a_deal_that_cannot_be_read(changes, expected) -> None:
    assert fault_of(deal(changes)) == [expected]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"quantity": None}, ("quantity", None)),
        ({"quantity": "two"}, ("quantity", "two")),
        ({"price": ""}, ("price", None)),
        ({"hs_sku": None}, ("hs_sku", None)),
        ({"discount": "10.01"}, ("discount", "10.01")),
        ({"discount": "-1"}, ("discount", "-1")),
        ({"hs_discount_percentage": "101"}, ("hs_discount_percentage", "101")),
        ({"discount": "1", "hs_discount_percentage": "10"}, ("hs_discount_percentage", "10")),
        ({"hs_tax_rate": "full"}, ("hs_tax_rate", "full")),
        ({"hs_line_item_currency_code": "USD"}, ("hs_line_item_currency_code", "USD")),
    ],
)
def test_a_line_that_cannot_be_read_names_itself(told, expected) -> None:
    one = deal(lines=({}, told))
    assert fault_of(one) == [expected]
    read = order_of(one, SETTINGS)
    assert isinstance(read, Unreadable)
    assert read.violations[0].where == "HubSpot deal 1, line item 12"


def test_all_that_is_wrong_is_said_at_once() -> None:
    one = deal({"amount": "x", "closedate": None}, lines=({"quantity": None},), companies=())
    assert [field for field, _ in fault_of(one)] == ["company", "quantity", "amount", "closedate"]


def test_the_company_is_the_only_one_or_the_primary_one() -> None:
    order = order_of(deal(companies=((7, None), (8, "Primary"))), SETTINGS)
    assert isinstance(order, WonOrder)
    assert fault_of(deal(companies=((7, None), (8, None)))) == [("company", "7, 8")]
    assert fault_of(deal(companies=((7, "Primary"), (8, "Primary")))) == [("company", "7, 8")]
    assert fault_of(deal(gone={"7"})) == [("company", "7")]
    assert fault_of(deal(company={"name": None, "erp_no": "C-1"})) == [("name", None)]


@pytest.mark.parametrize("number", [None, "", "  "])
def test_a_company_without_a_number_goes_by_its_id(number) -> None:
    order = order_of(deal(company={"name": "Customer", "erp_no": number}), SETTINGS)
    assert isinstance(order, WonOrder)
    assert order.customer_id == "hubspot-7"


def test_line_items_and_deals_of_the_archive() -> None:
    assert fault_of(deal(lines=({}, {}), gone={"12"})) == [("line item", "12")]
    assert fault_of(deal(archived=True)) == [("archived", "true")]


def test_discounts_lower_the_price_of_one() -> None:
    lines = ({"discount": "2.50"}, {"hs_discount_percentage": "12.5"}, {"discount": "0", "hs_discount_percentage": "0"})
    order = order_of(deal({"amount": "52.50"}, lines=lines), SETTINGS)
    assert isinstance(order, WonOrder)
    assert [one.unit_price for one in order.lines] == [D("7.50"), D("8.75"), D("10")]
    assert faults_of(order) == []


def test_tax_by_rate_by_amount_and_left_to_the_erp() -> None:
    by_rate = order_of(deal(lines=({"hs_tax_rate": "19.0000"},)), SETTINGS)
    by_amount = order_of(deal(lines=({"hs_tax_amount": "3.81", "hs_tax_rate": "19"},)), SETTINGS)
    assert isinstance(by_rate, WonOrder)
    assert isinstance(by_amount, WonOrder)
    assert (by_rate.tax, by_rate.total, by_rate.lines[0].tax_rate) == (D("3.80"), D("23.80"), D("0.19"))
    assert [fault.field for fault in faults_of(by_amount)] == ["tax"], "3.81 is not 19 % of 20.00"
    told = fault_of(deal({"amount": "40.00"}, lines=({"hs_tax_rate": "19"}, {})))
    assert told == [("tax of the line items", "on 1 of 2")]
    assert fault_of(deal({"deal_currency_code": "XYZ"}, lines=({"hs_tax_rate": "19"},))) == [
        ("deal_currency_code", "XYZ")
    ]


def test_an_amount_may_be_with_tax() -> None:
    settings = WonDeals(entities={"default": "DE01"}, currency="EUR", amount_is="total")
    order = order_of(deal({"amount": "23.80"}, lines=({"hs_tax_rate": "19"},)), settings)
    assert isinstance(order, WonOrder)
    assert (order.net, order.tax, order.total) == (D("20.00"), D("3.80"), D("23.80"))
    assert faults_of(order) == []


def test_the_portal_says_the_currency_where_the_deal_does_not() -> None:
    for told, currency in ((None, "EUR"), ("", "EUR"), ("USD", "USD")):
        order = order_of(deal({"deal_currency_code": told}), SETTINGS)
        assert isinstance(order, WonOrder)
        assert order.currency == currency


def test_a_deal_without_lines_is_an_order_with_a_fault() -> None:
    order = order_of(deal(lines=()), SETTINGS)
    assert isinstance(order, WonOrder)
    assert [fault.field for fault in faults_of(order)] == ["lines"]


def test_the_payload_of_what_cannot_be_read_is_json() -> None:
    read = order_of(deal({"amount": D("1.50"), "closedate": None}), SETTINGS)
    assert isinstance(read, Unreadable)
    payload = json.loads(json.dumps(read.payload))
    assert payload["deal"]["properties"]["amount"] == "1.50"
    assert [one["id"] for one in payload["line_items"] + payload["companies"]] == ["11", "7"]


def test_only_what_the_settings_name_is_asked_for() -> None:
    assert "erp_no" in company_properties(SETTINGS)
    assert company_properties(WonDeals(entities={"a": "b"}, currency="EUR")) == ["name"]
    assert len(set(deal_properties(SETTINGS))) == len(deal_properties(SETTINGS))
    assert {"hs_tax_rate", "hs_tax_amount"} <= set(line_properties(SETTINGS))


@pytest.mark.parametrize(
    "wrong",
    [
        {"entities": {}},
        {"won_stages": ()},
        {"page_size": 0},
        {"page_size": 201},
        {"overlap_minutes": -1},
        {"time_zone": "Mars"},
    ],
)
def test_settings_that_cannot_be_worked_with(wrong) -> None:
    with pytest.raises(BadSetting, match="allowed"):
        WonDeals(**({"entities": {"a": "b"}, "currency": "EUR"} | wrong))
