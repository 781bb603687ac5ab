"""`duecast hooks`: what it lands, and what it says where there is nothing to land."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.lake import Lake
from features.tables import CUSTOMER
from pipelines.cli import run
from services.heartbeats import Heartbeats
from services.store import Store
from services.webhooks import Inbox

NOW = datetime(2024, 3, 1, tzinfo=UTC)
ENTITY = {"id": "UK", "company": "UK", "name": "Acme", "currency": "GBP", "time_zone": "UTC"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setenv("DUECAST_LAKE", f"{tmp_path}/lake")
    monkeypatch.setenv("DUECAST_LANDSCAPE", f"{tmp_path}/landscape.yaml")
    return tmp_path


def send(place: Path, source: str, table: str, **record: str) -> None:
    body = json.dumps({"table": table, "records": [{"changed_at": NOW.isoformat()} | record]})
    with Store(f"sqlite:///{place}/state.db") as store:
        Inbox(store.database).keep(source, f"{table} {record['id']}", body, sent_at=NOW, now=datetime.now(UTC))


def test_what_every_source_sent_is_landed_once(place, capfd):
    send(place, "crm", "customer", id="C1", company="UK", name="Acorn")
    send(place, "erp", "entity", **ENTITY)
    assert run(["hooks"]) == 0
    assert "crm: 1 deliveries wait for an entity" in capfd.readouterr().out
    assert run(["hooks", "crm"]) == 0
    assert "crm: all deliveries have landed" in capfd.readouterr().out
    assert Lake(place / "lake").versions(CUSTOMER).collect()["name"].to_list() == ["Acorn"]
    assert run(["hooks", "erp"]) == 0
    assert "erp: nothing waits" in capfd.readouterr().out


def test_what_is_set_aside_is_written_where_asked(place, capfd):
    send(place, "erp", "entity", **ENTITY)
    send(place, "erp", "customer", id="C1", company="UK", terms_days="soon")
    assert run(["hooks", "erp", "--quarantine", f"{place}/aside.csv"]) == 0
    assert "soon" in (place / "aside.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hooks", "shop"], "'shop' has never sent a webhook; those that have: none"),
        (["hooks", "--quarantine", "aside.csv"], "--quarantine aside.csv without a system"),
    ],
)
def test_what_cannot_be_is_said(place, capfd, arguments, said):
    assert run(arguments) == 2
    assert said in capfd.readouterr().err


def test_the_landscape_says_how_often_news_are_expected(place, capfd):
    (place / "landscape.yaml").write_text(
        "systems: {erp: {rest: {url: 'http://127.0.0.1:1', token_file: t}, every_minutes: 60}}"
    )
    send(place, "erp", "entity", **ENTITY)
    assert run(["hooks", "erp"]) == 0
    with Store(f"sqlite:///{place}/state.db") as store:
        [silence] = Heartbeats(store.database).silent(now=datetime(2200, 1, 1, tzinfo=UTC))
    assert silence.every_minutes == 60
