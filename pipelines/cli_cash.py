"""`duecast cash`: what comes in, week by week, and why an earlier forecast was off."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import SCORE_ENDINGS, AsOf, JsonOut, Lake, Models, Seed, as_date, day_of, written_file

app = typer.Typer(rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def forecast(
    context: typer.Context,
    weeks: Annotated[int, typer.Option(help="Weeks ahead.", min=1, max=13)] = 13,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity.")] = None,
    currency: Annotated[str | None, typer.Option(help="Only this currency.", metavar="CODE")] = None,
    group_currency: Annotated[
        str | None, typer.Option(help="Add everything up in this currency, at the rates known.", metavar="CODE")
    ] = None,
    as_of: AsOf = None,
    scenario: Annotated[
        Path | None, typer.Option(help="What if: a YAML or JSON file, shown beside the base.", metavar="FILE")
    ] = None,
    draws: Annotated[int, typer.Option(help="How many futures to draw.", min=100, max=20_000)] = 1_000,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write weeks and days: .parquet, .csv or .json.",
            metavar="FILE",
            callback=written_file(*SCORE_ENDINGS),
        ),
    ] = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
    seed: Seed = 7,
) -> None:
    """Expected inflow with its intervals, per entity and currency: open invoices, orders, business not yet booked.

    Examples:  duecast cash --entity DE01 --group-currency EUR

    duecast cash --as-of 2026-01-05 --scenario slower.yaml --out cash.parquet
    """
    if context.invoked_subcommand is not None:
        return
    from pipelines.cash import Asked
    from pipelines.cash_commands import show_forecast

    show_forecast(
        Asked(weeks=weeks, entity=entity, currency=currency, group=group_currency, draws=draws, seed=seed),
        as_of=as_date(as_of),
        scenario=scenario,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )


@app.command()
def explain(
    since: Annotated[
        datetime, typer.Option("--from", help="The day of the forecast.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")
    ],
    until: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            help="Up to before this day; 4 weeks where left out.",
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
    seed: Seed = 7,
) -> None:
    """Forecast against actual: timing, amount, new business, disputes; to the cent.

    Example:  duecast cash explain --from 2025-11-03 --to 2025-12-01
    """
    from pipelines.cash_commands import show_decomposition

    first = day_of(since)
    last = as_date(until) or first + timedelta(days=28)
    show_decomposition(since=first, until=last, json_out=json_out, lake=lake, mlruns=mlruns, seed=seed)
