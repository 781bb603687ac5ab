"""`duecast parties`: golden parties, and the questions about them."""

from typing import Annotated

import typer

from pipelines.cli_options import JsonOut, Lake, Who, Why

app = typer.Typer(
    help="Who is who: one golden party for all spellings of a customer or vendor.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Trusted = Annotated[
    list[str] | None,
    typer.Option("--trust", help="Source whose values survive; repeated: the most trusted first.", metavar="SOURCE"),
]
Most = Annotated[int, typer.Option("--limit", help="Show at most so many.", min=1)]
Ref = Annotated[str, typer.Argument(help="A record: entity:role:system:record_id.", metavar="REF")]


@app.command("sync")
def parties_sync(lake: Lake = None) -> None:
    """Merge the records that are surely one party; the uncertain ones become questions, what people said stands.

    Example:  duecast parties sync
    """
    from pipelines.parties.commands import sync_parties

    sync_parties(lake=lake)


@app.command("list")
def parties_list(trust: Trusted = None, limit: Most = 50, json_out: JsonOut = None, lake: Lake = None) -> None:
    """Golden parties by name, with their members and which name survived why.

    Example:  duecast parties list --trust erp --trust crm --json parties.json
    """
    from pipelines.parties.commands import list_parties

    list_parties(lake=lake, trusted=trust, limit=limit, json_out=json_out)


@app.command("show")
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


@app.command("review")
def parties_review(limit: Most = 20, json_out: JsonOut = None, lake: Lake = None) -> None:
    """The questions that are left to people, the surest first, with the evidence.

    Example:  duecast parties review --limit 5
    """
    from pipelines.parties.commands import review_parties

    review_parties(lake=lake, limit=limit, json_out=json_out)


@app.command("accept")
def parties_accept(a: Ref, b: Ref, why: Why, who: Who = None, lake: Lake = None) -> None:
    """Answer a question: the two records are one party. No machine undoes it.

    Example:  duecast parties accept DE01:customer:erp:10042 DE01:customer:crm:A7 --who ana --why "same VAT number"
    """
    from pipelines.parties.commands import answer

    answer("accept", a, b, who=who, why=why, lake=lake)


@app.command("reject")
def parties_reject(a: Ref, b: Ref, why: Why, who: Who = None, lake: Lake = None) -> None:
    """Answer a question: the two records are two parties. No machine merges them again.

    Example:  duecast parties reject DE01:customer:erp:10042 DE01:customer:crm:A7 --who ana --why "father and son"
    """
    from pipelines.parties.commands import answer

    answer("reject", a, b, who=who, why=why, lake=lake)


@app.command("undo")
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
