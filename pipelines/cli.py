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


errors_app = typer.Typer(
    help="What could not be ingested or delivered: see why, correct it, send it again.", no_args_is_help=True
)
app.add_typer(errors_app, name="errors")

CaseId = Annotated[str, typer.Argument(help="The case, as `errors list` names it.", metavar="CASE")]
Who = Annotated[str | None, typer.Option(help="Your name (DUECAST_USER).", metavar="NAME")]
Why = Annotated[str, typer.Option(help="The reason, for the history.", metavar="TEXT")]
Seen = Annotated[
    int | None,
    typer.Option(help="Entries of the history that you saw; refused if there are more by now.", metavar="N", min=0),
]


@errors_app.command("list")
def errors_list(
    source: Annotated[str | None, typer.Option(help="Only what came from, or goes to, this system.")] = None,
    table: Annotated[str | None, typer.Option(help="Only this table, or operation.")] = None,
    state: Annotated[
        Literal["open", "waiting", "edited", "approved", "replayed", "discarded", "all"],
        typer.Option(help="Only cases that stand so."),
    ] = "open",
    json_out: JsonOut = None,
) -> None:
    """What waits for a person: records that broke their contract, messages that a system refused.

    Example:  duecast errors list --source erp --table invoice
    """
    from pipelines.corrections.commands import list_cases

    list_cases(source=source, table=table, state=state, json_out=json_out)


@errors_app.command("show")
def errors_show(case: CaseId) -> None:
    """A case with its reasons, its payload and all that was done about it.

    Example:  duecast errors show 3f9c01ab77e2
    """
    from pipelines.corrections.commands import show_case

    show_case(case)


@errors_app.command("edit")
def errors_edit(
    case: CaseId,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="field=value, or field:=JSON; may be repeated.", metavar="FIELD=VALUE"),
    ] = None,
    payload: Annotated[Path | None, typer.Option(help="The whole payload, a JSON file.", metavar="FILE")] = None,
    who: Who = None,
    why: Why = "",
    seen: Seen = None,
) -> None:
    """Correct the payload of a case; what came is kept. An amount needs another person's approval.

    Example:  duecast errors edit 3f9c01ab77e2 --set due_date=2024-03-31 --who ada --why "typing error in the ERP"
    """
    from pipelines.corrections.commands import edit_case

    edit_case(case, changes=changes or [], payload=payload, who=who, why=why, seen=seen)


@errors_app.command("approve")
def errors_approve(case: CaseId, who: Who = None, why: Why = "", seen: Seen = None) -> None:
    """Approve what another person edited. A later edit voids it.

    Example:  duecast errors approve 3f9c01ab77e2 --who grace
    """
    from pipelines.corrections.commands import approve_case

    approve_case(case, who=who, why=why, seen=seen)


@errors_app.command("replay")
def errors_replay(
    case: CaseId,
    mapping: Mapping = None,
    landscape: Landscape = None,
    lake: Lake = None,
    who: Who = None,
    why: Why = "",
    seen: Seen = None,
) -> None:
    """Land a record, or send a message, as it was corrected; a line of a file needs its mapping.

    Examples:  duecast errors replay 3f9c01ab77e2 --who ada

    duecast errors replay 3f9c01ab77e2 --mapping my.yaml --who ada
    """
    from pipelines.corrections.commands import replay_case

    if not replay_case(case, mapping=mapping, landscape=landscape, lake=lake, who=who, why=why, seen=seen):
        raise typer.Exit(2)


@errors_app.command("discard")
def errors_discard(case: CaseId, who: Who = None, why: Why = "", seen: Seen = None) -> None:
    """Settle a case without landing or sending it, also when the same comes again.

    Example:  duecast errors discard 3f9c01ab77e2 --who ada --why "a test invoice"
    """
    from pipelines.corrections.commands import discard_case

    discard_case(case, who=who, why=why, seen=seen)


