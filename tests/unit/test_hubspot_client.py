"""The HubSpot client against a scripted portal: what is asked, what is patient, what is refused."""

import json
from decimal import Decimal

import httpx
import pytest

from features.errors import BadSetting, SourceBroken, SourceError, SourceRefused
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_answers import Filter
from pipelines.connectors.web import Retries

HASTY = Retries(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)
NONE_FOUND = {
    "category": "OBJECT_NOT_FOUND",
    "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
    "message": "none",
}


class Script:
    """Answers requests one after the other and remembers them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> HubSpot:
        return HubSpot("http://crm.test", "secret", transport=httpx.MockTransport(self), retries=HASTY)

    def bodies(self) -> list[dict]:
        return [json.loads(request.content) for request in self.requests]


def told(*results: dict, status: int = 200, **keys: object) -> httpx.Response:
    return httpx.Response(status, json={"results": list(results)} | keys)


def record(one: str, **properties: object) -> dict:
    return {"id": one, "properties": properties, "createdAt": "2026-01-01T00:00:00Z", "archived": False}


def links(one: str, *to: int, after: str | None = None) -> dict:
    paging = {} if after is None else {"paging": {"next": {"after": after, "link": "?"}}}
    kind = {"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"}
    return {"from": {"id": one}, "to": [{"toObjectId": t, "associationTypes": [kind]} for t in to]} | paging


def search(client: HubSpot):
    where = [Filter("dealstage", "IN", values=("closedwon",)), Filter("hs_lastmodifieddate", "GTE", "17")]
    return client.search("deals", where, sort="hs_lastmodifieddate", properties=["amount"], limit=2)


def test_a_search_asks_as_hubspot_wants_it() -> None:
    script = Script(told(record("1", amount="1.10"), total=2, paging={"next": {"after": "1", "link": "?"}}))
    page = search(script.client())
    assert [one.id for one in page.results] == ["1"]
    assert page.after == "1"
    assert script.requests[0].url.path == "/crm/v3/objects/deals/search"
    assert script.requests[0].headers["Authorization"] == "Bearer secret"
    assert script.bodies()[0] == {
        "filterGroups": [
            {
                "filters": [
                    {"propertyName": "dealstage", "operator": "IN", "values": ["closedwon"]},
                    {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "17"},
                ]
            }
        ],
        "sorts": [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}],
        "properties": ["amount"],
        "limit": 2,
    }


def test_unquoted_numbers_are_never_floats() -> None:
    body = b'{"results": [{"id": "1", "properties": {"amount": 0.1000000000000000055, "n": null}}]}'
    page = search(Script(httpx.Response(200, content=body)).client())
    assert page.results[0].properties == {"amount": Decimal("0.1000000000000000055"), "n": None}


def test_a_search_that_was_too_many_is_asked_again_and_so_is_one_that_failed() -> None:
    limited = httpx.Response(429, headers={"Retry-After": "0"}, json={"errorType": "RATE_LIMIT"})
    script = Script(limited, httpx.Response(502), told(record("1")))
    assert [one.id for one in search(script.client()).results] == ["1"]
    assert len(script.requests) == 3


def test_patience_ends() -> None:
    with pytest.raises(SourceError, match="no answer in 3 attempts"):
        search(Script(*[httpx.ReadTimeout("slow")] * 3).client())


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_are_refused_at_once(status) -> None:
    script = Script(httpx.Response(status, json={"category": "INVALID_AUTHENTICATION"}))
    with pytest.raises(SourceRefused, match=str(status)):
        search(script.client())
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"items": []}', b'{"results": [{"id": 1, "properties": {}}]}', b'{"results": null}', b"\xff"]
)
def test_an_answer_outside_the_protocol(body) -> None:
    with pytest.raises(SourceBroken, match="POST /crm/v3/objects/deals/search: the answer is outside the protocol"):
        search(Script(httpx.Response(200, content=body)).client())


def test_records_are_read_a_hundred_at_once_and_those_gone_are_absent() -> None:
    ids = [str(number) for number in range(150)]
    gone = {"category": "OBJECT_NOT_FOUND", "message": "not found", "context": {"id": ["149"]}}
    script = Script(
        told(*map(record, ids[:100])), told(*map(record, ids[100:149]), status=207, errors=[gone], numErrors=1)
    )
    found = script.client().read("line_items", ids, ["price"])
    assert sorted(found, key=int) == ids[:149]
    assert [len(body["inputs"]) for body in script.bodies()] == [100, 50]


def test_a_part_that_failed_otherwise_is_not_taken_for_nothing() -> None:
    failed = {"category": "INTERNAL_ERROR", "message": "something broke"}
    with pytest.raises(SourceBroken, match="INTERNAL_ERROR"):
        Script(told(status=207, errors=[failed])).client().read("companies", ["1"], ["name"])


def test_nothing_is_asked_for_nothing() -> None:
    script = Script()
    assert (script.client().read("companies", [], []), script.client().links("deals", [], "companies")) == ({}, {})


def test_associations_come_at_once_and_a_deal_may_have_none() -> None:
    script = Script(told(links("1", 12, 11), status=207, errors=[NONE_FOUND]))
    found = script.client().links("deals", ["1", "2"], "companies")
    assert {one: [link.to for link in some] for one, some in found.items()} == {"1": ["11", "12"], "2": []}
    assert found["1"][0].primary
    assert script.bodies()[0] == {"inputs": [{"id": "1"}, {"id": "2"}]}


def test_associations_beyond_the_first_page_are_fetched() -> None:
    more = told({"toObjectId": 13}, paging={"next": {"after": 13}})
    script = Script(told(links("1", 11, 12, after="12")), more, told({"toObjectId": 14}))
    assert [link.to for link in script.client().links("deals", ["1"], "line_items")["1"]] == ["11", "12", "13", "14"]
    assert [request.url.params.get("after") for request in script.requests[1:]] == ["12", "13"]


def test_a_portal_without_batches_is_asked_one_by_one_from_then_on() -> None:
    script = Script(httpx.Response(404), told({"toObjectId": 11}), told(), told({"toObjectId": 12}))
    client = script.client()
    assert [len(some) for some in client.links("deals", ["1", "2"], "line_items").values()] == [1, 0]
    assert [link.to for link in client.links("deals", ["3"], "line_items")["3"]] == ["12"]
    assert [request.method for request in script.requests] == ["POST", "GET", "GET", "GET"]


def test_associations_that_would_never_end() -> None:
    page = {"paging": {"next": {"after": "11"}}}
    script = Script(httpx.Response(404), *[told({"toObjectId": 11}, **page) for _ in range(2)])
    with pytest.raises(SourceBroken, match="came before"):
        script.client().links("deals", ["1"], "line_items")


def test_associations_that_nobody_asked_for() -> None:
    with pytest.raises(SourceBroken, match="'9' came"):
        Script(told(links("9", 11))).client().links("deals", ["1"], "companies")


def test_an_empty_token_is_no_token() -> None:
    with pytest.raises(BadSetting, match="token of HubSpot is empty"):
        HubSpot("http://crm.test", " ")
