"""Options that several commands share, and the checks of what they name before any work is done."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadSetting

# What `pipelines.score` writes, said here too, since the answer to a wrong ending should not wait for its imports.
SCORE_ENDINGS = (".parquet", ".csv", ".json")
FIRST_YEAR, LAST_YEAR = 1900, 2199  # as in `pipelines.parsers`


def folder(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """`path`, which is a folder or can become one; `BadSetting` before any work is done."""
    there = next((place for place in (path, *path.parents) if place.exists()), None) if path else None
    if there is not None and not there.is_dir():
        raise BadSetting(f"{option.opts[0]} {path}: {there} is a file; allowed: a folder, which is made where absent")
    return path


def written_file(*endings: str) -> Callable[[typer.CallbackParam, Path | None], Path | None]:
    """A check as `folder`, of a file to be written, whose name has one of the `endings` if there are any."""

    def check(option: typer.CallbackParam, path: Path | None) -> Path | None:
        if path is None:
            return None
        told = f"{option.opts[0]} {path}"
        if endings and path.suffix not in endings:
            raise BadSetting(f"{told} ends in {path.suffix!r}; allowed: {', '.join(endings)}")
        if path.is_dir():
            raise BadSetting(f"{told} is a folder; allowed: a file")
        if not path.parent.is_dir():
            raise BadSetting(f"{told}: there is no folder {path.parent}; allowed: a file in a folder that exists")
        return path

    return check


Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="YYYY-MM-DD",
        help="With what was known before that day began; without it, with all there is.",
    ),
]
Lake = Annotated[str | None, typer.Option(help="Where the facts are (DUECAST_LAKE).", metavar="FOLDER|URL")]
Models = Annotated[
    Path | None,
    typer.Option(help="Where models are kept (DUECAST_MLRUNS).", metavar="FOLDER", callback=folder),
]
Mapping = Annotated[
    str | None, typer.Option(help="How to read it: a shipped name (ibm-ar, highradius, sandbox) or a YAML file.")
]
JsonOut = Annotated[
    Path | None,
    typer.Option("--json", help="Write the figures there, as JSON.", metavar="OUT", callback=written_file()),
]
Quarantine = Annotated[
    Path | None,
    typer.Option(
        help="Write every row that is set aside there, and why.", metavar="OUT.csv", callback=written_file(".csv")
    ),
]
Landscape = Annotated[
    Path | None, typer.Option(help="The systems to talk to, a YAML file (DUECAST_LANDSCAPE).", metavar="FILE")
]
Seed = Annotated[int, typer.Option(help="Same data and seed, same result.", min=0)]
Who = Annotated[str | None, typer.Option(help="Your name (DUECAST_USER).", metavar="NAME")]
Why = Annotated[str, typer.Option(help="The reason, for the history.", metavar="TEXT")]


def as_date(given: datetime | None) -> date | None:
    """`day_of` an option; None where it was left out."""
    return None if given is None else day_of(given)


def day_of(given: datetime) -> date:
    """The day of an option; `BadSetting` for one that no calendar here reaches."""
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise BadSetting(f"{given.date()} is no day of a ledger; allowed: a day from {FIRST_YEAR} to {LAST_YEAR}")
    return given.date()
