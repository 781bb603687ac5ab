"""The KPIs of integration against numbers computed by hand, on a ledger and operational tables that are drawn here.

The period is 1 to 31 January 2024 (from the start of day 1 to the start of day 31, UTC): 30 days.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from rich.console import Console
from sqlalchemy import insert

from features.book import Book
from features.errors import BadSetting, StateError
from features.facts import Facts
from features.lake import Lake
from features.tables import Table, table
from features.totals import Totals
from models.distribution import Distribution, on_one_day
from pipelines.cli import run
from pipelines.kpis.accuracy import Inbound, Outbound
from pipelines.kpis.automation import STEPS, Coverage
from pipelines.kpis.commands import period_of
from pipelines.kpis.cycle import Cycle
from pipelines.kpis.downtime import CashModel, Downtime, expected_cash, impact_of
from pipelines.kpis.integration import IntegrationKpis, integration_kpis, unattended_banks
from pipelines.kpis.screen import SECTIONS, percent, render
from pipelines.landscape import parse_landscape
from pipelines.screen import WIDTH
from services.calls import CallLog, Calls, Outage, ResponseTimes
from services.controls import Control, Controls
from services.database import Database
from services.heartbeats import Heartbeats
from services.outbox import NewMessage, Outbox, discard, revive
from services.runs import Counts
from services.state_tables import correction
from services.store import Store
from services.work_done import Compared, Period, WorkDone

JANUARY = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 31, tzinfo=UTC))
NO_TOTALS = Totals(0, {}, "0")
EIGHT = Decimal("0.08")


def at(day: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)


@dataclass(frozen=True)
class Told:
    endpoint: str
    status: int
    seconds: float


class Drawn:
    """Facts as the lake would give them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def versions(self, declared: Table, *, before: datetime | None = None) -> pl.LazyFrame:
        assert before is None
        return self._facts.tables[declared.name].lazy()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(f"sqlite:///{tmp_path}/state.db") as opened:
        yield opened


@pytest.fixture
def database(store: Store) -> Database:
    return store.database


def called(database: Database, system: str, calls: list[tuple[float, str, int, float]]) -> None:
    for day, endpoint, status, seconds in calls:
        with CallLog(database, system, lambda day=day: at(day)) as log:
            log(Told(endpoint, status, seconds))


def read(store: Store, source: str, day: float, feed: str, counts: Counts, tie: bool | None = None) -> None:
    run_id = store.start_run(source, now=at(day))
    store.commit_page(run_id, feed, counts, now=at(day))
    if tie is not None:
        wrong = () if tie else ("one is missing",)
        Controls(store.database).keep(run_id, feed, Control(NO_TOTALS, NO_TOTALS, differences=wrong), now=at(day))
    store.finish_run(run_id, now=at(day))


def sent(
    database: Database,
    day: float,
    operation: str,
    key: str,
    result: dict[str, str] | None,
    tries: int = 1,
    payload: dict[str, object] | None = None,
) -> str:
    """A message that `tries` attempts delivered at the end, or that is dead where `result` is None."""
    box = Outbox(database)
    new = NewMessage("erp", key, operation, key, {"entity_id": "E"} if payload is None else payload, "crm")
    message_id = box.put(new, now=at(day))
    for attempt in range(tries):
        (message,) = box.claim(now=at(day), lease=timedelta(minutes=5))
        if attempt < tries - 1:
            box.postponed(message, "out of reach", until=at(day))
        elif result is None:
            box.buried(message, "no such product", now=at(day))
        else:
            box.delivered(message, result, now=at(day))
    return message_id


def acted(database: Database, case_id: str, action: str, day: float) -> None:
    row = {"case_id": case_id, "action": action, "at": at(day), "who": "ana", "why": "typing error"}
    with database.writing() as connection:
        connection.execute(insert(correction), row)


def revived(database: Database, message_id: str, payload: dict[str, str], *, now: datetime) -> None:
    with database.writing() as connection:
        revive(connection, message_id, payload, now=now)


