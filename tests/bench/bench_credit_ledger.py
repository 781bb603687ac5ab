"""The credit-risk model on sandbox worlds it was not built on, beside the baselines, at rolling origins.

    python tests/bench/bench_credit_ledger.py --seeds 101 102 103 104 105

Prints Markdown: means over the worlds and the grades of all worlds together; with `--each` first every world with 95 %
intervals (customers drawn anew). Worlds have more `declining` customers than the default mix, so that some default.
"""

import argparse
from datetime import UTC

import numpy as np

from features.book import Book
from features.customers import DefaultRule
from features.facts import Facts
from models.credit import backtest, risk_model
from models.credit.backtest import CreditEvaluation
from models.credit.measures import MEASURES
from models.credit.scale import grade_table
from pipelines.credit import feature_names, snapshot_frame
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

MIX = {
    "punctual": 0.2,
    "payment_run": 0.22,
    "month_end": 0.12,
    "stretcher": 0.12,
    "seasonal": 0.08,
    "declining": 0.2,
    "disputing": 0.06,
}
ORIGINS, MONTHS, DRAWS, SEED = 3, 4, 200, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="of the worlds")
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--each", action="store_true", help="a table of every world too")
    given = parser.parse_args()
    found = [judged(seed, given.customers) for seed in given.seeds]
    for seed, evaluation in zip(given.seeds, found, strict=True) if given.each else ():
        data = evaluation.data
        counts = f"{data['snapshots']:,} snapshots, {data['defaulted_customers']} of {data['customers']} in default"
        print(f"\n| world {seed}: {counts} | " + " | ".join(MEASURES) + " |\n|---|" + "---:|" * len(MEASURES))
        for who, table in evaluation.measures.items():
            cells = (f"{m.value:.3f} ({m.interval.low:.3f} to {m.interval.high:.3f})" for m in table.values())
            print(f"| {who} | " + " | ".join(cells) + " |", flush=True)
    print("\n| mean ± standard deviation over worlds | " + " | ".join(MEASURES) + " |\n|---|" + "---:|" * len(MEASURES))
    for who in found[0].measures:
        values = {name: [one.measures[who][name].value for one in found] for name in MEASURES}
        cells = (f"{np.mean(told):.4f} ± {np.std(told):.4f}" for told in values.values())
        print(f"| {who} | " + " | ".join(cells) + " |")
    pd = np.concatenate([one.rows["pd"].to_numpy() for one in found])
    bad = np.concatenate([one.rows["defaulted"].to_numpy() for one in found]).astype(np.float64)
    print("\n| grade | snapshots | stated PD | defaulted | 95 % interval |\n|---|---:|---:|---:|---|")
    for row in grade_table(pd, bad):
        print(f"| {row.grade} | {row.count:,} | {row.mean_pd:.2%} | {row.rate:.2%} | {row.low:.2%} to {row.high:.2%} |")


def judged(seed: int, customers: int) -> CreditEvaluation:
    """The backtest of one world."""
    options = WorldOptions(seed=seed, customers=customers, years=4, invoices_per_customer_year=24, mix=MIX)
    book, rule = Book(Facts.of(simulate(options).known())), DefaultRule()
    frame, names = snapshot_frame(book, rule), feature_names(book)
    last = book.last_known().astimezone(UTC).date()
    origins = backtest.newest_origins(frame, rule, origins=ORIGINS, months=MONTHS, last=last)
    return backtest.evaluate(
        book,
        frame,
        lambda known: risk_model.train(known, names, rule, seed=SEED),
        rule,
        origins,
        names=names,
        draws=DRAWS,
        seed=SEED,
    )


if __name__ == "__main__":
    main()
