"""The IFRS 9 simplified provision matrix: the ageing times loss rates, tied to the ageing to the cent."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from features.book import Book
from features.contracts import require_schema
from features.kpis.ageing import ageing, ageing_schema
from features.kpis.loss_rates import LossRates, narrowest, with_factor
from features.kpis.rounding import half_up

RATE = pl.Decimal(18, 9)
WORST_FIRST = ("none", "partial", "full")


def provision_schema(by: Sequence[str] = ()) -> dict[str, pl.DataType]:
    """The ageing's columns, and what is provided for each cell."""
    return ageing_schema(by) | {
        "loss_rate": RATE,
        "provision_minor": pl.Int64(),
        "availability": pl.String(),
        "availability_reason": pl.String(),
    }


def provision(
    book: Book,
    as_of: date | datetime,
    rates: Sequence[LossRates],
    *,
    by: Sequence[str] = (),
    factor: Decimal = Decimal(1),
) -> pl.DataFrame:
    """`provisioned` on the ageing as of `as_of`."""
    return provisioned(ageing(book, as_of, by), rates, factor=factor)


def provisioned(aged: pl.DataFrame, rates: Sequence[LossRates], *, factor: Decimal = Decimal(1)) -> pl.DataFrame:
    """The rows of an ageing (`features.kpis.ageing`), in their order, under `provision_schema`.

    What customers owe, `debit_minor`, times the loss rate: exact, and rounded once per cell (row) to a minor unit,
    halves up. What the seller owes customers cannot be lost and is not set off; debits and credits sum to the ledger.
    A cell in which something is owed and for which no rate is known has no provision but `availability` none and the
    reason; one without debits needs no rate: its provision is 0. One whose derived rate is 0 is `partial`: nothing is
    provided because the past shows no loss, which is less than knowing that there will be none.

    rates   the narrowest that fit a row count: those that name its entity, currency or segment before the others
    factor  forward-looking: every rate times it, at most 1
    """
    keys = [c for c in aged.columns if c not in ("receivables", "open_minor", "debit_minor", "credit_minor")]
    schema = provision_schema([k for k in keys if k not in ("entity_id", "currency", "bucket")])
    cells = [_cell(row, rates, factor) for row in aged.iter_rows(named=True)]
    added = {name: schema[name] for name in ("loss_rate", "provision_minor", "availability", "availability_reason")}
    frame = aged.hstack(pl.DataFrame(cells, schema=added, orient="row"))
    require_schema(frame, schema, "the rows of a provision matrix")
    return frame


def total(cells: pl.DataFrame, by: Sequence[str] = ("entity_id", "currency")) -> pl.DataFrame:
    """The provision summed `by`, with the worst `availability` of the cells in it and each of their reasons once.

    Where a cell with something owed has no provision the sum is null, and `missing_minor` is what such cells owe; where
    one is `partial`, so is the sum.
    """
    unknown = pl.col("provision_minor").is_null()
    worst = pl.col("availability").cast(pl.Enum(WORST_FIRST)).min().cast(pl.String)
    reasons = pl.col("availability_reason").drop_nulls().unique(maintain_order=True)
    return (
        cells.group_by(by, maintain_order=True)
        .agg(
            pl.col("open_minor", "debit_minor", "credit_minor").sum(),
            provision_minor=pl.when(~unknown.any()).then(pl.col("provision_minor").sum()),
            missing_minor=pl.col("debit_minor").filter(unknown).sum(),
            availability=worst,
            availability_reason=pl.when(reasons.len() > 0).then(reasons.str.join("; ")),
        )
        .sort(by)
    )


def _cell(row: dict[str, Any], rates: Sequence[LossRates], factor: Decimal) -> tuple[Any, ...]:
    """loss_rate, provision_minor, availability, availability_reason."""
    chosen = narrowest(rates, row)
    given = None if chosen is None else chosen.rates.get(row["bucket"])
    if given is None:
        why = "no loss rates fit it" if chosen is None else chosen.unknown.get(row["bucket"], "no loss rate is given")
        return (None, None, "none", f"{row['bucket']}: {why}") if row["debit_minor"] else (None, 0, "full", None)
    rate = with_factor(given, factor).quantize(Decimal(1).scaleb(-9))
    note = chosen.notes.get(row["bucket"]) if chosen and row["debit_minor"] else None
    told = ("full", None) if note is None else ("partial", f"{row['bucket']}: {note}")
    return rate, half_up(row["debit_minor"] * Fraction(rate)), *told
