"""How it ended, as far as was known: days paid, what was called off, and through when it was surely unpaid."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from features.facts import Facts
from features.labels import LONGEST_LAG_DAYS, knowledge_lags, labelled
from features.ledger import RECEIVABLE, receivable_states
from features.masters import entity_zones

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
Day = Callable[[str], date]


def told(facts: Facts, before: datetime) -> dict[str, tuple[date | None, bool, date]]:
    """invoice_id -> paid_date, cancelled, observed_until."""
    states = receivable_states(facts)
    asked = states.select(RECEIVABLE).unique(maintain_order=True)
    rows = labelled(asked, states, entity_zones(facts), before)
    assert rows.columns == [*RECEIVABLE, "paid_date", "cancelled", "observed_until"]
    columns = ("invoice_id", "paid_date", "cancelled", "observed_until")
    return {row[0]: row[1:] for row in rows.select(columns).iter_rows()}


def lags(facts: Facts, before: datetime) -> dict[str, int]:
    found = knowledge_lags(receivable_states(facts), entity_zones(facts), before)
    return dict(found.select("entity_id", "lag_days").iter_rows())


def test_an_outcome_is_the_one_known_before_the_instant(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    facts = drawn_facts(invoice="owed\n 10:100", allocation="date | known_at | amount_minor\n 12 | 12 | 100")
    assert told(facts, instant("12")) == {"I": (None, False, day("11"))}
    assert told(facts, instant("12+")) == {"I": (day("12"), False, day("11"))}


def test_what_was_not_known_yet_or_was_taken_back_has_no_row(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | known_at | deleted | owed
        stays      | 1        | no      | 10:100
        gone       | 1        | no      | 10:100
        gone       | 20       | yes     | 10:100
        later      | 30       | no      | 40:100
        """
    )
    assert list(told(facts, instant("20"))) == ["gone", "stays"]
    assert list(told(facts, instant("25"))) == ["stays"]
    assert list(told(facts, instant("31"))) == ["later", "stays"]


@pytest.mark.parametrize(
    ("zone", "before", "last_day"),
    [
        ("UTC", datetime(2024, 3, 1, tzinfo=UTC), date(2024, 2, 29)),
        ("UTC", datetime(2024, 3, 1, 23, 59, tzinfo=UTC), date(2024, 2, 29)),
        # there the day has not begun, or began long ago
        ("America/New_York", datetime(2024, 3, 1, tzinfo=UTC), date(2024, 2, 28)),
        ("America/New_York", datetime(2024, 3, 1, 5, tzinfo=UTC), date(2024, 2, 29)),
        ("Asia/Tokyo", datetime(2024, 2, 29, 15, tzinfo=UTC), date(2024, 2, 29)),
        ("Asia/Tokyo", datetime(2024, 2, 29, 14, 59, tzinfo=UTC), date(2024, 2, 28)),
    ],
)
def test_what_is_open_was_unpaid_through_the_last_whole_day(
    drawn_facts: Draw, zone: str, before: datetime, last_day: date
) -> None:
    facts = drawn_facts(entity=f"time_zone\n {zone}", invoice="owed\n 10:100")
    assert told(facts, before) == {"I": (None, False, last_day)}


# Payment n counted on day 10 + n and was learnt so many days later: within 3 days, all but one in 40.
LEARNT_AFTER = [0] * 20 + [1] * 16 + [3, 3, 3, 9]


def slow_books(learnt_after: list[int], entity: str = "E", newest: str = "") -> dict[str, str]:
    """`newest`: the day of one more payment and when it was learnt, `89 | 89`."""
    days = range(10, 10 + len(learnt_after))
    told = [(d, f"{d} | {d + lag}") for d, lag in zip(days, learnt_after, strict=True)]
    told += [(0, newest)] if newest else []
    invoices = "".join(f"\n{entity} | i{d} | 10:100" for d, _ in told)
    payments = "".join(f"\n{entity} | i{d} | {when} | 100" for d, when in told)
    return {
        "invoice": f"entity_id | invoice_id | owed{invoices}\n{entity} | open | 10:100",
        "allocation": f"entity_id | invoice_id | date | known_at | amount_minor{payments}",
    }


def test_what_looks_open_may_be_paid_already_within_the_usual_time_to_learn_of_it(
    drawn_facts: Draw, instant: Instant, day: Day
) -> None:
    facts = drawn_facts(**slow_books(LEARNT_AFTER, newest="89 | 89"))
    assert lags(facts, instant("90")) == {"E": 3}
    assert told(facts, instant("90"))["open"] == (None, False, day("86"))
    # as known on day 21, none of them was learnt later than the next day
    assert lags(facts, instant("21")) == {"E": 0}
    assert told(facts, instant("21"))["open"] == (None, False, day("20"))


