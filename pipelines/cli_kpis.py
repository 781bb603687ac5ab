"""`duecast kpis`: key figures over a period."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli_options import AsOf, JsonOut, Lake, Landscape, Models, as_date

app = typer.Typer(help="Key figures over a period.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command("collections")
def kpis_collections(
    as_of: AsOf = None,
    days: Annotated[int, typer.Option(help="Length of the period before it.", min=1, max=3660)] = 90,
    by: Annotated[
        Literal["entity", "currency", "segment", "parent", "collector", "customer"],
        typer.Option(help="What a row is of; always of one currency, and of one entity but for currency."),
    ] = "entity",
    group_currency: Annotated[
        str | None, typer.Option(help="Rows over all currencies too, at the day's rates.", metavar="CODE")
    ] = None,
    tolerance_days: Annotated[
        int, typer.Option(help="A promise is kept when paid so many days after.", min=0, max=3660)
    ] = 2,
    worth_days: Annotated[int, typer.Option(help="DSO worth: of so many days.", min=1, max=3660)] = 1,
    definitions: Annotated[bool, typer.Option("--definitions", help="Say what each figure means.")] = False,
    limit: Annotated[
        int, typer.Option(help="Show at most so many rows; with --group-currency, so many groups.", min=1)
    ] = 30,
    json_out: JsonOut = None,
    lake: Lake = None,
) -> None:
    """DSO, CEI, ageing, roll rates, promises, deductions, cycle time, as known when the day began.

    Examples:  duecast kpis collections --by segment --group-currency EUR

    duecast kpis collections --as-of 2026-01-05 --days 365 --definitions --json kpis.json
    """
    from features.kpis.settings import KpiSettings
    from pipelines.kpis.collections import show_collection_kpis

    show_collection_kpis(
        as_of=as_date(as_of),
        settings=KpiSettings(days=days, tolerance_days=tolerance_days, worth_days=worth_days),
        by=by,
        group_currency=group_currency,
        definitions=definitions,
        limit=limit,
        json_out=json_out,
        lake=lake,
    )


@app.command("provision")
def kpis_provision(
    as_of: AsOf = None,
    rates: Annotated[
        Path | None,
        typer.Option(help="Loss rates by bucket, a YAML file; without it, what the past shows.", metavar="FILE"),
    ] = None,
    oldest_loss: Annotated[
        float | None,
        typer.Option(
            help="Lost of what is 90+ days late, in percent, where the past does not show it.", min=0, max=100
        ),
    ] = None,
    factor: Annotated[
        float | None, typer.Option(help="Forward-looking: every rate times this.", min=0.001, max=1000)
    ] = None,
    by: Annotated[
        Literal["entity", "segment"], typer.Option(help="One matrix an entity and currency, or segment too.")
    ] = "entity",
    json_out: JsonOut = None,
    lake: Lake = None,
) -> None:
    """The IFRS 9 provision matrix: what is owed by days past due times its loss rate; ties to the ageing to the cent.

    Example:  duecast kpis provision --rates rates.yaml --as-of 2026-01-05
    """
    from pipelines.kpis.collections import show_provision

    show_provision(
        as_of=as_date(as_of),
        rates=rates,
        oldest_loss=oldest_loss,
        factor=factor,
        by=("segment",) if by == "segment" else (),
        json_out=json_out,
        lake=lake,
    )


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
