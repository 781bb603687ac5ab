"""Answers as files: one row an answer, in columns that follow from the answer's type; figures as JSON."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import polars as pl

from features.errors import BadSetting
from features.tables import INSTANT
from pipelines.cli_options import SCORE_ENDINGS
from pipelines.spreadsheets import without_formulas

# No currency has more than four decimals. What is none of these is nested, and becomes text.
TYPES: dict[Any, pl.DataType] = {
    str: pl.String(),
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    date: pl.Date(),
    datetime: INSTANT,
    Decimal: pl.Decimal(38, 4),
}


def json_text(value: object) -> str:
    """What is nested, as JSON."""
    return msgspec.json.encode(value).decode()


def write_json(told: object, path: Path) -> None:
    """Write figures as JSON; amounts stay as they are, beside their currency."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")


def write_answers(answers: Sequence[object], kind: type, path: Path) -> None:
    """Write answers of a kind as .parquet, .csv or .json, which is a list; `BadSetting` for another ending."""
    if path.suffix == ".json":
        write_json(list(answers), path)
    else:
        write_frame(as_frame(answers, kind), path)


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write rows as .parquet or .csv, without formulas; `BadSetting` for another ending."""
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        without_formulas(frame).write_csv(path)
    else:
        raise BadSetting(f"--out {path} ends in {path.suffix!r}; allowed: {', '.join(SCORE_ENDINGS)}")


def as_frame(answers: Sequence[object], kind: type, nested_text: Callable[[Any], str] = json_text) -> pl.DataFrame:
    """One row an answer, under `columns` also where there is none."""
    schema = columns(kind)
    rows = [msgspec.to_builtins(a, builtin_types=(date, datetime, Decimal)) for a in answers]
    told = [{c: _cell(row[c], nested_text) for c in schema} for row in rows]
    return pl.DataFrame(told, schema=schema)


def columns(kind: type) -> dict[str, pl.DataType]:
    """The fields of a kind of answer, in their order, each with what its column holds."""
    return {name: TYPES.get(_without_none(hint), pl.String()) for name, hint in get_type_hints(kind).items()}


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    (told,) = (one for one in get_args(hint) if one is not NoneType)
    return told


def _cell(value: object, nested_text: Callable[[Any], str]) -> object:
    return nested_text(value) if isinstance(value, list | tuple | dict) else value
