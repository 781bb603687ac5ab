"""Golden parties as a user works them: sync, list, show, review, answer, take back."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.lake import Lake
from features.tables import BANK_ENTRY, CUSTOMER, ENTITY, ORDER, Table
from pipelines.cli import run
from pipelines.parties.of_lake import party_records

START = datetime(2024, 1, 1, tzinfo=UTC)
ERP, CRM = "DE:customer:erp:", "DE:customer:crm:"
WHO = ("--who", "ana", "--why", "asked them")


def land(lake: Lake, declared: Table, source: str, rows: list[dict[str, object]]) -> None:
    told = []
    for row in rows:
        system = {"entity_id": "DE", "source": source, "source_id": str(row.get(declared.id_column, "DE"))}
        base = dict.fromkeys(declared.schema) | system | {"known_at": START, "deleted": False}
        told.append(base | {"digest": json.dumps(row, default=str)} | row)
    lake.append(declared, pl.DataFrame(told, schema=declared.schema))


def entry(number: int, name: str | None, amount: int, account: str | None = "DE02") -> dict[str, object]:
    dates = {"booking_date": START.date(), "value_date": START.date(), "currency": "EUR", "returned": False}
    named = {"entry_id": f"b{number}", "statement_id": "s1", "account_id": "main", "payer_name": name}
    return dates | named | {"amount_minor": amount, "payer_account": account}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    made = Lake(tmp_path / "lake")
    books = {"entity_id": "DE", "name": "Seller", "currency": "EUR", "time_zone": "UTC"}
    land(made, ENTITY, "erp", [books])
    ledger = [
        {"customer_id": "1", "name": "Acme Ltd", "country": "GB", "parent_id": "3"},
        {"customer_id": "2", "name": "Globex Holding", "parent_id": "4"},
        {"customer_id": "3", "name": "Initech Group", "parent_id": "1"},
        {"customer_id": "4", "name": "Umbrella SE"},
        {"customer_id": "5", "name": "Paper Mill", "segment": "Supplier"},
        {"customer_id": "6", "name": None},
    ]
    land(made, CUSTOMER, "erp", ledger)
    land(made, CUSTOMER, "crm", [{"customer_id": "A1", "name": "ACME", "known_at": START + timedelta(days=1)}])
    land(made, CUSTOMER, "crm", [{"customer_id": "A2", "name": "Acme Inc", "known_at": START + timedelta(days=2)}])
    received = [entry(1, "ACME  LTD", 5000), entry(2, "Acme Ltd", 700), entry(3, "The Landlord", -900)]
    land(made, BANK_ENTRY, "bank", [*received, entry(4, None, 100)])
    return made


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(["parties", *arguments]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def _asked(capsys: pytest.CaptureFixture[str], folder: Path) -> tuple[str, str]:
    told(capsys, "review", "--json", str(folder / "asked.json"))
    (question,) = json.loads((folder / "asked.json").read_text())
    return question["a"], question["b"]


def test_records_come_from_every_source_in_the_role_that_it_says(lake: Lake) -> None:
    order = {"order_id": "o1", "customer_id": "ghost", "order_date": START.date(), "currency": "EUR"}
    land(lake, ORDER, "crm", [order | {"amount_minor": 100, "status": "open"}])
    found = party_records(lake)
    assert found.nameless == 2, "customer 6, and the one that only an order names"
    by_ref = {record.ref: record for record in found.records}
    (bank,) = [record for record in found.records if record.system == "bank"]
    assert (bank.name.casefold(), bank.bank_account, bank.role) == ("acme ltd", "DE02", "customer")
    assert "DE02" not in bank.ref
    assert "acme" not in bank.ref.casefold()
    named = {ERP + n for n in "1234"} | {"DE:vendor:erp:5", CRM + "A1", CRM + "A2"}
    assert set(by_ref) == named | {bank.ref}
    assert by_ref[ERP + "2"].parent_ref == ERP + "4"
    assert found.records[-1].ref == CRM + "A2", "oldest first"


def test_a_corrected_customer_is_one_record_and_one_taken_back_is_none(lake: Lake) -> None:
    later = {"known_at": START + timedelta(days=9)}
    land(lake, CUSTOMER, "erp", [{"customer_id": "2", "name": "Globex AG"} | later])
    land(lake, CUSTOMER, "erp", [{"customer_id": "4", "name": "Umbrella SE", "deleted": True} | later])
    by_ref = {record.ref: record for record in party_records(lake).records}
    assert (by_ref[ERP + "2"].name, by_ref[ERP + "2"].parent_ref) == ("Globex AG", None)
    assert ERP + "4" not in by_ref


def test_sync_names_the_circle_and_goes_on(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "sync")
    assert "8 records are 6 parties" in said
    assert f"parent set aside, it closes a circle: {ERP}1 under {ERP}3" in said
    assert f"parent set aside, it closes a circle: {ERP}3 under {ERP}1" in said
    assert "1 customers have no name" in said
    assert "1 questions for people" in said
    assert "0 merges, 0 parents, 0 taken back" in told(capsys, "sync")


def test_list_and_show_tell_members_survivors_and_why(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told(capsys, "sync")
    said = told(capsys, "list", "--trust", "crm", "--json", str(tmp_path / "out.json"))
    assert all(len(line) <= 100 for line in said.splitlines())
    assert "crm: source" in said
    parties = {p["values"]["name"]["value"]: p for p in json.loads((tmp_path / "out.json").read_text())}
    assert set(parties["ACME"]["members"]) >= {ERP + "1", CRM + "A1"}
    assert len(parties["ACME"]["members"]) == 3
    assert parties["Globex Holding"]["parent"] == parties["Umbrella SE"]["id"]
    shown = told(capsys, "show", ERP + "1", "--json", str(tmp_path / "one.json"))
    assert all(len(line) <= 100 for line in shown.splitlines())
    one = json.loads((tmp_path / "one.json").read_text())
    assert one["id"] == parties["ACME"]["id"]
    assert one["values"]["country"] == {"value": "GB", "ref": ERP + "1", "why": "the only value", "others": []}
    assert {d["by"] for d in one["decisions"]} == {"machine"}
    assert "no party or record is called 'nobody'" in told(capsys, "show", "nobody", code=2)
    assert "no source 'hooli'" in told(capsys, "list", "--trust", "hooli", code=2)


def test_review_asks_answers_are_kept_and_undo_takes_them_back(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told(capsys, "sync")

    def questions() -> list[dict[str, object]]:
        said = told(capsys, "review", "--json", str(tmp_path / "q.json"))
        assert all(len(line) <= 100 for line in said.splitlines())
        return json.loads((tmp_path / "q.json").read_text())

    def members(name: str) -> int:
        told(capsys, "show", name, "--json", str(tmp_path / "m.json"))
        return len(json.loads((tmp_path / "m.json").read_text())["members"])

    assert len(questions()) == 1
    pair = _asked(capsys, tmp_path)
    assert CRM + "A2" in pair
    accepted = re.search(r"kept as decision (\w+)", told(capsys, "accept", *pair, *WHO))
    assert accepted is not None
    assert (questions(), members(CRM + "A2")) == ([], 4)
    assert "no open question" in told(capsys, "accept", *pair, *WHO, code=2)
    told(capsys, "undo", accepted[1], *WHO)
    assert "undone already" in told(capsys, "undo", accepted[1], *WHO, code=2)
    assert (len(questions()), members(CRM + "A2")) == (1, 1)
    told(capsys, "reject", *pair, *WHO)
    assert questions() == []
    assert "0 merges" in told(capsys, "sync")
    assert members(CRM + "A2") == 1


def test_who_and_why_are_asked_for_and_nobody_decides_as_the_machine(
    lake: Lake, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capsys, "sync")
    pair, asked = (ERP + "1", CRM + "A2"), _asked(capsys, tmp_path)
    assert "--why" in told(capsys, "accept", *asked, "--who", "ana", code=2)
    assert "--who is ''" in told(capsys, "accept", *asked, "--why", "x", code=2)
    for who in (" ", "machine", " Machine "):
        assert "the name of the person" in told(capsys, "accept", *pair, "--who", who, "--why", "x", code=2)
    assert "say who decided it and why" in told(capsys, "accept", *asked, "--who", "ana", "--why", " ", code=2)
    monkeypatch.setenv("DUECAST_USER", "bea")
    assert "kept as decision" in told(capsys, "accept", *asked, "--why", "x")
    assert "no decision 'x'" in told(capsys, "undo", "x", *WHO, code=2)


def test_an_empty_lake_has_no_parties(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "none"))
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    assert "0 records are 0 parties" in told(capsys, "sync")
    assert "0 of 0" in told(capsys, "list")
    assert "0 of 0" in told(capsys, "review")
