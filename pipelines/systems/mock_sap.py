"""mock-sap on loopback: somebody else's reading of SAP (OData V2 and V4, CSRF, delta tokens, OAuth) to test against."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from pipelines.systems.environments import environment
from pipelines.systems.processes import free_port, server

REQUIREMENTS = Path(__file__).with_name("mock-requirements.txt")
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class MockSap:
    """Where it listens and who may ask."""

    url: str
    user: str
    password: str
    oauth: bool

    @property
    def token_url(self) -> str:
        """Where user and password, as client id and secret, buy a token; only with `oauth`."""
        return f"{self.url}/sap/bc/sec/oauth2/token"


@contextmanager
def mock_sap(cache: Path, *, clock: str = "2026-03-02T09:00", oauth: bool = False) -> Iterator[MockSap]:
    """A fresh mock-sap whose time starts at `clock` (YYYY-MM-DDTHH:MM, UTC); it is gone when the block is left.

    The environment is kept in `cache`. `StateError` with the end of the log where it does not start.
    """
    program = environment(cache, "mocks", REQUIREMENTS) / "mock-sap"
    port, user, password = free_port(), "DUECAST", "not-a-secret"
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "--port", str(port), "--quiet", "--clock", clock]
    command += ["--oauth" if oauth else "--auth", f"{user}:{password}"]
    with (
        TemporaryDirectory() as folder,
        server("mock-sap", command, Path(folder) / "log", ready=lambda: answers(f"{url}/"), seconds=_START_SECONDS),
    ):
        yield MockSap(url, user, password, oauth)


def answers(url: str) -> bool:
    """Whether anybody answers there, whatever the answer is."""
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    return True
