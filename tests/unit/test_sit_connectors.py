"""What the fault matrix taught the connectors: whose clock it is, what is missing in a row, what comes twice."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from features.errors import SourceBroken, SourceError
from features.tables import CUSTOMER
from pipelines.connectors.clocks import clock_ahead, told_apart
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_auth import basic
from pipelines.connectors.odata_query import Query
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.web import Retries, Web
from pipelines.mapping_keys import Rest

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONCE = Retries(attempts=1)


def dated(ahead: timedelta, **headers: str) -> dict[str, str]:
    return {"Date": format_datetime(NOW + ahead, usegmt=True)} | headers


def asked(method: str, headers: dict[str, str]) -> int:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers))
    with Web("http://127.0.0.1:9", {}, transport=transport, retries=ONCE, clock=lambda: NOW) as web:
        return web.fetch(method, "/x", body=b"" if method == "POST" else None).status


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_clock_may_be_five_minutes_off(minutes: int) -> None:
    assert asked("GET", dated(timedelta(minutes=minutes))) == 200


@pytest.mark.parametrize(("seconds", "said"), [(301, "0:05:01 ahead of ours"), (-86_400, "1 day, 0:00:00 behind ours")])
def test_a_read_from_a_source_with_another_clock_is_refused(seconds: int, said: str) -> None:
    with pytest.raises(SourceBroken, match=said) as caught:
        asked("GET", dated(timedelta(seconds=seconds)))
    assert str(caught.value).startswith("GET /x: the source's clock")


def test_a_write_is_done_whatever_the_time_is_and_a_cache_has_none() -> None:
    assert asked("POST", dated(timedelta(days=9))) == 200
    assert asked("GET", dated(timedelta(days=-9), Age="777600")) == 200
    assert asked("GET", {}) == 200
    assert clock_ahead(httpx.Headers({"Date": "noon"}), NOW) is None
    assert told_apart(timedelta(minutes=-5)) is None


def rest(complete: bool, record: dict[str, object]) -> RestSource:
    page = {"data": [{"id": "C", "company": "E", "changed_at": "2025-01-01T00:00:00Z"} | record], "next_cursor": None}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=page))
    client = RestClient("http://127.0.0.1:9", "t", transport=transport, retries=ONCE)
    return RestSource(client, Rest(complete=complete))


COLUMNS = dict.fromkeys(
    ("name", "country", "segment", "parent_id", "terms_days", "credit_limit", "collector", "bank_account")
)


def test_complete_records_must_have_every_column_though_it_may_be_empty() -> None:
    assert len(list(rest(True, COLUMNS).read(CUSTOMER, None, NOW))) == 1
    renamed = {name.replace("segment", "segment_new"): None for name in COLUMNS}
    with pytest.raises(
        SourceBroken, match=r"customer: record 'C' lacks segment; beside what is read it has .*segment_new"
    ):
        list(rest(True, renamed).read(CUSTOMER, None, NOW))
    assert len(list(rest(False, renamed).read(CUSTOMER, None, NOW))) == 1


METADATA = """<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices
xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" m:DataServiceVersion="2.0">
<Schema Namespace="S" xmlns="http://schemas.microsoft.com/ado/2008/09/edm"><EntityType Name="T"><Key>
<PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.String" Nullable="false"/>
<Property Name="Sum" Type="Edm.String"/></EntityType><EntityContainer Name="C" m:IsDefaultEntityContainer="true">
<EntitySet Name="Ts" EntityType="S.T"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"""


def rows_of(pages: list[list[dict[str, str]]]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("$metadata"):
            return httpx.Response(200, text=METADATA)
        at = int(request.url.params.get("$skiptoken", "0"))
        told: dict[str, object] = {"results": pages[at], "__count": "4"}
        if at + 1 < len(pages):
            told["__next"] = f"http://127.0.0.1:9/s/Ts?$skiptoken={at + 1}"
        return httpx.Response(200, content=json.dumps({"d": told}), headers={"Content-Type": "application/json"})

    return answer


def read(pages: list[list[dict[str, str]]]) -> list[dict[str, object]]:
    transport = httpx.MockTransport(rows_of(pages))
    who = basic("u", "p")
    with ODataService("http://127.0.0.1:9", "/s", who, page_size=None, transport=transport, retries=ONCE) as service:
        return list(service.rows("Ts", Query(select=("Id", "Sum"))))


def page(*ids: str) -> list[dict[str, str]]:
    return [{"Id": i, "Sum": "1"} for i in ids]


def test_a_page_in_the_place_of_another_does_not_make_up_for_it() -> None:
    assert len(read([page("1", "2"), page("3", "4")])) == 4
    with pytest.raises(SourceError, match="2 of 4 rows came; read again"):
        read([page("1", "2"), page("1", "2")])


def test_a_row_without_what_was_selected_is_named() -> None:
    with pytest.raises(SourceBroken, match="a row without Sum, which was asked for"):
        read([[{"Id": "1"}]])
