"""Corrections in long histories: neither costly, nor do they let the future or a neighbour show."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features import oracle
from features.aggregates import Aggregate, DaysSince, Ewma, Last, Max, MaxAge, Median
from features.declarations import Feature
from features.engine import compute, prepare
from features.tables import INSTANT

START = datetime(2024, 1, 1, tzinfo=UTC)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def history(count: int, *, taken_back: dict[int, int]) -> pl.DataFrame:
    """One event an hour, the early ones huge; event `n` is taken back at hour `taken_back[n]`."""
    rows = [
        {
            "entity_id": "E",
            "customer_id": "A",
            "event_id": f"e{n:05}",
            "known_from": hour(n),
            "known_to": hour(taken_back[n]) if n in taken_back else None,
            "rating": 1e14 if n < 300 else 1 / (n + 1),
            "day": n,
        }
        for n in range(count)
    ]
    return pl.DataFrame(rows, schema_overrides={"known_from": INSTANT, "known_to": INSTANT}, infer_schema_length=None)


def subject(number: int) -> pl.DataFrame:
    row = {"entity_id": ["E"], "customer_id": ["A"], "cutoff": [hour(number)]}
    return pl.DataFrame(row, schema_overrides={"cutoff": INSTANT}).with_columns(cutoff_day=pl.col("cutoff").dt.date())


def values(aggregates: dict[str, Aggregate], events: pl.DataFrame, number: int) -> tuple[float, ...]:
    declared = [Feature(name, aggregate, "rated") for name, aggregate in aggregates.items()]
    return compute(declared, {"rated": events}, subject(number)).select(list(aggregates)).row(0)


EWMA: dict[str, Aggregate] = {"ewma": Ewma("rating", half_life=20)}


def test_a_later_correction_does_not_change_a_bit_of_a_long_weighted_mean() -> None:
    known = history(1_400, taken_back={700: 1_350})
    later = history(1_400, taken_back={700: 1_350, 250: 1_500, 900: 1_600})
    assert values(EWMA, known, 1_400) == values(EWMA, later, 1_400)


def test_a_feature_that_reaches_further_does_not_change_a_bit_of_another() -> None:
    events = history(1_400, taken_back={700: 1_350})
    together = EWMA | {"median": Median("rating", last=1_200)}
    assert values(EWMA, events, 1_400)[0] == values(together, events, 1_400)[0]


def test_a_long_history_with_corrections_agrees_with_the_oracle() -> None:
    aggregates: dict[str, Aggregate] = {
        "ewma": Ewma("rating", half_life=3),
        "last": Last("rating"),
        "median": Median("rating", last=50),
        "max": Max("rating"),
        "days_since": DaysSince("day"),
        "max_age": MaxAge("day"),
    }
    events = history(1_200, taken_back={n: n + 30 for n in range(0, 1_200, 40)} | {10: 1_100, 1_199: 1_300})
    declared = [Feature(name, aggregate, "rated") for name, aggregate in aggregates.items()]
    asked = pl.concat([subject(n) for n in (1, 31, 400, 1_100, 1_101, 1_200, 1_300, 1_301)])
    fast = compute(declared, {"rated": events}, asked)
    slow = oracle.compute(declared, {"rated": events}, asked)
    for name in aggregates:
        assert fast[name].to_list() == pytest.approx(slow[name].to_list(), rel=1e-9), name


def test_many_corrections_in_a_long_history_cost_their_sum_and_not_their_product() -> None:
    aggregates = {"median": Median("rating", last=50), "last": Last("rating"), "max": Max("rating")}
    events = history(20_000, taken_back={n: n + 10 for n in range(0, 20_000, 20)})
    prepared = prepare([Feature(name, a, "rated") for name, a in aggregates.items()], {"rated": events})
    rows = sum(len(stream.codes) for _, stream in prepared.streams)
    assert rows < 2 * 20_000 + 1_000 * 60
