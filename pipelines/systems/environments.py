"""Environments of their own for programs that are not ours: made once in a cache folder, of pinned packages."""

import hashlib
import shutil
import sys
from pathlib import Path

from filelock import FileLock

from pipelines.systems.processes import run
from services.settings import inherited

_INSTALL_SECONDS = 300


def environment(cache: Path, name: str, *requirements: Path) -> Path:
    """The `bin` folder of an environment with what the requirements files pin, installed one file after the other.

    It is kept in `cache` by what it was made from; several callers at once make one. `StateError` with the end of the
    installer's log where it cannot be made.
    """
    made_from = b"".join(file.read_bytes() for file in requirements) + f"{sys.version_info[:2]}".encode()
    folder = cache / f"{name}-{hashlib.sha256(made_from).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(name, folder, requirements, cache / f"{name}-install.log")
            (folder / "complete").touch()
    return folder / "bin"


def _install(name: str, folder: Path, requirements: tuple[Path, ...], log: Path) -> None:
    log.unlink(missing_ok=True)
    venv = [sys.executable, "-m", "venv", str(folder)]
    run("python -m venv", venv, log, seconds=120, environment=inherited())
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for file in requirements:
        command = [*pip, "--require-hashes", "--no-build-isolation", "--no-deps", "-r", str(file)]
        run(f"the installation of {name}", command, log, seconds=_INSTALL_SECONDS, environment=inherited())
