"""Each fault on the way to each connector: the lake ends as without it, or the run stops and names the cause.

Once the fault is gone the next run brings the lake to where it would have been. A silent difference is the one thing
that must not be.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from features.errors import DuecastError, StateError
from features.lake import Lake
from features.tables import BANK_ENTRY, BANK_STATEMENT, CUSTOMER, ENTITY, FX_RATE, INVOICE, TABLES, Table
from pipelines.bank.mailbox import BankMailbox
from pipelines.bank_feeds import ingest_bank
from pipelines.connectors.odata_auth import basic
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.sap import SapSource
from pipelines.connectors.sap_shapes import LEDGER_SERVICE
from pipelines.connectors.source import Batch, Source
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.web import Limits, Retries, Web
from pipelines.hook_feeds import land_webhooks
from pipelines.ingest import ingest_source
from pipelines.landscape import Account, BankSystem
from pipelines.mapping_keys import Books, Rest, Section
from pipelines.sit.faults import FAULT_KINDS, Fault
from pipelines.sit.proxy import FaultProxy, fault_proxy
from pipelines.systems.mock_bank import mock_bank
from pipelines.systems.paging_odata import paging_odata
from pipelines.systems.tryton import tryton
from pipelines.systems.tryton_install import installed
from services.operations import Operations
from services.sandbox.erp import serving
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate
from services.signatures import Gate, Seal, sealed
from services.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HASTY = Retries(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)
LATE_SECONDS, SLOW_SECONDS = 0.6, 1.5  # after which an answer is late: of what is quick, of what is not
LIMITS = Limits(timeout_seconds=LATE_SECONDS)
TWO_DAYS = 172_800.0
NAME = "it"

# what an error, or a reason of the quarantine, has to say about the fault
CAUSES = {
    "dropped_page": ("control totals do not tie", "rows came; read again"),
    "duplicated_page": ("rows came; read again", "came before"),
    "reordered_page": ("never: order is all that changes",),
    "renamed_field": ("lacks {field}", "without {field}", "{field}"),
    "changed_type": ("{field}", "control totals do not tie"),
    "wrong_currency": ("control totals do not tie: ", "lines in SGD came", "is in SGD", "camt"),
    "clock_skew": ("clock is ",),
    "timeout": ("timed out",),
    "too_many": ("status 429",),
    "server_error": ("status 500",),
    "cut_connection": ("peer closed connection", "incomplete"),
    "cut_body": ("outside the protocol", "no JSON", "not Tryton's JSON", "line "),
}
# a movement is told by a notification and by its statement; which of the two it is put down to, the last one decides
LAST_TOLD = {"bank_entry": ("statement_id",)}
# one module asks for all connectors, so that one of them shows how it gives up
OF_THE_WAY = ("timeout", "too_many", "server_error", "cut_connection")
# what is known not to be told apart yet: the cell fails as soon as it is
# where nothing was wrong with what came, only with when or how often: not one version may differ
EXACT = ("duplicated_page", "reordered_page", "timeout", "too_many", "server_error", "cut_connection")


@dataclass
class Told:
    """How an ingest ended: an error, what was set aside, in words."""

    error: str | None
    aside: str
    landed: int = 0


@dataclass
class Rig:
    """A connector that can be led through the proxy. `run` ingests from a base URL into a lake and a store."""

    name: str
    upstream: str
    run: Callable[[str, Lake, Store], Told]
    path: str
    fields: dict[str, str]
    page: int = 2
    late_seconds: float = LATE_SECONDS
    tables: tuple[Table, ...] = TABLES
    skew_path: str = ""
    not_for: dict[str, str] = field(default_factory=dict)
    restore: Callable[[], None] = lambda: None

    def fault(self, kind: str, times: int | None) -> Fault:
        """The fault as it is for this protocol."""
        seconds = {"clock_skew": TWO_DAYS, "timeout": 1.5 * self.late_seconds}.get(kind, 0.0)
        path = self.skew_path if kind == "clock_skew" else self.path
        name = self.fields.get(kind, "")
        return Fault(kind=kind, path=path, page=self.page, field=name, seconds=seconds, times=times)


@dataclass
class Place:
    """A lake and a store of one cell."""

    lake: Lake
    store: Store

    def versions(self, tables: tuple[Table, ...]) -> dict[str, pl.DataFrame]:
        """Every version of every fact."""
        return {t.name: self.lake.versions(t).collect().sort(*t.key, "known_at", "digest") for t in tables}

    def current(self, tables: tuple[Table, ...]) -> dict[str, pl.DataFrame]:
        """What stands, whenever it became known."""
        latest = {t.name: self.lake.versions(t).unique(t.key, keep="last").collect().sort(t.key) for t in tables}
        return {name: frame.drop("known_at", "digest", *LAST_TOLD.get(name, ())) for name, frame in latest.items()}


class Only:
    """Some tables of a source."""

    def __init__(self, source: Source, *tables: Table) -> None:
        self._source, self._tables = source, tables

    def tables(self) -> tuple[Table, ...]:
        return tuple(t for t in self._source.tables() if t in self._tables)

    def feed(self, table: Table) -> str:
        return self._source.feed(table)

    def section(self, table: Table) -> Section:
        return self._source.section(table)

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        return self._source.read(table, cursor, now)

    def totals(self, table: Table) -> Any:
        return self._source.totals(table)


def through(open_source: Callable[[str], AbstractContextManager[Source]], now: datetime):
    """Ingests what `open_source` opens at an address."""

    def run(url: str, lake: Lake, store: Store) -> Told:
        try:
            with open_source(url) as source:
                report = ingest_source(source, NAME, lake, store, now=now)
        except DuecastError as error:
            return Told(str(error), reasons(store))
        return Told(None, reasons(store), report.counts.landed)

    return run


def reasons(store: Store) -> str:
    return "; ".join(sorted(set(store.quarantined()["field"])))


def started(stack: ExitStack, system: AbstractContextManager[Any]) -> Any:
    try:
        return stack.enter_context(system)
    except StateError as error:
        if "the installation of" not in str(error):
            raise
        pytest.skip(f"cannot be installed here: {error}")


def rest_rig(stack: ExitStack, cache: Path, folder: Path, today: date) -> Rig:
    world = simulate(WorldOptions(customers=8, years=1))
    served = stack.enter_context(serving(world))
    mapped = Rest(page_size=40, complete=True)

    @contextmanager
    def opened(url: str) -> Iterator[Source]:
        with RestClient(url, served.token, retries=HASTY, limits=LIMITS) as client:
            yield Only(RestSource(client, mapped), ENTITY, CUSTOMER, INVOICE)

    named = {"renamed_field": "order_id", "changed_type": "amount"}
    return Rig("rest", served.base_url, through(opened, world.now()), "/invoice$", named)


def tryton_rig(stack: ExitStack, cache: Path, folder: Path, today: date) -> Rig:
    try:
        installed(cache)
    except StateError as error:
        pytest.skip(f"Tryton cannot be installed here: {error}")
    erp = stack.enter_context(tryton(cache, folder / "erp", today=today))
    now = datetime.now(UTC)

    @contextmanager
    def opened(url: str) -> Iterator[Source]:
        patient = Limits(timeout_seconds=SLOW_SECONDS)
        with Tryton.connect(url, erp.database, erp.key, retries=HASTY, limits=patient) as client:
            yield Only(TrytonSource(client, page_size=50), ENTITY, INVOICE)

    named = {"renamed_field": "total_amount", "changed_type": "total_amount"}
    return Rig("tryton", erp.base_url, through(opened, now), r"/account\.invoice$", named, late_seconds=SLOW_SECONDS)


def odata_rig(stack: ExitStack, cache: Path, folder: Path, today: date) -> Rig:
    service = started(stack, paging_odata(cache, page_rows=40))
    books = Books(name="Ten GmbH", currency="EUR", time_zone="Europe/Berlin", country="DE")
    now = datetime(2026, 3, 3, tzinfo=UTC)

    @contextmanager
    def opened(url: str) -> Iterator[Source]:
        who = basic(service.user, service.password)
        patient = Limits(timeout_seconds=SLOW_SECONDS)
        companies = {"1010": books}
        with SapSource(url, who, LEDGER_SERVICE, companies, page_size=None, retries=HASTY, limits=patient) as source:
            yield Only(source, ENTITY, INVOICE)

    amount = "AmountInTransactionCurrency"
    named = {"renamed_field": "DocumentReferenceID", "changed_type": amount}
    return Rig("odata", service.url, through(opened, now), "/Items$", named, late_seconds=SLOW_SECONDS)


def bank_rig(stack: ExitStack, cache: Path, folder: Path, today: date) -> Rig:
    url = started(stack, mock_bank(cache))
    now = datetime(2026, 3, 10, tzinfo=UTC)
    with httpx.Client(base_url=url, trust_env=False) as clerk:
        accounts = {
            a["id"]: Account(number=a["iban"], entity="NL01", currency="EUR")
            for a in clerk.get("/_mock/accounts").json()
        }
        credited = {"account": "ACME", "debtor": {"name": "Customer Ltd", "iban": "NL14MOCK0000000002"}}
        clerk.post("/_mock/credits", json=credited | {"amount": 111_000, "note": "INV-1"})
        clerk.post("/_mock/advance", params={"days": 1}).raise_for_status()
        kinds = ("camt.053", "camt.054", "bai2")
        messages = [
            m["id"] for k in kinds for m in clerk.get("/_mock/mailbox", params={"leave": "1", "type": k}).json()
        ]
    bank = BankSystem(mailbox=url, accounts=accounts)
    row = {"entity_id": "NL01", "source": "erp", "source_id": "NL01", "known_at": now, "digest": "d", "deleted": False}
    row |= {"name": "ACME", "country": "NL", "currency": "EUR", "time_zone": "Europe/Amsterdam"}

    def run(base_url: str, lake: Lake, store: Store) -> Told:
        lake.append(ENTITY, pl.DataFrame([row], schema=ENTITY.schema))
        try:
            with Web(base_url, {}, retries=HASTY, limits=LIMITS) as web:
                done = ingest_bank(BankMailbox(web), bank, NAME, lake, store, now=now)
        except DuecastError as error:
            return Told(str(error), reasons(store))
        broken = "; ".join(reason for _, reason in done.taken.broken)
        return Told(broken or None, reasons(store), done.run.counts.landed)

    def restore() -> None:
        with httpx.Client(base_url=url, trust_env=False) as clerk:
            for message in messages:
                clerk.post(f"/_mock/mailbox/{message}/unread")

    return Rig(
        "bank",
        url,
        run,
        "/mailbox",
        {"renamed_field": "bytes", "changed_type": "bytes"},
        page=1,
        tables=(BANK_ENTRY, BANK_STATEMENT),
        not_for={"dropped_page": "a mailbox has no pages; what it does not list waits there, and is taken next time"},
        restore=restore,
    )


RIGS = {"rest": rest_rig, "tryton": tryton_rig, "odata": odata_rig, "bank": bank_rig}


@pytest.fixture(scope="module", params=list(RIGS))
def rig(
    request: pytest.FixtureRequest, systems_cache: Path, today: date, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield RIGS[request.param](stack, systems_cache, tmp_path_factory.mktemp(request.param), today)


@pytest.fixture(scope="module")
def proxy(rig: Rig) -> Iterator[FaultProxy]:
    with fault_proxy(rig.upstream) as running:
        yield running


@pytest.fixture(scope="module")
def truth(rig: Rig, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The lake without a fault, by way of the proxy, which must not show."""
    folder = tmp_path_factory.mktemp("truth")
    with Store(f"sqlite:///{folder / 'state.db'}") as store:
        place = Place(Lake(folder / "lake"), store)
        told = rig.run(proxy.url, place.lake, store)
        assert told.error is None
        assert told.aside == ""
        assert told.landed > 0
        rig.restore()
        yield place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
        yield Place(Lake(tmp_path / "lake"), store)


