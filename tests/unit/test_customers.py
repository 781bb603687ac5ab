"""Customers as of an instant: snapshots, defaults and their labels, on ledgers drawn as tables (day 1 = 1 Jan 2024)."""

from collections.abc import Callable
from datetime import date, datetime

import polars as pl
import pytest

from features.book import Book
from features.catalogue import FAMILIES
from features.customer_catalogue import FALLS, FREE, NOT_READ, RISES, customer_catalogue, direction
from features.customer_events import losses, unapplied
from features.customers import DefaultRule, default_spans
from features.errors import BadSetting, NotFound
from features.exposures import exposures, open_orders
from features.facts import Facts

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
RULE = DefaultRule(horizon_days=60, late_days=30, materiality_cents=100, cure_days=40)


def snapshots(book: Book) -> list[tuple[str, str]]:
    rows = book.snapshots(date.min, date(2030, 1, 1))
    return [(customer, str(day)) for customer, day in rows.select("customer_id", "cutoff_day").iter_rows()]


def outcomes(book: Book, before: datetime | None = None) -> dict[str, tuple[bool | None, str | None]]:
    rows = book.defaults(book.snapshots(date.min, date(2030, 1, 1)), RULE, before)
    return {str(d): (b, r) for d, b, r in rows.select("cutoff_day", "defaulted", "default_reason").iter_rows()}


def causes(book: Book) -> dict[str, str | None]:
    rows = book.in_default(book.snapshots(date.min, date(2030, 1, 1)), RULE)
    return {str(day): cause for day, cause in rows.select("cutoff_day", "default_cause").iter_rows()}


# someone else who pays on time, so that the ledger says how far it is known
OTHERS = """
invoice_id | customer_id | issue_date | owed
I          | A           | {issue}    | {owed}
O1         | B           | 200        | 210:100
"""
MONEY = """
payment_id | customer_id | value_date | amount_minor
P          | B           | 205        | 100
"""


def ledger(drawn_facts: Draw, owed: str, allocations: str = "", issue: str = "5", **more: str) -> Book:
    told = "invoice_id | date | amount_minor | kind\nO1 | 205 | 100 | payment\n" + allocations
    return Book(drawn_facts(invoice=OTHERS.format(issue=issue, owed=owed), payment=MONEY, allocation=told, **more))


def test_a_customer_is_seen_from_the_first_of_the_month_after_its_first_invoice(drawn_facts: Draw) -> None:
    book = ledger(drawn_facts, "20:1000", "I | 20 | 1000 | payment\n")
    days = [day for customer, day in snapshots(book) if customer == "A"]
    assert days == [f"2024-0{month}-01" for month in range(2, 8)]


def test_one_that_owes_nothing_and_bought_nothing_for_a_year_is_seen_no_more(drawn_facts: Draw) -> None:
    told = """
    invoice_id | customer_id | issue_date | owed
    I          | A           | 5          | 20:1000
    O1         | B           | 600        | 610:100
    """
    settled = "invoice_id | date | amount_minor\nI | 20 | 1000"
    book = Book(drawn_facts(invoice=told, allocation=settled))
    assert [day for customer, day in snapshots(book) if customer == "A"][-1] == "2025-01-01"


def test_what_was_learnt_in_the_instant_of_the_cutoff_is_not_known(drawn_facts: Draw) -> None:
    book = ledger(drawn_facts, "40:1000", "I | 40 | 1000 | payment\n", issue="32")
    assert ("A", "2024-02-01") not in snapshots(book)
    assert ("A", "2024-03-01") in snapshots(book)


def test_a_receivable_that_stays_unpaid_is_a_default_on_the_day_it_is_late_enough(drawn_facts: Draw) -> None:
    book = ledger(drawn_facts, "20:1000")
    found = outcomes(book)
    assert found["2024-02-01"] == (True, "overdue")  # due 20, 30 days late on day 50: inside 32..92
    rows = book.defaults(book.snapshots(date.min, date(2030, 1, 1)), RULE)
    assert rows.filter(pl.col("customer_id") == "A")["default_day"][0] == date(2024, 2, 19)


