"""Registered models with everything they were made from: the one file that imports MLflow.

MLflow keeps its records in `<mlruns>/mlflow.db` and its files in `<mlruns>/artifacts`; `mlflow ui --backend-store-uri
sqlite:///<mlruns>/mlflow.db` shows them. A model is its own native folder (text and JSON, nothing pickled) under a
flavour of our own: MLflow stores and lists it, `models.champion` loads it. What serves is decided by `promote`.
"""

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_type_hints
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec
import polars as pl
from filelock import FileLock

from features.errors import NotFound
from models.champion import MANIFEST, PAYMENT_DATE, ModelVersion, champions, digests
from models.predictions import PaymentPrediction

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

CHAMPION = "champion"
PREVIOUS = "previous"
RECORD = "version.json"
DATA = "data"

# Read by MLflow when it is imported, which is why they are set here and nowhere later.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_OUTPUTS: dict[type, str] = {str: "string", int: "long", float: "double", date: "datetime"}
_PER_BATCH = {"params": 100, "metrics": 1000}

logger = logging.getLogger(__name__)


class Saveable(Protocol):
    """A trained model that writes itself as native text and JSON."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that it reads."""

    def save(self, folder: Path) -> None:
        """Write every file that `load` needs."""


@dataclass(frozen=True)
class Lineage:
    """What a model was made from. `learnt_before`: all of it was known before that instant; null: nobody says."""

    data_window: tuple[date, date]
    lake_versions: Mapping[str, int]
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    report_folder: Path | None = None
    learnt_before: datetime | None = None


def register(
    model: Saveable,
    frame: pl.DataFrame,
    lineage: Lineage,
    *,
    mlruns: Path,
    name: str = PAYMENT_DATE,
    answer: type = PaymentPrediction,
    serve: bool = True,
) -> ModelVersion:
    """Records a model as the next version of `name` and, with `serve`, makes it the champion.

    `frame` is the training frame without its labels: its columns become the signature, the features as doubles that may
    be missing; the fields of `answer` say what comes out. Several processes may register at once.
    """
    mlruns = mlruns.resolve()
    client = _client(mlruns, name)
    with _run(client, name) as run_id, _logged_model(client, name, run_id, lineage.params) as logged:
        _log(client, run_id, lineage.params, lineage.metrics, lineage.report_folder, model_id=logged.model_id)
        version = _store(client, logged, model, frame, lineage, answer, mlruns=mlruns, name=name, run_id=run_id)
    logger.info("registered model=%s run=%s files=%d", version.label, run_id, len(version.files))
    return promote(mlruns, version.version, name) if serve else version


def promote(mlruns: Path, version: int, name: str = PAYMENT_DATE) -> ModelVersion:
    """Makes a registered version the champion: aliases in MLflow, then the manifest that services read.

    The one before keeps the alias `previous`. `NotFound` for a version that was never registered.
    """
    mlruns = mlruns.resolve()
    client = _client(mlruns, name)
    with _lock(mlruns):
        chosen = _recorded(client, mlruns, name, version)
        serving = champions(mlruns)
        before = serving.get(name)
        if before is not None and before.version != version:
            client.set_registered_model_alias(name, PREVIOUS, str(before.version))
        client.set_registered_model_alias(name, CHAMPION, str(version))
        _replace(mlruns / MANIFEST, msgspec.json.encode({**serving, name: chosen}))
    logger.info("promoted model=%s before=%s", chosen.label, before.label if before else "none")
    return chosen


def record_evaluation(
    params: Mapping[str, object],
    metrics: Mapping[str, float],
    report_folder: Path,
    *,
    mlruns: Path,
    name: str = PAYMENT_DATE,
) -> str:
    """Records an evaluation that registers nothing: its settings, figures and report. Returns MLflow's run id."""
    client = _client(mlruns.resolve(), name)
    with _run(client, name) as run_id:
        _log(client, run_id, params, metrics, report_folder)
    return run_id


def _client(mlruns: Path, name: str) -> "MlflowClient":
    """MLflow on `<mlruns>/mlflow.db`, with the experiment and the registered model `name` in place.

    Under a lock, since processes that meet a fresh database at once crash in each other's migration.
    """
    os.environ.update(_QUIET)
    mlruns.mkdir(parents=True, exist_ok=True)
    with _lock(mlruns), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its own annotations and SQLAlchemy's deprecations
        import mlflow

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        mlflow.set_tracking_uri(f"sqlite:///{mlruns / 'mlflow.db'}")
        mlflow.set_registry_uri(mlflow.get_tracking_uri())
        client = mlflow.MlflowClient()
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, artifact_location=(mlruns / "artifacts").as_uri())
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
    return client


def _lock(mlruns: Path) -> FileLock:
    return FileLock(mlruns / ".registry.lock")


def _experiment(client: "MlflowClient", name: str) -> str:
    found = client.get_experiment_by_name(name)
    assert found is not None, "made by _client"
    return str(found.experiment_id)


