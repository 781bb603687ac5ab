"""What the errors desk promises: nothing is lost or undone, an amount needs two people, a correction stands."""

import csv
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from features.contracts import QUARANTINE_SCHEMA
from features.errors import BadInput, BadSetting, NotFound
from features.lake import Lake
from features.tables import ALLOCATION, ENTITY, INVOICE, PAYMENT, Table
from features.totals import Totals
from pipelines.cli import run
from pipelines.connectors.source import Batch, section_of
from pipelines.corrections.cases import Case, case_of, cases
from pipelines.corrections.desk import Desk, Person
from pipelines.corrections.edits import approval_fields
from pipelines.corrections.replay import Replayed
from pipelines.corrections.screen import case_lines, case_table, printable
from pipelines.ingest import ingest_files, ingest_source
from pipelines.landscape import Landscape, parse_landscape
from pipelines.mapping import parse
from pipelines.mapping_keys import Section
from pipelines.quarantine import write_quarantine
from pipelines.run_report import RunReport
from services.corrections import Action, Corrections, State
from services.heartbeats import Heartbeats
from services.outbox import Fate, NewMessage, Outbox, revive
from services.runs import Counts, Status
from services.state_tables import heartbeat
from services.store import Store

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)
MAPPING = """\
source: books
entities:
  UK: {name: Acme Ltd, country: GB, currency: GBP, time_zone: Europe/London}
files:
  - path: "ar*.csv"
    tables:
      - table: invoice
        fields: {invoice_id: id, customer_id: customer, issue_date: issued, terms_days: terms, amount: gross,
                 currency: money}
      - table: payment
        when: {column: paid, present: true}
        fields: {payment_id: {template: "P-{id}"}, customer_id: customer, value_date: paid, amount: gross,
                 currency: money}
      - table: allocation
        when: {column: paid, present: true}
        fields: {from_id: {template: "P-{id}"}, invoice_id: id, date: paid, amount: gross, currency: money}
"""
HEADER = "id,customer,issued,terms,gross,money,paid,note\n"
SOUND = "1,C1,2024-01-10,30,100.00,GBP,2024-02-12,\n"
WRONG = "7,C1,2024-02-30,30,1.00,GBP,2024-03-09,first\n"
SYSTEMS = "systems: {erp: {rest: {url: 'http://erp.test', token_file: t, mapping: sandbox}}}"


def by(who: str, why: str = "because", *, seen: int | None = None, minutes: float = 0) -> Person:
    return Person(who, NOW + timedelta(minutes=minutes), why, seen)