@pytest.mark.parametrize(("paid", "expected"), [("49", False), ("50", True)])
def test_paid_on_the_very_day_is_late_enough_and_a_day_before_is_not(
    drawn_facts: Draw, paid: str, expected: bool
) -> None:
    book = ledger(drawn_facts, "20:1000", f"I | {paid} | 1000 | payment\n")
    assert outcomes(book)["2024-02-01"][0] is expected


def test_a_remainder_below_materiality_is_no_default(drawn_facts: Draw) -> None:
    book = ledger(drawn_facts, "20:1000", "I | 20 | 950 | payment\n")
    assert outcomes(book)["2024-02-01"] == (False, None)


def test_a_window_that_has_not_closed_as_known_has_no_outcome_even_after_a_default(
    drawn_facts: Draw, instant: Instant
) -> None:
    book = ledger(drawn_facts, "20:1000")
    assert outcomes(book, instant("80"))["2024-02-01"] == (None, None)
    assert outcomes(book)["2024-06-01"] == (None, None)


def test_a_large_write_off_is_a_default_and_a_few_cents_are_none(drawn_facts: Draw) -> None:
    lost = ledger(drawn_facts, "45:1000", "I | 60 | 1000 | write_off\n")
    assert outcomes(lost)["2024-02-01"] == (True, "written_off")
    cents = ledger(drawn_facts, "45:1000", "I | 45 | 990 | payment\nI | 60 | 10 | write_off\n")
    assert outcomes(cents)["2024-02-01"] == (False, None)


def test_insolvency_is_a_default(drawn_facts: Draw) -> None:
    told = "attribute_id | customer_id | name | day | value\nx | A | insolvent | 70 | 1"
    book = ledger(drawn_facts, "45:1000", "I | 45 | 1000 | payment\n", customer_attribute=told)
    assert outcomes(book)["2024-02-01"] == (True, "insolvent")
    assert causes(book)["2024-04-01"] == "insolvent"


def test_who_is_insolvent_no_longer_is_in_default_no_longer(drawn_facts: Draw) -> None:
    told = "attribute_id | customer_id | name | day | value\nx | A | insolvent | 40 | 1\ny | A | insolvent | 70 | 0"
    book = ledger(drawn_facts, "200:1000", customer_attribute=told)
    assert (causes(book)["2024-03-01"], causes(book)["2024-04-01"]) == ("insolvent", None)


def test_in_default_is_who_is_late_enough_at_the_cutoff_to_the_day(drawn_facts: Draw) -> None:
    exactly = ledger(drawn_facts, "31:1000")  # due 31 January: 30 days late on 1 March
    assert causes(exactly)["2024-02-01"] is None
    assert causes(exactly)["2024-03-01"] == "overdue"
    assert causes(ledger(drawn_facts, "32:1000"))["2024-03-01"] is None


def test_a_write_off_is_cured_after_its_days(drawn_facts: Draw) -> None:
    book = ledger(drawn_facts, "45:1000", "I | 50 | 1000 | write_off\n")
    assert (causes(book)["2024-03-01"], causes(book)["2024-04-01"]) == ("written_off", None)


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        ("w | 50 | 1000 | 50 | no\nw | 49 | 1000 | 52 | no", ["2024-02-18"]),  # its day was corrected
        ("w | 50 | 1000 | 50 | no\nw | 50 | 1000 | 52 | yes", []),  # it was taken back
        ("w | 50 | 1000 | 50 | no\nw | 50 | 1000 | 52 | yes\nv | 60 | 1000 | 60 | no", ["2024-02-29"]),
        ("w | 50 | 300 | 50 | no\nw | 49 | 300 | 52 | no", []),  # told twice, and still less than half
        ("w | 50 | 300 | 50 | no\nw | 50 | 300 | 52 | yes\nv | 60 | 300 | 60 | no", []),
        ("w | 50 | 300 | 50 | no\nv | 60 | 300 | 60 | no", ["2024-02-29"]),
    ],
)
def test_a_loss_is_what_the_write_offs_that_stand_come_to(
    drawn_facts: Draw, instant: Instant, told: str, standing: list[str]
) -> None:
    head = "allocation_id | date | amount_minor | known_at | deleted | kind\n"
    rows = "\n".join(f"{line} | write_off" for line in told.splitlines())
    facts = drawn_facts(invoice="invoice_id | issue_date | owed\nI | 5 | 20:1000", allocation=head + rows)
    now = losses(facts).filter(pl.col("known_to").is_null())
    assert [str(day) for day in now["day"]] == standing


