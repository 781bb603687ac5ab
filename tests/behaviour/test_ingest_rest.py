"""What an ingest over REST promises, against a small ERP of our own and against the sandbox over real HTTP."""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest
import stamina.instrumentation
from deltalake import DeltaTable

from features.errors import BadSetting, SourceBroken, SourceRefused
from features.lake import Lake
from features.money import from_minor
from features.tables import ALLOCATION, CREDIT_NOTE, CUSTOMER, ENTITY, INVOICE, PAYMENT, TABLES, Table
from features.totals import lake_totals
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.web import Retries, tell_retries
from pipelines.ingest import ingest_rest, ingest_source
from pipelines.mapping import load, parse
from pipelines.run_report import FeedReport, RunReport
from services.controls import Controls
from services.heartbeats import Heartbeats, Silence
from services.runs import Counts, Status
from services.sandbox.erp import serving
from services.sandbox.faults import Faults
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.store import Store

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
HASTY = Retries(attempts=6, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)
START = datetime(2024, 3, 1, 8, tzinfo=UTC)

Record = dict[str, object]


def at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Erp:
    """Serves the versions it holds by the protocol, two records a page, and remembers what it was asked."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Record]] = defaultdict(list)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    def tell(self, table: str, minutes: float, record_id: str, **columns: object) -> None:
        record = {"id": record_id, "company": "UK", "changed_at": at(minutes), "deleted": False, **columns}
        self.versions[table].append(record)

    def invoice(self, minutes: float, record_id: str, due: dict[str, str], *, amount: str) -> None:
        parts = [{"number": n, "due_date": day, "amount": part} for n, (day, part) in enumerate(due.items(), start=1)]
        fixed = {"customer_id": "C1", "issue_date": "2024-03-01", "currency": "GBP"}
        self.tell("invoice", minutes, record_id, amount=amount, instalments=parts, **fixed)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        table, query = request.url.path.rsplit("/", 1)[1], dict(request.url.params)
        if table != "totals":
            self.asked.append((table, query))
        if (other := self.before(request)) is not None:
            return other
        if request.url.path.endswith("/totals"):
            return httpx.Response(404)
        shown = sorted(self.versions[table], key=lambda r: (str(r["changed_at"]), str(r["id"])))
        if query.get("history") != "true":
            shown = [r for i, r in enumerate(shown) if r["id"] not in {s["id"] for s in shown[i + 1 :]}]
        if "changed_since" in query:
            since = datetime.fromisoformat(query["changed_since"])
            shown = [r for r in shown if datetime.fromisoformat(str(r["changed_at"])) >= since]
        first = int(query.get("cursor", "0"))
        more = str(first + 2) if first + 2 < len(shown) else None
        return httpx.Response(200, json={"data": shown[first : first + 2], "next_cursor": more})


class World:
    """An ERP, a lake and a store of one test."""

    def __init__(self, root: Path) -> None:
        self.erp = Erp()
        self.lake = Lake(root / "lake")
        self.store = Store(f"sqlite:///{root / 'store.db'}")
        self.runs = 0

    @property
    def now(self) -> datetime:
        """When the last ingest was."""
        return NOW + timedelta(days=self.runs)

    def ingest(
        self,
        mapping: str = "source: erp\nrest: {}",
        *,
        batch_records: int = 20_000,
        every_minutes: int | None = None,
    ) -> RunReport:
        self.runs += 1
        told = {"now": self.now, "batch_records": batch_records}
        with RestClient("http://erp.test", "t", transport=httpx.MockTransport(self.erp), retries=HASTY) as client:
            declared = parse(mapping, "m.yaml")
            if every_minutes is None:
                return ingest_rest(client, declared, self.lake, self.store, **told)
            source = RestSource(client, declared.rest)
            return ingest_source(source, "erp", self.lake, self.store, every_minutes=every_minutes, **told)


def feed(report: RunReport, table: str) -> FeedReport:
    return next(f for f in report.feeds if f.table == table)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    erp = world.erp
    erp.tell("entity", 0, "UK", name="Acme", country="GB", currency="GBP", time_zone="Europe/London")
    erp.tell("customer", 1, "C1", name="Acorn", credit_limit="5000.00", terms_days=30)
    erp.tell("customer", 30, "C1", name="Acorn Ltd", credit_limit="5000.00", terms_days=30)
    erp.invoice(2, "I1", {"2024-03-31": "60.00", "2024-04-30": "40.50"}, amount="100.50")
    for n in range(2, 6):
        erp.invoice(n + 1, f"I{n}", {"2024-03-31": "9.00"}, amount="9.00")
    erp.tell("payment", 60, "P1", customer_id=None, value_date="2024-03-31", currency="GBP", amount="60.00")
    settled = {"kind": "payment", "from_id": "P1", "invoice_id": "I1", "instalment": 1, "date": "2024-03-31"}
    erp.tell("allocation", 61, "A1", currency="GBP", amount="60.00", paid=None, **settled)
    return world


def test_all_of_the_history_the_first_time(world: World) -> None:
    report = world.ingest()
    assert report.counts == Counts(read=10, landed=10)
    assert world.lake.versions(CUSTOMER).select("name", "credit_limit_minor").collect().rows() == [
        ("Acorn", 500000),
        ("Acorn Ltd", 500000),
    ]
    invoice = world.lake.versions(INVOICE).collect().row(0, named=True)
    assert (invoice["entity_id"], invoice["source"], invoice["source_id"]) == ("UK", "erp", "I1")
    assert (invoice["amount_minor"], invoice["known_at"]) == (10050, START + timedelta(minutes=2))
    assert [i["amount_minor"] for i in invoice["instalments"]] == [6000, 4050]
    assert world.lake.versions(PAYMENT).collect()["customer_id"].to_list() == [None]
    assert all(query.get("history") == "true" and "changed_since" not in query for _, query in world.erp.asked)
    assert [table for table, _ in world.erp.asked][:3] == ["entity", "customer", "customer_attribute"]


def test_afterwards_only_what_changed_with_an_overlap(world: World) -> None:
    world.ingest()
    world.erp.asked.clear()
    world.erp.invoice(500, "I6", {"2024-03-31": "9.00"}, amount="9.00")
    report = world.ingest("source: erp\nrest: {overlap_minutes: 2}")
    asked = {table: query for table, query in world.erp.asked if "cursor" not in query}
    assert asked["invoice"]["changed_since"] == at(4).replace("Z", "+00:00")
    assert "history" not in asked["invoice"]
    assert feed(report, "invoice").counts == Counts(read=4, landed=1, duplicates=3)
    assert asked["credit_note"]["history"] == "true"  # it never had a record, so its history is still to come


def test_a_commit_that_comes_late_is_found_and_takes_its_place(world: World) -> None:
    world.ingest()
    world.erp.tell("customer", 20, "C1", name="Acorn Limited", credit_limit="5000.00", terms_days=30)
    world.erp.tell("customer", 5, "C2", name="Birch", credit_limit=None)
    report = world.ingest()
    assert feed(report, "customer").counts.landed == 1  # C1 as it was at 20 is no current state any more
    assert world.lake.known(CUSTOMER, START + timedelta(minutes=6)).collect()["name"].to_list() == ["Acorn", "Birch"]


FUTURE = 75 * 365 * 24 * 60


def test_a_change_of_the_future_is_set_aside_and_hides_no_later_change(world: World) -> None:
    world.erp.tell("customer", FUTURE, "C9", name="Yew")
    report = world.ingest()
    stamp = at(FUTURE).replace("Z", "+00:00")
    assert [str(v) for v in feed(report, "customer").first] == [
        f"GET /api/v1/customer record C9 in UK of {stamp}: changed_at is '{stamp}'; "
        "allowed: an instant that has come (a day of grace for clocks that differ)"
    ]
    assert feed(report, "customer").counts == Counts(read=3, landed=2, quarantined=1)
    world.erp.tell("customer", (world.now - START) / timedelta(minutes=1) + 5, "C2", name="Birch")
    assert feed(world.ingest(), "customer").counts == Counts(read=2, landed=1, quarantined=1)
    assert world.lake.versions(CUSTOMER).collect()["customer_id"].to_list() == ["C1", "C1", "C2"]


def test_a_cursor_of_the_future_is_drawn_back_to_now(world: World) -> None:
    """As an earlier version of ours may have left it."""
    world.ingest()
    run = world.store.start_run("erp", now=world.now)
    world.store.commit_page(run, "GET /api/v1/customer", Counts(), now=world.now, cursor=at(FUTURE))
    world.ingest()
    assert datetime.fromisoformat(world.store.cursor("erp", "GET /api/v1/customer") or "") == world.now


@pytest.mark.parametrize(("ahead", "landed"), [(timedelta(hours=23), 1), (timedelta(hours=25), 0)])
def test_a_clock_of_the_source_may_be_ahead_of_ours_by_a_day(ahead: timedelta, landed: int, world: World) -> None:
    minutes = (NOW + timedelta(days=1) + ahead - START) / timedelta(minutes=1)
    world.erp.tell("fx_rate", minutes, "R", currency="EUR", to_currency="GBP", day="2024-03-01", rate="0.86")
    assert feed(world.ingest(), "fx_rate").counts == Counts(read=1, landed=landed, quarantined=1 - landed)
    cursor = datetime.fromisoformat(world.store.cursor("erp", "GET /api/v1/fx_rate") or "")
    assert cursor == world.now


def test_a_record_that_is_taken_back_is_known_no_longer(world: World) -> None:
    world.ingest()
    world.erp.versions["payment"][-1] |= {"deleted": True, "changed_at": at(90), "amount": None, "value_date": None}
    world.ingest()
    assert world.lake.known(PAYMENT, START + timedelta(minutes=80)).collect().height == 1
    assert world.lake.known(PAYMENT, START + timedelta(minutes=100)).collect().height == 0


def test_pages_that_repeat_a_record_count_it_as_a_duplicate(world: World) -> None:
    world.erp.versions["customer"].insert(1, dict(world.erp.versions["customer"][0]))
    assert feed(world.ingest(), "customer").counts == Counts(read=3, landed=2, duplicates=1)


def test_of_two_versions_in_a_millisecond_the_later_one_counts(world: World) -> None:
    first, last = dict(world.erp.versions["customer"][1]), dict(world.erp.versions["customer"][1])
    first |= {"changed_at": "2024-03-01T09:00:00.000100Z", "name": "first"}
    last |= {"changed_at": "2024-03-01T09:00:00.000200Z", "name": "last"}
    world.erp.versions["customer"] += [first, last]
    assert feed(world.ingest(), "customer").counts == Counts(read=4, landed=3, duplicates=1)
    names = world.lake.versions(CUSTOMER).collect()
    assert names.row(-1, named=True)["name"] == "last"
    assert names.row(-1, named=True)["known_at"] == datetime(2024, 3, 1, 9, 0, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "9.005"}, "amount is '9.005'; allowed: an amount such as 1234.50"),
        ({"amount": None}, "amount is missing; allowed: an amount"),
        ({"currency": "QQQ"}, "currency is 'QQQ'; allowed: an ISO 4217 code"),
        ({"issue_date": "01.03.2024"}, "issue_date is '01.03.2024'; allowed: a date written as YYYY-MM-DD"),
        ({"customer_id": None}, "customer_id is missing; allowed: text"),
        ({"company": None}, "entity_id is missing; allowed: one of UK, in column 'company'"),
        ({"company": "FR"}, "entity_id is 'FR'; allowed: one of UK, in column 'company'"),
        ({"instalments": "soon"}, "instalments is 'soon'; allowed: a list of"),
        ({"instalments": []}, "instalments is '[]'; allowed: a list of"),
        ({"instalments": [{"number": 1, "due_date": "x", "amount": "9.00"}]}, "allowed: a list of"),
        ({"instalments": [{"number": 1, "due_date": "2024-03-31", "amount": "9.001"}]}, "allowed: a list of"),
        ({"instalments": [{"number": 1, "due_date": "2024-03-31", "amount": "8.00"}]}, "amounts that sum to"),
        ({"instalments": [{"number": 1, "due_date": "2024-02-28", "amount": "9.00"}]}, "no negative terms"),
    ],
    ids=str,
)
def test_a_bad_record_is_quarantined_and_the_rest_lands(change: Record, said: str, world: World) -> None:
    world.erp.versions["invoice"][2] |= change
    report = world.ingest()
    assert feed(report, "invoice").counts == Counts(read=5, landed=4, quarantined=1)
    told = [str(v) for v in feed(report, "invoice").first]
    assert len(told) == 1
    whose = "" if change.get("company", "UK") is None else f" in {change.get('company', 'UK')}"
    assert told[0].startswith(f"GET /api/v1/invoice record I3{whose} of {at(4).replace('Z', '+00:00')}: ")
    assert said in told[0]
    kept = world.store.quarantined().row(0, named=True)
    assert json.loads(kept["payload"]) == world.erp.versions["invoice"][2]


def test_a_bad_record_does_not_spoil_a_good_one_of_the_same_id_and_instant(world: World) -> None:
    """Ids are unique within a company only."""
    books = {"name": "Acme GmbH", "country": "DE", "currency": "EUR", "time_zone": "Europe/Berlin"}
    world.erp.tell("entity", 0, "DE", company="DE", **books)
    fixed = {"customer_id": "C1", "issue_date": "2024-03-02", "invoice_id": None, "reason": None}
    for whose, amount in (("UK", "5.00"), ("DE", "-5.00")):
        world.erp.tell("credit_note", 7, "7", amount=amount, currency="EUR", **fixed, company=whose)
    report = world.ingest()
    assert feed(report, "credit_note").counts == Counts(read=2, landed=1, quarantined=1)
    assert [str(v) for v in feed(report, "credit_note").first] == [
        f"GET /api/v1/credit_note record 7 in UK of {at(7).replace('Z', '+00:00')}: "
        "amount_minor is '500'; allowed: a negative amount"
    ]
    assert world.lake.versions(CREDIT_NOTE).collect()["entity_id"].to_list() == ["DE"]


def test_reading_a_bad_record_again_is_not_a_second_complaint(world: World) -> None:
    world.erp.versions["invoice"][2] |= {"amount": "x"}
    world.ingest()
    world.ingest()
    assert world.store.quarantined().select("field", "times").rows() == [("amount", 2)]


def test_an_allocation_before_the_issue_of_its_invoice_is_quarantined(world: World) -> None:
    world.erp.versions["allocation"][0] |= {"date": "2024-02-29"}
    report = world.ingest()
    assert [str(v).split(": ", 1)[1] for v in feed(report, "allocation").first] == [
        "date is '2024-02-29'; allowed: on or after 2024-03-01, the issue date of invoice I1"
    ]
    assert world.lake.versions(ALLOCATION).collect().is_empty()


def test_an_api_that_calls_things_otherwise_is_mapped(world: World) -> None:
    for record in world.erp.versions["customer"]:
        record["industry"] = {"code": "food"}
    mapping = "source: erp\nrest: {path: '/api/v1/{table}', fields: {customer: {segment: industry.code}}}"
    world.ingest(mapping)
    assert world.lake.versions(CUSTOMER).collect()["segment"].to_list() == ["food", "food"]


def test_only_the_tables_that_the_mapping_names_are_read(world: World) -> None:
    world.ingest("source: erp\nrest: {tables: [entity, customer]}")
    assert [table for table, _ in world.erp.asked] == ["entity", "customer"]


def test_a_refusal_half_way_keeps_what_landed_and_the_next_run_reads_the_rest(world: World) -> None:
    world.erp.before = lambda r: httpx.Response(401) if r.url.path.endswith("/invoice") else None
    with pytest.raises(SourceRefused, match="GET /api/v1/invoice"):
        world.ingest()
    run = world.store.runs()[0]
    assert run.status is Status.FAILED
    assert {f.feed: f.status for f in run.feeds}["GET /api/v1/invoice"] is Status.FAILED
    assert world.store.cursor("erp", "GET /api/v1/customer") == at(30).replace("Z", "+00:00")
    assert world.store.cursor("erp", "GET /api/v1/invoice") is None
    world.erp.before = lambda _: None
    assert feed(world.ingest(), "invoice").counts == Counts(read=5, landed=5)
    assert world.store.cursor("erp", "GET /api/v1/invoice") == at(6).replace("Z", "+00:00")


def refused_runs(world: World, refused: str, days: int) -> Silence:
    """Daily runs that end where that table is refused; what is told after the last of them."""
    world.erp.before = lambda r: httpx.Response(401) if r.url.path.endswith(refused) else None
    for _ in range(days):
        with pytest.raises(SourceRefused):
            world.ingest(every_minutes=24 * 60)
    (silence,) = Heartbeats(world.store.database).silent(now=world.now + timedelta(hours=1))
    return silence


def test_tables_behind_one_that_fails_are_told_while_those_before_it_have_news(world: World) -> None:
    world.ingest(every_minutes=24 * 60)
    silence = refused_runs(world, "/invoice", 5)
    unread = {feed.removeprefix("GET /api/v1/") for feed, _ in silence.unread}
    assert unread > {"invoice", "payment", "allocation"}
    assert unread.isdisjoint({"entity", "customer"})
    assert {since for _, since in silence.unread} == {NOW + timedelta(days=2)}
    world.erp.before = lambda _: None
    world.erp.tell("customer", 90, "C2", name="Birch", credit_limit=None, terms_days=30)
    world.ingest(every_minutes=24 * 60)
    assert Heartbeats(world.store.database).silent(now=world.now) == []


def test_a_system_that_refused_us_from_the_first_run_on_is_told(world: World) -> None:
    silence = refused_runs(world, "/entity", 5)
    assert (silence.source, silence.since, silence.reads) == ("erp", None, False)
    assert "GET /api/v1/entity" in dict(silence.unread)


def test_a_broken_page_half_way_leaves_the_cursor_where_it_was(world: World) -> None:
    world.erp.before = lambda r: httpx.Response(200, text="<html>") if r.url.params.get("cursor") == "4" else None
    with pytest.raises(SourceBroken):
        world.ingest(batch_records=2)
    assert world.lake.versions(INVOICE).collect().height == 4
    assert world.store.cursor("erp", "GET /api/v1/invoice") is None
    world.erp.before = lambda _: None
    assert feed(world.ingest(), "invoice").counts == Counts(read=5, landed=1, duplicates=4)


def test_a_mapping_for_files_is_refused(world: World) -> None:
    with (
        RestClient("http://erp.test", "t") as client,
        pytest.raises(BadSetting, match="has no `rest`, it is for files"),
    ):
        ingest_rest(client, load("ibm-ar"), world.lake, world.store, now=NOW)


def test_the_files_of_many_small_ingests_become_few(world: World, tmp_path: Path) -> None:
    for n in range(40):
        world.erp.tell("customer", 100 + n, f"N{n}", name="New", credit_limit="1.00", terms_days=30)
        world.ingest()
    assert world.lake.versions(CUSTOMER).collect().height == 42
    assert len(DeltaTable(tmp_path / "lake" / "customer").file_uris()) < 32


def test_what_is_tried_again_is_told_in_words(world: World, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([httpx.Response(503), httpx.Response(429)])
    world.erp.before = lambda _: next(answers, None)
    tell_retries()
    try:
        world.ingest()
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    told = [r.getMessage() for r in caplog.records if r.name == "pipelines.connectors.web"]
    assert told == [
        "credentials go to erp.test over http, where others can read them; use https",
        "the source did not answer (status 503); asking again in 0.0 s",
        "the source did not answer (status 429); asking again in 0.0 s",
    ]


def test_the_sandbox_comes_through_real_http_and_its_faults_to_the_last_bit(tmp_path: Path) -> None:
    simulated = simulate(WorldOptions(customers=12, years=1))
    faults = Faults(too_many_share=0.1, broken_share=0.1, repeat_share=0.5, retry_after_seconds=0)
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    with (
        serving(simulated, faults=faults) as served,
        RestClient(served.base_url, served.token, retries=HASTY) as client,
    ):
        first = ingest_rest(client, load("sandbox"), lake, store, now=simulated.now())
        again = ingest_rest(client, load("sandbox"), lake, store, now=simulated.now() + timedelta(days=1))
        with RestClient(served.base_url, "wrong") as stranger, pytest.raises(SourceRefused):
            ingest_rest(stranger, load("sandbox"), lake, store, now=NOW)
    assert first.counts.quarantined == 0
    assert first.unmatched.allocations == 0 < first.unmatched.of
    assert again.counts.landed == 0
    until = simulated.now(simulated.options.today)
    for table in TABLES:
        order = [*table.key, "known_at"]
        truth = simulated.facts[table.name].select(*table.schema).filter(pl.col("known_at") <= until).sort(order)
        landed = lake.versions(table).collect().sort(order)
        assert landed.drop("digest").equals(truth.drop("digest")), table.name
    assert lake.versions(ENTITY).collect().height == len(simulated.options.entities)


def held(world: World, table: Table) -> dict[str, object]:
    totals = lake_totals(world.lake, table, "erp")
    sums = totals.sums and {of: str(from_minor(minor, of.rsplit(" ", 1)[1])) for of, minor in totals.sums.items()}
    return {"count": totals.count, "sums": sums, "digest": totals.digest}


class Bookkeeper:
    """Gives the ERP control totals, of one table, that are told when it is asked for the n-th time."""

    def __init__(self, world: World, table: Table, *told: object) -> None:
        self.world, self.path, self.told, self.times = world, f"/{table.name}/totals", told, 0
        world.erp.before = self

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(self.path):
            return None
        told = self.told[min(self.times, len(self.told) - 1)]
        self.times += 1
        return httpx.Response(200, json=told)


def times_read(world: World, table: Table) -> int:
    return sum(1 for name, query in world.erp.asked if name == table.name and "cursor" not in query)


def test_control_totals_that_tie_are_kept(world: World) -> None:
    world.ingest()
    world.erp.asked.clear()
    keeper = Bookkeeper(world, INVOICE, held(world, INVOICE))
    report = world.ingest()
    assert (keeper.times, times_read(world, INVOICE)) == (1, 1)
    kept = Controls(world.store.database).last("erp", feed(report, "invoice").feed)
    assert kept.ties
    assert kept.ours == kept.theirs == lake_totals(world.lake, INVOICE, "erp")


def test_what_was_lost_on_the_way_is_found_by_its_absence_and_read_again(world: World, tmp_path: Path) -> None:
    """A page gets lost: the cursor has passed it, so that only reading everything again brings its records."""
    world.ingest()
    truth = held(world, INVOICE)
    fresh = World(tmp_path / "fresh")
    fresh.erp.versions = world.erp.versions
    keeper = Bookkeeper(fresh, INVOICE, truth)

    def dropping(request: httpx.Request) -> httpx.Response | None:
        first = times_read(fresh, INVOICE) == 1 and "cursor" not in request.url.params
        if request.url.path.endswith("/invoice") and first:
            return httpx.Response(200, json={"data": [], "next_cursor": "2"})
        return keeper(request)

    fresh.erp.before = dropping
    fresh.ingest("source: erp\nrest: {overlap_minutes: 0}")
    assert held(fresh, INVOICE) == truth
    assert times_read(fresh, INVOICE) == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"count": 6}, "the source has 6 records, the lake 5"),
        ({"sums": {"UK GBP": "136.51"}}, "UK GBP: the source sums to 13,651 minor units, the lake to 13,650"),
        ({"sums": {"UK EUR": "136.50"}}, "UK EUR: the source sums to 13,650 minor units, the lake to 0"),
        ({"digest": "0" * 64}, "the source has 5 records as the lake, but not the same ones"),
    ],
)
def test_totals_that_never_tie_stop_the_run_with_the_difference(world: World, wrong: dict, said: str) -> None:
    world.ingest()
    Bookkeeper(world, INVOICE, held(world, INVOICE) | wrong)
    with pytest.raises(SourceBroken, match="the control totals do not tie") as caught:
        world.ingest()
    assert said in str(caught.value)
    run = world.store.runs()[0]
    assert run.status is Status.FAILED
    failed = next(f for f in run.feeds if f.status is Status.FAILED)
    assert said in str(failed.error)
    assert not Controls(world.store.database).last("erp", failed.feed).ties


def test_records_that_are_set_aside_explain_what_is_missing(world: World) -> None:
    world.erp.invoice(3, "I9", {"2024-03-31": "9.00"}, amount="nine")
    world.ingest()
    truth = held(world, INVOICE)
    keeper = Bookkeeper(world, INVOICE, truth | {"count": 6, "digest": "0" * 64})
    world.ingest()
    assert keeper.times == 3
    world.erp.asked.clear()
    keeper.times = 0
    world.ingest()
    assert (keeper.times, times_read(world, INVOICE)) == (1, 1), "known from the run before"


def test_a_wrong_update_of_what_is_held_explains_sums_and_hides_no_loss(world: World) -> None:
    world.ingest()
    held_before = held(world, INVOICE)
    world.erp.invoice(90, "I1", {"2024-03-31": "99.00"}, amount="99.001")
    told = held_before | {"sums": {"UK GBP": "135.00"}}
    Bookkeeper(world, INVOICE, told)
    world.ingest()
    control = Controls(world.store.database).last("erp", "GET /api/v1/invoice")
    assert (control.ties, control.apart, control.doubtful) == (True, 0, ("UK",))
    Bookkeeper(world, INVOICE, told | {"count": 6})
    with pytest.raises(SourceBroken, match="the source has 6 records, the lake 5"):
        world.ingest()


def test_what_was_set_aside_and_then_taken_back_stands_nowhere(world: World) -> None:
    world.ingest()
    truth = held(world, INVOICE)
    world.erp.invoice(90, "I9", {"2024-03-31": "9.00"}, amount="nine")
    world.erp.tell("invoice", 95, "I9", deleted=True)
    Bookkeeper(world, INVOICE, truth | {"count": 6}, truth)
    world.ingest()
    control = Controls(world.store.database).last("erp", "GET /api/v1/invoice")
    assert (control.ties, control.apart) == (True, 0)


def test_what_is_taken_back_and_told_again_wrongly_explains_what_is_missing(world: World) -> None:
    world.ingest()
    truth = held(world, INVOICE)
    world.erp.tell("invoice", 90, "I5", deleted=True)
    world.ingest()
    world.erp.invoice(95, "I5", {"2024-03-31": "9.00"}, amount="nine")
    Bookkeeper(world, INVOICE, truth | {"digest": None})
    world.ingest()
    control = Controls(world.store.database).last("erp", "GET /api/v1/invoice")
    assert (control.ties, control.apart, control.doubtful) == (True, 1, ("UK",))


def test_a_deletion_that_is_set_aside_is_not_one_that_stands(world: World) -> None:
    world.erp.invoice(3, "I9", {"2024-03-31": "9.00"}, amount="nine")
    far = NOW + timedelta(days=99) - START
    world.erp.tell("invoice", far / timedelta(minutes=1), "I9", deleted=True)
    world.ingest()
    Bookkeeper(world, INVOICE, held(world, INVOICE) | {"count": 6})
    with pytest.raises(SourceBroken, match="the source has 6 records, the lake 5"):
        world.ingest()


def test_a_wrong_record_of_one_entity_hides_no_loss_of_another(world: World) -> None:
    world.erp.tell("entity", 0, "DE", company="DE", name="Acme", country="DE", currency="EUR", time_zone="UTC")
    world.erp.invoice(3, "I9", {"2024-03-31": "9.00"}, amount="nine")
    world.ingest()
    sums = {"UK GBP": "145.50", "DE EUR": "70.00"}
    Bookkeeper(world, INVOICE, held(world, INVOICE) | {"count": 6, "sums": sums})
    with pytest.raises(SourceBroken, match="DE EUR: the source sums to 7,000 minor units, the lake to 0") as caught:
        world.ingest()
    assert "GBP" not in str(caught.value)


def test_a_wrong_record_that_says_not_whose_it_is_explains_every_sum(world: World) -> None:
    world.ingest()
    truth = held(world, INVOICE)
    world.erp.tell("invoice", 90, "I9", company=None)
    Bookkeeper(world, INVOICE, truth | {"count": 6, "sums": {"UK GBP": "145.50"}})
    world.ingest()
    assert Controls(world.store.database).last("erp", "GET /api/v1/invoice").doubtful == ("UK",)


def known_since(world: World, invoice_id: str) -> list[tuple[timedelta, int]]:
    rows = world.lake.versions(INVOICE).filter(invoice_id=invoice_id).collect()
    return [(known_at - START, minor) for known_at, minor in rows.select("known_at", "amount_minor").iter_rows()]


def told_booked(world: World, minutes: float, booked: float, amount: str, **said: object) -> None:
    parts = [{"number": 1, "due_date": "2024-03-31", "amount": amount}]
    fixed = {"customer_id": "C1", "issue_date": "2024-03-01", "currency": "GBP", "instalments": parts}
    world.erp.tell("invoice", minutes, "I9", known_at=at(booked), amount=amount, **fixed, **said)


@pytest.mark.parametrize("together", [True, False])
def test_what_follows_on_a_version_that_was_set_aside_was_not_known_when_that_was_booked(
    together: bool, world: World
) -> None:
    told_booked(world, 90, 80, "nine")
    if not together:
        world.ingest()
    told_booked(world, 120, 80, "7.00")
    world.ingest()
    assert known_since(world, "I9") == [(timedelta(minutes=120), 700)]


def test_the_first_version_is_known_since_it_was_booked_and_the_next_since_its_change(world: World) -> None:
    told_booked(world, 90, 80, "8.00")
    told_booked(world, 120, 80, "7.00")
    world.ingest()
    assert known_since(world, "I9") == [(timedelta(minutes=80), 800), (timedelta(minutes=120), 700)]


def test_a_bygone_state_counts_where_the_fact_is_new(world: World) -> None:
    told_booked(world, 80, 80, "8.00", bygone=True)
    told_booked(world, 120, 80, "7.00")
    world.ingest()
    told = [(timedelta(minutes=80), 800), (timedelta(minutes=120), 700)]
    assert known_since(world, "I9") == told
    told_booked(world, 80, 80, "6.00", bygone=True)
    told_booked(world, 130, 80, "6.00")
    report = world.ingest("source: erp\nrest: {overlap_minutes: 600}")
    assert known_since(world, "I9") == [*told, (timedelta(minutes=130), 600)]
    assert feed(report, "invoice").counts.tie


def test_a_bygone_state_of_what_was_set_aside_is_left_out(world: World) -> None:
    told_booked(world, 90, 80, "nine")
    world.ingest()
    told_booked(world, 80, 80, "7.00", bygone=True)
    told_booked(world, 120, 80, "7.00")
    world.ingest("source: erp\nrest: {overlap_minutes: 600}")
    assert known_since(world, "I9") == [(timedelta(minutes=120), 700)]


def test_amounts_that_are_numbers_are_exact(world: World) -> None:
    world.ingest()
    parts = '[{"number": 1, "due_date": "2024-03-31", "amount": 90071992547409.93}]'
    body = '{"id": "I9", "company": "UK", "changed_at": "%s", "customer_id": "C1", "issue_date": "2024-03-01"'
    body += ', "currency": "GBP", "amount": 90071992547409.93, "instalments": %s, "beside": 1e999999999}'
    page = '{"data": [' + body % (at(90), parts) + '], "next_cursor": null}'
    world.erp.before = lambda r: httpx.Response(200, text=page) if r.url.path.endswith("/invoice") else None
    world.ingest()
    (row,) = world.lake.versions(INVOICE).filter(invoice_id="I9").collect().to_dicts()
    assert row["amount_minor"] == row["instalments"][0]["amount_minor"] == 9007199254740993


@pytest.mark.parametrize("answer", [b"[]", b'{"count": "x"}', b'{"count": 1, "sums": {"UK GBP": "1.005"}}', b"\xff"])
def test_totals_outside_the_protocol_are_named(world: World, answer: bytes) -> None:
    world.erp.before = lambda r: httpx.Response(200, content=answer) if r.url.path.endswith("totals") else None
    with pytest.raises(SourceBroken, match=r"GET /api/v1/entity/totals: the answer is outside the protocol"):
        world.ingest()


def test_what_the_lake_holds_and_the_source_does_not_tell_is_named(world: World) -> None:
    world.ingest()
    truth = held(world, INVOICE)
    extra = world.lake.versions(INVOICE).head(1).collect()
    for name in ("X8", "X9"):
        named = extra.with_columns(invoice_id=pl.lit(name), source_id=pl.lit(name), digest=pl.lit(name))
        world.lake.append(INVOICE, named)
    Bookkeeper(world, INVOICE, truth)
    with pytest.raises(SourceBroken, match="the source has 5 records, the lake 7") as caught:
        world.ingest()
    assert "the lake holds UK X8, UK X9, of which the source tells nothing; nothing was taken back" in str(caught.value)
