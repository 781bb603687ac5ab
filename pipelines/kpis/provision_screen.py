"""The provision matrix as tables of at most 100 columns."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from features.money import from_minor
from pipelines.kpis.collections_screen import kpi_table
from pipelines.kpis.screen import percent

_FIGURES = 8  # what a provision matrix has behind its bucket


def provision_tables(cells: pl.DataFrame, totals: pl.DataFrame) -> Iterator[RenderableType]:
    """The matrix cell by cell, then its totals by entity and currency, which tie to the ageing; ~: partial."""
    if cells.is_empty():
        yield Text("Nothing was open then, so nothing is provided for; choose another day")
        return
    by = [c for c in cells.columns if c not in ("entity_id", "currency", "bucket")][:-_FIGURES]
    table = kpi_table("", ("entity", *by, "bucket"), ("open", "owed", "rate", "provision", "currency"))
    for row in cells.filter(pl.col("receivables") > 0).iter_rows(named=True):
        names = [row["entity_id"], *(row[b] or "unknown" for b in by), row["bucket"]]
        rate = "none" if row["loss_rate"] is None else percent(float(row["loss_rate"]))
        figures = [_money(row[c], row["currency"]) for c in ("open_minor", "debit_minor")]
        table.add_row(*names, *figures, rate, _provided(row), row["currency"])
    yield table
    yield _totals(totals)
    said = cells.filter(pl.col("availability_reason").is_not_null() & (pl.col("debit_minor") != 0))
    reasons = said.select("entity_id", "currency", "availability", "availability_reason").unique(maintain_order=True)
    for entity, currency, told, reason in reasons.iter_rows():
        yield Text(f"{'~' if told == 'partial' else told}: {entity} {currency}, {reason}")


def _totals(totals: pl.DataFrame) -> Table:
    table = kpi_table("Sum", ("entity",), ("open", "owed", "of it without a rate", "provision", "currency"))
    for row in totals.iter_rows(named=True):
        figures = [_money(row[c], row["currency"]) for c in ("open_minor", "debit_minor", "missing_minor")]
        table.add_row(row["entity_id"], *figures, _provided(row), row["currency"])
    return table


def _provided(row: Mapping[str, Any]) -> str:
    return ("~" if row["availability"] == "partial" else "") + _money(row["provision_minor"], row["currency"])


def _money(minor: int | None, currency: str) -> str:
    return "none" if minor is None else f"{from_minor(minor, currency):,}"