@contextmanager
def _run(client: "MlflowClient", name: str) -> Iterator[str]:
    """The id of a new run, closed as FINISHED, or as FAILED where something was raised."""
    run_id = str(client.create_run(_experiment(client, name)).info.run_id)
    status = "FAILED"
    try:
        yield run_id
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status)


@contextmanager
def _logged_model(
    client: "MlflowClient", name: str, run_id: str, params: Mapping[str, object]
) -> Iterator["LoggedModel"]:
    """MLflow's record of a model of this run, READY in the end, or FAILED where something was raised."""
    given = {key: str(value) for key, value in params.items()}
    logged = client.create_logged_model(_experiment(client, name), name=name, source_run_id=run_id, params=given)
    status: Literal["READY", "FAILED"] = "FAILED"
    try:
        yield logged
        status = "READY"
    finally:
        client.finalize_logged_model(logged.model_id, status)


def _log(
    client: "MlflowClient",
    run_id: str,
    given: Mapping[str, object],
    measured: Mapping[str, float],
    report_folder: Path | None,
    *,
    model_id: str | None = None,
) -> None:
    """Logs to the run and, where there is one, to the model that it made; MLflow cannot hold a figure that is NaN."""
    from mlflow.entities import Metric, Param

    now = client.get_run(run_id).info.start_time
    params = [Param(key, str(value)) for key, value in given.items()]
    finite = {key: float(value) for key, value in measured.items() if isfinite(value)}
    metrics = [Metric(key, value, now, 0, model_id=model_id) for key, value in finite.items()]
    for start in range(0, len(params), _PER_BATCH["params"]):
        client.log_batch(run_id, params=params[start : start + _PER_BATCH["params"]])
    for start in range(0, len(metrics), _PER_BATCH["metrics"]):
        client.log_batch(run_id, metrics=metrics[start : start + _PER_BATCH["metrics"]])
    if report_folder is not None:
        client.log_artifacts(run_id, str(report_folder), "report")


def _store(
    client: "MlflowClient",
    logged: "LoggedModel",
    model: Saveable,
    frame: pl.DataFrame,
    lineage: Lineage,
    answer: type,
    *,
    mlruns: Path,
    name: str,
    run_id: str,
) -> ModelVersion:
    from mlflow.models import Model

    folder = _local(logged.artifact_location).relative_to(mlruns).as_posix()
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch)
        (staged / DATA).mkdir()
        model.save(staged / DATA)
        record = ModelVersion(
            name=name,
            version=0,
            run_id=run_id,
            folder=f"{folder}/{DATA}",
            files=digests(staged / DATA),
            data_window=lineage.data_window,
            lake_versions=dict(lineage.lake_versions),
            learnt_before=lineage.learnt_before,
            registered_at=datetime.fromtimestamp(client.get_run(run_id).info.start_time / 1000, UTC),
        )
        (staged / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        described = Model(signature=_signature(model, frame, answer), run_id=run_id, model_id=logged.model_id)
        described.add_flavor("duecast", data=DATA, load_with="models.champion.load").save(str(staged / "MLmodel"))
        client.log_model_artifacts(logged.model_id, str(staged))
    tags = {
        "folder": folder,
        "digest": record.digest,
        "data_window": "/".join(day.isoformat() for day in lineage.data_window),
        "lake_versions": msgspec.json.encode(record.lake_versions).decode(),
    }
    source = f"models:/{logged.model_id}"
    made = client.create_model_version(name, source, run_id=run_id, tags=tags, model_id=logged.model_id)
    return msgspec.structs.replace(record, version=int(made.version))


def _recorded(client: "MlflowClient", mlruns: Path, name: str, version: int) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        folder = client.get_model_version(name, str(version)).tags["folder"]
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        known = sorted(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
        raise NotFound(f"no version {version} of {name!r}; there are: {known or 'none'}") from None
    record = msgspec.json.decode((mlruns / folder / RECORD).read_bytes(), type=ModelVersion)
    return msgspec.structs.replace(record, version=version)


def _signature(model: Saveable, frame: pl.DataFrame, answer: type) -> "ModelSignature":
    """Features as doubles that may be missing, whatever this frame happened to hold; the other columns as they are.

    Out come the fields of an `answer` that are one value each; the others (chances by day, reasons) no column can say.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    read = set(model.feature_names)
    subject = [ColSpec(_mlflow_type(dtype), column) for column, dtype in frame.schema.items() if column not in read]
    features = [ColSpec("double", column, required=False) for column in model.feature_names]
    answers: list[ColSpec | TensorSpec] = [
        ColSpec(column, field, required=hint == kind)
        for field, hint in get_type_hints(answer).items()
        for kind, column in _OUTPUTS.items()
        if hint in (kind, kind | None)
    ]
    return ModelSignature(inputs=Schema([*subject, *features]), outputs=Schema(answers))


def _mlflow_type(dtype: pl.DataType) -> str:
    if dtype.is_temporal():
        return "datetime"
    return "long" if dtype.is_integer() else "string"


def _local(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))


def _replace(path: Path, content: bytes) -> None:
    """Puts `content` in the place of `path` at once and for good: readers see all of the old or all of the new."""
    staged = path.with_suffix(".new")
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
