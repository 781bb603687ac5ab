"""How fast the lake takes and gives: `python tests/bench/bench_lake.py [--rows N] [--json OUT]`.

Everything runs in one process on a fresh lake in a temporary folder; figures are wall-clock seconds, best of `--repeat`
where the step can be repeated.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).parents[2]))

from features.lake import Lake
from features.tables import INVOICE

SMALL, PAGE, PAGES = 10_000, 500, 40
NOW = datetime(2024, 1, 1, tzinfo=UTC)
Result = TypeVar("Result")


def invoices(first: int, count: int) -> pl.DataFrame:
    """Invoices of three entities and 4,000 customers, issued over three years, with the ids `first` onwards."""
    rng = np.random.default_rng(first)
    number = pl.Series("n", np.arange(first, first + count))
    issued = pl.Series("issued", rng.integers(18_600, 19_700, count).astype(np.int32)).cast(pl.Date)
    amount = pl.Series("amount", rng.integers(1_000, 10_000_000, count))
    words = [rng.integers(0, 2**63, count, dtype=np.uint64) for _ in range(4)]
    digest = pl.DataFrame(dict(zip("abcd", words, strict=True))).select(pl.concat_str(pl.all().cast(pl.String)))
    facts = pl.DataFrame([number, issued, amount, digest.to_series().alias("digest")]).with_columns(
        pl.format("E{}", pl.col("n") % 3).alias("entity_id"),
        pl.lit("erp").alias("source"),
        pl.col("n").cast(pl.String).alias("source_id"),
        pl.col("issued").cast(pl.Datetime("ms", "UTC")).alias("known_at"),
        pl.lit(value=False).alias("deleted"),
        pl.format("INV-{}", "n").alias("invoice_id"),
        pl.format("C{}", pl.col("n") % 4_000).alias("customer_id"),
        pl.col("issued").alias("issue_date"),
        pl.lit("EUR").alias("currency"),
        pl.col("amount").alias("amount_minor"),
        pl.lit(None, pl.String).alias("order_id"),
        pl.concat_list(
            pl.struct(
                pl.lit(1, pl.Int64).alias("number"),
                pl.col("issued").dt.offset_by("30d").alias("due_date"),
                pl.col("amount").alias("amount_minor"),
            )
        ).alias("instalments"),
    )
    return facts.select(*INVOICE.schema).cast(dict(INVOICE.schema))


def seconds(step: Callable[[], Result], repeat: int = 1) -> float:
    """The shortest of `repeat` runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)


def measured(root: Path, rows: int, repeat: int) -> dict[str, float]:
    """Name -> seconds, for each step in turn, and the size on disk."""
    lake, many = Lake(root), invoices(0, rows)
    small = invoices(rows - SMALL // 2, SMALL)  # half corrections of what is there, half new
    pages = [invoices(2 * rows + n * PAGE, PAGE) for n in range(PAGES)]
    figures = {"append.all": seconds(lambda: lake.append(INVOICE, many))}
    figures["append.all_again"] = seconds(lambda: lake.append(INVOICE, many), repeat)
    figures["append.10k"] = seconds(lambda: lake.append(INVOICE, small))
    figures["append.10k_again"] = seconds(lambda: lake.append(INVOICE, small), repeat)
    figures["known.all"] = seconds(lambda: lake.known(INVOICE, NOW).collect(), repeat)
    figures["versions.all"] = seconds(lambda: lake.versions(INVOICE).collect(), repeat)
    one_entity = lake.versions(INVOICE).filter(pl.col("entity_id") == "E1").select("invoice_id", "amount_minor")
    figures["versions.one_entity_two_columns"] = seconds(one_entity.collect, repeat)
    figures["append.page_of_500"] = seconds(lambda: [lake.append(INVOICE, page) for page in pages]) / PAGES
    figures["known.after_pages"] = seconds(lambda: lake.known(INVOICE, NOW).collect(), repeat)
    figures["compact"] = seconds(lambda: lake.compact(INVOICE))
    figures["known.after_compact"] = seconds(lambda: lake.known(INVOICE, NOW).collect(), repeat)
    figures["disk_mb"] = sum(file.stat().st_size for file in root.rglob("*.parquet")) / 1e6
    return figures


def main() -> None:
    """Measure, print, and write the figures as JSON where asked."""
    parser = argparse.ArgumentParser(description="How fast the lake takes and gives.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), options.rows, options.repeat)
    grid = Grid("step", "seconds", title=f"lake, {options.rows:,} invoices, {pl.thread_pool_size()} threads")
    for name, figure in figures.items():
        grid.add_row(name, f"{figure:.3f}" if name != "disk_mb" else f"{figure:.0f} MB")
    Console().print(grid)
    if options.json:
        named = {"rows": options.rows, "threads": pl.thread_pool_size(), "seconds": figures}
        options.json.write_text(json.dumps(named, indent=2) + "\n")


if __name__ == "__main__":
    main()
