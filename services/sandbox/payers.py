"""The kinds of payers, declared: what one customer of each kind does with a due date."""

from dataclasses import dataclass
from enum import IntEnum

Range = tuple[float, float]


class Habit(IntEnum):
    """On which days a payer pays at all. Days off are those of the payer's country."""

    ANY_DAY = 0  # every business day; what falls on a day off is paid on the next business day
    ANY_DAY_EARLY = 1  # the same, but on the business day before
    WEEKLY = 2  # a run on one weekday
    FORTNIGHTLY = 3  # a run on one weekday of every other week
    MONTH_END = 4  # the last business day of the month
    HALF_MONTH = 5  # the 15th and the last business day of the month


@dataclass(frozen=True, slots=True)
class CustomerType:
    """A kind of payer. Ranges are drawn from evenly, once for each customer.

    share                    of all customers
    habits                   habit -> weight
    lag_days                 days after due that the customer aims at (before its pay days are considered)
    noise_days               spread of single invoices around that aim
    exact_share              share of invoices without any such noise
    miss_share               share of invoices that miss the pay day and go with the next one
    slow_season_days         days added in two or three slow months of the year
    decline_days_per_month   days added for every month since the decline began
    default_share            of the customers, who one day stop paying for good
    dispute_share            of the invoices
    """

    name: str
    doc: str
    share: float
    habits: tuple[tuple[Habit, float], ...]
    lag_days: Range = (0.0, 0.0)
    noise_days: Range = (1.0, 3.0)
    exact_share: Range = (0.75, 0.95)
    miss_share: Range = (0.0, 0.0)
    slow_season_days: Range = (0.0, 0.0)
    decline_days_per_month: Range = (0.0, 0.0)
    default_share: float = 0.0
    dispute_share: Range = (0.003, 0.015)


TYPES = (
    CustomerType(
        "punctual",
        "pays on the due date, or the business day next to it; some a few days before",
        0.24,
        ((Habit.ANY_DAY, 0.7), (Habit.ANY_DAY_EARLY, 0.3)),
        lag_days=(-1.6, 0.45),
    ),
    CustomerType(
        "payment_run",
        "pays on a fixed weekday: the first run on or after due and a processing delay; some a few days ahead of due",
        0.28,
        ((Habit.WEEKLY, 0.62), (Habit.FORTNIGHTLY, 0.38)),
        lag_days=(-6.0, 2.4),
        exact_share=(0.85, 1.0),
        miss_share=(0.02, 0.09),
    ),
    CustomerType(
        "month_end",
        "pays on the last business day of the month, or on the 15th and then",
        0.15,
        ((Habit.MONTH_END, 0.55), (Habit.HALF_MONTH, 0.45)),
        lag_days=(-14.0, 1.4),
        exact_share=(0.85, 1.0),
        miss_share=(0.02, 0.07),
    ),
    CustomerType(
        "stretcher",
        "pays a roughly constant number of days late",
        0.12,
        ((Habit.ANY_DAY, 1.0),),
        lag_days=(5.0, 32.0),
        noise_days=(1.0, 3.5),
        exact_share=(0.2, 0.5),
    ),
    CustomerType(
        "seasonal",
        "slow in certain months of the year, else close to due",
        0.08,
        ((Habit.ANY_DAY, 0.4), (Habit.WEEKLY, 0.6)),
        lag_days=(-4.0, 2.0),
        exact_share=(0.6, 0.9),
        miss_share=(0.0, 0.05),
        slow_season_days=(9.0, 24.0),
    ),
    CustomerType(
        "declining",
        "gets slower and slower; some stop paying for good",
        0.07,
        ((Habit.ANY_DAY, 0.5), (Habit.WEEKLY, 0.5)),
        lag_days=(0.0, 5.0),
        noise_days=(1.5, 4.0),
        exact_share=(0.5, 0.8),
        miss_share=(0.02, 0.08),
        decline_days_per_month=(0.6, 2.2),
        default_share=0.6,
    ),
    CustomerType(
        "disputing",
        "disputes a share of its invoices: pays short or not at all until that is resolved",
        0.06,
        ((Habit.ANY_DAY, 0.3), (Habit.WEEKLY, 0.5), (Habit.MONTH_END, 0.2)),
        lag_days=(-3.0, 4.0),
        miss_share=(0.02, 0.06),
        dispute_share=(0.10, 0.28),
    ),
)
