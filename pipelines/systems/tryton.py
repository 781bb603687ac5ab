"""A real ERP on loopback: Tryton 8.2 with two companies' books, started from a template that is made once.

    with tryton(cache, folder, today=today) as erp:
        Tryton.connect(erp.base_url, erp.database, erp.key)

The first start installs Tryton and fills its books through its API, which takes some two minutes; a later one copies
the template and takes some seconds. Every start has its own copy, so nothing that a test does is seen by another.
"""

import hashlib
import json
import secrets
import shutil
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.web import Limits
from pipelines.systems import tryton_books, tryton_ledger
from pipelines.systems.processes import free_port, server
from pipelines.systems.tryton_install import DATABASE, MODULES, Installed, create_database, installed, settings_file

_MADE_BY = ("books", "plan", "desk", "bank", "ledger", "install")  # a change in one makes the template anew
_SLOWEST_CALL_SECONDS = 120.0


@dataclass(frozen=True)
class Erp:
    """A Tryton that answers.

    key       of the integration's user, for `connectors.tryton.Tryton`
    user      with `password`: of the administrator, for `session`
    truth     what was booked: see `tryton_ledger.Truth`
    """

    base_url: str
    database: str
    key: str = field(repr=False)
    user: str
    password: str = field(repr=False)
    truth: dict[str, Any] = field(repr=False)
    log: Path

    def session(self) -> TrytonSession:
        """A session of the administrator; to be closed."""
        return _session(self.base_url, self.password)


@contextmanager
def tryton(cache: Path, folder: Path, *, today: date, seconds: float = 30.0) -> Iterator[Erp]:
    """Tryton from the template of `today`'s year, with its database and log in the new or empty `folder`.

    What is installed and the template are kept in `cache`. It is gone when the block is left. `StateError` with the
    end of its log where it does not answer within `seconds`, or cannot be installed or set up.
    """
    program = installed(cache)
    template = _template(cache, program, today)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(template / f"{DATABASE}.sqlite", folder)
    access = json.loads((template / "access.json").read_text())
    truth = json.loads((template / "truth.json").read_text())
    with _served(program, folder, seconds) as base_url:
        yield Erp(base_url, DATABASE, access["key"], "admin", access["password"], truth, folder / "log")


@contextmanager
def _served(program: Installed, folder: Path, seconds: float) -> Iterator[str]:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [program.server, "-c", str(settings_file(folder, port)), "-d", DATABASE]
    with server("Tryton", command, folder / "log", ready=lambda: _answers(base_url), seconds=seconds):
        yield base_url


def _answers(base_url: str) -> bool:
    asked = json.dumps({"id": 1, "method": "common.server.version", "params": []}).encode()
    request = urllib.request.Request(f"{base_url}/rpc/", asked, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310  our own http address
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def _template(cache: Path, program: Installed, today: date) -> Path:
    """A filled database, its access and its truth, made by the first who asks for it."""
    sources = [
        Path(__file__).with_name(f"tryton_{name}.py") for name in ("books", "plan", "desk", "bank", "ledger", "install")
    ]
    made_from = [program.folder.name, str(today.year), *MODULES, *(s.read_text() for s in sources)]
    folder = cache / f"tryton-ledger-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]}"
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _fill(program, folder, today)
            (folder / "complete").touch()
    return folder


def _fill(program: Installed, folder: Path, today: date) -> None:
    password = secrets.token_urlsafe(18)
    create_database(program, folder, password)
    with _served(program, folder, seconds=60) as base_url, _session(base_url, password) as erp:
        key = tryton_books.set_up(erp, today)
        truth = tryton_ledger.fill(erp, today)
    _settle(folder / f"{DATABASE}.sqlite")
    access = folder / "access.json"
    access.touch(mode=0o600)
    access.write_text(json.dumps({"key": key, "password": password}))
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def _settle(database: Path) -> None:
    """Bring into the file what SQLite keeps beside it as long as it is used, so that the file alone can be copied."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _session(base_url: str, password: str) -> TrytonSession:
    limits = Limits(timeout_seconds=_SLOWEST_CALL_SECONDS)
    return TrytonSession.log_in(base_url, DATABASE, "admin", password, limits=limits)
