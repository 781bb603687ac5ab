"""`duecast anomalies`: what is odd in the books, why, and what people say of it."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli_options import SCORE_ENDINGS, AsOf, JsonOut, Lake, Models, Who, Why, as_date, written_file

app = typer.Typer(
    help="Odd invoices, payments, master data and feeds, within an alert budget.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

AlertId = Annotated[str, typer.Argument(help="The alert's id, as listed.", metavar="ALERT")]

# The options of the list, in the order of its parameters.
BudgetShare = Annotated[float, typer.Option(help="At most this share of the documents become alerts.", metavar="SHARE")]
PerDay = Annotated[int, typer.Option(help="At most so many alerts a day of an entity.", metavar="N")]
LeastChance = Annotated[
    float,
    typer.Option(
        help="No alert that is less likely to be odd than this, however much of the budget is left.", metavar="P"
    ),
]
Days = Annotated[
    int | None,
    typer.Option(
        help="Only what was learnt in so many days up to the newest, or to --as-of. Default: 30.", metavar="N"
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        help="Only what was learnt since this day, UTC; instead of --days.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"
    ),
]
AllOfThem = Annotated[
    bool, typer.Option("--all", help="Of all days, and duplicates that the books took back since, too.")
]
Limit = Annotated[int, typer.Option(help="Show at most so many; files hold all.", metavar="N")]
Entity = Annotated[str | None, typer.Option(help="Only this legal entity.", metavar="ID")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write all of the alerts: .parquet, .csv or .json.", metavar="FILE", callback=written_file(*SCORE_ENDINGS)
    ),
]


@app.command("list")
def anomalies_list(
    budget: BudgetShare = 0.01,
    per_day: PerDay = 10,
    least_chance: LeastChance = 0.02,
    days: Days = None,
    since: Since = None,
    all_of_them: AllOfThem = False,
    limit: Limit = 20,
    as_of: AsOf = None,
    entity: Entity = None,
    out: Out = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Alerts of the last 30 days that nobody has judged, the likeliest first, each with what makes it odd.

    The budget is a share of the documents of those days. As of a past day too it is the model that serves now. Files
    hold all alerts of those days, with the day on which the books took one back.

    Examples:

    duecast anomalies list --days 7 --budget 0.004 --least-chance 0.1 --out alerts.csv

    duecast anomalies list --as-of 2026-01-05 --entity DE01
    """
    from models.anomalies.alerts import Budget
    from pipelines.anomaly_commands import Window, list_alerts

    list_alerts(
        budget=Budget(budget, per_day, least_chance),
        window=Window(days, as_date(since), all_of_them, limit),
        as_of=as_date(as_of),
        entity=entity,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )


@app.command("show")
def anomalies_show(
    alert: AlertId, as_of: AsOf = None, json_out: JsonOut = None, lake: Lake = None, mlruns: Models = None
) -> None:
    """One alert: all of its evidence, its documents, what was said of it and by whom.

    Example:  duecast anomalies show 3f1c9a0b7d2e4f56
    """
    from pipelines.anomaly_commands import show_alert

    show_alert(alert, as_of=as_date(as_of), json_out=json_out, lake=lake, mlruns=mlruns)


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
