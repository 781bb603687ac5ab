"""Documents compared in a process of their own: the same to the last bit, and a process that dies harms nobody."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from features.comparisons import compared
from features.errors import StateError
from features.facts import Facts
from models.anomalies.model import AnomalyModel, train
from services import comparing
from services.alerts import OnRecord
from services.anomaly_desk import AnomalyDesk
from services.comparing import scored_apart, scored_documents
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate


@pytest.fixture(scope="module")
def facts() -> Facts:
    world = simulate(WorldOptions(seed=11, customers=12, years=1, invoices_per_customer_year=20))
    return Facts.of(world.facts).before(world.now())


@pytest.fixture(scope="module")
def model(facts: Facts) -> AnomalyModel:
    limits = {"US01": 500_000}
    return train(compared(facts, limits), limits=limits)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    return home


def script(folder: Path, line: str) -> str:
    """A program that stands in for Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_another_process_says_the_same_to_the_last_bit_and_leaves_nothing(facts, model, home):
    apart, here = scored_apart(model, facts), scored_documents(model, facts)
    assert apart.schema == here.schema
    assert apart.equals(here, null_equal=True)
    assert len(here) > 500
    assert list(home.iterdir()) == []


def test_one_that_is_killed_is_told_and_the_next_question_starts_another(facts, model, tmp_path, monkeypatch, caplog):
    desk = AnomalyDesk(model, facts, scored_apart)
    with monkeypatch.context() as broken:
        broken.setattr(comparing.sys, "executable", script(tmp_path, "kill -9 $$"))
        with pytest.raises(StateError, match="ended with code -9; the next question about anomalies starts another"):
            desk.alert("none", OnRecord())
    assert "ended with code -9" in caplog.text
    assert len(desk._told) == len(scored_documents(model, facts))


def test_what_goes_wrong_inside_is_logged_without_values(facts, model, home, capfd, monkeypatch):
    class Broken(AnomalyModel):
        def save(self, folder: Path) -> None:
            (folder / "anomalies.json").write_text('"Geheim GmbH"')

    with pytest.raises(StateError, match="ended with code 1"):
        scored_apart(Broken(**vars(model)), facts)
    logged = capfd.readouterr().err
    assert logged.startswith("comparing failed error=StateError at=")
    assert "Geheim" not in logged
    assert "Traceback" not in logged
    assert list(home.iterdir()) == []


def test_one_that_hangs_is_ended(facts, model, tmp_path, home, monkeypatch):
    monkeypatch.setattr(comparing.sys, "executable", script(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(comparing, "SECONDS", 0.2)
    with pytest.raises(StateError, match=r"took longer than 0\.2 s"):
        scored_apart(model, facts)
    assert not [child for child in psutil.Process().children() if child.name() == "sleep"]
    assert list(home.iterdir()) == []


def test_it_does_not_outlive_the_service_nor_leave_facts_behind(home):
    os.mkfifo(home / "anomalies.json")  # nobody ever writes into it: who reads it waits for good
    asks = "import sys; from pathlib import Path; from services.comparing import _run; _run(Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", asks, str(home)], cwd=comparing.ROOT) as service:
        child = first_child(psutil.Process(service.pid))
        until(lambda: len(child.threads()) > 1 and child.nice() == comparing.NICE)  # it watches its parent
        service.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive
    assert not home.exists()


def first_child(parent: psutil.Process) -> psutil.Process:
    until(parent.children)
    return parent.children()[0]


def until(done) -> None:
    latest = time.monotonic() + 60
    while not done():
        assert time.monotonic() < latest
        time.sleep(0.05)
