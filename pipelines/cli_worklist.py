"""`duecast worklist`: who to contact today and why; and what a contact is worth, learnt from its own draws."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import JsonOut, Lake, Models, Seed, as_date, written_file

app = typer.Typer(
    help="Who to contact today, why, and who is held.",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)

Horizon = Annotated[int, typer.Option(help="Days within which money counts.", min=1, max=90, metavar="DAYS")]


@app.callback()
def worklist(
    context: typer.Context,
    capacity: Annotated[int, typer.Option(help="Contacts a day.", min=1)] = 40,
    per_collector: Annotated[bool, typer.Option("--per-collector/--per-entity", help="Whose capacity that is.")] = True,
    horizon: Horizon = 14,
    holdout: Annotated[
        float, typer.Option(help="Share of the list that a draw leaves out, to learn from.", min=0, max=0.9)
    ] = 0.05,
    cost_of_capital: Annotated[
        float, typer.Option(help="What money costs, in percent a year.", metavar="PERCENT", min=0, max=1000)
    ] = 8.0,
    contact_cost: Annotated[float, typer.Option(help="Of one contact, in the entity's currency.", min=0)] = 2.0,
    gap_days: Annotated[
        int, typer.Option(help="Days between two contacts of a customer; after a draw, the horizon at least.", min=0)
    ] = 7,
    per_month: Annotated[int, typer.Option(help="Contacts of a customer in 30 days.", min=1)] = 3,
    entity: Annotated[str | None, typer.Option(help="Only this entity.", metavar="ID")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            help="With what was known before this day; with all there is where left out.",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    despite_stale: Annotated[bool, typer.Option("--despite-stale", help="List although a feed is silent.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Land the list in the lake, as it was drawn.")] = False,
    seed: Seed = 7,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the list there.", metavar="OUT.parquet|OUT.csv", callback=written_file(".parquet", ".csv")
        ),
    ] = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Who to contact today and why, under the collectors' capacity; who is held, and what releases them.

    Ranked by what a contact is worth, learnt from randomised contacts only; by value at risk until there are enough.

    Examples:  duecast worklist --capacity 40 --per-collector --json worklist.json

    duecast worklist --entity DE01 --as-of 2026-01-05 --holdout 0.1 --record
    """
    if context.invoked_subcommand is not None:
        return
    from models.worklist.settings import WorklistSettings
    from pipelines.worklist_commands import show_worklist

    chosen = WorklistSettings(
        capacity=capacity,
        per_collector=per_collector,
        horizon_days=horizon,
        holdout_share=holdout,
        seed=seed,
        capital_rate=cost_of_capital / 100,
        contact_cost=contact_cost,
        gap_days=gap_days,
        contacts_per_30_days=per_month,
    )
    show_worklist(
        chosen,
        as_of=as_date(as_of),
        entity=entity,
        despite_stale=despite_stale,
        recorded=record,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )
