"""The command line: every command of `duecast`, but for those of `errors`, `kpis` and `parties` (`cli_*.py`).

Nothing heavy is imported until a command needs it, so that `--help` answers at once. What the caller can mend is said
in one line with exit code 2; a source's fault ends with 3, our own with 4.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from features.errors import BadSetting, DuecastError
from pipelines import (
    cli_anomalies,
    cli_cash,
    cli_credit,
    cli_errors,
    cli_export,
    cli_kpis,
    cli_parties,
    cli_train,
    cli_worklist,
)
from pipelines.cli_options import (
    SCORE_ENDINGS,
    AsOf,
    Day,
    JsonOut,
    Lake,
    Landscape,
    Mapping,
    Models,
    Quarantine,
    Seed,
    as_date,
    folder,
    written_file,
)

INTERRUPTED = 130

app = typer.Typer(
    name="duecast",
    help="Pull the ledger, learn from it, ask it: when is what paid, how much cash comes, who is a risk, whom to call?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.command()
def demo(
    customers: Annotated[int, typer.Option(help="Customers of the sandbox seller.", min=20)] = 200,
    keep: Annotated[
        Path | None, typer.Option(help="Keep lake and models in this folder.", metavar="FOLDER", callback=folder)
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
        Path, typer.Option(help="Folder for report.md, report.json and pictures.", callback=folder)
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
        cutoff=as_date(cutoff),
        until=as_date(until),
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
    as_of: AsOf = None,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity.")] = None,
    invoice: Annotated[list[str] | None, typer.Option(help="Only these invoices; may be repeated.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all of it: .parquet, .csv or .json.", metavar="FILE", callback=written_file(*SCORE_ENDINGS)
        ),
    ] = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Predict every open invoice of the lake with the champion.

    Examples:  duecast score --entity DE01

    duecast score --as-of 2026-01-05 --out predictions.parquet
    """
    from pipelines.commands import score_lake

    score_lake(as_of=as_date(as_of), entity=entity, invoices=invoice or [], out=out, lake=lake, mlruns=mlruns)


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


@app.command()
def dispatch(
    system: Annotated[list[str] | None, typer.Option(help="Only to this system; may be repeated.")] = None,
    landscape: Landscape = None,
) -> None:
    """Deliver what waits in the outbox to the source systems: sales, invoices, cash, disputes; each exactly once.

    Example:  duecast dispatch --system erp
    """
    from pipelines.dispatch_commands import dispatch_outbox

    dispatch_outbox(systems=tuple(system or ()), landscape=landscape)


@app.command()
def sit(
    target: Annotated[str, typer.Option(help="The system of the landscape to examine.", metavar="NAME")],
    landscape: Landscape = None,
    write: Annotated[bool, typer.Option("--write", help="Also write to its test company, and take it back.")] = False,
    json_out: JsonOut = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write it as JUnit XML.", metavar="OUT.xml", callback=written_file(".xml"))
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page.", metavar="OUT.html", callback=written_file(".html"))
    ] = None,
) -> None:
    """Is a system fit for production? Reads it and lands it in a lake that is thrown away; exit code 0: go, 1: no-go.

    Examples:  duecast sit --target erp --landscape landscape.yaml --html sit.html

    duecast sit --target erp --write --junit sit.xml
    """
    from pipelines.sit.command import sit as examine

    if not examine(target, landscape=landscape, write=write, json_out=json_out, junit=junit, html=html):
        raise typer.Exit(1)


@app.command()
def hooks(
    source: Annotated[str | None, typer.Argument(help="Only what this system sent.", metavar="[SYSTEM]")] = None,
    landscape: Landscape = None,
    quarantine: Quarantine = None,
    lake: Lake = None,
) -> None:
    """Bring what systems sent to the service as webhooks into the lake, whatever the order it came in.

    Examples:  duecast hooks

    duecast hooks erp --quarantine aside.csv
    """
    from pipelines.hook_commands import land_hooks

    if quarantine is not None and source is None:
        raise BadSetting(f"--quarantine {quarantine} without a system; allowed: duecast hooks SYSTEM --quarantine ...")
    land_hooks(source, landscape=landscape, quarantine=quarantine, lake=lake)


app.add_typer(cli_cash.app, name="cash")
app.add_typer(cli_credit.app, name="credit")
app.add_typer(cli_anomalies.app, name="anomalies")
app.add_typer(cli_errors.app, name="errors")
app.add_typer(cli_kpis.app, name="kpis")
app.add_typer(cli_parties.app, name="parties")
app.command("train")(cli_train.train)
app.command("export")(cli_export.export)
app.add_typer(cli_worklist.app, name="worklist")


def main() -> NoReturn:
    """Run the command line and end the process with its exit code; the files that it makes are its user's alone."""
    os.umask(0o077)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of the command line `arguments`; errors made on purpose become one line on stderr."""
    command = typer.main.get_command(app)
    try:
        code = int(command.main(arguments, prog_name="duecast", standalone_mode=False) or 0)
        if code == INTERRUPTED:  # Typer makes an exit code of Ctrl-C, without a word
            sys.stderr.write("duecast: stopped\n")
        return code
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
        return INTERRUPTED
    except typer.TyperException as error:
        said = error.format_message().rstrip(".")
        if said:  # nothing is said where the help has just been shown
            sys.stderr.write(f"duecast: {said}; see `duecast --help`\n")
        return 2


if __name__ == "__main__":
    main()
