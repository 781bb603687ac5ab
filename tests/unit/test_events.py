"""The ledger as events: what each says, of whom, from when until when."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from features import engine
from features.book import Book
from features.declarations import Count, Feature, Sum
from features.errors import BadInput
from features.events import HEAD, OVERDUE_DAYS, business_days_late, event_frames
from features.facts import Facts
from features.ledger import receivable_states
from features.masters import Masters, entity_zones
from features.tables import INSTANT

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
MS = timedelta(milliseconds=1)


def events(facts: Facts, *attributes: str) -> dict[str, pl.DataFrame]:
    return event_frames(facts, receivable_states(facts), Masters.of(facts), attributes)


def test_every_event_has_its_head_with_or_without_facts(drawn_facts: Draw) -> None:
    for facts in (Facts.of({}), drawn_facts(invoice="owed\n 10:100", allocation="date | amount_minor\n 8 | 100")):
        frames = events(facts, "revenue")
        assert {f"overdue_{days}" for days in OVERDUE_DAYS} < set(frames)
        for name, frame in frames.items():
            assert tuple(frame.columns[: len(HEAD)]) == HEAD, name
            assert (frame.schema["known_from"], frame.schema["known_to"]) == (INSTANT, INSTANT), name


# --- money of other currencies -------------------------------------------------------------------------------------


def test_amounts_are_converted_by_the_rate_known_when_the_event_was(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        fx_rate="currency | day | known_at | rate\n USD | 3 | 3 | 0.9\n USD | 7 | 7 | 0.8",
        invoice="""
        invoice_id | currency | known_at | owed
        before     | USD      | 2        | 30:10000
        first      | USD      | 5        | 30:10000
        second     | USD      | 7        | 30:10000
        own        | EUR      | 2        | 30:10000
        """,
    )
    told = events(facts)["invoiced"].sort("known_from", "event_id").select("event_id", "amount_cents", "log_amount")
    assert told.rows() == [
        ("before/1", None, None),
        ("own/1", 10000, 4615),
        ("first/1", 9000, 4511),
        ("second/1", 8000, 4394),
    ]


def test_what_no_rate_is_known_for_is_counted_but_left_out_of_sums(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | currency | owed\n a | USD | 30:10000\n b | EUR | 30:700\n c | EUR | 20:11",
        fx_rate="currency | day | rate\n USD | 5 | 0.5",
    )
    book = Book(facts)
    frame = book.features(book.open_receivables(instant("25")))
    told = frame.select("invoice_id", "open_count", "open_cents", "overdue_0_count", "overdue_0_cents", "amount_log")
    assert told.select("open_count", "open_cents", "overdue_0_count", "overdue_0_cents").unique().rows() == [
        (3.0, 711.0, 1.0, 11.0)
    ]
    # the subject's own amount takes the rate of its cutoff, long known
    assert told.filter(invoice_id="a")["amount_log"].is_not_null().all()
    early = book.features(book.open_receivables(instant("4")))
    assert early.filter(invoice_id="a").select("amount_log", "amount_against_habit").row(0) == (None, None)


# --- overdue ------------------------------------------------------------------------------------------------------


OVERDUE = [
    *(Feature(f"count_{days}", Count(), event=f"overdue_{days}") for days in OVERDUE_DAYS),
    Feature("cents", Sum("open_cents"), event="overdue_0"),
]


def overdue(facts: Facts, *cutoffs: datetime) -> list[tuple[float, ...]]:
    asked = pl.DataFrame(
        {"entity_id": "E", "customer_id": "A", "cutoff": list(cutoffs)}, schema_overrides={"cutoff": INSTANT}
    )
    return engine.compute(OVERDUE, events(facts), asked).select(f.name for f in OVERDUE).rows()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
def test_a_receivable_is_overdue_from_the_start_of_the_day_after_its_due_date(drawn_facts: Draw, zone: str) -> None:
    facts = drawn_facts(entity=f"time_zone\n {zone}", invoice="owed\n 10:100")
    book = Book(facts)
    for days in OVERDUE_DAYS:
        begins = book.day_start(date(2024, 1, 11) + timedelta(days=days), "E")
        reached = OVERDUE_DAYS.index(days)
        before, after = ([1.0] * n + [0.0] * (4 - n) for n in (reached, reached + 1))
        told = overdue(facts, begins - MS, begins, begins + MS)
        assert [list(row[:4]) for row in told] == [before, after, after]


def test_overdue_follows_partial_payments_due_dates_and_settlement(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="known_at | owed\n 1 | 10:100\n 15 | 20:100",
        allocation="date | known_at | amount_minor\n 12 | 13.5 | 30\n 50 | 50 | 70",
    )
    cutoffs = ["11", "13.5", "13.5+", "15", "15+", "21-", "21", "50", "50+"]
    told = overdue(facts, *(instant(c) for c in cutoffs))
    assert [row[0] for row in told] == [1, 1, 1, 1, 0, 0, 1, 1, 0]
    assert [row[-1] for row in told] == [100, 100, 70, 70, 0, 0, 70, 70, 0]
    assert [row[1] for row in told] == [0, 0, 0, 0, 0, 0, 0, 0, 0]


def test_what_is_learnt_after_it_was_due_is_overdue_from_then(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(invoice="known_at | owed\n 60.5 | 10:100")
    told = overdue(facts, instant("60.5"), instant("60.5+"))
    assert [row[:4] for row in told] == [(0, 0, 0, 0), (1, 1, 0, 0)]


def test_what_is_paid_beyond_is_not_open(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\n I | 10:100\n credit | 10:-40", allocation="date | amount_minor\n 12 | 130"
    )
    assert events(facts)["open"].filter(pl.col("known_to").is_null()).is_empty()
    assert overdue(facts, instant("13"))[0] == (0, 0, 0, 0, 0)


def test_a_due_date_that_means_never_breaks_nothing(drawn_facts: Draw, instant: Instant) -> None:
    never = (date(9999, 12, 31) - date(2024, 1, 1)).days + 1
    facts = drawn_facts(
        invoice=f"invoice_id | owed\n I | {never}:100\n J | {never}:100",
        allocation="date | amount_minor\n 12 | 100",
        customer="customer_id | country\n A | DE",
    )
    assert overdue(facts, instant("400")) == [(0, 0, 0, 0, 0)]
    book = Book(facts)
    assert book.features(book.open_receivables(instant("400")))["past_due"].to_list() == [400 - never]


# --- who ----------------------------------------------------------------------------------------------------------


def test_segments_are_as_known_when_the_event_was(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        customer="""
        customer_id | known_at | deleted | segment
        A           | 3        | no      | retail
        A           | 6        | no      | wholesale
        A           | 9        | yes     | wholesale
        """,
        invoice="""
        invoice_id | known_at | owed
        a          | 2        | 30:1
        b          | 3        | 30:1
        c          | 5        | 30:1
        d          | 6        | 30:1
        e          | 10       | 30:1
        """,
    )
    told = events(facts)["invoiced"].sort("event_id")
    assert told["segment"].to_list() == [None, "retail", "retail", "wholesale", None]


def test_a_subject_knows_its_segment_only_from_after_it_was_told(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        customer="customer_id | known_at | segment | country\n A | 3 | retail | DE\n A | 6 | wholesale | AT",
        invoice="known_at | owed\n 2 | 30:1",
    )
    book = Book(facts)
    told = pl.concat(
        book.features(book.open_receivables(instant(c))).select("segment", "country")
        for c in ("3", "3+", "6-", "6", "6+")
    )
    assert told["segment"].to_list() == [None, "retail", "retail", "retail", "wholesale"]
    assert told["country"].to_list() == [None, "DE", "DE", "DE", "AT"]


def test_facts_of_an_entity_without_a_record_are_refused(drawn_facts: Draw) -> None:
    facts = drawn_facts(entity="entity_id\n E", invoice="entity_id | owed\n F | 30:1")
    with pytest.raises(BadInput, match="no entity record for 'F'; every row's entity_id must be in the entity table"):
        entity_zones(facts)


def test_an_entity_in_a_time_zone_that_is_none_is_refused(drawn_facts: Draw) -> None:
    with pytest.raises(BadInput, match="entity 'E': unknown time zone 'Mars/Olympus'; allowed: an IANA name"):
        entity_zones(drawn_facts(entity="time_zone\n Mars/Olympus"))


# --- settled ------------------------------------------------------------------------------------------------------


def settled(facts: Facts) -> dict[str, object]:
    return events(facts)["settled"].row(0, named=True)


def test_what_is_told_of_a_settled_receivable(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(
        invoice="issue_date | owed\n 2 | 10:9900",
        allocation="date | known_at | amount_minor\n 12 | 13.5 | 9900",
    )
    late = {"days_late": 2, "days_to_settle": 10, "is_late": True, "is_late_8": False, "is_late_31": False}
    money = {"amount_cents": 9900, "log_amount": 4605, "late_x_log_amount": 9210, "late_cents_days": 19800}
    known = {"known_from": instant("13.5"), "known_to": None, "event_id": "I/1", "customer_id": "A"}
    assert settled(facts).items() >= (late | money | known | {"terms_days": 8}).items()


@pytest.mark.parametrize(
    ("paid", "flags"), [(10, []), (11, [1]), (17, [1]), (18, [1, 8]), (40, [1, 8]), (41, [1, 8, 31])]
)
def test_flags_of_lateness(drawn_facts: Draw, paid: int, flags: list[int]) -> None:
    told = settled(drawn_facts(invoice="owed\n 10:100", allocation=f"date | amount_minor\n {paid} | 100"))
    assert [told["is_late"], told["is_late_8"], told["is_late_31"]] == [n in flags for n in (1, 8, 31)]


def test_what_is_cancelled_negative_or_open_is_not_settled_by_payment(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\n credited | 10:100\n negative | 10:-100\n open | 10:100",
        allocation="""
        invoice_id | kind        | date | amount_minor
        credited   | credit_note | 8    | 100
        negative   | payment     | 8    | -100
        open       | payment     | 8    | 99
        """,
    )
    assert events(facts)["settled"].is_empty()


@pytest.mark.parametrize(
    ("country", "due", "paid", "days"),
    [
        (None, date(2024, 10, 2), date(2024, 10, 2), 0),  # Wednesday
        (None, date(2024, 10, 2), date(2024, 10, 3), 1),
        ("DE", date(2024, 10, 2), date(2024, 10, 4), 1),  # over a holiday
        ("US", date(2024, 10, 2), date(2024, 10, 4), 2),
        ("XX", date(2024, 10, 2), date(2024, 10, 4), 2),
        (None, date(2024, 10, 5), date(2024, 10, 7), 0),  # due on Saturday, paid on Monday
        (None, date(2024, 10, 5), date(2024, 10, 8), 1),
        (None, date(2024, 10, 4), date(2024, 10, 7), 1),  # over a weekend
        (None, date(2024, 10, 4), date(2024, 10, 6), 1),  # money that counts on a Sunday is there on Monday
        ("DE", date(2024, 10, 3), date(2024, 10, 4), 0),  # due on a holiday
        (None, date(2024, 10, 7), date(2024, 10, 4), -1),  # early, over a weekend
        ("DE", date(2024, 10, 7), date(2024, 10, 2), -2),  # early, over a holiday and a weekend
        ("DE", date(2024, 12, 24), date(2025, 1, 2), 4),  # over the turn of the year
    ],
)
def test_business_days_late(country: str | None, due: date, paid: date, days: int) -> None:
    rows = pl.DataFrame(
        {"due_date": [due], "paid_date": [paid], "country": [country]}, schema_overrides={"country": pl.String}
    )
    assert business_days_late(rows).to_list() == [days]


def test_business_days_of_many_countries_at_once() -> None:
    due, paid = date(2024, 10, 2), date(2024, 10, 4)
    countries = ["DE", None, "US", "", "DE", "XX"]
    rows = pl.DataFrame({"due_date": due, "paid_date": paid, "country": countries})
    assert business_days_late(rows).to_list() == [1, 2, 2, 2, 1, 2]
    assert business_days_late(rows.clear()).to_list() == []


def test_the_payers_calendar_decides_what_is_on_time(drawn_facts: Draw) -> None:
    # 6 January 2024 is a Saturday; the 8th is a holiday in Colombia
    facts = drawn_facts(
        customer="customer_id | country\n A | US\n B | CO",
        invoice="invoice_id | customer_id | owed\n a | A | 6:1\n b | B | 6:1",
        allocation="invoice_id | date | amount_minor\n a | 9 | 1\n b | 9 | 1",
    )
    told = events(facts)["settled"].sort("event_id").select("days_late", "business_days_late", "on_time")
    assert told.rows() == [(3, 1, False), (3, 0, True)]


@pytest.mark.parametrize(
    ("paid", "month_end", "mid_month", "weekday"),
    [
        (28, False, False, "sun"),
        (29, True, False, "mon"),
        (31, True, False, "wed"),
        (32, False, False, "thu"),
        (31 + 26, False, False, "mon"),  # 26 February of a leap year
        (31 + 27, True, False, "tue"),
        (31 + 29, True, False, "thu"),
        (12, False, False, "fri"),
        (13, False, True, "sat"),
        (17, False, True, "wed"),
        (18, False, False, "thu"),
    ],
)
def test_month_end_is_its_last_three_days_and_mid_month_the_13th_to_17th(
    drawn_facts: Draw, paid: int, month_end: bool, mid_month: bool, weekday: str
) -> None:
    told = settled(drawn_facts(invoice="owed\n 10:100", allocation=f"date | amount_minor\n {paid} | 100"))
    assert (told["paid_month_end"], told["paid_mid_month"]) == (month_end, mid_month)
    assert [name for name in told if name in HABITS and told[name]] == [f"paid_{weekday}"]


HABITS = {f"paid_{day}" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


# --- the rest -----------------------------------------------------------------------------------------------------


def test_money_in_from_a_known_payer_is_an_event_and_money_back_is_none(
    drawn_facts: Draw, day: Callable[..., date]
) -> None:
    facts = drawn_facts(
        payment="""
        payment_id | customer_id | value_date | known_at | amount_minor
        unknown    | -           | 3          | 4        | 100
        unknown    | A           | 3          | 9        | 100
        back       | A           | 5          | 5        | -100
        plain      | B           | 6          | 7        | 50
        """
    )
    told = events(facts)["paid"].sort("event_id").select("event_id", "customer_id", "known_from", "amount_cents")
    assert [(row[0], row[1], row[2].day, row[3]) for row in told.rows()] == [
        ("plain", "B", 7, 50),
        ("unknown", "A", 9, 100),
    ]


def test_credits_belong_to_the_customer_of_the_invoice_as_known_then(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | known_at | customer_id | owed\n I | 1 | A | 10:100\n I | 9 | B | 10:100",
        allocation="""
        allocation_id | invoice_id | kind        | date | amount_minor
        part          | I          | credit_note | 5    | 20
        rest          | I          | write_off   | 12   | 10
        money         | I          | payment     | 12   | 10
        lost          | none       | credit_note | 12   | 10
        """,
    )
    told = events(facts)["credited"].sort("event_id")
    assert told.select("event_id", "customer_id", "amount_cents", "written_off").rows() == [
        ("part", "A", 20, False),
        ("rest", "B", 10, True),
    ]


def test_dated_attributes_are_events_of_their_own_name(drawn_facts: Draw) -> None:
    facts = drawn_facts(customer_attribute="name | day | value\n revenue | 3 | 1.5\n staff | 4 | 7\n revenue | 9 | 2.5")
    told = events(facts, "revenue", "unheard_of")
    assert told["attribute_revenue"].sort("known_from")["value"].to_list() == [1.5, 2.5]
    assert told["attribute_unheard_of"].is_empty()
    assert "attribute_staff" not in told


def test_what_is_learnt_late_of_an_older_day_is_no_news(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        customer_attribute="""
        attribute_id | name    | known_at | day | value
        z            | revenue | 20       | 3   | 1
        a            | revenue | 20       | 9   | 2
        m            | revenue | 30       | 3   | 3
        n            | revenue | 31       | 9   | 4
        """
    )
    told = events(facts, "revenue")["attribute_revenue"].sort("known_from", "event_id")
    assert told["value"].to_list() == [1.0, 2.0, 4.0], "at one instant, the newest day comes last"
