"""What `duecast train MODEL` can train: one line a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from features.errors import BadSetting, NotFound
from models.champion import ANOMALIES, CASH_FORECAST, CONTACT_EFFECT, CREDIT_RISK, PAYMENT_DATE
from pipelines.strict_yaml import nearest


@dataclass(frozen=True, slots=True)
class Trainer:
    """`runs`: module:function that takes lake, mlruns, report, seed and the `options`; imported when asked for."""

    runs: str
    options: tuple[str, ...] = ()


TRAINERS = {
    PAYMENT_DATE: Trainer("pipelines.commands:train_and_register"),
    CREDIT_RISK: Trainer(
        "pipelines.credit_training:train_and_show",
        ("data", "mapping", "horizon_days", "late_days", "materiality"),
    ),
    CASH_FORECAST: Trainer("pipelines.cash_commands:train_and_show"),
    ANOMALIES: Trainer("pipelines.anomaly_commands:train_and_show", ("limits", "odd_rate")),
    CONTACT_EFFECT: Trainer("pipelines.worklist_commands:train_and_show", ("horizon_days",)),
}


def run_training(
    model: str, given: Mapping[str, object], *, lake: str | None, mlruns: Path | None, report: Path, seed: int
) -> None:
    """Train `model` and show what came of it. Of `given`, what is None was not asked for.

    `NotFound` for a model that nobody trains, `BadSetting` for an option that this one does not take.
    """
    if model not in TRAINERS:
        known = list(TRAINERS)
        raise NotFound(f"no model is called {model!r}; there are: {', '.join(known)}{nearest(model, known)}")
    trainer = TRAINERS[model]
    asked = {name: value for name, value in given.items() if value is not None}
    for name in asked:
        if name not in trainer.options:
            takes = ", ".join(_option(o) for o in trainer.options) or "none of its own"
            raise BadSetting(f"{_option(name)} does not go with {model}; its options: {takes}")
    module, _, function = trainer.runs.partition(":")
    run = getattr(import_module(module), function)
    run(lake=lake, mlruns=mlruns, report=report, seed=seed, **asked)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
