"""The OData client against scripted services: links that lead astray, broken answers, tokens, refusals."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from features.errors import BadSetting, SourceBroken, SourceError, SourceRefused
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_auth import ClientCredentials, basic
from pipelines.connectors.odata_query import Condition, Query
from pipelines.connectors.web import Retries

HASTY = Retries(attempts=2, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)
HOST = "https://erp.test"
V4 = """<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="S" Alias="A" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="Item"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.String" Nullable="false"/>
<Property Name="Amount" Type="Edm.Decimal" Precision="16" Scale="3"/>
<Property Name="Changed" Type="Edm.DateTimeOffset"/></EntityType>
<EntityContainer Name="C"><EntitySet Name="Items" EntityType="A.Item"/></EntityContainer></Schema>
</edmx:DataServices></edmx:Edmx>"""
V2 = V4.replace('Version="4.0"', 'Version="1.0"')


class Script:
    """Serves metadata by itself and answers the rest one after the other; remembers what was asked."""

    def __init__(self, *answers: httpx.Response, metadata: str = V4) -> None:
        self.answers, self.metadata = list(answers), metadata
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("$metadata"):
            return httpx.Response(200, text=self.metadata)
        self.asked.append(request)
        return self.answers.pop(0)

    def service(self, **keys: Any) -> ODataService:
        told = {"auth": basic("user", "password"), "page_size": None, "retries": HASTY} | keys
        return ODataService(HOST, "/svc", transport=httpx.MockTransport(self), **told)

    def ids(self, query: Query | None = None, **keys: Any) -> list[str]:
        with self.service(**keys) as service:
            return [row["Id"] for row in service.rows("Items", query or Query())]


def page(*ids: str, **more: Any) -> httpx.Response:
    return httpx.Response(
        200, json={"value": [{"Id": i} for i in ids]} | {k.replace("_", "@odata."): v for k, v in more.items()}
    )


def v2_page(*ids: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"d": {"results": [{"Id": i} for i in ids]} | more})


def query_of(request: httpx.Request) -> str:
    return request.url.query.decode()


@pytest.mark.parametrize("link", ["Items?$skiptoken=2", "/svc/Items?$skiptoken=2", f"{HOST}/svc/Items?$skiptoken=2"])
def test_next_links_are_followed_relative_and_absolute(link: str) -> None:
    script = Script(page("1", "2", _nextLink=link, _count=3), page("3"))
    assert script.ids() == ["1", "2", "3"]
    assert [r.url.path for r in script.asked] == ["/svc/Items", "/svc/Items"]
    assert query_of(script.asked[0]) == "$count=true"
    assert query_of(script.asked[1]) == "$skiptoken=2"


@pytest.mark.parametrize(
    "token", ["a+b/c==", "a%2Bb%2Fc%3D%3D", "%27x%27%20y"], ids=["a plus as it came", "encoded", "spaces"]
)
def test_a_token_goes_back_meaning_the_same(token: str) -> None:
    script = Script(page("1", _nextLink=f"Items?$skiptoken={token}"), page("2"))
    script.ids()
    said = query_of(script.asked[1]).partition("=")[2]
    assert said == token or httpx.QueryParams(f"t={said}")["t"] == httpx.QueryParams(f"t={token}")["t"]
    assert "+" not in said or said == token


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/svc/Items?$skiptoken=2",
        "//evil.test/svc/Items",
        "http://erp.test/svc/Items",
        "https://erp.test:444/svc/Items",
        "https://erp.test@evil.test/svc/Items",
        "https://user:x@erp.test/svc/Items",
        "javascript:alert(1)",
    ],
)
def test_a_link_to_anywhere_else_is_refused_and_nothing_is_sent_there(link: str) -> None:
    script = Script(page("1", _nextLink=link))
    with pytest.raises(SourceBroken, match="a link leads to"):
        script.ids()
    assert len(script.asked) == 1


def test_a_link_that_is_no_address_is_named() -> None:
    with pytest.raises(SourceBroken, match="unreadable link"):
        Script(page("1", _nextLink="https://[::1/")).ids()


def test_links_in_a_circle_end() -> None:
    script = Script(
        page("1", _nextLink="Items?p=2"), page("2", _nextLink="Items?p=3"), page("3", _nextLink="Items?p=2")
    )
    with pytest.raises(SourceBroken, match="it would never end"):
        script.ids()


def test_rows_that_the_service_counted_and_did_not_send_are_missed() -> None:
    with pytest.raises(SourceError, match="2 of 3 rows came"):
        Script(page("1", "2", _count=3)).ids()


def test_a_service_that_never_pages_is_asked_window_by_window() -> None:
    script = Script(v2_page("1", "2", __count="3"), v2_page("3", __count="3"), metadata=V2)
    assert script.ids(page_size=2) == ["1", "2", "3"]
    assert query_of(script.asked[1]) == "$inlinecount=allpages&$orderby=Id&$top=2&$skip=2"


def test_windows_smaller_than_asked_for_are_no_end() -> None:
    script = Script(*(v2_page(str(n), __count="3") for n in range(3)), metadata=V2)
    assert script.ids(page_size=2) == ["0", "1", "2"]


def test_rows_that_go_between_windows_are_noticed() -> None:
    script = Script(v2_page("1", "2", __count="4"), v2_page("4", __count="3"), metadata=V2)
    with pytest.raises(SourceError, match="rows went while it was read"):
        script.ids(page_size=2)


def test_next_links_of_v2_come_as_text_or_as_an_object() -> None:
    script = Script(
        v2_page("1", __next=f"{HOST}/svc/Items?$skiptoken=1"),
        v2_page("2", __next={"uri": "Items?$skiptoken=2"}),
        v2_page("3"),
        metadata=V2,
    )
    assert script.ids() == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (V4, "$filter=Id%20eq%20%27O%27%27N%27&$count=true"),
        (V2, "$filter=Id%20eq%20%27O%27%27N%27&$inlinecount=allpages"),
    ],
)
def test_a_filter_is_written_with_spaces_that_every_gateway_reads(version: str, said: str) -> None:
    script = Script(page(), metadata=version)
    script.ids(Query(where=(Condition("Id", "eq", ("O'N",)),)))
    assert query_of(script.asked[0]) == said


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>log in</html>"),
        httpx.Response(200, text="[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"d": {"results": "none"}}),
        httpx.Response(200, json={"value": ["row"]}),
        httpx.Response(200, json={"value": [], "@odata.count": -1}),
        httpx.Response(200, json={"value": [], "@odata.nextLink": 7}),
        httpx.Response(200, json={"value": [{"Id": 7}]}),
        httpx.Response(200, text='{"value": [{"Amount": NaN}]}'),
        httpx.Response(200, json={"value": [{"Changed": "2024-01-01T00:00:00"}]}),
        httpx.Response(200, json={"value": [{"@removed": {"reason": "deleted"}}]}),
    ],
    ids=["html", "deep", "list", "no results", "no rows", "count", "link", "text", "nan", "no zone", "no key"],
)
def test_an_answer_outside_the_protocol_is_named(answer: httpx.Response) -> None:
    with pytest.raises(SourceBroken, match=r"GET /svc/Items"):
        Script(answer).ids()


def test_amounts_keep_every_digit() -> None:
    script = Script(httpx.Response(200, text='{"value": [{"Id": "007", "Amount": 12345678901234567.105}]}'))
    with script.service() as service:
        assert list(service.rows("Items")) == [{"Id": "007", "Amount": "12345678901234567.105"}]


SAP_JSON = {"error": {"code": "/IWBEP/CX_X", "message": {"lang": "en", "value": "Property 'Foo' not found"}}}
V4_JSON = {"error": {"code": "X/1", "message": "Property 'Foo' not found"}}
SAP_XML = """<?xml version="1.0"?><error xmlns="http://x/metadata"><code>X/1</code>
<message xml:lang="en">Property 'Foo' not found</message></error>"""


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(400, json=SAP_JSON), httpx.Response(400, json=V4_JSON), httpx.Response(400, text=SAP_XML)],
    ids=["V2", "V4", "XML"],
)
def test_the_services_own_words_are_passed_on(answer: httpx.Response) -> None:
    with pytest.raises(SourceBroken, match=r"status 400: (/IWBEP/CX_X|X/1): Property 'Foo' not found"):
        Script(answer).ids()


@pytest.mark.parametrize("body", ["", "plain words", '{"error": "text"}', "<error/>", '{"error": {"message": null}}'])
def test_an_error_that_says_nothing_readable_is_an_error_all_the_same(body: str) -> None:
    with pytest.raises(SourceBroken, match="status 404"):
        Script(httpx.Response(404, text=body)).ids()


def test_missing_rights_are_refused_in_the_services_words() -> None:
    with pytest.raises(SourceRefused, match="no authorization for S_SERVICE"):
        Script(httpx.Response(403, json={"error": {"code": "A", "message": "no authorization for S_SERVICE"}})).ids()


def test_a_forgotten_delta_link_asks_for_everything_again() -> None:
    script = Script(httpx.Response(410, json=V4_JSON))
    with script.service() as service, pytest.raises(SourceBroken, match="read everything again"):
        list(service.changes("Items", "Items?$deltatoken=1"))


def test_changes_tell_rows_keys_that_went_and_the_next_link() -> None:
    gone = [
        {"@removed": {"reason": "deleted"}, "@id": "Items('O''N')"},
        {"@odata.context": "#Items/$deletedEntity", "id": f"{HOST}/svc/Items('a%2Fb')"},
    ]
    body = {"value": [{"Id": "1"}, *gone], "@odata.deltaLink": f"{HOST}/svc/Items?$deltatoken=2"}
    with Script(httpx.Response(200, json=body)).service() as service:
        (told,) = service.changes("Items", "Items?$deltatoken=1")
    assert (told.rows, told.removed) == ([{"Id": "1"}], [{"Id": "O'N"}, {"Id": "a/b"}])
    assert told.delta_link == f"{HOST}/svc/Items?$deltatoken=2"


def required() -> httpx.Response:
    return httpx.Response(403, headers={"x-csrf-token": "Required"}, json=V4_JSON)


def token(value: str) -> httpx.Response:
    return httpx.Response(200, headers={"x-csrf-token": value, "set-cookie": f"SAP={value}; Path=/"}, json={})


def test_a_write_fetches_a_token_keeps_its_cookie_and_fetches_a_fresh_one_once() -> None:
    made = httpx.Response(201, json={"Id": "1"})
    script = Script(token("one"), made, required(), token("two"), made)
    with script.service() as service:
        assert service.create("Items", {"Id": "1"}) == {"Id": "1"}
        service.create("Items", {"Id": "1"})
    assert [(r.method, r.headers.get("x-csrf-token")) for r in script.asked] == [
        ("GET", "Fetch"),
        ("POST", "one"),
        ("POST", "one"),
        ("GET", "Fetch"),
        ("POST", "two"),
    ]
    assert [r.headers["cookie"] for r in script.asked if r.method == "POST"] == ["SAP=one", "SAP=one", "SAP=two"]


def test_a_token_that_is_never_good_enough_is_refused_after_one_more_try() -> None:
    script = Script(token("one"), required(), token("two"), required())
    with script.service() as service, pytest.raises(SourceRefused, match=r"POST /svc/Items"):
        service.create("Items", {})
    assert script.answers == []


def test_a_write_whose_fate_is_unknown_is_not_repeated() -> None:
    script = Script(token("one"), httpx.Response(503))
    with script.service() as service, pytest.raises(SourceError, match="1 attempt"):
        service.create("Items", {})


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.count("Foo"),
        lambda s: s.count("Items", Query(where=(Condition("Foo", "eq", ("1",)),))),
        lambda s: s.count("Items", Query(where=(Condition("Id", "eq 1 or Id eq", ("1",)),))),  # type: ignore[arg-type]
        lambda s: list(s.rows("Items", Query(select=("Id,Secret",)))),
        lambda s: list(s.rows("Items", Query(expand=("to_Foo",)))),
        lambda s: s.row("Items", {"Id": "1", "Foo": "2"}),
    ],
    ids=["set", "property", "operator", "select", "expand", "key"],
)
def test_names_that_the_service_does_not_declare_never_reach_it(ask: Callable[[ODataService], object]) -> None:
    script = Script()
    with script.service() as service, pytest.raises(BadSetting):
        ask(service)
    assert script.asked == []


def test_a_key_cannot_leave_its_place_in_the_path() -> None:
    script = Script(httpx.Response(200, json={"Id": "x"}))
    with script.service() as service:
        service.row("Items", {"Id": "a')/../Secrets?x=#1"})
    assert script.asked[0].url.raw_path == b"/svc/Items('a'')%2F..%2FSecrets%3Fx=%231')"


def test_a_bearer_token_is_renewed_once_when_it_is_refused() -> None:
    tokens = iter(("one", "two"))

    def system(request: httpx.Request) -> httpx.Response:
        if request.url.host == "login.test":
            return httpx.Response(200, json={"access_token": next(tokens)})
        if request.url.path.endswith("$metadata"):
            return httpx.Response(200, text=V4)
        good = request.headers["authorization"] == "Bearer two"
        return httpx.Response(200, text="7") if good else httpx.Response(401)

    auth = ClientCredentials("https://login.test/token", "id", "secret")
    with ODataService(HOST, "svc", auth, transport=httpx.MockTransport(system), retries=HASTY) as service:
        assert service.count("Items") == 7


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), SourceRefused),
        (httpx.Response(200, text="<html>"), SourceBroken),
        (httpx.Response(200, json={"access_token": "a\r\nX: y"}), SourceBroken),
        (httpx.Response(200, json=["access_token"]), SourceBroken),
        (httpx.Response(500, json={}), SourceBroken),
    ],
)
def test_a_token_that_does_not_come_is_named(answer: httpx.Response, error: type[Exception]) -> None:
    auth = ClientCredentials("https://login.test/token", "id", "secret")
    with (
        ODataService(HOST, "svc", auth, transport=httpx.MockTransport(lambda _: answer), retries=HASTY) as service,
        pytest.raises(error, match="token endpoint"),
    ):
        service.count("Items")


@pytest.mark.parametrize(
    ("text", "error"), [("7", None), ("\ufeff7", None), ("-1", SourceBroken), ("many", SourceBroken)]
)
def test_a_count_is_a_whole_number(text: str, error: type[Exception] | None) -> None:
    with Script(httpx.Response(200, content=text.encode())).service() as service:
        if error is None:
            assert service.count("Items") == 7
        else:
            with pytest.raises(error, match="is no count"):
                service.count("Items")


def test_what_is_expanded_and_cut_is_named_rather_than_taken_for_whole() -> None:
    linked = V4.replace("</EntityType>", '<NavigationProperty Name="to_Part" Type="Collection(S.Item)"/></EntityType>')
    parts = {"results": [{"Id": "2"}], "__next": "Items?$skiptoken=1"}
    script = Script(
        httpx.Response(200, content=json.dumps({"value": [{"Id": "1", "to_Part": parts}]})), metadata=linked
    )
    with pytest.raises(SourceBroken, match="pages of its own"):
        script.ids(Query(expand=("to_Part",)))
