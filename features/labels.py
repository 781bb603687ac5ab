"""What looks forward: the outcome of a receivable. Nothing here may reach a feature."""

from datetime import datetime

import polars as pl

from features.calendars import with_day_of
from features.facts import standing
from features.ledger import RECEIVABLE

LAG_QUANTILE = 0.95
LONGEST_LAG_DAYS = 14


def labelled(frame: pl.DataFrame, states: pl.DataFrame, zones: pl.DataFrame, observed_before: datetime) -> pl.DataFrame:
    """`frame` with what was known of each receivable just before `observed_before`; those taken back by then go.

    paid_date       the day it was settled by payment, null where it was not
    cancelled       settled by credit or write-off instead: nobody will ever pay it
    observed_until  where paid_date is null: the last day through which it is known to have been unpaid. Nobody knows
                    that beyond the day of its entity's newest payment: the bank file may be missing, or be older than
                    the rest of what was brought in
    """
    outcome = standing(states, observed_before).select(*RECEIVABLE, "paid_date", "cancelled")
    newest = outcome.group_by("entity_id").agg(_newest=pl.col("paid_date").filter(~pl.col("cancelled")).max())
    seen = with_day_of(zones.with_columns(_at=pl.lit(observed_before)), "_at", zones, "_day").select(
        "entity_id", _seen=pl.col("_day") - pl.duration(days=1)
    )
    last_day = pl.min_horizontal(pl.col("_seen") - pl.duration(days=pl.col("lag_days").fill_null(0)), "_newest")
    return (
        frame.join(outcome, on=RECEIVABLE, maintain_order="left")
        .join(seen, on="entity_id", how="left", maintain_order="left")
        .join(knowledge_lags(states, zones, observed_before), on="entity_id", how="left", maintain_order="left")
        .join(newest, on="entity_id", how="left", maintain_order="left")
        .with_columns(
            observed_until=pl.when("cancelled").then(pl.col("paid_date") - pl.duration(days=1)).otherwise(last_day),
            paid_date=pl.when(~pl.col("cancelled")).then("paid_date"),
        )
        .drop("_seen", "_newest", "lag_days")
    )


def knowledge_lags(states: pl.DataFrame, zones: pl.DataFrame, before: datetime) -> pl.DataFrame:
    """entity_id, lag_days: within how many days a settlement was learnt, for 95 of 100, as known at `before`.

    A payment of yesterday may be in tomorrow's bank file; a receivable that looks open is known to be unpaid only
    up to that many days ago. A settlement was learnt when that day was first told, whatever was corrected since.
    """
    outcome = [*RECEIVABLE, "paid_date"]
    first_told = states.drop_nulls("paid_date").group_by(outcome).agg(pl.col("known_from").min())
    still_told = first_told.join(standing(states, before), on=outcome, how="semi")
    settled = with_day_of(still_told, "known_from", zones, "_known")
    lag = (pl.col("_known") - pl.col("paid_date")).dt.total_days().clip(0, LONGEST_LAG_DAYS)
    return settled.group_by("entity_id").agg(lag_days=lag.quantile(LAG_QUANTILE, "higher").cast(pl.Int64))
