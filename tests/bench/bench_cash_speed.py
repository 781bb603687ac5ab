"""How long drawing 100,000 open invoices 1,000 times takes, beside the same copula written plainly.

    python tests/bench/bench_cash_speed.py --invoices 100000 --draws 1000

Plain: SciPy's normal cdf of every z and a binary search in every invoice's own cdf, one thread, one draw at a time. It
is timed on some draws and scaled up. Both draw from the same distribution, not with the same random numbers: the means
and deviations of the weekly totals are held against each other.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import ndtr

from models.cash.claims import HORIZON_DAYS, OPEN, WEEKS, Claims, joined
from models.cash.simulation import THREADS, Dependence, simulate

PLAIN_DRAWS = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    claims, told = portfolio(given.invoices), Dependence(0.02, 0.1, 0.7)
    begun, burnt = time.perf_counter(), time.process_time()
    ours = simulate(claims, told, draws=given.draws, seed=7)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - burnt
    begun, burnt, scale = time.perf_counter(), time.process_time(), given.draws / PLAIN_DRAWS
    theirs = plain(claims, told, PLAIN_DRAWS, seed=7)
    plain_seconds, plain_cpu = scale * (time.perf_counter() - begun), scale * (time.process_time() - burnt)
    week = ours.weekly.sum(axis=(1, 2))
    off = np.abs(week.mean(axis=0) / theirs.mean(axis=0) - 1).max()
    wider = week.std(axis=0).mean() / theirs.std(axis=0).mean()
    figures = {"seconds": seconds, "cpu_s": cpu, "plain_seconds": plain_seconds, "plain_cpu_s": plain_cpu}
    figures |= {"mean_off": float(off), "deviation_ratio": float(wider)}
    print(f"{given.invoices:,} invoices x {given.draws:,} draws on {THREADS} threads\n")
    print("| | seconds | CPU, s |\n| --- | --- | --- |")
    print(f"| **Duecast** | {seconds:.2f} | {cpu:.2f} |")
    print(f"| SciPy + searchsorted, scaled from {PLAIN_DRAWS} draws | {plain_seconds:.1f} | {plain_cpu:.1f} |")
    print(f"\nweekly means differ by at most {100 * off:.2f} %, deviations by a factor of {wider:.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


def portfolio(count: int) -> Claims:
    """Claims of five series and `count` / 50 customers, due at some day and paid about then, or late, or never."""
    rng = np.random.default_rng(3)
    customer = np.sort(rng.integers(0, max(count // 50, 1), count))
    head = pl.DataFrame(
        {
            "component": pl.repeat(OPEN, count, eager=True),
            "entity_id": [f"E{c % 5}" for c in customer],
            "invoice_id": [f"I{k}" for k in range(count)],
            "instalment": pl.repeat(1, count, eager=True, dtype=pl.Int64),
            "customer_id": [f"C{c}" for c in customer],
            "currency": pl.repeat("EUR", count, eager=True),
            "amount_minor": np.rint(np.exp(rng.normal(11, 1, count))).astype(np.int64),
            "copies": np.ones(count),
        }
    )
    due, late = rng.integers(0, 60, count), rng.gamma(2.0, 4.0, count)
    days = np.arange(HORIZON_DAYS)[None, :] - due[:, None] + 3
    cdf = 0.97 * (1 - np.exp(-np.maximum(days, 0) / late[:, None]))
    return joined([Claims(head, cdf)])


def plain(claims: Claims, told: Dependence, draws: int, *, seed: int) -> np.ndarray:
    """(draws, weeks) the same model with no table: for every draw and invoice Phi(z), and a search in its cdf."""
    rng = np.random.default_rng(seed)
    head = claims.head
    entity = np.unique(head["entity_id"].to_numpy(), return_inverse=True)[1]
    customer = np.unique(head["customer_id"].to_numpy(), return_inverse=True)[1]
    run = np.unique(customer * 1_000 + head["run_day"].to_numpy(), return_inverse=True)[1]
    amount = head["amount_minor"].to_numpy().astype(np.float64)
    own = 1 - told.entity_share - told.customer_share
    totals = np.zeros((draws, WEEKS))
    for k in range(draws):
        noise = np.where(
            rng.random(len(head)) < told.usual_bundling,
            rng.standard_normal(run.max() + 1)[run],
            rng.standard_normal(len(head)),
        )
        shock = rng.standard_normal(entity.max() + 1)[entity]
        habit = rng.standard_normal(customer.max() + 1)[customer]
        z = np.sqrt(told.entity_share) * shock + np.sqrt(told.customer_share) * habit + np.sqrt(own) * noise
        share = ndtr(z)
        day = np.array([np.searchsorted(cdf, u) for cdf, u in zip(claims.cdf, share, strict=True)])
        paid = day < HORIZON_DAYS
        totals[k] = np.bincount(day[paid] // 7, weights=amount[paid], minlength=WEEKS)
    return totals


if __name__ == "__main__":
    main()
