"""Questions to a ledger: what was open, what was issued, what was known of it, and what cannot be answered."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from features.book import SUBJECT, Book
from features.catalogue import attribute_features, catalogue
from features.declarations import Count, Feature
from features.errors import BadInput, NotFound
from features.facts import Facts
from features.kpis.asof import AsOf
from features.tables import INSTANT

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
Day = Callable[[str], date]

FEW = (Feature("known", Count(), event="invoiced", doc="receivables"),)
LONG_AGO, FAR_OFF = date.min, date.max


def rows(subjects: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    assert tuple(subjects.columns) == SUBJECT
    return subjects.select(columns).rows()


# --- at issue -----------------------------------------------------------------------------------------------------


def test_a_receivable_is_issued_once_with_its_first_amount_and_dates(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | customer_id | issue_date | known_at | owed
        I          | A           | 3          | 3        | 10:60 20:40
        I          | B           | 4          | 8        | 12:90
        """
    )
    told = Book(facts).at_issue(LONG_AGO, FAR_OFF)
    assert rows(told, "instalment", "customer_id", "amount_minor", "issue_date", "due_date", "cutoff_day") == [
        (1, "A", 60, day("3"), day("10"), day("3")),
        (2, "A", 40, day("3"), day("20"), day("3")),
    ]


@pytest.mark.parametrize(
    ("learnt", "seen"),
    [("2", "3"), ("3", "3"), ("3.5", "3"), ("4-", "3"), ("4", "4"), ("9.9", "9")],
)
def test_what_is_learnt_after_its_issue_day_is_seen_on_the_day_it_was_learnt(
    drawn_facts: Draw, day: Day, instant: Instant, learnt: str, seen: str
) -> None:
    facts = drawn_facts(invoice=f"issue_date | known_at | owed\n 3 | {learnt} | 10:60")
    told = Book(facts).at_issue(LONG_AGO, FAR_OFF)
    assert rows(told, "cutoff_day", "cutoff") == [(day(seen), instant(seen))]


def test_days_start_where_the_entity_is(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        entity="entity_id | time_zone\n E | America/New_York\n F | Asia/Tokyo",
        invoice="entity_id | issue_date | known_at | owed\n E | 3 | 4 | 10:60\n F | 3 | 3.7 | 10:60",
    )
    told = Book(facts).at_issue(LONG_AGO, FAR_OFF)
    # midnight of the 4th in UTC is still the 3rd in New York; the evening of the 3rd is the 4th in Tokyo
    assert rows(told, "entity_id", "cutoff_day", "cutoff") == [
        ("E", day("3"), datetime(2024, 1, 3, 5, tzinfo=UTC)),
        ("F", day("4"), datetime(2024, 1, 3, 15, tzinfo=UTC)),
    ]


def test_the_window_counts_the_first_day_and_not_the_last(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | issue_date | known_at | owed
        a          | 2          | 2        | 9:1
        b          | 3          | 3        | 9:1
        c          | 3          | 5        | 9:1
        d          | 5          | 5        | 9:1
        """
    )
    assert rows(Book(facts).at_issue(day("3"), day("5")), "invoice_id") == [("b",)]
    assert rows(Book(facts).at_issue(day("5"), day("6")), "invoice_id") == [("c",), ("d",)]
    assert Book(facts).at_issue(day("5"), day("5")).is_empty()


def test_what_the_seller_owes_and_what_is_nothing_are_nobodys_to_pay(drawn_facts: Draw) -> None:
    facts = drawn_facts(invoice="invoice_id | owed\n a | 9:-5\n b | 9:0\n c | 9:5 12:-2")
    assert rows(Book(facts).at_issue(LONG_AGO, FAR_OFF), "invoice_id", "instalment") == [("c", 1)]


# --- open ---------------------------------------------------------------------------------------------------------


def test_open_is_what_was_open_as_known_then(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | known_at | deleted | owed
        paid       | 1        | no      | 10:100
        part       | 1        | no      | 10:100
        negative   | 1        | no      | 10:-100
        gone       | 1        | no      | 10:100
        gone       | 9        | yes     | 10:100
        moved      | 1        | no      | 10:100
        moved      | 9        | no      | 15:80
        later      | 12       | no      | 30:100
        """,
        allocation="invoice_id | date | amount_minor\n paid | 8 | 100\n part | 8 | 40",
    )
    book = Book(facts)
    assert rows(book.open_receivables(instant("1")), "invoice_id") == []
    assert rows(book.open_receivables(instant("8")), "invoice_id") == [("gone",), ("moved",), ("paid",), ("part",)]
    assert rows(book.open_receivables(instant("8+")), "invoice_id") == [("gone",), ("moved",), ("part",)]
    assert rows(book.open_receivables(instant("13")), "invoice_id", "amount_minor", "due_date") == [
        ("later", 100, date(2024, 1, 30)),
        ("moved", 80, date(2024, 1, 15)),
        ("part", 100, date(2024, 1, 10)),
    ]


