"""Holds with their reasons, the value of a contact, and the effect learnt from drawn contacts."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.customers import DefaultRule
from features.errors import BadInput, BadSetting, StateError
from features.facts import Facts
from models.worklist import not_listed
from models.worklist.asks import asks
from models.worklist.candidates import candidates
from models.worklist.effect import ContactEffect, lacking
from models.worklist.effect_features import EFFECT_FEATURES
from models.worklist.entities import EntityList
from models.worklist.estimation import fit_effect
from models.worklist.experiment import contact_rows, experiment
from models.worklist.not_listed import Asked
from models.worklist.plain import customer_codes, ipw_estimate, strata
from models.worklist.ranking import left_out
from models.worklist.ridge import ridge
from models.worklist.settings import WorklistSettings
from models.worklist.value import value_at_risk, value_of_contact
from models.worklist.words import changes
from models.worklist.worklist import Worklist, merged, worklist
from pipelines.worklist_screen import heading

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]

INVOICE = """
invoice_id | customer_id | issue_date | owed
I          | A           | 1          | 10:100000
"""
PLAIN = WorklistSettings(holdout_share=0.0)


def listed(drawn_facts: Draw, as_of: datetime, settings: WorklistSettings = PLAIN, **tables: str) -> Worklist:
    """The list of a drawn ledger, without any model."""
    book = Book(drawn_facts(**({"invoice": INVOICE} | tables)))
    return worklist(book, as_of, None, None, settings)


def held(made: Worklist) -> list[tuple[str, str, str]]:
    return [(h.hold, h.reason, h.released_by) for row in made.held for h in row.holds]


# --- who is on it -------------------------------------------------------------------------------------------------


def test_what_is_past_due_is_listed_with_what_to_do_and_why(drawn_facts: Draw, instant: Instant) -> None:
    made = listed(drawn_facts, instant("30"), customer="customer_id | collector\n A | Kim")
    (row,) = made.rows
    assert (row.rank, row.customer_id, row.collector, row.made, row.chance) == (1, "A", "Kim", True, None)
    assert (row.amount, row.currency, row.invoices) == (Decimal("1000.00"), "EUR", ("I",))
    assert row.do == "call about I (1,000.00 EUR, 20 days past due)"
    assert row.reasons == (
        "1,000.00 EUR on 1 item, 20 days past due",
        "how much of it comes within 14 days anyway is not known",
        "1,000.00 EUR at risk",
        "never contacted before",
    )
    assert made.ranking == "value at risk: no effect was learnt yet"
    assert (made.availability, made.availability_reason) == ("pooled", "no effect was learnt yet")


@pytest.mark.parametrize("at", ["5", "10"])
def test_what_is_not_past_due_is_nobodys_to_chase(drawn_facts: Draw, instant: Instant, at: str) -> None:
    made = listed(drawn_facts, instant(at))
    assert (made.rows, made.held, made.availability) == ((), (), "none")
    assert made.availability_reason == "nobody has anything past due"
    assert made.entities == (
        EntityList("E", made.as_of, made.as_of.date(), "none", made.availability_reason, 0, 0, 0, 0),
    )
    assert heading(made).endswith(f"\nno contact at E on 2024-01-{at:0>2}: nobody has anything past due")


def test_only_credit_notes_give_an_empty_list(drawn_facts: Draw, instant: Instant) -> None:
    note = "credit_note_id | customer_id | issue_date | amount_minor\n C | A | 1 | -500"
    made = worklist(Book(drawn_facts(credit_note=note)), instant("30"), None, None, PLAIN)
    assert (made.rows, made.availability) == ((), "none")


def test_two_currencies_are_weighed_in_the_entitys_own(drawn_facts: Draw, instant: Instant) -> None:
    rates = "fx_rate_id | currency | to_currency | day | rate | known_at\n R | USD | EUR | 1 | 0.5 | 1"
    invoices = INVOICE.replace("| owed", "| owed | currency").replace("10:100000", "10:100000 | USD")
    (row,) = listed(drawn_facts, instant("30"), invoice=invoices, fx_rate=rates).rows
    assert (row.amount, row.currency) == (Decimal("500.00"), "EUR")


def test_an_amount_without_a_rate_is_held_and_not_counted_as_nothing(drawn_facts: Draw, instant: Instant) -> None:
    invoices = INVOICE.replace("| owed", "| owed | currency").replace("10:100000", "10:100000 | USD")
    made = listed(drawn_facts, instant("30"), invoice=invoices)
    assert held(made) == [("no_rate", "no exchange rate for USD is known", "a rate being brought in")]
    assert made.rows == ()


# --- holds --------------------------------------------------------------------------------------------------------

DISPUTE = "dispute_id | customer_id | invoice_id | opened_on | reason | status | closed_on | known_at\n"
PROMISE = "promise_id | customer_id | invoice_id | made_on | promised_for | amount_minor\n"
ATTRIBUTE = "attribute_id | customer_id | name | day | value | known_at\n"
CONTACT = "contact_id | customer_id | day | channel | made | chance\n"

HOLDS = {
    "disputed": (
        {"dispute": DISPUTE + "D | A | I | 12 | damaged_or_defective | open | - | 12"},
        ("disputed since 2024-01-12 (damaged or defective): I", "dispute D being closed"),
    ),
    "disputed as a whole": (
        {"dispute": DISPUTE + "D | A | - | 12 | - | open | - | 12"},
        ("disputed since 2024-01-12 (no reason given): the whole account", "dispute D being closed"),
    ),
    "promised": (
        {"promise": PROMISE + "P | A | I | 28 | 33 | 100000"},
        ("I promised for 2024-02-02 on 2024-01-28", "the promise being kept, or 2024-02-05 when it is broken"),
    ),
    "disputed by the parent": (
        {"dispute": DISPUTE + "D | B | I | 12 | pricing | open | - | 12"},
        ("disputed since 2024-01-12 (pricing): I", "dispute D being closed"),
    ),
    "promised by the parent": (
        {"promise": PROMISE + "P | B | I | 28 | 33 | 100000"},
        ("I promised for 2024-02-02 on 2024-01-28", "the promise being kept, or 2024-02-05 when it is broken"),
    ),
    "covered": (
        {"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 100000"},
        (
            "1,000.00 EUR of its cash and credits are not applied, which covers the 1,000.00 EUR past due",
            "the cash and credits being applied, and something still being past due then",
        ),
    ),
    "legal": (
        {"customer_attribute": ATTRIBUTE + "a | A | legal_hold | 12 | 1 | 12"},
        ("with the lawyers since 2024-01-12", "the attribute legal_hold being set to 0"),
    ),
    "insolvent": (
        {"customer_attribute": ATTRIBUTE + "a | A | insolvent | 12 | 1 | 12"},
        ("insolvent since 2024-01-12", "the attribute insolvent being set to 0; file a claim instead"),
    ),
    "contacted": (
        {"contact": CONTACT + "c | A | 27 | call | yes | -"},
        (
            "contacted on 2024-01-27; allowed: every 7 days, on 3 days of 30",
            "the calendar, on 2024-02-03",
        ),
    ),
    "contacted too often": (
        {"contact": CONTACT + "c | A | 3 | call | yes | -\nd | A | 12 | call | yes | -\ne | A | 20 | call | yes | -"},
        (
            "contacted on 2024-01-20, on 3 days of the last 30; allowed: every 7 days, on 3 days of 30",
            "the calendar, on 2024-02-02",
        ),
    ),
    "contacted too often, the first day twice": (
        {
            "contact": CONTACT
            + "c | A | 3 | call | yes | -\nc2 | A | 3 | email | yes | -\n"
            + "d | A | 12 | call | yes | -\ne | A | 20 | call | yes | -"
        },
        (
            "contacted on 2024-01-20, on 3 days of the last 30; allowed: every 7 days, on 3 days of 30",
            "the calendar, on 2024-02-02",
        ),
    ),
    "covered by a negative invoice": (
        {"invoice": INVOICE + "N | A | 20 | 90:-100000"},
        (
            "1,000.00 EUR of its cash and credits are not applied, which covers the 1,000.00 EUR past due",
            "the cash and credits being applied, and something still being past due then",
        ),
    ),
    "covered by an overpaid invoice": (
        {
            "invoice": INVOICE + "J | A | 1 | 5:50000",
            "payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 150000",
            "allocation": "allocation_id | invoice_id | from_id | date | amount_minor\n a | J | P | 20 | 150000",
        },
        (
            "1,000.00 EUR of its cash and credits are not applied, which covers the 1,000.00 EUR past due",
            "the cash and credits being applied, and something still being past due then",
        ),
    ),
    "covered by all of them together": (
        {
            "invoice": INVOICE + "J | A | 1 | 5:50000\nN | A | 20 | 90:-30000",
            "payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 100000",
            "allocation": "allocation_id | invoice_id | from_id | date | amount_minor\n a | J | P | 20 | 80000",
            "credit_note": "credit_note_id | customer_id | issue_date | amount_minor\n C | A | 20 | -20000",
        },
        (
            "1,000.00 EUR of its cash and credits are not applied, which covers the 1,000.00 EUR past due",
            "the cash and credits being applied, and something still being past due then",
        ),
    ),
    "drawn and made": (
        {"contact": CONTACT + "c | A | 20 | call | yes | 0.9"},
        ("contacted by a draw on 2024-01-20, to learn what a contact is worth", "the calendar, on 2024-02-03"),
    ),
    "drawn and left out": (
        {"contact": CONTACT + "c | A | 20 | - | no | 0.9"},
        ("left out by a draw on 2024-01-20, to learn what a contact is worth", "the calendar, on 2024-02-03"),
    ),
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_hold_says_why_and_what_releases_it(drawn_facts: Draw, instant: Instant, name: str) -> None:
    tables, (reason, released_by) = HOLDS[name]
    made = listed(drawn_facts, instant("30"), **tables)
    hold = name.partition(" ")[0]
    assert held(made) == [(hold, reason, released_by)]
    assert (made.rows, made.availability) == ((), "pooled")


RELEASED = {
    "a dispute that was closed": {"dispute": DISPUTE + "D | A | I | 12 | - | rejected | 20 | 20"},
    "a promise that was broken": {"promise": PROMISE + "P | A | I | 12 | 20 | 100000"},
    "cash for a part": {"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | 99999"},
    "a legal hold that ended": {
        "customer_attribute": ATTRIBUTE + "a | A | legal_hold | 12 | 1 | 12\nb | A | legal_hold | 20 | 0 | 20"
    },
    "cash of another currency": {
        "payment": "payment_id | customer_id | value_date | amount_minor | currency\n P | A | 20 | 100000 | USD"
    },
    "a legal hold that begins tomorrow": {"customer_attribute": ATTRIBUTE + "a | A | legal_hold | 31 | 1 | 12"},
    "a contact long ago": {"contact": CONTACT + "c | A | 12 | call | yes | -"},
    "a draw whose horizon is over": {"contact": CONTACT + "c | A | 16 | - | no | 0.9"},
    "a drawn contact whose horizon is over": {"contact": CONTACT + "c | A | 16 | call | yes | 0.9"},
    "three contacts on one day long ago": {
        "contact": CONTACT + "c | A | 12 | call | yes | -\nd | A | 12 | email | yes | -\ne | A | 12 | call | yes | -"
    },
    "a negative invoice for a part": {"invoice": INVOICE + "N | A | 20 | 90:-99999"},
    "a negative invoice of another currency": {
        "invoice": INVOICE.replace("| owed", "| owed | currency").replace("10:100000", "10:100000 | EUR")
        + "N | A | 20 | 90:-100000 | USD"
    },
    "a negative invoice that was paid out": {
        "invoice": INVOICE + "N | A | 12 | 20:-100000",
        "payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 20 | -100000",
        "allocation": "allocation_id | invoice_id | from_id | date | amount_minor\n a | N | P | 20 | -100000",
    },
    "a negative invoice that is learnt tomorrow": {"invoice": INVOICE + "N | A | 30 | 90:-100000"},
    "what is learnt tomorrow": {"dispute": DISPUTE + "D | A | I | 12 | - | open | - | 30"},
}


@pytest.mark.parametrize("name", RELEASED)
def test_nothing_is_held_by_what_is_over_or_not_known_yet(drawn_facts: Draw, instant: Instant, name: str) -> None:
    made = listed(drawn_facts, instant("30"), **RELEASED[name])
    assert (len(made.rows), made.held) == (1, ())


@pytest.mark.parametrize("order", [("email", "call"), ("call", "email")])
def test_the_last_of_several_contacts_of_a_day_is_the_one_learnt_last(
    drawn_facts: Draw, instant: Instant, order: tuple[str, str]
) -> None:
    first, last = order
    told = CONTACT.replace("chance", "chance | known_at")
    told += f"z | A | 12 | {first} | yes | - | 12.4\na | A | 12 | {last} | yes | - | 12.6"
    (row,) = listed(drawn_facts, instant("30"), contact=told).rows
    assert f"last contact: {last} on 2024-01-12" in row.reasons


def test_of_two_words_on_one_day_the_later_one_holds_or_frees(drawn_facts: Draw, instant: Instant) -> None:
    """As in credit, whatever the records are called."""
    told = ATTRIBUTE + "z | A | insolvent | 12 | {} | 12\na | A | insolvent | 12 | {} | 13"
    for values, holds in (((1, 0), []), ((0, 1), ["insolvent"])):
        attribute = told.format(*values)
        made = listed(drawn_facts, instant("30"), customer_attribute=attribute)
        assert [h for h, _, _ in held(made)] == holds
        book = Book(drawn_facts(invoice=INVOICE, customer_attribute=attribute))
        (cause,) = book.in_default(book.customers_as_of(instant("30")), DefaultRule())["default_cause"]
        assert cause == (holds[0] if holds else None)


def test_a_promise_for_the_account_leaves_the_instalment_that_fell_due_since(
    drawn_facts: Draw, instant: Instant
) -> None:
    invoice = INVOICE.replace("10:100000", "10:60000 29:40000")
    tables = {"invoice": invoice, "promise": PROMISE + "P | A | - | 28 | 33 | 60000"}
    assert [h for h, _, _ in held(listed(drawn_facts, instant("29"), **tables))] == ["promised"]
    (row,) = listed(drawn_facts, instant("30"), **tables).rows
    assert row.do == "email about I (400.00 EUR, 1 day past due)"
    assert row.left_out == ("600.00 EUR of I promised for 2024-02-02 on 2024-01-28: not asked for",)
    tables["dispute"] = (
        DISPUTE.replace("status", "amount_minor | status") + "D | A | I | 12 | - | 60000 | open | - | 12"
    )
    (row,) = listed(drawn_facts, instant("30"), **tables).rows
    assert row.amount == Decimal("400.00"), "what is disputed is not taken off once more as promised"


def test_a_disputed_invoice_is_taken_out_and_the_rest_is_asked_for(drawn_facts: Draw, instant: Instant) -> None:
    both = INVOICE + "J | A | 1 | 12:20000"
    made = listed(drawn_facts, instant("30"), invoice=both, dispute=DISPUTE + "D | A | I | 12 | - | open | - | 12")
    (row,) = made.rows
    assert (row.invoices, row.amount, made.held) == (("J",), Decimal("200.00"), ())


def test_cash_that_is_not_applied_is_not_asked_for(drawn_facts: Draw, instant: Instant) -> None:
    both = INVOICE + "J | A | 1 | 12:20000"
    (row,) = listed(drawn_facts, instant("30"), invoice=both, payment=CASH + "P | A | 20 | 110000 | EUR").rows
    assert (row.invoices, row.amount) == (("J",), Decimal("100.00"))
    assert row.do == "call about J (100.00 EUR, 18 days past due)"
    assert "1,100.00 EUR of its cash and credits are not applied: taken off what is asked for" in row.reasons


def test_cash_of_another_currency_is_taken_off_nothing_and_told(drawn_facts: Draw, instant: Instant) -> None:
    (row,) = listed(drawn_facts, instant("30"), payment=CASH + "P | A | 20 | 110000 | USD").rows
    assert row.amount == Decimal("1000.00")
    assert "1,100.00 USD of its cash and credits are not applied: nothing in USD is asked for" in row.reasons


@pytest.mark.parametrize(
    ("at", "due"), [("9", "due in 1 day"), ("10", "due today"), ("11", "1 day past due"), ("12", "2 days past due")]
)
def test_days_are_told_as_people_say_them(drawn_facts: Draw, instant: Instant, at: str, due: str) -> None:
    (row,) = listed(drawn_facts, instant(at), WorklistSettings(holdout_share=0.0, soon_days=5)).rows
    assert row.do == f"email about I (1,000.00 EUR, {due})"
    assert row.reasons[0] == f"1,000.00 EUR on 1 item, {due}"


@pytest.mark.parametrize(("most", "gap", "allowed"), [(1, 1, "every day, on 1 day"), (2, 3, "every 3 days, on 2 days")])
def test_how_often_is_told_as_people_say_it(
    drawn_facts: Draw, instant: Instant, most: int, gap: int, allowed: str
) -> None:
    contacts = CONTACT + "c | A | 20 | call | yes | -\nd | A | 21 | call | yes | -"
    settings = WorklistSettings(holdout_share=0.0, contacts_per_30_days=most, gap_days=gap)
    ((_, reason, _),) = held(listed(drawn_facts, instant("30"), settings, contact=contacts))
    assert reason == f"contacted on 2024-01-21, on 2 days of the last 30; allowed: {allowed} of 30"


def test_equals_are_told_apart_by_any_amount_and_who_is_left_out_hears_of_no_contact() -> None:
    first, second = value_at_risk(100.0, None), value_at_risk(100.0, None)
    scores = [first.score, second.score]
    assert changes(first, 0, scores, "EUR", made=True) == (
        "stays first until some of it is paid",
        "is held once a promise or a dispute of all of it is recorded, or it is contacted",
    )
    assert changes(second, 1, scores, "EUR", made=False) == (
        "would be first if any more were past due",
        "is held once a promise or a dispute of all of it is recorded, or this draw is recorded",
    )


def test_what_would_change_a_rank_says_what_is_not_computed_anew() -> None:
    first, second = (
        value_of_contact(amount, 0.2, effect=0.3, low=0.1, high=0.5, days_sooner=1.0, settings=PLAIN)
        for amount in (50_000.0, 40_000.0)
    )
    scores = [first.score, second.score]
    assert (
        changes(first, 0, scores, "EUR", made=True)[0]
        == "stays first until 10,000.00 EUR of it is paid, at the same effect"
    )
    told = changes(second, 1, scores, "EUR", made=True)[0]
    assert told == "would be first if 10,000.00 EUR more were past due, at the same effect"
    risky, less = value_at_risk(200.0, 0.5), value_at_risk(100.0, 0.5)
    told = changes(less, 1, [risky.score, less.score], "EUR", made=True)[0]
    assert told == "would be first if 100.00 EUR more were past due, at the same share expected anyway"


@pytest.mark.parametrize("about", ["I", "-"], ids=["an invoice", "the account"])
def test_a_promise_of_less_than_is_open_holds_nothing_and_is_told(
    drawn_facts: Draw, instant: Instant, about: str
) -> None:
    (row,) = listed(drawn_facts, instant("30"), promise=PROMISE + f"P | A | {about} | 28 | 33 | 99999").rows
    assert row.amount == Decimal("1000.00")
    words = "999.99 EUR promised for 2024-02-02 on 2024-01-28: less than is asked for, nothing is taken off for it"
    assert words in row.reasons


CASH = "payment_id | customer_id | value_date | amount_minor | currency\n"
NOTE = "credit_note_id | customer_id | issue_date | amount_minor\n"
PAID_BY = "allocation_id | invoice_id | from_id | date | amount_minor | paid_minor | kind\n"


def test_a_credit_note_that_is_called_like_a_payment_still_covers(drawn_facts: Draw, instant: Instant) -> None:
    tables = {
        "invoice": INVOICE + "J | A | 1 | 5:100000",
        "payment": CASH + "1 | A | 20 | 100000 | EUR",
        "allocation": PAID_BY + "a | J | 1 | 20 | 100000 | - | payment",
        "credit_note": NOTE + "1 | A | 20 | -100000",
    }
    assert [h for h, _, _ in held(listed(drawn_facts, instant("30"), **tables))] == ["covered"]


def test_cash_that_was_put_to_another_currency_covers_nothing_more(drawn_facts: Draw, instant: Instant) -> None:
    head = "invoice_id | customer_id | issue_date | owed | currency\n"
    tables = {
        "invoice": head + "I | A | 1 | 10:100000 | EUR\nJ | A | 1 | 5:40000 | USD",
        "payment": CASH + "1 | A | 20 | 140000 | EUR",
        "allocation": PAID_BY.replace("kind", "kind | currency") + "a | J | 1 | 20 | 40000 | 46000 | payment | USD",
    }
    (row,) = listed(drawn_facts, instant("30"), **tables).rows
    assert row.invoices == ("I",)


def test_cash_of_which_nobody_knows_how_much_another_currency_took_is_taken_off_nothing(
    drawn_facts: Draw, instant: Instant
) -> None:
    head = "invoice_id | customer_id | issue_date | owed | currency\n"
    for currency, cash, owed, upto in (
        ("USD", 100000, 5000, "1,000.00 USD"),
        ("JPY", 150000, 5000000, "150,000 JPY"),
    ):
        tables = {
            "invoice": head + f"I | A | 1 | 10:90000 | EUR\nU | A | 1 | 10:{owed} | {currency}",
            "payment": CASH + f"1 | A | 20 | {cash} | {currency}",
            "allocation": PAID_BY.replace("kind", "kind | currency") + "a | I | 1 | 20 | 90000 | - | payment | EUR",
            "fx_rate": f"fx_rate_id | currency | day | rate | known_at\n R | {currency} | 1 | 0.5 | 1",
        }
        book = Book(drawn_facts(**tables))
        made = worklist(book, instant("30"), None, None, PLAIN)
        (row,) = made.rows
        asked = candidates(book, instant("30"), None, PLAIN).items
        assert asked.select("invoice_id", "asked_minor").rows() == [("U", owed)]
        words = f"up to {upto} of its cash and credits may not be applied: how much of them was put to an invoice in "
        assert words + "another currency is not told; nothing of that is taken off" in row.reasons


def test_what_the_books_say_another_currency_took_leaves_the_rest(drawn_facts: Draw, instant: Instant) -> None:
    head = "invoice_id | customer_id | issue_date | owed | currency\n"
    tables = {
        "invoice": head + "I | A | 1 | 10:100000 | EUR\nJ | A | 1 | 5:40000 | USD",
        "payment": CASH + "1 | A | 20 | 140000 | EUR\n2 | A | 20 | 500 | EUR",
        "allocation": PAID_BY.replace("kind", "kind | currency") + "a | J | 1 | 20 | 40000 | 46000 | payment | USD",
    }
    (row,) = listed(drawn_facts, instant("30"), **tables).rows
    assert row.amount == Decimal("55.00"), "1,000 less the 940 and the 5 that are left"


def test_what_a_payment_took_of_its_own_currency_is_what_it_settled(drawn_facts: Draw, instant: Instant) -> None:
    """A `paid_minor` beside the same currency is no second opinion: the invoice's own cents count."""
    tables = {
        "invoice": INVOICE + "J | A | 1 | 5:40000",
        "payment": CASH + "1 | A | 20 | 60000 | EUR",
        "allocation": PAID_BY + "a | J | 1 | 20 | 40000 | 1 | payment",
    }
    (row,) = listed(drawn_facts, instant("30"), **tables).rows
    assert row.amount == Decimal("800.00")


