"""Availability, expected losses, limits, blocked orders and counterfactuals on customers made by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.customers import DefaultRule
from features.errors import BadInput, BadSetting
from features.exposures import exposures, open_orders
from features.facts import Facts
from features.recoveries import LossShare, OwnLgd
from models.credit.answers import CreditScore, availability_of, scores
from models.credit.blocked import BlockedOrder, blocked_orders
from models.credit.counterfactuals import CHANGES, counterfactuals
from models.credit.losses import LossSettings, expected_losses
from models.credit.opinions import ScoredCustomers, own_lgd
from models.credit.policy import CreditLimit, LimitSettings, appetite, credit_limits, limit_by_capacity
from models.credit.scale import Scale, grade
from models.credit.scorer import CreditScorer
from pipelines import credit_asked
from pipelines.credit_commands import show_losses
from pipelines.credit_screen import use_of, used_words

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
RULE = DefaultRule()


def score(customer: str = "A", pd: float | None = 0.02, cause: str | None = None) -> CreditScore:
    known = pd is not None and cause is None
    return CreditScore(
        entity_id="E",
        customer_id=customer,
        cutoff_day=date(2024, 2, 9),
        horizon_days=180,
        availability="full" if known or cause else "none",
        availability_reason="in default already" if cause else None if known else "no invoice so far",
        default_cause=cause,
        pd=1.0 if cause else pd,
        score=600.0 if known else None,
        grade=grade(pd) if known and pd is not None else None,
        typical_score=600.0 if known else None,
        reasons=(),
        signals={},
        signals_missing=(),
    )


def asked(facts: Facts, at: datetime) -> tuple[Book, pl.DataFrame, pl.DataFrame]:
    book = Book(facts)
    frame = book.in_default(book.customer_features(book.customers_as_of(at)), RULE)
    return book, frame, exposures(frame, book.facts, book.states, book.masters)


def availabilities(facts: Facts, at: datetime) -> dict[str, tuple[str, str | None]]:
    _, frame, _ = asked(facts, at)
    return {row["customer_id"]: availability_of(row, RULE) for row in frame.iter_rows(named=True)}


def test_what_is_said_of_customers_of_whom_there_is_little_to_say(drawn_facts: Draw, instant: Instant) -> None:
    found = availabilities(
        drawn_facts(
            customer="customer_id\nnobody",
            invoice="""
            invoice_id | customer_id | issue_date | owed
            I          | one         | 5          | 60:1000
            D          | disputed    | 5          | 60:1000
            O          | overdue     | 5          | 10:1000
            P          | overdue     | 5          | 10:1000
            """,
            credit_note="credit_note_id | customer_id | issue_date | amount_minor\nC | credits | 9 | -50",
            dispute="""
            dispute_id | customer_id | invoice_id | opened_on | status
            X          | disputed    | D          | 8         | open
            Y          | overdue     | O          | 8         | open
            Z          | overdue     | O          | 9         | open
            """,
        ),
        instant("40"),
    )
    assert found["nobody"] == ("none", "no invoice so far: nothing to judge by")
    assert found["credits"] == ("none", "only credit notes so far, no invoice: nothing to judge by")
    for customer in ("one", "overdue"):
        assert found[customer][0] == "pooled"
        assert str(found[customer][1]).startswith("0 settled invoices of this customer")
        assert "disputed" not in str(found[customer][1])  # two cases about one of two invoices
    assert found["disputed"][0] == "pooled"
    assert "all that is open is disputed" in str(found["disputed"][1])


def test_amounts_without_a_rate_are_said_and_are_no_zero(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | customer_id | issue_date | currency | owed
        I1         | part        | 5          | EUR      | 10:1000
        I2         | part        | 5          | EUR      | 10:1000
        I3         | part        | 5          | EUR      | 10:1000
        I4         | part        | 5          | USD      | 10:1000
        J          | nothing     | 5          | USD      | 10:1000
        """,
        allocation="invoice_id | date | amount_minor\nI1 | 9 | 1000\nI2 | 9 | 1000\nI3 | 9 | 1000",
    )
    found = availabilities(facts, instant("40"))
    assert found["part"] == (
        "pooled",
        "no exchange rate was known for 1 open receivables and 1 of those of a year: amounts leave them out; "
        "load exchange rates",
    )
    assert found["nothing"] == (
        "none",
        "no exchange rate was known for anything it owes or bought in a year: load exchange rates",
    )


