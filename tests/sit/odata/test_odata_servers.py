"""The OData client against servers that others wrote: everything comes, once, typed; changes; writes; refusals."""

from collections.abc import Callable
from typing import Any

import pytest

from features.errors import SourceBroken, SourceRefused
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_auth import ClientCredentials, basic
from pipelines.connectors.odata_query import Condition, Query
from pipelines.systems.mock_sap import MockSap
from pipelines.systems.paging_odata import PagingOData

pytestmark = pytest.mark.slow

V2_ORDERS = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"
V4_ORDERS = "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/api_salesorder/0001"
NEW_ORDER = {
    "SalesOrderType": "OR",
    "SalesOrganization": "1710",
    "DistributionChannel": "10",
    "OrganizationDivision": "00",
    "SoldToParty": "1000001",
    "PurchaseOrderByCustomer": "O'Neill's & 50% + 1",
}
Open = Callable[..., ODataService]


def as_served(line: dict[str, str]) -> dict[str, Any]:
    """A line of the file as its declared types have it."""
    served: dict[str, Any] = {}
    for name, text in line.items():
        if name.endswith("Date"):
            served[name] = f"{text}T00:00:00" if text else None
        else:
            served[name] = text.replace("Z", "+00:00") if name == "LastChangeDateTime" else text
    return served


def test_pages_cut_by_the_service_hold_every_row_of_the_file(ledger_service: ODataService, truth: list[dict]) -> None:
    pages = list(ledger_service.pages("Items"))
    assert [len(page.rows) for page in pages] == [50] * 6 + [24]
    assert pages[0].count == ledger_service.count("Items") == len(truth)
    assert [row for page in pages for row in page.rows] == [as_served(line) for line in truth]


def test_windows_over_pages_hold_every_row_once(paging: PagingOData, truth: list[dict]) -> None:
    with ODataService(
        paging.url, "/sap/opu/odata/sap/ZAR_LEDGER_SRV", basic(paging.user, paging.password), page_size=70
    ) as service:
        assert list(service.rows("Items")) == [as_served(line) for line in truth]


def test_rows_changed_since_a_stamp_are_exactly_those_of_the_file(
    ledger_service: ODataService, truth: list[dict]
) -> None:
    stamp = sorted(line["LastChangeDateTime"] for line in truth)[200]
    changed = Query(where=(Condition("LastChangeDateTime", "ge", (stamp,)),), select=("AccountingDocument",))
    expected = [line["AccountingDocument"] for line in truth if line["LastChangeDateTime"] >= stamp]
    assert [row["AccountingDocument"] for row in ledger_service.rows("Items", changed)] == expected
    assert ledger_service.count("Items", changed) == len(expected) > 50


def test_a_quote_in_a_value_stays_in_the_value(ledger_service: ODataService) -> None:
    named = Query(where=(Condition("CustomerName", "eq", ("O'Neill & Söhne",)),))
    assert [row["Customer"] for row in ledger_service.rows("Customers", named)] == ["0000100001"]
    injected = Query(where=(Condition("CustomerName", "eq", ("x' or '1' eq '1",)),))
    assert list(ledger_service.rows("Customers", injected)) == []


def test_a_write_is_read_back_and_needs_a_token(ledger_service: ODataService, paging: PagingOData) -> None:
    new = {"Customer": "0000900001", "CustomerName": "O'X", "LastChangeDateTime": "/Date(1737668815000+0000)/"}
    assert ledger_service.create("Customers", new)["CustomerName"] == "O'X"
    assert ledger_service.row("Customers", {"Customer": "0000900001"}) == {
        "Customer": "0000900001",
        "CustomerName": "O'X",
        "Country": None,
        "Industry": None,
        "LastChangeDateTime": "2025-01-23T21:46:55+00:00",
    }


def test_wrong_credentials_are_refused_by_both(sap: MockSap, paging: PagingOData) -> None:
    for url, path in ((sap.url, V2_ORDERS), (paging.url, "/sap/opu/odata/sap/ZAR_LEDGER_SRV")):
        with (
            ODataService(url, path, basic("DUECAST", "wrong")) as service,
            pytest.raises(SourceRefused, match=r"\(401\)"),
        ):
            service.model  # noqa: B018


def test_a_bearer_token_is_bought_with_client_credentials(sap_with_oauth: MockSap) -> None:
    told = sap_with_oauth
    with ODataService(told.url, V2_ORDERS, ClientCredentials(told.token_url, told.user, told.password)) as service:
        assert service.count("A_SalesOrder") == 25


def test_a_wrong_client_secret_is_refused(sap_with_oauth: MockSap) -> None:
    told = sap_with_oauth
    with (
        ODataService(told.url, V2_ORDERS, ClientCredentials(told.token_url, told.user, "wrong")) as service,
        pytest.raises(SourceRefused, match="token endpoint refused the client"),
    ):
        service.count("A_SalesOrder")


