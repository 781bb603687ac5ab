"""Collectors of the sandbox: what they do, what it changes, and that the truth knows both."""

from datetime import timedelta

import polars as pl
import pytest

from features.errors import BadSetting
from features.facts import Facts
from features.ledger import RECEIVABLE
from features.tables import CONTACT, PROMISE
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

SMALL = {"seed": 11, "customers": 60, "years": 2}
KEY = ["entity_id", "contact_id"]


def world_of(**options: object) -> World:
    return simulate(WorldOptions(**SMALL, contacts=ContactOptions(**options)))


@pytest.fixture(scope="module")
def plain() -> World:
    return simulate(WorldOptions(**SMALL))


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(effect="by_type", holdout_share=0.4)


def sooner(world: World) -> pl.DataFrame:
    return world.truth.contacts.with_columns(
        days_sooner=(pl.col("day_without") - pl.col("day_with")).dt.total_days().fill_null(0)
    )


def test_without_collectors_there_are_no_contacts(plain: World) -> None:
    assert all(len(plain.facts[name]) == 0 for name in ("contact", "promise"))
    assert (len(plain.truth.contacts), len(plain.truth.promises)) == (0, 0)


@pytest.mark.parametrize("effect", ["none"])
def test_contacts_without_effect_leave_every_other_table_as_it_was(plain: World, effect: str) -> None:
    world = world_of(effect=effect)
    assert len(world.facts["contact"]) > 100
    for name, rows in plain.facts.items():
        if name not in ("contact", "promise"):
            assert world.facts[name].equals(rows), name


def test_the_same_options_give_the_same_world(world: World) -> None:
    again = world_of(effect="by_type", holdout_share=0.4)
    assert all(again.facts[name].equals(rows) for name, rows in world.facts.items())
    assert again.truth.contacts.equals(world.truth.contacts)


@pytest.mark.parametrize("table", [CONTACT, PROMISE], ids=lambda t: t.name)
def test_contacts_and_promises_keep_their_contracts(world: World, table) -> None:
    rows = world.facts[table.name]
    assert len(rows) > 30
    assert rows.schema == pl.Schema(table.schema)
    for rule in table.rules:
        assert rows.filter(~rule.ok().fill_null(value=True)).is_empty()
    assert not rows.select(table.key).is_duplicated().any()


def test_what_is_held_out_stays_as_it_would_have_been(world: World) -> None:
    """The last contact of a receivable decides: held out, it is paid as without; made, as with."""
    last = world.truth.contacts.sort("day").unique(RECEIVABLE, keep="last", maintain_order=True)
    both = last.join(world.truth.receivables, on=RECEIVABLE).filter((pl.col("way") == "in_full") & ~pl.col("defaulted"))
    meant = pl.when("made").then("day_with").otherwise("day_without")
    assert len(both) > 200
    assert both.filter(meant != pl.col("settled_date")).is_empty()


def test_kinds_of_payers_respond_differently(world: World) -> None:
    by_type = dict(sooner(world).group_by("customer_type").agg(pl.col("days_sooner").mean()).iter_rows())
    assert by_type["stretcher"] > 3
    assert by_type["punctual"] == 0
    assert max(by_type["declining"], by_type["disputing"]) < 1


def test_a_contact_never_delays(world: World) -> None:
    assert sooner(world).filter(pl.col("days_sooner") < 0).is_empty()
    assert world.truth.contacts.filter(
        pl.col("day_with") <= pl.col("day"), pl.col("day_without") > pl.col("day")
    ).is_empty()


def test_those_on_the_list_are_drawn_with_the_stated_chance(world: World) -> None:
    rows = world.facts["contact"]
    assert rows["chance"].unique().to_list() == [0.6]
    assert rows["made"].mean() == pytest.approx(0.6, abs=0.06)


def test_by_risk_the_worst_payers_are_called_most() -> None:
    world = world_of(policy="by_risk", effect="none", randomised_share=0.0)
    rows = world.facts["contact"]
    assert rows["made"].all()
    assert rows["chance"].null_count() == len(rows)
    often = world.truth.contacts.group_by("customer_type").agg(n=pl.col("contact_id").n_unique())
    counts = dict(often.iter_rows())
    assert counts["stretcher"] > 5 * counts.get("punctual", 0)


def test_contacts_of_a_customer_keep_their_distance(world: World) -> None:
    days = world.facts["contact"].sort("entity_id", "customer_id", "day")
    gap = (pl.col("day") - pl.col("day").shift(1)).over("entity_id", "customer_id").dt.total_days()
    assert days.select(gap.min()).item() >= 14, "21 days, less what a week of its own weekdays may take"


def test_promises_are_kept_as_often_as_their_customer_keeps_any(world: World) -> None:
    big = simulate(WorldOptions(seed=11, customers=150, years=2, contacts=ContactOptions(promise_share=1.0)))
    kept = dict(big.truth.promises.group_by("kept_rate").agg(pl.col("kept").mean()).iter_rows())
    assert kept[0.9] > 0.7
    assert kept[0.2] < 0.4
    early = world.truth.promises.filter(pl.col("promised_for") < pl.col("made_on"))
    assert early.is_empty()


def test_a_promise_names_an_invoice_of_its_customer(world: World) -> None:
    facts = Facts.of(world.facts)
    named = facts.latest("promise").drop_nulls("invoice_id")
    owners = facts.latest("invoice").select("entity_id", "invoice_id", owner="customer_id")
    both = named.join(owners, on=["entity_id", "invoice_id"], how="left")
    assert both.filter(pl.col("owner").ne_missing(pl.col("customer_id"))).is_empty()


def test_promises_are_learnt_after_their_contact(world: World) -> None:
    said = world.facts["promise"].select("entity_id", "customer_id", day="made_on", told="known_at")
    made = world.facts["contact"].select("entity_id", "customer_id", "day", "known_at", "made")
    both = said.join(made, on=["entity_id", "customer_id", "day"], how="left")
    assert both.filter(~(pl.col("told") > pl.col("known_at")) | ~pl.col("made")).is_empty()
    assert timedelta(0) < (both["told"] - both["known_at"]).max() < timedelta(hours=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "whim"}, "policy is 'whim'; allowed: randomised, by_risk"),
        ({"effect": "huge"}, "effect is 'huge'; allowed: none, same, by_type"),
        ({"promise_share": 1.1}, "promise_share is 1.1; allowed: 0 to 1"),
        ({"holdout_share": 0.0}, "holdout_share is 0.0; allowed: above 0 and below 1"),
        ({"gap_days": 0}, "gap_days is 0; allowed: 1 or more"),
    ],
)
def test_collectors_that_cannot_be_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        ContactOptions(**options)
