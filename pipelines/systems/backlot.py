"""backlot on loopback: somebody else's reading of HubSpot's CRM, over a corpus of ours, to test against. It only reads.

Every import starts anew, so what changed is served by another backlot over a changed corpus.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.connectors.source import Json
from pipelines.systems.environments import environment
from pipelines.systems.mock_sap import answers
from pipelines.systems.processes import free_port, run, server

REQUIREMENTS = Path(__file__).with_name("backlot-requirements.txt")
_IMPORT_SECONDS = 120
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Backlot:
    """Where HubSpot's paths start and the token that may read everything."""

    url: str
    token: str


@contextmanager
def backlot(cache: Path, corpus: Sequence[Json]) -> Iterator[Backlot]:
    """A backlot that serves `corpus` (see `pipelines.systems.backlot_corpus`); it is gone when the block is left.

    The environment is kept in `cache`. It tells nobody of its use. `StateError` with the end of the log where it
    refuses the corpus or does not start.
    """
    program = str(environment(cache, "backlot", REQUIREMENTS) / "backlot")
    port, token = free_port(), "not-a-secret"
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory() as name:
        folder = Path(name)
        told = _told(folder, token)
        run(
            "the import into backlot",
            _load(program, folder, corpus),
            folder / "log",
            seconds=_IMPORT_SECONDS,
            environment=told,
        )
        command = [program, "serve", "--port", str(port), "--log-level", "warning", "--disable-telemetry"]
        ready = f"{url}/health"
        with server(
            "backlot", command, folder / "log", ready=lambda: answers(ready), seconds=_START_SECONDS, environment=told
        ):
            yield Backlot(f"{url}/hubspot", token)


def _told(folder: Path, token: str) -> dict[str, str]:
    """All that backlot is told, so that nobody's own settings of it reach this one."""
    own = {"DATA_DIR": str(folder / "data"), "TELEMETRY": "0", "ADMIN_TOKEN": token}
    return {"DO_NOT_TRACK": "1"} | {f"BACKLOT_{name}": value for name, value in own.items()}


def _load(program: str, folder: Path, corpus: Sequence[Json]) -> list[str]:
    file = folder / "corpus.jsonl"
    file.write_text("".join(f"{json.dumps(record)}\n" for record in corpus), encoding="utf-8")
    return [program, "import", str(file)]
