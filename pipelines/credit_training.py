"""What `duecast train credit-risk` does: train on the lake or on a portfolio table, show the evidence."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from features.customers import DefaultRule
from features.errors import BadSetting
from features.lake import Lake
from models.credit.backtest import CreditEvaluation
from models.credit.cross_validation import CrossValidation
from models.credit.measures import MEASURES
from models.credit.report import PAGE
from models.credit.scale import GradeRow
from pipelines.credit import train_credit_risk
from pipelines.credit_portfolio import train_portfolio_file
from pipelines.credit_screen import credit_table
from pipelines.screen import console
from services.settings import quieten, read_settings


def train_and_show(
    *,
    lake: str | None,
    mlruns: Path | None,
    report: Path,
    seed: int,
    data: Path | None = None,
    mapping: str | None = None,
    horizon_days: int | None = None,
    late_days: int | None = None,
    materiality: int | None = None,
) -> None:
    """Train on the lake or, with `data` and `mapping`, on a portfolio table; show the evidence."""
    quieten()
    _require_one_source(data, mapping, (horizon_days, late_days, materiality))
    rule = _rule(horizon_days, late_days, materiality)
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen = console()
    with screen.status("training") as status:
        if data is not None and mapping is not None:
            today = datetime.now(UTC).date()
            told = train_portfolio_file(
                data, mapping, settings.mlruns, report, today=today, seed=seed, step=status.update
            )
            tables, version = _folds_tables(told.evidence), told.version
            following = f"duecast credit portfolio --data FILE --mapping {mapping}"
        else:
            done = train_credit_risk(
                Lake(settings.lake), settings.mlruns, report, rule=rule, seed=seed, step=status.update
            )
            tables, version = _backtest_tables(done.evaluation), done.version
            following = "duecast credit score"
    for table in tables:
        screen.print(table)
    screen.print(escape(f"Champion: {version.label}. Report: {report / PAGE}. Next: {following}"))


def _require_one_source(data: Path | None, mapping: str | None, rule: tuple[int | None, ...]) -> None:
    if (data is None) != (mapping is None):
        raise BadSetting("a portfolio needs both --data FILE and --mapping M; allowed: both, or neither for the lake")
    if data is not None and any(given is not None for given in rule):
        raise BadSetting(
            "--horizon-days, --late-days and --materiality do not go with --data: its target column says it"
        )


def _rule(horizon_days: int | None, late_days: int | None, materiality: int | None) -> DefaultRule:
    """What is asked for; the rest as it is where nobody says."""
    if materiality is not None and materiality < 0:
        raise BadSetting(f"--materiality is {materiality}; allowed: 0 or more, whole units of the entity's currency")
    asked = {
        "horizon_days": horizon_days,
        "late_days": late_days,
        "materiality_cents": None if materiality is None else 100 * materiality,
    }
    return DefaultRule(**{name: value for name, value in asked.items() if value is not None})


def _backtest_tables(found: CreditEvaluation) -> list[Table]:
    """The backtest as two tables: every forecaster's measures with intervals, and our grades."""
    data = found.data
    title = (
        f"{data['snapshots']:,} snapshots, {data['defaulted_customers']} of {data['customers']} customers in default "
        f"within {data['horizon_days']} days"
    )
    table = credit_table(title, "", *MEASURES)
    for who, figures in found.measures.items():
        cells = [f"{m.value:.3f}\n{m.interval.low:.3f}–{m.interval.high:.3f}" for m in figures.values()]
        table.add_row(who, *cells)
    return [table, _grades_table(found.grades)]


def _folds_tables(found: CrossValidation) -> list[Table]:
    """The cross-validation as two tables: every forecaster's means and spreads, and our grades."""
    table = credit_table("mean ± standard deviation over all folds", "", *MEASURES)
    for who, figures in found.summary().items():
        table.add_row(who.replace("_", "\n"), *(f"{mean:.4f}\n±{spread:.4f}" for mean, spread in figures.values()))
    return [table, _grades_table(found.grades)]


def _grades_table(grades: Iterable[GradeRow]) -> Table:
    """Grades with what they state and what happened."""
    table = credit_table("grades", "grade", "rows", "stated PD", "defaulted", "95 % interval")
    for row in grades:
        bounds = f"{row.low:.2%} to {row.high:.2%}"
        table.add_row(row.grade, f"{row.count:,}", f"{row.mean_pd:.2%}", f"{row.rate:.2%}", bounds)
    return table
