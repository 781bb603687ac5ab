"""When a won order's figures agree, and what is said where they do not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from features.errors import BadInput
from features.tables import ORDER
from pipelines.fields import fields_of
from pipelines.orders import OrderLine, WonOrder, faults_of, line_net, line_tax, order_record, rounded

D = Decimal


def line(price: str, quantity: str = "1", rate: str | None = None) -> OrderLine:
    return OrderLine("SKU", "thing", D(quantity), D(price), None if rate is None else D(rate))


def order(*lines: OrderLine, net: str, tax: str | None = None, total: str | None = None, **keys) -> WonOrder:
    return WonOrder(
        order_id="o1",
        entity_id="DE01",
        customer_id="c1",
        customer_name="Customer",
        currency=keys.pop("currency", "EUR"),
        order_date=date(2026, 1, 5),
        lines=lines,
        net=D(net),
        tax=None if tax is None else D(tax),
        total=D(total or net),
        reference=None,
        changed_at=datetime(2026, 1, 5, tzinfo=UTC),
        place="deal 1",
    )


def told(one: WonOrder) -> list[tuple[str, str | None]]:
    return [(fault.field, fault.value) for fault in faults_of(one)]


@pytest.mark.parametrize(
    "good",
    [
        order(line("10.00", "3", "0.19"), net="30.00", tax="5.70", total="35.70"),
        order(line("10.00"), line("0.335", "3"), net="11.00"),  # 1.005 is 1.00, half to even
        order(line("0.125", "1000"), net="125.00"),  # fractions of a cent in a price, none in the total
        order(line("1.5"), net="2", currency="JPY"),
        order(line("1.2345"), net="1.234", currency="KWD"),
        order(line("0.00"), net="0.00"),
        order(line("10.00", rate=None), line("5.00", rate="0.19"), net="15.00", tax="0.95", total="15.95"),
    ],
)
def test_figures_that_agree(good) -> None:
    assert faults_of(good) == []


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (order(net="0.00"), [("lines", None)]),
        (order(line("10.00"), net="10.01"), [("net", "10.01")]),
        (order(line("10.00", "0"), net="0.00"), [("quantity", "0")]),
        (order(line("10.00", "-1"), net="-10.00"), [("quantity", "-1")]),
        (order(line("12.00"), line("-2.00"), net="10.00"), [("unit_price", "-2.00")]),
        (order(line("10.00", rate="19"), net="10.00"), [("tax_rate", "19")]),
        (order(line("10.00"), net="10.00", total="10.01"), [("total", "10.01")]),
        (order(line("10.00"), net="10.00", tax="1.90", total="10.00"), [("total", "10.00")]),
        (order(line("10.00", rate="0.19"), net="10.00", tax="1.91", total="11.91"), [("tax", "1.91")]),
        (order(line("3.335"), net="3.335"), [("net", "3.335"), ("total", "3.335"), ("net", "3.335")]),
        (order(line("10.00"), net="10.00", tax="0.001", total="10.001"), [("tax", "0.001"), ("total", "10.001")]),
        (order(line("1.00"), net="1.00", currency="XYZ"), [("currency", "XYZ")]),
        (order(line("1.00"), net="1.00", currency="eur"), [("currency", "eur")]),
        (order(line("NaN"), net="1.00"), [("unit_price of line 1", "NaN")]),
        (order(line("1.00"), net="Infinity"), [("net", "Infinity"), ("total", "Infinity")]),
    ],
)
def test_figures_that_do_not_agree_are_named(bad, expected) -> None:
    assert told(bad) == expected
    assert all(fault.where.startswith("deal 1") and fault.allowed for fault in faults_of(bad))


def test_tax_may_be_rounded_by_line_or_by_rate() -> None:
    lines = [line("0.13", rate="0.19")] * 3  # 0.0247 each: by line 0.02 x 3, by rate 0.39 x 0.19 = 0.0741
    for tax, total in (("0.06", "0.45"), ("0.07", "0.46")):
        assert faults_of(order(*lines, net="0.39", tax=tax, total=total)) == []
    assert told(order(*lines, net="0.39", tax="0.08", total="0.47")) == [("tax", "0.08")]


def test_rounding_is_half_to_even_whatever_the_size() -> None:
    assert [rounded(D(text), "EUR") for text in ("0.005", "0.015", "-0.025")] == [D("0.00"), D("0.02"), D("-0.02")]
    huge = line("999999999999.999999999999", "999999999999")
    assert line_net(huge, "EUR") == D("999999999998999999999999.00")
    assert line_tax(line("10.00"), "EUR") == 0
    with pytest.raises(BadInput, match="unknown currency"):
        rounded(D(1), "XYZ")


def test_the_record_is_one_of_the_order_table() -> None:
    one = replace(
        order(line("10.00"), net="10.00"), changed_at=datetime(2026, 1, 5, 1, tzinfo=timezone(timedelta(hours=1)))
    )
    record = order_record(one)
    assert record["changed_at"] == "2026-01-05T00:00:00.000000+00:00"
    assert (record["id"], record["company"], record["amount"], record["status"]) == ("o1", "DE01", "10.00", "open")
    assert set(fields_of(ORDER.name)) - {"order_id"} == set(record) - {"id", "company", "changed_at"}
