"""A credit-risk evaluation on paper: one Markdown page and its figures as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from models.credit.backtest import CreditEvaluation
from models.credit.cross_validation import CrossValidation
from models.credit.measures import MEASURES
from models.credit.scale import GradeRow

PAGE, FIGURES = "credit.md", "credit.json"


def write_backtest(found: CreditEvaluation, folder: Path) -> None:
    """Write the backtest into `folder`, which is made where it is missing."""
    table = {
        who: [f"{told.value:.4f} ({told.interval.low:.4f} to {told.interval.high:.4f})" for told in figures.values()]
        for who, figures in found.measures.items()
    }
    data = found.data
    head = (
        f"{data['snapshots']:,} snapshots of {data['customers']:,} customers, {data['defaulted_customers']} of whom "
        f"went into default ({data['late_days']}+ days late, written off or insolvent) in {data['horizon_days']} days. "
        "Learnt before each origin, judged after it. In brackets: 95 % interval, customers drawn anew."
    )
    head += "".join(f" Skipped: origin {origin}, as of which {why}." for origin, why in found.skipped.items())
    _write(folder, "Credit risk: backtest", head, table, found.grades, found.as_json())


def write_cross_validation(found: CrossValidation, folder: Path) -> None:
    """Write the cross-validation into `folder`, which is made where it is missing."""
    table = {
        who: [f"{mean:.4f} ± {spread:.4f}" for mean, spread in figures.values()]
        for who, figures in found.summary().items()
    }
    figures = {"folds": found.folds, "grades": [asdict(row) for row in found.grades]}
    head = "Repeated stratified folds: mean and standard deviation over the folds; grades over the first repeat."
    _write(folder, "Credit risk: cross-validation", head, table, found.grades, figures)


def _write(
    folder: Path,
    title: str,
    head: str,
    table: Mapping[str, Iterable[str]],
    grades: Iterable[GradeRow],
    figures: Mapping[str, object],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"# {title}", "", head, "", f"| | {' | '.join(MEASURES)} |", "|---|" + "---:|" * len(MEASURES)]
    lines += [f"| {who} | {' | '.join(cells)} |" for who, cells in table.items()]
    lines += ["", "| grade | rows | stated PD | defaulted | 95 % interval |", "|---|---:|---:|---:|---|"]
    lines += [
        f"| {g.grade} | {g.count:,} | {g.mean_pd:.2%} | {g.rate:.2%} | {g.low:.2%} to {g.high:.2%} |" for g in grades
    ]
    (folder / PAGE).write_text("\n".join([*lines, ""]), encoding="utf-8")
    (folder / FIGURES).write_text(json.dumps(figures, indent=1), encoding="utf-8")
