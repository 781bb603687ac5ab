"""Who is not to be contacted yet: contacted not long ago, too often, or still part of what is learnt from."""

from datetime import timedelta
from typing import Any

import polars as pl

from features.masters import CUSTOMER
from models.worklist.phrases import counted
from models.worklist.scene import Scene, found
from models.worklist.settings import WorklistSettings

MONTH_DAYS = 30


def contacted(scene: Scene) -> pl.DataFrame:
    """Too soon after the last contact, or on too many days of a month.

    Who was called, missed and written to on one day was contacted once: the limit is about days. Each of the three took
    a collector's time, so each counts against the capacity (`models.worklist.rows`).
    """
    made = scene.standing("contact").filter("made")
    ago = made.with_columns(_ago=(pl.col("cutoff_day") - pl.col("day")).dt.total_days()).filter(pl.col("_ago") >= 0)
    recent = ago.filter(pl.col("_ago") < MONTH_DAYS).sort(*CUSTOMER, "day")
    of_each = recent.group_by(CUSTOMER, maintain_order=True).agg(
        days=pl.col("day").unique().sort(), last=pl.col("day").max(), ago=pl.col("_ago").min()
    )
    told = [_too_soon(r, scene.settings) for r in of_each.iter_rows(named=True)]
    return found([row for row in told if row is not None])


def _too_soon(told: dict[str, Any], settings: WorklistSettings) -> dict[str, object] | None:
    """Why a customer with contacts on these `days` is not to be contacted again; None where it may be."""
    days, last, most = told["days"], told["last"], settings.contacts_per_30_days
    too_many = len(days) >= most
    if told["ago"] >= settings.gap_days and not too_many:
        return None
    free = last + timedelta(days=settings.gap_days)
    if too_many:
        free = max(free, days[-most] + timedelta(days=MONTH_DAYS))
    often = f", on {counted(len(days), 'day')} of the last {MONTH_DAYS}" if too_many else ""
    gap = f"every {settings.gap_days} days" if settings.gap_days > 1 else "every day"
    return {
        "entity_id": told["entity_id"],
        "customer_id": told["customer_id"],
        "reason": f"contacted on {last}{often}; allowed: {gap}, on {counted(most, 'day')} of {MONTH_DAYS}",
        "released_by": f"the calendar, on {free}",
    }


def drawn(scene: Scene) -> pl.DataFrame:
    """Part of a draw whose horizon is not over, in either arm: the effect is that of one contact, against none."""
    told = scene.standing("contact").filter(pl.col("chance").is_not_null() | ~pl.col("made"))
    until = pl.col("day") + pl.duration(days=scene.settings.horizon_days)
    still = told.with_columns(_until=until).filter(pl.col("_until") > pl.col("cutoff_day"))
    last = still.sort(*CUSTOMER, "day", "known_from", "contact_id").unique(CUSTOMER, keep="last", maintain_order=True)
    return found(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"{'contacted' if r['made'] else 'left out'} by a draw on {r['day']}, "
                "to learn what a contact is worth",
                "released_by": f"the calendar, on {r['_until']}",
            }
            for r in last.iter_rows(named=True)
        ]
    )
