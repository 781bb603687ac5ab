"""What was lost of what went into default: the ledger's own loss given default, as known at an instant."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.customers import DefaultRule
from features.facts import Facts, standing
from features.ledger import RECEIVABLE, SETTLES

FEWEST_CLOSED = 20


@dataclass(frozen=True, slots=True)
class LossShare:
    """Of receivables that had gone into default and are closed: how many, and the share written off.

    `share` is the mean over receivables, so that currencies need not be added up; null with fewer than `FEWEST_CLOSED`.
    """

    closed: int
    share: float | None


def loss_share(facts: Facts, states: pl.DataFrame, rule: DefaultRule, as_of: datetime) -> LossShare:
    """Over receivables that were `rule.late_days` late and were closed, by payment, credit or write-off, by `as_of`."""
    closed = standing(states, as_of).filter(
        pl.col("amount_minor") > 0, (pl.col("paid_date") - pl.col("due_date")).dt.total_days() >= rule.late_days
    )
    parts = standing(facts.spans("allocation"), as_of)
    late = (
        closed.select(*SETTLES, "due_date", "amount_minor")
        .join(parts.select(*SETTLES, "kind", "date", part_minor="amount_minor"), on=SETTLES)
        .with_columns(after=pl.col("date") >= pl.col("due_date") + pl.duration(days=rule.late_days))
    )
    shares = (
        late.group_by(RECEIVABLE)
        .agg(
            at_risk=pl.col("part_minor").filter("after").sum(),
            lost=pl.col("part_minor").filter(pl.col("after") & (pl.col("kind") == "write_off")).sum(),
        )
        .filter(pl.col("at_risk") > 0)
        .sort(RECEIVABLE)
        # more than was at risk is lost where an earlier payment went back
        .select(pl.col("lost").clip(0, pl.col("at_risk")) / pl.col("at_risk"))
        .to_series()
    )
    share = float(shares.to_numpy().mean()) if len(shares) >= FEWEST_CLOSED else None
    return LossShare(len(shares), share)
