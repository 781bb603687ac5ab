"""Servers of other makers on loopback: what is said when they fail, and that they are gone afterwards."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.errors import StateError
from pipelines.systems.processes import run, server

PYTHON = [sys.executable, "-c"]


def test_a_server_that_ends_while_starting_is_named_with_its_last_words(tmp_path: Path) -> None:
    command = [*PYTHON, "print('no licence'); raise SystemExit(3)"]
    waiting = server("Shop", command, tmp_path / "log", ready=lambda: False, seconds=30)
    with pytest.raises(StateError, match=r"Shop ended with code 3 while starting; log ends with: no licence"), waiting:
        pass


def test_a_server_that_does_not_answer_is_ended(tmp_path: Path) -> None:
    waiting = server("Shop", ["sleep", "60"], tmp_path / "log", ready=lambda: False, seconds=0.2)
    with pytest.raises(StateError, match=r"Shop does not answer within 0\.2 s; log ends with: nothing"), waiting:
        pass


def test_a_server_is_gone_when_its_block_fails(tmp_path: Path) -> None:
    running = server("Shop", ["sleep", "60"], tmp_path / "log", ready=lambda: True, seconds=9)
    process = running.__enter__()
    assert process.poll() is None
    fault = RuntimeError("in the block")
    with pytest.raises(RuntimeError, match="in the block"):
        running.gen.throw(fault)  # type: ignore[attr-defined]
    assert process.poll() is not None


def test_a_command_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    command = [*PYTHON, "print('disk full'); raise SystemExit(1)"]
    with pytest.raises(StateError, match=r"the set-up failed with code 1 .* ends with: disk full"):
        run("the set-up", command, tmp_path / "log", seconds=30, environment=os.environ)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"the set-up took longer than 0\.2 s"):
        run("the set-up", ["sleep", "60"], tmp_path / "log", seconds=0.2, environment=os.environ)


def test_a_server_is_gone_when_its_caller_is_killed(tmp_path: Path) -> None:
    caller = f"""
import os, signal
from pathlib import Path
from pipelines.systems.processes import server
with server("Shop", ["sleep", "60"], Path({str(tmp_path / "log")!r}), ready=lambda: True, seconds=9) as process:
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([*PYTHON, caller], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout)
    for _ in range(100):
        if not _is_sleeping(pid):
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} outlived the one that started it")


def _is_sleeping(pid: int) -> bool:
    """Whether the process still runs `sleep`: one that ended may wait for somebody to notice."""
    try:
        return b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