def test_cash_that_covers_what_is_not_disputed_leaves_nothing_to_ask_for(drawn_facts: Draw, instant: Instant) -> None:
    tables = {
        "invoice": INVOICE + "J | A | 1 | 12:20000",
        "dispute": DISPUTE + "D | A | I | 12 | - | open | - | 12",
        "payment": CASH + "1 | A | 20 | 20000 | EUR",
    }
    made = listed(drawn_facts, instant("30"), **tables)
    assert ("covered" in [h for h, _, _ in held(made)], made.rows) == (True, ())


def test_what_was_contacted_this_morning_takes_of_the_days_capacity(drawn_facts: Draw, instant: Instant) -> None:
    invoices = INVOICE + "J | B | 1 | 12:20000\nK | C | 1 | 12:10000"
    told = CONTACT.replace("chance", "chance | known_at") + "c | A | 30 | call | yes | - | 30"
    for capacity, expected in ((1, []), (2, ["B"]), (3, ["B", "C"])):
        made = listed(drawn_facts, instant("30.5"), replace(PLAIN, capacity=capacity), invoice=invoices, contact=told)
        assert [r.customer_id for r in made.rows] == expected


def test_a_silent_feed_holds_everybody(drawn_facts: Draw, instant: Instant) -> None:
    made = worklist(
        Book(drawn_facts(invoice=INVOICE)), instant("30"), None, None, PLAIN, stale=("bank: silent for 3 days",)
    )
    assert held(made) == [("stale", "who has paid is not known: bank: silent for 3 days", "the feed being alive again")]
    assert made.rows == ()


