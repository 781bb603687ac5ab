"""`duecast train`: every model that there is, each with its own options."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Lake, Models, Seed, folder

# The options of single models, each under a heading of who takes it: `pipelines.trainers.TRAINERS`.
CREDIT, BOTH, ODD = "credit-risk only", "credit-risk and contact-effect only", "anomalies only"
Data = Annotated[
    Path | None,
    typer.Option(help="A portfolio table instead of the lake.", metavar="FILE", rich_help_panel=CREDIT),
]
DataMapping = Annotated[
    str | None,
    typer.Option(help="How to read it, a shipped name or a YAML file.", metavar="M", rich_help_panel=CREDIT),
]
LateDays = Annotated[
    int | None, typer.Option(help="Days late that are a default; 90.", metavar="N", rich_help_panel=CREDIT)
]
Materiality = Annotated[
    int | None,
    typer.Option(
        help="Smaller open amounts do not count; 100 of the entity's currency.",
        metavar="AMOUNT",
        rich_help_panel=CREDIT,
    ),
]
Horizon = Annotated[
    int | None,
    typer.Option(help="Days ahead; credit-risk 180, contact-effect 14.", metavar="N", rich_help_panel=BOTH),
]
Limits = Annotated[
    Path | None,
    typer.Option(help="Approval limits, a YAML file of ENTITY: AMOUNT.", metavar="FILE", rich_help_panel=ODD),
]
OddRate = Annotated[
    float | None,
    typer.Option(
        help="Share of documents expected odd; 0.005.", metavar="SHARE", min=0.0001, max=0.2, rich_help_panel=ODD
    ),
]

Model = Annotated[str, typer.Argument(help="payment-date, credit-risk, cash-forecast, anomalies or contact-effect.")]
Report = Annotated[Path, typer.Option(help="Folder for the report of a backtest.", callback=folder)]


def train(
    model: Model = "payment-date",
    lake: Lake = None,
    mlruns: Models = None,
    report: Report = Path(".duecast/report"),
    seed: Seed = 7,
    data: Data = None,
    mapping: DataMapping = None,
    late_days: LateDays = None,
    materiality: Materiality = None,
    horizon_days: Horizon = None,
    limits: Limits = None,
    odd_rate: OddRate = None,
) -> None:
    """Train on everything the lake knows, register the model and make it the champion.

    payment-date and credit-risk are backtested first, with a report; how good the others are, their benchmarks say.

    Examples:  duecast train

    duecast train credit-risk --late-days 60

    duecast train anomalies --limits limits.yaml

    duecast train cash-forecast

    duecast train contact-effect --horizon-days 14

    duecast train credit-risk --data UCI_Credit_Card.csv --mapping uci-credit-default
    """
    from pipelines.trainers import run_training

    given = {
        "data": data,
        "mapping": mapping,
        "horizon_days": horizon_days,
        "late_days": late_days,
        "materiality": materiality,
        "limits": limits,
        "odd_rate": odd_rate,
    }
    run_training(model, given, lake=lake, mlruns=mlruns, report=report, seed=seed)
