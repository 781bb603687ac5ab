"""`duecast sit` against the sandbox over real HTTP: a go, and a no-go that names each fault on the way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from features.errors import BadSetting, NotFound
from pipelines import cli
from pipelines.connectors.web import Limits, Retries
from pipelines.landscape import Landscape, parse_landscape
from pipelines.sit.check import Outcome
from pipelines.sit.checks import RECORD_CHECKS
from pipelines.sit.command import examine
from pipelines.sit.faults import Fault
from pipelines.sit.proxy import FaultProxy, fault_proxy
from pipelines.sit.report import SitReport
from pipelines.sit.subject import Patience
from services.sandbox.erp import Served, serving
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

pytestmark = pytest.mark.slow

HASTY = Patience(
    Retries(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0), Limits(timeout_seconds=0.4), refusals=0
)
MAPPING = "source: small\nrest: {tables: [entity, customer, invoice], page_size: 60}\n"
SECRET = b"a secret of enough bytes"


@dataclass
class System:
    """The sandbox behind a proxy that breaks it, as a system of a landscape."""

    world: World
    served: Served
    proxy: FaultProxy
    landscape: Landscape
    file: Path

    def examine(self, fault: Fault | None = None, patience: Patience = HASTY, **more: object) -> SitReport:
        self.proxy.injected, self.proxy.fault = 0, fault
        try:
            return examine(self.landscape, "erp", now=self.world.now(), patience=patience, **more)
        finally:
            self.proxy.fault = None


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder, world = tmp_path_factory.mktemp("sit"), simulate(WorldOptions(customers=4, years=1))
    with serving(world) as served, fault_proxy(served.base_url) as proxy:
        (folder / "token").write_text(served.token)
        (folder / "small.yaml").write_text(MAPPING)
        rest = f"{{url: '{proxy.url}', token_file: token, mapping: '{folder / 'small.yaml'}'}}"
        text = f"systems:\n  erp:\n    currencies: [CHF, MXN]\n    rest: {rest}\n"
        (folder / "landscape.yaml").write_text(text)
        yield System(world, served, proxy, parse_landscape(text, "l.yaml", folder), folder / "landscape.yaml")


def failed(report: SitReport) -> dict[str, str]:
    return {r.id: r.evidence for r in report.results if r.outcome is Outcome.FAIL}


def test_a_sound_system_is_a_go_and_every_skip_has_its_reason(system: System) -> None:
    report = system.examine(secret=SECRET, patience=replace(HASTY, refusals=1))
    assert failed(report) == {}
    assert report.go
    assert [r.id for r in report.results] == [check.id for check in RECORD_CHECKS]
    skipped = {r.id: r.evidence for r in report.results if r.outcome is Outcome.SKIPPED}
    assert skipped == dict.fromkeys(("write-read", "write-once"), "a system of the kind rest takes no writes from us")
    told = {r.id: r.evidence for r in report.results}
    assert "asked again after 1." in told["back-off"]
    assert "ids tie: entity 3, customer 4" in told["control-totals"]


FAULTS = [
    (Fault(kind="dropped_page", path="/invoice$"), "paging", "missing"),
    (Fault(kind="duplicated_page", path="/invoice$"), "paging", "a whole page came twice"),
    (Fault(kind="reordered_page", path="/invoice$"), "paging", "do not ascend"),
    (Fault(kind="renamed_field", path="/invoice$", field="order_id"), "contract", "invoice: order_id"),
    (Fault(kind="changed_type", path="/invoice$", field="amount"), "dry-run", "amount"),
    (Fault(kind="wrong_currency", path="/invoice$"), "books", "are in SGD"),
    (Fault(kind="wrong_currency", path="/invoice$", currency="QQQ"), "books", "no ISO 4217 code"),
    (Fault(kind="clock_skew", seconds=600.0), "clock", "ahead of ours"),
    (Fault(kind="clock_skew", seconds=-600.0), "clock", "behind ours"),
    (Fault(kind="timeout", path="/invoice$", seconds=0.6, times=1), "steady", "1 without a whole answer"),
    (Fault(kind="too_many", path="/invoice$", times=1), "steady", "1 with status 429"),
    (Fault(kind="server_error", path="/invoice$", times=1), "steady", "1 with status 5xx"),
    (Fault(kind="cut_connection", path="/invoice$", times=1), "steady", "1 without a whole answer"),
    (Fault(kind="cut_body", path="/invoice$"), "full-read", "truncated"),
]


@pytest.mark.parametrize(("fault", "check", "said"), FAULTS, ids=lambda value: getattr(value, "kind", None))
def test_a_fault_is_a_no_go_by_the_right_check(system: System, fault: Fault, check: str, said: str) -> None:
    report = system.examine(fault)
    assert system.proxy.injected > 0
    assert not report.go
    assert said in failed(report).get(check, ""), failed(report)


def test_a_door_that_is_open_to_everybody_is_a_no_go(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in front of the system lets everybody in with our token."""
    ours = system.proxy._asked
    bearer = {"Authorization": f"Bearer {system.served.token}"}

    def let_all_in(method: str, target: str, headers: dict[str, str], body: bytes) -> object:
        rest = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        return ours(method, target, rest | bearer, body)

    monkeypatch.setattr(system.proxy, "_asked", let_all_in)
    assert "anybody can read these books" in failed(system.examine())["stranger-refused"]


def test_a_system_that_is_away_is_a_no_go(system: System, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    text = "systems: {erp: {rest: {url: 'http://127.0.0.1:9', token_file: token}}}"
    report = examine(parse_landscape(text, "l.yaml", tmp_path), "erp", now=datetime.now(UTC), patience=HASTY)
    assert {"reachable", "auth", "full-read", "steady", "dry-run"} <= set(failed(report))
    assert "check address, firewall, TLS" in failed(report)["reachable"]


def test_what_is_set_wrongly_is_no_verdict(system: System, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no system 'crm'"):
        examine(system.landscape, "crm", now=system.world.now())
    with pytest.raises(BadSetting, match="has no test_entity"):
        system.examine(write=True)
    text = "systems: {erp: {rest: {url: 'http://127.0.0.1:9', token_file: none}}}"
    with pytest.raises(BadSetting, match=r"the secret in .* cannot be read"):
        examine(parse_landscape(text, "l.yaml", tmp_path), "erp", now=datetime.now(UTC), patience=HASTY)


def test_the_command_writes_its_report_and_ends_with_the_verdict(
    system: System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {name: tmp_path / name for name in ("sit.json", "sit.xml", "sit.html")}
    command = ["sit", "--target", "erp", "--landscape", str(system.file), "--json", str(out["sit.json"])]
    assert cli.run([*command, "--junit", str(out["sit.xml"]), "--html", str(out["sit.html"])]) == 0
    assert "GO: erp (rest)" in capsys.readouterr().out
    assert json.loads(out["sit.json"].read_text())["go"]
    assert Xml.parse(out["sit.xml"]).getroot().find("testsuite").get("failures") == "0"
    assert "<h1>Go: erp</h1>" in out["sit.html"].read_text()
    system.proxy.fault = Fault(kind="cut_body", path="/entity$")
    try:
        assert cli.run(command) == 1
    finally:
        system.proxy.fault = None
    assert "NO-GO: erp (rest)" in capsys.readouterr().out
    assert cli.run(["sit", "--target", "crm", "--landscape", str(system.file)]) == 2
    assert cli.run([*command, "--write"]) == 2
    assert "test_entity" in capsys.readouterr().err
