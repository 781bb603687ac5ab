"""The command line: `duecast demo, ingest, train, evaluate, score, serve`.

Nothing heavy is imported until a command needs it, so that `--help` answers at once. What the caller can mend is said
in one line with exit code 2; a source's fault ends with 3, our own with 4.
"""

import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from features.errors import BadSetting, DuecastError

app = typer.Typer(
    name="duecast",
    help="When will each invoice be paid? Pull the ledger, learn from it, ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

# What `pipelines.score` writes, said here too, since the answer to a wrong ending should not wait for its imports.
SCORE_ENDINGS = (".parquet", ".csv", ".json")


def _folder(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """`path`, which is a folder or can become one; `BadSetting` before any work is done."""
    there = next((place for place in (path, *path.parents) if place.exists()), None) if path else None
    if there is not None and not there.is_dir():
        raise BadSetting(f"{option.opts[0]} {path}: {there} is a file; allowed: a folder, which is made where absent")
    return path


def _file(*endings: str) -> Callable[[typer.CallbackParam, Path | None], Path | None]:
    """A check as `_folder`, of a file to be written, whose name has one of the `endings` if there are any."""

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
Lake = Annotated[str | None, typer.Option(help="Where the facts are (DUECAST_LAKE).", metavar="FOLDER|URL")]
Models = Annotated[
    Path | None,
    typer.Option(help="Where models are kept (DUECAST_MLRUNS).", metavar="FOLDER", callback=_folder),
]
Mapping = Annotated[
    str | None, typer.Option(help="How to read it: a shipped name (ibm-ar, highradius, sandbox) or a YAML file.")
]
JsonOut = Annotated[
    Path | None, typer.Option("--json", help="Write the figures there, as JSON.", metavar="OUT", callback=_file())
]
Quarantine = Annotated[
    Path | None,
    typer.Option(help="Write every row that is set aside there, and why.", metavar="OUT.csv", callback=_file(".csv")),
]
Landscape = Annotated[
    Path | None, typer.Option(help="The systems to talk to, a YAML file (DUECAST_LANDSCAPE).", metavar="FILE")
]
Seed = Annotated[int, typer.Option(help="Same data and seed, same result.")]


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="Customers of the sandbox seller.", min=20)] = 120,
    keep: Annotated[
        Path | None, typer.Option(help="Keep lake and models in this folder.", metavar="FOLDER", callback=_folder)
    ] = None,
    stay: Annotated[bool, typer.Option(help="Leave the services running until Ctrl-C.")] = False,
) -> None:
    """The whole way once: sandbox ERP, pull over HTTP, features, train, evaluate, register, serve, predict.

    Example:  duecast demo --customers 60
    """
    from pipelines.demo import run

    run(customers=customers, keep=keep, stay=stay)


@app.command()
def ingest(
    data: Annotated[Path | None, typer.Option(help="Folder with files.", metavar="FOLDER")] = None,
    url: Annotated[str | None, typer.Option(help="Base URL of an API instead.", metavar="URL")] = None,
    system: Annotated[
        str | None, typer.Option(help="A system of the landscape instead: an ERP, a bank.", metavar="NAME")
    ] = None,
    landscape: Landscape = None,
    mapping: Mapping = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds the API's token.", metavar="FILE")] = None,
    quarantine: Quarantine = None,
    lake: Lake = None,
) -> None:
    """Bring a source's records into the lake; what breaks its contract is set aside with the reason.

    Examples:  duecast ingest --data ledger/ --mapping my.yaml

    duecast ingest --url http://127.0.0.1:8800 --mapping sandbox --token-file token.txt

    duecast ingest --system erp --landscape landscape.yaml
    """
    from pipelines.commands import ingest_into, ingest_system_into

    if [data, url, system].count(None) != 2:
        raise BadSetting("give one of --data FOLDER, --url URL, --system NAME")
    if system is not None:
        if mapping is not None or token_file is not None:
            raise BadSetting("--mapping and --token-file do not go with --system; the landscape says both")
        ingest_system_into(system, landscape=landscape, quarantine=quarantine, lake=lake)
        return
    if mapping is None:
        raise BadSetting("--mapping is missing; allowed: ibm-ar, highradius, sandbox or a YAML file of your own")
    ingest_into(data=data, url=url, mapping=mapping, token_file=token_file, quarantine=quarantine, lake=lake)