def test_one_instant_is_one_cutoff_and_each_entitys_own_day(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    facts = drawn_facts(
        entity="entity_id | time_zone\n E | America/New_York\n F | Asia/Tokyo",
        invoice="entity_id | owed\n E | 10:60\n F | 10:60",
    )
    book = Book(facts)
    told = book.open_receivables(instant("4"))
    assert rows(told, "entity_id", "cutoff", "cutoff_day") == [
        ("E", instant("4"), day("3")),
        ("F", instant("4"), day("4")),
    ]
    assert rows(book.open_receivables(instant("4"), "F"), "entity_id") == [("F",)]


def test_any_zone_and_precision_of_the_instant_will_do(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(invoice="known_at | owed\n 4 | 10:60")
    book = Book(facts, FEW)
    berlin = instant("4").astimezone(ZoneInfo("Europe/Berlin"))
    assert book.open_receivables(berlin).is_empty()
    barely_after = instant("4") + timedelta(microseconds=1)
    assert rows(book.open_receivables(barely_after), "cutoff") == [(instant("4+"),)]
    # what makes a receivable open makes it count as well
    assert book.features(book.open_receivables(barely_after))["known"].to_list() == [1]
    with pytest.raises(BadInput, match="has no time zone"):
        book.open_receivables(datetime(2024, 1, 5))  # noqa: DTZ001 - that it lacks one is the point


# --- still open ---------------------------------------------------------------------------------------------------


def test_still_open_is_seen_so_many_days_after_it_was_due(drawn_facts: Draw, instant: Instant, day: Day) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\n a | 10:100\n b | 10:100\n c | 20:100",
        allocation="invoice_id | date | known_at | amount_minor\n b | 14 | 15 | 100\n c | 21 | 21 | 30",
    )
    book = Book(facts)
    assert rows(book.still_open(LONG_AGO, FAR_OFF, 5), "invoice_id", "cutoff_day", "cutoff") == [
        ("a", day("15"), instant("15")),
        ("b", day("15"), instant("15")),  # its payment is learnt at that very instant
        ("c", day("25"), instant("25")),
    ]
    assert rows(book.still_open(LONG_AGO, FAR_OFF, 6), "invoice_id") == [("a",), ("c",)]
    assert rows(book.still_open(day("15"), day("25"), 5), "invoice_id") == [("a",), ("b",)]
    assert rows(book.still_open(LONG_AGO, FAR_OFF, -3), "invoice_id", "cutoff_day") == [
        ("a", day("7")),
        ("b", day("7")),
        ("c", day("17")),
    ]


def test_still_open_goes_by_the_due_date_that_stood_then(drawn_facts: Draw, day: Day) -> None:
    moved_in_time = "known_at | owed\n 1 | 10:100\n 12 | 30:100"
    moved_too_late = "known_at | owed\n 1 | 10:100\n 17 | 30:100"
    assert rows(Book(drawn_facts(invoice=moved_in_time)).still_open(LONG_AGO, FAR_OFF, 5), "cutoff_day") == [
        (day("35"),)
    ]
    assert rows(Book(drawn_facts(invoice=moved_too_late)).still_open(LONG_AGO, FAR_OFF, 5), "cutoff_day") == [
        (day("15"),),
        (day("35"),),
    ]


def test_still_open_starts_after_the_issue_day(drawn_facts: Draw, day: Day) -> None:
    book = Book(drawn_facts(invoice="issue_date | owed\n 3 | 10:100"))
    assert book.still_open(LONG_AGO, FAR_OFF, -7).is_empty()
    assert rows(book.still_open(LONG_AGO, FAR_OFF, -6), "cutoff_day") == [(day("4"),)]


# --- one invoice --------------------------------------------------------------------------------------------------


def test_one_invoice_is_its_open_instalments(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\n I | 10:60 20:40\n J | 10:60", allocation="date | amount_minor\n 9 | 60"
    )
    assert rows(Book(facts).subject("E", "I", instant("5")), "invoice_id", "instalment") == [("I", 1), ("I", 2)]
    assert rows(Book(facts).subject("E", "I", instant("15")), "invoice_id", "instalment") == [("I", 2)]


@pytest.mark.parametrize(
    ("entity", "invoice", "as_of", "message"),
    [
        ("G", "I", "15", "no entity 'G'; there are: E, F"),
        ("E", "K", "15", "invoice 'K' of 'E' is not known as of 2024-01-15 (America/New_York)"),
        ("F", "J", "15", "invoice 'J' of 'F' is not known as of 2024-01-15 (UTC)"),
        ("E", "I", "2", "invoice 'I' of 'E' is not known as of 2024-01-01 (America/New_York)"),
        ("E", "I", "15", "invoice 'I' of 'E' is not open as of 2024-01-15 (America/New_York)"),
    ],
)
def test_an_invoice_that_cannot_be_asked_about(
    drawn_facts: Draw, day: Day, instant: Instant, entity: str, invoice: str, as_of: str, message: str
) -> None:
    facts = drawn_facts(
        entity="entity_id | time_zone\n E | America/New_York\n F | UTC",
        invoice="entity_id | invoice_id | known_at | owed\n E | I | 2 | 10:60\n E | J | 2 | 10:60\n F | I | 2 | 10:60",
        allocation="date | amount_minor\n 9 | 60",
    )
    evening = instant(as_of) + timedelta(hours=6 if as_of == "15" else 0)
    with pytest.raises(NotFound) as caught:
        Book(facts).subject(entity, invoice, evening)
    assert str(caught.value) == message


# --- features -----------------------------------------------------------------------------------------------------


SOME = {
    "entity": "entity_id | time_zone\n E | UTC\n F | UTC",
    "customer": "entity_id | customer_id | segment\n E | A | S\n E | B | S\n F | A | T",
    "invoice": """
    entity_id | customer_id | invoice_id | issue_date | owed
    E         | A           | a1         | 1          | 10:100
    E         | A           | a2         | 5          | 20:200 40:50
    E         | B           | b1         | 6          | 20:300
    E         | A           | a3         | 30         | 50:400
    F         | A           | a1         | 3          | 20:500
    """,
    "allocation": """
    entity_id | invoice_id | date | amount_minor
    E         | a1         | 12   | 100
    E         | a2         | 25   | 200
    E         | b1         | 21   | 300
    F         | a1         | 28   | 500
    """,
    "payment": """
    entity_id | customer_id | value_date | amount_minor
    E         | A           | 12         | 100
    E         | A           | 25         | 200
    F         | A           | 28         | 500
    """,
    "customer_attribute": "customer_id | name | day | value\n A | revenue | 2 | 7\n A | revenue | 8 | 14",
}


def test_features_come_in_the_order_of_the_subjects(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME))
    asked = pl.concat([book.at_issue(LONG_AGO, FAR_OFF), book.open_receivables(instant("24"))])
    straight = book.features(asked)
    assert straight.columns == [*SUBJECT, "segment", "country", *book.feature_names]
    assert all(straight.schema[name] == pl.Float64 for name in book.feature_names)
    assert straight.select(SUBJECT).equals(asked)
    order = [5, 0, 7, 2, 2, 6, 1, 3, 4, 8][: len(asked)]
    assert book.features(asked[order]).equals(straight[order])
    assert book.features(asked.reverse()).equals(straight.reverse())