def discarded(database: Database, message_id: str, *, now: datetime) -> None:
    with database.writing() as connection:
        discard(connection, message_id, now=now)


def figures(facts: Facts, database: Database, tmp_path: Path, **more: object) -> IntegrationKpis:
    given = {"mlruns": tmp_path / "mlruns", "cost_of_capital": EIGHT} | more
    return integration_kpis(Drawn(facts), database, JANUARY, **given)


def test_response_times_by_endpoint_within_the_period(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    called(database, "erp", [(2, "GET /sale/17", 200, 0.1 * n) for n in range(1, 5)])
    called(database, "erp", [(3, "POST /sale", 503, 2.0), (3.5, "POST /sale", 200, 1.0)])
    called(database, "erp", [(-3, "GET /sale/17", 200, 99.0), (31, "GET /sale/17", 200, 99.0)])
    found = figures(drawn_facts(), database, tmp_path).response_times
    by_endpoint = {told.endpoint: told for told in found}
    # of 0.1 0.2 0.3 0.4: half-way 0.25; at 0.95 * 3 = 2.85: 0.385; at 2.97: 0.397
    reads = by_endpoint["GET /sale/{id}"]
    assert (reads.calls, reads.failed) == (4, 0)
    assert (reads.p50, reads.p95, reads.p99) == pytest.approx((0.25, 0.385, 0.397))
    # of 1.0 2.0: 1.5, 1.95, 1.99
    assert by_endpoint["POST /sale"] == ResponseTimes("erp", "POST /sale", 2, 1, 1.5, 1.95, 1.99)
    # of 0.1 0.2 0.3 0.4 1.0 2.0: half-way between 0.3 and 0.4; at 4.75: 1.75; at 4.95: 1.95
    everything = by_endpoint["all"]
    assert (everything.calls, everything.failed) == (6, 1)
    assert (everything.p50, everything.p95, everything.p99) == pytest.approx((0.35, 1.75, 1.95))


def test_inbound_accuracy_by_source_and_table(drawn_facts: Callable[..., Facts], store: Store, tmp_path: Path) -> None:
    Heartbeats(store.database).beat("erp", "GET invoices", "invoice", now=at(2), news=True)
    read(store, "erp", 2, "GET invoices", Counts(read=90, landed=80, duplicates=4, quarantined=6))
    read(store, "erp", 3, "GET invoices", Counts(read=10, landed=6, duplicates=0, quarantined=4))
    read(store, "erp", 3, "GET nothing", Counts())
    read(store, "bank", 4, "files", Counts(read=5, landed=5))
    for day in (-1, 31):
        read(store, "erp", day, "GET invoices", Counts(read=1000, quarantined=1000))
    # (80 + 4 + 6 + 0) / (90 + 10) = 0.9
    assert figures(drawn_facts(), store.database, tmp_path).inbound == [
        Inbound("bank", "all", 5, 5, 0, 1.0),
        Inbound("bank", "files", 5, 5, 0, 1.0),
        Inbound("erp", "all", 100, 90, 10, 0.9),
        Inbound("erp", "GET nothing", 0, 0, 0, None),
        Inbound("erp", "invoice", 100, 90, 10, 0.9),
    ]


def test_a_replay_does_not_heal_the_figure(drawn_facts: Callable[..., Facts], store: Store, tmp_path: Path) -> None:
    read(store, "erp", 2, "invoices", Counts(read=10, landed=8, quarantined=2))
    read(store, "erp", 3, "correction 0123456789ab: invoices", Counts(read=1, landed=1))
    acted(store.database, "0123456789ab", "replay", 4)
    read(store, "erp", 4, "invoices", Counts(read=1, landed=1))
    found = figures(drawn_facts(), store.database, tmp_path).inbound
    assert [(told.table, told.share) for told in found] == [("all", 0.8), ("invoices", 0.8)]


def test_control_totals_as_compared_last(drawn_facts: Callable[..., Facts], store: Store, tmp_path: Path) -> None:
    read(store, "erp", 2, "invoices", Counts(), tie=False)
    read(store, "erp", 3, "invoices", Counts(), tie=True)
    read(store, "erp", 2, "payments", Counts(), tie=True)
    read(store, "erp", 4, "payments", Counts(), tie=False)
    read(store, "erp", 31, "payments", Counts(), tie=True)
    assert figures(drawn_facts(), store.database, tmp_path).control_totals == [
        Compared("erp", "invoices", 2, 1, ties=True),
        Compared("erp", "payments", 2, 1, ties=False),
    ]


def test_outbound_accuracy_counts_the_first_attempt_and_no_persons_hand(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    box = Outbox(database)
    sent(database, 2, "book_sale", "k1", {"sale": "S1"})
    sent(database, 2, "book_sale", "k2", {"sale": "S2"})
    sent(database, 2, "book_sale", "k3", {"sale": "S3"}, tries=2)
    edited = sent(database, 2, "post_invoice", "k4", None)
    revived(database, edited, {"entity_id": "E", "total": "1"}, now=at(3))
    (again,) = box.claim(now=at(3), lease=timedelta(minutes=5))
    box.delivered(again, {"invoice": "I4"}, now=at(3))
    replayed = sent(database, 3, "post_invoice", "k5", None)
    revived(database, replayed, {"entity_id": "E"}, now=at(3))
    acted(database, replayed, "replay", 3)
    (again,) = box.claim(now=at(3), lease=timedelta(minutes=5))
    box.delivered(again, {"invoice": "I5"}, now=at(3))
    discarded(database, sent(database, 3, "post_invoice", "k6", None), now=at(4))
    sent(database, 4, "post_invoice", "k7", None)  # still dead: not settled
    sent(database, 31, "book_sale", "k8", {"sale": "S8"})  # after the period
    assert figures(drawn_facts(), database, tmp_path).outbound == [
        Outbound("erp", "all", 6, 2, 2 / 6),
        Outbound("erp", "book_sale", 3, 2, 2 / 3),
        Outbound("erp", "post_invoice", 3, 0, 0.0),
    ]


def test_automation_coverage_by_step(drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path) -> None:
    sent(database, 2, "book_sale", "k1", {"sale": "S1"})
    sent(database, 3, "book_sale", "k2", {"sale": "S2"}, tries=3)  # read back later, or never: a step all the same
    sent(database, -1, "book_sale", "k0", {"sale": "S0"}, payload={})  # made before the period, read back in it
    touched = sent(database, 2, "post_invoice", "k3", None)
    revived(database, touched, {"entity_id": "E", "total": "2"}, now=at(3))
    (again,) = Outbox(database).claim(now=at(3), lease=timedelta(minutes=5))
    Outbox(database).delivered(again, {"invoice": "I1"}, now=at(3))
    discarded(database, sent(database, 4, "post_invoice", "k4", None), now=at(4))
    sent(database, 5, "cancel_sale", "k5", {"sale": "S1"})
    parts = [{"invoice_id": "I1", "amount": "1.00"}, {"invoice_id": "I2", "amount": "2.00"}]
    sent(database, 10, "apply_cash", "k6", {}, payload={"date": "2024-01-10", "allocations": parts})
    facts = drawn_facts(
        order="""
        order_id | source | order_date | amount_minor | status | known_at | deleted
        W1       | crm    | 2          | 100          | open   | 2        | no
        S1       | erp    | 2          | 100          | open   | 2        | no
        S0       | erp    | 1          | 100          | open   | 1        | no
        S9       | erp    | 5          | 100          | open   | 5        | no
        S9       | erp    | 5          | 100          | billed | 6        | no
        S8       | erp    | -9         | 100          | open   | -9       | no
        S8       | erp    | -9         | 100          | billed | 6        | no
        """,
        invoice="""
        invoice_id | source | issue_date | owed   | entity_id
        I1         | erp    | 3          | 20:100 | E
        I1         | erp    | 3          | 20:100 | F
        I2         | erp    | 4          | 20:100 | E
        I3         | erp    | 40         | 60:100 | E
        """,
        allocation="""
        kind      | from_id | invoice_id | date | amount_minor | source
        payment   | P1      | I1         | 10   | 20           | erp
        payment   | P1      | I1         | 10   | 30           | erp
        payment   | P1      | I1         | 11   | 10           | erp
        payment   | P1      | I1         | 10   | 30           | other
        write_off | -       | I1         | 11   | 50           | erp
        """,
        bank_statement="""
        statement_id | source | account_id | from_day | to_day | entries
        s1           | api    | main       | 1        | 1      | 0
        s2           | api    | main       | 2        | 2      | 0
        s3           | folder | other      | 2        | 2      | 0
        """,
    )
    found = figures(facts, database, tmp_path, unattended={"api"})
    assert found.automation == [
        # by us S1, S2; by people S9; W1 is the wish that became S1, S0 was made by us before, S8 known before
        Coverage("order booked", 3, 2, 2 / 3),
        # ours: I1 of E, which a person mended, and one discarded; by people: I1 of F, I2
        Coverage("invoice posted", 4, 0, 0.0),
        Coverage("credit note posted", 0, 0, None),
        Coverage("statement fetched", 3, 2, 2 / 3),
        # ours: two, of which I1 was read back as two instalments; by people: that of day 11, and the other source's
        Coverage("cash applied", 4, 2, 0.5),
        Coverage("dispute opened", 0, 0, None),
    ]
    assert found.undeclared == ["cancel_sale"]


def test_cycle_time_runs_from_the_order_to_the_cash_applied(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    facts = drawn_facts(
        order="""
        order_id | order_date | amount_minor | status
        O1       | -4         | 100          | billed
        """,
        invoice="""
        invoice_id | issue_date | owed        | order_id | currency
        I1         | 1          | 10:100      | O1       | EUR
        I2         | 1          | 10:60 20:40 | gone     | EUR
        I3         | 2          | 10:100      | -        | EUR
        I4         | 2          | 10:100      | -        | EUR
        I5         | 2          | 10:100      | -        | EUR
        I6         | 2          | 10:100      | -        | EUR
        I7         | 2          | 10:100      | -        | USD
        I8         | 2          | 10:100      | -        | EUR
        """,
        allocation="""
        kind      | from_id | invoice_id | instalment | date | amount_minor | known_at | currency
        payment   | P1      | I1         | 1          | 6    | 100          | 8.5      | EUR
        payment   | P2      | I2         | 1          | 5    | 60           | 5        | EUR
        payment   | P2      | I2         | 2          | 21   | 40           | 21       | EUR
        payment   | P3      | I3         | 1          | 17   | 100          | 7        | EUR
        payment   | P4      | I4         | 1          | 5    | 99           | 5        | EUR
        write_off | -       | I5         | 1          | 5    | 100          | 5        | EUR
        payment   | P6      | I6         | 1          | 31   | 100          | 31       | EUR
        payment   | P7      | I7         | 1          | 9    | 100          | 9        | USD
        """,
    )
    # I1: ordered on day -4, applied on day 8: 12. I2: issued 1, second part 21: 20. I3: 2 to 17, when the money counts.
    # I4 is short, I5 written off, I6 after the period, I8 open. I7 in dollars: 2 to 9.
    # of 12 15 20: median 15, at 0.9 * 2 = 1.8: 15 + 0.8 * 5 = 19
    (euro, dollar) = figures(facts, database, tmp_path).cycle_times
    assert (euro.entity_id, euro.currency, euro.invoices, euro.from_order, euro.median_days) == ("E", "EUR", 3, 1, 15.0)
    assert euro.p90_days == pytest.approx(19)
    assert dollar == Cycle("E", "USD", 1, 0, 7.0, 7.0)


def test_what_was_taken_away_and_applied_again_counts_from_the_second_time(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | issue_date | owed
        I          | 1          | 10:100
        """,
        allocation="""
        allocation_id | from_id | date | amount_minor | known_at | deleted
        a1            | P1      | 4    | 100          | 4        | no
        a1            | P1      | 4    | 100          | 6        | yes
        a2            | P1      | 4    | 100          | 9        | no
        a3            | P2      | 12   | 50           | 12       | no
        """,
    )
    assert figures(facts, database, tmp_path).cycle_times == [Cycle("E", "EUR", 1, 0, 8.0, 8.0)]


PAYMENTS = """
payment_id | entity_id | source | value_date | amount_minor | currency
p1         | E         | erp    | 2          | 30240000     | EUR
p2         | E         | erp    | 10         | 20160000     | EUR
p3         | E         | erp    | 12         | -10080000    | EUR
p4         | E         | erp    | 11         | 4032         | JPY
p5         | F         | erp    | 11         | 4032000      | EUR
p6         | G         | other  | 11         | 999999999    | EUR
p7         | E         | erp    | 29         | 999999999    | EUR
p8         | E         | erp    | -20        | 999999999    | EUR
"""


def test_downtime_by_mean_receipts_without_a_model(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    down, up = ("GET /x", 0, 30.0), ("GET /x", 200, 0.1)
    called(database, "erp", [(28, *down), (28.25, *down), (28.5, *up)])
    called(database, "crm", [(5, *down), (5.125, *up), (6, *down)])
    called(database, "fine", [(5, "GET /x", 404, 0.1)])
    found = figures(drawn_facts(payment=PAYMENTS), database, tmp_path)
    # EUR of E in the 28 days before day 28: 302,400 + 201,600 - 100,800 = 403,200, over 40,320 minutes: 10 a minute.
    # Down for 720 minutes: 7,200. Cost: 7,200 * 0.08 * 720 / 525,600 = 0.789... EUR
    # JPY: 4,032 / 40,320 = 0.1 a minute, 72 yen, cost 0.0079: 0. F: 40,320 EUR: 1 a minute, 720, cost 0.0789.
    # the CRM brought no facts: minutes only: 180 and from day 6 to the end of day 30 25 * 1440 = 36,000
    assert found.downtime == [
        Downtime("crm", None, None, 2, 36180.0, None, None),
        Downtime("erp", "E", "EUR", 1, 720.0, Decimal("7200.00"), Decimal("0.79")),
        Downtime("erp", "E", "JPY", 1, 720.0, Decimal("72"), Decimal("0")),
        Downtime("erp", "F", "EUR", 1, 720.0, Decimal("720.00"), Decimal("0.08")),
    ]
    assert "there is no champion" in found.definitions["downtime"]
    dear = figures(drawn_facts(payment=PAYMENTS), database, tmp_path, cost_of_capital=Decimal("0.8"))
    assert [told.cost for told in dear.downtime] == [None, Decimal("7.89"), Decimal("0"), Decimal("0.79")]


def test_an_outage_is_cut_to_the_period_and_one_outside_is_none(drawn_facts: Callable[..., Facts]) -> None:
    book = Book(drawn_facts())
    outages = [
        Outage("a", at(-1), at(1.5)),
        Outage("a", at(30.5), at(33)),
        Outage("b", at(-3), at(-2)),
        Outage("c", at(30), None),
        Outage("d", at(31), None),
    ]
    found = impact_of(book, outages, JANUARY, None, EIGHT)
    assert [(told.system, told.outages, told.minutes) for told in found] == [("a", 2, 1440.0), ("c", 1, 1440.0)]


def test_downtime_by_the_cash_distribution(drawn_facts: Callable[..., Facts]) -> None:
    facts = drawn_facts(
        invoice="""
        invoice_id | issue_date | owed       | entity_id | currency | source
        I1         | 1          | 20:100000  | E         | EUR      | erp
        I2         | 1          | 20:80000   | E         | EUR      | erp
        I3         | 1          | 20:7000    | E         | USD      | erp
        I4         | 1          | 20:5000    | F         | EUR      | other
        """,
        allocation="""
        from_id | invoice_id | date | amount_minor
        P       | I1         | 5    | 40000
        """,
        entity="""
        entity_id | currency | time_zone
        E         | EUR      | UTC
        F         | EUR      | UTC
        """,
    )
    asked: list[list[str]] = []

    def distribution(frame: pl.DataFrame) -> Distribution:
        """On the day of the outage 50 %, the day after 20 %; I2 is paid for sure ten days later."""
        asked.append(frame["invoice_id"].to_list())
        start = frame["cutoff_day"].to_numpy().astype("datetime64[D]")
        later = on_one_day(start, np.full(len(frame), 10))
        soon = np.tile([0.5, 0.2, *[0.0] * 9], (len(frame), 1))
        return Distribution(start, np.where((frame["invoice_id"] == "I2").to_numpy()[:, None], later.pmf, soon))

    book, model = Book(facts), CashModel("payment-date/3", distribution)
    # from noon of day 6 to 6 o'clock of day 7: half of day 6, a quarter of day 7: 0.5 * 0.5 + 0.25 * 0.2 = 0.3
    # open: I1 60,000 EUR cents of 100,000, I3 7,000 USD cents
    found = expected_cash(book, {"E"}, at(6.5), at(7.25), model)
    assert {key: float(minor) for key, minor in found.items()} == pytest.approx(
        {("E", "EUR"): 18000, ("E", "USD"): 2100}
    )
    assert asked == [["I1", "I2", "I3"]]
    (euro, dollar) = impact_of(book, [Outage("erp", at(6.5), at(7.25))], JANUARY, model, EIGHT)
    # 18 hours are 1,080 minutes: 180.00 * 0.08 * 1080 / 525600 = 0.0296; 21.00: 0.003
    assert euro == Downtime("erp", "E", "EUR", 1, 1080.0, Decimal("180.00"), Decimal("0.03"))
    assert dollar == Downtime("erp", "E", "USD", 1, 1080.0, Decimal("21.00"), Decimal("0.00"))
    assert expected_cash(book, {"G"}, at(6.5), at(7.25), model) == {}


def test_days_are_those_of_the_entity(drawn_facts: Callable[..., Facts]) -> None:
    facts = drawn_facts(
        entity="""
        entity_id | currency | time_zone
        E         | EUR      | Asia/Tokyo
        """,
        payment="""
        value_date | amount_minor
        7          | 40320
        """,
    )
    # 16:00 UTC on day 7 is day 8 in Tokyo: the payment of day 7 is of the days before; at 14:00 it is not
    book = Book(facts)
    late, early = at(7 + 16 / 24), at(7 + 14 / 24)
    assert expected_cash(book, {"E"}, late, late + timedelta(minutes=5), None) == {("E", "EUR"): Decimal(5)}
    assert expected_cash(book, {"E"}, early, early + timedelta(minutes=5), None) == {}


def shown(found: IntegrationKpis) -> list[str]:
    screen = Console(width=WIDTH, record=True, file=io.StringIO())
    screen.print(render(found))
    return screen.export_text().splitlines()


def test_where_nothing_happened_it_says_so_and_no_number(
    drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path
) -> None:
    found = figures(drawn_facts(), database, tmp_path)
    lines = shown(found)
    for section in SECTIONS:
        assert any(f"{section.title}: {section.nothing} in this period" in line for line in lines), section.name
    assert not any("nan" in line.casefold() or "none" in line.split() for line in lines)
    assert {told.share for told in found.automation} == {None}
    assert b"NaN" not in msgspec.json.encode(found)


def test_every_list_has_a_section_and_a_definition_and_fits_the_screen(
    drawn_facts: Callable[..., Facts], store: Store, tmp_path: Path
) -> None:
    database, long = store.database, "GET /api/v1/" + "very_long_name/" * 8
    called(database, "erp", [(28, long, 0, 30.0), (28.5, long, 200, 0.1)])
    read(store, "erp", 2, "GET /a/feed/of/a/long/name " * 4, Counts(read=123456789, landed=123456789), tie=True)
    sent(database, 2, "book_sale", "k1", {"sale": "S1"})
    sent(database, 2, "strange", "k2", {})
    facts = drawn_facts(
        payment=PAYMENTS,
        invoice="invoice_id | issue_date | owed\nI1 | 1 | 10:100",
        allocation="from_id | invoice_id | date | amount_minor\nP | I1 | 5 | 100",
    )
    found = figures(facts, database, tmp_path)
    lines = shown(found)
    assert max(map(len, lines)) <= WIDTH
    text = " ".join(" ".join(lines).split())
    lists = [name for name, kind in IntegrationKpis.__annotations__.items() if str(kind).startswith("list[")]
    assert {section.name for section in SECTIONS} == set(lists) - {"undeclared"} == set(found.definitions)
    assert all(definition in text for definition in found.definitions.values())
    assert "in this period" not in text
    assert "Counted as no step: strange" in text
    assert "7,200.00" in text


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "none"), (0.0, "0.00 %"), (1.0, "100.00 %"), (0.999999, "> 99.99 %"), (1e-9, "< 0.01 %"), (0.5, "50.00 %")],
)
def test_percent_says_all_or_nothing_only_where_it_is(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_every_step_counts_facts_of_a_table_that_is_there() -> None:
    for step in STEPS:
        assert table(step.table).name == step.table
        assert step.fetched != bool(step.operations)


def test_a_period_is_of_days_and_ends_after_its_start() -> None:
    now = datetime(2024, 3, 1, 15, tzinfo=UTC)
    assert period_of(None, None, now) == Period(now - timedelta(days=30), now)
    assert period_of(date(2024, 1, 1), date(2024, 2, 1), now) == Period(at(1), at(32))
    assert period_of(None, date(2024, 1, 31), now) == JANUARY
    with pytest.raises(BadSetting, match="an end after its start"):
        period_of(date(2024, 2, 1), date(2024, 2, 1), now)
    with pytest.raises(BadSetting, match="--until 0001-01-01: there are no 30 days before it; allowed: a later day"):
        period_of(None, date.min, now)


def test_an_empty_period_is_refused(drawn_facts: Callable[..., Facts], database: Database, tmp_path: Path) -> None:
    nothing = Period(at(3), at(3))
    with pytest.raises(BadSetting, match="an end after its start"):
        integration_kpis(Drawn(drawn_facts()), database, nothing, mlruns=tmp_path, cost_of_capital=EIGHT)


def test_banks_whose_files_somebody_puts_into_a_folder_are_not_unattended(tmp_path: Path) -> None:
    accounts = "accounts: {main: {number: DE02, entity: E, currency: EUR}}"
    text = f"""
systems:
  api: {{bank: {{mailbox: "http://127.0.0.1:1", {accounts}}}}}
  drop: {{bank: {{folder: in, {accounts.replace("main", "till").replace("DE02", "DE03")}}}}}
  erp: {{rest: {{url: "http://127.0.0.1:1", token_file: t}}}}
"""
    assert unattended_banks(parse_landscape(text, "landscape.yaml", tmp_path)) == {"api"}


def test_the_command_shows_and_writes_the_figures(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called(store.database, "erp", [(2, "GET /x", 200, 0.25)])
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DUECAST_MLRUNS", str(tmp_path / "mlruns"))
    monkeypatch.setenv("DUECAST_LANDSCAPE", str(tmp_path / "none.yaml"))
    out = tmp_path / "kpis.json"
    period = ("--since", "2024-01-01", "--until", "2024-01-31")
    assert run(["kpis", "integration", *period, "--cost-of-capital", "6.5", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "Integration from 2024-01-01 00:00 to 2024-01-31 00:00 UTC" in said
    assert "Downtime impact: no system was found not to answer in this period" in said
    told = json.loads(out.read_text())
    assert told["cost_of_capital"] == "0.065"
    assert [row["p50"] for row in told["response_times"]] == [0.25, 0.25]
    assert run(["kpis", "integration", "--since", "2024-02-01", "--until", "2024-01-31"]) == 2
    assert "an end after its start" in capsys.readouterr().err
    assert run(["kpis", "integration", "--landscape", str(tmp_path / "none.yaml")]) == 2
    assert Lake(tmp_path / "lake").table_versions() == {}


def test_calls_and_work_are_read_by_period_on_both_databases(url: str) -> None:
    with Store(url) as store:
        called(store.database, "erp", [(1, "GET /x", 0, 1.0), (2, "GET /x", 200, 1.0), (3, "GET /x", 0, 1.0)])
        assert Calls(store.database).outages(since=at(0), until=at(3)) == [Outage("erp", at(1), at(2))]
        assert len(Calls(store.database).outages(since=at(0))) == 2
        read(store, "erp", 2, "invoices", Counts(read=1, landed=1), tie=True)
        sent(store.database, 2, "book_sale", "k1", {"sale": "S1"})
        work = WorkDone(store.database)
        assert [feed.feed for feed in work.feeds(JANUARY)] == ["invoices"]
        assert [found.ties for found in work.compared(JANUARY)] == [True]
        assert [message.delivered for message in work.settled(JANUARY)] == [True]
        assert list(work.results("book_sale")) == [("erp", {"entity_id": "E"}, {"sale": "S1"})]
        assert work.askers("book_sale") == {"crm"}


def ledger_lines() -> list[str]:
    """Half of the customers pay 5 days early, half 12 late; the newest two invoices of each are open."""
    lines = ["countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,SettledDate"]

    def american(day: date) -> str:
        return f"{day.month}/{day.day}/{day.year}"

    for customer in range(6):
        for number in range(14):
            issued = date(2023, 1, 2) + timedelta(days=number * 18 + customer)
            due = issued + timedelta(days=30)
            paid = american(due + timedelta(days=12 if customer % 2 else -5)) if number < 12 else ""
            told = (f"391,C{customer}", american(date(2023, 1, 1)), f"{customer}{number:03}", american(issued))
            lines.append(",".join((*told, american(due), "100.00", paid)))
    return lines


@pytest.mark.slow
def test_with_a_champion_the_cash_comes_from_its_distribution_and_a_damaged_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LAKE", "lake"), ("MLRUNS", "mlruns"), ("LANDSCAPE", "none.yaml")):
        monkeypatch.setenv(f"DUECAST_{name}", str(tmp_path / value))
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ledger.csv").write_text("\n".join(ledger_lines()) + "\n")
    assert run(["ingest", "--data", str(tmp_path / "data"), "--mapping", "ibm-ar"]) == 0
    assert run(["train", "--report", str(tmp_path / "report")]) == 0
    lake, mlruns = Lake(tmp_path / "lake"), tmp_path / "mlruns"
    period = Period(datetime(2023, 9, 1, tzinfo=UTC), datetime(2023, 10, 1, tzinfo=UTC))
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        begun = datetime(2023, 9, 7, tzinfo=UTC)
        called_at = [(begun, 0), (begun + timedelta(days=10), 200)]
        for moment, status in called_at:
            with CallLog(store.database, "ibm-ar", lambda moment=moment: moment) as log:
                log(Told("GET /x", status, 1.0))
        found = integration_kpis(lake, store.database, period, mlruns=mlruns, cost_of_capital=EIGHT)
        (down,) = found.downtime
        assert (down.system, down.currency, down.minutes) == ("ibm-ar", "USD", 14400.0)
        open_then = Book(Facts.read(lake)).open_receivables(begun)["amount_minor"].sum()
        assert down.cash_delayed is not None
        assert 0 < down.cash_delayed * 100 < open_then
        assert "the cash distribution of payment-date/1" in found.definitions["downtime"]
        for model in mlruns.rglob("model.json"):
            model.write_text("{}")
        with pytest.raises(StateError, match="restore it or promote another version"):
            integration_kpis(lake, store.database, period, mlruns=mlruns, cost_of_capital=EIGHT)
