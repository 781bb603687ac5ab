"""How overdue money rolls: from one bucket into the next, over a step of days."""

import polars as pl

from features.kpis.asof import AsOf
from features.kpis.buckets import BUCKETS, STEPS
from features.ledger import RECEIVABLE


def rolls(at: AsOf, step_days: int) -> pl.DataFrame:
    """One row per receivable that somebody owed `step_days` before, each look as the books stood then.

    entity_id, currency, customer_id, `bucket` it was in, `from_minor` open in it then, and `rolled_minor`: what of that
    is still open and in the next bucket now, 0 where it was paid, stayed, or went farther. What was in the oldest
    bucket rolls where it stays.
    """
    before = at.earlier(step_days).receivables.filter(pl.col("open_minor") > 0)
    now = at.receivables.filter(pl.col("open_minor") > 0).select(
        *RECEIVABLE, open_now="open_minor", bucket_now="bucket"
    )
    following = {a.label: b.label for a, b in STEPS} | {BUCKETS[-1].label: BUCKETS[-1].label}
    went_on = pl.col("bucket_now") == pl.col("bucket").replace_strict(following, return_dtype=pl.String)
    rolled = pl.when(went_on).then(pl.min_horizontal("open_minor", "open_now")).otherwise(0)
    return before.join(now, on=RECEIVABLE, how="left", maintain_order="left").select(
        "entity_id",
        "currency",
        "customer_id",
        "bucket",
        from_minor="open_minor",
        rolled_minor=rolled,
    )
