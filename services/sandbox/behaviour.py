"""When a receivable is paid, and why then."""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Flags, Floats, Ints, PayDays, months
from services.sandbox.habits import SLOW_SEASONS, Habits
from services.sandbox.invoicing import Receivables
from services.sandbox.payers import Habit
from services.sandbox.window import Window

LOST_SHARE, LOST_DAYS = 0.012, (15, 55)  # invoices that nobody can find for a while
LONGEST_DECLINE_DAYS = 75.0
# In the order of `Aims.causes`; the rest is decided by the calendar.
CAUSES = ("habit", "season", "decline", "approval", "regime_shift", "noise", "lost_invoice")
ON_TIME, DAY_OFF, PAY_DAY, MISSED = "on_time", "day_off", "pay_day", "missed_pay_day"


@dataclass(frozen=True)
class Aims:
    """Per receivable, if nothing is wrong with it: the day it is paid, the largest cause where that is late, and
    whether the regime shift made it slower.
    """

    day: Ints
    why: list[str]
    shifted: Flags


def aims(receivables: Receivables, habits: Habits, pays: PayDays, window: Window, rng: np.random.Generator) -> Aims:
    """The day each customer means to pay each receivable; every cause adds days, then its pay days decide."""
    causes = _causes(receivables, habits, window, rng)
    aim = receivables.due + np.rint(causes.sum(axis=0)).astype(np.int64)
    aim = np.maximum(aim, receivables.issued + 2)
    customer = receivables.customer
    first = np.maximum(pays.on_or_after(customer, aim), receivables.issued + 1)
    missed = rng.random(len(aim)) < habits.miss_share[customer]
    day = np.where(missed, pays.on_or_after(customer, np.maximum(aim, first) + 1), first)
    return Aims(day, _why(receivables, habits, causes, aim, missed, day), causes[CAUSES.index("regime_shift")] > 0)


def _causes(receivables: Receivables, habits: Habits, window: Window, rng: np.random.Generator) -> Floats:
    """(cause, receivable) days in the order of CAUSES."""
    customer, due = receivables.customer, receivables.due
    count = len(due)
    habit = habits.lag_days[customer]
    slow = np.zeros((len(SLOW_SEASONS), 12))
    for row, season in enumerate(SLOW_SEASONS):
        slow[row, list(season)] = 1.0
    season_days = slow[habits.slow_season[customer], months(due) % 12] * habits.slow_season_days[customer]
    season_days = season_days * rng.uniform(0.8, 1.2, size=count)
    declined = np.clip(due - habits.decline_from[customer], 0, None) / 30.4 * habits.decline_days_per_month[customer]
    approval = np.where(receivables.size > habits.approval_above[customer], habits.approval_days[customer], 0.0)
    noise = rng.normal(size=count) * habits.noise_days[customer]
    noise = np.where(rng.random(count) < habits.exact_share[customer], 0.0, noise)
    lost = np.where(rng.random(count) < LOST_SHARE, rng.integers(*LOST_DAYS, size=count), 0)
    others = habit + season_days + approval
    shift = np.where(due + others >= window.shift, habits.shift_days[customer], 0.0)
    return np.stack(
        [
            habit,
            season_days,
            np.minimum(declined, LONGEST_DECLINE_DAYS),
            approval,
            shift,
            noise,
            lost.astype(np.float64),
        ]
    )


def _why(receivables: Receivables, habits: Habits, causes: Floats, aim: Ints, missed: Flags, day: Ints) -> list[str]:
    waits = day - aim
    largest = causes.argmax(axis=0)
    run = habits.habit[receivables.customer] >= Habit.WEEKLY
    by_calendar = (causes.max(axis=0) < waits) | (causes.max(axis=0) < 0.5)
    why = np.array(CAUSES, dtype=object)[largest]
    why = np.where(by_calendar, np.where(run, PAY_DAY, DAY_OFF), why)
    why = np.where(missed, MISSED, why)
    return [str(word) for word in np.where(day <= receivables.due, ON_TIME, why)]
