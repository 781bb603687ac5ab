"""What the effect of a contact may depend on, as known before it."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.book import Book
from features.ledger import RECEIVABLE
from models.worklist.past_due import CONTACTED

USUAL_EDGES = (2.0, 7.0, 15.0, 30.0)  # usual days late: the strata that effects are told apart by first

# What the effect of a contact may depend on; declared once, read by the learner and by its answers.
EFFECT_FEATURES = (
    *(f"usual_from_{edge:g}" for edge in USUAL_EDGES),
    "unsteady",
    "slowing",
    "rhythm",
    "month_end",
    "beyond_usual",
    "disputes",
    "log_amount",
)


def effect_features(book: Book, asked: pl.DataFrame) -> pl.DataFrame:
    """CONTACTED and EFFECT_FEATURES, one row for each contact of `asks`, as known before its cutoff; no nulls.

    usual_from_N   1 where the customer is usually N or more days late (drawn to the entity's where little is known)
    unsteady       spread of its days late, log of days
    slowing        mean days late of 90 days less that of 365 days, -20 to 20
    rhythm         share of its payments on its favourite weekday
    month_end      share of its payments around the end or the middle of a month
    beyond_usual   days the oldest receivable is past due beyond the usual, signed log
    disputes       share of what was invoiced that was credited or written off
    log_amount     log of what it is about, in the entity's currency; a missing rate counts as a small amount
    """
    if asked.is_empty():
        schema = {c: asked.schema[c] for c in CONTACTED} | dict.fromkeys(EFFECT_FEATURES, pl.Float64())
        return pl.DataFrame(schema=schema)
    totals = asked.group_by(CONTACTED).agg(_cents=pl.col("asked_cents").sum(), _oldest=pl.col("past_due_days").max())
    oldest = asked.unique(CONTACTED, keep="first", maintain_order=True)
    frame = book.features(oldest.select(*CONTACTED[:2], *RECEIVABLE[1:], *_SUBJECT))
    rows = frame.join(totals, on=CONTACTED, how="left", maintain_order="left")
    return rows.select(*CONTACTED, *(e.cast(pl.Float64).alias(n) for n, e in _expressions().items()))


_SUBJECT: Sequence[str] = ("currency", "amount_minor", "issue_date", "due_date", "cutoff_day", "cutoff")


def _expressions() -> dict[str, pl.Expr]:
    usual = pl.col("days_late_pooled").fill_null(0.0)
    weekdays = [pl.col(f"paid_{day}_share") for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")]
    beyond = pl.col("_oldest") - usual.clip(lower_bound=0.0)
    return {
        **{f"usual_from_{edge:g}": usual >= edge for edge in USUAL_EDGES},
        "unsteady": pl.col("days_late_std").fill_null(5.0).log1p(),
        "slowing": pl.col("days_late_trend").fill_null(0.0).clip(-20.0, 20.0),
        "rhythm": pl.max_horizontal(weekdays).fill_null(0.3),
        "month_end": (pl.col("paid_month_end_share") + pl.col("paid_mid_month_share")).fill_null(0.2),
        "beyond_usual": beyond.sign() * beyond.abs().log1p(),
        "disputes": pl.col("dilution_share").fill_null(0.0).clip(0.0, 0.5),
        "log_amount": (pl.col("_cents").clip(lower_bound=0) * 0.01).log1p(),
    }


def effect_values(frame: pl.DataFrame, names: Sequence[str] = EFFECT_FEATURES) -> np.ndarray:
    """(n, F) the features as float64."""
    return frame.select(pl.col(names).cast(pl.Float64)).to_numpy(order="c")
