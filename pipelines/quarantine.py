"""What an ingest set aside, as a file for whoever mends the source."""

from pathlib import Path

import polars as pl

from services.store import Store

COLUMNS = ("table", "where", "field", "value", "allowed", "payload", "times")


def write_quarantine(store: Store, run_id: str, path: Path) -> None:
    """Write the violations of one run to `path` as CSV, place by place; rows that are equal are told once."""
    number = pl.col("where").str.extract(r"(\d+)$").cast(pl.Int64, strict=False)  # line 9 stands before line 10
    found = store.quarantined(run_id=run_id, limit=None).select(COLUMNS)
    found.sort("table", pl.col("where").str.strip_chars_end("0123456789"), number, "field").write_csv(path)
