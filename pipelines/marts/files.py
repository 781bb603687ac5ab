"""The star in a folder: one Parquet file or Delta table a mart, built aside and swapped in whole."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import polars as pl
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from features.errors import BadSetting, StateError

Format = Literal["parquet", "delta"]
MARKER = "_duecast_marts"
"""A file in every folder of marts: only a folder that has it, or that is empty, is ever replaced."""


def write_folder(marts: Mapping[str, pl.DataFrame], folder: Path, form: Format) -> None:
    """The marts in `folder`, which then has nothing else; on any failure what was there before stays.

    `NAME.parquet` files, or `NAME/` Delta tables. `BadSetting` for a folder with something else in it, `StateError`
    where the disk refuses. A reader that opens one file at the moment of the swap finds the old one, the new one or
    none, never half.
    """
    require_ours(folder)
    with _faults_named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _forget_aside(folder)
        aside = _beside(folder, "new")
        try:
            aside.mkdir()
            (aside / MARKER).write_text("made by duecast export; replaced by the next one\n", encoding="utf-8")
            for name, rows in marts.items():
                _write(rows, aside / name, form)
            _swap(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def require_ours(folder: Path) -> None:
    """`BadSetting` unless the folder is absent, empty or one that an export made."""
    if folder.is_file():
        raise BadSetting(f"--to {folder} is a file; allowed: a folder, which is made where absent")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise BadSetting(
            f"--to {folder} holds something else, which an export would replace; allowed: a folder of its own"
        )


def _write(rows: pl.DataFrame, place: Path, form: Format) -> None:
    if form == "parquet":
        rows.write_parquet(place.with_name(f"{place.name}.parquet"))
    else:
        write_deltalake(str(place), rows.to_arrow())


def _swap(aside: Path, folder: Path) -> None:
    """Two renames; between them there is no folder, and a crash there leaves the old one beside it."""
    if not folder.exists():
        aside.rename(folder)
        return
    old = _beside(folder, "old")
    folder.rename(old)
    try:
        aside.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _forget_aside(folder: Path) -> None:
    """What an export that was killed left behind; an old star that lost its place goes back."""
    for old in sorted(folder.parent.glob(f".{folder.name}.old-*")):
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(folder)
    for new in folder.parent.glob(f".{folder.name}.new-*"):
        shutil.rmtree(new, ignore_errors=True)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}-{uuid4().hex[:12]}")


@contextmanager
def _faults_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, DeltaError, pl.exceptions.ComputeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StateError(f"--to {folder} cannot be written: {reason}; what was there before stays") from error
