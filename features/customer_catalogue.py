"""The features of a customer at a cutoff, and which way each moves the credit risk.

Families of the invoice catalogue, without what belongs to one invoice, and what credit needs beside them. Left out is
also what would break a promise: more or longer lateness never lowers the risk. A spread or a trend falls when an early
payment becomes a late one, and so does the mean age of what is overdue when one more invoice becomes so. And trees
order numbers, not "missing" and numbers: where nothing overdue has a natural lowest value, that is what it is.

Nor may it pay to pay later. What counts from the day of a payment is left out, since a later payment is a more recent
one: silence, gaps between payments, "the last" and what weighs the newest most, on time instead of early, weights at
the exchange rate of that day, and windows, into which an old late payment would come back. In their place stand windows
by the day that was due, which no payment moves. Counts of the very late keep theirs: they can only rise.
"""

from collections.abc import Iterable

import polars as pl

from features.catalogue import FAMILIES, QUANTILES, WINDOWS, attribute_features
from features.customer_events import DUE_WINDOWS
from features.declarations import (
    ENTITY,
    SEGMENT,
    Count,
    DaysSince,
    Declaration,
    Derived,
    Feature,
    Max,
    MaxAge,
    Mean,
    Share,
    Sum,
)
from features.events import ATTRIBUTE, WEEKDAYS

SHARED = ("lateness", "habits", "exposure", "trade", "pooled")
LEFT_OUT = {
    "days_late_std",
    "business_days_late_std",
    "days_late_trend",
    "overdue_age_days",
    "open_past_due_days",
    "paid_month_end_share",
    "paid_mid_month_share",
    *(f"paid_{day}_share" for day in WEEKDAYS),
    "overdue_share",  # declared below, so that it is 0 where nothing is owed
    *(f"days_late_{name}" for name in ("median", *QUANTILES, "last", "ewma", "ewma_slow", "by_amount", "by_cents")),
    *(f"days_late_{what}_{days}d" for what in ("count", "mean", "share_late") for days in WINDOWS),
    *(f"{key}_{what}" for key in ("segment", "entity") for what in ("days_late_std", "days_late_mean_90d")),
    *(f"{key}_share_late_90d" for key in ("segment", "entity")),
    *("on_time_share", "days_to_settle_ewma", "days_since_settled", "days_since_paid", "days_since_first_paid"),
    *("paid_count_90d", "paid_gap_mean_days", "paid_silence"),
}
# What answers need beside the figures, and no model reads.
NOT_READ = frozenset(
    {"oldest_overdue_days", "valued_open_count", "valued_invoiced_count_365d", "disputed_open_count", "charged_count"}
)
# Facts about the customer that say it has failed already: they are outcomes, not signals.
NOT_SIGNALS = ("insolvent", "legal_hold")

CREDIT: tuple[Declaration, ...] = (
    *(
        feature
        for days in (61, 91)
        for feature in (
            Feature(
                f"days_late_share_late_{days}",
                Share(f"is_late_{days}"),
                event="settled",
                doc=f"share settled {days} or more days late",
            ),
            Feature(
                f"late_{days}_count_365d",
                Count(),
                event="settled",
                where=f"is_late_{days}",
                window_days=365,
                doc=f"settled {days} or more days late, 365 days",
            ),
        )
    ),
    *(
        Feature(f"{name}_due_{days}d", aggregate, event=f"settled_due_{days}", doc=f"{doc}, due in {days} days")
        for days in DUE_WINDOWS
        for name, aggregate, doc in (
            ("days_late_count", Count(), "invoices settled"),
            ("days_late_mean", Mean("days_late"), "mean days late"),
            ("days_late_max", Max("days_late"), "most days late"),
            ("days_late_share_late", Share("is_late"), "share settled after the due date"),
            ("days_late_share_late_31", Share("is_late_31"), "share settled 31 or more days late"),
        )
    ),
    *(
        Feature(
            f"{key.name}_{name}_due_90d", aggregate, event="settled_due_90", key=key, doc=f"{doc} of the {key.name}"
        )
        for key in (SEGMENT, ENTITY)
        for name, aggregate, doc in (
            ("days_late_mean", Mean("days_late"), "mean days late of what fell due in 90 days,"),
            ("share_late", Share("is_late"), "share late of what fell due in 90 days,"),
        )
    ),
    Feature(
        "paid_through_days",
        DaysSince("due_day"),
        event="settled_due",
        doc="days since the newest due date among what is settled; negative where that is yet to come",
    ),
    Feature(
        "late_31_count_90d", Count(), event="settled", where="is_late_31", window_days=90, doc="settled 31+ days late"
    ),
    Feature("oldest_overdue_days", MaxAge("due_day"), event="overdue_0", doc="the same, null where nothing is overdue"),
    Derived(
        "worst_overdue_days",
        lambda: pl.col("oldest_overdue_days").fill_null(0),
        ("oldest_overdue_days",),
        "days past due of the oldest overdue, 0 where nothing is",
    ),
    Derived(
        "overdue_share",
        lambda: pl.when(pl.col("open_cents") > 0).then(pl.col("overdue_0_cents") / pl.col("open_cents")).otherwise(0.0),
        ("overdue_0_cents", "open_cents"),
        "share of the open amount that is overdue, 0 where nothing is owed",
    ),
    Feature("disputed_open_count", Count(), event="disputed_open", doc="open receivables with an open dispute"),
    Feature("valued_open_count", Count("open_cents"), event="open", doc="open receivables whose rate is known"),
    Feature(
        "valued_invoiced_count_365d",
        Count("amount_cents"),
        event="invoiced",
        window_days=365,
        doc="receivables of 365 days whose exchange rate is known",
    ),
    Feature("charged_count", Count(), event="charged", doc="receivables above 0 so far"),
    Feature("lost_count", Count(), event="lost", doc="receivables written off, half or more of each"),
    Feature("lost_cents", Sum("amount_cents"), event="lost", doc="their amount"),
    Feature("credit_note_count", Count(), event="noted", doc="credit notes"),
    Feature("disputed_count", Count(), event="disputed", doc="open disputes"),
    Feature("disputed_cents", Sum("amount_cents"), event="disputed", doc="their amount, where it is known"),
    Feature("unapplied_cents", Sum("amount_cents"), event="unapplied", doc="received and not allocated"),
    Feature("unbilled_cents", Sum("amount_cents"), event="unbilled", doc="ordered and not yet billed"),
    Feature(
        "invoiced_cents_365d",
        Sum("amount_cents"),
        event="invoiced",
        window_days=365,
        doc="amount invoiced, 365 days",
    ),
    Feature(
        "days_since_invoiced", DaysSince("issue_day"), event="invoiced", doc="days since the customer was last invoiced"
    ),
    Derived(
        "limit_utilisation",
        lambda: pl.col("open_cents") / pl.when(pl.col("credit_limit_cents") > 0).then(pl.col("credit_limit_cents")),
        ("open_cents", "credit_limit_cents"),
        "open amount by the credit limit on file",
    ),
    Derived(
        "limit_utilisation_with_orders",
        lambda: (
            (pl.col("open_cents") + pl.col("unbilled_cents"))
            / pl.when(pl.col("credit_limit_cents") > 0).then(pl.col("credit_limit_cents"))
        ),
        ("open_cents", "unbilled_cents", "credit_limit_cents"),
        "open amount and orders not yet billed by the credit limit on file",
    ),
    Feature(
        "segment_share_late_61",
        Share("is_late_61"),
        event="settled",
        key=SEGMENT,
        doc="share settled 61 or more days late in the segment",
    ),
)

