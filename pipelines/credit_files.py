"""Answers as files: one row an answer, or as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from features.errors import BadSetting
from pipelines.cli_options import SCORE_ENDINGS


def write_json(told: Mapping[str, object], path: Path) -> None:
    """Write figures as JSON; `BadSetting` where that cannot be done."""
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    except OSError as error:
        raise BadSetting(f"--json {path} cannot be written ({error.strerror})") from None


def write_rows(rows: Sequence[object], path: Path) -> None:
    """Write frozen answers as .parquet, .csv or .json; what is nested becomes JSON text in the first two.

    `BadSetting` for another ending.
    """
    if path.suffix not in SCORE_ENDINGS:
        raise BadSetting(f"--out {path} ends in {path.suffix!r}; allowed: {', '.join(SCORE_ENDINGS)}")
    plain = msgspec.to_builtins(list(rows))
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain)))
        return
    flat = [{name: _cell(value) for name, value in row.items()} for row in plain]
    frame = pl.DataFrame(flat, infer_schema_length=None)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list | tuple | dict) else value