def test_a_write_off_that_was_corrected_is_a_default_and_cured_once(drawn_facts: Draw) -> None:
    told = """invoice_id | date | amount_minor | kind | known_at | allocation_id
    O1 | 205 | 100 | payment | 205 | z
    I  | 50  | 600 | write_off | 50 | w
    I  | 49  | 600 | write_off | 51 | w
    I  | 88  | 400 | write_off | 88 | v
    """
    book = Book(drawn_facts(invoice=OTHERS.format(issue="5", owed="45:1000"), payment=MONEY, allocation=told))
    assert outcomes(book)["2024-02-01"] == (True, "written_off")
    assert (causes(book)["2024-03-01"], causes(book)["2024-04-01"]) == ("written_off", None)


def test_a_default_on_the_snapshots_own_day_is_in_its_window(drawn_facts: Draw) -> None:
    written = ledger(drawn_facts, "45:1000", "I | 61 | 1000 | write_off\n")  # day 61 is 1 March
    assert causes(written)["2024-03-01"] is None
    assert outcomes(written)["2024-03-01"] == (True, "written_off")
    told = "attribute_id | customer_id | name | day | value\nx | A | insolvent | 61 | 1"
    assert outcomes(ledger(drawn_facts, "200:1000", customer_attribute=told))["2024-03-01"] == (True, "insolvent")


def test_what_is_dated_back_is_a_default_from_when_it_was_told(drawn_facts: Draw, instant: Instant) -> None:
    written = """invoice_id | date | amount_minor | kind | known_at | allocation_id
    O1 | 205 | 100 | payment | 205 | z
    I  | 58  | 1000 | write_off | 64 | w
    I  | 58  | 900  | write_off | 200 | w
    """
    book = Book(drawn_facts(invoice=OTHERS.format(issue="5", owed="45:1000"), payment=MONEY, allocation=written))
    assert causes(book)["2024-03-01"] is None  # day 61: nobody knew
    rows = book.defaults(book.snapshots(date(2024, 3, 1), date(2024, 3, 2)), RULE).filter(pl.col("customer_id") == "A")
    assert rows.select("default_day", "default_reason").row(0) == (date(2024, 3, 4), "written_off")
    told = "attribute_id | customer_id | name | day | value | known_at\nx | A | insolvent | 58 | 1 | 70"
    failed = ledger(drawn_facts, "200:1000", customer_attribute=told)
    assert causes(failed)["2024-03-01"] is None
    assert outcomes(failed)["2024-03-01"] == (True, "insolvent")


def test_nothing_overdue_is_the_lowest_value_and_not_a_missing_one(drawn_facts: Draw, instant: Instant) -> None:
    book = ledger(drawn_facts, "40:1000", "I | 60 | 1000 | payment\n")
    days = ["30", "40.5", "42.5", "70"]  # open, due today, a day late and more, settled
    rows = [
        book.customer_features(book.customers_as_of(instant(day)).filter(pl.col("customer_id") == "A")).row(
            0, named=True
        )
        for day in days
    ]
    assert [row["worst_overdue_days"] for row in rows] == [0.0, 0.0, 2.0, 0.0]
    assert [row["overdue_share"] for row in rows] == [0.0, 0.0, 1.0, 0.0]
    never_null = {"worst_overdue_days", "overdue_share", "lost_count", "lost_cents", "late_31_count_90d"}
    never_null |= {f"overdue_{days}_{what}" for days in (0, 30, 60, 90) for what in ("count", "cents")}
    nobody = Book(drawn_facts(customer="customer_id\nNEW"))
    (row,) = nobody.customer_features(nobody.customers_as_of(instant("30"))).to_dicts()
    assert {name for name in RISES if row[name] is not None} == never_null | {
        "late_61_count_365d",
        "late_91_count_365d",
    }


