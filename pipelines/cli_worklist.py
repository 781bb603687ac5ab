"""`duecast worklist`: who to contact today and why; and what a contact is worth, learnt from its own draws."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import AsOf, JsonOut, Lake, Models, Seed, as_date, written_file

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="markdown",
)

# The options of the list, in the order of its parameters.
Capacity = Annotated[int, typer.Option(help="Contacts a day.", min=1)]
PerCollector = Annotated[bool, typer.Option("--per-collector/--per-entity", help="Whose capacity that is.")]
Horizon = Annotated[int, typer.Option(help="Days within which money counts.", min=1, max=90, metavar="DAYS")]
Holdout = Annotated[
    float, typer.Option(help="Share of the list that a draw leaves out, to learn from.", min=0, max=0.9)
]
CostOfCapital = Annotated[
    float, typer.Option(help="What money costs, in percent a year.", metavar="PERCENT", min=0, max=1000)
]
ContactCost = Annotated[float, typer.Option(help="Of one contact, in the entity's currency.", min=0)]
GapDays = Annotated[
    int, typer.Option(help="Days between two contacts of a customer; after a draw, the horizon at least.", min=0)
]
PerMonth = Annotated[int, typer.Option(help="Days of 30 on which a customer is contacted.", min=1)]
Entity = Annotated[str | None, typer.Option(help="Only this entity.", metavar="ID")]
DespiteStale = Annotated[bool, typer.Option("--despite-stale", help="List although a feed is silent.")]
Record = Annotated[bool, typer.Option("--record", help="Land the list in the lake, as it was drawn.")]
Limit = Annotated[
    int, typer.Option(help="Contacts shown, shared between entities; files hold all of them.", min=1, metavar="N")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write the list there.", metavar="OUT.parquet|OUT.csv", callback=written_file(".parquet", ".csv")
    ),
]


@app.callback()
def worklist(
    context: typer.Context,
    capacity: Capacity = 40,
    per_collector: PerCollector = True,
    horizon: Horizon = 14,
    holdout: Holdout = 0.05,
    cost_of_capital: CostOfCapital = 8.0,
    contact_cost: ContactCost = 2.0,
    gap_days: GapDays = 7,
    per_month: PerMonth = 3,
    entity: Entity = None,
    as_of: AsOf = None,
    despite_stale: DespiteStale = False,
    record: Record = False,
    limit: Limit = 20,
    seed: Seed = 7,
    out: Out = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Who to contact today and why, under the collectors' capacity; who is held, and what releases them.

    Ranked by what a contact is worth, learnt from randomised contacts only; by value at risk until there are enough of
    them and their effect is told apart from none.

    Examples:  duecast worklist --capacity 25 --limit 40 --json worklist.json

    duecast worklist --entity DE01 --as-of 2026-01-05 --holdout 0.1 --record

    duecast train contact-effect --horizon-days 7 && duecast worklist --horizon 7
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
        limit=limit,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )
