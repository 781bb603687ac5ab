"""Promises as of a day: open, kept, broken or void; each customer's kept rate; what a promise does to a prediction."""

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from features.promise_looks import promise_looks
from features.promises import promises_known
from models.distribution import Distribution
from models.promises import (
    NO_HABITS,
    PARTS,
    PRIOR_WEIGHTS,
    Habits,
    Promise,
    Promises,
    chance_kept,
    fit_weights,
    learn_habits,
    promise_words,
    with_promises,
)

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
        ("1 | I | payment | 11 | 100", "13", "kept"),  # promise and payment crossed
        ("1 | I | payment | 11 | 60\n2 | I | credit_note | 11 | 40", "30", "kept"),
        ("1 | I | credit_note | 11 | 100", "30", "void"),
        ("1 | I | payment | 11 | 60\n2 | I | credit_note | 15 | 40", "30", "void"),  # nothing was paid on the promise
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


def test_a_promise_for_the_account_crosses_only_with_what_nobody_knew_of(drawn_facts: Draw, instant: Instant) -> None:
    def told(known_at: int) -> str | None:
        paid = f"invoice_id | kind | date | amount_minor | known_at\n I | payment | 11 | 100 | {known_at}"
        facts = drawn_facts(invoice=INVOICES, promise=PROMISE.format(invoice="-", amount=100), allocation=paid)
        return state(Book(facts), instant("30"))

    assert told(14) == "kept", "in the bank's file two days after the customer said so"
    assert told(11) == "void", "nothing was owed that day"


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


# --- past promises as they looked ---------------------------------------------------------------------------------


def looks_of(book: Book, as_of: datetime) -> pl.DataFrame:
    return promise_looks(book, promises_known(book, as_of), "E")


def test_a_promise_is_looked_at_the_day_after_and_each_week_while_it_is_open(
    drawn_facts: Draw, instant: Instant, day: Day
) -> None:
    book = book_of(drawn_facts, "1 | I | payment | 30 | 100\n2 | J | payment | 40 | 50")
    looks = looks_of(book, instant("50"))
    assert looks["cutoff_day"].to_list() == [day("13"), day("20")]
    assert looks["paid_date"].to_list() == [day("30")] * 2
    assert looks["kept_rate"].to_list() == [0.5, 0.5], "none was over by then"


def test_what_is_not_over_is_not_looked_at(drawn_facts: Draw, instant: Instant) -> None:
    assert looks_of(book_of(drawn_facts, "1 | J | payment | 21 | 50"), instant("22")).is_empty()
    assert looks_of(Book(drawn_facts(invoice=INVOICES)), instant("50")).is_empty()


def test_once_the_payment_is_known_there_is_no_look(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    book = book_of(drawn_facts, "1 | I | payment | 15 | 100\n2 | J | payment | 40 | 50")
    assert looks_of(book, instant("50"))["cutoff_day"].to_list() == [day("13")]


def test_the_rate_at_a_look_is_what_a_question_of_that_day_would_find(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(**run_of_promises(kept=6, broken=3))
    book = Book(facts)
    looks = looks_of(book, instant("300")).filter(pl.col("cutoff").is_first_distinct())
    assert len(looks) == 9
    for cutoff, rate in looks.select("cutoff", "kept_rate").iter_rows():
        assert promises_known(book, cutoff).rates["kept_rate"].to_list() == [pytest.approx(rate)]


# --- what a promise does to a prediction --------------------------------------------------------------------------


class Even:
    """A model to which every day of `horizon` is as likely as any other."""

    explainer = None
    feature_names = ("past_due",)
    horizon = 100

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        start = frame["cutoff_day"].to_numpy().astype("datetime64[D]")
        return Distribution(start, np.full((len(frame), self.horizon), 1 / self.horizon))


def run_of_promises(kept: int, broken: int, customer: str = "A") -> dict[str, str]:
    """One promise after another, 20 days apart: kept on the promised day, broken by 9 days."""
    invoices, promises, paid = [], [], []
    for k in range(kept + broken):
        name, first = f"{customer}{k}", 20 * k
        late = 0 if k < kept else 9
        invoices.append(f"{name} | {customer} | {first + 1} | {first + 2}:100")
        promises.append(f"P{name} | {customer} | {name} | {first + 5} | {first + 10} | 100")
        paid.append(f"Q{name} | {name} | payment | {first + 10 + late} | 100")
    return {
        "invoice": "invoice_id | customer_id | issue_date | owed\n" + "\n".join(invoices),
        "promise": "promise_id | customer_id | invoice_id | made_on | promised_for | amount_minor\n"
        + "\n".join(promises),
        "allocation": HEAD + "\n".join(paid),
    }


def both(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    return {name: text + "\n" + second[name].split("\n", 1)[1] for name, text in first.items()}


def asked(book: Book, as_of: datetime) -> tuple[pl.DataFrame, list[Promise | None]]:
    subjects = book.open_receivables(as_of)
    return subjects, Promises(book, Even()).of(subjects)


def promise(day_: date, rate: float = 0.8, habits: Habits = NO_HABITS) -> Promise:
    due_by = date.fromordinal(day_.toordinal() + 2)
    said = {"promise_id": "X", "promised_for": day_, "due_by": due_by, "kept": 3, "due": 4, "kept_rate": rate}
    return Promise(said, habits)


def even(rows: int, day_: date, mass: float = 1.0) -> Distribution:
    return Distribution(np.full(rows, np.datetime64(day_)), np.full((rows, 100), mass / 100))


def test_the_reliable_and_the_unreliable_are_told_apart(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    """Thirty promises each, all kept and all broken; both promise the same day: who keeps moves up, who breaks down."""
    open_now = {
        "invoice": "h\nIA | A | 605 | 606:100\nIB | B | 605 | 606:100",
        "promise": "h\nPA | A | IA | 610 | 620 | 100\nPB | B | IB | 610 | 620 | 100",
        "allocation": "h\nz | A0 | payment | 609 | 0",
    }
    history = both(run_of_promises(30, 0, "A"), run_of_promises(0, 30, "B"))
    book = Book(drawn_facts(**both(history, open_now)))
    subjects, promises = asked(book, instant("611"))
    assert subjects["invoice_id"].to_list() == ["IA", "IB"]
    plain = Even().distribution(subjects)
    seen, chances = with_promises(plain, promises)
    base = float(plain.pmf[0, :12].sum())
    assert chances[0] > 0.85 > 0.3 > base > chances[1] * 0.9
    assert chances[1] < 0.1
    assert seen.pmf[0].argmax() == 9, "kept ones were paid on the promised day"
    assert seen.pmf[1, 12:25].sum() > 0.6, "broken ones nine days after it"
    assert seen.pmf.sum(axis=1) == pytest.approx(1)


def test_the_window_holds_the_chance_that_it_is_kept_and_the_days_keep_their_shape(day: Day) -> None:
    seen, (chance,) = with_promises(even(1, day("13")), [promise(day("20"), 0.5)])
    assert chance == pytest.approx(0.10), "as the model alone: no habits, and a rate that says nothing"
    assert seen.pmf[0] == pytest.approx(even(1, day("13")).pmf[0])
    sure, (more,) = with_promises(even(1, day("13")), [promise(day("20"), 0.9)])
    assert more == pytest.approx(0.5), "odds of 1 to 9, times 9"
    assert sure.pmf[0, :10] == pytest.approx(np.full(10, 0.05))


def test_what_lies_beyond_the_horizon_takes_its_share(day: Day) -> None:
    seen, (chance,) = with_promises(even(1, day("13"), 0.5), [promise(day("20"))])
    left = 1 - seen.pmf[0].sum()
    assert seen.pmf[0, :10].sum() == pytest.approx(chance)
    assert left == pytest.approx((1 - chance) * 0.50 / 0.95, rel=0.01), "of the 95 % that are not in the window"


def test_a_promise_beyond_the_horizon_changes_nothing(day: Day) -> None:
    seen, _ = with_promises(even(1, day("13")), [promise(day("200"))])
    assert seen.pmf.tolist() == even(1, day("13")).pmf.tolist()


def test_rows_without_a_promise_stay_to_the_bit_and_rows_do_not_depend_on_each_other(day: Day) -> None:
    habits = Habits(np.array([1.0, 0.9, 0.8]), np.linspace(0.1, 2, len(PARTS)), 30)
    given = promise(day("20"), 0.7, habits)
    together, _ = with_promises(even(2, day("13")), [None, given])
    alone, _ = with_promises(even(1, day("13")), [given])
    assert together.pmf[0].tolist() == even(1, day("13")).pmf[0].tolist()
    assert together.pmf[1].tolist() == alone.pmf[0].tolist()


def test_without_a_past_the_weights_are_those_declared(drawn_facts: Draw, instant: Instant) -> None:
    book = book_of(drawn_facts)
    assert learn_habits(book, Even(), promises_known(book, instant("13")), "E") is NO_HABITS
    assert NO_HABITS.weights.tolist() == list(PRIOR_WEIGHTS)


def test_few_promises_move_the_weights_little_and_many_all_the_way() -> None:
    def fitted(count: int) -> float:
        even_chances = np.full(count, 0.5)
        return chance_kept(fit_weights(even_chances, even_chances, np.ones(count, dtype=bool)), 0.5, 0.5)

    assert 0.5 < fitted(1) < 0.75 < fitted(100)


def test_neither_chance_nor_rate_ever_counts_against_a_promise() -> None:
    rate = np.tile([0.1, 0.9], 50)
    weights = fit_weights(rate[::-1], rate, rate < 0.5)
    assert min(weights[1:]) == 0 or weights[2] == 0


def test_rows_of_one_frame_may_have_cutoffs_of_their_own(drawn_facts: Draw, instant: Instant) -> None:
    book = book_of(drawn_facts)
    frame = pl.concat(
        [book.open_receivables(instant(at), "E").filter(pl.col("invoice_id") == "I") for at in ("12", "13")]
    )
    told = Promises(book, Even()).of(frame)
    assert told[0] is None, "nobody knew of it yet"
    assert told[1] is not None
    assert told[1].said["promise_id"] == "X"


def test_a_book_without_promises_is_asked_nothing(drawn_facts: Draw, instant: Instant) -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    book = Book(drawn_facts(invoice=INVOICES))
    assert Promises(book, Untouchable()).of(book.open_receivables(instant("13"))) == [None, None]


def test_what_a_promise_tells_differs_with_all_that_changes_the_answer(day: Day) -> None:
    habits = Habits(np.array([0.1, 1.0, 1.0]), np.ones(len(PARTS)), 5)
    told = [promise(day("20")), promise(day("21")), promise(day("20"), 0.7), promise(day("20"), habits=habits)]
    assert len({p.told() for p in told}) == 4
    assert promise(day("20")).told() == told[0].told()


def test_a_promise_in_words() -> None:
    said = {"promised_for": date(2026, 1, 14), "kept": 8, "due": 13}
    assert promise_words(said, 0.617) == "promised for 2026-01-14; kept with a chance of 62 % (8 of 13 kept)"
    assert promise_words(said | {"due": 0}, 0.5).endswith("(none of its promises was due so far)")
