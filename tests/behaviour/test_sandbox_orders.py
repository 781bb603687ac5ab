"""Orders, dispute cases and flags of customers tell the same story as the ledger, at every instant."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from features.calendars import business_calendar
from features.facts import Facts
from features.ledger import RECEIVABLE
from services.sandbox.flags import HELD_FOR_DAYS, INSOLVENT, INSOLVENT_DAYS, LEGAL_HOLD
from services.sandbox.options import DEFAULT_ENTITIES, WorldOptions
from services.sandbox.orders import LEAD_MOST_DAYS
from services.sandbox.payers import TYPES
from services.sandbox.world import World, simulate

ORDER = ["entity_id", "order_id"]
CASE = ["entity_id", "dispute_id"]
EVERYBODY = {t.name: t.share for t in TYPES}
WORLDS = {
    "usual": WorldOptions(seed=1, customers=80, years=2),
    "disputing": WorldOptions(seed=2, customers=30, years=1, mix={"disputing": 1.0}),
    "declining": WorldOptions(seed=3, customers=60, years=3, mix={"declining": 1.0}, future_days=0),
    "both": WorldOptions(
        seed=4, customers=40, years=3, mix={"declining": 1, "disputing": 1}, entities=DEFAULT_ENTITIES[1:]
    ),
}
each_world = pytest.mark.parametrize("name", WORLDS)


@pytest.fixture(scope="module")
def worlds() -> dict[str, World]:
    return {name: simulate(options) for name, options in WORLDS.items()}


def invoices(world: World) -> pl.DataFrame:
    """As they stand in the end, without what was booked twice."""
    return Facts.of(world.facts).latest("invoice")


def first_known(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return rows.group_by(keys).agg(since=pl.col("known_at").min())


def ends(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The last version of everything that has an end."""
    return rows.filter(pl.col("status") != "open").join(first_known(rows, *keys), on=keys)


@each_world
def test_an_order_is_open_first_and_ends_once(worlds: dict[str, World], name: str) -> None:
    told = worlds[name].facts["order"].sort("known_at").group_by(ORDER).agg("status", "known_at", "order_date")
    ways = set(told["status"].list.join(" "))
    assert {"open billed", "open"} <= ways <= {"open", "open billed", "open cancelled"}
    assert told.filter(pl.col("known_at").list.n_unique() != pl.col("status").list.len()).is_empty()
    assert (told["order_date"].list.n_unique() == 1).all()


@each_world
def test_sums_customers_and_currencies_tie_with_the_invoices(worlds: dict[str, World], name: str) -> None:
    world = worlds[name]
    orders = world.facts["order"].sort("known_at").unique(ORDER, keep="last")
    billed = (
        invoices(world)
        .drop_nulls("order_id")
        .group_by(*ORDER, "customer_id", "currency")
        .agg(pl.len(), pl.col("amount_minor").sum(), first=pl.col("issue_date").min())
    )
    both = orders.filter(pl.col("status") == "billed").join(billed, on=ORDER, how="full", suffix="_invoices")
    for column in ("customer_id", "currency", "amount_minor"):
        assert both.filter(pl.col(column).ne_missing(pl.col(f"{column}_invoices"))).is_empty(), column
    lead_days = (both["first"] - both["order_date"]).dt.total_days()
    assert lead_days.min() >= 1
    assert lead_days.max() <= LEAD_MOST_DAYS + 5, "but for the days off before"
    assert 0.05 < (both["len"] == 2).mean() < 0.15
    assert set(both["len"]) == {1, 2}
    without_order = invoices(world)["order_id"].null_count() / invoices(world).height
    assert without_order == pytest.approx(0.15, abs=0.03)


@each_world
def test_an_order_is_billed_at_the_instant_its_last_invoice_is_known(worlds: dict[str, World], name: str) -> None:
    facts = worlds[name].facts
    booked = first_known(facts["invoice"].drop_nulls("order_id"), *ORDER, "invoice_id")
    originals = booked.filter(~pl.col("invoice_id").str.ends_with("-2"))
    known = originals.group_by(ORDER).agg(first=pl.col("since").min(), last=pl.col("since").max())
    billed = ends(facts["order"], ORDER).filter(pl.col("status") == "billed").join(known, on=ORDER)
    assert billed.height == known.height
    assert (billed["known_at"] == billed["last"]).all()
    assert (billed["since"] < billed["first"]).all()


