"""`duecast kpis`: key figures over a period."""

from datetime import datetime
from typing import Annotated

import typer

from pipelines.cli_options import JsonOut, Lake, Landscape, Models, as_date

app = typer.Typer(help="Key figures over a period.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command("integration")
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
        since=as_date(since),
        until=as_date(until),
        cost_of_capital=cost_of_capital,
        json_out=json_out,
        landscape=landscape,
        lake=lake,
        mlruns=mlruns,
    )