def test_every_reason_is_told(drawn_facts: Draw, instant: Instant) -> None:
    tables = HOLDS["legal"][0] | HOLDS["contacted"][0]
    assert [h for h, _, _ in held(listed(drawn_facts, instant("30"), **tables))] == ["legal", "contacted"]


# --- place --------------------------------------------------------------------------------------------------------


def test_the_list_says_what_would_change_its_order(drawn_facts: Draw, instant: Instant) -> None:
    made = listed(drawn_facts, instant("30"), invoice=INVOICE + "J | B | 1 | 12:20000")
    first, second = made.rows
    assert (first.customer_id, second.customer_id) == ("A", "B")
    assert first.would_change[0] == "stays first until 800.00 EUR of it is paid"
    assert second.would_change[0] == "would be first if 800.00 EUR more were past due"


def test_lists_of_entities_are_put_together(drawn_facts: Draw, instant: Instant) -> None:
    some, none = listed(drawn_facts, instant("30")), listed(drawn_facts, instant("5"))
    assert merged([none, some]).rows == some.rows
    assert merged([none, some]).availability == "pooled"
    assert merged([none]).availability == "none"


def test_each_entity_tells_its_own_instant_and_day(drawn_facts: Draw, instant: Instant) -> None:
    zones = "entity_id | time_zone | currency\nE | UTC | EUR\nT | Asia/Tokyo | JPY"
    book = Book(drawn_facts(invoice=INVOICE, entity=zones))
    moments = {"E": instant("30"), "T": instant("30.625")}  # midnight here, and the next one there
    lists = [worklist(book, at, None, None, PLAIN, entity_id=name) for name, at in moments.items()]
    made = merged(lists)
    assert [(e.entity_id, e.as_of, str(e.day), e.availability, e.contacts) for e in made.entities] == [
        ("E", moments["E"], "2024-01-30", "pooled", 1),
        ("T", moments["T"], "2024-01-31", "none", 0),
    ]
    assert [e["as_of"] for e in json.loads(msgspec.json.encode(made))["entities"]] == [
        "2024-01-30T00:00:00Z",
        "2024-01-30T15:00:00Z",
    ]
    told = heading(made)
    assert told.startswith("1 contact for 2024-01-30 to 2024-01-31, ")
    assert told.endswith("\nno contact at T on 2024-01-31: nobody has anything past due")


