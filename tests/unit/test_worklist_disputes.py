"""What is disputed is not asked for, the rest of it is; and the row says what was left out and why."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

import pytest

from features.book import Book
from features.facts import Facts
from models.worklist.asks import asks
from models.worklist.experiment import contact_rows, experiment
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import Worklist, worklist

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]

INVOICE = "invoice_id | customer_id | issue_date | owed | currency\nI | A | 1 | 10:2052666 | EUR"
DISPUTE = "dispute_id | customer_id | invoice_id | opened_on | amount_minor | currency | reason | status | known_at\n"
PROMISE = "promise_id | customer_id | invoice_id | made_on | promised_for | amount_minor\n"
RATE = "fx_rate_id | currency | to_currency | day | rate | known_at\n R | USD | EUR | 1 | 0.5 | 1"
PLAIN = WorklistSettings(holdout_share=0.0)


def listed(drawn_facts: Draw, as_of: datetime, disputes: str, invoice: str = INVOICE, **tables: str) -> Worklist:
    book = Book(drawn_facts(invoice=invoice, dispute=DISPUTE + disputes, **tables))
    return worklist(book, as_of, None, None, PLAIN)


def test_the_undisputed_part_of_an_invoice_is_asked_for_and_the_rest_is_told(
    drawn_facts: Draw, instant: Instant
) -> None:
    made = listed(drawn_facts, instant("30"), "D | A | I | 12 | 722761 | EUR | pricing | open | 12")
    (row,) = made.rows
    assert (row.amount, made.held) == (Decimal("13299.05"), ())
    assert row.do == "call about I (13,299.05 EUR, 20 days past due)"
    assert row.left_out == ("7,227.61 EUR of I disputed since 2024-01-12 (pricing): not asked for",)


WHOLE = "the invoice as a whole is held"
REST = {
    "two disputes add up": (
        "D | A | I | 12 | 722761 | EUR | - | open | 12\nC | A | I | 14 | 100000 | EUR | - | open | 14",
        "12299.05",
        "8,227.61 EUR of I disputed since 2024-01-14 (no reason given); disputed since 2024-01-12 (no reason given): "
        "not asked for",
    ),
    "never below zero": ("D | A | I | 12 | 9999999 | EUR | - | open | 12", None, WHOLE),
    "all of it": ("D | A | I | 12 | 2052666 | EUR | - | open | 12", None, WHOLE),
    "no amount": ("D | A | I | 12 | - | EUR | - | open | 12", None, WHOLE),
    "no amount beside a known one": (
        "D | A | I | 12 | 100 | EUR | - | open | 12\nC | A | I | 14 | - | EUR | - | open | 14",
        None,
        WHOLE,
    ),
    "an amount of another currency": ("D | A | I | 12 | 722761 | USD | - | open | 12", None, WHOLE),
    "an amount of nothing": ("D | A | I | 12 | 0 | EUR | - | open | 12", None, WHOLE),
    "of the account": (
        "D | A | - | 12 | 722761 | EUR | - | open | 12",
        "13299.05",
        "7,227.61 EUR of the account, the oldest first, disputed since 2024-01-12 (no reason given): not asked for",
    ),
    "of the account in another currency": ("D | A | - | 12 | 722761 | USD | - | open | 12", "20526.66", None),
}


@pytest.mark.parametrize("name", REST)
def test_what_is_left_of_a_dispute_is_never_more_than_is_known(drawn_facts: Draw, instant: Instant, name: str) -> None:
    disputes, left, words = REST[name]
    made = listed(drawn_facts, instant("30"), disputes)
    if left is None:
        assert (made.rows, {h.hold for row in made.held for h in row.holds}) == ((), {"disputed"})
        return
    (row,) = made.rows
    assert (row.amount, row.left_out) == (Decimal(left), (words,) if words else ())


def test_the_oldest_instalment_is_disputed_first(drawn_facts: Draw, instant: Instant) -> None:
    invoice = INVOICE.replace("10:2052666", "10:6000 20:4000")
    made = listed(drawn_facts, instant("30"), "D | A | I | 12 | 7000 | EUR | - | open | 12", invoice)
    assert made.rows[0].do == "call about I (30.00 EUR, 10 days past due)"


def test_cash_covers_only_what_is_not_disputed(drawn_facts: Draw, instant: Instant) -> None:
    tables = {"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 300000"}
    made = listed(drawn_facts, instant("30"), "D | A | I | 12 | 722761 | EUR | - | open | 12", **tables)
    assert made.rows[0].amount == Decimal("10299.05")
    tables = {"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 1329905"}
    made = listed(drawn_facts, instant("30"), "D | A | I | 12 | 722761 | EUR | - | open | 12", **tables)
    told = [(h.hold, h.reason) for row in made.held for h in row.holds]
    assert ("disputed", "disputed since 2024-01-12 (no reason given): I") in told
    assert any(hold == "covered" and "covers the 13,299.05 EUR" in reason for hold, reason in told)


@pytest.mark.parametrize(("promised", "holds"), [(1329905, {"disputed", "promised"}), (1329904, set())])
def test_a_promise_of_the_undisputed_rest_holds(
    drawn_facts: Draw, instant: Instant, promised: int, holds: set[str]
) -> None:
    promise = PROMISE + f"P | A | I | 28 | 33 | {promised}"
    made = listed(drawn_facts, instant("30"), "D | A | I | 12 | 722761 | EUR | - | open | 12", promise=promise)
    assert {h.hold for row in made.held for h in row.holds} == holds


def test_what_is_promised_is_told_on_the_row_of_the_rest(drawn_facts: Draw, instant: Instant) -> None:
    invoice = INVOICE + "\nJ | A | 1 | 12:20000 | EUR"
    dispute = "D | A | I | 12 | 722761 | EUR | - | open | 12"
    promise = PROMISE + "P | A | I | 28 | 33 | 1329905"
    (row,) = listed(drawn_facts, instant("30"), dispute, invoice, promise=promise).rows
    assert row.invoices == ("J",)
    assert row.left_out == (
        "7,227.61 EUR of I disputed since 2024-01-12 (no reason given): not asked for",
        "13,299.05 EUR of I promised for 2024-02-02 on 2024-01-28: not asked for",
    )


def test_what_is_learnt_from_is_the_undisputed_rest_too(drawn_facts: Draw, instant: Instant) -> None:
    """Of 100 open 60 are disputed: the 40 that come within the horizon are all that was asked for."""
    tables = {
        "invoice": "invoice_id | customer_id | issue_date | owed\nI | A | 1 | 10:100\nZ | Z | 1 | 70:10",
        "dispute": DISPUTE + "D | A | I | 12 | 60 | EUR | - | open | 12",
        "contact": "contact_id | customer_id | day | channel | made | chance\n c | A | 20 | call | yes | 0.9",
        "allocation": "allocation_id | invoice_id | date | amount_minor\n1 | I | 25 | 40\nz | Z | 70 | 10",
    }
    book = Book(drawn_facts(**tables))
    assert asks(book, contact_rows(book, instant("80"))).items["asked_minor"].to_list() == [40]
    assert experiment(book, instant("80"), 14)["paid_share"].to_list() == [1.0]


def test_amounts_of_another_currency_are_told_with_the_days_rate(drawn_facts: Draw, instant: Instant) -> None:
    invoice = INVOICE.replace("10:2052666 | EUR", "10:100000 | USD") + "\nJ | B | 1 | 10:100 | EUR"
    rates = RATE + "\n S | USD | EUR | 20 | 0.25 | 20\n T | USD | EUR | 30 | 0.125 | 30"
    book = Book(drawn_facts(invoice=invoice, fx_rate=rates))
    foreign, own = worklist(book, instant("30"), None, None, PLAIN).rows
    assert (foreign.amount, foreign.currency) == (Decimal("250.00"), "EUR")
    assert foreign.converted == ("converted at 1 USD = 0.25 EUR, the rate in force since 2024-01-20",)
    assert own.converted == ()
