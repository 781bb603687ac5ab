"""Promises as of a day: open, kept, broken or void; each customer's kept rate; what a promise does to a prediction."""

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from features.promises import promises_known
from models.distribution import Distribution, on_one_day
from models.promises import EARLIEST_DAYS, OpenPromises, kept_spread, promise_words, with_promises

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
Day = Callable[[str], date]

INVOICES = """
invoice_id | customer_id | issue_date | owed
I          | A           | 1          | 10:100
J          | A           | 1          | 30:50
"""
PROMISE = """
promise_id | customer_id | invoice_id | made_on | promised_for | amount_minor
X          | A           | {invoice}  | 12      | 20           | {amount}
"""
HEAD = "allocation_id | invoice_id | kind | date | amount_minor\n"


def book_of(drawn_facts: Draw, paid: str = "", *, invoice: str = "I", amount: int = 100) -> Book:
    allocations = {"allocation": HEAD + paid} if paid else {}
    told = PROMISE.format(invoice=invoice, amount=amount)
    return Book(drawn_facts(invoice=INVOICES, promise=told, **allocations))


def state(book: Book, as_of: datetime) -> str | None:
    rows = promises_known(book, as_of).states["state"].to_list()
    return rows[0] if rows else None


@pytest.mark.parametrize(
    ("paid", "at", "expected"),
    [
        ("", "12", None),  # learnt on day 12, at whose start nobody knew
        ("", "13", "open"),
        ("", "22", "open"),  # two days of tolerance
        ("", "23", "broken"),
        ("1 | I | payment | 15 | 100", "16", "kept"),
        ("1 | I | payment | 22 | 100", "30", "kept"),
        ("1 | I | payment | 23 | 100", "30", "broken"),
        ("1 | I | payment | 15 | 60", "16", "open"),
        ("1 | I | payment | 15 | 60", "30", "broken"),
        ("1 | I | payment | 15 | 60\n2 | I | credit_note | 16 | 40", "30", "kept"),
        ("1 | I | write_off | 15 | 100", "16", "void"),
        ("1 | J | payment | 15 | 50", "30", "broken"),
    ],
)
def test_a_promise_is_judged_by_what_is_known_of_its_invoice(
    drawn_facts: Draw, instant: Instant, paid: str, at: str, expected: str | None
) -> None:
    assert state(book_of(drawn_facts, paid), instant(at)) == expected


def test_a_payment_learnt_too_late_leaves_it_broken_until_then(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice=INVOICES,
        promise=PROMISE.format(invoice="I", amount=100),
        allocation="invoice_id | date | amount_minor | known_at\n I | 20 | 100 | 25",
    )
    assert [state(Book(facts), instant(at)) for at in ("24", "25+")] == ["broken", "kept"]


def test_a_promise_for_the_account_is_about_what_was_past_due(drawn_facts: Draw, instant: Instant) -> None:
    paid_the_other = "1 | J | payment | 15 | 50"
    book = book_of(drawn_facts, paid_the_other, invoice="-", amount=50)
    assert state(book, instant("30")) == "broken", "J was not due yet when the promise was made"
    paid_it = "1 | I | payment | 15 | 100"
    assert state(book_of(drawn_facts, paid_it, invoice="-"), instant("30")) == "kept"


def test_a_promise_about_nothing_known_is_void(drawn_facts: Draw, instant: Instant) -> None:
    assert state(book_of(drawn_facts, invoice="GONE"), instant("30")) == "void"


def test_no_promises_no_rows(drawn_facts: Draw, instant: Instant) -> None:
    known = promises_known(Book(drawn_facts(invoice=INVOICES)), instant("30"))
    assert (len(known.states), len(known.rates), len(known.open)) == (0, 0, 0)


