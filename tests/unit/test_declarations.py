"""Declarations refuse what cannot work, and say what can."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from features.declarations import (
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
    LastMean,
    Mean,
    MeanAge,
    Median,
    Min,
    Quantile,
    Share,
    Std,
    Sum,
)
from features.engine import compute, prepare
from features.errors import BadInput, BadSetting
from features.tables import INSTANT

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
PAID = pl.DataFrame(
    {
        "entity_id": ["E"],
        "customer_id": ["A"],
        "event_id": ["1"],
        "known_from": [NOON],
        "known_to": [None],
        "days": [3],
        "rating": [0.5],
        "late": [True],
    },
    schema_overrides={"known_from": INSTANT, "known_to": INSTANT},
)
SUBJECT = pl.DataFrame(
    {"entity_id": ["E"], "customer_id": ["A"], "cutoff": [datetime(2024, 1, 3, tzinfo=UTC)]},
    schema_overrides={"cutoff": INSTANT},
)


def feature(aggregate: Aggregate, **options: object) -> Feature:
    return Feature("f", aggregate, event="paid", **options)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Feature("Days Late", Count(), "paid"), "'Days Late'; allowed: lower_snake_case"),
        (lambda: feature(Count(), window_days=0), "window_days is 0; allowed: 1 or more"),
        (lambda: feature(Last("days"), key=ENTITY), "Last over key entity; Last needs a key with customer_id"),
        (lambda: feature(Median("days", last=3), key=SEGMENT), "Median over key segment"),
        (lambda: feature(Min("days"), window_days=90), "Min takes no window_days; limit it by its number of events"),
        (lambda: Median("days", last=0), "last is 0; allowed: .* 1 or more"),
        (lambda: LastMean("days", last=-1), "last is -1"),
        (lambda: Quantile("days", 1.5, last=3), "share of Quantile is 1.5; allowed: 0 to 1"),
        (lambda: Ewma("days", half_life=0), "half_life of Ewma is 0; allowed: above 0, up to 20 events"),
        (lambda: Ewma("days", half_life=21), "half_life of Ewma is 21"),
        (lambda: Key("country", ("country", "entity_id")), "entity_id must come first: entities are never mixed"),
        (
            lambda: Derived("x", lambda: pl.col("a") / pl.col("b"), ("a",)),
            r"x: reads b, which its needs \['a'\] leave out",
        ),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(make, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        make()


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        (Feature("f", Count(), "payed"), "f: no event 'payed'; there are: paid"),
        (feature(Mean("dayz")), "event 'paid' has no column 'dayz'; it has: customer_id, days, entity_id"),
        (feature(Mean("days"), where="is_late"), "has no column 'is_late'"),
        (feature(Mean("days"), key=SEGMENT), "has no column 'segment'"),
        (feature(Mean("rating")), "column 'rating' is Float64; allowed: Int64"),
        (feature(Std("late")), "column 'late' is Boolean; allowed: Int64"),
        (feature(Share("days")), "column 'days' is Int64; allowed: Boolean"),
        (feature(MeanAge("rating")), "column 'rating' is Float64; allowed: Date, Int64"),
        (feature(LastMean("rating", last=2)), "column 'rating' is Float64; allowed: Int64"),
        (feature(Last("late")), "column 'late' is Boolean; allowed: Date, Float64, Int64"),
        (feature(Count(), where="days"), "column 'days' is Int64; allowed: Boolean"),
    ],
)
def test_a_declaration_that_does_not_fit_the_events_is_refused(declared: Feature, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        prepare([declared], {"paid": PAID})


def test_two_features_of_one_name_are_refused() -> None:
    with pytest.raises(BadSetting, match="declared twice: f; every feature needs a name of its own"):
        prepare([feature(Count()), feature(Mean("days"))], {"paid": PAID})


@pytest.mark.parametrize("column", ["known_from", "known_to", "event_id"])
def test_events_lack_what_every_event_has(column: str) -> None:
    with pytest.raises(BadSetting, match=f"event 'paid' has no column '{column}'"):
        prepare([feature(Count())], {"paid": PAID.drop(column)})


def test_events_in_another_time_unit_are_refused() -> None:
    micro = PAID.with_columns(pl.col("known_from").dt.cast_time_unit("us"))
    with pytest.raises(BadSetting, match=r"column 'known_from' is Datetime.*us.*; allowed: Datetime.*ms"):
        prepare([feature(Count())], {"paid": micro})


def test_an_event_without_the_instant_at_which_it_was_learnt_is_refused() -> None:
    nowhere = PAID.with_columns(pl.lit(None, INSTANT).alias("known_from"))
    with pytest.raises(BadInput, match="f: event 'paid': known_from is missing in row 0; allowed: an instant"):
        prepare([feature(Count())], {"paid": nowhere})


@pytest.mark.parametrize(
    ("declared", "subject", "says"),
    [
        ([feature(Count())], SUBJECT.drop("cutoff"), "the subject frame has no column 'cutoff'"),
        ([feature(Count())], SUBJECT.drop("customer_id"), "f: the subject .* has no column 'customer_id'"),
        ([feature(DaysSince("days"))], SUBJECT, "f: the subject .* has no column 'cutoff_day'"),
        ([feature(Count())], SUBJECT.with_columns(f=1), "f: the subjects already have a column of this name"),
        (
            [Derived("x", lambda: pl.col("f"), ("f",)), feature(Count())],
            SUBJECT,
            "x: the subject .* has no column 'f'; it has: customer_id, cutoff, entity_id",
        ),
    ],
)
def test_subjects_that_do_not_fit_are_refused(declared: list[Declaration], subject: pl.DataFrame, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        compute(declared, {"paid": PAID}, subject)


def test_a_subject_without_a_cutoff_is_refused_rather_than_shown_everything() -> None:
    timeless = SUBJECT.with_columns(pl.lit(None, INSTANT).alias("cutoff"))
    with pytest.raises(BadInput, match="the subject frame: cutoff is missing in row 0"):
        compute([feature(Count())], {"paid": PAID}, timeless)


@pytest.mark.parametrize("aggregate", [Sum("days"), Std("days")])
def test_totals_that_would_wrap_around_are_refused(aggregate: Aggregate) -> None:
    huge = pl.concat([PAID.with_columns(days=pl.lit(2**60, pl.Int64))] * 3)
    with pytest.raises(
        BadInput, match=r"event column 'days': its (sum|squares) for one key comes to .*; allowed: below"
    ):
        prepare([feature(aggregate)], {"paid": huge})


def test_totals_that_only_all_keys_together_outgrow_are_exact() -> None:
    many = pl.concat([PAID.with_columns(customer_id=pl.lit(f"C{i}"), days=pl.lit(2**60 + 2**10 * i)) for i in range(9)])
    subjects = pl.concat([SUBJECT.with_columns(customer_id=pl.lit(f"C{i}")) for i in range(9)])
    answer = compute([feature(Sum("days"))], {"paid": many}, subjects)
    assert answer["f"].to_list() == [float(2**60 + 2**10 * i) for i in range(9)]


def test_too_many_keys_over_too_long_a_time_are_refused() -> None:
    frames = [PAID, PAID.with_columns(known_to=pl.lit(datetime(9999, 12, 31, tzinfo=UTC), INSTANT))]
    spread = pl.concat(frames * 20_000).with_columns(customer_id=pl.int_range(pl.len()).cast(pl.String))
    with pytest.raises(BadInput, match=r"40,000 keys over .* days .* allowed: 32,768 keys .* lies far off"):
        prepare([feature(Count())], {"paid": spread})


def test_days_may_be_dates_or_whole_numbers() -> None:
    both = PAID.with_columns(on=date(2024, 1, 1), number=pl.lit(date(2024, 1, 1)).cast(pl.Int32).cast(pl.Int64))
    declared = [Feature(f"{c}_age", MeanAge(c), "paid") for c in ("on", "number")]
    answer = compute(declared, {"paid": both}, SUBJECT.with_columns(cutoff_day=date(2024, 1, 3)))
    assert answer.select("on_age", "number_age").row(0) == (2.0, 2.0)