def test_both_versions_tell_the_same_orders(sap_service: Open) -> None:
    v2, v4 = sap_service(V2_ORDERS), sap_service(V4_ORDERS)
    assert (v2.model.version, v4.model.version) == (2, 4)
    old = {row["SalesOrder"]: row for row in v2.rows("A_SalesOrder")}
    new = {row["SalesOrder"]: row for row in v4.rows("SalesOrder")}
    assert len(old) == v2.count("A_SalesOrder") == v4.count("SalesOrder") == 25
    assert old.keys() == new.keys()
    for number, order in old.items():
        assert float(order["TotalNetAmount"]) == float(new[number]["TotalNetAmount"])
        assert f"{order['LastChangeDate']}+00:00" == new[number]["LastChangeDate"]


def test_types_come_from_the_metadata(sap_service: Open) -> None:
    entity = sap_service(V2_ORDERS).model.entity("A_SalesOrder")
    amount = entity.properties["TotalNetAmount"]
    assert (amount.type, amount.precision, amount.scale) == ("Edm.Decimal", 16, 3)
    assert entity.properties["LastChangeDate"].type == "Edm.DateTime"
    assert entity.links["to_Item"] == ("API_SALES_ORDER_SRV.A_SalesOrderItemType", True)
    row = next(iter(sap_service(V2_ORDERS).rows("A_SalesOrder", Query(expand=("to_Item",)))))
    assert (row["SalesOrder"], row["TotalNetAmount"], row["SalesOrderDate"]) == (
        "0000004712",
        "24786.720",
        "2025-08-30T00:00:00",
    )
    assert row["to_Item"][0]["SalesOrderItem"] == "000010"


@pytest.mark.parametrize(("path", "entity_set"), [(V2_ORDERS, "A_SalesOrder"), (V4_ORDERS, "SalesOrder")])
def test_a_delta_link_tells_what_changed_and_what_went(sap_service: Open, path: str, entity_set: str) -> None:
    service = sap_service(path)
    first = list(service.tracked(entity_set))
    orders = [row["SalesOrder"] for page in first for row in page.rows]
    assert first[-1].delta_link is not None
    service.update(entity_set, {"SalesOrder": orders[3]}, {"PurchaseOrderByCustomer": "changed"}, "*")
    service._write("DELETE", f"{service.path}{entity_set}('{orders[5]}')", {}, {"If-Match": "*"})
    told = list(service.changes(entity_set, first[-1].delta_link))
    assert [row["SalesOrder"] for page in told for row in page.rows] == [orders[3]]
    assert [key for page in told for key in page.removed] == [{"SalesOrder": orders[5]}]
    assert told[-1].delta_link not in (None, first[-1].delta_link)


def test_a_delta_link_that_the_service_does_not_know_is_named(sap_service: Open) -> None:
    service = sap_service(V2_ORDERS)
    with pytest.raises(SourceBroken, match=r"status 400: .*delta token ''D1''"):
        list(service.changes("A_SalesOrder", "A_SalesOrder?!deltatoken='D1'"))


@pytest.mark.parametrize(("path", "entity_set"), [(V2_ORDERS, "A_SalesOrder"), (V4_ORDERS, "SalesOrder")])
def test_an_order_is_written_with_a_token_and_with_a_fresh_one_when_that_is_stale(
    sap_service: Open, path: str, entity_set: str
) -> None:
    service = sap_service(path)
    number = service.create(entity_set, NEW_ORDER)["SalesOrder"]
    assert service.row(entity_set, {"SalesOrder": number})["PurchaseOrderByCustomer"] == "O'Neill's & 50% + 1"
    service._token = "stale"
    service.update(entity_set, {"SalesOrder": number}, {"PurchaseOrderByCustomer": "0007"}, "*")
    assert service._token != "stale"
    assert service.row(entity_set, {"SalesOrder": number})["PurchaseOrderByCustomer"] == "0007"


def test_a_write_without_a_token_is_refused_in_the_services_words(sap_service: Open) -> None:
    service = sap_service(V2_ORDERS)
    service._fetched_token = lambda: "made up"  # type: ignore[method-assign]
    with pytest.raises(SourceRefused, match="CSRF token validation failed"):
        service.create("A_SalesOrder", NEW_ORDER)


def test_what_the_service_says_of_a_bad_request_is_passed_on(sap_service: Open) -> None:
    service = sap_service(V2_ORDERS)
    with pytest.raises(SourceBroken, match=r"GET .*/A_SalesOrder: status 404: .*4711"):
        service.row("A_SalesOrder", {"SalesOrder": "4711"})