@app.command()
def train(
    lake: Lake = None,
    mlruns: Models = None,
    report: Annotated[Path, typer.Option(help="Folder for the backtest's report.", callback=_folder)] = Path(
        ".duecast/report"
    ),
    seed: Seed = 7,
) -> None:
    """Backtest, train on everything the lake knows, register the model and make it the champion.

    Example:  duecast train --lake .duecast/lake
    """
    from pipelines.commands import train_and_register

    train_and_register(lake=lake, mlruns=mlruns, report=report, seed=seed)


@app.command()
def evaluate(
    data: Annotated[
        Path | None, typer.Option(help="Folder with files; without it, the lake.", metavar="FOLDER")
    ] = None,
    mapping: Mapping = None,
    quarantine: Quarantine = None,
    cutoff: Day = None,
    until: Day = None,
    origins: Annotated[int, typer.Option(help="Windows of equal length, each trained anew.", min=1)] = 1,
    late_days: Annotated[int, typer.Option(help='The event is "paid K or more days late".', metavar="K", min=1)] = 1,
    history: Annotated[
        Literal["as-of", "frozen"], typer.Option(help="Features up to each issue date, or frozen at the cutoff.")
    ] = "as-of",
    report: Annotated[
        Path, typer.Option(help="Folder for report.md, report.json and pictures.", callback=_folder)
    ] = Path(".duecast/evaluation"),
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
    seed: Seed = 7,
) -> None:
    """Train on what was known before the cutoff, test on what was issued from then on, beside honest baselines.

    Example:  duecast evaluate --data ledger/ --mapping my.yaml --cutoff 2013-06-09 --until 2014-01-01 --json out.json
    """
    from pipelines.commands import evaluate_ledger

    if data is None and mapping is not None:
        raise BadSetting(f"--mapping {mapping} without --data; allowed: both to judge on files, neither for the lake")
    if data is None and quarantine is not None:
        raise BadSetting(f"--quarantine {quarantine} without --data: the lake's rows have been checked; leave it out")
    if data is not None and mapping is None:
        raise BadSetting("--data needs --mapping; allowed: ibm-ar, highradius or a YAML file of your own")
    evaluate_ledger(
        data=data,
        mapping=mapping,
        quarantine=quarantine,
        cutoff=_date(cutoff),
        until=_date(until),
        origins=origins,
        late_days=late_days,
        history=history,
        report=report,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
        seed=seed,
    )


@app.command()
def score(
    as_of: Day = None,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity.")] = None,
    invoice: Annotated[list[str] | None, typer.Option(help="Only these invoices; may be repeated.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write all of it: .parquet, .csv or .json.", metavar="FILE", callback=_file(*SCORE_ENDINGS)),
    ] = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Predict every open invoice of the lake with the champion.

    Examples:  duecast score --entity DE01

    duecast score --as-of 2026-01-05 --out predictions.parquet
    """
    from pipelines.commands import score_lake

    score_lake(as_of=_date(as_of), entity=entity, invoices=invoice or [], out=out, lake=lake, mlruns=mlruns)


@app.command()
def serve(
    lake: Lake = None,
    mlruns: Models = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (DUECAST_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (DUECAST_PORT).")] = None,
) -> None:
    """Answer prediction requests over HTTP until Ctrl-C; on loopback unless told otherwise.

    Example:  duecast serve --port 3000
    """
    from services.launcher import serve as serve_until_stopped
    from services.settings import read_settings

    serve_until_stopped(read_settings(lake=lake, mlruns=mlruns, host=host, port=port))


def _date(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of the command line `arguments`; errors made on purpose become one line on stderr."""
    command = typer.main.get_command(app)
    try:
        return int(command.main(arguments, prog_name="duecast", standalone_mode=False) or 0)
    except DuecastError as error:
        sys.stderr.write(f"duecast: {error}\n")
        return error.exit_code
    except OSError as error:  # a place that cannot be read or written; what its own module knows more of, it has said
        sys.stderr.write(f"duecast: {error.filename or 'the system'}: {error.strerror or error}\n")
        return 2
    except typer.Exit as end:
        return int(end.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("duecast: stopped\n")
        return 130
    except typer.TyperException as error:
        said = error.format_message().rstrip(".")
        if said:  # nothing is said where the help has just been shown
            sys.stderr.write(f"duecast: {said}; see `duecast --help`\n")
        return 2


if __name__ == "__main__":
    main()
