"""Days as rows: the grid on which the hazard of being paid is learnt, and what is special about each day.

A receivable that is unpaid at its cutoff faces one bin after another: single days up to `DAILY_UNTIL` days past due,
then weeks, then months. A bin's own features say what day it is (weekday, business day, month end) and where it stands
against the due date and the customer's habits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.calendars import business_calendar
from features.errors import BadInput
from features.events import WEEKDAYS

Ints = NDArray[np.int64]
Matrix = NDArray[np.float32]

# How an unknown day is written among days since 1970-01-01.
UNKNOWN = np.iinfo(np.int64).min

DAILY_UNTIL = 45
WEEKS = 12
MONTHS = 8
MONTH_DAYS = 30
# Last day, relative to due, that any bin covers: what is paid later counts as "not within the horizon".
LAST_DAY = DAILY_UNTIL + 7 * WEEKS + MONTH_DAYS * MONTHS
# Days from its start that a receivable's bins cover at most: a due date in 9999 means "none" to those who write it.
LONGEST_WAIT = 1_100

# Customer habits (features) that a bin is held against, each in days past due.
HABITS = (
    "days_late_mean",
    "days_late_median",
    "days_late_last",
    "days_late_ewma",
    "days_late_q025",
    "days_late_q10",
    "days_late_q90",
    "days_late_q975",
)
BUSINESS_HABIT = "business_days_late_mean"
WEEKDAY_HABITS = tuple(f"paid_{name}_share" for name in WEEKDAYS)
MONTH_END_HABIT = "paid_month_end_share"
LAST_PAID = "days_since_paid"
FORTNIGHT = 14

BIN_FEATURES = (
    "bin_past_due_days",
    "bin_wait_days",
    "bin_width_days",
    "bin_weekday",
    "bin_is_business",
    "bin_days_off_before",
    "bin_day_of_month",
    "bin_days_to_month_end",
    "bin_business_days_to_month_end",
    "bin_business_days_past_due",
    "bin_weekday_share",
    "bin_weekday_runs_to",
    "bin_month_end_share",
    "bin_since_paid_days",
    "bin_in_fortnight",
    *(f"bin_less_{habit}" for habit in HABITS),
    f"bin_less_{BUSINESS_HABIT}",
)


@dataclass(frozen=True)
class Grid:
    """Bins of n receivables, flattened: bin k is one of receivable `row[k]` and covers `width[k]` days from `first[k]`.

    row    (m,)  index of the receivable; bins of one receivable are consecutive and ordered
    first  (m,)  first day of the bin, as days since 1970-01-01
    width  (m,)  number of days in it
    """

    row: Ints
    first: Ints
    width: Ints

    def take(self, chosen: Ints) -> "Grid":
        """Some of the bins."""
        return Grid(self.row[chosen], self.first[chosen], self.width[chosen])


def epoch_days(frame: pl.DataFrame, column: str) -> Ints:
    """A Date column as days since 1970-01-01; null becomes `UNKNOWN`."""
    return frame[column].cast(pl.Int32).cast(pl.Int64).fill_null(UNKNOWN).to_numpy()


def grid(start: Ints, due: Ints) -> Grid:
    """All bins from `start` to `LAST_DAY` days past due, for n receivables; a start beyond that has none.

    Bins that begin `LONGEST_WAIT` or more days after the start are left out.

    >>> due_on_day_100 = grid(np.array([144]), np.array([100]))
    >>> due_on_day_100.first[:5].tolist(), due_on_day_100.width[:5].tolist()
    ([144, 145, 146, 153, 160], [1, 1, 7, 7, 7])
    >>> int(due_on_day_100.first[-1] + due_on_day_100.width[-1] - 1) == 100 + LAST_DAY
    True
    """
    edges = np.concatenate(
        [
            DAILY_UNTIL + 1 + 7 * np.arange(WEEKS + 1),
            DAILY_UNTIL + 1 + 7 * WEEKS + MONTH_DAYS * np.arange(1, MONTHS + 1),
        ]
    )
    daily = np.clip(due + DAILY_UNTIL + 1 - start, 0, LONGEST_WAIT)
    parts = [_daily_bins(start, daily)]
    for low, high in pairwise(edges):
        first = np.maximum(due + low, start)
        width = due + high - first
        row = np.flatnonzero((width > 0) & (first - start < LONGEST_WAIT))
        parts.append(Grid(row, first[row], width[row]))
    whole = Grid(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "first", "width")))
    return whole.take(np.lexsort((whole.first, whole.row)))


def _daily_bins(start: Ints, count: Ints) -> Grid:
    row = np.repeat(np.arange(len(start)), count)
    offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return Grid(row, start[row] + offset, np.ones(len(row), dtype=np.int64))


def bin_features(bins: Grid, frame: pl.DataFrame, countries: Sequence[str | None]) -> Matrix:
    """(m, len(BIN_FEATURES)) what is special about each bin; NaN where that is not known, or the bin is no single day.

    frame      FEATURE frame of the n receivables; `BadInput` names a habit that it does not have
    countries  (n,) the payer's country, for its business days
    """
    start, due = epoch_days(frame, "cutoff_day"), epoch_days(frame, "due_date")
    past_due = bins.first - due[bins.row]
    wait = bins.first - start[bins.row]
    day = bins.first.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    single = bins.width == 1
    weekday = (bins.first + 3) % 7
    # counted from the due date, or from as near to it as any bin can be
    counted_from = np.minimum(due, start + LONGEST_WAIT)[bins.row]
    calendar = _Calendars(bins, counted_from, countries)
    habits = {name: _habit(frame, name)[bins.row] for name in (*HABITS, BUSINESS_HABIT, MONTH_END_HABIT, LAST_PAID)}
    weekday_habits = np.stack([_habit(frame, name) for name in WEEKDAY_HABITS], axis=1)
    since_paid = wait + habits[LAST_PAID]
    columns = [
        past_due,
        wait,
        bins.width,
        np.where(single, weekday, np.nan),
        np.where(single, calendar.is_business, np.nan),
        np.where(single, calendar.days_off_before, np.nan),
        np.where(single, (day - month).astype(int) + 1, np.nan),
        np.where(single, ((month + 1).astype("datetime64[D]") - day).astype(int) - 1, np.nan),
        np.where(single, calendar.to_month_end, np.nan),
        calendar.past_due,
        np.where(single, weekday_habits[bins.row, weekday], np.nan),
        np.where(single, _share_so_far(weekday_habits)[bins.row, weekday], np.nan),
        habits[MONTH_END_HABIT],
        since_paid,
        np.where(single, since_paid % FORTNIGHT, np.nan),
        *(past_due - habits[name] for name in HABITS),
        calendar.past_due - habits[BUSINESS_HABIT],
    ]
    return np.stack([np.asarray(c, dtype=np.float32) for c in columns], axis=1)


def _habit(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in frame.columns:
        raise BadInput(f"the ledger has no feature {name!r}, against which the days ahead are held; declare it")
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _share_so_far(weekday_habits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 7) share of the customer's payments on Monday up to and including each weekday."""
    return np.cumsum(weekday_habits, axis=1)


