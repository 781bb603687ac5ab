"""Dispatch over a landscape: a system in trouble is named, and stops no other."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from pipelines.cli import run
from pipelines.deliveries import deliver
from pipelines.landscape import parse_landscape
from services.circuits import Circuits
from services.outbox import Fate, NewMessage, Outbox
from services.store import Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = """
systems:
  away: {tryton: {url: 'http://127.0.0.1:9', database: d, key_file: key}}
  keyless: {tryton: {url: 'http://127.0.0.1:9', database: d, key_file: none}}
  bank: {bank: {folder: in, accounts: {main: {number: DE02, entity: DE01, currency: EUR}}}}
"""


def put(store: Store, *systems: str) -> None:
    for system in systems:
        Outbox(store.database).put(NewMessage(system, "d", "apply_cash", "k", {}, "test"), now=NOW)


def test_every_system_that_nothing_could_be_sent_to_is_named_and_its_messages_wait(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush")
    landscape = parse_landscape(TEXT, "l.yaml", tmp_path)
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        put(store, "away", "bank", "gone", "keyless")
        done = deliver(landscape, store, clock=lambda: NOW, rng=Random(1))
        assert dict(done.fates) == {}
        told = {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in done.passed_over}
        assert "no answer in 3 attempts" in told["away"]
        assert "systems.bank is of the kind bank, which takes no writes; allowed: tryton" in told["bank"]
        assert "no system 'gone'; there are: away, keyless, bank" in told["gone"]
        assert "the secret in" in told["keyless"]
        assert set(Outbox(store.database).counts().values()) == {1}
        assert {fate for _, fate in Outbox(store.database).counts()} == {Fate.WAITING}


def test_a_system_that_failed_too_often_is_not_even_asked(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush")
    landscape = parse_landscape(TEXT, "l.yaml", tmp_path)
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        put(store, "away")
        Circuits(store.database).failed("away", "401", now=NOW, at_once=True)
        done = deliver(landscape, store, clock=lambda: NOW + timedelta(seconds=30), rng=Random(1))
        assert done.passed_over == ("away: it failed too often and is left alone until 00:01 UTC",)


def test_the_command_ends_with_the_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "l.yaml").write_text(TEXT)
    (tmp_path / "key").write_text("hush")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        put(store, "away")
    assert run(["dispatch", "--landscape", "l.yaml"]) == 3
    told = capsys.readouterr()
    assert "nothing was sent to away: " in told.err
    assert "hush" not in told.err + told.out


def test_what_is_not_examined_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crm = "  crm: {hubspot: {token_file: key, erp: away, deals: {entities: {default: DE01}, currency: EUR}}}\n"
    (tmp_path / "l.yaml").write_text(TEXT + crm)
    (tmp_path / "key").write_text("hush")
    monkeypatch.chdir(tmp_path)
    assert run(["sit", "--target", "crm", "--landscape", "l.yaml"]) == 2
    assert "systems.crm is a hubspot, which is not examined; allowed: rest, tryton" in capsys.readouterr().err
    assert run(["sit", "--target", "bank2", "--landscape", "l.yaml"]) == 2
    assert "no system 'bank2'" in capsys.readouterr().err
