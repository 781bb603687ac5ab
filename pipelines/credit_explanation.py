"""What `duecast credit explain` does: one customer's score with all that is behind it."""

from datetime import date
from pathlib import Path

from rich.markup import escape

from features.errors import BadInput
from models.credit.answers import CreditScore
from models.credit.counterfactuals import Counterfactual
from models.credit.opinions import ScoredCustomers, ways_up
from models.credit.scale import GRADES
from pipelines.credit_asked import asked_about, write_told
from pipelines.credit_screen import amount, basis, credit_table, names_of, percent, points, whom
from pipelines.screen import console


def show_explanation(
    customer: str,
    *,
    as_of: date | None,
    entity: str | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """One customer's score with every reason, its signals, and what would go with a better grade."""
    asked = asked_about(as_of, entity, lake, mlruns, customer)
    if len(asked.scores) > 1:
        entities = ", ".join(score.entity_id for score in asked.scores)
        raise BadInput(f"customer {customer!r} is in several entities: {entities}; say which with --entity")
    (score,) = asked.scores
    ways = ways_up(asked, 0)
    screen = console()
    name = whom(score, names_of(asked)).replace("\n", ", ")
    screen.print(f"{name}: {escape(_verdict(score))}")
    screen.print(escape(basis(asked, as_of)))
    screen.print(escape(_known_of(asked)))
    if score.typical_score is not None:
        table = credit_table("points that add up to the score", "reason", "points", "words")
        table.add_row("typical", points(score.typical_score), "where every customer starts")
        for reason in score.reasons:
            table.add_row(reason.code, f"{reason.points:+.1f}", escape(reason.words))
        screen.print(table)
    told = ", ".join(f"{name} {value:g}" for name, value in score.signals.items())
    screen.print(escape(f"External signals: {told or 'none'}; missing: {', '.join(score.signals_missing) or 'none'}"))
    for line in _ways_words(score, ways):
        screen.print(escape(line))
    write_told(json_out, asked, as_of, {"score": score, "ways_up": ways})


def _verdict(score: CreditScore) -> str:
    """The figures where there are any; why there are none, or not more, where not."""
    why = score.availability_reason
    if score.default_cause is not None:
        return why or "in default already"
    if score.score is None:
        return f"no PD, score or grade, since {why}"
    figures = f"PD {percent(score.pd)} in {score.horizon_days} days, score {points(score.score)}, grade {score.grade}"
    return f"{figures}; {score.availability}, since {why}" if why else figures


def _known_of(asked: ScoredCustomers) -> str:
    """What the books say of the one customer asked about, whether or not it has a score."""
    row = asked.frame.row(0, named=True)
    held = [
        f"{amount(one['open_minor'], one['currency'])} {one['currency']}"
        for one in asked.exposures.iter_rows(named=True)
        if one["open_minor"]
    ]
    worst = row["worst_overdue_days"]
    late = f", the oldest {worst:.0f} days overdue" if worst else ""
    counts = [int(row[name] or 0) for name in ("charged_count", "days_late_count", "invoiced_count_365d")]
    return (
        f"Known: owes {', '.join(held) or 'nothing'}{late}; {counts[0]:,} receivables so far, {counts[1]:,} of them "
        f"settled; {counts[2]:,} invoices in a year"
    )


def _ways_words(score: CreditScore, ways: list[Counterfactual]) -> list[str]:
    if ways:
        return [f"{way.words} (PD {percent(way.pd)}): {way.note}" for way in ways]
    if score.grade is None:
        return []
    if score.grade == next(iter(GRADES)):
        return [f"Grade {score.grade} is the best there is"]
    return ["No change that is tried (fewer late invoices, overdue paid, less owed) goes with a better grade"]
