"""Registering, promoting, finding and distrusting models."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import lightgbm as lgb
import msgspec
import numpy as np
import polars as pl
import pytest

from features.errors import NotFound, StateError
from models.champion import MANIFEST, ModelVersion, champion, digests, load, verify
from models.registry import Lineage, promote, record_evaluation, register

LINEAGE = Lineage(
    data_window=(date(2020, 1, 1), date(2020, 12, 31)),
    lake_versions={"invoice": 4, "allocation": 7},
    params={"seed": 7},
    metrics={"days.mae": 1.25, "late.roc_auc": 0.9},
    learnt_before=datetime(2021, 1, 1, tzinfo=UTC),
)
FRAME = pl.DataFrame({"invoice_id": ["I1"], "issue_date": [date(2020, 1, 1)], "a": [1.0], "b": [None]})

# What a model module looks like from outside: written to a file, so that the process of the trial load can import it.
TINY = """
import json
import lightgbm as lgb

class Tiny:
    def __init__(self, booster):
        self.booster = booster
        self.feature_names = ("a", "b")
    def save(self, folder):
        self.booster.save_model(folder / "hazard.txt")
        (folder / "about.json").write_text(json.dumps({"features": self.feature_names}))
    @classmethod
    def load(cls, folder):
        return cls(lgb.Booster(model_file=folder / "hazard.txt"))
