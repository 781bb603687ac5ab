"""The features of a receivable at its cutoff, declared: what each means is its `doc`; how to compute it, the engine's.

To add one: put a value into the list of its family, run `make docs`, and let the spec and leak checks judge it.
"""

from collections.abc import Iterable

import polars as pl

from features.declarations import (
    CUSTOMER,
    ENTITY,
    SEGMENT,
    Aggregate,
    Count,
    DaysSince,
    Declaration,
    Derived,
    Ewma,
    Feature,
    Key,
    Last,
    MaxAge,
    Mean,
    MeanAge,
    Median,
    Quantile,
    Ratio,
    Share,
    Std,
    Sum,
)
from features.events import ATTRIBUTE, OVERDUE_DAYS, WEEKDAYS

WINDOWS = (90, 180, 365)
QUANTILES = {"q025": 0.025, "q10": 0.1, "q25": 0.25, "q75": 0.75, "q90": 0.9, "q975": 0.975}
LAST_SETTLED = 50
# A customer's own history weighs as much as this many pooled invoices.
PRIOR_INVOICES = 4
# Multiplied, not divided: Polars divides one row and many rows by a constant in ways that differ in the last bit.
THOUSANDTH = 0.001


def _settled(
    name: str, aggregate: Aggregate, doc: str, *, key: Key = CUSTOMER, window_days: int | None = None
) -> Feature:
    return Feature(name, aggregate, event="settled", key=key, window_days=window_days, doc=doc)


LATENESS: tuple[Declaration, ...] = (
    _settled("days_late_count", Count("days_late"), "invoices settled"),
    _settled("days_late_mean", Mean("days_late"), "mean days late"),
    _settled("days_late_std", Std("days_late"), "spread of days late"),
    _settled("days_late_median", Median("days_late", last=LAST_SETTLED), f"median days late, last {LAST_SETTLED}"),
    *(
        _settled(
            f"days_late_{name}", Quantile("days_late", share, last=LAST_SETTLED), f"{share:.1%} quantile of days late"
        )
        for name, share in QUANTILES.items()
    ),
    _settled("days_late_last", Last("days_late"), "days late of the invoice settled last"),
    _settled("days_late_ewma", Ewma("days_late", half_life=3), "days late, newest count most (half-life 3 invoices)"),
    _settled("days_late_ewma_slow", Ewma("days_late", half_life=10), "the same with a half-life of 10 invoices"),
    _settled("days_late_share_late", Share("is_late"), "share settled after the due date"),
    _settled("days_late_share_late_8", Share("is_late_8"), "share settled 8 or more days late"),
    _settled("days_late_share_late_31", Share("is_late_31"), "share settled 31 or more days late"),
    _settled("business_days_late_mean", Mean("business_days_late"), "mean business days late"),
    _settled("business_days_late_std", Std("business_days_late"), "spread of business days late"),
    _settled("on_time_share", Share("on_time"), "share settled on the first business day on or after due"),
    _settled("days_to_settle_mean", Mean("days_to_settle"), "mean days from issue to payment"),
    _settled(
        "days_to_settle_ewma", Ewma("days_to_settle", half_life=5), "days from issue to payment, newest count most"
    ),
    *(
        feature
        for days in WINDOWS
        for feature in (
            _settled(
                f"days_late_count_{days}d", Count("days_late"), f"invoices settled, {days} days", window_days=days
            ),
            _settled(f"days_late_mean_{days}d", Mean("days_late"), f"mean days late, {days} days", window_days=days),
            _settled(f"days_late_share_late_{days}d", Share("is_late"), f"share late, {days} days", window_days=days),
        )
    ),
    Derived(
        "days_late_trend",
        lambda: pl.col("days_late_mean_90d") - pl.col("days_late_mean_365d"),
        ("days_late_mean_90d", "days_late_mean_365d"),
        "mean days late of 90 days less that of 365 days: getting slower where positive",
    ),
    _settled("days_late_by_amount", Ratio("late_x_log_amount", "log_amount"), "mean days late, weighted by log amount"),
    _settled("days_late_by_cents", Ratio("late_cents_days", "amount_cents"), "mean days late, weighted by amount"),
)

