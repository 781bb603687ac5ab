"""Anomalies on sandbox worlds with labelled ones: recall and precision within alert budgets, beside two baselines.

    python tests/bench/bench_anomalies.py --seeds 301 302 303 304 305 --json anomalies.json

Models see the first 60 % of a world's documents (in the order of learning) and are measured on the rest. Documents are
ranked one by one: recall is the share of odd documents within the first 1 % of all, precision the share of odd ones
among the first 0.4 %. `alerts` tells one alert a story instead, as users see it. `feedback` has learnt from verdicts on
what the model without feedback put into its first 1 % of the earlier part; of the later part it knows nothing.
False alerts are counted on the same seed's world without anomalies, at the thresholds that the budgets gave.
"""

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from features.comparisons import compared
from features.documents import KEY
from features.facts import Facts
from models.anomalies.alerts import Budget, choose
from models.anomalies.model import AnomalyModel, train
from models.anomalies.stories import with_stories
from services.sandbox.anomalies import KINDS, approval_limits
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

TRAINED_SHARE, RECALL_BUDGET, PRECISION_BUDGET = 0.6, 0.01, 0.004
BINS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # nearly all documents are in the first
METHODS = ("with feedback", "without feedback", "isolation forest alone", "z-scores alone")
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--years", type=int, default=2)
    parser.add_argument("--share", type=float, default=0.005)
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    found = []
    for seed in given.seeds:
        options = WorldOptions(seed=seed, customers=given.customers, years=given.years, anomaly_share=given.share)
        found.append(measured(options))
        print(f"seed {seed}: {found[-1]['documents']['later']:.0f} documents measured", flush=True)
    print(tables(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def measured(options: WorldOptions) -> dict[str, Figures]:
    """Method -> its figures, on one seed's world with anomalies and on its world without."""
    past, later = parts(with_truth(simulate(options)))
    plain = train(past)
    first = top(plain.scored(past), "chance", RECALL_BUDGET)
    taught = train(past, judged=first.select(*KEY, real=pl.col("truth").is_not_null()))
    _, clean = parts(with_truth(simulate(replace(options, anomaly_share=0.0))))
    figures = {
        "with feedback": judged(taught.scored(later), taught.scored(clean), "chance"),
        "without feedback": judged(plain.scored(later), plain.scored(clean), "chance"),
        "isolation forest alone": judged(plain.scored(later), plain.scored(clean), "forest"),
        "z-scores alone": judged(plain.scored(later), plain.scored(clean), "z"),
    }
    figures["alerts"] = of_alerts(taught, past, later)
    for method, model in (("with feedback", taught), ("without feedback", plain)):
        figures[f"reliability, {method}"] = reliability(model.scored(later))
    figures["documents"] = {"later": len(later), "odd": int(later["truth"].is_not_null().sum()), "clean": len(clean)}
    return figures


def with_truth(world: World) -> pl.DataFrame:
    """Every document known today, compared, with its true kind as `truth`, and `z`."""
    frame = compared(Facts.of(world.known()), approval_limits(world.options))
    truth = world.truth.anomalies.select(*KEY, truth="kind").unique(KEY, keep="first", maintain_order=True)
    joined = frame.join(truth, on=KEY, how="left", maintain_order="left")
    z = pl.max_horizontal(pl.col("amount_z").abs(), pl.col("feed_z").abs()).fill_null(0.0)
    return joined.with_columns(z=z, in_fault=_in_fault(world))


def _in_fault(world: World) -> pl.Expr:
    """Whether a document is a day of a feed that stood still in the world without anomalies, too."""
    faults = world.truth.feed_faults.rows()
    hit = [
        (pl.col("entity_id") == e) & pl.col("record_id").str.starts_with("payment:") & pl.col("day").is_between(a, b)
        for e, a, b in faults
    ]
    return pl.any_horizontal(*hit, pl.lit(value=False)) & (pl.col("table") == "feed")


def parts(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was learnt earlier and later."""
    cut = round(TRAINED_SHARE * len(frame))
    return frame[:cut], frame[cut:]


def top(scored: pl.DataFrame, by: str, share: float) -> pl.DataFrame:
    """The documents that say the most, `share` of all."""
    order = [by, "known_at", *KEY]
    return scored.sort(order, descending=[True, *[False] * (len(order) - 1)]).head(int(share * len(scored)))


def judged(scored: pl.DataFrame, clean: pl.DataFrame, by: str) -> Figures:
    """Recall, precision, both by kind, and false alerts on the clean world per 1,000 documents."""
    odd = scored["truth"].is_not_null()
    many, few = top(scored, by, RECALL_BUDGET), top(scored, by, PRECISION_BUDGET)
    figures: Figures = {
        "recall": many["truth"].is_not_null().sum() / odd.sum(),
        "precision": float(few["truth"].is_not_null().mean()),
        "chance_mean": float(scored["chance"].mean()),
        "odd_share": float(odd.mean()),
        "brier": float(((scored["chance"] - odd.cast(pl.Float64)) ** 2).mean()),
    }
    for name, chosen in (("1 %", many), ("0.4 %", few)):
        threshold = float(chosen[by].min())
        false = clean.filter(pl.col(by) >= threshold)
        figures[f"false at {name}"] = 1000 * len(false) / len(clean)
        figures[f"false at {name}, feed faults aside"] = 1000 * len(false.filter(~pl.col("in_fault"))) / len(clean)
    for kind in KINDS:
        figures[f"recall {kind}"] = _share(many, scored.filter(pl.col("truth") == kind))
        named = few.filter(pl.col("kind") == kind)
        figures[f"precision {kind}"] = float(named["truth"].is_not_null().mean()) if len(named) else float("nan")
    return figures


def reliability(scored: pl.DataFrame) -> Figures:
    """For each of `BINS`: how many documents have such a chance, their chances added up, and how many are odd."""
    chance, odd = scored["chance"].to_numpy(), scored["truth"].is_not_null().to_numpy()
    at = np.clip(np.searchsorted(BINS, chance, side="right") - 1, 0, len(BINS) - 2)
    return {
        f"{name} {n}": float(values[at == n].sum())
        for n in range(len(BINS) - 1)
        for name, values in (("count", np.ones(len(chance))), ("said", chance), ("odd", odd))
    }


def _share(chosen: pl.DataFrame, of: pl.DataFrame) -> float:
    return len(of.join(chosen, on=KEY, how="semi")) / len(of) if len(of) else float("nan")


def of_alerts(model: AnomalyModel, past: pl.DataFrame, later: pl.DataFrame) -> Figures:
    """What a user sees: one alert a story. Right where its oddest document is odd; found is what an alert lists."""
    told = with_stories(model.scored(pl.concat([past, later])))[len(past) :]
    odd = told.filter(pl.col("truth").is_not_null())
    figures: Figures = {}
    for name, share in (("1 %", RECALL_BUDGET), ("0.4 %", PRECISION_BUDGET)):
        alerts = choose(told, Budget(share, per_day=10))
        heads = pl.DataFrame([[a.entity_id, a.table, a.record_id] for a in alerts], schema=list(KEY), orient="row")
        found = odd.filter(pl.col("alert_id").is_in([a.alert_id for a in alerts]))
        figures |= {
            f"alerts at {name}": len(alerts),
            f"precision at {name}": len(heads.join(odd, on=KEY, how="semi")) / len(alerts),
            f"recall at {name}": len(found) / len(odd),
        }
    return figures


def tables(found: list[dict[str, Figures]]) -> str:
    """Markdown: pooled, by kind, alerts; each the mean over seeds with the smallest and largest."""
    lines = ["", "| | recall at 1 % | precision at 0.4 % | false/1,000 clean at 1 % | at 0.4 % | feed faults aside |"]
    lines += ["|---|---|---|---|---|---|"]
    shown = ("recall", "precision", "false at 1 %", "false at 0.4 %", "false at 0.4 %, feed faults aside")
    for method in METHODS:
        lines.append(f"| {method} | {' | '.join(_spread(found, method, name) for name in shown)} |")
    lines += [
        "",
        "| kind | recall, ours | without feedback | forest | z | precision, ours |",
        "|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        recalls = " | ".join(_spread(found, method, f"recall {kind}") for method in METHODS)
        lines.append(f"| {kind} | {recalls} | {_spread(found, METHODS[0], f'precision {kind}')} |")
    alerts = found[0]["alerts"]
    lines += ["", "| alerts, one a story, with feedback | |", "|---|---|"]
    lines += [f"| {name} | {_spread(found, 'alerts', name)} |" for name in alerts]
    for method in METHODS[:2]:
        chance, odd = (_spread(found, method, name) for name in ("chance_mean", "odd_share"))
        lines.append(f"| {method}: mean chance, and share that is odd | {chance}, {odd} |")
    for method in METHODS[:2]:
        lines += _reliability_lines([f[f"reliability, {method}"] for f in found], method)
    return "\n".join(lines)


def _reliability_lines(found: list[Figures], method: str) -> list[str]:
    """All seeds together: what was said, and how many were odd; last the expected calibration error."""
    lines = ["", f"| {method}: chance | documents | said, mean | odd |", "|---|---|---|---|"]
    errors = []
    for n, (low, high) in enumerate(itertools.pairwise(BINS)):
        count, said, odd = (sum(f[f"{name} {n}"] for f in found) for name in ("count", "said", "odd"))
        errors.append((low, count, abs(said - odd)))
        shares = f"{said / count:.4f} | {odd / count:.4f}" if count else "- | -"
        lines.append(f"| {low} to {high} | {count:.0f} | {shares} |")
    for name, least in (("all", 0.0), ("chance of 0.03 or more", 0.03)):
        kept = [(count, off) for low, count, off in errors if low >= least]
        error = sum(off for _, off in kept) / max(sum(count for count, _ in kept), 1)
        lines.append(f"| expected calibration error, {name} | | {error:.4f} | |")
    return lines


def _spread(found: list[dict[str, Figures]], method: str, name: str) -> str:
    values = np.array([f[method][name] for f in found if not np.isnan(f[method][name])])
    if not len(values):
        return "-"
    digits = 4 if name in ("chance_mean", "odd_share") else 3
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} – {values.max():.{digits}f})"


if __name__ == "__main__":
    main()