class _Calendars:
    """Business-day facts of each bin, by the country of its payer."""

    def __init__(self, bins: Grid, counted_from: Ints, countries: Sequence[str | None]) -> None:
        """counted_from: (m,) the day from which each bin's business days past due are counted."""
        m = len(bins.row)
        self.is_business = np.zeros(m, dtype=bool)
        self.days_off_before = np.zeros(m, dtype=np.int64)
        self.to_month_end = np.zeros(m, dtype=np.int64)
        self.past_due = np.zeros(m, dtype=np.int64)
        if m == 0:
            return
        # the margin reaches over every month's end and every holiday observed on another year's side of New Year
        low = int(min(bins.first.min(), counted_from.min())) - 40
        high = int(max(bins.first.max(), counted_from.max())) + 40
        country_of = np.array([c or "" for c in countries])
        for country in np.unique(country_of):
            table = _CalendarTable(country or None, low, high)
            at = np.flatnonzero((country_of == country)[bins.row])
            day, from_day = bins.first[at] - low, counted_from[at] - low
            self.is_business[at] = table.is_business[day]
            self.days_off_before[at] = table.days_off_before[day]
            self.to_month_end[at] = table.to_month_end[day]
            self.past_due[at] = table.count_before[day] - table.count_before[from_day]


class _CalendarTable:
    """One country's days from `low` to `high`, precomputed, so that a bin is a look-up."""

    def __init__(self, country: str | None, low: int, high: int) -> None:
        days = np.arange(low, high + 1).astype("datetime64[D]")
        years = days[[0, -1]].astype("datetime64[Y]").astype(int) + 1970
        calendar = business_calendar(country, int(years[0]), int(years[1]))
        self.is_business = np.is_busday(days, busdaycal=calendar)
        # business days strictly before each day
        self.count_before = np.concatenate([[0], np.cumsum(self.is_business)[:-1]])
        index = np.arange(len(days))
        last_business = np.maximum.accumulate(np.where(self.is_business, index, -1))
        self.days_off_before = index - np.concatenate([[-1], last_business[:-1]]) - 1
        next_month = (days.astype("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64) - low
        total = int(self.is_business.sum())
        after = np.append(self.count_before, total)
        self.to_month_end = after[np.minimum(next_month, len(days))] - self.count_before
