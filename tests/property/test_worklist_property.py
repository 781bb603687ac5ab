"""What holds for every list: the held are never on it, capacity is kept, and the draw looks at nobody else."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.book import Book
from features.facts import Facts
from features.money import exponent
from models.worklist.candidates import candidates
from models.worklist.ranking import left_out, listed
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import Worklist, worklist
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

some = settings(max_examples=12, deadline=None, derandomize=True)
names = st.text(alphabet="abcxyz0123", min_size=1, max_size=6)
chosen = st.builds(
    WorklistSettings,
    capacity=st.integers(1, 6),
    per_collector=st.booleans(),
    holdout_share=st.sampled_from([0.0, 0.05, 0.5]),
    seed=st.integers(0, 99),
    gap_days=st.integers(0, 30),
    contacts_per_30_days=st.integers(1, 3),
)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(WorldOptions(seed=11, customers=50, years=1, contacts=ContactOptions(gap_days=7)))


@pytest.fixture(scope="module")
def book(world: World) -> Book:
    return Book(Facts.of(world.facts))


def made(world: World, book: Book, days_back: int, asked: WorklistSettings) -> Worklist:
    return worklist(book, world.now(world.options.today - timedelta(days=days_back)), None, None, asked)


@some
@given(days_back=st.integers(0, 250), asked=chosen)
def test_nobody_held_is_listed_and_capacity_is_kept(
    world: World, book: Book, days_back: int, asked: WorklistSettings
) -> None:
    told = made(world, book, days_back, asked)
    on, held = ({(r.entity_id, r.customer_id) for r in rows} for rows in (told.rows, told.held))
    assert not on & held
    assert len(on) == len(told.rows)
    groups: dict[tuple[str, str | None], int] = {}
    for row in told.rows:
        group = (row.entity_id, row.collector if asked.per_collector else None)
        groups[group] = groups.get(group, 0) + row.made
    assert max(groups.values(), default=0) <= asked.capacity


@some
@given(days_back=st.integers(0, 250), asked=chosen)
def test_nobody_is_listed_before_its_time_or_too_often(
    world: World, book: Book, days_back: int, asked: WorklistSettings
) -> None:
    told = made(world, book, days_back, asked)
    contacts = world.facts["contact"].filter(pl.col("known_at") < told.as_of)
    for row in told.rows:
        own = contacts.filter(pl.col("entity_id") == row.entity_id, pl.col("customer_id") == row.customer_id)
        ago = [(row.day - day).days for day in own.filter("made")["day"].unique()]
        assert all(days >= asked.gap_days for days in ago)
        assert sum(days < 30 for days in ago) < asked.contacts_per_30_days
        drawn = [(row.day - day).days for day in own.filter(pl.col("chance").is_not_null())["day"]]
        assert all(days >= asked.horizon_days for days in drawn), "in either arm"


@some
@given(days_back=st.integers(0, 250), asked=chosen)
def test_everybody_who_owes_is_somewhere_to_the_cent(
    world: World, book: Book, days_back: int, asked: WorklistSettings
) -> None:
    told = made(world, book, days_back, asked)
    due = candidates(book, told.as_of, None, asked)
    everybody = {tuple(key) for key in due.asks.owed.select("entity_id", "customer_id").iter_rows()}
    parts = [{(r.entity_id, r.customer_id) for r in rows} for rows in (told.rows, told.held, told.not_listed)]
    assert sum(map(len, parts)) == len(everybody)
    assert set.union(*parts) == everybody
    assert len(everybody) == sum(e.contacts + e.held + e.beyond + e.not_worth for e in told.entities)
    left = due.items.filter(
        pl.concat_list("entity_id", "customer_id").is_in([list(key) for key in sorted(parts[2])] or [[""]])
    )
    minor = sum(int(s.amount * 10 ** exponent(s.currency)) for s in told.not_listed_sums)
    assert minor == left["asked_minor"].sum()


@some
@given(days_back=st.integers(0, 250))
def test_nothing_learnt_later_changes_a_list(world: World, book: Book, days_back: int) -> None:
    asked = WorklistSettings(capacity=3)
    told = made(world, book, days_back, asked)
    then = Book(book.facts.before(told.as_of))
    assert worklist(then, told.as_of, None, None, asked) == told


@given(people=st.lists(names, unique=True, max_size=30), seed=st.integers(0, 9), share=st.floats(0, 0.9))
def test_who_is_left_out_depends_on_nobody_else(people: list[str], seed: int, share: float) -> None:
    day = date(2026, 1, 5)
    together = {p: left_out(seed, "E", p, day, share) for p in people}
    assert {p: left_out(seed, "E", p, day, share) for p in reversed(people)} == together
    more = {p for p in people if left_out(seed, "E", p, day, min(share + 0.1, 1.0))}
    assert {p for p, out in together.items() if out} <= more, "a larger share leaves out the same and more"


@given(scores=st.lists(st.integers(0, 50), max_size=30), capacity=st.integers(1, 10), modulus=st.integers(2, 5))
def test_the_highest_scores_are_taken_until_the_capacity_is_used(
    scores: list[int], capacity: int, modulus: int
) -> None:
    rows = list(enumerate(scores))
    taken = listed(rows, capacity, score=lambda r: float(r[1]), out=lambda r: r[0] % modulus == 0)
    kept = [r for r in taken if r[0] % modulus]
    assert len(kept) <= capacity
    rest = set(rows) - set(taken)
    assert all(score <= min((s for _, s in taken), default=np.inf) for _, score in rest)
    assert not rest or len(kept) == capacity
