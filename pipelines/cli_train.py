"""`duecast train`: every model that there is, each with its own options."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import Lake, Models, Seed, folder

# The options of single models; which takes which: `pipelines.trainers.TRAINERS`.
Data = Annotated[Path | None, typer.Option(help="credit-risk: a portfolio table instead of the lake.", metavar="FILE")]
DataMapping = Annotated[
    str | None, typer.Option(help="credit-risk: how to read it, a shipped name or a YAML file.", metavar="M")
]
Horizon = Annotated[int | None, typer.Option(help="credit-risk, contact-effect: days ahead; 180, 14.", metavar="N")]
LateDays = Annotated[int | None, typer.Option(help="credit-risk: days late that are a default; 90.")]
Materiality = Annotated[
    int | None, typer.Option(help="credit-risk: smaller open amounts do not count; 100.", metavar="AMOUNT")
]
Limits = Annotated[
    Path | None, typer.Option(help="anomalies: approval limits, a YAML file of ENTITY: AMOUNT.", metavar="FILE")
]
OddRate = Annotated[
    float | None,
    typer.Option(help="anomalies: share of documents expected odd; 0.005.", metavar="SHARE", min=0.0001, max=0.2),
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
    horizon_days: Horizon = None,
    late_days: LateDays = None,
    materiality: Materiality = None,
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