RISES = frozenset(
    {
        *(f"days_late_{name}" for name in ("mean", "pooled")),
        *(f"days_late_share_late{name}" for name in ("", "_8", "_31", "_61", "_91")),
        *(f"days_late_{what}_due_{days}d" for what in ("mean", "max", "share_late") for days in DUE_WINDOWS),
        *(f"days_late_share_late_31_due_{days}d" for days in DUE_WINDOWS),
        *(f"overdue_{days}_{what}" for days in (0, 30, 60, 90) for what in ("count", "cents")),
        "business_days_late_mean",
        "days_to_settle_mean",
        "overdue_share",
        "worst_overdue_days",
        "late_31_count_90d",
        "late_61_count_365d",
        "late_91_count_365d",
        "paid_through_days",
        "lost_count",
        "lost_cents",
        *(f"{key}_days_late_mean{window}" for key in ("segment", "entity") for window in ("", "_due_90d")),
        *(f"{key}_share_late_due_90d" for key in ("segment", "entity")),
        "segment_share_late_61",
    }
)
FALLS: frozenset[str] = frozenset()
FREE = frozenset(
    {
        "days_late_count",
        *(f"days_late_count_due_{days}d" for days in DUE_WINDOWS),
        "paid_count",
        "open_count",
        "open_cents",
        "open_partly_paid_share",
        "invoiced_count",
        "invoiced_count_90d",
        "invoiced_count_365d",
        "log_amount_mean",
        "log_amount_std",
        "terms_days_mean",
        "tenure_days",
        "credited_count_365d",
        "credited_cents",
        "invoiced_cents",
        "invoiced_cents_365d",
        "dilution_share",
        "credit_note_count",
        "disputed_count",
        "disputed_cents",
        "unapplied_cents",
        "unbilled_cents",
        "days_since_invoiced",
        "limit_utilisation",
        "limit_utilisation_with_orders",
    }
)
"""Which way the risk moves when a feature rises and all else stays: up, down, or as the data say.

Between a number and null, "no history", no order is promised; amounts, counts, `worst_overdue_days` and `overdue_share`
are never null.
"""


def customer_catalogue(attributes: Iterable[str] = ()) -> tuple[Declaration, ...]:
    """Every feature of a customer, in order; those of the dated attributes that are signals last."""
    shared = (d for family in SHARED for d in FAMILIES[family] if d.name not in LEFT_OUT)
    signals = (name for name in attributes if name not in NOT_SIGNALS)
    return (*shared, *CREDIT, *attribute_features(signals))


def is_read(name: str) -> bool:
    """Whether models read it."""
    return name not in NOT_READ


def direction(name: str) -> int:
    """1, -1 or 0: whether the credit risk may only rise, only fall, or move freely as the feature rises.

    External signals move it freely: nobody says which way a number that somebody calls `score` points.
    """
    if name in RISES:
        return 1
    return -1 if name in FALLS else 0


def is_signal(name: str) -> bool:
    """Whether it is the newest value of an external signal."""
    return name.startswith(ATTRIBUTE)