def test_who_is_in_default_or_long_gone_is_said_to_be(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | customer_id | issue_date | owed
        I          | late        | 5          | 10:100000
        G          | gone        | 5          | 10:1000
        """,
        allocation="invoice_id | date | amount_minor\nG | 10 | 1000",
    )
    found = availabilities(facts, instant("400"))
    assert found["late"] == (
        "full",
        "in default already: something is 90 or more days past due; stated, not by the model",
    )
    assert found["gone"] == ("none", "nothing open, and last invoiced 395 days ago; active customers are scored")


THREE = """
invoice_id | customer_id | issue_date | currency | owed
I          | A           | 5          | EUR      | 20:100000
J          | A           | 5          | USD      | 20:333
K          | B           | 5          | EUR      | 20:77777
L          | C           | 5          | EUR      | 20:5
"""


def test_expected_loss_is_pd_x_lgd_x_ead_discounted_in_whole_cents(drawn_facts: Draw, instant: Instant) -> None:
    _, _, held = asked(drawn_facts(invoice=THREE), instant("40"))
    scores = [score("A", 0.02), score("B", cause="overdue"), score("C", None)]
    told = expected_losses(held, scores, LossSettings(lgd=0.5, discount_rate=0.1))
    by_book = {(loss.customer_id, loss.currency): loss for loss in told}
    discount = 1.1 ** -(90 / 365)
    assert by_book["A", "EUR"].loss_minor == round(100_000 * 0.02 * 0.5 * discount)
    assert by_book["A", "USD"].loss_minor == round(333 * 0.02 * 0.5 * discount)
    assert (by_book["B", "EUR"].loss_minor, by_book["B", "EUR"].discount) == (38_889, 1.0)  # 38,888.5, half up
    assert (by_book["C", "EUR"].loss_minor, by_book["C", "EUR"].ead_minor) == (None, 5)
    assert by_book["C", "EUR"].availability == "none"


def test_orders_count_towards_the_exposure_where_that_is_switched_on(drawn_facts: Draw, instant: Instant) -> None:
    order = "order_id | order_date | amount_minor | status\nS | 3 | 5000 | open"
    _, _, held = asked(drawn_facts(invoice=THREE, order=order), instant("40"))
    scores = [score(c) for c in "ABC"]
    for count, expected in ((False, 100_000), (True, 105_000)):
        told = expected_losses(held, scores, LossSettings(count_orders=count))
        assert told[0].ead_minor == expected


BOUGHT = """
invoice_id | customer_id | issue_date | owed
I          | A           | 5          | 35:600000
"""
ORDERS = """
order_id | customer_id | order_date | amount_minor | status
S1       | A           | 6          | 300000       | open
S2       | A           | 7          | 900000       | open
S3       | A           | 8          | 100000       | open
"""
SETTINGS = LimitSettings(appetite_share=0.01, lgd=0.5, capacity_factor=2.0, round_to=500)


def limits(
    facts: Facts, at: datetime, told: CreditScore, settings: LimitSettings
) -> tuple[CreditLimit, list[BlockedOrder]]:
    book, frame, held = asked(facts, at)
    found = credit_limits(frame, [told], held, {"E": "EUR"}, settings)
    return found[0], blocked_orders(open_orders(frame, book.facts, book.masters), found, settings)


def test_the_limit_is_the_smaller_of_risk_and_capacity_rounded_down(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(invoice=BOUGHT, customer="customer_id | credit_limit_minor\nA | 1200000")
    safe, _ = limits(facts, instant("40"), score(pd=0.001), SETTINGS)
    # 6,000.00 invoiced in 35 days, so 5,142.86 in 30; terms of 30 days; twice that, down to 500s
    assert (safe.limit_minor, safe.decided_by) == (1_000_000, "capacity")
    assert (safe.exposure_minor, safe.used_share, safe.on_file_share) == (600_000, 0.6, 0.5)
    risky, _ = limits(facts, instant("40"), score(pd=0.03), SETTINGS)
    # 1 % of the 6,000.00 bought in the last year is 60.00; 60 / (0.03 x 0.5) = 4,000.00
    assert (risky.limit_minor, risky.decided_by) == (400_000, "risk")
    capped, _ = limits(facts, instant("40"), score(pd=0.03), replace(SETTINGS, appetite_cap=30))
    assert (capped.limit_minor, capped.decided_by) == (200_000, "risk")  # 30 / 0.015
    above, _ = limits(facts, instant("40"), score(pd=0.03), replace(SETTINGS, appetite_cap=61))
    assert above == risky


def test_a_use_far_above_the_limit_is_told_without_digits() -> None:
    assert [used_words(share) for share in (None, 0.6, 9.99, 9.991, 173.21)] == [
        "",
        "60.0%",
        "999.0%",
        ">999 %",
        ">999 %",
    ]


def test_orders_that_do_not_fit_are_blocked_and_a_later_smaller_one_may_fit(
    drawn_facts: Draw, instant: Instant
) -> None:
    limit, blocked = limits(drawn_facts(invoice=BOUGHT, order=ORDERS), instant("40"), score(pd=0.001), SETTINGS)
    assert limit.exposure_minor == 1_900_000
    assert [(order.order_id, order.why) for order in blocked] == [
        ("S2", "8,000.00 EUR over the limit of 10,000 EUR"),
    ]


def test_orders_are_converted_as_a_sum_so_that_what_fits_to_the_cent_fits(drawn_facts: Draw, instant: Instant) -> None:
    """Two orders of 0.01 USD at 0.7 are 0.01 EUR together, and would be 0.02 one by one."""
    facts = drawn_facts(
        invoice="invoice_id | customer_id | issue_date | owed\nI | A | 5 | 35:99998",
        order="order_id | customer_id | order_date | currency | amount_minor | status\n"
        + "".join(f"S{k} | A | {5 + k} | USD | 1 | open\n" for k in (1, 2, 3, 4)),
        fx_rate="currency | day | rate\nUSD | 1 | 0.7",
    )
    book, frame, held = asked(facts, instant("40"))
    orders = open_orders(frame, book.facts, book.masters)
    (limit,) = credit_limits(frame, [score()], held, {"E": "EUR"}, SETTINGS)
    assert limit.exposure_minor == 99_998 + 3, "0.04 USD are 0.028 EUR"
    for at_most, blocked in ((100_001, []), (100_000, ["S4"]), (99_999, ["S3", "S4"])):
        told = blocked_orders(orders, [replace(limit, limit_minor=at_most)], SETTINGS)
        assert [order.order_id for order in told] == blocked
    assert told[-1].why == "0.01 EUR over the limit of 999 EUR"


def test_an_order_in_a_currency_without_cents_says_what_is_over_without_cents() -> None:
    told = {
        "entity_id": "E",
        "customer_id": "A",
        "order_id": "S",
        "currency": "JPY",
        "unbilled_minor": 150,
        "rate": 1.0,
    }
    limit = CreditLimit("E", "A", "JPY", "full", None, 0.01, 1_150, 1_000, "risk", 1.15, None, None)
    (order,) = blocked_orders(pl.DataFrame([told]), [limit], SETTINGS)
    assert order.why == "150 JPY over the limit of 1,000 JPY"


def test_what_counts_as_exposure_can_be_switched(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(invoice=BOUGHT, order=ORDERS)
    only_orders, _ = limits(facts, instant("40"), score(), replace(SETTINGS, count_receivables=False))
    only_open, _ = limits(facts, instant("40"), score(), replace(SETTINGS, count_orders=False))
    assert (only_orders.exposure_minor, only_open.exposure_minor) == (1_300_000, 600_000)
    with pytest.raises(BadSetting, match="neither receivables nor orders"):
        replace(SETTINGS, count_receivables=False, count_orders=False)


def test_in_default_the_limit_is_zero_and_every_order_is_blocked(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(invoice=BOUGHT, order=ORDERS)
    limit, blocked = limits(facts, instant("40"), score(cause="overdue"), SETTINGS)
    assert (limit.limit_minor, limit.decided_by, limit.used_share) == (0, "default", None)
    assert {order.why for order in blocked} == {"in default already"}


def test_a_missing_rate_is_said_and_nothing_is_suggested(drawn_facts: Draw, instant: Instant) -> None:
    mixed = BOUGHT.replace("issue_date |", "issue_date | currency |").replace("| 5          |", "| 5 | EUR |")
    facts = drawn_facts(invoice=mixed + "U | A | 5 | USD | 35:100", order=ORDERS)
    limit, blocked = limits(facts, instant("40"), score(), SETTINGS)
    why = "no rate from USD to EUR was known: load exchange rates"
    assert (limit.availability, limit.availability_reason) == ("none", why)
    assert (limit.exposure_minor, limit.limit_minor, limit.used_share) == (None, None, None)
    assert blocked[0].why == f"no limit can be suggested: {why}"


def test_with_a_rate_two_currencies_add_up_in_the_entity_s(drawn_facts: Draw, instant: Instant) -> None:
    mixed = BOUGHT.replace("issue_date |", "issue_date | currency |").replace("| 5          |", "| 5 | EUR |")
    rate = "currency | day | rate\nUSD | 1 | 0.9"
    limit, _ = limits(
        drawn_facts(invoice=mixed + "U | A | 5 | USD | 35:100", fx_rate=rate), instant("40"), score(), SETTINGS
    )
    assert (limit.availability, limit.exposure_minor) == ("full", 600_090)


def test_no_score_no_limit(drawn_facts: Draw, instant: Instant) -> None:
    limit, _ = limits(drawn_facts(invoice=BOUGHT), instant("40"), score(pd=None), SETTINGS)
    assert (limit.availability, limit.limit_minor, limit.exposure_minor) == ("none", None, 600_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"appetite_share": -0.1},
        {"appetite_share": 1.1},
        {"appetite_cap": -1},
        {"lgd": 0.0},
        {"lgd": 1.1},
        {"capacity_factor": -1.0},
        {"capacity_factor": float("inf")},
        {"capacity_factor": float("nan")},
        {"round_to": 0},
        {"fallback_days": 0},
    ],
)
def test_a_policy_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadSetting, match="allowed"):
        LimitSettings(**wrong)  # type: ignore[arg-type]


def test_loss_settings_that_cannot_be_are_refused() -> None:
    endless = ({"discount_rate": float("inf")}, {"discount_rate": float("nan")})
    for wrong in ({"lgd": -0.1}, {"lgd": 1.1}, {"discount_rate": -0.1}, *endless):
        with pytest.raises(BadSetting, match="allowed"):
            LossSettings(**wrong)
    with pytest.raises(BadSetting, match="allowed"):
        Scale(lowest=800, highest=700)


class Additive:
    """A booster by hand: log-odds rise with lateness and use of the limit."""

    NAMES = ("days_late_share_late_due_90d", "worst_overdue_days", "limit_utilisation", "tenure_days")

    def predict(self, values: np.ndarray, **_: object) -> np.ndarray:
        known = np.nan_to_num(values)
        return -5.0 + 3.0 * known[:, 0] + 0.03 * known[:, 1] + 1.0 * known[:, 2]


def by_hand() -> CreditScorer:
    from models.credit.calibration import Line

    names = Additive.NAMES
    return CreditScorer(names, names, (1, 1, 0, 0), (Additive(),), Line(0.0, 1.0), Scale())


CUSTOMER = {
    "entity_id": "E",
    "customer_id": "A",
    "days_late_count_due_90d": 10.0,
    "days_late_share_late_due_90d": 0.4,
    "days_late_mean_due_90d": 12.0,
    "late_31_count_90d": 1.0,
    "worst_overdue_days": 40.0,
    "open_count": 5.0,
    "open_cents": 9000.0,
    **{f"overdue_{days}_{what}": float(days < 40) * 2 for days in (0, 30, 60, 90) for what in ("count", "cents")},
    "overdue_share": 0.3,
    "limit_utilisation": 0.9,
    "limit_utilisation_with_orders": 0.9,
    "unbilled_cents": 0.0,
    "credit_limit_cents": 10_000,
    "tenure_days": 900.0,
}


def test_small_changes_that_go_with_a_better_grade_are_named_smallest_first() -> None:
    frame = pl.DataFrame([CUSTOMER])
    scorer = by_hand()
    assert grade(float(scorer.pd(frame.select(Additive.NAMES).to_numpy())[0])) == "F"
    found = counterfactuals(scorer, frame)
    assert found
    assert found[0].words == "with 2 fewer late invoices in 90 days the grade is E"
    assert all(way.grade < "F" and way.pd < 0.25 for way in found)
    assert all("association" in way.note for way in found)


def test_no_change_is_offered_for_what_is_not_there_to_change() -> None:
    fine = CUSTOMER | {"days_late_share_late_due_90d": 0.0, "worst_overdue_days": 0.0, "limit_utilisation": None}
    fine |= {"tenure_days": 1.0}
    assert all(change.moves(fine, step) is None for change in CHANGES for step in change.steps)
    assert counterfactuals(by_hand(), pl.DataFrame([fine])) == []


def test_only_declared_features_are_ever_changed() -> None:
    moved = {name for change in CHANGES for step in change.steps for name in change.moves(CUSTOMER, step) or {}}
    assert moved
    assert not {name for name in moved if name.startswith(("segment", "entity", "tenure", "attribute", "terms"))}


def test_purchases_that_nobody_can_value_give_no_limit_instead_of_none_at_all(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed\nI | 5 | USD | 20:100000",
        allocation="invoice_id | date | currency | amount_minor\nI | 20 | USD | 100000",
    )
    _, frame, held = asked(facts, instant("60"))
    (limit,) = credit_limits(frame, [score()], held, {"E": "EUR"}, LimitSettings())
    assert (limit.availability, limit.limit_minor, limit.exposure_minor) == ("none", None, 0)
    assert limit.availability_reason == "no rate to EUR was known for anything it bought: load exchange rates"
    (failed,) = credit_limits(frame, [score(cause="overdue")], held, {"E": "EUR"}, LimitSettings())
    assert (failed.limit_minor, failed.decided_by) == (0, "default")


def test_the_limit_on_file_is_that_of_the_books_whatever_the_currencys_decimals(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        entity="entity_id | currency | time_zone\nE | KWD | UTC",
        customer="customer_id | credit_limit_minor\nA | 1234567",
        invoice="invoice_id | issue_date | currency | owed\nI | 5 | KWD | 20:1000",
    )
    _, frame, held = asked(facts, instant("30"))
    (limit,) = credit_limits(frame, [score()], held, {"E": "KWD"}, LimitSettings())
    assert (limit.on_file_minor, limit.on_file_share) == (1_234_567, 1000 / 1_234_567)


def test_the_ledgers_own_lgd_knows_nothing_that_was_learnt_after_any_entitys_cutoff(
    drawn_facts: Draw, day: Callable[[str], date]
) -> None:
    entities = "entity_id | currency | time_zone\nA | USD | America/New_York\nT | JPY | Asia/Tokyo"
    invoices = "".join(f"T | I{k} | C | 5 | JPY | 20:100\n" for k in range(20))
    lost = "".join(f"T | I{k} | 150 | 199.9 | JPY | 100 | write_off\n" for k in range(20))
    facts = drawn_facts(
        entity=entities,
        customer="entity_id | customer_id\nA | B\nT | C",
        invoice="entity_id | invoice_id | customer_id | issue_date | currency | owed\n" + invoices,
        allocation="entity_id | invoice_id | date | known_at | currency | amount_minor | kind\n" + lost,
    )
    book = Book(facts)
    subjects = pl.concat([book.customers_as_of(book.day_start(day("200"), e), e) for e in ("A", "T")])
    asked_for = ScoredCustomers(book, SimpleNamespace(rule=RULE), subjects, [])  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="only 0 customers ever went into default: too few"):
        own_lgd(asked_for)


def test_an_lgd_is_that_of_the_entity_and_another_one_for_who_is_in_default_already(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="invoice_id | customer_id | issue_date | owed\nI | A | 5 | 60:1000\nJ | B | 5 | 60:1000"
    )
    _, _, held = asked(facts, instant("40"))
    own = {"E": OwnLgd(LossShare(20, 0.1), LossShare(30, 0.5))}
    told = [score("A", pd=0.5), score("B", cause="overdue")]
    losses = expected_losses(held, told, LossSettings(discount_rate=0), own)
    assert [(loss.lgd, loss.loss_minor) for loss in losses] == [(0.1, 50), (0.5, 500)]
    thin = {"E": OwnLgd(LossShare(20, 0.1), LossShare(3, None))}
    assert [loss.lgd for loss in expected_losses(held, told, LossSettings(lgd=0.3), thin)] == [0.1, 0.3]


def test_who_was_only_ever_given_back_money_is_not_judged_and_gets_no_limit(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(invoice="invoice_id | issue_date | owed\nI | 5 | 20:-50000")
    _, frame, held = asked(facts, instant("60"))
    why = "only negative invoices so far, which it does not owe: nothing to judge by"
    assert availability_of(frame.row(0, named=True), RULE) == ("none", why)
    (limit,) = credit_limits(frame, [score(pd=None)], held, {"E": "EUR"}, LimitSettings())
    assert (limit.limit_minor, limit.used_share) == (None, None)


@pytest.mark.parametrize("settings", [LimitSettings(), LimitSettings(appetite_cap=100), LimitSettings(round_to=1)])
def test_more_taken_back_than_sold_is_a_limit_of_zero_and_not_below(
    drawn_facts: Draw, instant: Instant, settings: LimitSettings
) -> None:
    facts = drawn_facts(invoice="invoice_id | issue_date | owed\nI | 5 | 20:10000\nN | 6 | 20:-50000")
    _, frame, held = asked(facts, instant("60"))
    row = frame.row(0, named=True)
    assert row["invoiced_cents_365d"] < 0
    assert (appetite(row, settings), limit_by_capacity(row, settings)) == (0.0, 0.0)
    (limit,) = credit_limits(frame, [score()], held, {"E": "EUR"}, settings)
    assert (limit.limit_minor, limit.used_share) == (0, None)


def test_a_cent_without_a_rate_is_no_default_and_is_said_to_be_undecided(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | issue_date | currency | owed
        I1         | 10         | GBP      | 40:1
        I2         | 100        | EUR      | 130:900000
        """
    )
    _, frame, _ = asked(facts, instant("151"))
    row = frame.row(0, named=True)
    assert row["default_cause"] is None
    availability, why = availability_of(row, RULE)
    assert availability == "pooled"
    assert "so that something 90 or more days past due is not known to be large enough for a default" in str(why)