HABITS: tuple[Declaration, ...] = (
    *(_settled(f"paid_{day}_share", Share(f"paid_{day}"), f"share paid on a {day.title()}") for day in WEEKDAYS),
    _settled("paid_month_end_share", Share("paid_month_end"), "share paid in the last 3 days of a month"),
    _settled("paid_mid_month_share", Share("paid_mid_month"), "share paid from the 13th to the 17th"),
    _settled("days_since_settled", DaysSince("paid_day"), "days since an invoice was last settled"),
    Feature("paid_count_90d", Count(), event="paid", window_days=90, doc="payments, 90 days"),
    Feature("paid_count", Count(), event="paid", doc="payments"),
    Feature("days_since_paid", DaysSince("value_day"), event="paid", doc="days since the last payment"),
    Feature("days_since_first_paid", MaxAge("value_day"), event="paid", doc="days since the first payment"),
    Derived(
        "paid_gap_mean_days",
        lambda: (
            (pl.col("days_since_first_paid") - pl.col("days_since_paid"))
            / pl.when(pl.col("paid_count") > 1).then(pl.col("paid_count") - 1)
        ),
        ("days_since_first_paid", "days_since_paid", "paid_count"),
        "mean days between payments",
    ),
    Derived(
        "paid_silence",
        lambda: pl.col("days_since_paid") / (pl.col("paid_gap_mean_days") + 1),
        ("days_since_paid", "paid_gap_mean_days"),
        "days since the last payment, in usual gaps: silent where far above 1",
    ),
)

EXPOSURE: tuple[Declaration, ...] = (
    Feature("open_count", Count(), event="open", doc="open receivables"),
    Feature("open_cents", Sum("open_cents"), event="open", doc="open amount, hundredths of the entity's currency"),
    Feature("open_past_due_days", MeanAge("due_day"), event="open", doc="mean days past due of what is open"),
    Feature("open_partly_paid_share", Share("partly_paid"), event="open", doc="share of open receivables partly paid"),
    *(
        feature
        for days in OVERDUE_DAYS
        for feature in (
            Feature(
                f"overdue_{days}_count", Count(), event=f"overdue_{days}", doc=f"open and over {days} days past due"
            ),
            Feature(f"overdue_{days}_cents", Sum("open_cents"), event=f"overdue_{days}", doc="their open amount"),
        )
    ),
    Feature("overdue_age_days", MeanAge("due_day"), event="overdue_0", doc="mean days past due of what is overdue"),
    Derived(
        "overdue_share",
        lambda: pl.col("overdue_0_cents") / pl.when(pl.col("open_cents") > 0).then(pl.col("open_cents")),
        ("overdue_0_cents", "open_cents"),
        "share of the open amount that is overdue",
    ),
)

TRADE: tuple[Declaration, ...] = (
    Feature("invoiced_count", Count(), event="invoiced", doc="receivables so far"),
    *(
        Feature(f"invoiced_count_{d}d", Count(), event="invoiced", window_days=d, doc=f"receivables, {d} days")
        for d in (90, 365)
    ),
    Feature("log_amount_mean", Mean("log_amount"), event="invoiced", doc="mean log amount, thousandths"),
    Feature("log_amount_std", Std("log_amount"), event="invoiced", doc="spread of log amounts, thousandths"),
    Feature("terms_days_mean", Mean("terms_days"), event="invoiced", doc="mean terms"),
    Feature("tenure_days", MaxAge("issue_day"), event="invoiced", doc="days since the first invoice"),
    Feature("credited_count_365d", Count(), event="credited", window_days=365, doc="credits and write-offs, 365 days"),
    Feature("credited_cents", Sum("amount_cents"), event="credited", doc="amount credited or written off"),
    Feature("invoiced_cents", Sum("amount_cents"), event="invoiced", doc="amount invoiced"),
    Derived(
        "dilution_share",
        lambda: pl.col("credited_cents") / pl.when(pl.col("invoiced_cents") > 0).then(pl.col("invoiced_cents")),
        ("credited_cents", "invoiced_cents"),
        "share of the amount invoiced that was credited or written off",
    ),
)

POOLED: tuple[Declaration, ...] = (
    *(
        feature
        for key in (SEGMENT, ENTITY)
        for feature in (
            _settled(f"{key.name}_days_late_mean", Mean("days_late"), f"mean days late of the {key.name}", key=key),
            _settled(f"{key.name}_days_late_std", Std("days_late"), f"spread of days late of the {key.name}", key=key),
            _settled(
                f"{key.name}_days_late_mean_90d",
                Mean("days_late"),
                f"mean days late of the {key.name}, 90 days",
                key=key,
                window_days=90,
            ),
            _settled(
                f"{key.name}_share_late_90d",
                Share("is_late"),
                f"share late of the {key.name}, 90 days",
                key=key,
                window_days=90,
            ),
        )
    ),
    Derived(
        "days_late_pooled",
        lambda: pl.coalesce(
            (pl.col("days_late_mean") * pl.col("days_late_count") + pl.col("entity_days_late_mean") * PRIOR_INVOICES)
            / (pl.col("days_late_count") + PRIOR_INVOICES),
            pl.col("entity_days_late_mean"),
        ),
        ("days_late_mean", "days_late_count", "entity_days_late_mean"),
        f"mean days late, drawn to the entity's as if by {PRIOR_INVOICES} invoices",
    ),
)

