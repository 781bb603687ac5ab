"""`duecast anomalies`: what is odd in the books, why, and what people say of it."""

from datetime import datetime
from typing import Annotated, Literal

import typer

from pipelines.cli_options import JsonOut, Lake, Models, Who, Why, as_date

app = typer.Typer(
    help="Odd invoices, payments, master data and feeds, within an alert budget.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

AlertId = Annotated[str, typer.Argument(help="The alert's id, as listed.", metavar="ALERT")]


@app.command("list")
def anomalies_list(
    budget: Annotated[
        float, typer.Option(help="At most this share of the documents become alerts.", metavar="SHARE")
    ] = 0.01,
    per_day: Annotated[int, typer.Option(help="At most so many alerts a day of an entity.", metavar="N")] = 10,
    least_chance: Annotated[
        float,
        typer.Option(
            help="No alert that is less likely to be odd than this, however much of the budget is left.", metavar="P"
        ),
    ] = 0.02,
    since: Annotated[
        datetime | None,
        typer.Option(help="Only what was learnt since this day, UTC.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"),
    ] = None,
    entity: Annotated[str | None, typer.Option(help="Only this legal entity.", metavar="ID")] = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Alerts that nobody has judged, the likeliest first, each with the comparison that makes it odd.

    Example:  duecast anomalies list --budget 0.004 --least-chance 0.1 --since 2026-01-01 --json alerts.json
    """
    from models.anomalies.alerts import Budget
    from pipelines.anomaly_commands import list_alerts

    list_alerts(
        budget=Budget(budget, per_day, least_chance),
        since=as_date(since),
        entity=entity,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )


@app.command("show")
def anomalies_show(alert: AlertId, json_out: JsonOut = None, lake: Lake = None, mlruns: Models = None) -> None:
    """One alert: all of its evidence, its documents, what was said of it and by whom.

    Example:  duecast anomalies show 3f1c9a0b7d2e4f56
    """
    from pipelines.anomaly_commands import show_alert

    show_alert(alert, json_out=json_out, lake=lake, mlruns=mlruns)


@app.command("judge")
def anomalies_judge(
    alert: AlertId,
    verdict: Annotated[Literal["real", "not"], typer.Argument(help="Was it really odd?")],
    why: Why,
    who: Who = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Say whether an alert was real. It is told no more, and the next training learns from it.

    Example:  duecast anomalies judge 3f1c9a0b7d2e4f56 not --who ana --why "agreed quarterly order"
    """
    from pipelines.anomaly_commands import judge_alert

    judge_alert(alert, verdict, who=who, why=why, lake=lake, mlruns=mlruns)
