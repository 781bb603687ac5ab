"""CI's leak check: from facts to features, nothing knows what was learnt at or after its cutoff.

The whole catalogue on a small sandbox world, and then pipelines that peek, each of which must ring the alarm.
"""

from datetime import date, timedelta

import polars as pl
import pytest

from features import engine
from features.book import Book
from features.catalogue import catalogue
from features.declarations import Declaration, Derived, Feature
from features.errors import StateError
from features.events import attribute_names, event_frames, subject_columns
from features.facts import Facts, with_version
from features.leaks import Compute, Frames, check_no_leaks, leaks
from features.masters import CUSTOMER, Masters
from features.tables import INSTANT
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

SMALL = WorldOptions(seed=11, customers=20, years=1, invoices_per_customer_year=20, feed_faults=1)
TIMELESS = ("entity",)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SMALL)


@pytest.fixture(scope="module")
def book(world: World) -> Book:
    """Knows everything, also what happens after the world's today."""
    return Book(Facts.of(world.facts))


@pytest.fixture(scope="module")
def issued(book: Book) -> pl.DataFrame:
    """Every receivable on its issue day, with how it ended."""
    return book.labelled(book.at_issue(date.min, date.max))


@pytest.fixture(scope="module")
def overdue(book: Book) -> pl.DataFrame:
    """What was open at the very instants at which a payment, a customer's record and a rate were learnt."""
    tables = ("allocation", "customer", "customer_attribute", "fx_rate", "invoice")
    learnt = [book.facts.tables[name]["known_at"].sort() for name in tables]
    instants = [known[len(known) * 2 // 3] for known in learnt]
    return book.labelled(pl.concat(book.open_receivables(at) for at in sorted(set(instants))))


def honest(declared: tuple[Declaration, ...]) -> Compute:
    return lambda frames, asked: Book(Facts.of(frames), declared).features(asked)


def names(found: list[str]) -> set[str]:
    return set(found)


def test_the_world_puts_every_feature_to_the_test(book: Book, issued: pl.DataFrame, overdue: pl.DataFrame) -> None:
    assert attribute_names(book.facts), "the world has dated attributes"
    told = book.features(pl.concat([issued, overdue]))
    silent = [name for name in book.feature_names if told[name].drop_nulls().n_unique() < 2]
    assert silent == ["paid_sat_share", "paid_sun_share"], "banks of this world rest at weekends"


def test_no_feature_of_the_catalogue_knows_the_future(book: Book, issued: pl.DataFrame) -> None:
    check_no_leaks(honest(book.declared), book.facts.tables, issued, timeless=TIMELESS)


def test_nor_at_the_very_instant_at_which_something_is_learnt(book: Book, overdue: pl.DataFrame) -> None:
    check_no_leaks(honest(book.declared), book.facts.tables, overdue, timeless=TIMELESS)


# --- pipelines that peek ------------------------------------------------------------------------------------------


def test_a_feature_that_reads_its_own_outcome_is_caught(book: Book, issued: pl.DataFrame) -> None:
    peeking = Derived(
        "own_days_late",
        lambda: (pl.col("paid_date") - pl.col("due_date")).dt.total_days(),
        ("paid_date", "due_date"),
        "how late this very invoice will be",
    )
    with pytest.raises(
        StateError, match=r"^1 feature\(s\) know what was not known at the cutoff:\n  own_days_late is "
    ):
        check_no_leaks(honest((*book.declared, peeking)), book.facts.tables, issued, timeless=TIMELESS)


def with_doctored_events(declared: tuple[Declaration, ...], masters: Masters | None = None) -> Compute:
    """A pipeline whose settlements claim to be known since the invoice was issued."""

    def compute(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
        ledger = Book(Facts.of(frames), declared)
        events = event_frames(ledger.facts, ledger.states, ledger.masters, attribute_names(ledger.facts))
        issue_day = (pl.col("paid_day") - pl.col("days_to_settle")).cast(pl.Int32).cast(pl.Date)
        events["settled"] = events["settled"].with_columns(known_from=issue_day.cast(INSTANT))
        told = subject_columns(asked.with_row_index("_row"), ledger.masters).sort("_row")
        return engine.compute(declared, events, told).select(*asked.columns, *(d.name for d in declared))

    return compute


def test_events_that_claim_to_be_known_too_early_are_caught(book: Book, issued: pl.DataFrame) -> None:
    ours = tuple(d for d in catalogue() if isinstance(d, Feature))
    found = {
        leak.feature
        for leak in leaks(with_doctored_events(ours), book.facts.tables, issued, cutoffs=4, timeless=TIMELESS)
    }
    assert {"days_late_mean", "days_late_last", "entity_days_late_mean", "days_late_median"} <= found
    assert found <= {d.name for d in ours if d.event == "settled"}


def a_day_too_late(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """A book that answers with what is known a day after the cutoff."""
    moved = asked.with_columns(pl.col("cutoff") + timedelta(days=1))
    return Book(Facts.of(frames), FEW).features(moved).with_columns(asked["cutoff"])


def whenever(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """A book that ignores cutoffs."""
    moved = asked.with_columns(cutoff=pl.lit(date(2030, 1, 1)).cast(INSTANT))
    return Book(Facts.of(frames), FEW).features(moved).with_columns(asked["cutoff"])


def at_the_instant(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """A book that takes <= for <."""
    moved = asked.with_columns(pl.col("cutoff") + timedelta(milliseconds=1))
    return Book(Facts.of(frames), FEW).features(moved).with_columns(asked["cutoff"])


FEW = tuple(d for d in catalogue() if d.name in ("open_count", "open_cents", "invoiced_count", "days_late_mean"))


@pytest.mark.parametrize("peeking", [a_day_too_late, whenever])
def test_a_book_that_does_not_keep_to_its_cutoff_is_caught(book: Book, issued: pl.DataFrame, peeking: Compute) -> None:
    found = {leak.feature for leak in leaks(peeking, book.facts.tables, issued, cutoffs=30, timeless=TIMELESS)}
    assert {d.name for d in FEW} <= found


def test_a_book_that_sees_what_is_learnt_at_the_cutoff_is_caught(book: Book, overdue: pl.DataFrame) -> None:
    found = leaks(at_the_instant, book.facts.tables, overdue, timeless=TIMELESS)
    assert "open_count" in {leak.feature for leak in found}
    assert not leaks(honest(FEW), book.facts.tables, overdue, timeless=TIMELESS)


def newest_segment(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """Customers as they are today, put beside a subject of back then."""
    facts = Facts.of(frames)
    today = facts.latest("customer").select(*CUSTOMER, newest_segment="segment")
    return asked.join(today, on=CUSTOMER, how="left", maintain_order="left")


def segment_by_then(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
    """Customers as known by the cutoff, and in its very instant."""
    customers = Masters.of(Facts.of(frames)).customers
    told = with_version(asked.with_row_index("_row"), customers, by=CUSTOMER, at="cutoff")
    return told.sort("_row").drop("_row")


@pytest.mark.parametrize("peeking", [newest_segment, segment_by_then])
def test_master_data_of_later_days_is_caught(book: Book, overdue: pl.DataFrame, peeking: Compute) -> None:
    told = book.facts.tables["customer"]
    again = told.filter(pl.col("known_at").rank("dense").over(CUSTOMER) == 1).with_columns(
        known_at=pl.lit(overdue["cutoff"].max(), INSTANT), segment=pl.lit("moved")
    )
    frames = {**book.facts.tables, "customer": pl.concat([told, again])}
    assert leaks(peeking, frames, overdue, timeless=TIMELESS)
    assert not leaks(honest(FEW), frames, overdue, timeless=TIMELESS)
