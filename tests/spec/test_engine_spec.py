"""What features mean, drawn as tables. Every case is put to the engine and to the naive oracle.

Instants: `3` is the start of day 3 (of January 2024, UTC), `3+` a millisecond later, `3-` one earlier. `-` is null.
Unless a case draws them itself, everything belongs to entity E, customer A, segment S.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from features import engine, oracle
from features.declarations import (
    CUSTOMER,
    ENTITY,
    SEGMENT,
    Aggregate,
    Count,
    DaysSince,
    Derived,
    Ewma,
    Feature,
    Key,
    Last,
    LastMean,
    Max,
    MaxAge,
    Mean,
    MeanAge,
    Median,
    Min,
    Quantile,
    Ratio,
    Share,
    Std,
    Sum,
)
from features.tables import INSTANT

Compute = Callable[..., pl.DataFrame]

TYPES: dict[str, pl.DataType] = {
    "entity_id": pl.String(),
    "customer_id": pl.String(),
    "segment": pl.String(),
    "event_id": pl.String(),
    "known_from": INSTANT,
    "known_to": INSTANT,
    "cutoff": INSTANT,
    "days": pl.Int64(),
    "cents": pl.Int64(),
    "late": pl.Boolean(),
    "rating": pl.Float64(),
    "day": pl.Date(),
    "band": pl.String(),
}
DEFAULTS = {"entity_id": "E", "customer_id": "A", "segment": "S", "known_to": "-"}


def instant(text: str) -> datetime:
    shift = {"+": 1, "-": -1}.get(text[-1], 0)
    return datetime(2024, 1, int(text.rstrip("+-")), tzinfo=UTC) + timedelta(milliseconds=shift)


def value(text: str, column: str) -> object:
    if text == "-":
        return None
    match TYPES[column]:
        case pl.Int64():
            return int(text)
        case pl.Float64():
            return float(text)
        case pl.Boolean():
            return text == "yes"
        case pl.Date():
            return date(2024, 1, int(text))
        case pl.Datetime():
            return instant(text)
    return text


def drawn(table: str, needed: tuple[str, ...]) -> pl.DataFrame:
    """The frame that a pipe table draws, with defaults for the needed columns that it leaves out."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    for number, row in enumerate(rows):
        for column in needed:
            row.setdefault(column, DEFAULTS.get(column, f"e{number}"))
    columns = list(dict.fromkeys([*needed, *header]))
    return pl.DataFrame({c: [value(row[c], c) for row in rows] for c in columns}, schema={c: TYPES[c] for c in columns})


def events(table: str) -> pl.DataFrame:
    return drawn(table, ("entity_id", "customer_id", "segment", "event_id", "known_from", "known_to"))


def subjects(table: str) -> pl.DataFrame:
    frame = drawn(table, ("entity_id", "customer_id", "segment", "cutoff"))
    return frame.with_columns(cutoff_day=pl.col("cutoff").dt.date())


@dataclass(frozen=True)
class Case:
    """Events and subjects as tables; for each feature what every subject, in order, must get."""

    says: str
    events: str
    subjects: str
    features: dict[str, Aggregate | Feature]
    expected: dict[str, list[float | None]]
    options: dict[str, object] = field(default_factory=dict)

    def declared(self) -> list[Feature]:
        return [
            a if isinstance(a, Feature) else Feature(name, a, event="paid", **self.options)
            for name, a in self.features.items()
        ]


def one(
    says: str, table: str, cutoffs: str, expected: dict[str, tuple[Aggregate, list[float | None]]], **options: object
) -> Case:
    """A case whose features are all of the event `paid`, with the same options."""
    features = {name: aggregate for name, (aggregate, _) in expected.items()}
    values = {name: wanted for name, (_, wanted) in expected.items()}
    return Case(says, table, "cutoff\n" + "\n".join(cutoffs.split()), features, values, options)


THREE = """
known_from | days | cents | late | rating | day
2          |   10 |   100 | yes  |   1.5  | 2
3          |    - |     - | -    |   -    | -
4          |   -4 |   300 | no   |   4.5  | 9
5          |    6 |   200 | yes  |   2.5  | 3
"""

