"""`duecast sit` against systems that others wrote: Tryton, a paging OData service, a bank."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.errors import StateError
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.web import Limits, Retries
from pipelines.landscape import Landscape, parse_landscape
from pipelines.sit.check import Outcome, Result, run_checks
from pipelines.sit.checks import checks_of
from pipelines.sit.faults import Fault
from pipelines.sit.proxy import FaultProxy, fault_proxy
from pipelines.sit.subject import Patience, subject_of
from pipelines.systems.mock_bank import mock_bank
from pipelines.systems.paging_odata import paging_odata
from pipelines.systems.tryton import Erp, tryton
from pipelines.systems.tryton_install import installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE = Patience(Retries(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0), Limits(timeout_seconds=10.0))
NAME = "it"


def examined(landscape: Landscape, only: Collection[str], *, write: bool = False) -> dict[str, Result]:
    """The results of some checks."""
    with subject_of(landscape, NAME, now=datetime.now(UTC), write=write, patience=PATIENCE) as subject:
        wanted = [check for check in checks_of(subject) if check.id in only]
        assert len(wanted) == len(only)
        return {result.id: result for result in run_checks(wanted, subject)}


def spoilt(proxy: FaultProxy, fault: Fault, landscape: Landscape, only: Collection[str]) -> dict[str, Result]:
    proxy.injected, proxy.fault = 0, fault
    try:
        found = examined(landscape, only)
    finally:
        proxy.fault = None
    assert proxy.injected > 0
    return found


def not_passed(results: dict[str, Result]) -> dict[str, str]:
    return {i: r.evidence for i, r in results.items() if r.outcome is not Outcome.PASS}


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def started(stack: ExitStack, system: AbstractContextManager[Any]) -> Any:
    try:
        return stack.enter_context(system)
    except StateError as error:
        if "the installation of" not in str(error):
            raise
        pytest.skip(f"cannot be installed here: {error}")


@pytest.fixture(scope="module")
def erp(stack: ExitStack, systems_cache: Path, today: date, tmp_path_factory: pytest.TempPathFactory) -> Erp:
    try:
        installed(systems_cache)
    except StateError as error:
        pytest.skip(f"Tryton cannot be installed here: {error}")
    return stack.enter_context(tryton(systems_cache, tmp_path_factory.mktemp("sit") / "erp", today=today))


@pytest.fixture(scope="module")
def erp_proxy(stack: ExitStack, erp: Erp) -> FaultProxy:
    return stack.enter_context(fault_proxy(erp.base_url))


@pytest.fixture
def books(erp: Erp, erp_proxy: FaultProxy, tmp_path: Path) -> Landscape:
    (tmp_path / "key").write_text(erp.key)
    told = f"tryton: {{url: '{erp_proxy.url}', database: {erp.database}, key_file: key}}"
    return parse_landscape(f"systems: {{{NAME}: {{test_entity: DE01, {told}}}}}", "l.yaml", tmp_path)


TRYTON = ("reachable", "auth", "stranger-refused", "full-read", "paging", "steady", "clock", "contract", "books")


def test_tryton_is_sound_and_what_is_written_is_read_back_and_gone(books: Landscape, erp: Erp) -> None:
    assert not_passed(examined(books, (*TRYTON, "write-read", "write-once"), write=True)) == {}
    with Tryton.connect(erp.base_url, erp.database, erp.key) as client:
        assert client.search("party.party", [["code", "like", "DUECAST-SIT-%"]]) == []


def test_nothing_is_written_unless_it_was_asked_for(books: Landscape) -> None:
    found = examined(books, ("auth", "write-read", "write-once"))
    assert {found[i].evidence for i in ("write-read", "write-once")} == {"writes were not asked for (--write)"}


@pytest.mark.parametrize(
    ("fault", "check", "said"),
    [
        (Fault(kind="wrong_currency", path=r"/account\.invoice$"), "books", "are in SGD"),
        (Fault(kind="clock_skew", seconds=900.0), "clock", "ahead of ours"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_spoilt_tryton_is_a_no_go(
    books: Landscape, erp_proxy: FaultProxy, fault: Fault, check: str, said: str
) -> None:
    assert said in not_passed(spoilt(erp_proxy, fault, books, ("full-read", "clock", "books")))[check]


@pytest.fixture(scope="module")
def sap_proxy(stack: ExitStack, systems_cache: Path) -> tuple[FaultProxy, str, str]:
    service = started(stack, paging_odata(systems_cache))
    return stack.enter_context(fault_proxy(service.url)), service.user, service.password


@pytest.fixture
def sap(sap_proxy: tuple[FaultProxy, str, str], tmp_path: Path) -> Landscape:
    proxy, user, password = sap_proxy
    (tmp_path / "password").write_text(password)
    ten = '"1010": {name: Ten GmbH, currency: EUR, time_zone: Europe/Berlin}'
    who = f"user: {user}, password_file: password"
    told = f"odata: {{url: '{proxy.url}', shape: ledger, {who}, companies: {{{ten}}}}}"
    return parse_landscape(f"systems: {{{NAME}: {{currencies: [USD], {told}}}}}", "l.yaml", tmp_path)


def test_the_paging_service_is_sound(sap: Landscape) -> None:
    assert not_passed(examined(sap, (*TRYTON, "incremental"))) == {}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind="dropped_page", path="/Items$"), "rows came; read again"),
        (Fault(kind="renamed_field", path="/Items$", field="DocumentReferenceID"), "without DocumentReferenceID"),
        (Fault(kind="wrong_currency", path="/Items$"), "lines in SGD came, it counts 0"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_spoilt_service_is_a_no_go(
    sap: Landscape, sap_proxy: tuple[FaultProxy, str, str], fault: Fault, said: str
) -> None:
    assert said in not_passed(spoilt(sap_proxy[0], fault, sap, ("full-read",)))["full-read"]


def test_a_page_that_comes_twice_is_a_no_go(sap: Landscape, sap_proxy: tuple[FaultProxy, str, str]) -> None:
    fault = Fault(kind="duplicated_page", path="/Items$")
    found = not_passed(spoilt(sap_proxy[0], fault, sap, ("full-read", "paging")))
    assert set(found) == {"paging"}
    assert "125 of 162 rows came; read again" in found["paging"]  # of a window it had what was in it twice


def test_a_bank_over_http_is_sound_and_a_spoilt_one_is_not(
    stack: ExitStack, systems_cache: Path, tmp_path: Path
) -> None:
    url = started(stack, mock_bank(systems_cache))
    with httpx.Client(base_url=url, trust_env=False) as clerk, fault_proxy(url) as proxy:
        accounts = clerk.get("/_mock/accounts").json()
        ours = ", ".join(f"{a['id']}: {{number: {a['iban']}, entity: NL01, currency: EUR}}" for a in accounts)
        debtor = {"name": "Customer Ltd", "iban": "NL14MOCK0000000002"}
        clerk.post("/_mock/credits", json={"account": "ACME", "debtor": debtor, "amount": 500, "note": "INV-1"})
        clerk.post("/_mock/advance", params={"days": 1}).raise_for_status()
        told = f"bank: {{mailbox: '{proxy.url}', accounts: {{{ours}}}}}"
        bank = parse_landscape(f"systems: {{{NAME}: {{{told}}}}}", "l.yaml", tmp_path)
        every = ("reachable", "files-readable", "accounts-ours", "contiguous", "steady", "clock")
        for _ in range(2):  # nothing is taken by looking
            assert not_passed(examined(bank, every)) == {}
        for fault, check, said in (
            (Fault(kind="cut_body", path="/mailbox/"), "files-readable", "line"),
            (Fault(kind="wrong_currency", path="/mailbox/"), "accounts-ours", "is in SGD"),
            (Fault(kind="server_error", path="/mailbox", times=1), "steady", "1 with status 5xx"),
            (Fault(kind="clock_skew", seconds=-900.0), "clock", "behind ours"),
        ):
            assert said in not_passed(spoilt(proxy, fault, bank, every))[check]