def test_in_default_the_limit_is_zero_also_where_a_rate_is_missing(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | currency | owed\nI1 | 10 | GBP | 40:100\nI2 | 10 | EUR | 40:900000",
        order="order_id | order_date | currency | amount_minor | status\nO | 50 | EUR | 10 | open",
    )
    book, frame, held = asked(facts, instant("151"))
    assert frame["default_cause"].to_list() == ["overdue"]
    (limit,) = credit_limits(frame, [score(cause="overdue")], held, {"E": "EUR"}, LimitSettings())
    assert (limit.limit_minor, limit.decided_by, limit.availability) == (0, "default", "full")
    assert limit.exposure_minor is None
    assert limit.availability_reason == "in default already; no rate from GBP to EUR was known: load exchange rates"
    orders = open_orders(frame, book.facts, book.masters)
    (order,) = blocked_orders(orders, [limit], LimitSettings())
    assert order.why == limit.availability_reason


def drawn_limit(limit_minor: int | None, exposure_minor: int | None) -> CreditLimit:
    used = exposure_minor / limit_minor if limit_minor and exposure_minor is not None else None
    return CreditLimit("E", "A", "EUR", "full", None, 0.1, exposure_minor, limit_minor, "risk", used, None, None)


def test_the_most_used_limit_is_one_of_zero_with_something_owed() -> None:
    worst = [drawn_limit(0, 900), drawn_limit(0, 5), drawn_limit(100, 120), drawn_limit(100, 20), drawn_limit(None, 70)]
    shuffled = [worst[k] for k in (3, 1, 4, 0, 2)]
    assert sorted(shuffled, key=use_of, reverse=True) == worst
    assert use_of(drawn_limit(0, 0)) < use_of(drawn_limit(100, 20))


