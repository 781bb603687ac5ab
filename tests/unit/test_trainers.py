"""What can be trained, with which options; what is said where a model is asked for that nobody trained."""

from collections.abc import Mapping
from datetime import date
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from features.errors import BadSetting, NotFound, StateError
from models.champion import LOADERS, MANIFEST, PAYMENT_DATE, ModelVersion, digests, ready
from pipelines import trainers
from pipelines.cli import app, run
from pipelines.cli_train import train
from pipelines.trainers import TRAINERS, Trainer, run_training
from services.analysts import SERVED

DAY = date(2024, 1, 1)
SHARED = {"lake", "mlruns", "report", "seed"}


def start(model: str, given: Mapping[str, object]) -> None:
    run_training(model, given, lake=None, mlruns=None, report=Path("report"), seed=7)


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_takes_what_it_says(name: str) -> None:
    module, _, function = TRAINERS[name].runs.partition(":")
    parameters = signature(getattr(import_module(module), function)).parameters
    assert set(parameters) == SHARED | set(TRAINERS[name].options)
    assert all(parameters[option].default is not Parameter.empty for option in TRAINERS[name].options)


def test_every_served_model_can_be_trained_and_loaded_and_no_option_is_for_nobody() -> None:
    assert set(SERVED) == set(TRAINERS) <= set(LOADERS)
    asked = set(signature(train).parameters) - SHARED - {"model"}
    assert asked == {option for trainer in TRAINERS.values() for option in trainer.options}


def test_a_model_that_nobody_trains_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        NotFound, match=r"no model is called 'credit-rsk'; there are: .*cash-forecast.*credit-risk\W*\?"
    ):
        start("credit-rsk", {})


@pytest.mark.parametrize(
    ("model", "option", "takes"),
    [
        ("payment-date", "limits", "none of its own"),
        ("anomalies", "late_days", "--limits, --odd-rate"),
        ("contact-effect", "odd_rate", "--horizon-days"),
        ("cash-forecast", "horizon_days", "none of its own"),
    ],
)
def test_an_option_of_another_model_is_refused_with_its_own(model: str, option: str, takes: str) -> None:
    shown = f"--{option.replace('_', '-')}"
    with pytest.raises(BadSetting, match=f"{shown} does not go with {model}; its options: {takes}"):
        start(model, {option: 3})


def test_the_help_puts_every_option_under_the_models_that_take_it() -> None:
    command = typer.main.get_group(app).commands["train"]
    panels = {p.name: getattr(p, "rich_help_panel", None) for p in command.params}
    for option in {option for trainer in TRAINERS.values() for option in trainer.options}:
        takers = [name for name, trainer in TRAINERS.items() if option in trainer.options]
        assert panels[option] == f"{' and '.join(takers)} only"
    assert {panels[name] for name in SHARED} == {None}


def test_only_what_was_asked_for_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[dict[str, Any]] = []
    monkeypatch.setattr(trainers, "noted", lambda **given: passed.append(given), raising=False)
    monkeypatch.setitem(TRAINERS, "anomalies", Trainer("pipelines.trainers:noted", ("limits", "odd_rate")))
    start("anomalies", {"limits": None, "odd_rate": 0.0, "late_days": None})
    assert passed == [{"lake": None, "mlruns": None, "report": Path("report"), "seed": 7, "odd_rate": 0.0}]


def test_the_command_line_says_what_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "cash-forecast", "--late-days", "60"]) == 2
    assert "--late-days does not go with cash-forecast" in capsys.readouterr().err
    assert run(["train", "everything"]) == 2
    assert "no model is called 'everything'" in capsys.readouterr().err


# --- the champion, ready to be asked ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVED)
def test_without_a_champion_the_command_that_makes_one_is_named(tmp_path: Path, name: str) -> None:
    command = "duecast train" if name == PAYMENT_DATE else f"duecast train {name}"
    with pytest.raises(NotFound) as raised:
        ready(tmp_path, name)
    assert str(raised.value) == f"no {name} model in {tmp_path}: run `{command}` first"


def test_a_champion_whose_files_were_changed_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "anomalies.json").write_text("{}")
    made = ModelVersion(
        name="anomalies",
        version=2,
        run_id="r",
        folder="m",
        files=digests(folder),
        data_window=(DAY, DAY),
        lake_versions={},
    )
    (tmp_path / MANIFEST).write_bytes(msgspec.json.encode({"anomalies": made}))
    with pytest.raises(StateError, match=r"anomalies/2: .* does not load: .*anomalies\.json cannot be read"):
        ready(tmp_path, "anomalies")
    (folder / "anomalies.json").write_text("[]")
    with pytest.raises(StateError, match=r"anomalies/2: .*anomalies\.json is not the file that was registered"):
        ready(tmp_path, "anomalies")
    with pytest.raises(NotFound, match="run `duecast train` first"):
        ready(tmp_path, PAYMENT_DATE)