kpis_app = typer.Typer(help="Key figures over a period.", no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(kpis_app, name="kpis")


@kpis_app.command("integration")
def kpis_integration(
    since: Annotated[
        datetime | None,
        typer.Option(
            help="From the start of this day, UTC; 30 days where left out.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            help="To the start of this day, UTC; to now where left out.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"
        ),
    ] = None,
    cost_of_capital: Annotated[
        float, typer.Option(help="What money costs, in percent a year.", metavar="PERCENT", min=0, max=1000)
    ] = 8.0,
    json_out: JsonOut = None,
    landscape: Landscape = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Response times, accuracy, control totals, automation, cycle time, downtime; each with its definition.

    Example:  duecast kpis integration --since 2026-01-01 --until 2026-02-01 --json kpis.json
    """
    from pipelines.kpis.commands import show_integration_kpis

    show_integration_kpis(
        since=_date(since),
        until=_date(until),
        cost_of_capital=cost_of_capital,
        json_out=json_out,
        landscape=landscape,
        lake=lake,
        mlruns=mlruns,
    )


parties_app = typer.Typer(
    help="Who is who: one golden party for all spellings of a customer or vendor.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(parties_app, name="parties")

Trusted = Annotated[
    list[str] | None,
    typer.Option("--trust", help="Source whose values survive; repeated: the most trusted first.", metavar="SOURCE"),
]
Most = Annotated[int, typer.Option("--limit", help="Show at most so many.", min=1)]
Ref = Annotated[str, typer.Argument(help="A record: entity:role:system:record_id.", metavar="REF")]


@parties_app.command("sync")
def parties_sync(lake: Lake = None) -> None:
    """Merge the records that are surely one party; the uncertain ones become questions, what people said stands.

    Example:  duecast parties sync
    """
    from pipelines.parties.commands import sync_parties

    sync_parties(lake=lake)


@parties_app.command("list")
def parties_list(trust: Trusted = None, limit: Most = 50, json_out: JsonOut = None, lake: Lake = None) -> None:
    """Golden parties by name, with their members and which name survived why.

    Example:  duecast parties list --trust erp --trust crm --json parties.json
    """
    from pipelines.parties.commands import list_parties

    list_parties(lake=lake, trusted=trust, limit=limit, json_out=json_out)


@parties_app.command("show")
def parties_show(
    party: Annotated[str, typer.Argument(help="A party's id, or a record of it.", metavar="PARTY")],
    trust: Trusted = None,
    json_out: JsonOut = None,
    lake: Lake = None,
) -> None:
    """One golden party: why each value survived, its members, what was decided about it and by whom.

    Example:  duecast parties show DE01:customer:erp:10042
    """
    from pipelines.parties.commands import show_party

    show_party(party, lake=lake, trusted=trust, json_out=json_out)


@parties_app.command("review")
def parties_review(limit: Most = 20, json_out: JsonOut = None, lake: Lake = None) -> None:
    """The questions that are left to people, the surest first, with the evidence.

    Example:  duecast parties review --limit 5
    """
    from pipelines.parties.commands import review_parties

    review_parties(lake=lake, limit=limit, json_out=json_out)


@parties_app.command("accept")
def parties_accept(a: Ref, b: Ref, why: Why, who: Who = None, lake: Lake = None) -> None:
    """Answer a question: the two records are one party. No machine undoes it.

    Example:  duecast parties accept DE01:customer:erp:10042 DE01:customer:crm:A7 --who ana --why "same VAT number"
    """
    from pipelines.parties.commands import answer

    answer("accept", a, b, who=who, why=why, lake=lake)


@parties_app.command("reject")
def parties_reject(a: Ref, b: Ref, why: Why, who: Who = None, lake: Lake = None) -> None:
    """Answer a question: the two records are two parties. No machine merges them again.

    Example:  duecast parties reject DE01:customer:erp:10042 DE01:customer:crm:A7 --who ana --why "father and son"
    """
    from pipelines.parties.commands import answer

    answer("reject", a, b, who=who, why=why, lake=lake)


@parties_app.command("undo")
def parties_undo(
    decision: Annotated[str, typer.Argument(help="The decision's id, as `parties show` tells it.", metavar="ID")],
    why: Why,
    who: Who = None,
    lake: Lake = None,
) -> None:
    """Take a decision back, as if it had never been taken; an undo is undone in the same way.

    Example:  duecast parties undo 3f0c2a91b7d84e65c1aa --who ana --why "wrong company"
    """
    from pipelines.parties.commands import undo_decision

    undo_decision(decision, who=who, why=why, lake=lake)


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
        Path | None, typer.Option(help="Write it as JUnit XML.", metavar="OUT.xml", callback=_file(".xml"))
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it as a page.", metavar="OUT.html", callback=_file(".html"))
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