def test_losses_that_are_not_figured_say_why_and_show_no_number(
    drawn_facts: Draw, instant: Instant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | customer_id | issue_date | currency | owed
        I          | A           | 5          | EUR      | 20:1000
        J          | B           | 5          | GBP      | 20:77700
        """
    )
    book, frame, _ = asked(facts, instant("60"))
    told = ScoredCustomers(book, SimpleNamespace(rule=RULE), frame, [score("A"), score("B", None)])  # type: ignore[arg-type]
    monkeypatch.setattr(credit_asked, "scored_customers", lambda *_, **__: told)
    show_losses(
        as_of=None, entity=None, settings=LossSettings(), own=False, out=None, json_out=None, lake=None, mlruns=None
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["E", "EUR", "10.00", "0.08"] in rows
    # all of it is exposure, and none of it is figured
    assert ["E", "GBP", "777.00", "777.00", "1", "x", "no", "invoice", "so", "far"] in rows


def test_an_attribute_that_the_ledger_never_heard_of_is_a_missing_signal(drawn_facts: Draw, instant: Instant) -> None:
    names = ("worst_overdue_days", "attribute_monthly_revenue", "age_attribute_monthly_revenue")
    groups = ("overdue", "signals", "signals")
    model = replace(by_hand(), names=names, groups=groups, directions=(1, 0, 0), boosters=(Overdue(),))
    _, frame, _ = asked(drawn_facts(invoice="invoice_id | issue_date | owed\nI | 5 | 20:100000"), instant("60"))
    (told,) = scores(model, RULE, frame)
    assert told.pd is not None
    assert (told.signals, told.signals_missing) == ({}, ("monthly_revenue",))
    null = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names[1:])
    assert scores(model, RULE, null) == [told]
    with pytest.raises(BadInput, match="reads feature 'worst_overdue_days', which this ledger does not have"):
        scores(model, RULE, frame.drop("worst_overdue_days"))


class Overdue:
    """A booster by hand that reads the first column, and knows nothing of what the second says."""

    def predict(self, values: np.ndarray, *, pred_contrib: bool = False, **_: object) -> np.ndarray:
        assert np.isnan(values[:, 1:]).all()
        told = 0.01 * values[:, 0]
        return np.column_stack([told, 0 * told, 0 * told, 0 * told]) if pred_contrib else told
