"""How fast the engine is, beside the same features in DuckDB: `python tests/bench/bench_engine.py --json OUT`.

Every run is a process of its own, so that its peak memory is its own. Rows per second are subjects over the time for
preparing the streams and looking all subjects up; the median of the runs is quoted.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THREADS = "2"
FEATURES = 50
EVENTS = ("settled", "invoiced", "open", "overdue_0", "paid")


def main() -> None:
    arguments = _arguments()
    if arguments.only:
        print(json.dumps(_run(arguments.only, arguments.rows)))
        return
    engine = [_in_process("engine", arguments.rows) for _ in range(arguments.repeat)]
    duckdb = [_in_process("duckdb", arguments.rows) for _ in range(arguments.duckdb_repeat)]
    report = _report(arguments.rows, engine, duckdb)
    print(_table(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if report["agreement"]["differing"]:
        sys.exit("the engine and DuckDB disagree")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="invoices")
    parser.add_argument("--repeat", type=int, default=5, help="runs of the engine")
    parser.add_argument("--duckdb-repeat", type=int, default=1, help="runs of DuckDB")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--only", choices=["engine", "duckdb", "one", "agreement"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_process(what: str, rows: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--only", what, "--rows", str(rows)]
    done = subprocess.run(command, env=os.environ | {"POLARS_MAX_THREADS": THREADS}, check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _run(what: str, rows: int) -> dict[str, Any]:
    import invoice_events

    from features.catalogue import catalogue
    from features.declarations import Feature

    declared = [f for f in catalogue() if isinstance(f, Feature) and f.event in EVENTS]
    declared = [declared[i * len(declared) // FEATURES] for i in range(FEATURES)]
    ledger = invoice_events.invoices(rows)
    run = {"engine": _engine, "duckdb": _duckdb, "one": _one, "agreement": _agreement}[what]
    return run(declared, invoice_events.events(ledger), invoice_events.subjects(ledger))


def _engine(declared: list[Any], events: dict[str, Any], subjects: Any) -> dict[str, Any]:
    from features import engine

    began, cpu = time.perf_counter(), time.process_time()
    prepared = engine.prepare(declared, events)
    ready = time.perf_counter()
    frame = prepared.lookup(subjects)
    done = time.perf_counter()
    return {
        "rows_per_s": frame.height / (done - began),
        "prepare_s": ready - began,
        "lookup_s": done - ready,
        "cpu_s": time.process_time() - cpu,
        "peak_gb": _peak_gb(),
    }


def _duckdb(declared: list[Any], events: dict[str, Any], subjects: Any) -> dict[str, Any]:
    import window_sql

    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        frame = window_sql.compute(declared, events, subjects, threads=int(THREADS), folder=folder)
    seconds = time.perf_counter() - began
    return {"rows_per_s": frame.height / seconds, "cpu_s": time.process_time() - cpu, "peak_gb": _peak_gb()}


def _one(declared: list[Any], events: dict[str, Any], subjects: Any) -> dict[str, Any]:
    from features import engine

    prepared = engine.prepare(declared, events)
    times = []
    for subject in subjects.sample(500, seed=1).iter_slices(1):
        began = time.perf_counter()
        prepared.lookup(subject)
        times.append(1000 * (time.perf_counter() - began))
    return {"p50_ms": statistics.median(times), "p95_ms": statistics.quantiles(times, n=20)[-1]}


def _agreement(declared: list[Any], events: dict[str, Any], subjects: Any) -> dict[str, Any]:
    """Values compared one by one: both missing, or equal to a billionth."""
    import polars as pl
    import window_sql

    from features import engine

    names = [f.name for f in declared]
    ours = engine.compute(declared, events, subjects).select("invoice_id", *names).sort("invoice_id")
    with tempfile.TemporaryDirectory() as folder:
        theirs = window_sql.compute(declared, events, subjects, threads=int(THREADS), folder=folder)
    theirs = theirs.select(ours.columns).sort("invoice_id")
    differing = {
        name: count
        for name in names
        if (count := ours.height - int(_same(ours[name], theirs[name].cast(pl.Float64)).sum()))
    }
    return {"values": ours.height * len(names), "differing": differing}


def _same(left: Any, right: Any) -> Any:
    close = (left - right).abs() <= 1e-9 * (1 + right.abs())
    return (left.is_null() & right.is_null()) | close.fill_null(value=False)


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _report(rows: int, engine: list[dict[str, Any]], duckdb: list[dict[str, Any]]) -> dict[str, Any]:
    def median(runs: list[dict[str, Any]]) -> dict[str, float]:
        return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]} if runs else {}

    return {
        "rows": rows,
        "features": FEATURES,
        "threads": int(THREADS),
        "load_average": round(os.getloadavg()[0], 1),
        "engine": median(engine) | {"runs": len(engine)},
        "duckdb": median(duckdb) | {"runs": len(duckdb)},
        "ratio": round(median(engine)["rows_per_s"] / median(duckdb)["rows_per_s"], 1) if duckdb else None,
        "one_subject": _in_process("one", rows),
        "agreement": _in_process("agreement", min(rows, 20_000)) | {"rows": min(rows, 20_000)},
    }


def _table(report: dict[str, Any]) -> str:
    lines = [f"{report['rows']:,} invoices x {report['features']} features, {report['threads']} threads"]
    for name in ("engine", "duckdb"):
        if run := report[name].get("rows_per_s"):
            lines.append(
                f"{name:8} {run:>12,.0f} rows/s  {report[name]['peak_gb']:.2f} GB at most  "
                f"{report[name]['cpu_s']:.1f} s of CPU  (median of {report[name]['runs']})"
            )
    one, agreement = report["one_subject"], report["agreement"]
    lines.append(f"ratio    {report['ratio']}")
    lines.append(f"one subject {one['p50_ms']:.2f} ms (p95 {one['p95_ms']:.2f})")
    lines.append(f"agreement on {agreement['rows']:,} invoices: {agreement['differing'] or 'every value'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