def test_a_receivable_is_disputed_as_long_as_any_of_its_cases(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | owed\nI | 5 | 20:100 30:100\nJ | 5 | 20:100",
        allocation="invoice_id | instalment | date | amount_minor\nI | 1 | 60 | 100",
        dispute="""
        dispute_id | customer_id | invoice_id | opened_on | known_at | status
        X          | A           | I          | 10        | 10       | open
        X          | A           | I          | 10        | 40       | resolved
        Y          | A           | I          | 20        | 20       | open
        Y          | A           | I          | 20        | 70       | resolved
        Z          | A           | -          | 20        | 20       | open
        """,
    )
    book = Book(facts)
    told = [
        book.customer_features(book.customers_as_of(instant(day)))["disputed_open_count"].item()
        for day in ("9", "15", "30", "50", "65", "75")
    ]
    assert told == [0.0, 2.0, 2.0, 2.0, 1.0, 0.0]


def test_a_window_is_open_as_long_as_payments_in_it_are_usually_still_to_be_learnt(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | owed\nI | 5 | 100:50\nJ | 5 | 110:50\nK | 150 | 214:50",
        allocation="""
        invoice_id | date | known_at | amount_minor
        I          | 100  | 110      | 50
        J          | 110  | 120      | 50
        K          | 214  | 214      | 50
        """,
    )
    found = outcomes(Book(facts), instant("216"))  # known through day 205: ten days are usually still to come
    assert found["2024-05-01"] == (False, None)  # closes on day 182
    assert found["2024-06-01"] == (None, None)  # on day 213


def test_a_rate_learnt_in_the_instant_of_the_cutoff_values_no_exposure(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed\nI | 5 | USD | 20:600",
        fx_rate="currency | day | rate | known_at\nUSD | 1 | 0.5 | 40",
    )
    book = Book(facts)
    told = [
        exposures(book.customers_as_of(at), book.facts, book.states, book.masters)["home_open_minor"].to_list()
        for at in (instant("40"), instant("40+"))
    ]
    assert told == [[None], [300]]


