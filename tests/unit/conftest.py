"""The two databases that the operational store runs on: SQLite always, PostgreSQL where the machine has one."""

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import create_engine, text


def _postgresql_program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else shutil.which(name)


def _server_user() -> str:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return getpass.getuser()
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    initdb, pg_ctl = _postgresql_program("initdb"), _postgresql_program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no initdb and pg_ctl on this machine")
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    # not under tmp_path: the server's user must be able to get there, and a socket's path must be short
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _server_user()
    shutil.chown(home, user)

    def run(*command: str) -> None:
        switch = {"user": user} if os.getuid() == 0 else {}
        subprocess.run(command, check=True, cwd=home, stdout=subprocess.DEVNULL, timeout=60, **switch)

    data, options = str(home / "data"), f"-k {home} -c listen_addresses='' -c fsync=off"
    run(initdb, "-D", data, "-U", "duecast", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync")
    run(pg_ctl, "-D", data, "-l", str(home / "log"), "-o", options, "-w", "start")
    try:
        yield f"postgresql+psycopg://duecast@/{{name}}?host={home}"
    finally:
        run(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(home)


@pytest.fixture
def at_once() -> Callable[[int, Callable[[int], object]], list[Any]]:
    """Calls a function with 0, 1, ... from so many threads that start together; what each returned."""

    def call(threads: int, work: Callable[[int], object]) -> list[Any]:
        start = Barrier(threads)

        def begun(number: int) -> object:
            start.wait()
            return work(number)

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(begun, range(threads)))

    return call


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/duecast.db"
    template: str = request.getfixturevalue("postgresql")
    name = "d" + str(abs(hash(tmp_path)))
    admin = create_engine(template.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return template.format(name=name).replace("+psycopg", "")
