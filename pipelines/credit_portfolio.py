"""The credit-risk model of a portfolio table: train it, judge it on folds, register it; score new tables with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.errors import BadInput, BadSetting, NotFound
from models import registry
from models.champion import CREDIT_RISK_PORTFOLIO, ModelVersion, champion, ready
from models.credit.cross_validation import CrossValidation, cross_validate, require_folds
from models.credit.portfolio_model import PortfolioModel, PortfolioScore, train_portfolio
from models.credit.portfolio_spec import PortfolioSpec
from models.credit.report import write_cross_validation
from pipelines.credit_tables import load_portfolio, read_portfolio

REPEATS, FOLDS = 2, 5
# What a table to be scored need not share with the one that was learnt from.
OF_TRAINING = ("target", "missing")


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
    try:
        require_folds(table, spec, FOLDS)
        step("training on every row")
        model = train_portfolio(table, spec, seed=seed)
        evidence = cross_validate(table, spec, seeds=range(seed, seed + REPEATS), folds=FOLDS, step=step)
    except BadInput as error:
        raise BadInput(f"{data}: {error}") from None
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


def score_portfolio_file(data: Path, mapping: str, mlruns: Path) -> tuple[ModelVersion, list[PortfolioScore]]:
    """The champion, and its score of every row of a table, in its order; the target may be missing from it.

    `NotFound` where no portfolio was trained on, `BadSetting` for a mapping that reads other things than the model's.
    """
    spec = load_portfolio(mapping)
    if champion(mlruns, CREDIT_RISK_PORTFOLIO) is None:
        train = "duecast train credit-risk --data FILE --mapping M"
        raise NotFound(f"no {CREDIT_RISK_PORTFOLIO} model in {mlruns}: run `{train}` first")
    version, model = ready(mlruns, CREDIT_RISK_PORTFOLIO)
    _require_fit(spec, model.spec, mapping, version)
    return version, model.scores(read_portfolio(data, spec, with_target=False))


def _require_fit(spec: PortfolioSpec, learnt: PortfolioSpec, mapping: str, version: ModelVersion) -> None:
    for name in spec.__struct_fields__:
        if name not in OF_TRAINING and getattr(spec, name) != getattr(learnt, name):
            raise BadSetting(
                f"--mapping {mapping}: its {name} are not those that {version.label} was trained with (portfolio "
                f"{learnt.portfolio!r}); allowed: the mapping it was trained with, but for {' and '.join(OF_TRAINING)}"
            )
