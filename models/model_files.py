"""The payment-date model as files: LightGBM's native text and one JSON file, nothing pickled."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from features.errors import StateError
from models.bins import BIN_FEATURES
from models.calibration import Calibration
from models.location import Location
from models.scorer import Scorer

FORMAT = 1
MODEL, EXPLAINER = "model.json", "explainer.txt"


def write_model(folder: Path, scorer: Scorer, calibration: Calibration, explainer: Any, about: dict[str, Any]) -> None:
    """Write the parts into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, booster in enumerate(scorer.boosters):
        booster.save_model(str(_hazard(folder, k)))
    explainer.save_model(str(folder / EXPLAINER))
    line = scorer.location
    content = {
        "format": FORMAT,
        "features": scorer.names,
        "bin_features": BIN_FEATURES,
        "boosters": len(scorer.boosters),
        "location": {
            "center": line.center.tolist(),
            "scale": line.scale.tolist(),
            "weights": line.weights.tolist(),
            "base": line.base,
        },
        "calibration": {"stated": calibration.stated.tolist(), "observed": calibration.observed.tolist()},
        "about": about,
    }
    (folder / MODEL).write_text(json.dumps(content, indent=1, allow_nan=False))


def read_model(folder: Path) -> tuple[Scorer, Calibration, Any, dict[str, Any]]:
    """The parts that `write_model` wrote; `StateError` names the file that is missing, damaged or of another format.

    LightGBM crashes the process on some damaged text files: check digests first where a file may be damaged
    (`models.champion.verify`).
    """
    path = folder / MODEL
    content = _content(path)
    try:
        names, line = tuple(content["features"]), content["location"]
        center, scale, weights = (np.array(line[k]) for k in ("center", "scale", "weights"))
        location = Location(names, center, scale, weights, line["base"])
        calibration = Calibration(*(np.array(content["calibration"][k]) for k in ("stated", "observed")))
        about, numbers = content["about"], range(content["boosters"])
    except (KeyError, TypeError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    columns = len(names) + len(BIN_FEATURES) + 1
    boosters = tuple(_booster(_hazard(folder, k), columns) for k in numbers)
    return Scorer(names, location, boosters), calibration, _booster(folder / EXPLAINER, len(names)), about


def _hazard(folder: Path, number: int) -> Path:
    return folder / f"hazard-{number}.txt"


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it is no JSON object")
    if content.get("format") != FORMAT or tuple(content.get("bin_features", ())) != BIN_FEATURES:
        raise StateError(f"{path} was saved by another version of Duecast; train the model again")
    return content


def _booster(path: Path, columns: int) -> Any:
    """The LightGBM Booster in `path`, which reads `columns` numbers a row."""
    import lightgbm

    try:
        booster = lightgbm.Booster(model_str=path.read_text())
    except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
        raise _unreadable(path, str(error)) from error
    if booster.num_feature() != columns:
        raise _unreadable(path, f"it reads {booster.num_feature()} numbers a row, the model has {columns}")
    return booster


def _unreadable(path: Path, why: str) -> StateError:
    return StateError(f"{path} cannot be read as a part of a model ({why}); register the model again")