class World:
    """A folder of files, a lake, a store and the desk of one test."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "data"
        self.folder.mkdir(parents=True)
        self.lake = Lake(root / "lake")
        self.url = f"sqlite:///{root / 'store.db'}"
        self.store = Store(self.url)
        self.desk = Desk(self.store, approval_fields("amounts"))
        self.box = Outbox(self.store.database)
        self.mapping = parse(MAPPING, "my.yaml")

    def ingest(self, *lines: str, now: datetime = NOW) -> RunReport:
        (self.folder / "ar-1.csv").write_text(HEADER + "".join(lines))
        return ingest_files(self.folder, self.mapping, self.lake, self.store, now=now)

    def case(self) -> Case:
        (found,) = cases(self.store, every=True)
        return found

    def edit(self, *changes: str, who: str = "ada") -> Case:
        return self.desk.edit(self.case().case_id, by(who), changes)

    def land(self, who: str = "ada", **given: object) -> Replayed:
        told = {"mapping": self.mapping} | given
        return self.desk.land(self.case().case_id, by(who, minutes=5), self.lake, **told)  # type: ignore[arg-type]

    def invoices(self) -> dict[str, int]:
        rows = self.lake.versions(INVOICE).collect()
        return dict(rows.select("invoice_id", "amount_minor").rows())

    def dead(self, key: str = "crm:7", **payload: object) -> str:
        told = {"order": "7", "total": "120.00", "lines": [{"quantity": 1}]} | payload
        message_id = self.box.put(NewMessage("erp", f"sale {key}", "post_invoice", key, told, "sync"), now=NOW)
        self.bury()
        return message_id

    def bury(self) -> None:
        for message in self.box.claim(now=NOW + timedelta(days=1), lease=LEASE, limit=9):
            self.box.buried(message, "the order has no customer", now=NOW)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.store.close()


# lines of files


def test_a_wrong_line_is_one_case_whatever_it_feeds(world: World) -> None:
    world.ingest(SOUND, WRONG)
    case = world.case()
    assert (case.kind, case.system, case.about) == ("ingest", "books", ("allocation", "invoice", "payment"))
    assert (case.file, case.line, case.times) == ("ar-1.csv", "ar-1.csv line 3", 1)
    assert case.given is not None
    assert case.given["issued"] == "2024-02-30"
    assert "issue_date is '2024-02-30'" in " ".join(r.words for r in case.reasons)


def test_a_corrected_line_lands_whole_and_is_learnt_today(world: World) -> None:
    world.ingest(SOUND, WRONG)
    assert world.edit("issued=2024-02-29").standing.state is State.EDITED
    done = world.land()
    assert done.reasons == ()
    # the entity that a mapping declares is no part of the line
    assert done.counts == Counts(read=3, landed=3, duplicates=0, quarantined=0)
    row = world.lake.versions(INVOICE).collect().row(-1, named=True)
    assert (row["invoice_id"], row["known_at"]) == ("7", NOW + timedelta(minutes=5))
    assert world.lake.versions(PAYMENT).collect().height == world.lake.versions(ALLOCATION).collect().height == 2
    assert cases(world.store) == []
    (replayed, _) = world.store.runs()
    assert (replayed.run_id, replayed.status) == (done.run_id, Status.DONE)
    assert {f.feed.split(":")[0] for f in replayed.feeds} == {f"correction {world.case().case_id}"}
    assert [e.action for e in world.case().history] == [Action.EDIT, Action.REPLAY]


def test_the_same_wrong_line_again_neither_reopens_nor_undoes(world: World) -> None:
    world.ingest(SOUND, WRONG)
    world.edit("issued=2024-02-29")
    world.land()
    before = world.lake.versions(INVOICE).collect()
    world.ingest(SOUND, WRONG, now=NOW + timedelta(days=1))
    assert world.lake.versions(INVOICE).collect().equals(before)
    assert cases(world.store) == []
    assert (world.case().times, world.case().standing.state) == (2, State.REPLAYED)


def test_what_breaks_again_says_why_and_stays_one_case(world: World) -> None:
    world.ingest(SOUND, WRONG)
    world.edit("issued=2024-02-31")
    done = world.land()
    assert any("issue_date is '2024-02-31'" in reason for reason in done.reasons)
    assert done.counts == Counts(read=3, landed=0, duplicates=0, quarantined=3)
    assert world.case().standing.state is State.EDITED
    assert world.invoices() == {"1": 10000}
    world.edit("issued=2024-02-29")
    assert world.land().reasons == ()
    assert [e.action for e in world.case().history] == [Action.EDIT, Action.EDIT, Action.REPLAY]


def test_a_column_that_the_mapping_reads_an_amount_from_needs_a_second_person(world: World) -> None:
    world.ingest(SOUND, WRONG)
    world.edit("issued=2024-02-29", "gross=9999.00")
    with pytest.raises(BadInput, match=r"the edit changes gross; allowed after approval by another person"):
        world.land()
    assert world.invoices() == {"1": 10000}
    world.desk.approve(world.case().case_id, by("grace"))
    assert world.land().reasons == ()
    assert world.invoices() == {"1": 10000, "7": 999900}


def test_a_line_that_could_not_be_parted_is_edited_and_approved(world: World) -> None:
    world.ingest(SOUND, "7,C1,2024-02-10,30,1.00,GBP,,a,b\n")
    with pytest.raises(BadInput, match="its line has not the header's fields"):
        world.land()
    world.edit("note=a, b")
    with pytest.raises(BadInput, match="the edit changes note; allowed after approval"):
        world.land()
    world.desk.approve(world.case().case_id, by("grace"))
    assert world.land().counts == Counts(read=1, landed=1, duplicates=0, quarantined=0)


def test_a_line_needs_the_mapping_that_read_it(world: World) -> None:
    world.ingest(SOUND, WRONG)
    with pytest.raises(BadSetting, match=r"came from a file; allowed: --mapping with what read ar-1.csv"):
        world.land(mapping=None)
    with pytest.raises(BadSetting, match="came from 'books', the mapping is of 'other'"):
        world.land(mapping=parse(MAPPING.replace("books", "other"), "m.yaml"))
    with pytest.raises(BadSetting, match=r"does not say how to read ar-1.csv; it has: in/ar\*.csv"):
        world.land(mapping=parse(MAPPING.replace('"ar', '"in/ar'), "m.yaml"))
    assert len(world.store.runs()) == 1


def test_a_line_that_feeds_nothing_any_more_is_not_replayed(world: World) -> None:
    only = MAPPING.split("      - table: invoice")[0] + "      - table: payment" + MAPPING.split("- table: payment")[1]
    world.mapping = parse(only, "m.yaml")
    world.ingest(SOUND, "7,C1,2024-02-10,30,1.00,GBP,2024-02-31,\n")
    world.edit("paid:=null")
    with pytest.raises(BadInput, match="no table is read from it as it is now"):
        world.land()
    assert world.store.runs()[0].status is Status.FAILED


def test_a_replay_is_no_sign_of_life(world: World) -> None:
    world.ingest(SOUND, WRONG)
    with world.store.database.reading() as connection:
        before = connection.execute(heartbeat.select().order_by(heartbeat.c.feed)).all()
    world.edit("issued=2024-02-29")
    world.land()
    with world.store.database.reading() as connection:
        assert connection.execute(heartbeat.select().order_by(heartbeat.c.feed)).all() == before
    assert Heartbeats(world.store.database).silent(now=NOW) == []


# records of a system


class Erp:
    """Serves every record it holds, and says what it holds."""

    def __init__(self) -> None:
        entity = {"name": "Acme", "country": "GB", "currency": "GBP", "time_zone": "Europe/London"}
        self.held: dict[str, list[dict]] = {"entity": [self.record("UK", **entity)], "invoice": []}

    @staticmethod
    def record(record_id: str, **fields: object) -> dict:
        return {"id": record_id, "company": "UK", "changed_at": "2024-03-01T08:00:00Z", "deleted": False, **fields}

    def invoice(self, record_id: str, amount: object = "9.00", **fields: object) -> None:
        owed = [{"number": 1, "due_date": "2024-03-31", "amount": "9.00"}]
        told = {"customer_id": "C1", "issue_date": "2024-03-01", "currency": "GBP", "instalments": owed}
        self.held["invoice"].append(self.record(record_id, amount=amount, **(told | fields)))

    def tables(self) -> tuple[Table, ...]:
        return (ENTITY, INVOICE)

    def feed(self, table: Table) -> str:
        return f"erp {table.name}"

    def section(self, table: Table) -> Section:
        return section_of(table)

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        yield Batch(self.held[table.name], "end")

    def totals(self, table: Table) -> Totals | None:
        return Totals(len(self.held[table.name]), {"UK GBP": 900 * len(self.held["invoice"])})

    @property
    def landscape(self) -> Landscape:
        return parse_landscape(SYSTEMS, "landscape.yaml", Path())


@pytest.fixture
def erp(world: World) -> Erp:
    served = Erp()
    served.invoice("I1")
    served.invoice("I2", issue_date="2024-02-30")
    read_erp(served, world)
    return served


def read_erp(served: Erp, world: World, days: int = 0) -> RunReport:
    return ingest_source(served, "erp", world.lake, world.store, now=NOW + timedelta(days=days))


def test_a_corrected_record_lands_and_stands_and_the_totals_tie(world: World, erp: Erp) -> None:
    times = world.edit("issue_date=2024-02-29").times
    assert world.land(mapping=None, landscape=erp.landscape).counts.landed == 1
    before = world.lake.versions(INVOICE).collect()
    assert before.filter(invoice_id="I2")["known_at"].to_list() == [NOW + timedelta(minutes=5)]
    read_erp(erp, world, days=1)  # it would raise if the correction made the totals differ
    assert world.lake.versions(INVOICE).collect().equals(before)
    assert world.case().times > times
    assert world.case().standing.state is State.REPLAYED


def test_a_later_version_of_the_source_counts(world: World, erp: Erp) -> None:
    world.edit("issue_date=2024-02-29")
    world.land(mapping=None, landscape=erp.landscape)
    erp.held["invoice"].pop()
    erp.invoice("I2", issue_date="2024-02-28", changed_at="2024-06-01T18:00:00Z")
    read_erp(erp, world, days=1)
    dates = world.lake.known(INVOICE, NOW + timedelta(days=2)).filter(invoice_id="I2").collect()["issue_date"]
    assert [str(day) for day in dates] == ["2024-02-28"]


def test_a_record_needs_somebody_who_knows_its_fields(world: World, erp: Erp) -> None:
    world.edit("issue_date=2024-02-29")
    with pytest.raises(NotFound, match="nobody says how 'erp' calls its fields; allowed: --mapping"):
        world.land(mapping=None)
    with pytest.raises(BadSetting, match="came as a record; allowed: a mapping with `rest`"):
        world.land(mapping=parse(MAPPING.replace("books", "erp"), "m.yaml"))
    assert world.land(mapping=parse("source: erp\nrest: {}", "m.yaml")).reasons == ()


def test_a_field_that_a_mapping_calls_otherwise_is_an_amount_all_the_same(world: World, erp: Erp) -> None:
    renamed = parse("source: erp\nrest: {fields: {invoice: {amount: order_id}}}", "m.yaml")
    world.edit("issue_date=2024-02-29", "order_id=5.00")
    with pytest.raises(BadInput, match="the edit changes order_id; allowed after approval"):
        world.land(mapping=renamed)


def test_what_came_by_webhook_has_canonical_names(world: World, erp: Erp) -> None:
    erp.invoice("I3", issue_date="2024-02-30")
    payload = json.dumps(erp.held["invoice"].pop())
    bad = {"where": "webhook invoice record I3", "field": "record", "value": None, "allowed": "x", "payload": payload}
    run_id = world.store.start_run("hooks", now=NOW)
    rows = pl.DataFrame([bad], schema=QUARANTINE_SCHEMA)
    world.store.commit_page(run_id, "webhook invoice", Counts(1, quarantined=1), bad={"invoice": rows}, now=NOW)
    (case,) = cases(world.store, source="hooks")
    world.desk.edit(case.case_id, by("ada"), ["issue_date=2024-02-29"])
    assert world.desk.land(case.case_id, by("ada"), world.lake).counts.landed == 1


def test_no_erp_is_asked_for_a_replay(world: World, erp: Erp) -> None:
    world.edit("issue_date=2024-02-29")
    tryton = "systems: {erp: {tryton: {url: 'http://127.0.0.1:1', database: d, key_file: absent}}}"
    told = parse_landscape(tryton, "landscape.yaml", Path())
    assert world.land(mapping=None, landscape=told).counts.landed == 1


def test_what_nobody_edited_is_known_when_the_source_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Erp()
    monkeypatch.setattr(served, "totals", lambda _: None)
    stranger = Erp.record("I2", company="DE", customer_id="C1", issue_date="2024-03-01", currency="EUR", amount="9.00")
    served.held["invoice"].append(
        stranger | {"instalments": [{"number": 1, "due_date": "2024-03-31", "amount": "9.00"}]}
    )
    read_erp(served, world)
    assert world.case().payload is not None
    told = {"name": "Acme", "country": "DE", "currency": "EUR", "time_zone": "Europe/Berlin", "company": "DE"}
    served.held = {"entity": [Erp.record("DE", **told)], "invoice": []}
    read_erp(served, world, days=1)
    assert world.land(mapping=None, landscape=served.landscape).reasons == ()
    assert world.lake.versions(INVOICE).collect()["known_at"].to_list() == [datetime(2024, 3, 1, 8, tzinfo=UTC)]


@pytest.mark.parametrize(("change", "path"), [("company=DE", "company"), ("deleted:=true", "deleted"), ("id=I9", "id")])
def test_whose_a_record_is_and_whether_it_stands_needs_a_second_person(
    world: World, erp: Erp, change: str, path: str
) -> None:
    world.edit("issue_date=2024-02-29", change)
    with pytest.raises(BadInput, match=f"the edit changes {path}; allowed after approval by another person"):
        world.land(mapping=None, landscape=erp.landscape)
    assert world.invoices() == {"I1": 900}


@pytest.mark.parametrize("change", ["changed_at=2023-01-01T00:00:00Z", "known_at=2023-01-01T00:00:00Z"])
def test_no_edit_says_when_the_source_knew(world: World, erp: Erp, change: str) -> None:
    name = change.split("=")[0]
    with pytest.raises(BadInput, match=f"field {name} says when the source knew it, which no edit changes"):
        world.edit("issue_date=2024-02-29", change)
    assert world.case().history == ()


def test_a_column_that_says_whose_a_line_is_needs_a_second_person(world: World) -> None:
    entities = (
        "  DE: {name: Acme AG, country: DE, currency: EUR, time_zone: Europe/Berlin}\nentity: {column: note}\nfiles:"
    )
    world.mapping = parse(MAPPING.replace("files:", entities), "my.yaml")
    world.ingest(SOUND.replace(",\n", ",UK\n"), WRONG.replace("first", "UK"))
    world.edit("issued=2024-02-29", "note=DE")
    with pytest.raises(BadInput, match="the edit changes note; allowed after approval"):
        world.land()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("id:=null", "every record has id, company, changed_at"),
        ('customer_id:="\\ud800"', "the payload cannot be read; allowed: text, numbers"),
    ],
)
def test_an_edit_that_is_no_record_any_more_is_the_editors_fault(
    world: World, erp: Erp, change: str, said: str
) -> None:
    world.edit("issue_date=2024-02-29", change)
    world.desk.approve(world.case().case_id, by("grace"))
    with pytest.raises(BadInput, match=said):
        world.land(mapping=None, landscape=erp.landscape)
    assert world.case().standing.state is State.APPROVED


def test_a_killed_replay_is_replayed_again(world: World, erp: Erp, monkeypatch: pytest.MonkeyPatch) -> None:
    world.edit("issue_date=2024-02-29")
    with monkeypatch.context() as patch:
        patch.setattr(Corrections, "add", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.land(mapping=None, landscape=erp.landscape)
    assert world.land(mapping=None, landscape=erp.landscape).counts == Counts(read=1, landed=0, duplicates=1)
    assert world.lake.versions(INVOICE).filter(invoice_id="I2").collect().height == 1


def test_the_payload_that_came_is_kept_and_nothing_of_it_is_logged(
    world: World, erp: Erp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    came = world.case().raw
    world.edit("issue_date=2024-02-29", "customer_id=Secret GmbH")
    world.land(mapping=None, landscape=erp.landscape)
    assert world.case().raw == came
    assert "Secret" not in caplog.text


# deliveries


def test_a_dead_message_goes_out_again_as_edited_under_its_key(world: World) -> None:
    message_id = world.dead()
    case = world.case()
    assert (case.case_id, case.kind, case.system, case.about) == (message_id, "delivery", "erp", ("post_invoice",))
    assert case.reasons[0].words == "the order has no customer"
    world.edit("order=8")
    world.desk.resend(message_id, by("ada", minutes=3))
    message = world.box.message(message_id)
    assert (message.status, message.payload["order"], message.idempotency_key) == (Fate.WAITING, "8", "crm:7")
    assert cases(world.store) == []
    assert world.case().standing.state is State.REPLAYED


def test_a_message_that_dies_again_waits_again_with_what_was_sent(world: World) -> None:
    message_id = world.dead()
    world.edit("total=1.00")
    world.desk.approve(message_id, by("grace"))
    world.desk.resend(message_id, by("ada"))
    world.bury()
    (case,) = cases(world.store)
    assert (case.standing.state, case.payload["total"] if case.payload else None) == (State.WAITING, "1.00")
    world.desk.resend(message_id, by("ada"))
    world.bury()
    world.edit("total=2.00")
    with pytest.raises(BadInput, match="the edit changes total"):
        world.desk.resend(message_id, by("ada"))


def test_a_discarded_message_lets_those_behind_it_go(world: World) -> None:
    message_id = world.dead()
    world.desk.discard(message_id, by("ada"))
    assert world.box.message(message_id).status is Fate.DISCARDED
    assert world.case().standing.state is State.DISCARDED
    with pytest.raises(BadInput, match="is discarded; allowed: a case that is open"):
        world.desk.resend(message_id, by("ada"))


def test_a_message_is_not_landed_and_a_record_not_sent(world: World) -> None:
    message_id = world.dead()
    with pytest.raises(BadInput, match="is of kind delivery; allowed here: ingest"):
        world.land()
    world.desk.discard(message_id, by("ada"))
    world.ingest(SOUND, WRONG)
    (case,) = cases(world.store)
    with pytest.raises(BadInput, match="is of kind ingest; allowed here: delivery"):
        world.desk.resend(case.case_id, by("ada"))


# people


def test_a_discarded_case_never_waits_again_though_it_comes_again(world: World) -> None:
    world.ingest(SOUND, WRONG)
    world.desk.discard(world.case().case_id, by("ada"))
    world.ingest(SOUND, WRONG, now=NOW + timedelta(days=1))
    assert cases(world.store) == []
    assert (world.case().times, world.case().standing.state) == (2, State.DISCARDED)


def test_nobody_approves_what_they_edited_or_what_nobody_did(world: World) -> None:
    message_id = world.dead()
    with pytest.raises(BadInput, match="is waiting; allowed: to approve what was edited"):
        world.desk.approve(message_id, by("grace"))
    world.edit("total=1.00", who="Ada")
    world.edit("order=9", who="Bob")
    for who in ("ada ", "A D A", "BOB"):
        with pytest.raises(BadInput, match="edited it; allowed: another person's approval"):
            world.desk.approve(message_id, by(who))
    assert world.desk.approve(message_id, by("grace")).standing.state is State.APPROVED
    assert world.edit("order=10", who="grace").standing.state is State.EDITED
    with pytest.raises(BadInput, match="the edit changes total"):
        world.desk.resend(message_id, by("ada"))


def test_the_amounts_that_need_approval_can_be_none(world: World) -> None:
    message_id = world.dead()
    desk = Desk(world.store, approval_fields("none"))
    desk.edit(message_id, by("ada"), ["total=1.00"])
    desk.resend(message_id, by("ada"))
    assert world.box.message(message_id).payload["total"] == "1.00"


def test_the_second_of_two_people_is_told(world: World, erp: Erp) -> None:
    case_id = world.case().case_id
    world.desk.edit(case_id, by("ada", seen=0), ["issue_date=2024-02-29"])
    with pytest.raises(BadInput, match="ada was faster"):
        world.desk.edit(case_id, by("bob", seen=0), ["issue_date=2024-02-28"])
    with pytest.raises(BadInput, match="changed since you looked at it"):
        world.desk.land(case_id, by("bob", seen=0), world.lake, landscape=erp.landscape)
    with pytest.raises(BadInput, match="ada was faster"):
        world.desk.discard(case_id, by("bob", seen=0))
    assert [e.who for e in world.case().history] == ["ada"]


@pytest.mark.parametrize("changes", [[], ["total=120.00"]])
def test_an_edit_changes_something(world: World, changes: list[str]) -> None:
    world.dead()
    with pytest.raises(BadInput, match="the edit changes nothing"):
        world.edit(*changes)


def test_a_case_that_nobody_knows(world: World) -> None:
    with pytest.raises(NotFound, match="no case 'x'; see `duecast errors list --state all`"):
        world.desk.discard("x", by("ada"))


PEOPLE = {"ada": 0, " ADA": 0, "bob": 1, "eve": 2}
OFTEN = ["edit amount", "approve", "replay"] * 3
STEPS = st.tuples(st.sampled_from([*OFTEN, "edit note", "edit back", "die"]), st.sampled_from(sorted(PEOPLE)))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=16))
def test_no_amount_goes_out_changed_without_a_second_person(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    world = World(tmp_path_factory.mktemp("desk"))
    message_id = world.dead(note="")
    sent, edits, approvals = "120.00", [], []
    for number, (step, who) in enumerate(steps):
        try:
            match step:
                case "edit amount" | "edit back" | "edit note":
                    told = {"edit amount": f"total={number}.50", "edit back": "total=120.00"}.get(
                        step, f"note={number}"
                    )
                    world.desk.edit(message_id, by(who), [told])
                    edits.append((number, PEOPLE[who]))
                case "approve":
                    world.desk.approve(message_id, by(who))
                    approvals.append((number, PEOPLE[who]))
                case "replay":
                    world.desk.resend(message_id, by(who))
                    total = str(world.box.message(message_id).payload["total"])
                    if total != sent:
                        editors = {person for _, person in edits}
                        assert any(at > edits[-1][0] and person not in editors for at, person in approvals)
                    sent, edits, approvals = total, [], []
                case _:
                    world.bury()
        except BadInput:
            pass
        assert world.box.message(message_id).payload["total"] == sent
    world.store.close()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=4, max_size=12))
def test_no_amount_lands_changed_without_a_second_person(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    world = World(tmp_path_factory.mktemp("desk"))
    world.ingest("7,C1,2024-02-10,30,1.00,GBP,,\n".replace(",30,", ",-30,"))
    case_id, edits, approvals = world.case().case_id, [], []
    world.desk.edit(case_id, by("ada"), ["terms=30"])
    edits.append((-1, 0))
    for number, (step, who) in enumerate(steps):
        try:
            match step:
                case "edit amount" | "edit back" | "edit note":
                    told = {"edit amount": f"gross={number}.50", "edit back": "gross=1.00"}.get(step, f"note={number}")
                    world.desk.edit(case_id, by(who), [told])
                    edits.append((number, PEOPLE[who]))
                case "approve":
                    world.desk.approve(case_id, by(who))
                    approvals.append((number, PEOPLE[who]))
                case "replay":
                    world.desk.land(case_id, by(who), world.lake, mapping=world.mapping)
                case _:
                    pass
        except BadInput:
            pass
        if world.invoices():
            second = any(at > edits[-1][0] and p not in {e for _, e in edits} for at, p in approvals)
            assert second or world.invoices() == {"7": 100}
            break
    world.store.close()


# what is shown and written


def test_the_table_fits_and_shows_no_control_signs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ingest(SOUND, "7,C1,\x1b[2J\u202e2024-02-30,30,1.00,GBP,,\n")
    world.dead("k" * 200)
    Console(width=100, highlight=False).print(case_table(cases(world.store)))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    everything = "\n".join(line for case in cases(world.store) for line in case_lines(case))
    assert "\x1b" not in shown + everything
    assert "\u202e" not in shown + everything
    assert r"\x1b[2J" in everything
    assert printable("Müller 30 €") == "Müller 30 €"


def test_a_long_list_is_cut_and_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ingest(SOUND, *(f"{n},C1,2024-02-30,30,1.00,GBP,,\n" for n in range(130)))
    Console(width=100, highlight=False).print(case_table(cases(world.store)))
    out = capsys.readouterr().out
    assert "130 cases, the 100 oldest; --json writes all" in out
    assert out.count("waiting") == 100


def test_a_spreadsheet_finds_no_formula(world: World, tmp_path: Path) -> None:
    cells = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "＝1", "-12.50", "+3", "plain", "a=b"]
    lines = [f'{n},C1,"{cell}",30,1.00,GBP,,\n' for n, cell in enumerate(cells)]
    report = world.ingest(SOUND, *lines)
    write_quarantine(world.store, report.run_id, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        written = [row["value"] for row in csv.DictReader(file)]
    assert written == [f"'{cell}" for cell in cells[:6]] + cells[6:]
    stored = world.store.quarantined()["value"].to_list()
    assert set(stored) == set(cells)


# the command line


@pytest.fixture
def shell(world: World, erp: Erp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("DUECAST_STATE_URL", world.url)
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    (tmp_path / "landscape.yaml").write_text(SYSTEMS)
    monkeypatch.setenv("DUECAST_LANDSCAPE", str(tmp_path / "landscape.yaml"))
    monkeypatch.delenv("DUECAST_USER", raising=False)
    return world.case().case_id


def test_a_case_from_the_list_to_the_lake(
    shell: str, world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["errors", "list", "--source", "erp", "--table", "invoice", "--json", str(tmp_path / "o.json")]) == 0
    assert shell in capsys.readouterr().out
    (told,) = json.loads((tmp_path / "o.json").read_text())
    assert (told["case"], told["state"], told["about"]) == (shell, "waiting", ["invoice"])
    assert (
        run(["errors", "edit", shell, "--set", "issue_date=2024-02-29", "--set", "amount=8.00", "--why", "typo"]) == 2
    )
    assert "nobody is named; allowed: --who NAME, or DUECAST_USER" in capsys.readouterr().err
    monkeypatch.setenv("DUECAST_USER", "Ada")
    assert run(["errors", "edit", shell, "--set", "issue_date=2024-02-29", "--why", "typo", "--seen", "0"]) == 0
    assert run(["errors", "edit", shell, "--set", "amount=8.00", "--why", "typo", "--seen", "0"]) == 2
    assert "Ada was faster" in capsys.readouterr().err
    (tmp_path / "p.json").write_text(json.dumps((world.case().payload or {}) | {"amount": "8.00"}))
    assert run(["errors", "edit", shell, "--payload", str(tmp_path / "p.json"), "--why", "typo"]) == 0
    assert run(["errors", "replay", shell]) == 2
    assert "the edit changes amount; allowed after approval" in capsys.readouterr().err
    assert run(["errors", "approve", shell]) == 2
    assert run(["errors", "approve", shell, "--who", "Grace"]) == 0
    assert run(["errors", "replay", shell]) == 2  # the instalments do not sum to 8.00
    out = capsys.readouterr().out
    assert "broken again  invoice: erp invoice record I2 in UK" in out
    assert f"Case {shell} stays as it is" in out
    assert run(["errors", "edit", shell, "--set", "instalments.0.amount=8.00", "--why", "as well"]) == 0
    assert run(["errors", "approve", shell, "--who", "Grace"]) == 0
    assert run(["errors", "replay", shell]) == 0
    assert world.invoices() == {"I1": 900, "I2": 800}
    assert run(["errors", "show", shell]) == 0
    out = capsys.readouterr().out
    assert "6. replay by Ada" in out
    assert '"amount": "9.00"' in out


def test_discard_and_the_states_of_the_list(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["errors", "discard", shell, "--who", "ada"]) == 2
    assert "the reason is missing" in capsys.readouterr().err
    assert run(["errors", "discard", shell, "--who", "ada", "--why", "a test"]) == 0
    capsys.readouterr()
    for state, there in (("open", False), ("discarded", True), ("all", True), ("waiting", False)):
        assert run(["errors", "list", "--state", state]) == 0
        assert (shell in capsys.readouterr().out) is there


def test_a_message_from_the_command_line(shell: str, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    message_id = world.dead()
    assert run(["errors", "edit", message_id, "--who", "ada", "--why", "x"]) == 2
    assert "nothing to edit" in capsys.readouterr().err
    assert run(["errors", "replay", message_id, "--who", "ada"]) == 0
    assert world.box.message(message_id).status is Fate.WAITING
    assert run(["errors", "show", "nothing"]) == 2


def test_what_came_is_shown_although_it_was_sent_otherwise(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        box, now = Outbox(store.database), datetime(2026, 3, 1, tzinfo=UTC)
        new = NewMessage("erp", "d", "book_sale", "k", {"customer_id": "nobody", "lines": []}, "crm")
        message_id = box.put(new, now=now)
        for payload in ({"customer_id": "C2", "lines": []}, None):
            (message,) = box.claim(now=now, lease=timedelta(minutes=5))
            box.buried(message, "no", now=now)
            if payload is not None:
                with store.database.writing() as connection:
                    revive(connection, message_id, payload, now=now)
        told = "\n".join(case_lines(case_of(store, message_id)))
    came, sent = told.index("as it came:"), told.index("as it was last sent:")
    assert came < told.index("nobody") < sent < told.index("C2")
