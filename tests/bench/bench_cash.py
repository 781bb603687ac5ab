"""The cash forecast on rolling origins of sandbox worlds: weekly coverage and error, beside baselines and independence.

    python tests/bench/bench_cash.py --seeds 101 102 103 --json cash.json

Origins lie four weeks apart; each is forecast with what was known then, the payment-date model being trained anew every
few origins. `calm` origins end before the worlds' regime shift; `shift` origins look into or across it, when nobody can
be calibrated at once. Coverage is by the randomised PIT of weekly totals, all entities and currencies pooled; beside
it, that of the group's weeks and of 13 weeks together. Brackets are 95 % intervals, whole origins resampled. WAPE adds
up weeks in one currency at the origin's rates.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import polars as pl

from features.book import Book
from features.facts import Facts
from models.cash.backtest import NAIVE, TOGETHER, backtest, every_four_weeks, wape
from models.cash.claims import HORIZON_DAYS
from models.cash.past import GROUP
from models.cash.spread import LEVELS, coverage
from models.payment_date import PaymentDateModel
from pipelines.cash_training import RETRAINED_DAYS
from pipelines.train import learner
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

WARM_UP, CALM_ORIGINS, SHIFT_ORIGINS = 4, 8, 5
RESAMPLED = 200
SAID = {
    "pit": "within the {} % interval",
    "bare_pit": "{} %, not recalibrated",
    "independent_pit": "{} %, nor dependent",
    "wape_median": "**WAPE of the median**",
    "wape_mean": "WAPE of the mean",
    "wape_due_plus_delay": "WAPE of due + average delay",
    "wape_last_year": "WAPE of the same week last year",
    "wape_four_weeks": "WAPE of the mean of four weeks",
    "saved_due_plus_delay": "ours below due + average delay by",
    "saved_last_year": "ours below the same week last year by",
    "saved_four_weeks": "ours below the mean of four weeks by",
    "coverage": "within the {} % interval",
}
PITS = ("pit", "bare_pit", "independent_pit")
BANDS = {"1-13": (1, 13), "1-4": (1, 4), "5-8": (5, 8), "9-13": (9, 13)}
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--customers", type=int, default=WorldOptions().customers)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--rows", type=Path, help="write every origin's weeks there, as Parquet")
    parser.add_argument("--judge", type=Path, nargs="+", help="run nothing: judge what --rows wrote, together")
    given = parser.parse_args()
    if given.judge:
        rows = pl.concat([pl.read_parquet(path) for path in given.judge])
    else:
        rows = pl.concat([world_rows(seed, given.customers, given.draws) for seed in given.seeds])
    if given.rows:
        rows.write_parquet(given.rows)
    figures = {kind: judged(rows.filter(pl.col("kind") == kind)) for kind in ("calm", "shift")}
    for kind, found in figures.items():
        print(markdown(kind, found))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


def world_rows(seed: int, customers: int, draws: int) -> pl.DataFrame:
    """The backtest of one world, with `seed` and `kind`."""
    world = simulate(WorldOptions(seed=seed, customers=customers))
    book = Book(Facts.of(world.facts))
    shift = world.options.today - timedelta(days=world.options.shift_days_before_today)
    last_calm = shift - timedelta(days=HORIZON_DAYS)
    first = last_calm - timedelta(days=28 * (WARM_UP + CALM_ORIGINS - 1))
    origins = every_four_weeks(first, last_calm + timedelta(days=28 * SHIFT_ORIGINS + 1))
    tell = lambda said: print(f"seed {seed}: {said}", file=sys.stderr, flush=True)  # noqa: E731
    rows = backtest(book, origins, retrained(book), warm_up=WARM_UP, group="EUR", draws=draws, step=tell)
    kind = pl.when(pl.col("origin") <= last_calm).then(pl.lit("calm")).otherwise(pl.lit("shift"))
    return rows.with_columns(kind=kind, seed=pl.lit(seed))


def retrained(book: Book) -> Callable[[datetime], PaymentDateModel]:
    """The payment-date model that there was at an instant, trained anew every `RETRAINED_DAYS`."""
    made: dict[datetime, PaymentDateModel] = {}

    def at(as_of: datetime) -> PaymentDateModel:
        fresh = [when for when in made if timedelta(0) <= as_of - when < timedelta(days=RETRAINED_DAYS)]
        if not fresh:
            issued = book.at_issue(date.min, as_of.date() + timedelta(days=1)).filter(pl.col("cutoff") < as_of)
            labelled = book.labelled(book.features(issued), as_of.astimezone(UTC))
            made[as_of] = learner(book, 7)(labelled, as_of)
            fresh = [as_of]
        return made[max(fresh)]

    return at


def judged(rows: pl.DataFrame) -> Figures:
    """Every figure with its interval, by weeks ahead, coverage per week, and that of what is added up."""
    everything, one = rows, pl.col("entity_id") != GROUP
    rows = rows.filter(one, pl.col("week") != TOGETHER)
    bands = {}
    for name, (low, high) in BANDS.items():
        band = rows.filter(pl.col("week").is_between(low, high))
        bands[name] = {key: spread(band, measure) for key, measure in MEASURES.items()}
    weeks = {
        str(week): {
            **{f"coverage_{k}": coverage(part["pit"].to_numpy(), k) for k in LEVELS},
            "wape_median": wape(part, "median"),
            **{f"wape_{name}": wape(part, name) for name in NAIVE},
        }
        for (week,), part in rows.group_by("week", maintain_order=True)
    }
    week = pl.col("week") != TOGETHER
    parts = {
        "weeks of the group": ~one & week,
        "13 weeks of a series": one & ~week,
        "13 weeks of the group": ~one & ~week,
    }
    sums = {
        name: {
            key: spread(everything.filter(part), MEASURES[key])
            for key in (*(f"pit_{k}" for k in LEVELS), "wape_median")
        }
        for name, part in parts.items()
    }
    return {
        "sums": sums,
        "rows": len(rows),
        "origins": rows.select("seed", "origin").n_unique(),
        "bands": bands,
        "weeks": weeks,
    }


def _covers(column: str, level: int) -> Callable[[pl.DataFrame], float]:
    return lambda rows: coverage(rows[column].to_numpy(), level)


def _off(column: str) -> Callable[[pl.DataFrame], float]:
    return lambda rows: wape(rows, column)


MEASURES: dict[str, Callable[[pl.DataFrame], float]] = {
    **{f"{column}_{k}": _covers(column, k) for column in PITS for k in LEVELS},
    **{f"wape_{name}": _off(name) for name in ("median", "mean", *NAIVE)},
    **{
        f"saved_{name}": (lambda rows, name=name: 1 - wape(rows, "median") / wape(rows, name))  # type: ignore[misc]
        for name in NAIVE
    },
}


def spread(rows: pl.DataFrame, measure: Callable[[pl.DataFrame], float]) -> dict[str, float]:
    """A figure with its 95 % interval over origins drawn with replacement."""
    needed = rows.select("seed", "origin", "actual", "rate", "median", "mean", *NAIVE, *PITS)
    parts = list(needed.with_row_index("at").group_by("seed", "origin", maintain_order=True).agg("at")["at"])
    places = [part.to_numpy() for part in parts]
    rng = np.random.default_rng(7)
    drawn = [
        measure(needed[np.concatenate([places[k] for k in rng.integers(0, len(places), len(places))])])
        for _ in range(RESAMPLED)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": measure(rows), "low": float(low), "high": float(high)}


def markdown(kind: str, found: Figures) -> str:
    """The figures as tables."""
    bands = found["bands"]
    lines = [f"**{kind}**, {found['origins']} origins, {found['rows']:,} weeks of a series", ""]
    lines += [f"| weeks ahead, % | {' | '.join(bands)} |", f"| --- |{' --- |' * len(bands)}"]
    for key in MEASURES:
        cells = [
            f"{100 * b[key]['value']:.1f} ({100 * b[key]['low']:.1f} – {100 * b[key]['high']:.1f})"
            for b in bands.values()
        ]
        lines.append(f"| {_said(key)} | {' | '.join(cells)} |")
    sums = found["sums"]
    heads = (_said(key) for key in next(iter(sums.values())))
    lines += ["", f"| added up, % | {' | '.join(heads)} |", "| --- | --- | --- | --- |"]
    for name, told in sums.items():
        cells = [f"{100 * t['value']:.1f} ({100 * t['low']:.1f} – {100 * t['high']:.1f})" for t in told.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    weeks = found["weeks"]
    lines += ["", f"| week, % | {' | '.join(weeks)} |", f"| --- |{' --- |' * len(weeks)}"]
    for key in next(iter(weeks.values())):
        lines.append(f"| {_said(key)} | {' | '.join(f'{100 * w[key]:.0f}' for w in weeks.values())} |")
    return "\n".join(lines) + "\n"


def _said(key: str) -> str:
    """What a figure is, in words; coverages end in their level."""
    name, _, level = key.rpartition("_")
    return SAID[name].format(level) if level.isdigit() else SAID[key]


if __name__ == "__main__":
    main()
