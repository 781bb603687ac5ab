"""A ledger sent along, told as facts; and what is said of one that cannot be."""

from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest

from features.book import Book
from features.money import from_minor
from services.endpoints import INLINE_EXAMPLE
from services.inline import facts_of
from services.problems import InvalidQuestion
from services.schemas import InlineQuestion


def question(**changes) -> InlineQuestion:
    """The example; `changes` are dotted paths with `__`, such as `invoices__0__amount`."""
    content = deepcopy(INLINE_EXAMPLE)
    for path, value in changes.items():
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("__"))
        target = content
        for step in steps:
            target = target[step]
        target[last] = value
    return msgspec.convert(content, InlineQuestion)


def violations(asked: InlineQuestion) -> list[tuple[str, str | None, str]]:
    with pytest.raises(InvalidQuestion) as raised:
        facts_of(asked)
    return [(f"{v.where}.{v.field}", v.value, v.allowed) for v in raised.value.violations]


def test_invoices_payments_and_customers_become_facts_known_from_the_start_of_their_day():
    facts = facts_of(question())
    invoices = facts.latest("invoice")
    assert invoices["invoice_id"].to_list() == ["INV-1001", "INV-1002", "INV-1003"]
    assert invoices["amount_minor"].to_list() == [120_000, 83_050, 99_000]
    assert facts.spans("invoice")["known_from"][0] == datetime(2023, 11, 5, 23, tzinfo=UTC)  # midnight in Berlin
    paid = facts.latest("allocation")
    assert [from_minor(m, "EUR") for m in paid["amount_minor"]] == [
        Decimal("1200.00"),
        Decimal("400.00"),
        Decimal("430.50"),
    ]
    assert facts.latest("payment")["value_date"].to_list() == [date(2023, 12, 14), date(2024, 1, 9), date(2024, 1, 16)]
    assert facts.latest("customer").select("customer_id", "country", "segment").rows() == [("C-17", "FR", None)]
    assert facts.latest("entity").select("entity_id", "country", "currency", "time_zone").rows() == [
        ("inline", "DE", "EUR", "Europe/Berlin")
    ]


def test_only_what_is_not_paid_by_then_is_open():
    book = Book(facts_of(question()))
    as_of = book.day_start(date(2024, 1, 10), "inline")
    assert book.open_receivables(as_of)["invoice_id"].to_list() == ["INV-1002"]
    assert book.open_receivables(book.day_start(date(2024, 3, 1), "inline"))["invoice_id"].to_list() == ["INV-1003"]


def test_customers_need_not_be_described_and_may_have_numbers():
    asked = question(
        customers=[{"customer_id": "C-18", "attributes": [{"name": "revenue", "day": "2024-01-01", "value": 7}]}]
    )
    facts = facts_of(asked)
    assert sorted(facts.latest("customer")["customer_id"]) == ["C-17", "C-18"]
    assert facts.latest("customer_attribute").select("customer_id", "name", "value").rows() == [
        ("C-18", "revenue", 7.0)
    ]


@pytest.mark.parametrize(
    ("changes", "path", "value", "allowed"),
    [
        ({"invoices__1__currency": "EUX"}, "$.invoices[1].currency", "EUX", "ISO 4217"),
        ({"invoices__1__amount": "1.005"}, "$.invoices[1].amount", "1.005", "at most 2 decimals"),
        (
            {"invoices__0__payments__0__amount": "0.001"},
            "$.invoices[0].payments[0].amount",
            "0.001",
            "at most 2 decimals",
        ),
        (
            {"invoices__0__due_date": "2023-11-05"},
            "$.invoices[0].due_date",
            "2023-11-05",
            "on or after the issue_date, 2023-11-06",
        ),
        (
            {"invoices__0__payments__0__date": "2023-11-05"},
            "$.invoices[0].payments[0].date",
            "2023-11-05",
            "on or after the issue_date, 2023-11-06",
        ),
        (
            {"invoices__2__invoice_id": "INV-1001"},
            "$.invoices[2].invoice_id",
            "INV-1001",
            "used once; $.invoices[0] has it",
        ),
        ({"entity__time_zone": "Mars/Base"}, "$.entity.time_zone", "Mars/Base", "an IANA name"),
        ({"entity__currency": "EUX"}, "$.entity.currency", "EUX", "ISO 4217"),
        ({"invoices__0__customer_id": " "}, "$.invoices[0].customer_id", " ", "text"),
        ({"as_of": "9999-12-31"}, "$.as_of", "9999-12-31", "from 1970-01-01 to 2199-12-31"),
        ({"invoices__0__issue_date": "0001-01-01"}, "$.invoices[0].issue_date", "0001-01-01", "from 1970-01-01"),
        (
            {"customers": [{"customer_id": "C"}, {"customer_id": "C"}]},
            "$.customers[1].customer_id",
            "C",
            "used once; $.customers[0] has it",
        ),
    ],
)
def test_a_value_that_breaks_its_contract_is_named(changes, path, value, allowed):
    found = violations(question(**changes))
    assert (path, value) in [(p, v) for p, v, _ in found]
    assert all(allowed in words for p, _, words in found if p == path)


def test_every_fault_is_listed_at_once():
    found = violations(
        question(invoices__0__currency="EUX", invoices__1__amount="1.005", invoices__2__due_date="2020-01-01")
    )
    assert [path for path, _, _ in found] == [
        "$.invoices[0].currency",
        "$.invoices[1].amount",
        "$.invoices[2].due_date",
    ]


def test_a_currency_without_decimals_is_exact():
    asked = question(invoices=[INLINE_EXAMPLE["invoices"][2] | {"amount": "990", "currency": "JPY"}])
    assert facts_of(asked).latest("invoice")["amount_minor"].to_list() == [990]