def test_who_is_beyond_the_capacity_is_named_with_what_it_owes(drawn_facts: Draw, instant: Instant) -> None:
    invoices = INVOICE.replace("| owed", "| owed | currency").replace("10:100000", "10:100000 | EUR")
    invoices += "J | B | 1 | 12:20000 | EUR\nK | B | 1 | 12:5000 | USD\nL | C | 1 | 12:30000 | EUR"
    rates = "fx_rate_id | currency | to_currency | day | rate | known_at\n R | USD | EUR | 1 | 0.5 | 1"
    made = listed(drawn_facts, instant("30"), replace(PLAIN, capacity=1), invoice=invoices, fx_rate=rates)
    assert made.beyond == 2
    assert [(n.customer_id, n.why, n.asked) for n in made.not_listed] == [
        ("C", "beyond", (Asked("EUR", Decimal("300.00")),)),
        ("B", "beyond", (Asked("EUR", Decimal("200.00")), Asked("USD", Decimal("50.00")))),
    ]
    assert made.not_listed[0].reason == "beyond the capacity of 1 contact a day of nobody: 300.00 EUR at risk"
    assert [(s.currency, s.customers, str(s.amount)) for s in made.not_listed_sums] == [
        ("EUR", 2, "500.00"),
        ("USD", 1, "50.00"),
    ]
    assert "\nbeyond the capacity: 2 (E 500.00 EUR, E 50.00 USD)\n" in heading(made)
    (entity,) = made.entities
    assert (entity.contacts, entity.held, entity.beyond, entity.not_worth) == (1, 0, 2, 0)


