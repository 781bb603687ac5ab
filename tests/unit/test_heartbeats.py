"""The bank feed stopped, or customers merely pay later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.database import Database
from services.freshness import NO_ANSWER, NO_STORE, stale
from services.heartbeats import Heartbeats, business_time
from services.store import Store

MONDAY = datetime(2024, 3, 4, 8, tzinfo=UTC)
DAY = 24 * 60


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def hearts(database: Database) -> Heartbeats:
    return Heartbeats(database)


def bank(hearts: Heartbeats, now: datetime, *, statement: bool, entries: bool) -> None:
    """One reading of the bank's folder."""
    hearts.beat("bank", "entries", "bank_entry", now=now, news=entries, every_minutes=DAY)
    hearts.beat("bank", "statements", "bank_statement", now=now, news=statement, every_minutes=DAY)


def test_customers_that_pay_later_are_no_alarm(hearts):
    """Statements arrive on every business day, with nothing in them."""
    bank(hearts, MONDAY, statement=True, entries=True)
    for days in range(1, 12):
        now = MONDAY + timedelta(days=days)
        bank(hearts, now, statement=now.weekday() < 5, entries=False)
        assert hearts.silent(now=now) == []


def test_a_bank_feed_that_stopped_is_one(hearts):
    """It is read as ever, and holds nothing new."""
    bank(hearts, MONDAY, statement=True, entries=True)
    for hours in range(1, 73):
        now = MONDAY + timedelta(hours=hours)
        bank(hearts, now, statement=False, entries=False)
        assert bool(hearts.silent(now=now)) is (hours > 48), hours
    [silence] = hearts.silent(now=now)
    assert (silence.source, silence.since, silence.every_minutes, silence.reads) == ("bank", MONDAY, DAY, True)
    assert str(silence) == (
        "bank has had no news since 2024-03-04 08:00 UTC, although it answers;"
        " news are expected every 1440 minutes of business time"
    )


def test_a_feed_that_is_not_even_read_is_told_apart(hearts):
    bank(hearts, MONDAY, statement=True, entries=True)
    [silence] = hearts.silent(now=MONDAY + timedelta(hours=49))
    assert not silence.reads
    assert "and was not read to the end since" in str(silence)


def test_a_weekend_is_no_silence(hearts):
    friday = MONDAY + timedelta(days=4)
    bank(hearts, friday, statement=True, entries=True)
    assert hearts.silent(now=friday + timedelta(days=4)) == []
    assert len(hearts.silent(now=friday + timedelta(days=4, seconds=1))) == 1


def test_what_never_had_news_is_silent_since_it_was_first_looked_at(url, hearts):
    """However often it is read: the last reading must not start the time anew."""
    with Store(url) as store:
        for hours in range(0, 60, 3):
            now = MONDAY + timedelta(hours=hours)
            store.start_run("bank", now=now)
            bank(hearts, now, statement=False, entries=False)
            assert bool(hearts.silent(now=now)) is (hours > 48), hours
    [silence] = hearts.silent(now=now)
    assert silence.since is None
    assert "bank has never had news, although it answers" in str(silence)


def test_news_end_the_alarm_and_those_of_another_system_do_not(hearts):
    late = MONDAY + timedelta(days=3)
    bank(hearts, MONDAY, statement=True, entries=True)
    hearts.beat("erp", "invoices", "invoice", now=late, news=True, every_minutes=DAY)
    assert [s.source for s in hearts.silent(now=late)] == ["bank"]
    bank(hearts, late, statement=True, entries=False)
    assert hearts.silent(now=late) == []


def test_where_no_news_are_expected_nothing_is_silent(hearts):
    hearts.beat("erp", "invoices", "invoice", now=MONDAY, news=True)
    assert hearts.silent(now=MONDAY + timedelta(days=400)) == []


def erp(hearts: Heartbeats, now: datetime, *read: str, feeds: tuple[str, ...] = ("customers", "payments")) -> None:
    """A run of the ERP that means to read all feeds and gets to the end of these only."""
    hearts.expect("erp", feeds, now=now, every_minutes=DAY)
    for feed in read:
        hearts.beat("erp", feed, feed, now=now, news=True, every_minutes=DAY)


