"""What an ingest set aside, as a file for whoever mends the source.

The file is opened in spreadsheets, and what it holds was written by others: a cell that a spreadsheet would take for a
formula (it begins with = + - @, their full-width forms, a tab or a line break) gets an apostrophe in front, unless it
is a plain number such as -12.50. The payload as it came is in the store, and `duecast errors show` shows it.
"""

from pathlib import Path

import polars as pl

from services.store import Store

COLUMNS = ("table", "where", "field", "value", "allowed", "payload", "times")
_FORMULA = "^[=+@\uff1d\uff0b\uff0d\uff20\t\r\n-]"
_PLAIN_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*$"


def write_quarantine(store: Store, run_id: str, path: Path) -> None:
    """Write the violations of one run to `path` as CSV, place by place; rows that are equal are told once."""
    number = pl.col("where").str.extract(r"(\d+)$").cast(pl.Int64, strict=False)  # line 9 stands before line 10
    found = store.quarantined(run_id=run_id, limit=None).select(COLUMNS)
    in_order = found.sort("table", pl.col("where").str.strip_chars_end("0123456789"), number, "field")
    texts = [name for name, dtype in in_order.schema.items() if dtype == pl.String]
    in_order.with_columns(_harmless(pl.col(name)).alias(name) for name in texts).write_csv(path)


def _harmless(cell: pl.Expr) -> pl.Expr:
    formula = cell.str.contains(_FORMULA) & ~cell.str.contains(_PLAIN_NUMBER)
    return pl.when(formula).then(pl.concat_str(pl.lit("'"), cell)).otherwise(cell)
