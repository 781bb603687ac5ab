"""The payment-date model on the default sandbox world, beside the baselines, before and through its regime shift.

    python tests/bench/bench_sandbox.py --json sandbox.json

Rolling origin, retrained for every window. `calm` ends so early that its invoices are mostly paid before the shift
begins; `shift` is what is issued in the weeks before and after it, when a share of customers pays 8 to 10 days later
than anything that could have been learnt: nobody is calibrated there at once, and the figures say how far off we are.

It also shows what open invoices are worth: `closed_only` is the same model trained without them, and both are judged on
the invoices that close late.
"""

import argparse
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from features.book import Book
from features.facts import Facts
from models.backtest import OURS
from models.evaluation import Evaluation, EvaluationSettings, evaluate
from models.report import terminal_table, write
from pipelines.train import learner
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

CALM_DAYS, CALM_ORIGINS = 120, 4
SHIFT_DAYS, SHIFT_ORIGINS = 120, 4
RIPE_DAYS = 75
LATE_CLOSING_DAYS = 30
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--report", type=Path, help="write the reports into this folder")
    parser.add_argument("--customers", type=int, default=WorldOptions().customers)
    parser.add_argument("--seed", type=int, default=SEED, help="of the world; the model was built looking at 7")
    given = parser.parse_args()
    world = simulate(WorldOptions(seed=given.seed, customers=given.customers))
    book = Book(Facts.of(world.known()))
    shift = world.options.today - timedelta(days=world.options.shift_days_before_today)
    calm_end = shift - timedelta(days=RIPE_DAYS)
    windows = {
        "calm": (calm_end - timedelta(days=CALM_DAYS), calm_end, CALM_ORIGINS),
        "shift": (calm_end, calm_end + timedelta(days=SHIFT_DAYS), SHIFT_ORIGINS),
    }
    found: dict[str, object] = {}
    screen = Console(width=100)
    for name, (cutoff, until, origins) in windows.items():
        evaluation = judged(book, cutoff, until, origins, use_open=True)
        screen.print(terminal_table(evaluation))
        screen.print(coverage_table(evaluation))
        found[name] = evaluation.as_json()
        if given.report:
            write(evaluation, given.report / name, title=f"Sandbox, {name}")
        if name == "calm":
            without = judged(book, cutoff, until, origins, use_open=False)
            found["open_invoices"] = late_closing(evaluation, without)
            screen.print(open_table(found["open_invoices"]))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def judged(book: Book, cutoff: date, until: date, origins: int, *, use_open: bool) -> Evaluation:
    """The evaluation of our model, trained with or without what is still open."""
    settings = EvaluationSettings(cutoff=cutoff, until=until, origins=origins, seed=SEED)
    return evaluate(book, learner(book, SEED, use_open=use_open), settings)


def late_closing(with_open: Evaluation, without: Evaluation) -> dict[str, dict[str, float]]:
    """Mean CRPS and pinball loss in days on test invoices that were paid LATE_CLOSING_DAYS or more after due."""
    rows = with_open.rows
    late = (rows["paid_date"] - rows["due_date"]).dt.total_days().fill_null(-999).to_numpy() >= LATE_CLOSING_DAYS
    answers = {"with open invoices": with_open, "closed only": without}
    return {
        name: {
            "n": int(late.sum()),
            **{
                metric: float(np.nanmean(found.scores[OURS][metric].to_numpy()[late]))
                for metric in ("days.pinball", "days.crps", "days.mae")
            },
        }
        for name, found in answers.items()
    }


def open_table(figures: dict[str, dict[str, float]]) -> Table:
    """What leaving the open invoices out costs."""
    table = Table(title=f"Invoices paid {LATE_CLOSING_DAYS}+ days late, by what was trained on", title_justify="left")
    for column in ("trained on", "n", "pinball, days", "CRPS, days", "MAE, days"):
        table.add_column(column, justify="left" if column == "trained on" else "right")
    for name, row in figures.items():
        table.add_row(name, f"{row['n']:.0f}", *(f"{row[m]:.3f}" for m in ("days.pinball", "days.crps", "days.mae")))
    return table


def coverage_table(evaluation: Evaluation) -> Table:
    """Coverage of the 80 and 95 % intervals in every segment of 200 invoices or more, by randomised PIT and plain."""
    table = Table(title="Coverage by segment (n >= 200): randomised PIT, plain in brackets", title_justify="left")
    for column in ("segment", "n", "80 %", "95 %", "furthest off, points"):
        table.add_column(column, justify="left" if column == "segment" else "right")
    for kind, values in evaluation.segments.items():
        for value, segment in values.items():
            card = segment.ours
            if card.counts["closed"] < 200:
                continue
            v = card.values
            pit = {k: v[f"days.coverage_{k}_pit"] for k in (80, 95)}
            off = max(abs(100 * pit[k] - k) for k in pit)
            shown = [f"{100 * pit[k]:.1f} ({100 * v[f'days.coverage_{k}']:.1f})" for k in pit]
            table.add_row(f"{kind}: {value}", f"{card.counts['closed']}", *shown, f"{off:.1f}")
    return table


if __name__ == "__main__":
    main()
