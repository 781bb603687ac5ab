"""What the KPIs are made of: exact sums and counts over the views, declared."""

from dataclasses import dataclass
from enum import Enum

import polars as pl

from features.kpis.buckets import BUCKETS, STEPS


class Unit(Enum):
    """What a figure is: how people call it, and to how many decimals it is rounded, half away from zero, at output."""

    MONEY = ("money", 0)  # of the currency's minor unit: exact, or rounded once
    COUNT = ("count", 0)
    DAYS = ("days", 2)
    PERCENT = ("percent", 2)
    SHARE = ("share", 4)

    def __init__(self, words: str, decimals: int) -> None:
        self.words = words
        self.decimals = decimals


@dataclass(frozen=True, slots=True)
class Measure:
    """One number over the rows of a view.

    of         the aggregate; money is whole minor units
    left_out   counts the rows that the sum cannot tell the amount of, `left_out_words` what they are
    """

    name: str
    words: str
    unit: Unit
    view: str
    of: pl.Expr
    left_out: pl.Expr | None = None
    left_out_words: str = ""


def _open(label: str) -> pl.Expr:
    return pl.col("open_minor").filter(pl.col("bucket") == label).sum()


_UNTOLD = pl.col("left_minor").is_null().sum()
_DISPUTED = pl.col("disputed_minor")

_DECLARED = (
    *(
        Measure(
            f"open_{b.name}", f"open receivables in the bucket {b.label}", Unit.MONEY, "receivables", _open(b.label)
        )
        for b in BUCKETS
    ),
    Measure("open_count", "receivables (instalments) with anything open", Unit.COUNT, "receivables", pl.len()),
    Measure("credit_sales", "issued in the period", Unit.MONEY, "movements", pl.col("sold_minor").sum()),
    Measure("beginning_ar", "open when it began", Unit.MONEY, "movements", pl.col("beginning_minor").sum()),
    Measure(
        "credit_notes_left",
        "credit notes not yet allocated (negative)",
        Unit.MONEY,
        "credit_notes",
        pl.col("left_minor").sum(),
        _UNTOLD,
        "credit note(s) allocated to another currency by an unknown amount",
    ),
    Measure(
        "cash_left",
        "cash received and not allocated",
        Unit.MONEY,
        "payments",
        pl.col("left_minor").sum(),
        _UNTOLD,
        "payment(s) allocated to another currency by an unknown amount",
    ),
    Measure(
        "disputed_open",
        "amount of open disputes",
        Unit.MONEY,
        "disputes",
        _DISPUTED.filter("is_open").sum(),
        (_DISPUTED.is_null() & pl.col("is_open")).sum(),
        "open dispute(s) without an amount or an open invoice",
    ),
    Measure(
        "disputed_new",
        "amount of disputes opened in the period",
        Unit.MONEY,
        "disputes",
        _DISPUTED.filter("is_new").sum(),
        (_DISPUTED.is_null() & pl.col("is_new")).sum(),
        "new dispute(s) without an amount",
    ),
    Measure("promises_due", "promises that fell due", Unit.COUNT, "promises", pl.len()),
    Measure("promises_kept", "of these kept", Unit.COUNT, "promises", pl.col("kept").sum()),
    Measure("promised", "amount of promises due", Unit.MONEY, "promises", pl.col("amount_minor").sum()),
    Measure("promised_kept", "of these kept", Unit.MONEY, "promises", pl.col("amount_minor").filter("kept").sum()),
    *(
        Measure(
            f"{column}_{b.name}",
            words.format(b.label),
            Unit.MONEY,
            "rolled",
            pl.col(f"{column}_minor").filter(pl.col("bucket") == b.label).sum(),
        )
        for b, _ in STEPS
        for column, words in (
            ("from", "owed in {} a step ago"),
            ("rolled", "of what was owed in {}, now one bucket on"),
        )
    ),
    Measure("settled_count", "invoices settled in the period", Unit.COUNT, "settled", pl.len()),
    Measure("cycle_median", "median cycle time", Unit.DAYS, "settled", pl.col("cycle_days").median()),
    Measure("cycle_p90", "cycle time of 90 %", Unit.DAYS, "settled", pl.col("cycle_days").quantile(0.9, "linear")),
)

MEASURES = {measure.name: measure for measure in _DECLARED}
