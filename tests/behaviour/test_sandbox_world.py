"""What holds in every world, whatever its seed and size."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.calendars import business_calendar, day_start
from features.facts import Facts, standing
from features.ledger import RECEIVABLE, receivable_states
from features.tables import TABLES
from services.sandbox.options import DEFAULT_ENTITIES, WorldOptions
from services.sandbox.payers import TYPES
from services.sandbox.world import World, simulate

some_worlds = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
options = st.builds(
    WorldOptions,
    seed=st.integers(0, 2**32),
    today=st.dates(date(2020, 1, 1), date(2027, 12, 31)),
    years=st.integers(1, 3),
    customers=st.integers(1, 40),
    invoices_per_customer_year=st.sampled_from([0.01, 2.0, 20.0, 60.0]),
    future_days=st.integers(0, 200),
    shift_days_before_today=st.sampled_from([0, 100]),
    feed_faults=st.integers(0, 3),
    mix=st.sampled_from([{t.name: t.share for t in TYPES}, {"disputing": 1.0}, {"declining": 1.0}]),
    entities=st.sampled_from([DEFAULT_ENTITIES, DEFAULT_ENTITIES[:1], DEFAULT_ENTITIES[1:]]),
)
each_world = pytest.mark.parametrize("seed", [1, 2, 3])


@pytest.fixture(scope="module")
def worlds() -> dict[int, World]:
    return {seed: simulate(WorldOptions(seed=seed, customers=80, years=2)) for seed in (1, 2, 3)}


@some_worlds
@given(options)
def test_every_world_keeps_the_declared_contracts(chosen: WorldOptions) -> None:
    world = simulate(chosen)
    for table in TABLES:
        rows = world.facts[table.name]
        assert rows.schema == pl.Schema(table.schema)
        for rule in table.rules:
            assert rows.filter(~rule.ok().fill_null(value=True)).is_empty(), (table.name, rule)
        missing = [c.name for c in table.columns if not c.optional and rows[c.name].null_count()]
        assert not missing, (table.name, missing)
        assert not rows.select(*table.key, "known_at").is_duplicated().any(), table.name


@some_worlds
@given(options)
def test_cash_is_conserved_at_every_instant(chosen: WorldOptions) -> None:
    world = simulate(chosen)
    facts = Facts.of(world.facts)
    states = receivable_states(facts)
    assert (states["open_minor"] >= 0).all(), "a receivable is never settled beyond its amount"
    assert_payments_cover_their_allocations(facts)


def assert_payments_cover_their_allocations(facts: Facts) -> None:
    moments = facts.tables["allocation"]["known_at"].sort()
    payments = facts.latest("payment").select("entity_id", from_id="payment_id", received="amount_minor")
    for at in np.linspace(0, len(moments) - 1, 15).astype(int) if len(moments) else []:
        active = standing(facts.spans("allocation"), moments[int(at)] + timedelta(milliseconds=1))
        taken = pl.coalesce("paid_minor", "amount_minor")
        used = active.filter(pl.col("kind") == "payment").group_by("entity_id", "from_id").agg(used=taken.sum())
        beyond = used.join(payments, on=["entity_id", "from_id"], how="left").filter(
            pl.col("received").is_null() | (pl.col("used") > pl.col("received"))
        )
        assert beyond.is_empty()


@each_world
def test_the_books_agree_with_the_truth(worlds: dict[int, World], seed: int) -> None:
    world = worlds[seed]
    last = receivable_states(Facts.of(world.facts)).filter(pl.col("known_to").is_null())
    both = world.truth.receivables.join(last, on=RECEIVABLE, how="full", suffix="_books")
    assert both.filter(pl.col("invoice_id").is_null() | pl.col("invoice_id_books").is_null()).is_empty()
    assert (both["open_minor"] == 0).all()
    for true, booked in [("settled_date", "paid_date_books"), *((c, f"{c}_books") for c in COMPARED)]:
        assert both.filter(pl.col(true).ne_missing(pl.col(booked))).is_empty(), true


COMPARED = ("cancelled", "amount_minor", "due_date", "issue_date", "currency", "customer_id")


@each_world
def test_nothing_is_settled_before_it_is_issued(worlds: dict[int, World], seed: int) -> None:
    facts = worlds[seed].facts
    issued = facts["invoice"].select("entity_id", "invoice_id", "issue_date").unique()
    settled = facts["allocation"].join(issued, on=["entity_id", "invoice_id"])
    assert settled.height == facts["allocation"].height
    assert (settled["date"] > settled["issue_date"]).all()


@each_world
def test_nothing_is_learnt_before_it_happened(worlds: dict[int, World], seed: int) -> None:
    world = worlds[seed]
    for table in TABLES:
        if table.day_column is None:
            continue
        for entity in world.options.entities:
            rows = world.facts[table.name].filter(pl.col("entity_id") == entity.entity_id)
            local = rows["known_at"].dt.convert_time_zone(entity.time_zone).dt.date()
            assert (local >= rows[table.day_column]).all(), (table.name, entity.entity_id)


@each_world
def test_what_is_referred_to_is_known_first(worlds: dict[int, World], seed: int) -> None:
    facts = Facts.of(worlds[seed].facts)
    first = {t.name: facts.tables[t.name].group_by(t.key).agg(since=pl.col("known_at").min()) for t in TABLES}
    links = [
        ("invoice", "customer_id", "customer", "customer_id"),
        ("customer", "parent_id", "customer", "customer_id"),
        ("payment", "customer_id", "customer", "customer_id"),
        ("credit_note", "invoice_id", "invoice", "invoice_id"),
        ("allocation", "invoice_id", "invoice", "invoice_id"),
    ]
    for table, column, other, key in links:
        rows = facts.tables[table].drop_nulls(column)
        found = rows.join(first[other], left_on=["entity_id", column], right_on=["entity_id", key], how="left")
        assert found["since"].null_count() == 0, (table, column)
        assert (found["since"] < found["known_at"]).all(), (table, column)
    allocated = facts.tables["allocation"].filter(~pl.col("deleted"))
    for kind, key in (("payment", "payment_id"), ("credit_note", "credit_note_id")):
        rows = allocated.filter(pl.col("kind") == kind)
        found = rows.join(first[kind], left_on=["entity_id", "from_id"], right_on=["entity_id", key], how="left")
        assert (found["since"] < found["known_at"]).all(), kind


@each_world
def test_money_moves_on_business_days_of_the_payer(worlds: dict[int, World], seed: int) -> None:
    facts = Facts.of(worlds[seed].facts)
    payers = facts.latest("customer").select("entity_id", "customer_id", "country")
    paid = facts.latest("payment").join(payers, on=["entity_id", "customer_id"])
    for (country,), rows in paid.group_by("country"):
        calendar = business_calendar(str(country), 2022, 2030)
        assert np.is_busday(rows["value_date"].to_numpy().astype("datetime64[D]"), busdaycal=calendar).all(), country


@each_world
def test_the_bank_is_heard_within_days(worlds: dict[int, World], seed: int) -> None:
    world = worlds[seed]
    faulty = world.truth.feed_faults["entity_id"]
    first = world.facts["payment"].sort("known_at").unique(["entity_id", "payment_id"], keep="first")
    for entity in world.options.entities:
        if entity.entity_id in faulty:
            continue
        rows = first.filter(pl.col("entity_id") == entity.entity_id)
        known = rows["known_at"].dt.convert_time_zone(entity.time_zone).dt.date()
        calendar = business_calendar(entity.country, 2022, 2030)
        first_day, last_day = (d.to_numpy().astype("datetime64[D]") for d in (rows["value_date"], known))
        lag = np.busday_count(first_day, last_day, busdaycal=calendar)
        assert lag.max() <= 2
        assert 0.5 < (lag == 1).mean() < 0.95


@each_world
def test_corrections_are_a_few(worlds: dict[int, World], seed: int) -> None:
    facts = worlds[seed].facts
    invoices = facts["invoice"].filter(~pl.col("invoice_id").str.ends_with("-2"))
    corrected = 1 - invoices.n_unique(["entity_id", "invoice_id"]) / len(invoices)
    assert 0.008 < corrected < 0.025
    moved = facts["allocation"]["deleted"].mean()
    assert 0.003 < moved < 0.015
    assert facts["customer"].height > facts["customer"].n_unique(["entity_id", "customer_id"])
    assert facts["payment"]["customer_id"].null_count() > 0


@each_world
def test_an_allocation_that_was_moved_goes_on_somewhere_else(worlds: dict[int, World], seed: int) -> None:
    rows = worlds[seed].facts["allocation"]
    taken_back = rows.filter(pl.col("deleted"))
    active = rows.join(taken_back, on=["entity_id", "allocation_id"], how="anti")
    again = taken_back.join(active, on=["entity_id", "from_id", "amount_minor"], suffix="_new")
    moved = again.filter(
        ((pl.col("invoice_id") != pl.col("invoice_id_new")) | (pl.col("instalment") != pl.col("instalment_new")))
        & (pl.col("known_at_new") > pl.col("known_at"))
        & (pl.col("known_at_new") < pl.col("known_at") + pl.duration(minutes=2))
    )
    assert moved.n_unique(["entity_id", "allocation_id"]) == len(taken_back) > 0


def test_every_shape_of_payment_occurs(worlds: dict[int, World]) -> None:
    facts = Facts.of(worlds[1].facts)
    allocations, payments = facts.latest("allocation"), facts.latest("payment")
    per_payment = (
        allocations.filter(pl.col("kind") == "payment")
        .group_by("entity_id", "from_id")
        .agg(pl.len(), used=pl.coalesce("paid_minor", "amount_minor").sum())
    )
    per_receivable = allocations.group_by(RECEIVABLE).len()
    money = payments.join(
        per_payment, left_on=["entity_id", "payment_id"], right_on=["entity_id", "from_id"], how="left"
    )
    assert (money["len"] > 1).any(), "bulk payments"
    assert (per_receivable["len"] > 1).any(), "part payments"
    assert (money["amount_minor"] > money["used"]).any(), "overpayments"
    assert (money["amount_minor"] < 0).any(), "refunds"
    assert allocations["paid_minor"].count() > 0, "payments in another currency"
    assert set(allocations["kind"]) == {"payment", "credit_note", "write_off"}
    assert facts.latest("invoice").filter(pl.col("instalments").list.len() > 1).height > 0
    owners = facts.latest("invoice").select("entity_id", "invoice_id", owner="customer_id")
    paid = allocations.filter(pl.col("kind") == "payment").join(owners, on=["entity_id", "invoice_id"])
    by = paid.join(payments, left_on=["entity_id", "from_id"], right_on=["entity_id", "payment_id"])
    assert (by["owner"] != by["customer_id"]).any(), "a parent pays for a child"


def test_money_in_another_currency_is_converted_at_the_rate_of_the_day(worlds: dict[int, World]) -> None:
    facts = Facts.of(worlds[1].facts)
    rates = facts.latest("fx_rate").select("entity_id", "rate", date="day", pays="currency").sort("date")
    payments = facts.latest("payment").select("entity_id", from_id="payment_id", pays="currency")
    rows = facts.latest("allocation").drop_nulls("paid_minor").join(payments, on=["entity_id", "from_id"]).sort("date")
    assert rows.height > 0
    priced = rows.join_asof(rates, on="date", by=["entity_id", "pays"], check_sortedness=False)
    exact = priced["amount_minor"] / priced["rate"].cast(pl.Float64)
    assert (exact - priced["paid_minor"]).abs().max() <= 0.5 + 1e-6


def test_the_same_options_give_the_same_world_and_another_seed_another(worlds: dict[int, World]) -> None:
    again = simulate(WorldOptions(seed=1, customers=80, years=2))
    for table in TABLES:
        assert again.facts[table.name].equals(worlds[1].facts[table.name])
        assert again.records[table.name].equals(worlds[1].records[table.name])
    assert again.truth.receivables.equals(worlds[1].truth.receivables)
    assert not again.facts["invoice"].equals(worlds[2].facts["invoice"])


def test_the_api_sees_nothing_of_the_future(worlds: dict[int, World]) -> None:
    world = worlds[1]
    known, today = world.known(), world.options.today
    starts = {e.entity_id: day_start(today, e.time_zone) for e in world.options.entities}
    assert world.now() == max(starts.values())
    for name, rows in known.items():
        assert (rows["known_at"] < world.now()).all()
        assert name == "entity" or world.facts[name].is_empty() or rows.height < world.facts[name].height
    assert known["invoice"]["issue_date"].max() < today
    assert world.facts["invoice"]["issue_date"].max() > today + timedelta(days=100)


def test_the_size_is_as_asked() -> None:
    world = simulate(WorldOptions(seed=4, customers=200, years=2, invoices_per_customer_year=30))
    issued = world.truth.receivables.filter(pl.col("issue_date") < world.options.today)
    assert issued.n_unique(["entity_id", "invoice_id"]) == pytest.approx(200 * 2 * 30, rel=0.05)
    counts = issued.group_by("entity_id", "customer_id").len()["len"]
    assert counts.max() > 8 * counts.median(), "a few customers have most invoices"
    last_year = world.truth.customers["joined"] > world.options.today - timedelta(days=365)
    assert 0.04 < last_year.mean() < 0.2
