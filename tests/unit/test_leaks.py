"""The alarm rings for features that peek, however they do it, and only then."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from features import engine
from features.declarations import (
    CUSTOMER,
    Count,
    DaysSince,
    Declaration,
    Derived,
    Ewma,
    Feature,
    Last,
    Mean,
    Median,
    Std,
)
from features.errors import BadSetting, StateError
from features.leaks import Frames, at_instants, check_catalogue, check_no_leaks, leaks
from features.tables import INSTANT

FIRST = date(2024, 1, 1)


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def ledger() -> pl.DataFrame:
    """Two customers, an invoice every second day, each paid 3 to 9 days later."""
    rows = [
        {
            "entity_id": "E",
            "customer_id": "AB"[n % 2],
            "invoice_id": f"I{n:02}",
            "cutoff_day": FIRST + timedelta(days=2 * n),
            "paid_date": FIRST + timedelta(days=2 * n + 3 + n * n % 7),
        }
        for n in range(24)
    ]
    return pl.DataFrame(rows)


def subjects() -> pl.DataFrame:
    return ledger().with_columns(cutoff=pl.col("cutoff_day").cast(INSTANT))


def paid_events(invoices: pl.DataFrame) -> pl.DataFrame:
    """A payment each, learnt on its day; every fifth is taken back four days later."""
    learnt = pl.col("paid_date").cast(INSTANT)
    taken_back = pl.int_range(pl.len()) % 5 == 0
    return invoices.select(
        "entity_id",
        "customer_id",
        event_id="invoice_id",
        known_from=learnt,
        known_to=pl.when(taken_back).then(learnt.dt.offset_by("4d")),
        days=(pl.col("paid_date") - pl.col("cutoff_day")).dt.total_days(),
        day="paid_date",
    )


HONEST: list[Declaration] = [
    Feature("count", Count(), "paid"),
    Feature("mean_30d", Mean("days"), "paid", window_days=30),
    Feature("std", Std("days"), "paid"),
    Feature("last", Last("days"), "paid"),
    Feature("median", Median("days", last=3), "paid"),
    Feature("ewma", Ewma("days", half_life=2), "paid"),
    Feature("days_since", DaysSince("day"), "paid"),
    Derived("weekday", lambda: pl.col("cutoff_day").dt.weekday(), ("cutoff_day",)),
]
EVENTS = {"paid": paid_events(ledger())}


def test_honest_features_pass() -> None:
    check_catalogue(HONEST, EVENTS, subjects())


def test_a_feature_that_reads_how_its_own_invoice_ended_is_caught() -> None:
    peeking = Derived(
        "days_to_payment",
        lambda: (pl.col("paid_date") - pl.col("cutoff_day")).dt.total_days(),
        ("paid_date", "cutoff_day"),
    )
    with pytest.raises(StateError) as caught:
        check_catalogue([*HONEST, peeking], EVENTS, subjects())
    assert str(caught.value).startswith("1 feature(s) know what was not known at the cutoff:\n  days_to_payment is 3.0")
    assert "but None with the future withheld" in str(caught.value)
    assert "invoice_id I00" in str(caught.value)


def peeking_at_the_instant(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """The engine as if it used <= instead of <."""
    later = asked.with_columns(pl.col("cutoff").dt.offset_by("1ms"))
    return engine.compute(HONEST, frames, later).with_columns(asked["cutoff"])


def test_an_engine_that_sees_what_is_learnt_at_the_cutoff_is_caught() -> None:
    found = leaks(peeking_at_the_instant, EVENTS, at_instants(EVENTS.values(), subjects()))
    assert {leak.feature for leak in found} == {"count", "mean_30d", "std", "last", "median", "ewma", "days_since"}
    assert {leak.how for leak in found} == {"withheld", "scrambled"}


def peeking_at_values(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """A scale learnt from all events, whenever they were learnt."""
    return engine.compute(HONEST, frames, asked).with_columns(scale=pl.lit(frames["paid"]["days"].sum()))


def test_a_constant_learnt_from_all_time_is_caught() -> None:
    found = leaks(peeking_at_values, EVENTS, subjects())
    assert {leak.feature for leak in found} == {"scale"}


FACTS = {
    "invoice": ledger().select(
        "entity_id", "customer_id", "invoice_id", known_at=pl.col("cutoff_day").cast(INSTANT).dt.offset_by("-1h")
    ),
    "payment": ledger().select(
        "entity_id", "invoice_id", value_date="paid_date", known_at=pl.col("paid_date").cast(INSTANT)
    ),
    "entity": pl.DataFrame({"entity_id": ["E"], "country": ["DE"]}),
}


def pipeline(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """From facts to features, with one event learnt on its payment and one that claims to be learnt on its invoice."""
    settled = frames["invoice"].join(frames["payment"], on=["entity_id", "invoice_id"], suffix="_paid")
    days = (pl.col("value_date") - pl.col("known_at").dt.date()).dt.total_days()
    common = {"event_id": pl.col("invoice_id"), "known_to": pl.lit(None, INSTANT), "days": days}
    honest = settled.select("entity_id", "customer_id", **common, known_from="known_at_paid")
    early = settled.select("entity_id", "customer_id", **common, known_from="known_at")
    declared = [
        Feature("mean", Mean("days"), "honest", CUSTOMER),
        Feature("mean_too_early", Mean("days"), "early", CUSTOMER),
    ]
    return engine.compute(declared, {"honest": honest, "early": early}, asked)


def test_an_event_that_claims_to_be_known_before_its_facts_is_caught_through_the_whole_pipeline() -> None:
    found = leaks(pipeline, FACTS, subjects(), timeless=["entity"])
    assert {leak.feature for leak in found} == {"mean_too_early"}
    with pytest.raises(StateError, match=r"^1 feature\(s\) know .*\n  mean_too_early is"):
        check_no_leaks(pipeline, FACTS, subjects(), timeless=["entity"])


def test_a_frame_that_does_not_say_when_it_was_learnt_must_be_named_timeless() -> None:
    with pytest.raises(BadSetting, match=r"neither known_at nor known_from but .*; name it among the timeless"):
        leaks(pipeline, FACTS, subjects())


def test_a_function_that_returns_other_rows_is_refused() -> None:
    with pytest.raises(BadSetting, match="row for row"):
        leaks(lambda frames, asked: asked.reverse(), EVENTS, subjects())
