"""The flat packages load from this checkout and not from something of the same name in site-packages."""

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("features", "models", "nlp", "services", "services.sandbox", "pipelines", "pipelines.connectors")


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
    assert users(("os.getenv", "os.environ.get", "os.environ[")) == set()
    assert "services/settings.py" in users(("os.environ",))


def test_nothing_pickled_is_ever_loaded() -> None:
    banned = ("import pickle", "import joblib", "cloudpickle", "torch.load", "read_pickle")
    guilty = [
        p
        for name in PACKAGES
        for p in (ROOT / name.split(".")[0]).rglob("*.py")
        if any(b in p.read_text() for b in banned)
    ]
    assert guilty == []
