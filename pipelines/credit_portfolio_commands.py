"""What `duecast credit portfolio` does: score a table with the registered portfolio model, show the riskiest."""

from pathlib import Path

from rich.markup import escape

from models.credit.portfolio_model import PortfolioScore
from pipelines.credit_portfolio import score_portfolio_file
from pipelines.credit_screen import REASONS_SHOWN, SHOWN, credit_table, show_rows
from services.settings import quieten, read_settings


def show_portfolio(*, data: Path, mapping: str, out: Path | None, mlruns: Path | None) -> None:
    """Every row's score to `out`, the riskiest on the screen."""
    quieten()
    version, told = score_portfolio_file(data, mapping, read_settings(mlruns=mlruns).mlruns)
    title = f"{min(SHOWN, len(told))} of {len(told)} rows by {version.label}, the riskiest first"
    table = credit_table(title, "id", "PD", "score", "grade", "because")
    for score in sorted(told, key=lambda one: -one.pd)[:SHOWN]:
        why = "\n".join(f"{reason.points:+.0f} {reason.words}" for reason in score.reasons[:REASONS_SHOWN])
        table.add_row(escape(score.id), f"{score.pd:.1%}", f"{score.score:.0f}", score.grade, escape(why))
    show_rows(table, told, PortfolioScore, out)
