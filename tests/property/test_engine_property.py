"""What holds for every set of events: the engine agrees with the oracle, and nothing that should not matter does."""

from datetime import UTC, datetime, timedelta
from random import Random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features import engine, oracle
from features.aggregates import (
    Aggregate,
    Count,
    DaysSince,
    Ewma,
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
from features.declarations import CUSTOMER, ENTITY, SEGMENT, Derived, Feature, Key
from features.leaks import known_before, scrambled_after
from features.tables import INSTANT

EXACT: dict[str, Aggregate] = {
    "count": Count(),
    "count_values": Count("days"),
    "sum": Sum("days"),
    "mean": Mean("days"),
    "share": Share("late"),
    "ratio": Ratio("days", "cents"),
}
ADDITIVE = EXACT | {"std": Std("days"), "mean_age": MeanAge("day")}
SELECTING: dict[str, Aggregate] = {
    "last": Last("days"),
    "last_rating": Last("rating"),
    "min": Min("rating"),
    "max": Max("days"),
    "min_of_2": Min("days", last=2),
    "max_of_3": Max("rating", last=3),
    "days_since": DaysSince("day"),
    "max_age": MaxAge("day"),
    "max_age_of_2": MaxAge("day", last=2),
}
ORDERED = SELECTING | {
    "last_mean": LastMean("days", last=2),
    "median": Median("days", last=3),
    "quantile": Quantile("rating", 0.3, last=4),
    "ewma": Ewma("rating", half_life=1.5),
    "ewma_days": Ewma("days", half_life=4),
}


def declared(aggregates: dict[str, Aggregate], key: Key, window_days: int | None, where: str | None) -> list[Feature]:
    tag = f"{key.name}_{window_days or 'ever'}_{where or 'all'}"
    return [Feature(f"{n}_{tag}", a, "paid", key, window_days, where) for n, a in aggregates.items()]


def every_kind(additive: dict[str, Aggregate], ordered: dict[str, Aggregate]) -> list[Feature]:
    return [
        feature
        for where in (None, "late")
        for feature in (
            *(f for key in (CUSTOMER, SEGMENT, ENTITY) for w in (None, 3) for f in declared(additive, key, w, where)),
            *declared(ordered, CUSTOMER, None, where),
        )
    ]


OF_CUSTOMER = [
    *(f for f in every_kind(ADDITIVE, ORDERED) if f.key == CUSTOMER),
    Derived("scaled", lambda: pl.col("sum_customer_ever_all") / 1000, ("sum_customer_ever_all",)),
    Derived("amount_scaled", lambda: pl.col("amount") / 1000 + pl.col("amount") / 7, ("amount",)),
]
FEATURES = every_kind(ADDITIVE, ORDERED)
EXACT_NAMES = [f.name for f in every_kind(EXACT, SELECTING)]
START = datetime(2024, 1, 1, tzinfo=UTC)


def hours(first: int, last: int) -> st.SearchStrategy[datetime]:
    """Few instants, so that many things happen at the same one."""
    return st.integers(first, last).map(lambda n: START + timedelta(hours=12 * n))


EVENT = st.fixed_dictionaries(
    {
        "entity_id": st.sampled_from(["E", "F"]),
        "customer_id": st.sampled_from(["A", "B", None]),
        "segment": st.sampled_from(["S", "T", None]),
        "known_from": hours(0, 16),
        "known_to": st.none() | st.none() | hours(1, 20),
        "days": st.none() | st.integers(-40, 400),
        "cents": st.none() | st.integers(-(10**12), 10**12),
        "late": st.sampled_from([True, False, None]),
        "rating": st.none() | st.floats(-1e6, 1e6),
        "day": st.none() | st.integers(-30, 30).map(lambda n: (START + timedelta(days=n)).date()),
    }
)
EVENT_SCHEMA = {
    "event_id": pl.String(),
    "entity_id": pl.String(),
    "customer_id": pl.String(),
    "segment": pl.String(),
    "known_from": INSTANT,
    "known_to": INSTANT,
    "days": pl.Int64(),
    "cents": pl.Int64(),
    "late": pl.Boolean(),
    "rating": pl.Float64(),
    "day": pl.Date(),
}
SUBJECT = st.fixed_dictionaries(
    {
        "entity_id": st.sampled_from(["E", "F", "G"]),
        "customer_id": st.sampled_from(["A", "B", "C", None]),
        "segment": st.sampled_from(["S", "T", None]),
        "cutoff": hours(-1, 22),
    }
)
SUBJECT_SCHEMA = {c: EVENT_SCHEMA.get(c, INSTANT) for c in ("entity_id", "customer_id", "segment", "cutoff")}


@st.composite
def event_frames(draw: st.DrawFn) -> pl.DataFrame:
    rows = draw(st.lists(EVENT, max_size=30))
    ids = draw(st.permutations(range(len(rows))))
    return pl.DataFrame(
        [{"event_id": f"e{i:02}", **row} for i, row in zip(ids, rows, strict=True)], schema=EVENT_SCHEMA
    )


SUBJECTS = st.lists(SUBJECT, min_size=1, max_size=12).map(
    lambda rows: pl.DataFrame(rows, schema=SUBJECT_SCHEMA).with_columns(cutoff_day=pl.col("cutoff").dt.date())
)


def computed(events: pl.DataFrame, subjects: pl.DataFrame) -> pl.DataFrame:
    return engine.compute(FEATURES, {"paid": events}, subjects)


def same_bits(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    """Equal to the last bit: nulls are equal to nulls, and 0.0 differs from -0.0."""
    bits = [pl.col(f.name).reinterpret(signed=True) for f in FEATURES]
    return left.select(bits).equals(right.select(bits))


@given(event_frames(), SUBJECTS)
@settings(max_examples=60, deadline=None)
def test_the_engine_agrees_with_the_oracle(events: pl.DataFrame, subjects: pl.DataFrame) -> None:
    fast = computed(events, subjects)
    slow = oracle.compute(FEATURES, {"paid": events}, subjects)
    assert fast.schema == slow.schema
    assert fast.select(EXACT_NAMES).equals(slow.select(EXACT_NAMES))
    for name in (f.name for f in FEATURES):
        for a, b in zip(fast[name], slow[name], strict=True):
            assert (a is None) == (b is None), name
            assert a is None or abs(a - b) <= 1e-9 * max(1.0, abs(b)), name


@given(event_frames(), hours(0, 18), SUBJECTS)
@settings(max_examples=60, deadline=None)
def test_nothing_learnt_at_or_after_the_cutoff_changes_a_bit(
    events: pl.DataFrame, cutoff: datetime, subjects: pl.DataFrame
) -> None:
    subjects = subjects.with_columns(pl.lit(cutoff, INSTANT).alias("cutoff"))
    everything = computed(events, subjects)
    assert same_bits(everything, computed(known_before(events, cutoff), subjects))
    assert same_bits(everything, computed(scrambled_after(events, cutoff), subjects))


@given(event_frames(), SUBJECTS)
@settings(max_examples=40, deadline=None)
def test_a_customer_alone_gets_the_bits_it_gets_among_all(events: pl.DataFrame, subjects: pl.DataFrame) -> None:
    subjects = subjects.with_columns(amount=6265 + pl.int_range(pl.len()))
    among_all = engine.compute(OF_CUSTOMER, {"paid": events}, subjects)
    for subject, expected in zip(subjects.iter_slices(1), among_all.iter_slices(1), strict=True):
        own = events.join(subject, on=list(CUSTOMER.columns), how="semi")
        assert engine.compute(OF_CUSTOMER, {"paid": own}, subject).equals(expected)


@given(event_frames(), SUBJECTS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_changes_nothing(events: pl.DataFrame, subjects: pl.DataFrame, random: Random) -> None:
    shuffled_events = events[random.sample(range(events.height), events.height)] if events.height else events
    order = random.sample(range(subjects.height), subjects.height)
    assert same_bits(computed(events, subjects)[order], computed(shuffled_events, subjects[order]))


@given(event_frames(), SUBJECTS)
@settings(max_examples=30, deadline=None)
def test_other_features_change_nothing(events: pl.DataFrame, subjects: pl.DataFrame) -> None:
    together = computed(events, subjects)
    for feature in FEATURES[::7]:
        alone = engine.compute([feature], {"paid": events}, subjects)
        assert alone.equals(together.select(alone.columns)), feature.name
