"""A server process of ours on loopback: started, waited for, ended whatever happens."""

import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from features.errors import StateError

LOOK_SECONDS = 0.1
GRACE_SECONDS = 10
_TAIL_BYTES = 2000

Process = subprocess.Popen[bytes]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    name: str,
    command: list[str],
    log: Path,
    *,
    ready: Callable[[], bool],
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """`command` as a process that writes to `log`, once it is `ready`; it is gone when the block is left.

    It ends as well when the process that called this is killed. `StateError` with the end of the log where it does
    not become ready within `seconds`.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  the command is ours
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        with _outlived_by_nobody(process):
            _wait(name, process, log, ready, seconds)
            yield process
    finally:
        _end(process)


@contextmanager
def _outlived_by_nobody(process: Process) -> Iterator[None]:
    """Ends `process` when our end of a pipe closes, which the system does even after a `kill -9`."""
    watch = f"cat > /dev/null; kill {process.pid}"
    watcher = subprocess.Popen(["/bin/sh", "-c", watch], stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603
    try:
        yield
    finally:
        watcher.kill()
        if watcher.stdin is not None:
            watcher.stdin.close()
        watcher.wait()


def _wait(name: str, process: Process, log: Path, ready: Callable[[], bool], seconds: float) -> None:
    latest = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise StateError(f"{name} ended with code {process.returncode} while starting; {tail(log)}")
        if time.monotonic() > latest:
            raise StateError(f"{name} does not answer within {seconds:g} s; {tail(log)}")
        time.sleep(LOOK_SECONDS)


def _end(process: Process) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
    if process.poll() is None:
        process.kill()
        process.wait()


def run(name: str, command: list[str], log: Path, *, seconds: float, environment: Mapping[str, str]) -> None:
    """Run `command` to its end, its output in `log`; `StateError` with the end of the log where it fails."""
    with log.open("ab") as output:
        try:
            done = subprocess.run(  # noqa: S603  the command is ours
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            raise StateError(f"{name} took longer than {seconds:g} s; {tail(log)}") from None
    if done.returncode:
        raise StateError(f"{name} failed with code {done.returncode} ({shlex.join(command[:3])} ...); {tail(log)}")


def tail(log: Path) -> str:
    """The end of a log, for a message."""
    text = log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace").strip() if log.exists() else ""
    return f"{log.name} ends with: {text or 'nothing'}"
