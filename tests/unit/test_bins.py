"""The days that a receivable faces, and what each of them is like, held against a calendar worked out by hand."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import BadInput
from models.bins import (
    BIN_FEATURES,
    BUSINESS_HABIT,
    DAILY_UNTIL,
    HABITS,
    LAST_DAY,
    LAST_PAID,
    LONGEST_WAIT,
    MONTH_END_HABIT,
    UNKNOWN,
    WEEKDAY_HABITS,
    bin_features,
    epoch_days,
    grid,
)

ALL_HABITS = (*HABITS, BUSINESS_HABIT, MONTH_END_HABIT, LAST_PAID, *WEEKDAY_HABITS)
DUE = 1000


def of_one(start: int, due: int = DUE) -> tuple[list[int], list[int]]:
    """First days past due and widths of the bins of one receivable."""
    bins = grid(np.array([start]), np.array([due]))
    assert not bins.row.any()
    return (bins.first - due).tolist(), bins.width.tolist()


def frame(cutoff: date, due: date, **habits: float) -> pl.DataFrame:
    """A FEATURE frame of one receivable; the habits not named are unknown."""
    known = {name: [habits.pop(name, None)] for name in ALL_HABITS}
    assert not habits
    schema = {"cutoff_day": pl.Date, "due_date": pl.Date, **dict.fromkeys(ALL_HABITS, pl.Float64)}
    return pl.DataFrame({"cutoff_day": [cutoff], "due_date": [due], **known}, schema=schema)


def days_of(rows: pl.DataFrame, countries: Sequence[str | None]) -> pl.DataFrame:
    """Row, first day and features of all bins of the receivables."""
    bins = grid(epoch_days(rows, "cutoff_day"), epoch_days(rows, "due_date"))
    found = bin_features(bins, rows, countries)
    assert found.dtype == np.float32
    told = pl.DataFrame(found, schema=list(BIN_FEATURES), orient="row")
    return told.select(pl.Series("row", bins.row), pl.Series("day", bins.first.astype("M8[D]")), pl.all())


def test_days_are_single_up_to_45_past_due_then_weeks_then_months() -> None:
    first, width = of_one(DUE - 30)
    daily = 30 + 1 + DAILY_UNTIL
    assert first[:daily] == list(range(-30, 46))
    assert width[:daily] == [1] * daily
    assert first[daily : daily + 12] == [46, 53, 60, 67, 74, 81, 88, 95, 102, 109, 116, 123]
    assert width[daily : daily + 12] == [7] * 12
    assert first[daily + 12 :] == [130, 160, 190, 220, 250, 280, 310, 340]
    assert width[daily + 12 :] == [30] * 8


@pytest.mark.parametrize(
    ("start", "first", "width"),
    [
        (45, [45, 46, 53], [1, 7, 7]),
        (46, [46, 53, 60], [7, 7, 7]),
        (50, [50, 53, 60], [3, 7, 7]),
        (52, [52, 53, 60], [1, 7, 7]),
        (129, [129, 130, 160], [1, 30, 30]),
        (175, [175, 190, 220], [15, 30, 30]),
    ],
)
def test_an_overdue_receivable_starts_within_a_bin(start: int, first: list[int], width: list[int]) -> None:
    found = of_one(DUE + start)
    assert (found[0][:3], found[1][:3]) == (first, width)


def test_the_last_day_has_a_bin_and_the_day_after_has_none() -> None:
    assert LAST_DAY == 369
    assert of_one(DUE + LAST_DAY) == ([369], [1])
    assert of_one(DUE + LAST_DAY + 1) == ([], [])
    assert of_one(DUE + 5000) == ([], [])


def test_nothing_has_no_bins() -> None:
    nothing = np.array([], dtype=np.int64)
    bins = grid(nothing, nothing)
    assert (len(bins.row), len(bins.first), len(bins.width)) == (0, 0, 0)
    empty = frame(date(2024, 1, 1), date(2024, 1, 1)).clear()
    assert bin_features(bins, empty, []).shape == (0, len(BIN_FEATURES))


starts = st.lists(st.tuples(st.integers(10_000, 20_000), st.integers(-400, 450)), min_size=1, max_size=8)


@settings(deadline=None, derandomize=True)
@given(starts)
def test_bins_cover_every_day_once_and_each_receivable_has_its_own(rows: list[tuple[int, int]]) -> None:
    due = np.array([day for day, _ in rows])
    start = due + np.array([past for _, past in rows])
    bins = grid(start, due)
    assert (np.diff(bins.row) >= 0).all()
    for k in range(len(rows)):
        mine = bins.take(np.flatnonzero(bins.row == k))
        covered = np.concatenate([[], *(np.arange(f, f + w) for f, w in zip(mine.first, mine.width, strict=True))])
        assert covered.tolist() == list(range(start[k], due[k] + LAST_DAY + 1))
        alone = grid(start[k : k + 1], due[k : k + 1])
        assert mine.first.tolist() == alone.first.tolist()
        assert mine.width.tolist() == alone.width.tolist()


def test_a_due_date_that_means_none_costs_no_more_than_a_few_years_of_days() -> None:
    rows = frame(date(2024, 5, 1), date(9999, 12, 31))
    told = days_of(rows, ["DE"])
    assert len(told) == LONGEST_WAIT
    assert told["bin_wait_days"].to_list() == list(range(LONGEST_WAIT))
    assert told["bin_past_due_days"][0] == (date(2024, 5, 1) - date(9999, 12, 31)).days
    assert told["bin_business_days_past_due"][0] == pytest.approx(-LONGEST_WAIT * 5 / 7, rel=0.05)


def test_an_unknown_day_is_written_as_one_that_never_was() -> None:
    days = pl.DataFrame({"paid_date": [date(1970, 1, 2), None]})
    assert epoch_days(days, "paid_date").tolist() == [1, UNKNOWN]


# Germany around 1 May 2024 (a Wednesday, and a holiday as are the 9th and the 20th); due on a Saturday.
GERMAN_DAYS = """
day    | past due | wait | weekday | business | off before | of month | to month end | business | business past due
04-25  | -2       | 0    | 3       | 1        | 0          | 25       | 5            | 4        | -2
04-26  | -1       | 1    | 4       | 1        | 0          | 26       | 4            | 3        | -1
04-27  | 0        | 2    | 5       | 0        | 0          | 27       | 3            | 2        | 0
04-28  | 1        | 3    | 6       | 0        | 1          | 28       | 2            | 2        | 0
04-29  | 2        | 4    | 0       | 1        | 2          | 29       | 1            | 2        | 0
04-30  | 3        | 5    | 1       | 1        | 0          | 30       | 0            | 1        | 1
05-01  | 4        | 6    | 2       | 0        | 0          | 1        | 30           | 20       | 2
05-02  | 5        | 7    | 3       | 1        | 1          | 2        | 29           | 20       | 2
05-03  | 6        | 8    | 4       | 1        | 0          | 3        | 28           | 19       | 3
05-06  | 9        | 11   | 0       | 1        | 2          | 6        | 25           | 18       | 4
05-10  | 13       | 15   | 4       | 1        | 1          | 10       | 21           | 15       | 7
05-31  | 34       | 36   | 4       | 1        | 0          | 31       | 0            | 1        | 21
"""
DRAWN = {
    "past due": "bin_past_due_days",
    "wait": "bin_wait_days",
    "weekday": "bin_weekday",
    "business": "bin_is_business",
    "off before": "bin_days_off_before",
    "of month": "bin_day_of_month",
    "to month end": "bin_days_to_month_end",
    "business to end": "bin_business_days_to_month_end",
    "business past due": "bin_business_days_past_due",
}


def test_each_day_is_what_a_german_calendar_says() -> None:
    told = days_of(frame(date(2024, 4, 25), date(2024, 4, 27)), ["DE"])
    _, *lines = [[cell.strip() for cell in line.split("|")] for line in GERMAN_DAYS.strip().splitlines()]
    for name, *drawn in lines:
        day = told.filter(pl.col("day") == date.fromisoformat(f"2024-{name}"))
        found = dict(zip(DRAWN, day.select(DRAWN.values()).row(0), strict=True))
        assert found == dict(zip(DRAWN, map(float, drawn), strict=True)), name


def test_holidays_are_those_of_the_payers_country() -> None:
    rows = pl.concat([frame(date(2024, 4, 25), date(2024, 5, 1))] * 4)
    told = days_of(rows, ["DE", "US", None, "XX"])
    facts = ("bin_is_business", "bin_business_days_past_due")

    def seen(month: int, day: int) -> list[tuple[float, ...]]:
        return told.filter(pl.col("day") == date(2024, month, day)).sort("row").select(facts).rows()

    assert seen(5, 1) == [(0, 0), (1, 0), (1, 0), (1, 0)], "1 May is a holiday in Germany only"
    assert seen(5, 3) == [(1, 1), (1, 2), (1, 2), (1, 2)], "due on a day off counts from the next business day"
    assert seen(5, 27) == [(1, 15), (0, 18), (1, 18), (1, 18)], "Memorial Day; before it the German 9 and 20 May"
    assert seen(5, 28)[1] == (1, 18)


def test_a_bin_of_several_days_has_no_weekday() -> None:
    habits = dict.fromkeys(WEEKDAY_HABITS, 0.2) | {MONTH_END_HABIT: 0.4, LAST_PAID: 3.0, "days_late_mean": 6.0}
    told = days_of(frame(date(2024, 3, 1), date(2024, 3, 1), **habits), ["DE"])
    week = told.filter(pl.col("bin_past_due_days") == 46).row(0, named=True)
    month = told.filter(pl.col("bin_past_due_days") == 130).row(0, named=True)
    assert (week["bin_width_days"], month["bin_width_days"]) == (7, 30)
    of_a_single_day = (
        "bin_weekday",
        "bin_is_business",
        "bin_days_off_before",
        "bin_day_of_month",
        "bin_days_to_month_end",
        "bin_business_days_to_month_end",
        "bin_weekday_share",
        "bin_weekday_runs_to",
        "bin_in_fortnight",
    )
    for name in of_a_single_day:
        assert np.isnan(week[name]), name
        assert np.isnan(month[name]), name
    # 16 April 2024; Good Friday and Easter Monday lie between
    assert week["day"] == date(2024, 4, 16)
    assert week["bin_business_days_past_due"] == 30
    assert week["bin_month_end_share"] == np.float32(0.4)
    assert week["bin_since_paid_days"] == 49
    assert week["bin_less_days_late_mean"] == 40


def test_a_day_is_held_against_the_customers_habits() -> None:
    week = dict(zip(WEEKDAY_HABITS, (0.1, 0.2, 0.4, 0.0, 0.3, 0.0, 0.0), strict=True))
    late = {name: 2.0 + k for k, name in enumerate(HABITS)}
    habits = {**week, **late, BUSINESS_HABIT: 1.5, MONTH_END_HABIT: 0.25, LAST_PAID: 10.0}
    told = days_of(frame(date(2024, 4, 25), date(2024, 4, 27), **habits), ["DE"])
    rows = {row["day"]: row for row in told.iter_rows(named=True)}
    tuesday, sunday, thursday = rows[date(2024, 4, 30)], rows[date(2024, 4, 28)], rows[date(2024, 4, 25)]
    assert tuesday["bin_weekday_share"] == np.float32(0.2)
    assert tuesday["bin_weekday_runs_to"] == pytest.approx(0.3)
    assert sunday["bin_weekday_runs_to"] == pytest.approx(1.0)
    assert thursday["bin_weekday_share"] == 0.0
    assert tuesday["bin_month_end_share"] == 0.25
    assert [thursday["bin_since_paid_days"], tuesday["bin_since_paid_days"]] == [10, 15]
    fortnight = told.sort("day")["bin_in_fortnight"].to_list()[:6]
    assert fortnight == [10, 11, 12, 13, 0, 1]
    for k, name in enumerate(HABITS):
        assert tuesday[f"bin_less_{name}"] == 3 - (2 + k)
    assert tuesday[f"bin_less_{BUSINESS_HABIT}"] == 1 - 1.5


def test_an_unknown_habit_is_no_number() -> None:
    told = days_of(frame(date(2024, 4, 25), date(2024, 4, 27)), ["DE"])
    of_habits = [
        "bin_weekday_share",
        "bin_weekday_runs_to",
        "bin_month_end_share",
        "bin_since_paid_days",
        "bin_in_fortnight",
        *(name for name in BIN_FEATURES if name.startswith("bin_less_")),
    ]
    assert told.select(pl.col(of_habits).is_nan().all()).row(0) == (True,) * len(of_habits)
    others = [name for name in BIN_FEATURES if name not in of_habits]
    assert (
        told.filter(pl.col("bin_width_days") == 1).select(pl.any_horizontal(pl.col(others).is_nan().any())).item()
        is False
    )


def test_a_missing_habit_is_named() -> None:
    rows = frame(date(2024, 4, 25), date(2024, 4, 27)).drop("paid_wed_share")
    with pytest.raises(BadInput, match="no feature 'paid_wed_share'"):
        days_of(rows, ["DE"])


@pytest.mark.parametrize("cutoff", [date(2021, 12, 20), date(2024, 2, 20), date(2023, 9, 29)])
@pytest.mark.parametrize("country", ["US", "DE", "JP", None])
def test_a_day_is_the_same_whoever_else_is_asked_about(country: str | None, cutoff: date) -> None:
    mine = frame(cutoff, cutoff + timedelta(days=9), days_late_mean=2.0)
    others = [
        frame(date(2014, 6, 1), date(2014, 7, 1)),
        frame(date(2030, 6, 1), date(2031, 7, 1)),
        frame(date(2024, 6, 1), date(1990, 1, 1)),
        frame(date(2024, 6, 1), date(9999, 12, 31)),
    ]
    alone = days_of(mine, [country])
    together = days_of(pl.concat([*others, mine]), ["GB", "US", country, None, country])
    assert together.filter(pl.col("row") == 4).drop("row").equals(alone.drop("row"), null_equal=True)


def test_a_holiday_observed_in_the_old_year_is_known_in_december() -> None:
    told = days_of(frame(date(2021, 12, 28), date(2021, 12, 30)), ["US"])
    december = told.filter(pl.col("day") == date(2021, 12, 31))
    assert december["bin_is_business"].item() == 0, "1 January 2022 was a Saturday"