def test_a_few_further_orders_are_cancelled_and_never_billed(worlds: dict[str, World]) -> None:
    world = worlds["usual"]
    gone = world.facts["order"].filter(pl.col("status") == "cancelled")
    count = world.facts["order"].n_unique(ORDER)
    assert gone.height / count == pytest.approx(0.03, abs=0.01)
    assert gone.join(invoices(world), on=ORDER).is_empty()
    wait_days = (gone["known_at"].dt.date() - gone["order_date"]).dt.total_days()
    assert wait_days.min() >= 1
    assert wait_days.max() <= 40


@pytest.mark.parametrize("ahead_days", [-400, 0, 60, 118])
def test_every_day_has_a_book_of_orders_not_billed_yet(worlds: dict[str, World], ahead_days: int) -> None:
    world = worlds["usual"]
    today = world.options.today + timedelta(days=ahead_days)
    orders = Facts.of(world.known(today)).latest("order").filter(pl.col("status") == "open")
    month = invoices(world).filter(pl.col("issue_date").is_between(today - timedelta(days=31), today))
    assert 0.15 < orders.height / month.height < 0.8
    assert orders["order_date"].min() > today - timedelta(days=80)


def test_a_world_that_ends_today_still_has_a_book_of_orders() -> None:
    world = simulate(WorldOptions(seed=5, customers=60, years=1, future_days=0))
    orders = Facts.of(world.known()).latest("order").filter(pl.col("status") == "open")
    month = invoices(world).filter(pl.col("issue_date") > world.options.today - timedelta(days=31))
    assert 0.15 < orders.height / month.height < 0.8


@each_world
def test_nothing_of_it_is_learnt_before_it_happened(worlds: dict[str, World], name: str) -> None:
    world = worlds[name]
    for entity in world.options.entities:
        for table, days in {"order": ["order_date"], "dispute": ["opened_on", "closed_on"]}.items():
            rows = world.facts[table].filter(pl.col("entity_id") == entity.entity_id)
            local = rows["known_at"].dt.convert_time_zone(entity.time_zone).dt.date()
            for day in days:
                assert (local >= rows[day]).all(), (table, day)


@each_world
def test_customers_are_known_before_their_orders_and_invoices_before_their_cases(
    worlds: dict[str, World], name: str
) -> None:
    facts = worlds[name].facts
    for table, other, key in [("order", "customer", "customer_id"), ("dispute", "invoice", "invoice_id")]:
        found = facts[table].join(first_known(facts[other], "entity_id", key), on=["entity_id", key], how="left")
        assert found["since"].null_count() == 0
        assert (found["since"] < found["known_at"]).all(), table


@each_world
def test_a_case_is_open_first_and_closes_later(worlds: dict[str, World], name: str) -> None:
    told = worlds[name].facts["dispute"].sort("known_at").group_by(CASE).agg(pl.exclude("source", "digest"))
    assert set(told["status"].list.join(" ")) <= {"open accepted", "open rejected"}
    assert (told["known_at"].list.get(1) > told["known_at"].list.get(0)).all()
    assert told["closed_on"].list.get(0).null_count() == told["closed_on"].list.get(1).count() == told.height
    assert told.height > 0


@each_world
def test_closed_cases_tie_with_allocations(worlds: dict[str, World], name: str) -> None:
    """Each is one allocation of its invoice: its amount, its kind, its day, known just before."""
    world = worlds[name]
    kinds = {"accepted": ["credit_note", "write_off"], "rejected": ["payment"]}
    moved = world.facts["allocation"].filter(pl.col("deleted")).select("entity_id", "allocation_id")
    settled = world.facts["allocation"].join(moved, on=["entity_id", "allocation_id"], how="anti")
    settled = settled.with_columns(allocated_at="known_at").drop("known_at", "source", "digest", "deleted")
    cases = ends(world.facts["dispute"], CASE)
    for status, kind in kinds.items():
        closed = cases.filter(pl.col("status") == status)
        steps = settled.filter(pl.col("kind").is_in(kind))
        tied = closed.join(steps, on=["entity_id", "invoice_id", "currency", "amount_minor"], suffix="_step").filter(
            (pl.col("known_at") > pl.col("allocated_at"))
            & (pl.col("known_at") < pl.col("allocated_at") + pl.duration(minutes=25))
            & (pl.col("closed_on") >= pl.col("date"))
            & (pl.col("opened_on") <= pl.col("closed_on"))
        )
        assert tied.n_unique(CASE) == closed.height, status


@each_world
def test_every_disputed_or_returned_receivable_has_a_case_and_no_other(worlds: dict[str, World], name: str) -> None:
    world = worlds[name]
    cases = world.facts["dispute"].filter(pl.col("status") == "open").group_by("entity_id", "invoice_id").len("cases")
    true = world.truth.receivables.filter(pl.col("way").is_in(["disputed", "returned"]))
    expected = true.group_by("entity_id", "invoice_id").agg(pl.len(), defaulted=pl.col("defaulted").any())
    both = expected.join(cases, on=["entity_id", "invoice_id"], how="full", coalesce=True)
    assert both["len"].null_count() == 0
    assert both.filter(~pl.col("defaulted") & pl.col("len").ne_missing(pl.col("cases"))).is_empty()
    assert (both["cases"].fill_null(0) <= both["len"]).all()