def test_nobody_knows_what_was_unpaid_beyond_the_newest_payment(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    """Where the bank file is missing, or older than the invoices beside it."""
    books = slow_books([0] * 5)
    books["invoice"] += "\nE | of tomorrow | 400:100"
    told_then = told(drawn_facts(**books), instant("300"))
    assert {told_then[name] for name in ("open", "of tomorrow")} == {(None, False, day("14"))}


def test_the_time_to_learn_is_bounded_and_never_negative(drawn_facts: Draw, instant: Instant) -> None:
    assert lags(drawn_facts(**slow_books([40] * 5)), instant("90")) == {"E": LONGEST_LAG_DAYS}
    assert lags(drawn_facts(**slow_books([-3] * 5)), instant("90")) == {"E": 0}


def test_a_later_correction_of_something_else_is_not_when_the_payment_was_learnt(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="known_at | owed\n 1 | 10:100\n 40 | 11:100",
        allocation="date | known_at | amount_minor\n 12 | 13 | 100",
    )
    assert lags(facts, instant("90")) == {"E": 1}


def test_the_day_on_which_it_was_learnt_is_the_entitys(drawn_facts: Draw, instant: Instant) -> None:
    books = slow_books([0] * 5)
    learnt_at_midnight_utc = drawn_facts(entity="time_zone\n Pacific/Auckland", **books)
    assert lags(learnt_at_midnight_utc, instant("90")) == {"E": 0}
    evening = {
        **books,
        "allocation": books["allocation"].replace(" | 100", ".75 | 100").replace("amount_minor.75", "amount_minor"),
    }
    assert lags(drawn_facts(entity="time_zone\n Pacific/Auckland", **evening), instant("90")) == {"E": 1}
    assert lags(drawn_facts(**evening), instant("90")) == {"E": 0}


def test_each_entity_has_its_own_time_to_learn(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    quick = slow_books([0] * 5, newest="59 | 59")
    slow = slow_books([5] * 5, entity="F", newest="54 | 59")
    both = {name: quick[name] + "\n" + slow[name].split("\n", 1)[1] for name in quick}
    facts = drawn_facts(**both)
    assert lags(facts, instant("60")) == {"E": 0, "F": 5}
    states = receivable_states(facts)
    asked = states.filter(invoice_id="open").select(RECEIVABLE).unique(maintain_order=True)
    rows = labelled(asked, states, entity_zones(facts), instant("60"))
    assert rows["observed_until"].to_list() == [day("59"), day("54")]


def test_what_was_called_off_was_unpaid_until_the_day_before(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    facts = drawn_facts(
        invoice="owed\n 10:100", allocation="kind | date | known_at | amount_minor\n credit_note | 15 | 17 | 100"
    )
    assert told(facts, instant("17")) == {"I": (None, False, day("16"))}
    assert told(facts, instant("60")) == {"I": (None, True, day("14"))}


def test_a_payment_that_bounced_is_no_payment(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    facts = drawn_facts(
        invoice="owed\n 10:100",
        allocation="""
        allocation_id | known_at | deleted | date | amount_minor
        a             | 12       | no      | 12   | 100
        a             | 20       | yes     | 12   | 100
        """,
    )
    assert told(facts, instant("20"))["I"][:2] == (day("12"), False)
    assert told(facts, instant("21")) == {"I": (None, False, day("20"))}


def test_rows_keep_their_order_and_columns(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\n a | 10:1\n b | 10:1\n c | 10:1",
        allocation="invoice_id | date | amount_minor\n b | 9 | 1",
    )
    ids = ["c", "a", "b", "a", "unheard of"]
    asked = pl.DataFrame({"entity_id": "E", "invoice_id": ids, "instalment": [1] * 5, "cutoff_day": range(5)})
    rows = labelled(asked, receivable_states(facts), entity_zones(facts), instant("60"))
    assert rows.select(asked.columns).equals(asked[:4])
    assert rows["paid_date"].is_not_null().to_list() == [False, False, True, False]


def test_any_zone_and_precision_of_the_instant_will_do(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(invoice="owed\n 10:100", allocation="date | known_at | amount_minor\n 12 | 12 | 100")
    just_after = datetime(2024, 1, 12, microsecond=1, tzinfo=UTC)
    assert told(facts, just_after)["I"][0] == day("12")
    assert told(facts, just_after - timedelta(microseconds=1))["I"][0] is None


def test_without_facts_there_are_no_outcomes() -> None:
    nothing = Facts.of({})
    assert told(nothing, datetime(2024, 1, 1, tzinfo=UTC)) == {}