CASES = [
    one(
        "every aggregate passes over missing values; of nothing, Count and Sum are 0 and the others null",
        THREE,
        "2 3 4 5 6",
        {
            "count": (Count(), [0, 1, 2, 3, 4]),
            "count_values": (Count("days"), [0, 1, 1, 2, 3]),
            "sum": (Sum("days"), [0, 10, 10, 6, 12]),
            "mean": (Mean("days"), [None, 10, 10, 3, 4]),
            "std": (Std("days"), [None, None, None, 98**0.5, 52**0.5]),
            "share": (Share("late"), [None, 1, 1, 0.5, 2 / 3]),
            "ratio": (Ratio("days", "cents"), [None, 0.1, 0.1, 6 / 400, 12 / 600]),
            "mean_age": (MeanAge("day"), [None, 1, 2, -0.5, 6 - 14 / 3]),
            "last": (Last("days"), [None, 10, 10, -4, 6]),
            "last_rating": (Last("rating"), [None, 1.5, 1.5, 4.5, 2.5]),
            "last_day": (Last("day"), [None, 19724, 19724, 19731, 19725]),
            "last_mean": (LastMean("days", last=2), [None, 10, 10, 3, 1]),
            "median": (Median("rating", last=10), [None, 1.5, 1.5, 3, 2.5]),
            "median_of_2": (Median("days", last=2), [None, 10, 10, 3, 1]),
            "quantile": (Quantile("days", 0.25, last=3), [None, 10, 10, -0.5, 1]),
            "quantile_0": (Quantile("days", 0, last=3), [None, 10, 10, -4, -4]),
            "quantile_1": (Quantile("days", 1, last=3), [None, 10, 10, 10, 10]),
            "min": (Min("days"), [None, 10, 10, -4, -4]),
            "max": (Max("rating"), [None, 1.5, 1.5, 4.5, 4.5]),
            "min_of_1": (Min("days", last=1), [None, 10, 10, -4, 6]),
            "max_of_2": (Max("days", last=2), [None, 10, 10, 10, 6]),
            "days_since": (DaysSince("day"), [None, 1, 2, -4, -3]),
            "max_age": (MaxAge("day"), [None, 1, 2, 3, 4]),
            "ewma": (Ewma("days", half_life=1), [None, 10, 10, (5 - 4) / 1.5, (2.5 - 2 + 6) / 1.75]),
        },
    ),
    one(
        "what is learnt at the cutoff is not seen; a millisecond before, it is",
        "known_from | days\n 3 | 7",
        "3- 3 3+",
        {"count": (Count(), [0, 0, 1]), "last": (Last("days"), [None, None, 7]), "max": (Max("days"), [None, None, 7])},
    ),
    one(
        "at one instant the order is that of the event's id, wherever the rows stand",
        """
        known_from | event_id | days
        3          | b        | 2
        3          | c        | 3
        3          | a        | 1
        """,
        "4",
        {
            "last": (Last("days"), [3]),
            "last_mean": (LastMean("days", last=2), [2.5]),
            "ewma": (Ewma("days", 1), [4.25 / 1.75]),
        },
    ),
    one(
        "a window of 2 days still has what was learnt exactly 2 days before the cutoff, and not a millisecond older",
        "known_from | days | late\n 3 | 5 | yes\n 4+ | 7 | no",
        "3 5- 5 5+ 6 6+ 7",
        {
            "count": (Count(), [0, 2, 2, 1, 1, 1, 0]),
            "mean": (Mean("days"), [None, 6, 6, 7, 7, 7, None]),
            "std": (Std("days"), [None, 2**0.5, 2**0.5, None, None, None, None]),
            "share": (Share("late"), [None, 0.5, 0.5, 0, 0, 0, None]),
        },
        window_days=2,
    ),
    one(
        "a correction replaces what it corrects from the instant after it is learnt, and not before",
        """
        known_from | known_to | event_id | days
        2          | -        | other    | 1
        3          | 5        | wrong    | 100
        5          | -        | wrong    | 10
        """,
        "3 4 5 5+ 9",
        {
            "count": (Count(), [1, 2, 2, 2, 2]),
            "sum": (Sum("days"), [1, 101, 101, 11, 11]),
            "std": (Std("days"), [None, 4900.5**0.5, 4900.5**0.5, 40.5**0.5, 40.5**0.5]),
            "last": (Last("days"), [1, 100, 100, 10, 10]),
            "max": (Max("days"), [1, 100, 100, 10, 10]),
            "median": (Median("days", last=5), [1, 50.5, 50.5, 5.5, 5.5]),
            "ewma": (Ewma("days", half_life=1), [1, 100.5 / 1.5, 100.5 / 1.5, 10.5 / 1.5, 10.5 / 1.5]),
        },
    ),
    one(
        "what is taken back is gone, also from what came after it",
        """
        known_from | known_to | days | day
        2          | -        | 1    | 2
        3          | 6        | 9    | 8
        4          | -        | 2    | 3
        5          | 7        | 8    | 1
        """,
        "6 6+ 7+",
        {
            "count": (Count(), [4, 3, 2]),
            "mean": (Mean("days"), [5, 11 / 3, 1.5]),
            "last": (Last("days"), [8, 8, 2]),
            "max": (Max("days"), [9, 8, 2]),
            "max_of_2": (Max("days", last=2), [8, 8, 2]),
            "last_mean": (LastMean("days", last=3), [19 / 3, 11 / 3, 1.5]),
            "days_since": (DaysSince("day"), [-2, 3, 4]),
            "max_age": (MaxAge("day"), [5, 5, 5]),
        },
    ),
    one(
        "taken back before its window closes, it leaves once; after, it has left already",
        "known_from | known_to | days\n 2 | 3 | 5\n 2 | 9 | 7",
        "3 3+ 4 4+ 9 9+",
        {"count": (Count(), [2, 1, 1, 0, 0, 0]), "sum": (Sum("days"), [12, 7, 7, 0, 0, 0])},
        window_days=2,
    ),
    one(
        "a version replaced in the instant in which it was learnt was never the word",
        "known_from | known_to | days\n 3 | 3 | 5\n 3 | - | 7",
        "3 3+ 4",
        {"count": (Count(), [0, 1, 1]), "sum": (Sum("days"), [0, 7, 7]), "min": (Min("days"), [None, 7, 7])},
    ),
    one(
        "`where` picks the events for which its column is true; null is not true",
        THREE,
        "3 6",
        {"count": (Count(), [1, 2]), "mean": (Mean("days"), [10, 8]), "max": (Max("rating"), [1.5, 2.5])},
        where="late",
    ),
    one(
        "small spreads around large values keep their digits",
        "known_from | cents\n 2 | 100000000\n 3 | 100000001\n 4 | 100000001",
        "3+ 5",
        {"std": (Std("cents"), [0.5**0.5, (1 / 3) ** 0.5]), "mean": (Mean("cents"), [100000000.5, 300000002 / 3])},
    ),
    one(
        "equal values have no spread at all",
        "known_from | days\n 2 | 7\n 3 | 7\n 4 | 7",
        "5",
        {"std": (Std("days"), [0])},
    ),
    one(
        "a sum of 0 below the line makes a ratio null",
        "known_from | days | cents\n 2 | 7 | 5\n 3 | 7 | -5",
        "3 4",
        {"ratio": (Ratio("days", "cents"), [1.4, None])},
    ),
    one(
        "there are no events at all",
        "known_from | days",
        "3",
        {"count": (Count(), [0]), "mean": (Mean("days"), [None]), "last": (Last("days"), [None])},
    ),
    Case(
        "customers of the same name in two entities never mix, nor do segments; unknown and missing keys see nothing",
        """
        entity_id | customer_id | segment | known_from | days
        E         | A           | S       | 2          | 1
        F         | A           | S       | 2          | 10
        E         | B           | S       | 2          | 100
        E         | -           | -       | 2          | 1000
        """,
        """
        entity_id | customer_id | segment | cutoff
        E         | A           | S       | 3
        F         | A           | S       | 3
        E         | B           | T       | 3
        E         | C           | -       | 3
        G         | A           | S       | 3
        E         | -           | S       | 3
        """,
        {
            "own": Feature("own", Sum("days"), event="paid", key=CUSTOMER),
            "own_last": Feature("own_last", Last("days"), event="paid", key=CUSTOMER),
            "segment": Feature("segment_sum", Sum("days"), event="paid", key=SEGMENT),
            "entity": Feature("entity_sum", Sum("days"), event="paid", key=ENTITY),
        },
        {
            "own": [1, 10, 100, 0, 0, 0],
            "own_last": [1, 10, 100, None, None, None],
            "segment_sum": [101, 10, 0, 0, 0, 101],
            "entity_sum": [1101, 10, 1101, 1101, 0, 1101],
        },
    ),
    Case(
        "a key can be any columns that events and subjects share, entity first",
        """
        band  | known_from | days
        small | 2          | 1
        large | 3          | 5
        small | 4          | 3
        """,
        """
        band  | cutoff
        small | 5
        large | 5
        huge  | 5
        """,
        {
            "mean": Feature("mean", Mean("days"), "paid", Key("band", ("entity_id", "customer_id", "band"))),
            "last": Feature("last", Last("days"), "paid", Key("band", ("entity_id", "customer_id", "band"))),
        },
        {"mean": [2, 5, None], "last": [3, 5, None]},
    ),
    Case(
        "the same subject at many cutoffs, in any order and more than once",
        "known_from | days\n 2 | 1\n 4 | 3",
        "cutoff\n 5\n 3\n 1\n 5\n 28",
        {"mean": Mean("days"), "last": Last("days")},
        {"mean": [2, 1, None, 2, 2], "last": [3, 1, None, 3, 3]},
    ),
]