def test_so_many_who_are_not_listed_are_named_and_all_are_counted(
    drawn_facts: Draw, instant: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_listed, "NAMED", 2)
    invoices = INVOICE + "\n".join(f"I{k} | C{k} | 1 | 10:{k}000" for k in range(1, 6))
    made = listed(drawn_facts, instant("30"), replace(PLAIN, capacity=1), invoice=invoices)
    assert [n.customer_id for n in made.not_listed] == ["C5", "C4"]
    assert [(s.customers, s.amount) for s in made.not_listed_sums] == [(5, Decimal("150.00"))]


def test_where_all_are_held_the_heading_says_so(drawn_facts: Draw, instant: Instant) -> None:
    made = listed(drawn_facts, instant("30"), **HOLDS["legal"][0])
    assert heading(made).endswith("\nheld: 1\nno contact at E on 2024-01-30: 1 held")


def test_the_effect_of_another_horizon_is_refused(drawn_facts: Draw, instant: Instant) -> None:
    effect, book = fit_effect(drawn(), 14), Book(drawn_facts(invoice=INVOICE))
    with pytest.raises(BadSetting, match="horizon_days is 7, but the effect was learnt for 14 days") as refused:
        worklist(book, instant("30"), None, effect, WorklistSettings(horizon_days=7))
    told = str(refused.value)
    assert "ask for 14 (`duecast worklist --horizon 14`), or learn it for 7" in told
    assert told.endswith("(`duecast train contact-effect --horizon-days 7`)")


