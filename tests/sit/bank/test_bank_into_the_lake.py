"""Statements of real servers into the lake: somebody else's bank over HTTP, an SSH server's folder."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import pytest

from features.errors import StateError
from features.lake import Lake
from features.tables import BANK_ENTRY, BANK_STATEMENT, ENTITY
from pipelines.landscape import Landscape, parse_landscape
from pipelines.system_ingest import SystemReport, ingest_system
from pipelines.systems.mock_bank import mock_bank
from pipelines.systems.sshd import sftp_server, sshd_program
from services.calls import Calls
from services.store import Store

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class Treasury:
    """A lake, a store and a landscape with one bank."""

    def __init__(self, root: Path, bank: str) -> None:
        self.lake, self.store = Lake(root / "lake"), Store(f"sqlite:///{root / 'state.db'}")
        row = {"entity_id": "NL01", "source": "erp", "source_id": "NL01", "known_at": NOW, "digest": "d"}
        row |= {"deleted": False, "name": "ACME", "country": "NL", "currency": "EUR", "time_zone": "Europe/Amsterdam"}
        self.lake.append(ENTITY, pl.DataFrame([row], schema=ENTITY.schema))
        self.landscape: Landscape = parse_landscape(f"systems: {{bank: {{bank: {bank}}}}}", "l.yaml", root)

    def ingest(self, days: int = 0) -> SystemReport:
        return ingest_system(self.landscape, "bank", self.lake, self.store, clock=lambda: NOW + timedelta(days=days))

    def held(self) -> pl.DataFrame:
        return self.lake.known(BANK_ENTRY, NOW + timedelta(days=99)).collect()


@pytest.fixture(scope="module")
def bank(systems_cache: Path) -> Iterator[str]:
    running = mock_bank(systems_cache)
    try:
        url = running.__enter__()
    except StateError as error:
        pytest.skip(f"cannot be installed here: {error}")
    yield url
    running.__exit__(None, None, None)


def test_a_bank_over_http(bank: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=bank) as clerk:
        accounts = clerk.get("/_mock/accounts").json()
        ours = ", ".join(f"{a['id']}: {{number: {a['iban']}, entity: NL01, currency: EUR}}" for a in accounts)
        treasury = Treasury(tmp_path, f"{{mailbox: '{bank}', accounts: {{{ours}}}}}")
        credited = {"account": "ACME", "debtor": {"name": "Customer Ltd", "iban": "NL14MOCK0000000002"}}
        for number, cents in ((1, 111_000), (2, 5)):
            clerk.post("/_mock/credits", json=credited | {"amount": cents, "note": f"INV-{number} less 70.00"})
        clerk.post("/_mock/advance", params={"days": 1}).raise_for_status()
        report = treasury.ingest()
        assert report.complaints == ()
        assert report.run.counts.quarantined == 0
        entries = treasury.held()
        assert sorted(entries["amount_minor"]) == [5, 111_000]
        assert set(entries["payer_name"]) == {"Customer Ltd"}
        assert entries.sort("amount_minor")["remittance"].to_list() == ["INV-2 less 70.00", "INV-1 less 70.00"]
        statements = treasury.lake.versions(BANK_STATEMENT).filter(pl.col("closing_minor").is_not_null()).collect()
        moved = statements.filter(pl.col("account_id") == "ACME").select(
            pl.col("closing_minor") - pl.col("opening_minor")
        )
        assert moved.sum().item() == 111_005
        assert treasury.ingest(days=1).run.counts.landed == 0
        clerk.post("/_mock/advance", params={"days": 1}).raise_for_status()
        later = treasury.ingest(days=2)
        assert later.complaints == ()
        assert treasury.held().height == 2, "a day without money brings statements, and no entries"
    endpoints = {t.endpoint for t in Calls(treasury.store.database).response_times(since=NOW)}
    assert "GET /_mock/mailbox" in endpoints


@pytest.mark.skipif(sshd_program() is None, reason="sshd is not installed (openssh-server)")
def test_a_folder_of_an_ssh_server(tmp_path: Path) -> None:
    text = ":20:A\n:25:NL41MOCK0000000001\n:28C:1/1\n:60F:C260101EUR10,00\n:61:260102C5,00NTRFA//B1\n"
    text += ":62F:C260102EUR15,00\n-\n"
    with sftp_server(tmp_path / "server") as server:
        (server.files / "one.sta").write_text(text)
        sftp = f"{{host: {server.host}, port: {server.port}, user: {server.user}, folder: {server.files},"
        sftp += f" known_hosts: {server.known_hosts}, key_file: {server.key}}}"
        accounts = "{main: {number: NL41MOCK0000000001, entity: NL01, currency: EUR}}"
        treasury = Treasury(tmp_path, f"{{sftp: {sftp}, accounts: {accounts}}}")
        report = treasury.ingest()
        assert (report.complaints, report.run.counts.landed) == ((), 2)
        assert treasury.held()["amount_minor"].to_list() == [500]
        assert [p.name for p in server.files.iterdir()] == ["one.sta.done"]
