"""The model that serves: found through one small manifest, checked before anything touches it, loaded without MLflow.

`mlruns/champion.json` holds one `ModelVersion` per model name. It is replaced atomically by a promotion, so a reader
sees the old one or the new one, never half of it. A damaged LightGBM file can kill the process that reads it: hence
`verify`, which compares every digest and then lets a process of its own try to load the model first.
"""

import hashlib
import subprocess
import sys
from datetime import date, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from features.errors import NotFound, StateError

MANIFEST = "champion.json"
PAYMENT_DATE = "payment-date"
ANOMALIES = "anomalies"
CASH_FORECAST = "cash-forecast"
CONTACT_EFFECT = "contact-effect"
CREDIT_RISK = "credit-risk"
CREDIT_RISK_PORTFOLIO = "credit-risk-portfolio"

# Model name -> the class whose `load(folder)` reads what its `save(folder)` wrote. Reviewed here, never read from disk.
LOADERS = {
    PAYMENT_DATE: "models.payment_date:PaymentDateModel",
    ANOMALIES: "models.anomalies.model:AnomalyModel",
    CREDIT_RISK: "models.credit.risk_model:CreditRiskModel",
    CREDIT_RISK_PORTFOLIO: "models.credit.portfolio_model:PortfolioModel",
    CONTACT_EFFECT: "models.worklist.effect:ContactEffect",
    CASH_FORECAST: "models.cash.model:CashModel",
}

TRIAL_SECONDS = 60
_TRIAL = """
import sys
from pathlib import Path
from models.champion import resolve
resolve(sys.argv[1]).load(Path(sys.argv[2]))
"""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One registered version of a model: what it is, what it was made from, and the digest of every file."""

    name: str
    version: int
    run_id: str
    folder: str  # relative to mlruns, so that the whole of mlruns can be moved
    files: dict[str, str]  # path relative to `folder` -> SHA-256 as hex
    data_window: tuple[date, date]  # first and last day of the training data
    lake_versions: dict[str, int]  # table -> Delta version that was read
    learnt_before: datetime | None = None  # all that it learnt from was known before it; null where nobody recorded it
    registered_at: datetime | None = None  # likewise

    @property
    def label(self) -> str:
        """`payment-date/3`, for headers, logs and people."""
        return f"{self.name}/{self.version}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all files: two versions with this in common answer alike."""
        lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def champion(mlruns: Path, name: str = PAYMENT_DATE) -> ModelVersion | None:
    """The version that serves, or None where none was ever promoted; `StateError` for a manifest that is damaged."""
    return champions(mlruns).get(name)


def champions(mlruns: Path) -> dict[str, ModelVersion]:
    """Model name -> the version that serves; empty where nothing was ever promoted."""
    path = mlruns / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, ModelVersion])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"{path} is damaged ({error}); promote a registered version to write it anew") from None


def digests(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file under `folder`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def verify(version: ModelVersion, mlruns: Path, *, loader: str | None = None) -> None:
    """`StateError`, naming the file, unless every file is as registered and a process of its own can load the model."""
    folder = mlruns / version.folder
    for path, expected in version.files.items():
        if not (folder / path).is_file():
            raise StateError(f"{version.label}: {folder / path} is missing; restore it or promote another version")
        if _sha256(folder / path) != expected:
            raise StateError(
                f"{version.label}: {folder / path} is not the file that was registered (SHA-256 differs);"
                " restore it or promote another version"
            )
    _try_in_a_process(version, folder, loader or _loader(version.name))


def load(version: ModelVersion, mlruns: Path, *, loader: str | None = None) -> Any:
    """The model itself, read into this process; call `verify` first."""
    return resolve(loader or _loader(version.name)).load(mlruns / version.folder)


def training_command(name: str) -> str:
    """What makes a champion called `name`.

    >>> training_command("payment-date"), training_command("anomalies")
    ('duecast train', 'duecast train anomalies')
    """
    return "duecast train" if name == PAYMENT_DATE else f"duecast train {name}"


def ready(mlruns: Path, name: str) -> tuple[ModelVersion, Any]:
    """The champion called `name`, checked and loaded; `NotFound`, with the command that makes one, without."""
    version = champion(mlruns, name)
    if version is None:
        raise NotFound(f"no {name} model in {mlruns}: run `{training_command(name)}` first")
    verify(version, mlruns)
    return version, load(version, mlruns)


def resolve(loader: str) -> Any:
    """The class behind `module:Class`."""
    module, _, attribute = loader.partition(":")
    return getattr(import_module(module), attribute)


def _loader(name: str) -> str:
    try:
        return LOADERS[name]
    except KeyError:
        raise NotFound(f"no model is called {name!r}; there are: {', '.join(LOADERS)}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _try_in_a_process(version: ModelVersion, folder: Path, loader: str) -> None:
    # -P: not from the current directory, where a `models.py` of the caller's would be run in the place of ours
    command = [sys.executable, "-P", "-c", _TRIAL, loader, str(folder)]
    try:
        # S603: every word of the command is ours; the folder was just verified
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TRIAL_SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise StateError(f"{version.label}: {folder} did not load within {TRIAL_SECONDS} s") from None
    if done.returncode < 0:
        raise StateError(f"{version.label}: loading {folder} kills the process (signal {-done.returncode})")
    if done.returncode > 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StateError(f"{version.label}: {folder} does not load: {last}")