def test_open_promises_name_the_receivables_that_they_cover(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    known = promises_known(book_of(drawn_facts), instant("13"))
    (row,) = known.open.iter_rows(named=True)
    assert (row["invoice_id"], row["promised_for"], row["due_by"]) == ("I", day("20"), day("22"))
    assert (row["kept"], row["due"], row["kept_rate"]) == (0, 0, 0.5)


def test_a_promise_of_a_part_says_nothing_of_the_whole(drawn_facts: Draw, instant: Instant) -> None:
    assert promises_known(book_of(drawn_facts, amount=60), instant("13")).open.is_empty()


def many(kept: int, broken: int, customer: str = "A") -> dict[str, str]:
    names = [f"{customer}{k}" for k in range(kept + broken)]
    invoices = "\n".join(f"{n} | {customer} | 1 | 10:100" for n in names)
    promises = "\n".join(f"P{n} | {customer} | {n} | 12 | 20 | 100" for n in names)
    paid = "\n".join(f"Q{n} | {n} | payment | 19 | 100" for n in names[:kept])
    return {
        "invoice": f"invoice_id | customer_id | issue_date | owed\n{invoices}",
        "promise": f"promise_id | customer_id | invoice_id | made_on | promised_for | amount_minor\n{promises}",
        **({"allocation": HEAD + paid} if paid else {}),
    }


def test_the_kept_rate_is_drawn_to_the_entity_and_moves_with_the_customer(drawn_facts: Draw, instant: Instant) -> None:
    def rate(kept: int, broken: int) -> float:
        return promises_known(Book(drawn_facts(**many(kept, broken))), instant("40")).rates["kept_rate"][0]

    assert 0.5 < rate(1, 0) < rate(9, 0) < 1
    assert 0 < rate(0, 9) < rate(0, 1) < 0.5
    assert rate(5, 5) == pytest.approx(0.5)


def test_a_promise_kept_early_does_not_count_before_it_was_due(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(**many(3, 0))
    assert promises_known(Book(facts), instant("21")).rates["due"].to_list() == [0]
    assert promises_known(Book(facts), instant("23")).rates["due"].to_list() == [3]


# --- what a promise does to a prediction --------------------------------------------------------------------------


def promised(rate: float, day_: date, *, spread: np.ndarray | None = None) -> OpenPromises:
    rows = pl.DataFrame(
        {
            "entity_id": ["E"],
            "invoice_id": ["I"],
            "instalment": [1],
            "customer_id": ["A"],
            "promised_for": [day_],
            "kept": [3],
            "due": [4],
            "kept_rate": [rate],
        }
    )
    on_the_day = np.zeros(EARLIEST_DAYS + 3)
    on_the_day[EARLIEST_DAYS] = 1.0
    return OpenPromises(rows, on_the_day if spread is None else spread)


def frame_of(*invoices: str) -> pl.DataFrame:
    return pl.DataFrame({"entity_id": ["E"] * len(invoices), "invoice_id": invoices, "instalment": [1] * len(invoices)})


def own(day: int, rows: int = 1) -> Distribution:
    made = on_one_day(np.array(["2024-01-13"] * rows, "M8[D]"), np.full(rows, day))
    return Distribution(made.start, np.pad(made.pmf, ((0, 0), (0, 60 - made.pmf.shape[1]))))


def test_it_is_kept_as_often_as_the_rate_says_and_else_the_model_holds(day: Day) -> None:
    mixed, told = with_promises(own(40), frame_of("I"), promised(0.75, day("20")))
    assert mixed.pmf[0, 7] == pytest.approx(0.75), "day 20 is 7 days ahead"
    assert mixed.pmf[0, 40] == pytest.approx(0.25)
    assert told["kept_rate"].to_list() == [0.75]


def test_what_the_model_expects_before_the_promised_day_is_not_how_a_promise_is_broken(day: Day) -> None:
    mixed, _ = with_promises(own(3), frame_of("I"), promised(0.6, day("20")))
    assert mixed.pmf[0, :7].sum() == 0
    assert mixed.pmf[0].sum() == pytest.approx(1.0), "moved behind the last day of tolerance"
    assert mixed.pmf[0, 10:].sum() == pytest.approx(0.4)


def test_days_gone_by_count_against_it(day: Day) -> None:
    spread = np.zeros(EARLIEST_DAYS + 3)
    spread[EARLIEST_DAYS], spread[EARLIEST_DAYS + 2] = 0.8, 0.2
    mixed, _ = with_promises(own(40), frame_of("I"), promised(0.75, day("12"), spread=spread))
    assert mixed.pmf[0, 1] == pytest.approx(0.15 / 0.40), "only the late fifth of the kept ones is left"
    gone, _ = with_promises(own(40), frame_of("I"), promised(0.75, day("1")))
    assert gone.pmf[0].tolist() == own(40).pmf[0].tolist()


def test_rows_without_a_promise_stay_to_the_bit_and_rows_do_not_depend_on_each_other(day: Day) -> None:
    promises = promised(0.75, day("20"))
    both, _ = with_promises(own(40, 2), frame_of("J", "I"), promises)
    alone, _ = with_promises(own(40), frame_of("I"), promises)
    assert both.pmf[0].tolist() == own(40).pmf[0].tolist()
    assert both.pmf[1].tolist() == alone.pmf[0].tolist()


def test_the_spread_is_learnt_from_kept_promises(drawn_facts: Draw, instant: Instant) -> None:
    before = kept_spread(promises_known(Book(drawn_facts(**many(0, 1))), instant("40")))
    after = kept_spread(promises_known(Book(drawn_facts(**many(20, 0))), instant("40")))
    assert before.sum() == pytest.approx(1)
    assert after[EARLIEST_DAYS - 1] > 0.7 > before[EARLIEST_DAYS - 1], "paid a day before the promised one"


def test_a_promise_in_words() -> None:
    row = {"promised_for": date(2026, 1, 14), "kept": 8, "due": 13, "kept_rate": 0.617}
    assert promise_words(row) == "promised for 2026-01-14; kept with a chance of 62 % (8 of 13 kept)"
    assert promise_words(row | {"due": 0}).endswith("(none of its promises was due so far)")