@pytest.mark.parametrize("compute", [engine.compute, oracle.compute], ids=["engine", "oracle"])
@pytest.mark.parametrize("case", CASES, ids=[case.says.replace(" ", "_")[:60] for case in CASES])
def test_means(case: Case, compute: Compute) -> None:
    asked = subjects(case.subjects)
    answer = compute(case.declared(), {"paid": events(case.events)}, asked)
    assert answer.columns == [*asked.columns, *case.expected]
    assert answer.select(asked.columns).equals(asked)
    for name, wanted in case.expected.items():
        assert answer.schema[name] == pl.Float64
        assert answer[name].to_list() == [w if w is None else pytest.approx(w, rel=1e-12) for w in wanted], name


@pytest.mark.parametrize("compute", [engine.compute, oracle.compute], ids=["engine", "oracle"])
def test_derived_features_build_on_features_before_them_and_are_finite_or_null(compute: Compute) -> None:
    declared = [
        Feature("count", Count(), event="paid"),
        Feature("sum", Sum("days"), event="paid"),
        Derived("mean", lambda: pl.col("sum") / pl.col("count"), ("sum", "count")),
        Derived("against", lambda: pl.col("own") - pl.col("mean"), ("own", "mean")),
        Derived("weekday", lambda: pl.col("cutoff_day").dt.weekday(), ("cutoff_day",)),
        Derived("inverse", lambda: 1 / pl.col("sum"), ("sum",)),
    ]
    asked = subjects("cutoff\n 2\n 3\n 4").with_columns(own=pl.Series([1, 2, 3]))
    answer = compute(declared, {"paid": events("known_from | days\n 2 | 4\n 3 | 6")}, asked)
    assert answer.select(d.name for d in declared).to_dict(as_series=False) == {
        "count": [0.0, 1.0, 2.0],
        "sum": [0.0, 4.0, 10.0],
        "mean": [None, 4.0, 5.0],
        "against": [None, -2.0, -2.0],
        "weekday": [2.0, 3.0, 4.0],
        "inverse": [None, 0.25, 0.1],
    }


