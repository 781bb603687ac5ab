"""Business days and pay days as tables: one look-up answers for a whole array of days."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.calendars import business_calendar
from services.sandbox.payers import Habit

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]

EPOCH = date(1970, 1, 1)
NEVER = 2**31  # a day number after every other; only ever compared with


def day_number(day: date) -> int:
    """Days since 1970-01-01; every day array of the sandbox counts like this."""
    return (day - EPOCH).days


def day_of_number(number: int) -> date:
    """The inverse of `day_number`."""
    return EPOCH + timedelta(days=number)


def dates(days: Ints) -> NDArray[np.datetime64]:
    """The same days as NumPy dates."""
    return days.astype("datetime64[D]")


def months(days: Ints) -> Ints:
    """Months since 1970-01; modulo 12 it is the month of the year from 0."""
    return dates(days).astype("datetime64[M]").astype(np.int64)


def month_start(month: Ints) -> Ints:
    """The first day of each month since 1970-01."""
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


class Calendar:
    """The business days of some countries over a window of days. Days outside the window count as its ends."""

    def __init__(self, countries: Sequence[str], first: int, last: int) -> None:
        self.countries = tuple(countries)
        self.first, self.last = first, last
        self.days: Ints = np.arange(first, last + 1, dtype=np.int64)
        years = (day_of_number(first).year, day_of_number(last).year)
        self.is_business: Flags = np.stack(
            [np.is_busday(dates(self.days), busdaycal=business_calendar(c, *years)) for c in self.countries]
        )
        self._count: Ints = np.cumsum(self.is_business, axis=1)
        self._nth = np.full((len(self.countries), int(self._count.max()) + 1), last, dtype=np.int64)
        for row, open_ in enumerate(self.is_business):
            self._nth[row, : open_.sum()] = self.days[open_]

    def index(self, countries: Sequence[str]) -> Ints:
        """Each country's row in this calendar."""
        rows = {country: row for row, country in enumerate(self.countries)}
        return np.array([rows[c] for c in countries], dtype=np.int64)

    def at(self, days: Ints) -> Ints:
        """Positions of days in the window."""
        return np.clip(days, self.first, self.last) - self.first

    def after(self, country: Ints, days: Ints, business_days: Ints | int = 0) -> Ints:
        """The first business day on or after each day, and then as many business days further."""
        seen_before = self._count[country, self.at(days)] - self.is_business[country, self.at(days)]
        found: Ints = self._nth[country, np.clip(seen_before + business_days, 0, self._nth.shape[1] - 1)]
        return found

    def pay_days(self, country: Ints, habit: Ints, weekday: Ints, closes: Flags) -> "PayDays":
        """The pay days of payers who share this calendar: one country, habit, weekday (Monday 0) and so on each.

        closes  pays nothing between Christmas and New Year
        """
        wanted = np.stack([country, habit, weekday, closes.astype(np.int64)], axis=1)
        kinds, row = np.unique(wanted, axis=0, return_inverse=True)
        table = np.stack([self._pay_table(*(int(v) for v in kind)) for kind in kinds])
        return PayDays(self.first, row.reshape(-1).astype(np.int64), table)

    def _pay_table(self, country: int, habit: int, weekday: int, closes: int) -> Ints:
        """For every day of the window: the day on which what is to be paid then is paid."""
        open_ = self.is_business[country] & ~(self._is_christmas() if closes else np.zeros(len(self.days), dtype=bool))
        if habit == Habit.ANY_DAY_EARLY:
            return np.maximum.accumulate(np.where(open_, self.days, self.first))
        next_open = _next_true(open_, self.days)
        if habit == Habit.ANY_DAY:
            return next_open
        pays = np.zeros(len(self.days), dtype=bool)
        pays[self._planned(habit, weekday, next_open, open_) - self.first] = True
        return _next_true(pays, self.days)

    def _planned(self, habit: int, weekday: int, next_open: Ints, open_: Flags) -> Ints:
        if habit in (Habit.WEEKLY, Habit.FORTNIGHTLY):
            week, day = np.divmod(self.days + 3, 7)
            runs: Ints = next_open[(day == weekday) & ((habit == Habit.WEEKLY) | (week % 2 == weekday % 2))]
            return runs
        last_of_month = np.diff(months(self.days), append=-1) != 0
        last_open = np.maximum.accumulate(np.where(open_, self.days, self.first))
        ends: Ints = last_open[last_of_month]
        if habit == Habit.MONTH_END:
            return ends
        middle = self.days - month_start(months(self.days)) == 14
        return np.concatenate([ends, next_open[middle]])

    def _is_christmas(self) -> Flags:
        new_year = dates(self.days).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
        day_of_year: Ints = self.days - new_year
        closed: Flags = (day_of_year >= 357) | (day_of_year == 0)
        return closed


class PayDays:
    """When each payer pays what it means to pay on a day."""

    def __init__(self, first: int, row: Ints, table: Ints) -> None:
        self._first, self._row, self._table = first, row, table

    def on_or_after(self, payer: Ints, days: Ints) -> Ints:
        """The pay day of each payer for each day (before that day only where the payer rolls back over days off)."""
        at = np.clip(days - self._first, 0, self._table.shape[1] - 1)
        return self._table[self._row[payer], at]


def _next_true(flags: Flags, days: Ints) -> Ints:
    """For each day the first day from then on whose flag is up; the last day of all where there is none."""
    return np.minimum.accumulate(np.where(flags, days, days[-1])[::-1])[::-1]
