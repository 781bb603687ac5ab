"""A credit scorer as files: LightGBM's native text and one JSON file, nothing pickled."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from features.errors import StateError
from models.credit.calibration import Line
from models.credit.scale import Scale
from models.credit.scorer import CreditScorer

FORMAT = 1
MODEL = "model.json"


def write_scorer(folder: Path, scorer: CreditScorer, further: dict[str, Any]) -> None:
    """Write the scorer, and what else is to be kept with it, into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, booster in enumerate(scorer.boosters):
        booster.save_model(str(_file(folder, k)))
    content = {
        "format": FORMAT,
        "names": scorer.names,
        "groups": scorer.groups,
        "directions": scorer.directions,
        "boosters": len(scorer.boosters),
        "line": asdict(scorer.line),
        "scale": asdict(scorer.scale),
        "further": further,
    }
    (folder / MODEL).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")


def read_scorer(folder: Path) -> tuple[CreditScorer, dict[str, Any]]:
    """What `write_scorer` wrote; `StateError` names the file that is missing, damaged or of another format.

    LightGBM crashes the process on some damaged text files: check digests first (`models.champion.verify`).
    """
    path = folder / MODEL
    content = _content(path)
    try:
        names, groups, directions = (tuple(content[key]) for key in ("names", "groups", "directions"))
        line, scale = Line(**content["line"]), Scale(**content["scale"])
        further, count = dict(content["further"]), int(content["boosters"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    grown = tuple(_booster(_file(folder, k), len(names)) for k in range(count))
    return CreditScorer(names, groups, directions, grown, line, scale), further


def _file(folder: Path, number: int) -> Path:
    return folder / f"booster-{number}.txt"


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it is no JSON object")
    if content.get("format") != FORMAT:
        raise StateError(f"{path} was saved by another version of Duecast; train the model again")
    return content


def _booster(path: Path, columns: int) -> Any:
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"))
    except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
        raise _unreadable(path, str(error)) from error
    if booster.num_feature() != columns:
        raise _unreadable(path, f"it reads {booster.num_feature()} numbers a row, the model has {columns}")
    return booster


def _unreadable(path: Path, why: str) -> StateError:
    return StateError(f"{path} cannot be read as a part of a model ({why}); register the model again")
