"""The promises that fell due before a day, and which of them were kept; `features.promises` judges."""

import polars as pl

from features.kpis.asof import AsOf
from features.promises import promises_known


def promises_due(at: AsOf, *, days: int, tolerance_days: int) -> pl.DataFrame:
    """The promises whose last day, with the tolerance, fell into the `days` before the cutoff; void ones left out.

    entity_id, currency, customer_id, promise_id, amount_minor, `kept`: one row a promise, each judged alone.
    """
    looks = at.cutoffs.partition_by("cutoff", include_key=True, maintain_order=True)
    judged = pl.concat([_states(at, look, tolerance_days) for look in looks])
    ago = (pl.col("cutoff_day") - pl.col("due_by")).dt.total_days()
    due = judged.filter(ago.is_between(1, days) & (pl.col("state") != "void"))
    return due.select(
        "entity_id", "currency", "customer_id", "promise_id", "amount_minor", kept=pl.col("state") == "kept"
    )


def _states(at: AsOf, look: pl.DataFrame, tolerance_days: int) -> pl.DataFrame:
    """The promises of those entities whose day begins at one instant."""
    known = promises_known(at.book, look["cutoff"][0], tolerance_days=tolerance_days)
    return known.states.join(look.select("entity_id"), on="entity_id", how="semi", maintain_order="left")
