"""Tryton in an environment of its own, kept in a folder by what it was made from.

Tryton is GPL: it runs in its own process and its own environment, and nothing of it is imported here.
"""

from dataclasses import dataclass
from pathlib import Path

from pipelines.systems.environments import environment
from pipelines.systems.processes import run
from services.settings import inherited

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
    return Installed(environment(cache, "tryton", REQUIREMENTS).parent)


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
    told = inherited(TRYTONPASSFILE=str(secret))
    try:
        run("the creation of a Tryton database", command, folder / "log", seconds=_CREATE_SECONDS, environment=told)
    finally:
        secret.unlink()
