"""Allocations that settle nothing we know: they break no rule, but many of them mean that two files spell ids apart."""

import polars as pl

from features.lake import Lake
from features.ledger import SETTLES
from features.tables import ALLOCATION, INVOICE, Table
from pipelines.run_report import Unmatched


def unmatched(lake: Lake) -> Unmatched:
    """How many of the lake's allocations name an invoice, instalment or currency that no invoice there has."""
    if lake.versions(ALLOCATION).select("entity_id").head(1).collect().is_empty():
        return Unmatched()  # the invoices need not be read
    instalments = _latest(lake, INVOICE).explode("instalments").unnest("instalments").rename({"number": "instalment"})
    allocations = _latest(lake, ALLOCATION).select(SETTLES)
    lost = allocations.join(instalments.select(SETTLES), on=SETTLES, how="anti")
    counts = pl.collect_all([allocations.select(pl.len()), lost.select(pl.len())])
    return Unmatched(allocations=counts[1].item(), of=counts[0].item())


def _latest(lake: Lake, table: Table) -> pl.LazyFrame:
    return lake.versions(table).unique(table.key, keep="last", maintain_order=True).filter(~pl.col("deleted"))
