"""Train the credit-risk model of a portfolio table, judge it on folds, and register it under a name of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from models import registry
from models.champion import CREDIT_RISK_PORTFOLIO, ModelVersion
from models.credit.cross_validation import CrossValidation, cross_validate
from models.credit.portfolio_model import PortfolioModel, PortfolioScore, train_portfolio
from models.credit.report import write_cross_validation
from pipelines.credit_tables import load_portfolio, read_portfolio

REPEATS, FOLDS = 2, 5


@dataclass(frozen=True)
class TrainedPortfolio:
    """What a training left behind: the registered version, the model, and what its kind did on folds unseen."""

    version: ModelVersion
    model: PortfolioModel
    evidence: CrossValidation


def train_portfolio_file(
    data: Path,
    mapping: str,
    mlruns: Path,
    report: Path,
    *,
    today: date,
    seed: int,
    step: Callable[[str], None] = lambda _: None,
) -> TrainedPortfolio:
    """Cross-validate, train on every row, register and promote.

    `today` stands for the days of the data, which a table without dates does not tell. `BadInput` where too few rows
    went bad to learn from.
    """
    spec = load_portfolio(mapping)
    table = read_portfolio(data, spec)
    step("training on every row")
    model = train_portfolio(table, spec, seed=seed)
    evidence = cross_validate(table, spec, seeds=range(seed, seed + REPEATS), folds=FOLDS, step=step)
    write_cross_validation(evidence, report)
    step("registering")
    lineage = registry.Lineage(
        data_window=(today, today),
        lake_versions={},
        params=model.about,
        metrics=evidence.metrics,
        report_folder=report,
    )
    frame = table.drop(spec.target.column)
    version = registry.register(model, frame, lineage, mlruns=mlruns, name=CREDIT_RISK_PORTFOLIO, answer=PortfolioScore)
    return TrainedPortfolio(version, model, evidence)