def test_cases_open_around_due_and_take_weeks(worlds: dict[str, World]) -> None:
    world = worlds["disputing"]
    disputed = world.truth.receivables.filter(pl.col("way") == "disputed").select(*RECEIVABLE, "due_date")
    cases = ends(world.facts["dispute"], CASE).join(disputed, on=["entity_id", "invoice_id"])
    after_due = (cases["opened_on"] - cases["due_date"]).dt.total_days()
    assert after_due.is_between(-15, 45).mean() > 0.9
    length = (cases["closed_on"] - cases["opened_on"]).dt.total_days()
    assert 30 < length.median() < 75


def test_a_credit_note_has_the_reason_of_its_case(worlds: dict[str, World]) -> None:
    facts = Facts.of(worlds["disputing"].facts)
    notes = facts.latest("credit_note").with_columns(amount_minor=-pl.col("amount_minor"))
    cases = facts.latest("dispute").filter(pl.len().over("entity_id", "invoice_id") == 1)
    tied = cases.join(notes, on=["entity_id", "invoice_id", "amount_minor"], suffix="_note")
    assert tied.height > 50
    assert (tied["reason"] == tied["reason_note"]).all()


def flags(world: World, name: str) -> pl.DataFrame:
    return world.facts["customer_attribute"].filter(pl.col("name") == name)


def test_part_of_those_who_default_turn_out_to_be_insolvent(worlds: dict[str, World]) -> None:
    world = worlds["declining"]
    customer = ["entity_id", "customer_id"]
    default = world.truth.customers.select(*customer, "default_on").filter(
        pl.col("default_on") < world.options.today - timedelta(days=INSOLVENT_DAYS[1] + 5)
    )
    insolvent = flags(world, INSOLVENT)
    seen = default.join(insolvent, on=customer)
    assert seen.height / default.height == pytest.approx(0.4, abs=0.12)
    assert insolvent.join(world.truth.customers.drop_nulls("default_on"), on=customer).height == insolvent.height > 0
    assert (insolvent["value"] == 1.0).all()
    wait_days = (seen["day"] - seen["default_on"]).dt.total_days()
    assert wait_days.min() >= INSOLVENT_DAYS[0]
    assert wait_days.max() <= INSOLVENT_DAYS[1] + 4
    assert flags(world, LEGAL_HOLD).join(insolvent, on=customer).height > 0


def test_a_few_others_are_held_for_a_while() -> None:
    world = simulate(WorldOptions(seed=6, customers=400, years=2, invoices_per_customer_year=2.0))
    never = world.truth.customers.filter(pl.col("default_on").is_null()).select("entity_id", "customer_id")
    held = flags(world, LEGAL_HOLD).join(never, on=["entity_id", "customer_id"]).sort("day")
    spells = held.group_by("entity_id", "customer_id").agg("value", "day")
    assert 4 <= spells.height <= 12
    assert all(values in ([1.0, 0.0], [1.0]) for values in spells["value"].to_list())
    days = spells.filter(pl.col("day").list.len() == 2).select(pl.col("day").list.diff().list.get(1).dt.total_days())
    assert days.to_series().is_between(HELD_FOR_DAYS[0], HELD_FOR_DAYS[1] + 5).all()


def test_orders_come_on_working_days(worlds: dict[str, World]) -> None:
    orders = worlds["usual"].facts["order"].filter(pl.col("entity_id") == "DE01")
    calendar = business_calendar("DE", 2022, 2030)
    open_ = np.is_busday(orders["order_date"].to_numpy().astype("datetime64[D]"), busdaycal=calendar)
    assert open_.mean() > 0.99, "but for customers set up the day before"


@each_world
def test_the_same_options_give_the_same_bytes(worlds: dict[str, World], name: str) -> None:
    again = simulate(WORLDS[name])
    for table in ("order", "dispute", "customer_attribute", "invoice"):
        assert again.facts[table].equals(worlds[name].facts[table])
        assert again.records[table].equals(worlds[name].records[table])


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 1, 5)])
def test_a_world_with_hardly_an_invoice_can_be(today: date) -> None:
    world = simulate(WorldOptions(customers=1, years=1, invoices_per_customer_year=0.01, today=today))
    for table in ("order", "dispute"):
        assert world.facts[table].height <= 4