def test_a_dead_feed_does_not_hide_behind_a_living_one(hearts):
    erp(hearts, MONDAY, "customers", "payments")
    for hours in range(1, 73):
        now = MONDAY + timedelta(hours=hours)
        erp(hearts, now, "customers")
        assert bool(hearts.silent(now=now)) is (hours > 49), hours
    [silence] = hearts.silent(now=now)
    since = MONDAY + timedelta(hours=1)
    assert (silence.since, silence.reads, silence.unread) == (now, False, (("payments", since),))
    assert str(silence) == (
        "erp was not read to the end: payments since 2024-03-04 09:00 UTC;"
        " news are expected every 1440 minutes of business time"
    )
    erp(hearts, now, "customers", "payments")
    assert hearts.silent(now=now) == []


def test_a_system_that_was_never_read_is_silent_since_the_first_attempt(hearts):
    for hours in range(0, 60, 3):
        now = MONDAY + timedelta(hours=hours)
        erp(hearts, now)
        assert bool(hearts.silent(now=now)) is (hours > 48), hours
    [silence] = hearts.silent(now=now)
    assert (silence.since, silence.reads) == (None, False)
    assert silence.unread == (("customers", MONDAY), ("payments", MONDAY))


def test_a_feed_that_no_run_means_to_read_any_more_is_not_awaited(hearts):
    late = MONDAY + timedelta(days=3)
    erp(hearts, MONDAY, "customers")
    hearts.expect("crm", ["deals"], now=MONDAY, every_minutes=DAY)
    erp(hearts, late, "customers", feeds=("customers",))
    assert [s.source for s in hearts.silent(now=late)] == ["crm"]
    hearts.expect("crm", ["deals"], now=late, every_minutes=None)
    assert hearts.silent(now=late) == []


def test_what_comes_by_itself_need_not_come_in_every_run(hearts):
    """A table whose last webhook came long ago is not a feed that stopped, while the system has other news."""
    late = MONDAY + timedelta(days=3)
    hearts.beat("erp", "webhook credit_note", "credit_note", now=MONDAY, news=True, every_minutes=DAY)
    erp(hearts, late, "customers", "payments")
    assert hearts.silent(now=late) == []


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (0, 5, 5 * 24),
        (4.5, 7.5, 24),
        (5, 7, 0),
        (5.2, 6.9, 0),
        (0, 28, 20 * 24),
        (3, 2, 0),
        (6.5, 8, 24),
        (4, 32.5, 20.5 * 24),
    ],
)
def test_business_time_leaves_weekends_out(start, end, hours):
    midnight = MONDAY.replace(hour=0)
    told = business_time(midnight + timedelta(days=start), midnight + timedelta(days=end))
    assert told == timedelta(hours=hours)


def test_a_caller_is_told_what_is_silent(url, database, hearts):
    bank(hearts, MONDAY, statement=True, entries=True)
    assert stale(url, now=MONDAY + timedelta(hours=1)) == ()
    [told] = stale(url, now=MONDAY + timedelta(days=3))
    assert told.startswith("bank has had no news since 2024-03-04")


def test_a_store_that_is_not_there_is_told_and_not_made(tmp_path):
    assert stale(f"sqlite:///{tmp_path}/none/state.db", now=MONDAY) == (NO_STORE,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "place", ["sqlite:///{}/text.db", "postgresql://u:secret@127.0.0.1:9/n", "nonsense", "mysql://h/n"]
)
def test_a_store_that_cannot_be_read_is_told_without_its_address(tmp_path, place, caplog):
    (tmp_path / "text.db").write_text("this is no database, whatever its name says" * 50)
    assert stale(place.format(tmp_path), now=MONDAY) == (NO_ANSWER,)
    assert "the signs of life cannot be read" in caplog.text
    assert "secret" not in caplog.text
