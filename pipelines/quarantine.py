"""What an ingest set aside, as a file for whoever mends the source.

No cell of it is a formula (`pipelines.spreadsheets`). The payload as it came is in the store, and `duecast errors
show` shows it.
"""

from pathlib import Path

import polars as pl

from pipelines.spreadsheets import without_formulas
from services.store import Store

COLUMNS = ("table", "where", "field", "value", "allowed", "payload", "times")


def write_quarantine(store: Store, run_id: str, path: Path) -> None:
    """Write the violations of one run to `path` as CSV, place by place; rows that are equal are told once."""
    number = pl.col("where").str.extract(r"(\d+)$").cast(pl.Int64, strict=False)  # line 9 stands before line 10
    found = store.quarantined(run_id=run_id, limit=None).select(COLUMNS)
    in_order = found.sort("table", pl.col("where").str.strip_chars_end("0123456789"), number, "field")
    without_formulas(in_order).write_csv(path)
