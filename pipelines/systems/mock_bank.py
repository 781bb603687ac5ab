"""mock-bank on loopback: somebody else's bank (camt.053 and .054, BAI2, pain.001), to test against."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.systems.environments import environment
from pipelines.systems.mock_sap import REQUIREMENTS, answers
from pipelines.systems.processes import free_port, server

_START_SECONDS = 30


@contextmanager
def mock_bank(cache: Path, *, clock: str = "2026-03-02T09:00") -> Iterator[str]:
    """The address of a fresh mock-bank whose time starts at `clock` (YYYY-MM-DDTHH:MM, UTC), until the block is left.

    The environment is kept in `cache`. `StateError` with the end of the log where it does not start.
    """
    program = environment(cache, "mocks", REQUIREMENTS) / "mock-bank"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "--port", str(port), "--quiet", "--clock", clock]
    with (
        TemporaryDirectory() as folder,
        server("mock-bank", command, Path(folder) / "log", ready=lambda: answers(f"{url}/"), seconds=_START_SECONDS),
    ):
        yield url
