"""The API's records, derived from the declared tables."""

import json
from datetime import UTC, date, datetime
from hashlib import sha256

import polars as pl
import pytest

from features.tables import CUSTOMER, INVOICE, TABLES, Kind
from services.sandbox.options import WorldOptions
from services.sandbox.records import major_units, own_columns, record_field, records
from services.sandbox.world import World, simulate


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(WorldOptions(seed=5, customers=25, years=1))


@pytest.mark.parametrize(
    ("minor", "digits", "text"),
    [
        (-123450, 2, "-1234.50"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (0, 2, "0.00"),
        (1200, 0, "1200"),
        (-7, 0, "-7"),
        (1234, 3, "1.234"),
        (9007199254740993, 2, "90071992547409.93"),
    ],
)
def test_major_units_are_exact(minor: int, digits: int, text: str) -> None:
    frame = pl.DataFrame({"minor": [minor]}, schema={"minor": pl.Int64})
    assert frame.select(major_units(pl.col("minor"), digits)).item() == text


def test_an_amount_that_is_not_there_stays_null() -> None:
    frame = pl.DataFrame({"a": [None, 1]}, schema={"a": pl.Int64})
    assert frame.select(major_units(pl.col("a"), 2)).to_series().to_list() == [None, "0.01"]


def test_an_invoice_in_a_currency_without_decimals() -> None:
    row = {
        "entity_id": "US01",
        "deleted": False,
        "changed_at": datetime(2025, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
        "invoice_id": "INV-1",
        "customer_id": "C1",
        "issue_date": date(2025, 3, 4),
        "currency": "JPY",
        "amount_minor": 1500,
        "instalments": [{"number": 1, "due_date": date(2025, 4, 3), "amount_minor": 1500}],
        "order_id": None,
        "_books": "USD",
    }
    schema = {c.name: c.kind.dtype for c in INVOICE.own_columns} | {"changed_at": pl.Datetime("us", "UTC")}
    [text] = records(INVOICE, pl.DataFrame([row], schema_overrides=schema))
    assert json.loads(text) == {
        "id": "INV-1",
        "company": "US01",
        "changed_at": "2025-03-04T05:06:07.000089Z",
        "deleted": False,
        "invoice_id": "INV-1",
        "customer_id": "C1",
        "issue_date": "2025-03-04",
        "currency": "JPY",
        "amount": "1500",
        "instalments": [{"number": 1, "due_date": "2025-04-03", "amount": "1500"}],
        "order_id": None,
    }


def test_every_record_has_the_declared_fields_and_no_others(world: World) -> None:
    head = {"id", "company", "changed_at", "deleted"}
    for table in TABLES:
        expected = head | {record_field(c) for c in own_columns(table)}
        for text in world.records[table.name]["record"].head(20):
            assert set(json.loads(text)) == expected, table.name


def test_digests_are_of_the_sorted_json(world: World) -> None:
    for table in TABLES:
        rows, texts = world.facts[table.name], world.records[table.name]["record"]
        for digest, text in zip(rows["digest"], texts, strict=True):
            again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert sha256(again.encode()).hexdigest() == digest


def test_instants_are_rounded_up_to_the_millisecond(world: World) -> None:
    for table in TABLES:
        early = (
            world.facts[table.name]["known_at"].cast(pl.Datetime("us", "UTC")) - world.records[table.name]["changed_at"]
        )
        microseconds = early.dt.total_microseconds()
        assert microseconds.is_between(0, 999).all()


def test_a_credit_limit_is_in_the_books_currency(world: World) -> None:
    texts, limits = world.records["customer"]["record"], world.facts["customer"]["credit_limit_minor"]
    assert [json.loads(t)["credit_limit"] for t in texts] == [f"{limit // 100}.{limit % 100:02}" for limit in limits]
    assert [record_field(c) for c in own_columns(CUSTOMER) if c.kind is Kind.MONEY] == ["credit_limit"]
