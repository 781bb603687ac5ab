"""`duecast errors`: what was set aside or could not be delivered."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli_options import JsonOut, Lake, Landscape, Mapping, Who, Why

app = typer.Typer(
    help="What could not be ingested or delivered: see why, correct it, send it again.", no_args_is_help=True
)

CaseId = Annotated[str, typer.Argument(help="The case, as `errors list` names it.", metavar="CASE")]
Seen = Annotated[
    int | None,
    typer.Option(help="Entries of the history that you saw; refused if there are more by now.", metavar="N", min=0),
]


@app.command("list")
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


@app.command("show")
def errors_show(case: CaseId) -> None:
    """A case with its reasons, its payload and all that was done about it.

    Example:  duecast errors show 3f9c01ab77e2
    """
    from pipelines.corrections.commands import show_case

    show_case(case)


@app.command("edit")
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


@app.command("approve")
def approve(case: CaseId, who: Who = None, why: Why = "", seen: Seen = None) -> None:
    """Approve what another person edited. A later edit voids it.

    Example:  duecast errors approve 3f9c01ab77e2 --who grace
    """
    from pipelines.corrections.commands import approve_case

    approve_case(case, who=who, why=why, seen=seen)


@app.command("replay")
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


@app.command("discard")
def errors_discard(case: CaseId, who: Who = None, why: Why = "", seen: Seen = None) -> None:
    """Settle a case without landing or sending it, also when the same comes again.

    Example:  duecast errors discard 3f9c01ab77e2 --who ada --why "a test invoice"
    """
    from pipelines.corrections.commands import discard_case

    discard_case(case, who=who, why=why, seen=seen)