"""
LOADER = "tiny_model:Tiny"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A trained model of two features; its module is on the path here and in processes started from here."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tiny_model.py").write_text(TINY)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    from tiny_model import Tiny

    return Tiny(trained())


def trained() -> lgb.Booster:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    settings = {"objective": "binary", "num_leaves": 7, "verbose": -1, "num_threads": 1}
    return lgb.train(settings, lgb.Dataset(x, (x[:, 0] > 0).astype(float)), 5)


def test_a_registered_champion_is_found_verified_and_answers_as_it_did_in_training(tiny, tmp_path):
    mlruns = tmp_path / "mlruns"
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "reliability.png").write_bytes(b"png")
    begun = datetime.now(UTC)
    made = register(tiny, FRAME, replace(LINEAGE, report_folder=tmp_path / "report"), mlruns=mlruns)

    found = champion(mlruns)
    assert found == made
    assert found.learnt_before == datetime(2021, 1, 1, tzinfo=UTC)
    assert begun - timedelta(seconds=1) <= found.registered_at <= datetime.now(UTC)
    assert (found.name, found.version, found.label) == ("payment-date", 1, "payment-date/1")
    assert set(found.files) == {"hazard.txt", "about.json"}
    assert found.data_window == (date(2020, 1, 1), date(2020, 12, 31))
    assert found.lake_versions == {"invoice": 4, "allocation": 7}

    verify(found, mlruns, loader=LOADER)
    rows = np.array([[0.5, 1.0], [-2.0, np.nan]])
    again = load(found, mlruns, loader=LOADER).booster.predict(rows)
    assert np.array_equal(again, tiny.booster.predict(rows))


def test_mlflow_holds_params_metrics_report_signature_and_alias(tiny, tmp_path):
    mlruns = tmp_path / "mlruns"
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.md").write_text("# Report")
    made = register(tiny, FRAME, replace(LINEAGE, report_folder=tmp_path / "report"), mlruns=mlruns)

    import mlflow

    client = mlflow.MlflowClient()
    run = client.get_run(made.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "7"}
    assert run.data.metrics == {"days.mae": 1.25, "late.roc_auc": 0.9}
    assert [a.path for a in client.list_artifacts(made.run_id, "report")] == ["report/report.md"]
    version = client.get_model_version_by_alias("payment-date", "champion")
    assert (version.version, version.tags["digest"]) == (1, made.digest)
    [logged] = client.search_logged_models([run.info.experiment_id])
    assert (logged.status, logged.params) == ("READY", {"seed": "7"})
    assert {metric.key: metric.value for metric in logged.metrics} == run.data.metrics
    signature = mlflow.models.get_model_info("models:/payment-date@champion").signature
    assert columns(signature.inputs) == {
        "invoice_id": ("string", True),
        "issue_date": ("datetime", True),
        "a": ("double", False),
        "b": ("double", False),
    }
    assert columns(signature.outputs) == {
        **dict.fromkeys(("entity_id", "customer_id", "invoice_id", "currency", "availability"), ("string", True)),
        **dict.fromkeys(("instalment", "amount_minor"), ("long", True)),
        **dict.fromkeys(("due_date", "cutoff_day"), ("datetime", True)),
        **dict.fromkeys(("expected_date", "p10", "p50", "p90", "typical_date"), ("datetime", False)),
        **dict.fromkeys(("p_late", "p_beyond"), ("double", False)),
        "availability_reason": ("string", False),
    }


def columns(schema) -> dict[str, tuple[str, bool]]:
    """Name -> type and whether it is always there."""
    return {column["name"]: (column["type"], column["required"]) for column in schema.to_dict()}


def test_an_evaluation_leaves_its_settings_figures_and_report_and_no_model(tmp_path):
    mlruns, report = tmp_path / "mlruns", tmp_path / "report"
    report.mkdir()
    (report / "report.md").write_text("# Report")
    (report / "errors.png").write_bytes(b"png")
    figures = {"days.mae": 1.25, "late.roc_auc": math.nan}
    run_id = record_evaluation({"cutoff": date(2020, 1, 1), "late_days": 5}, figures, report, mlruns=mlruns)

    import mlflow

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"cutoff": "2020-01-01", "late_days": "5"}
    assert run.data.metrics == {"days.mae": 1.25}  # what cannot be told is left out
    assert {a.path for a in client.list_artifacts(run_id, "report")} == {"report/report.md", "report/errors.png"}
    assert Path(client.download_artifacts(run_id, "report/report.md", str(tmp_path))).read_text() == "# Report"
    assert client.search_model_versions("name = 'payment-date'") == []
    assert champion(mlruns) is None


def test_a_promotion_can_be_taken_back_and_the_one_before_is_remembered(tiny, tmp_path):
    first = register(tiny, FRAME, LINEAGE, mlruns=tmp_path)
    second = register(tiny, FRAME, LINEAGE, mlruns=tmp_path, serve=False)
    assert champion(tmp_path) == first

    assert promote(tmp_path, 2) == second == champion(tmp_path)
    assert promote(tmp_path, 1) == first == champion(tmp_path)

    import mlflow

    assert mlflow.MlflowClient().get_model_version_by_alias("payment-date", "previous").version == 2
    with pytest.raises(NotFound, match=r"no version 9 of 'payment-date'; there are: \[1, 2\]"):
        promote(tmp_path, 9)


def test_a_failed_registration_is_marked_so_and_changes_nothing(tiny, tmp_path):
    first = register(tiny, FRAME, LINEAGE, mlruns=tmp_path)
    with pytest.raises(StateError, match="disk full"):
        register(Unsaveable(), FRAME, LINEAGE, mlruns=tmp_path)
    assert champion(tmp_path) == first

    import mlflow

    client = mlflow.MlflowClient()
    experiments = [client.get_experiment_by_name("payment-date").experiment_id]
    assert sorted(run.info.status for run in client.search_runs(experiments)) == ["FAILED", "FINISHED"]
    assert sorted(model.status for model in client.search_logged_models(experiments)) == ["FAILED", "READY"]


class Unsaveable:
    feature_names = ("a",)

    def save(self, folder: Path) -> None:
        raise StateError("disk full")


def test_no_champion_before_the_first_promotion(tmp_path):
    assert champion(tmp_path / "never-made") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"payment-date": {"name": "payment-date"}}', b"\xff"])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(StateError, match=r"champion\.json is damaged"):
        champion(tmp_path)


def test_a_manifest_of_before_these_were_recorded_is_still_read(saved, tmp_path):
    plain = msgspec.to_builtins(saved)
    del plain["learnt_before"], plain["registered_at"]
    (tmp_path / MANIFEST).write_bytes(msgspec.json.encode({saved.name: plain}))
    assert champion(tmp_path) == saved


@pytest.fixture
def saved(tiny, tmp_path) -> ModelVersion:
    """A version on disk, made without MLflow."""
    folder = tmp_path / "model"
    folder.mkdir()
    tiny.save(folder)
    return version_of(folder, tmp_path)


def version_of(folder: Path, mlruns: Path) -> ModelVersion:
    return ModelVersion(
        name="payment-date",
        version=1,
        run_id="r",
        folder=folder.relative_to(mlruns).as_posix(),
        files=digests(folder),
        data_window=(date(2020, 1, 1), date(2020, 12, 31)),
        lake_versions={},
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:500]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes().replace(b"tree", b"tref")),
    ],
    ids=["cut off", "empty", "flipped"],
)
def test_a_file_that_changed_is_named(saved, tmp_path, damage):
    damage(tmp_path / "model" / "hazard.txt")
    with pytest.raises(StateError, match=r"payment-date/1: .*hazard\.txt is not the file that was registered"):
        verify(saved, tmp_path, loader=LOADER)


def test_a_file_that_is_gone_is_named(saved, tmp_path):
    (tmp_path / "model" / "about.json").unlink()
    with pytest.raises(StateError, match=r"about\.json is missing"):
        verify(saved, tmp_path, loader=LOADER)


def test_a_file_that_cannot_be_loaded_does_not_take_this_process_with_it(saved, tmp_path):
    model = tmp_path / "model" / "hazard.txt"
    model.write_bytes(model.read_bytes()[:500])
    damaged = version_of(tmp_path / "model", tmp_path)  # registered in this state: the digests agree
    with pytest.raises(StateError, match=r"(does not load|kills the process)"):
        verify(damaged, tmp_path, loader=LOADER)


def test_the_trial_load_runs_nothing_of_the_callers_folder(saved, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "models.py").write_text("raise SystemExit('run from the current directory')")
    monkeypatch.chdir(tmp_path / "here")
    verify(saved, tmp_path, loader=LOADER)


def test_a_model_of_an_unknown_name_is_refused(saved, tmp_path):
    with pytest.raises(NotFound, match="no model is called 'weather'; there are: payment-date"):
        load(msgspec.structs.replace(saved, name="weather"), tmp_path)


def test_the_digest_of_a_version_depends_on_every_file(saved):
    other = msgspec.structs.replace(saved, files={**saved.files, "about.json": "0" * 64})
    assert other.digest != saved.digest


REGISTER_TWICE = """
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
import lightgbm as lgb
import polars as pl
from models.registry import Lineage, register
from tiny_model import Tiny

model = Tiny.load(Path(sys.argv[1]))
lineage = Lineage((date(2020, 1, 1), date(2020, 12, 31)), {}, {}, {"days.mae": 1.0})
for _ in range(2):
    register(model, pl.DataFrame({"a": [1.0], "b": [1.0]}), lineage, mlruns=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_four_processes_register_on_a_fresh_store_at_once(saved, tmp_path):
    mlruns = tmp_path / "mlruns"
    command = [sys.executable, "-c", REGISTER_TWICE, str(tmp_path / "model"), str(mlruns)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0, 0, 0, 0]

    found = champion(mlruns)
    assert found.version in range(1, 9)
    verify(found, mlruns, loader=LOADER)
    records = [json.loads(path.read_bytes()) for path in mlruns.glob("artifacts/models/*/artifacts/version.json")]
    assert len(records) == len({record["run_id"] for record in records}) == 8
    assert {promote(mlruns, version).version for version in range(1, 9)} == set(range(1, 9))