def test_with_an_effect_the_list_ranks_by_value(drawn_facts: Draw, instant: Instant) -> None:
    effect = fit_effect(drawn(effect=0.3), 14)
    book = Book(drawn_facts(invoice=INVOICE.replace("100000", "10000000") + "J | B | 1 | 12:2000"))
    made = worklist(book, instant("30"), None, effect, PLAIN)
    assert made.availability == "full"
    assert made.ranking.startswith("value of a contact: learnt from 1000 drawn contacts (on average +")
    assert "no effect" not in made.ranking
    (row,) = made.rows
    assert made.not_worth == 1, "20 EUR are not worth a contact of 2"
    (never,) = made.not_listed
    assert (never.customer_id, never.why, never.asked) == ("B", "not_worth", (Asked("EUR", Decimal("20.00")),))
    assert never.reason == "a contact is expected to bring 0.02 EUR and costs 2.00"
    assert "\nnot worth a contact: 1 (E 20.00 EUR)\n" in heading(made)
    assert row.value == pytest.approx(row.effect * 100_000 * 0.08 * 14 / 365 - 2.0)
    assert any("a contact adds" in reason for reason in row.reasons)


def test_no_effect_told_apart_is_said(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(invoice=INVOICE + "J | B | 1 | 12:2000"))
    made = worklist(book, instant("30"), None, fit_effect(drawn(effect=0.0), 14), PLAIN)
    why = "the effect learnt from 1000 drawn contacts (on average -1.7 points, 95 % between -8.0 and +4.6) "
    why += "is not told apart from no effect: it neither ranks nor drops anybody"
    assert (made.ranking, made.availability_reason) == (f"value at risk: {why}", why)
    assert made.availability == "pooled"


def test_an_effect_not_told_apart_from_none_drops_nobody(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(invoice=INVOICE + "J | B | 1 | 12:2000"))
    untold = worklist(book, instant("30"), None, fit_effect(drawn(effect=0.0), 14), PLAIN)
    at_risk = worklist(book, instant("30"), None, None, PLAIN)
    assert untold.rows == at_risk.rows
    assert (untold.not_worth, [r.customer_id for r in untold.rows]) == (0, ["A", "B"])
    assert [r.effect for r in untold.rows] == [None, None]


def test_an_effect_that_harms_is_told_apart_and_drops(drawn_facts: Draw, instant: Instant) -> None:
    effect = fit_effect(drawn(effect=-0.3), 14)
    assert effect.told_apart
    made = worklist(Book(drawn_facts(invoice=INVOICE)), instant("30"), None, effect, PLAIN)
    assert (made.rows, made.not_worth, made.availability) == ((), 1, "full")


def test_the_name_is_that_of_the_day(drawn_facts: Draw, instant: Instant) -> None:
    names = "customer_id | name | known_at\nA | Adler | 1\nA | Bauer | 20\nA | Cohn | 30"
    assert [r.customer_name for r in listed(drawn_facts, instant("30"), customer=names).rows] == ["Bauer"]
    heldback = listed(drawn_facts, instant("30"), customer=names, **HOLDS["legal"][0]).held
    assert [h.customer_name for h in heldback] == ["Bauer"]
    some = INVOICE + "J | B | 1 | 12:200000"
    beyond = listed(drawn_facts, instant("30"), replace(PLAIN, capacity=1), invoice=some, customer=names).not_listed
    assert [n.customer_name for n in beyond] == ["Bauer"]


# --- value --------------------------------------------------------------------------------------------------------


def test_the_value_of_a_contact_by_hand() -> None:
    settings = WorklistSettings(horizon_days=14, capital_rate=0.10, contact_cost=1.0)
    worth = value_of_contact(36500.0, 0.5, effect=0.2, low=0.1, high=0.3, days_sooner=2.0, settings=settings)
    assert worth.value == pytest.approx(0.2 * 36500 * 0.10 * 14 / 365 - 1.0)
    assert worth.value == pytest.approx(27.0)
    assert worth.value_of_time == pytest.approx(2 * 36500 * 0.10 / 365 - 1.0)
    assert worth.amount_for(worth.score) == pytest.approx(36500)


def test_a_contact_cannot_bring_what_comes_anyway() -> None:
    worth = value_of_contact(100.0, 0.9, effect=0.4, low=0.2, high=0.6, days_sooner=1.0, settings=PLAIN)
    assert (worth.effect, worth.high) == pytest.approx((0.1, 0.1))


def test_value_at_risk_is_what_is_not_expected() -> None:
    assert value_at_risk(100.0, 0.25).score == 75.0
    assert value_at_risk(100.0, None).score == 100.0