def differences(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> list[str]:
    return [f"{name}: {one[name].height} and {other[name].height}" for name in one if not one[name].equals(other[name])]


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("kind", [k for k in FAULT_KINDS if k != "replayed_webhook"])
def test_no_fault_makes_a_silent_difference(
    rig: Rig,
    proxy: FaultProxy,
    truth: Place,
    place: Place,
    kind: str,
    times: int | None,
) -> None:
    if kind in rig.not_for:
        pytest.skip(f"does not apply: {rig.not_for[kind]}")
    if kind in OF_THE_WAY and times is None and rig.name != "rest":
        pytest.skip("does not apply: giving up is the same module for all connectors, which the cell of REST shows")
    fault = rig.fault(kind, times)
    proxy.injected, proxy.fault = 0, fault
    try:
        told = rig.run(proxy.url, place.lake, place.store)
    finally:
        proxy.fault = None
        rig.restore()
    assert proxy.injected > 0, "the fault never struck"
    apart = differences(place.current(rig.tables), truth.current(rig.tables))
    if told.error is None and not told.aside:
        assert apart == [], "a silent difference"
        if kind in EXACT:
            assert differences(place.versions(rig.tables), truth.versions(rig.tables)) == []
        return
    causes = [cause.format(field=fault.field) for cause in CAUSES[kind]]
    said = f"{told.error} {told.aside}"
    assert any(cause in said for cause in causes), f"{said!r} does not name the cause"
    after = rig.run(proxy.url, place.lake, place.store)
    rig.restore()
    assert after.error is None
    assert differences(place.current(rig.tables), truth.current(rig.tables)) == [], "not mended once the fault is gone"


class Receiver:
    """Our service's desk behind HTTP."""

    def __init__(self, desk: Operations) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receipt = desk.receive(self.path.rpartition("/")[2], Seal.of(headers), body)
                answer = json.dumps({"status": receipt.status}).encode()
                self.send_response(202)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_a_replayed_webhook_leaves_the_lake_as_a_poll_does(place: Place, tmp_path: Path) -> None:
    """The other connectors here send no webhooks: they are polled."""
    world, secret = simulate(WorldOptions(customers=3, years=1)), b"a secret of enough bytes"
    tables = (ENTITY, CUSTOMER, FX_RATE)
    polled = Place(Lake(tmp_path / "polled"), place.store)
    with serving(world) as served, RestClient(served.base_url, served.token) as client:
        source = Only(RestSource(client, Rest(complete=True)), *tables)
        ingest_source(source, NAME, polled.lake, place.store, now=world.now())
        batches = [(t, b.records) for t in tables for b in source.read(t, None, world.now())]
    url = f"sqlite:///{tmp_path / 'hooks.db'}"
    desk = Operations(url, Gate({NAME: (secret,)}, window=timedelta(minutes=5)), clock=world.now)
    with (
        Receiver(desk) as address,
        fault_proxy(address, Fault(kind="replayed_webhook")) as proxy,
        httpx.Client(base_url=proxy.url, trust_env=False) as sender,
    ):
        for number, (table, records) in enumerate(batches):
            body = json.dumps({"table": table.name, "records": records}).encode()
            sent = sender.post(
                f"/v1/webhooks/{NAME}", content=body, headers=sealed(secret, f"d{number}", body, at=world.now())
            )
            assert sent.status_code == 202
        assert proxy.injected == len(batches) > 0
    with Store(url) as store:
        report = land_webhooks(store, place.lake, NAME, world.now())
        assert report.run is not None
        assert report.run.counts.quarantined == 0
    assert differences(place.versions(tables), polled.versions(tables)) == []


def test_every_fault_is_in_the_matrix() -> None:
    assert set(FAULT_KINDS) == {*CAUSES, "replayed_webhook"}
    assert replace(Fault(kind="timeout"), times=1).times == 1