def test_a_subject_alone_gets_the_bits_it_gets_among_others(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME))
    asked = book.open_receivables(instant("24.3"))
    together = book.features(asked)
    for n in range(len(asked)):
        assert book.features(asked[n]).equals(together[n])


def test_entities_are_never_mixed(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(**SOME)
    alone = Facts.of({name: frame.filter(pl.col("entity_id") == "F") for name, frame in facts.tables.items()})
    declared = catalogue(["revenue"])
    asked = Book(facts).open_receivables(instant("27"), "F")
    assert Book(facts, declared).features(asked).equals(Book(alone, declared).features(asked))


def test_some_features_by_hand(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME))
    told = book.features(book.subject("E", "a3", instant("31"))).row(0, named=True)
    expected = {
        "segment": "S",
        "days_late_count": 2,
        "days_late_mean": 3.5,
        "days_late_last": 5,
        "days_to_settle_mean": 15.5,
        "open_count": 2,
        "open_cents": 450,
        "overdue_0_count": 0,
        "segment_days_late_mean": 8 / 3,
        "entity_days_late_mean": 8 / 3,
        "days_since_paid": 6,
        "paid_gap_mean_days": 13,
        "past_due": -19,
        "age": 1,
        "terms": 20,
        "attribute_revenue": 14,
    }
    assert {name: told[name] for name in expected} == pytest.approx(expected)


def test_subjects_of_an_unknown_entity_are_refused(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME), FEW)
    asked = book.open_receivables(instant("24")).with_columns(
        entity_id=pl.when(pl.col("invoice_id") == "a2").then(pl.lit("X")).otherwise("entity_id")
    )
    with pytest.raises(NotFound, match="no entity 'X'; there are: E, F"):
        book.features(asked)


