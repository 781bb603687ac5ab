"""The flat packages load from this checkout and not from something of the same name in site-packages."""

import subprocess
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "features",
    "models",
    "nlp",
    "services",
    "services.sandbox",
    "pipelines",
    "pipelines.bank",
    "pipelines.connectors",
    "pipelines.corrections",
    "pipelines.kpis",
    "pipelines.parties",
    "pipelines.sit",
    "pipelines.systems",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_package_loads_from_the_checkout(name: str) -> None:
    found = import_module(name).__file__
    assert found is not None
    assert Path(found).resolve() == ROOT / name.replace(".", "/") / "__init__.py"


def test_no_test_folder_is_named_after_a_package() -> None:
    folders = {path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()}
    assert not folders & {name.split(".")[0] for name in PACKAGES}


def test_only_one_file_imports_mlflow_and_one_reads_the_environment() -> None:
    sources = [path for name in PACKAGES if "." not in name for path in (ROOT / name).rglob("*.py")]

    def users(words: tuple[str, ...]) -> set[str]:
        return {str(p.relative_to(ROOT)) for p in sources if any(word in p.read_text() for word in words)}

    assert users(("import mlflow", "from mlflow")) == {"models/registry.py"}
    assert users(("os.getenv", "os.environ.get", "os.environ[", "from os import")) == set()
    # The registry writes only: what MLflow reads of it when it is imported.
    assert users(("os.environ",)) == {"services/settings.py", "models/registry.py"}


def test_cleaning_up_leaves_the_facts_their_state_and_the_models(tmp_path: Path) -> None:
    kept = {".duecast/lake/invoice", ".duecast/state.db", "mlruns/champion.json"}
    made = {
        ".venv/pyvenv.cfg",
        ".mypy_cache/x",
        ".duecast/demo/lake",
        ".duecast/results/x",
        ".duecast/report/report.md",
    }
    for name in kept | made:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "-f", str(ROOT / "Makefile"), "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == kept


def test_nothing_pickled_is_ever_loaded() -> None:
    banned = ("import pickle", "import joblib", "cloudpickle", "torch.load", "read_pickle")
    guilty = [
        p
        for name in PACKAGES
        for p in (ROOT / name.split(".")[0]).rglob("*.py")
        if any(b in p.read_text() for b in banned)
    ]
    assert guilty == []