THIS_INVOICE: tuple[Declaration, ...] = (
    Derived("amount_log", lambda: pl.col("log_amount") * THOUSANDTH, ("log_amount",), "log of this amount"),
    Derived(
        "amount_against_habit",
        lambda: (pl.col("log_amount") - pl.col("log_amount_mean")) / (pl.col("log_amount_std") + 100),
        ("log_amount", "log_amount_mean", "log_amount_std"),
        "this amount against the customer's usual, in spreads",
    ),
    Derived(
        "days_late_at_amount",
        lambda: (
            (pl.col("days_late_by_amount") - pl.col("days_late_mean"))
            * (pl.col("log_amount") - pl.col("log_amount_mean"))
            * THOUSANDTH
        ),
        ("days_late_by_amount", "days_late_mean", "log_amount", "log_amount_mean"),
        "whether this customer pays large amounts later, times how large this one is",
    ),
    Derived("terms", lambda: pl.col("terms_days"), ("terms_days",), "days from issue to due"),
    Derived(
        "terms_against_habit",
        lambda: pl.col("terms_days") - pl.col("terms_days_mean"),
        ("terms_days", "terms_days_mean"),
        "terms less the customer's mean: positive where longer than usual",
    ),
    Derived("age", lambda: pl.col("age_days"), ("age_days",), "days from issue to the cutoff"),
    Derived("past_due", lambda: pl.col("past_due_days"), ("past_due_days",), "days from due to the cutoff"),
    Derived("issue_weekday", lambda: pl.col("issue_date").dt.weekday(), ("issue_date",), "1 Monday to 7 Sunday"),
    Derived("issue_day_of_month", lambda: pl.col("issue_date").dt.day(), ("issue_date",), "1 to 31"),
    Derived("due_weekday", lambda: pl.col("due_date").dt.weekday(), ("due_date",), "1 Monday to 7 Sunday"),
    Derived("due_day_of_month", lambda: pl.col("due_date").dt.day(), ("due_date",), "1 to 31"),
    Derived("due_month", lambda: pl.col("due_date").dt.month(), ("due_date",), "1 to 12"),
)


def attribute_features(names: Iterable[str]) -> tuple[Declaration, ...]:
    """Features of each dated customer attribute: its last value, that against its usual, and how old it is.

    `attribute_` stands first in the name of the value alone, so that no two attributes can make features of one name.
    """
    return tuple(
        feature
        for name in names
        for feature in (
            Feature(f"attribute_{name}", Last("value"), event=f"attribute_{name}", doc=f"last known {name}"),
            Feature(
                f"usual_attribute_{name}",
                Median("value", last=12),
                event=f"attribute_{name}",
                doc=f"median {name}, last 12",
            ),
            Derived(
                f"change_attribute_{name}",
                lambda name=name: pl.col(f"attribute_{name}") / pl.col(f"usual_attribute_{name}") - 1,  # type: ignore[misc]
                (f"attribute_{name}", f"usual_attribute_{name}"),
                f"last known {name} against its usual: 0 where the same",
            ),
            Feature(
                f"age_attribute_{name}",
                DaysSince("attribute_day"),
                event=f"attribute_{name}",
                doc=f"days since {name} was set",
            ),
        )
    )


def is_of_attribute(feature: str) -> bool:
    """Whether it is one of `attribute_features`: a ledger that never heard of the attribute misses it, like a value.

    >>> is_of_attribute("age_attribute_staff"), is_of_attribute("days_late_mean")
    (True, False)
    """
    return feature.removeprefix("usual_").removeprefix("change_").removeprefix("age_").startswith(ATTRIBUTE)


FAMILIES: dict[str, tuple[Declaration, ...]] = {
    "lateness": LATENESS,
    "habits": HABITS,
    "exposure": EXPOSURE,
    "trade": TRADE,
    "pooled": POOLED,
    "this invoice": THIS_INVOICE,
}


def catalogue(attributes: Iterable[str] = ()) -> tuple[Declaration, ...]:
    """Every feature, in order; those of the ledger's dated attributes last."""
    return (*(feature for family in FAMILIES.values() for feature in family), *attribute_features(attributes))
