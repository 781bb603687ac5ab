"""Tryton in an environment of its own, kept in a folder by what it was made from.

Tryton is GPL: it runs in its own process and its own environment, and nothing of it is imported here.
"""

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from pipelines.systems.processes import run

REQUIREMENTS = Path(__file__).with_name("tryton-requirements.txt")
MODULES = (
    "account_dunning",
    "account_invoice",
    "account_payment",
    "account_payment_clearing",
    "account_statement",
    "bank",
    "sale",
    "sale_complaint",
    "sale_opportunity",
)
DATABASE = "erp"

_INSTALL_SECONDS = 600
_CREATE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with Tryton."""

    folder: Path

    @property
    def server(self) -> str:
        """The program that serves."""
        return str(self.folder / "bin" / "trytond")

    @property
    def admin(self) -> str:
        """The program that makes databases."""
        return str(self.folder / "bin" / "trytond-admin")


def installed(cache: Path) -> Installed:
    """Tryton's environment in `cache`, made the first time (some 15 s); several callers at once make one.

    `StateError` with the end of the installer's log where it cannot be installed.
    """
    made_from = REQUIREMENTS.read_bytes() + f"{sys.version_info[:2]}".encode()
    folder = cache / f"tryton-{hashlib.sha256(made_from).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder, cache / "tryton-install.log")
            (folder / "complete").touch()
    return Installed(folder)


def _install(folder: Path, log: Path) -> None:
    log.unlink(missing_ok=True)
    run("python -m venv", [sys.executable, "-m", "venv", str(folder)], log, seconds=120, environment=os.environ)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--only-binary", ":all:", "--require-hashes", "-r", str(REQUIREMENTS)]
    run("the installation of Tryton", command, log, seconds=_INSTALL_SECONDS, environment=os.environ)


def settings_file(folder: Path, port: int) -> Path:
    """Settings for a database in `folder`, served on loopback, written there."""
    path = folder / "trytond.conf"
    path.write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n[queue]\nworker = False\n"
    )
    return path


def create_database(tryton: Installed, folder: Path, password: str) -> None:
    """An empty database with all `MODULES` in `folder`, whose user `admin` has the password."""
    (folder / f"{DATABASE}.sqlite").touch()
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    command = [tryton.admin, "-c", str(settings_file(folder, 1)), "-d", DATABASE, "--email", "admin@example.com"]
    command += ["--activate-dependencies", "-u", *MODULES]
    told = {**os.environ, "TRYTONPASSFILE": str(secret)}
    try:
        run("the creation of a Tryton database", command, folder / "log", seconds=_CREATE_SECONDS, environment=told)
    finally:
        secret.unlink()