def test_no_amount_makes_a_contact_without_effect_worth_it() -> None:
    worth = value_of_contact(100.0, 0.5, effect=-0.1, low=-0.2, high=0.0, days_sooner=0.0, settings=PLAIN)
    assert worth.amount_for(10.0) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capacity": 0}, "capacity is 0; allowed: 1 or more"),
        ({"horizon_days": 91}, "horizon_days is 91; allowed: 1 to 90"),
        ({"holdout_share": 0.95}, "holdout_share is 0.95; allowed: 0 to 0.9"),
        ({"capital_rate": -0.1}, "capital_rate is -0.1; allowed: 0 or more"),
        ({"contact_cost": float("nan")}, "contact_cost is nan; allowed: 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        WorklistSettings(**options)


# --- the effect ---------------------------------------------------------------------------------------------------


def drawn(
    rows: int = 1000, *, effect: float = 0.2, strong: float | None = None, chance: float = 0.7, seed: int = 1
) -> pl.DataFrame:
    """EXPERIMENT rows: customers usually 15 or more days late respond with `strong`, the others with `effect`."""
    rng = np.random.default_rng(seed)
    values = {name: rng.random(rows) for name in EFFECT_FEATURES}
    late = rng.random(rows) < 0.5
    for edge in (2, 7, 15, 30):
        values[f"usual_from_{edge}"] = (late & (edge <= 15)).astype(float)
    made = rng.random(rows) < chance
    lift = np.where(late, effect if strong is None else strong, effect)
    paid = rng.random(rows) < 0.4 + lift * made
    days = [date(2025, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 300, rows)]
    return pl.DataFrame(
        {
            "entity_id": ["E"] * rows,
            "customer_id": [f"C{k % 200}" for k in range(rows)],
            "cutoff_day": days,
            "cutoff": [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in days],
            "contact_id": [f"c{k}" for k in range(rows)],
            "made": made,
            "chance": np.full(rows, chance),
            **values,
            "paid_share": paid.astype(float),
            "days_open": np.where(paid, 5.0, 14.0),
        }
    )


def test_a_known_effect_is_found_with_an_interval_around_it() -> None:
    pooled = fit_effect(drawn(4000), 14).pooled
    assert pooled.low < 0.2 < pooled.high
    assert pooled.high - pooled.low < 0.1
    days = fit_effect(drawn(4000), 14).heads["days_open"].pooled
    assert days.effect == pytest.approx(-0.2 * 9, abs=0.5)


def test_effects_that_differ_are_told_apart() -> None:
    rows = drawn(6000, effect=0.0, strong=0.5)
    told = fit_effect(rows, 14).effects(rows)["effect"].to_numpy()
    late = rows["usual_from_15"].to_numpy() == 1
    assert told[late].mean() > 0.35
    assert told[~late].mean() < 0.15


def test_without_differences_everybody_is_drawn_to_the_pooled_effect() -> None:
    rows = drawn(2000)
    model = fit_effect(rows, 14)
    assert model.effects(rows)["effect"].std() < 0.06


def test_rare_holdouts_count_for_more(drawn_facts: Draw) -> None:
    rows = drawn(4000, chance=0.95)
    pooled = fit_effect(rows, 14).pooled
    assert pooled.low < 0.2 < pooled.high


def test_contacts_drawn_with_different_chances_are_weighed_by_them() -> None:
    """Those called often pay well anyway: the plain difference would say 0.36, where 0.2 and 0.04 are the truth."""
    poor = drawn(3000, chance=0.3, seed=2).with_columns(pl.col("paid_share") * 0.2)
    rows = pl.concat([drawn(3000, chance=0.9), poor])
    assert ipw_estimate(rows).effect == pytest.approx(0.12, abs=0.04)
    assert fit_effect(rows, 14).pooled.effect == pytest.approx(0.12, abs=0.04)


def test_customers_of_two_entities_are_two_also_where_their_names_run_together() -> None:
    rows = pl.DataFrame({"entity_id": ["A/B", "A", "A"], "customer_id": ["C", "B/C", "B/C"]})
    first, second, third = customer_codes(rows)
    assert (first != second, second == third) == (True, True)


def test_contacts_that_a_person_decided_are_refused() -> None:
    rows = drawn()
    chosen = rows.with_columns(chance=pl.when(pl.int_range(pl.len()) > 0).then("chance"))
    with pytest.raises(BadInput, match=r"^1 contacts without a chance: a person chose them"):
        fit_effect(chosen, 14)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (drawn(0), "no randomised contacts yet (0 of 400 needed)"),
        (drawn(399), "too few randomised contacts yet (399 of 400 needed)"),
        (drawn(1000).filter("made"), "too few randomised contacts held out yet (0 of 20 needed)"),
        (drawn(1500).filter(~pl.col("made")), "too few randomised contacts made yet (0 of 20 needed)"),
    ],
)
def test_too_few_drawn_contacts_are_refused_in_words(rows: pl.DataFrame, words: str) -> None:
    assert lacking(rows) == words
    with pytest.raises(BadInput) as refused:
        fit_effect(rows, 14)
    assert str(refused.value).startswith(words)


def test_strata_tell_the_plain_effect_of_each() -> None:
    rows = drawn(6000, effect=0.0, strong=0.5)
    words = [told.words for told in strata(rows)]
    assert words == ["usually less than 2 days late", "usually 15 to 30 days late"]
    none, strong = (told.found for told in strata(rows))
    assert none is not None
    assert strong is not None
    assert none.low < 0 < none.high
    assert strong.low < 0.5 < strong.high
    assert ipw_estimate(rows).effect == pytest.approx(0.25, abs=0.05)


def test_what_a_customer_says_four_times_is_said_once() -> None:
    """Every contact four times over is no more evidence, where customers are the clusters: the same covariance."""
    rng = np.random.default_rng(4)
    z, noise, who = rng.normal(size=(300, 2)), rng.normal(size=300), rng.integers(0, 60, 300)
    for penalty in (10.0, float("inf")):
        once = ridge(noise, z, penalty, who)
        often = ridge(np.tile(noise, 4), np.tile(z, (4, 1)), 4 * penalty, np.tile(who, 4))
        assert often[0] == pytest.approx(once[0])
        assert often[1] == pytest.approx(once[1])
        assert once[1][0, 0] > 0


def test_same_rows_and_seed_same_model_whatever_the_order(tmp_path: Path) -> None:
    rows = drawn()
    for name, order in (("a", rows), ("b", rows.sample(fraction=1.0, shuffle=True, seed=3))):
        fit_effect(order, 14).save(tmp_path / name)
    assert (tmp_path / "a" / "effect.json").read_bytes() == (tmp_path / "b" / "effect.json").read_bytes()


def test_one_row_alone_gets_the_bits_it_gets_among_many_also_when_read_back(tmp_path: Path) -> None:
    rows = drawn(2000, strong=0.5)
    model = fit_effect(rows, 14)
    model.save(tmp_path)
    back = ContactEffect.load(tmp_path)
    together = model.effects(rows)
    for k in range(0, 2000, 97):
        assert back.effects(rows[k : k + 1]).equals(together[k : k + 1])


def _without(key: str) -> Callable[[str], str]:
    return lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != key})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _: "{", "cannot be read as an effect of contact"),
        (lambda _: "[]", "cannot be read as an effect of contact"),
        (_without("heads"), "KeyError: 'heads'"),
        (lambda t: json.dumps(json.loads(t) | {"format": 1}), r"another version of Duecast \(format 1; allowed: 3"),
        (lambda t: json.dumps(json.loads(t) | {"features": []}), "run `duecast train contact-effect`"),
        (lambda t: t.replace('"weights": [', '"weights": [1.0, '), "weights for"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, damage: Callable[[str], str], words: str) -> None:
    fit_effect(drawn(), 14).save(tmp_path)
    path = tmp_path / "effect.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(StateError, match=words) as refused:
        ContactEffect.load(tmp_path)
    assert str(path) in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"effect\.json cannot be read"):
        ContactEffect.load(tmp_path)


