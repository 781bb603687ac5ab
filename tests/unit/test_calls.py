"""Response times and downtime from the calls that were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from services.calls import CallLog, Calls, Outage, endpoint_of
from services.database import Database

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    endpoint: str
    status: int = 200
    seconds: float = 0.1


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def statuses(database: Database, clock: Clock, *told: int, system: str = "erp") -> None:
    """A call a minute."""
    with CallLog(database, system, clock) as log:
        for status in told:
            log(Made("GET /x", status))
            clock.now += timedelta(minutes=1)


def test_percentiles_are_those_of_each_endpoint_and_of_the_whole_system(database, clock):
    with CallLog(database, "erp", clock) as log:
        for tenth in range(101):
            log(Made("GET /a", seconds=tenth / 10))
        log(Made("GET /b/17", 503, seconds=100.0))
        log(Made("GET /b/18", 0, seconds=100.0))
        log(Made("GET /b/19", 404, seconds=100.0))
    a, b, whole = Calls(database).response_times(since=NOON)
    assert (a.endpoint, a.calls, a.failed) == ("GET /a", 101, 0)
    assert (a.p50, a.p95, a.p99) == pytest.approx((5.0, 9.5, 9.9))
    assert (b.endpoint, b.calls, b.failed, b.p50) == ("GET /b/{id}", 3, 2, 100.0)
    assert (whole.endpoint, whole.calls, whole.failed) == ("all", 104, 2)


def test_only_what_was_called_since_counts(database, clock):
    statuses(database, clock, 200, 200)
    assert [t.calls for t in Calls(database).response_times(since=NOON + timedelta(seconds=1))] == [1, 1]
    assert Calls(database).response_times(since=clock.now) == []


def test_downtime_lasts_from_a_failed_call_to_the_next_that_worked(database, clock):
    statuses(database, clock, 200, 500, 0, 503, 200, 404, 502, 429)
    first, second = Calls(database).outages(since=NOON)
    assert (first.start, first.end) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=4))
    assert first.minutes(clock.now) == 3.0
    assert (second.start, second.minutes(clock.now)) == (NOON + timedelta(minutes=6), 1.0)


def test_a_system_that_is_still_down_is_so_until_now(database, clock):
    statuses(database, clock, 200, 0, 0)
    assert Calls(database).outages(since=NOON) == [Outage("erp", NOON + timedelta(minutes=1), None)]
    assert Calls(database).outages(since=NOON)[0].minutes(NOON + timedelta(minutes=31)) == 30.0


def test_systems_do_not_end_each_others_downtime(database, clock):
    statuses(database, clock, 0, system="bank")
    statuses(database, clock, 200, 0, system="erp")
    assert [(o.system, o.end) for o in Calls(database).outages(since=NOON)] == [("bank", None), ("erp", None)]


def test_downtime_follows_the_clock_and_not_who_wrote_first(database, clock):
    """Two processes hold back their calls; the one that began earlier writes later."""
    early, late = CallLog(database, "erp", clock), CallLog(database, "erp", clock)
    for log, status in ((early, 200), (late, 0), (late, 200), (early, 200), (late, 0)):
        log(Made("GET /x", status))
        clock.now += timedelta(minutes=1)
    late.flush()
    early.flush()
    assert Calls(database).outages(since=NOON) == [
        Outage("erp", NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)),
        Outage("erp", NOON + timedelta(minutes=4), None),
    ]


def test_what_is_held_is_written_when_the_work_ends_in_an_error(database, clock):
    def work() -> None:
        with CallLog(database, "erp", clock) as log:
            log(Made("GET /a", 500))
            assert Calls(database).response_times(since=NOON) == []
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert [t.failed for t in Calls(database).response_times(since=NOON)] == [1, 1]


def test_many_calls_are_written_before_the_end(database, clock):
    with CallLog(database, "erp", clock) as log:
        for _ in range(501):
            log(Made("GET /a"))
        assert Calls(database).response_times(since=NOON)[0].calls == 500
    assert Calls(database).response_times(since=NOON)[0].calls == 501


def test_old_calls_can_be_forgotten(database, clock):
    statuses(database, clock, 200, 200, 200)
    assert Calls(database).forget(before=NOON + timedelta(minutes=2)) == 2
    assert Calls(database).response_times(since=NOON)[0].calls == 1


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("GET /api/v1/invoice", "GET /api/v1/invoice"),
        ("GET /invoice/17", "GET /invoice/{id}"),
        ("PUT /invoice/5f2c9e1a-0b7d-4c55-9a8e-0123456789ab/lines", "PUT /invoice/{id}/lines"),
        ("GET /sap/A_Item(Order='0001',Line='10')", "GET /sap/A_Item{id}"),
        ("GET /a/1/b/2", "GET /a/{id}/b/{id}"),
        ("GET /feed/decade", "GET /feed/decade"),
        ("GET /invoices/INV-000123", "GET /invoices/{id}"),
        ("GET /customers/C1/contacts", "GET /customers/{id}/contacts"),
        ("POST /crm/v3/objects/deals/search", "POST /crm/v3/objects/deals/search"),
        ("GET /sap/opu/odata4/sap/v20240301", "GET /sap/opu/odata4/sap/{id}"),
        ("POST books/rpc/", "POST books/rpc/"),
    ],
)
def test_ids_are_left_out_of_what_is_kept(told, kept):
    assert endpoint_of(told) == kept