def test_two_entities_customers_of_one_id_are_two_customers(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        entity_id | invoice_id | issue_date | owed
        E         | I          | 5          | 20:1000
        F         | I          | 5          | 300:700
        F         | K          | 5          | 200:100
        """,
        allocation="entity_id | invoice_id | date | amount_minor\nF | K | 200 | 100",
        payment="entity_id | payment_id | customer_id | value_date | amount_minor\nE | P | - | 201 | 1",
    )
    book = Book(facts)
    subjects = book.customers_as_of(instant("100"))
    assert book.in_default(subjects, RULE)["default_cause"].to_list() == ["overdue", None]
    held = exposures(subjects, book.facts, book.states, book.masters)
    assert held.select("entity_id", "open_minor").rows() == [("E", 1000), ("F", 800)]
    rows = book.defaults(book.snapshots(date(2024, 2, 1), date(2024, 2, 2)), RULE).filter(pl.col("entity_id") == "F")
    assert rows["defaulted"].to_list() == [False]


def test_an_invoice_in_another_currency_bills_nothing_of_an_order(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed | order_id\nI | 5 | USD | 20:600 | S",
        order="order_id | customer_id | order_date | currency | amount_minor | status\nS | A | 3 | EUR | 1000 | open",
    )
    book = Book(facts)
    (order,) = open_orders(book.customers_as_of(instant("30")), book.facts, book.masters).to_dicts()
    assert order["unbilled_minor"] == 1000


def test_a_limit_learnt_in_the_instant_of_the_cutoff_is_not_on_file(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | owed\nI | 5 | 20:600",
        customer="customer_id | credit_limit_minor | known_at\nA | 4000 | 40",
    )
    book = Book(facts)
    told = [
        book.customer_features(book.customers_as_of(at))["credit_limit_cents"].to_list()
        for at in (instant("40"), instant("40+"))
    ]
    assert told == [[None], [4000]]


def test_what_is_told_of_an_older_day_makes_nobody_solvent(drawn_facts: Draw) -> None:
    told = """attribute_id | customer_id | name | day | value | known_at
    x | A | insolvent | 40 | 1 | 40
    y | A | insolvent | 10 | 0 | 45
    """
    assert causes(ledger(drawn_facts, "200:1000", customer_attribute=told))["2024-03-01"] == "insolvent"


@pytest.mark.parametrize(("paid", "left"), [("-", []), ("9500", [("USD", 500)])])
def test_cents_of_one_currency_are_not_taken_from_another(
    drawn_facts: Draw, instant: Instant, paid: str, left: list[tuple[str, int]]
) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed\nI | 5 | EUR | 20:9000",
        payment="payment_id | customer_id | value_date | currency | amount_minor\nP | A | 20 | USD | 10000",
        allocation=f"""
        invoice_id | date | amount_minor | kind    | from_id | currency | paid_minor
        I          | 25   | 9000         | payment | P       | EUR      | {paid}
        """,
    )
    rows = unapplied(facts)
    assert rows.filter(pl.col("known_to").is_null()).select("currency", "left_minor").rows() == left
    assert rows.filter(pl.col("known_from") == instant("20"))["left_minor"].to_list() == [10000]


def test_a_payment_whose_currency_is_corrected_is_spent_in_the_one_that_it_has(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed\nI | 5 | USD | 20:9000\nJ | 5 | EUR | 20:300",
        payment="""
        payment_id | customer_id | value_date | currency | amount_minor | known_at
        P          | A           | 20         | EUR      | 10000        | 20
        P          | A           | 20         | USD      | 10000        | 30
        """,
        allocation="""
        invoice_id | date | amount_minor | kind    | from_id | currency | paid_minor
        I          | 25   | 9000         | payment | P       | USD      | -
        J          | 35   | 300          | payment | P       | EUR      | 330
        """,
    )
    rows = unapplied(facts).sort("known_from").select("currency", "left_minor", "known_from")
    assert rows.rows() == [
        ("EUR", 10_000, instant("20")),
        ("USD", 1_000, instant("30")),
        ("USD", 670, instant("35")),
    ], "from day 25 to 30 nobody can tell what 90 dollars took of 100 euros"


def test_every_customer_known_is_asked_about_also_one_without_invoices(drawn_facts: Draw, instant: Instant) -> None:
    told = "credit_note_id | customer_id | issue_date | amount_minor\nC | Z | 10 | -50"
    book = ledger(drawn_facts, "20:1000", credit_note=told, customer="customer_id\nNEW")
    assert book.customers_as_of(instant("30"))["customer_id"].to_list() == ["A", "NEW", "Z"]
    with pytest.raises(NotFound, match="no entity 'X'; there are: E"):
        book.customers_as_of(instant("30"), "X")


def test_features_of_losses_orders_disputes_and_unapplied_money(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(
        drawn_facts(
            invoice="invoice_id | issue_date | owed | order_id\nI | 5 | 20:1000 | S\nJ | 6 | 20:400 | -",
            payment="payment_id | customer_id | value_date | amount_minor\nP | A | 20 | 700",
            allocation="""
            invoice_id | date | amount_minor | kind      | from_id
            I          | 20   | 500          | payment   | P
            J          | 25   | 400          | write_off | -
            """,
            order="order_id | customer_id | order_date | amount_minor | status\nS | A | 3 | 2500 | open",
            dispute="dispute_id | customer_id | opened_on | amount_minor | status\nD | A | 22 | 120 | open",
            customer="customer_id | credit_limit_minor\nA | 4000",
        )
    )
    (row,) = book.customer_features(book.customers_as_of(instant("40"))).to_dicts()
    told = {
        name: row[name] for name in ("lost_count", "lost_cents", "disputed_cents", "unapplied_cents", "unbilled_cents")
    }
    assert told == {
        "lost_count": 1.0,
        "lost_cents": 400.0,
        "disputed_cents": 120.0,
        "unapplied_cents": 200.0,
        "unbilled_cents": 1500.0,
    }
    assert row["limit_utilisation"] == 500 / 4000
    assert row["limit_utilisation_with_orders"] == 2000 / 4000
    assert row["worst_overdue_days"] == 20.0


def test_exposure_is_told_per_currency_and_a_missing_rate_is_null(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(
        drawn_facts(
            invoice="""
            invoice_id | issue_date | currency | owed
            I          | 5          | EUR      | 20:1000
            J          | 5          | USD      | 20:600
            K          | 5          | JPY      | 20:90
            """,
            fx_rate="currency | day | rate\nUSD | 1 | 0.5",
            order="order_id | order_date | currency | amount_minor | status\nS | 3 | USD | 200 | open",
        )
    )
    subjects = book.customers_as_of(instant("40"))
    rows = exposures(subjects, book.facts, book.states, book.masters)
    told = {row["currency"]: (row["open_minor"], row["home_open_minor"]) for row in rows.iter_rows(named=True)}
    assert told == {"EUR": (1000, 1000), "USD": (600, 300), "JPY": (90, None)}
    (order,) = open_orders(subjects, book.facts, book.masters).to_dicts()
    assert (order["unbilled_minor"], order["rate"], order["entity_currency"]) == (200, 0.5, "EUR")


def test_every_feature_has_one_declared_direction_and_none_of_lateness_is_free() -> None:
    declared = {d.name for d in customer_catalogue()}
    assert declared == RISES | FALLS | FREE | NOT_READ
    assert len(declared) == len(RISES) + len(FALLS) + len(FREE) + len(NOT_READ)
    late = {name for name in declared if "late" in name and "count" not in name and "std" not in name}
    late |= {name for name in declared if name.startswith(("overdue_", "worst_overdue"))}
    late |= {"late_61_count_365d", "late_91_count_365d"}
    assert {name for name in late if direction(name) == 0} == set()
    assert not {d.name for d in FAMILIES["this invoice"]} & declared


def test_windows_by_the_due_date_hold_what_was_paid_in_them_or_after_and_no_payment_moves_them(
    drawn_facts: Draw, instant: Instant
) -> None:
    told = ("days_late_mean_due_90d", "days_late_max_due_90d", "days_late_mean_due_180d", "paid_through_days")

    def at(day: str, book: Book) -> tuple[float | None, ...]:
        asked = book.customers_as_of(instant(day)).filter(pl.col("customer_id") == "A")
        return book.customer_features(asked).select(told).row(0)

    for paid in ("30", "45", "100"):
        book, late = ledger(drawn_facts, "40:1000", f"I | {paid} | 1000 | payment\n"), int(paid) - 40
        assert at(paid, book) == (None, None, None, None)  # learnt at that instant
        assert at("110", book) == (late, late, late, 70)
        assert at("130", book) == (late, late, late, 90)
        assert at("131", book) == (None, None, late, 91)


def test_outcomes_are_no_signals() -> None:
    names = {d.name for d in customer_catalogue(("insolvent", "legal_hold", "bureau_score"))}
    assert "attribute_bureau_score" in names
    assert not {"attribute_insolvent", "attribute_legal_hold"} & names


@pytest.mark.parametrize("wrong", [{"horizon_days": 0}, {"late_days": 0}, {"materiality_cents": -1}, {"cure_days": -1}])
def test_a_rule_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadSetting, match=f"{next(iter(wrong))} is .*; allowed"):
        DefaultRule(**wrong)


def test_who_is_in_default_is_worked_out_for_those_asked_about_alone(drawn_facts: Draw) -> None:
    """Also of an invoice that went from one customer to another with its write-off, told twice."""
    facts = drawn_facts(
        invoice="""
        invoice_id | customer_id | issue_date | known_at | owed
        I          | A           | 5          | 5        | 20:1000
        I          | B           | 5          | 60       | 20:1000
        K          | B           | 5          | 5        | 400:1000
        L          | C           | 5          | 5        | 20:1000
        """,
        allocation="""
        invoice_id | date | known_at | amount_minor | kind
        I          | 50   | 50       | 1000         | write_off
        I          | 50   | 70       | 900          | write_off
        """,
        customer_attribute="customer_id | name | day | value\nC | insolvent | 30 | 1\nA | insolvent | 40 | 1",
    )
    book = Book(facts)
    every = pl.DataFrame({"entity_id": ["E"] * 3, "customer_id": ["A", "B", "C"]})
    spans = default_spans(every, book.facts, book.states, book.masters, RULE)
    assert set(spans["default_cause"]) == {"overdue", "written_off", "insolvent"}
    for (customer,), theirs in spans.group_by("customer_id"):
        one = every.filter(customer_id=customer)
        told = default_spans(one, book.facts, book.states, book.masters, RULE)
        order = spans.columns
        assert told.sort(order).equals(theirs.sort(order)), "alone as among many, and nobody else"