def test_a_customer_without_history_has_what_the_pool_tells(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME))
    known = book.subject("E", "a3", instant("31"))
    told = book.features(known.with_columns(customer_id=pl.lit("new"))).row(0, named=True)
    assert (told["days_late_count"], told["days_late_mean"], told["segment"]) == (0, None, None)
    assert told["days_late_pooled"] == told["entity_days_late_mean"] == pytest.approx(8 / 3)


def test_attributes_become_features_of_every_book_that_declares_them(drawn_facts: Draw, instant: Instant) -> None:
    book = Book(drawn_facts(**SOME))
    names = [f.name for f in attribute_features(["revenue"])]
    assert list(book.feature_names[-len(names) :]) == names
    # one that is not known yet is missing, not an error
    before = Book(drawn_facts(**{k: v for k, v in SOME.items() if k != "customer_attribute"}), book.declared)
    asked = book.subject("E", "a3", instant("31"))
    told = before.features(asked)
    assert told["attribute_revenue"].to_list() == [None]
    assert told.drop(names).equals(book.features(asked).drop(names))


# --- nothing at all -----------------------------------------------------------------------------------------------


def test_an_empty_ledger_answers_with_nothing(instant: Instant) -> None:
    book = Book(Facts.of({}))
    for asked in (
        book.at_issue(LONG_AGO, FAR_OFF),
        book.still_open(LONG_AGO, FAR_OFF, 5),
        book.open_receivables(instant("5")),
    ):
        assert asked.is_empty()
        assert (asked.schema["cutoff"], asked.schema["cutoff_day"]) == (INSTANT, pl.Date)
        told = book.features(asked)
        assert told.columns == [*SUBJECT, "segment", "country", *book.feature_names]
        assert book.labelled(told, instant("5")).is_empty()
    with pytest.raises(NotFound, match="the ledger is empty; ingest some invoices first"):
        book.last_known()
    with pytest.raises(NotFound, match="no entity 'E'; there are: none"):
        book.subject("E", "I", instant("5"))
    with pytest.raises(NotFound, match="no entity 'E'"):
        book.open_receivables(instant("5"), "E")


def test_two_invoices_are_enough_to_answer(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | issue_date | owed\n a | 1 | 10:100\n b | 12 | 20:100",
        allocation="invoice_id | date | amount_minor\n a | 11 | 100",
    )
    book = Book(facts)
    told = book.features(book.at_issue(LONG_AGO, FAR_OFF))
    assert told.select("invoice_id", "days_late_mean").rows() == [("a", None), ("b", 1.0)]
    assert book.labelled(told)["paid_date"].to_list() == [date(2024, 1, 11), None]


def test_before_the_first_fact_nothing_is_open_and_afterwards_it_says_when_the_last_was_learnt(
    drawn_facts: Draw, instant: Instant
) -> None:
    facts = drawn_facts(
        invoice="known_at | owed\n 3 | 10:100",
        payment="value_date | amount_minor\n 7 | 1",
        customer="customer_id | known_at\n A | 200",
    )
    book = Book(facts)
    assert book.open_receivables(instant("3")).is_empty()
    assert book.last_known() == instant("7+")
    assert rows(book.open_receivables(book.last_known()), "invoice_id") == [("I",)]


def test_a_day_long_after_all_that_is_known_is_refused(drawn_facts: Draw, day: Day) -> None:
    book = Book(drawn_facts(invoice="issue_date | known_at | owed\n 3 | 3 | 10:60"))
    ends = book.last_known().date()
    entity = book.zones["entity_id"][0]
    assert book.day_start(ends + timedelta(days=366), entity) > book.last_known()
    with pytest.raises(BadInput, match=rf"ends {ends}; allowed: up to {ends + timedelta(days=366)}"):
        book.day_start(ends + timedelta(days=367), entity)
    with pytest.raises(BadInput, match="lies after all that the ledger knows"):
        AsOf.of(book, ends + timedelta(days=367))


def test_without_a_word_the_outcome_is_as_known_after_the_last_fact(drawn_facts: Draw) -> None:
    facts = drawn_facts(invoice="owed\n 10:100", allocation="date | known_at | amount_minor\n 12 | 14.5 | 100")
    book = Book(facts, FEW)
    subjects = book.at_issue(LONG_AGO, FAR_OFF)
    assert book.labelled(subjects)["paid_date"].to_list() == [date(2024, 1, 12)]
    assert book.labelled(subjects).columns == [*SUBJECT, "paid_date", "cancelled", "observed_until"]