# --- the experiment -----------------------------------------------------------------------------------------------

PAID = "allocation_id | invoice_id | date | amount_minor | kind\n"
LATER = "invoice_id | customer_id | issue_date | owed\nI | A | 1 | 10:100\nZ | Z | 1 | 70:10\n"


def test_what_is_learnt_at_the_cutoff_is_not_asked_for(drawn_facts: Draw, instant: Instant) -> None:
    versions = "invoice_id | customer_id | issue_date | owed | known_at\nI | A | 1 | 10:100 | 1\nI | A | 1 | 10:50 | 20"
    book = Book(drawn_facts(invoice=versions, contact=CONTACT + "c | A | 20 | call | yes | 0.9"))
    assert asks(book, contact_rows(book, instant("80"))).items["amount_minor"].to_list() == [100]


def outcome(drawn_facts: Draw, instant: Instant, paid: str, contact: str = "c | A | 20 | call | yes | 0.9") -> list:
    """paid_share and days_open of one contact on day 20, with payments of another customer that tell time goes on."""
    facts = drawn_facts(
        invoice=LATER, contact=CONTACT + contact, allocation=PAID + paid + "\nz | Z | 70 | 10 | payment"
    )
    return experiment(Book(facts), instant("80"), 14).select("paid_share", "days_open").rows()


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        ("1 | I | 25 | 100 | payment", (1.0, 5.0)),
        ("1 | I | 34 | 100 | payment", (1.0, 14.0)),
        ("1 | I | 35 | 100 | payment", (0.0, 14.0)),
        ("1 | I | 25 | 40 | payment", (0.4, 0.4 * 5 + 0.6 * 14)),
        ("1 | I | 25 | 100 | write_off", (0.0, 14.0)),
    ],
)
def test_the_outcome_is_what_was_paid_within_the_horizon(
    drawn_facts: Draw, instant: Instant, paid: str, expected: tuple[float, float]
) -> None:
    assert outcome(drawn_facts, instant, paid) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    "contact",
    [
        "c | A | 20 | call | yes | -",
        "c | A | 75 | call | yes | 0.9",
        "c | Q | 20 | call | yes | 0.9",
    ],
    ids=["decided by a person", "its horizon is not over", "nothing past due"],
)
def test_contacts_that_teach_nothing_are_left_out(drawn_facts: Draw, instant: Instant, contact: str) -> None:
    assert outcome(drawn_facts, instant, "1 | I | 25 | 100 | payment", contact) == []


TWO = LATER + "J | A | 1 | 12:300\n"
ABOUT = {
    "all past due": ({}, 0.25),
    "less what is disputed": ({"dispute": DISPUTE + "D | A | J | 12 | - | open | - | 12"}, 1.0),
    "less what the parent disputes": ({"dispute": DISPUTE + "D | B | J | 12 | - | open | - | 12"}, 1.0),
    "also what was disputed later": ({"dispute": DISPUTE + "D | A | J | 22 | - | open | - | 22"}, 0.25),
    "also what was disputed before": ({"dispute": DISPUTE + "D | A | J | 12 | - | rejected | 15 | 15"}, 0.25),
    "less what is promised": ({"promise": PROMISE + "P | A | J | 15 | 40 | 300"}, 1.0),
    "also what was promised in part": ({"promise": PROMISE + "P | A | J | 15 | 40 | 299"}, 0.25),
    "also what was promised later": ({"promise": PROMISE + "P | A | J | 22 | 40 | 300"}, 0.25),
    "also where the promise was broken": ({"promise": PROMISE + "P | A | J | 12 | 15 | 300"}, 0.25),
    "less free cash": ({"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 15 | 200"}, 0.0),
    "less what free cash covers of it": (
        {"payment": "payment_id | customer_id | value_date | amount_minor\n P | A | 15 | 50"},
        50 / 350,
    ),
    "nothing, where all is disputed": ({"dispute": DISPUTE + "D | A | - | 12 | - | open | - | 12"}, None),
}


@pytest.mark.parametrize("name", ABOUT)
def test_what_is_learnt_from_is_what_the_list_of_that_day_asks_for(
    drawn_facts: Draw, instant: Instant, name: str
) -> None:
    tables, share = ABOUT[name]
    contact = CONTACT + "c | A | 20 | call | yes | 0.9"
    paid = PAID + "1 | I | 25 | 100 | payment\nz | Z | 70 | 10 | payment"
    book = Book(drawn_facts(invoice=TWO, contact=contact, allocation=paid, **tables))
    shares = experiment(book, instant("80"), 14)["paid_share"].to_list()
    assert shares == ([] if share is None else [pytest.approx(share)])
    asked = asks(book, contact_rows(book, instant("80"))).items
    on_the_list = [i for r in worklist(book, instant("20"), None, None, PLAIN).rows for i in r.invoices]
    assert asked["invoice_id"].to_list() == on_the_list


def test_a_horizon_is_over_once_the_bank_has_told_of_its_last_day(drawn_facts: Draw, instant: Instant) -> None:
    paid = "1 | I | 69 | 100 | payment"  # the newest payment is of day 70
    assert [len(outcome(drawn_facts, instant, paid, f"c | A | {day} | call | yes | 0.9")) for day in (56, 57)] == [1, 0]


def test_what_was_paid_before_the_contact_was_not_there_to_collect(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice=LATER,
        contact=CONTACT + "c | A | 20 | call | yes | 0.9",
        allocation="allocation_id | invoice_id | date | amount_minor | known_at\n"
        "1 | I | 19 | 100 | 21\nz | Z | 70 | 10 | 70",
    )
    assert experiment(Book(facts), instant("80"), 14).is_empty()


# --- the draw -----------------------------------------------------------------------------------------------------


def test_the_draw_leaves_out_about_the_share_asked_for() -> None:
    day = date(2026, 1, 5)
    out = [left_out(7, "E", f"C{k}", day, 0.05) for k in range(20_000)]
    assert np.mean(out) == pytest.approx(0.05, abs=0.005)
    again = [left_out(8, "E", f"C{k}", day, 0.05) for k in range(20_000)]
    assert out != again


def test_settings_can_be_changed_one_by_one() -> None:
    assert replace(PLAIN, capacity=3).capacity == 3