def test_floats_that_are_not_finite_are_missing_values() -> None:
    paid = events("known_from | rating\n 2 | 1.5\n 3 | nan\n 4 | inf")
    declared = [Feature("last", Last("rating"), event="paid"), Feature("count", Count("rating"), event="paid")]
    answer = engine.compute(declared, {"paid": paid}, subjects("cutoff\n 5"))
    assert answer.select("last", "count").row(0) == (1.5, 1.0)


def test_a_subject_alone_gets_the_bits_it_gets_among_others() -> None:
    declared = [
        Derived("by_literal", lambda: pl.col("amount") / 1000, ("amount",)),
        Derived("by_column", lambda: pl.col("amount") / pl.col("unit"), ("amount", "unit")),
    ]
    among_others = subjects("cutoff\n 2\n 3").with_columns(amount=pl.lit(6265.0), unit=pl.lit(1000.0))
    alone = subjects("cutoff\n 2").with_columns(amount=pl.Series([6265.0]), unit=pl.Series([1000.0]))
    answers = [engine.compute(declared, {}, asked).row(0) for asked in (among_others, alone)]
    assert answers[0] == answers[1]


def test_no_subjects_yield_no_rows_with_every_column() -> None:
    declared = [Feature("mean", Mean("days"), event="paid"), Feature("last", Last("days"), event="paid")]
    asked = subjects("cutoff\n 5").clear()
    answer = engine.compute(declared, {"paid": events("known_from | days\n 2 | 4")}, asked)
    assert answer.schema == asked.schema | {"mean": pl.Float64(), "last": pl.Float64()}
    assert answer.is_empty()
