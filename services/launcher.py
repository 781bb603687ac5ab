"""Starting the service in processes of its own, and ending all of them.

Three processes stand in a row: the one that calls `serve` or `running`, BentoML's supervisor, and the worker that
answers. Each ends when the one before it is gone, so that even a `kill -9` leaves no orphan. BentoML starts a worker
that dies again and again, for ever: hence a deadline for coming alive.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any

from features.errors import BadSetting, StateError
from services.settings import Settings, quieten, read_settings
from services.signatures import read_secrets

ROOT = Path(__file__).resolve().parent.parent
GRACE_SECONDS = 10
LOOK_SECONDS = 0.1
PARENT_SECONDS = 0.5

# One question is answered by one thread: threads that wait for each other by spinning cost ten times what they save.
FEW_THREADS = {"OMP_THREAD_LIMIT": "1", "OMP_WAIT_POLICY": "passive"}


@dataclass(frozen=True)
class Running:
    """A service that is alive; `ready` once it has a model."""

    settings: Settings
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.settings.url

    @property
    def ready(self) -> bool:
        """Whether it has a model to answer with."""
        return _status(f"{self.url}/readyz") == 200

    def wait_until_ready(self, seconds: float) -> None:
        """Returns once there is a model; `StateError` after `seconds` without."""
        _until(lambda: self.ready, self.process, seconds, "has no model to answer with")


@contextmanager
def running(settings: Settings, *, output: IO[bytes] | None = None) -> Iterator[Running]:
    """The service, alive for as long as the block lasts; `output` takes what its processes write.

    `BadSetting` for a port that is taken or a webhook's secret that cannot be read, `StateError` where it is not alive
    within `settings.start_seconds`.
    """
    _check_port(settings)
    read_secrets(settings.webhook_secrets)
    with tempfile.TemporaryDirectory(prefix="duecast-") as home:
        # BentoML keeps its metrics and stores there, and clears what it finds: two services must not share it
        environment = settings.environment() | FEW_THREADS | {"BENTOML_HOME": home}
        command = [sys.executable, "-m", "services.launcher"]
        process = subprocess.Popen(  # noqa: S603  the command is ours
            command,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            alive = f"{settings.url}/livez"
            _until(lambda: _status(alive) == 200, process, settings.start_seconds, "did not come alive")
            yield Running(settings, process)
        finally:
            _end(process)


def serve(settings: Settings) -> None:
    """Runs the service until SIGTERM or SIGINT, then ends it in good order; `StateError` where it ends by itself."""
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with running(settings) as service:
        while not asked_to_stop.wait(LOOK_SECONDS):
            if service.process.poll() is not None:
                raise StateError(f"the service ended by itself with code {service.process.returncode}")


def end_with_parent() -> None:
    """Ends this process in good order soon after its parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def supervise() -> None:
    """BentoML's supervisor, in this process, until SIGTERM."""
    end_with_parent()
    quieten()
    settings = read_settings()
    from services.service import Duecast

    service: Any = Duecast  # the decorator made a BentoML service of the class
    service.serve_http(host=settings.host, port=settings.port)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _check_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ip_address(settings.host).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise BadSetting(
                f"DUECAST_PORT is {settings.port}, which cannot be used on {settings.host} ({error.strerror});"
                " allowed: a port that is free"
            ) from None


def _until(done: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float, otherwise: str) -> None:
    latest = time.monotonic() + seconds
    while not done():
        if process.poll() is not None:
            raise StateError(f"the service ended with code {process.returncode} while starting; its output says why")
        if time.monotonic() > latest:
            raise StateError(f"the service {otherwise} within {seconds:g} s; its output says why")
        time.sleep(LOOK_SECONDS)


def _status(url: str) -> int:
    """The HTTP status at `url`; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own http address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS + 5)
    if process.poll() is None:
        process.kill()  # the worker notices that its parent is gone
        process.wait()


if __name__ == "__main__":
    supervise()
