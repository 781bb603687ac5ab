"""Business days and pay days, against the calendar on the wall."""

from datetime import date

import numpy as np
import pytest

from services.sandbox.calendars import Calendar, day_number, day_of_number
from services.sandbox.payers import Habit

DE, US = 0, 1


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar(("DE", "US"), day_number(date(2024, 1, 1)), day_number(date(2026, 12, 31)))


def one(day: str) -> np.ndarray:
    return np.array([day_number(date.fromisoformat(day))])


@pytest.mark.parametrize(
    ("country", "day", "business_days", "expected"),
    [
        (DE, "2025-05-05", 0, "2025-05-05"),  # a Monday
        (DE, "2025-05-03", 0, "2025-05-05"),  # from Saturday
        (DE, "2025-05-01", 0, "2025-05-02"),  # Labour Day
        (US, "2025-05-01", 0, "2025-05-01"),  # is none there
        (DE, "2025-05-03", 1, "2025-05-06"),
        (DE, "2025-04-17", 1, "2025-04-22"),  # over Easter
        (US, "2025-07-03", 1, "2025-07-07"),  # over Independence Day
    ],
)
def test_business_days_after(calendar: Calendar, country: int, day: str, business_days: int, expected: str) -> None:
    found = calendar.after(np.array([country]), one(day), business_days)
    assert day_of_number(int(found[0])) == date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("habit", "weekday", "day", "expected"),
    [
        (Habit.ANY_DAY, 0, "2025-05-03", "2025-05-05"),
        (Habit.ANY_DAY_EARLY, 0, "2025-05-03", "2025-05-02"),
        (Habit.WEEKLY, 3, "2025-05-05", "2025-05-08"),  # Thursday
        (Habit.WEEKLY, 3, "2025-05-09", "2025-05-15"),
        (Habit.WEEKLY, 3, "2025-04-29", "2025-05-02"),  # that Thursday is Labour Day
        (Habit.MONTH_END, 0, "2025-05-05", "2025-05-30"),  # the 31st is a Saturday
        (Habit.MONTH_END, 0, "2025-05-31", "2025-06-30"),
        (Habit.HALF_MONTH, 0, "2025-06-01", "2025-06-16"),  # the 15th is a Sunday
        (Habit.HALF_MONTH, 0, "2025-06-17", "2025-06-30"),
    ],
)
def test_pay_days(calendar: Calendar, habit: Habit, weekday: int, day: str, expected: str) -> None:
    pays = calendar.pay_days(np.array([DE]), np.array([habit]), np.array([weekday]), np.array([False]))
    assert day_of_number(int(pays.on_or_after(np.array([0]), one(day))[0])) == date.fromisoformat(expected)


def test_a_fortnightly_run_pays_every_other_week(calendar: Calendar) -> None:
    pays = calendar.pay_days(np.array([US]), np.array([Habit.FORTNIGHTLY]), np.array([1]), np.array([False]))
    days = np.arange(day_number(date(2025, 3, 1)), day_number(date(2025, 5, 1)))
    runs = np.unique(pays.on_or_after(np.zeros(len(days), dtype=np.int64), days))
    assert set(np.diff(runs)) == {14}
    assert {day_of_number(int(run)).weekday() for run in runs} == {1}


def test_who_closes_over_christmas_pays_after_new_year(calendar: Calendar) -> None:
    pays = calendar.pay_days(np.array([US, US]), np.full(2, Habit.ANY_DAY), np.zeros(2, int), np.array([False, True]))
    found = pays.on_or_after(np.array([0, 1]), np.repeat(one("2025-12-26"), 2))
    assert [day_of_number(int(day)) for day in found] == [date(2025, 12, 26), date(2026, 1, 2)]


def test_payers_of_several_kinds_share_one_look_up(calendar: Calendar) -> None:
    habits = np.array([Habit.WEEKLY, Habit.MONTH_END, Habit.WEEKLY])
    pays = calendar.pay_days(np.array([DE, DE, US]), habits, np.array([4, 0, 4]), np.zeros(3, dtype=bool))
    found = pays.on_or_after(np.array([0, 1, 2]), np.repeat(one("2025-05-05"), 3))
    assert [str(day_of_number(int(day))) for day in found] == ["2025-05-09", "2025-05-30", "2025-05-09"]
