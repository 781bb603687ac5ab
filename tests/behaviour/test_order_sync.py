"""What a sync of won orders promises: each is billed once, what is wrong waits, and is billed when it is mended."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from features.contracts import QUARANTINE_SCHEMA
from features.errors import BadInput, BadSetting, NotFound, Violation
from features.lake import Lake
from features.tables import ENTITY, ORDER
from pipelines.corrections.cases import Case, cases
from pipelines.corrections.desk import Desk, Person
from pipelines.corrections.edits import approval_fields
from pipelines.corrections.replay import Replayed
from pipelines.landscape import Landscape, parse_landscape
from pipelines.order_payloads import order_in, waiting_payload
from pipelines.order_sync import OrdersReport, sync_orders
from pipelines.orders import OrderLine, Orders, Unreadable, WonOrder
from services.corrections import State
from services.outbox import Outbox
from services.runs import Counts
from services.store import Store

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)
WON = NOW - timedelta(days=1)
D = Decimal
SYSTEMS = """\
systems:
  crm: {hubspot: {token_file: t, erp: erp, deals: {entities: {a: UK}, currency: GBP}}}
  erp: {tryton: {url: 'http://erp.test', database: d, key_file: k}}
"""


def order(order_id: str = "hubspot-1", **told: object) -> WonOrder:
    """Sound, its tax left to the ERP."""
    sound = WonOrder(
        order_id=order_id,
        entity_id="UK",
        customer_id="C1",
        customer_name="Customer",
        currency="GBP",
        order_date=date(2024, 5, 1),
        lines=(OrderLine("A", "thing", D(2), D("5.00"), None),),
        net=D("10.00"),
        tax=None,
        total=D("10.00"),
        reference="their PO",
        changed_at=WON,
        place=f"HubSpot deal {order_id.removeprefix('hubspot-')}",
    )
    return replace(sound, **told)  # type: ignore[arg-type]


WRONG_NET = order(net=D("11.00"), total=D("11.00"))
WRONG_LINE = order(lines=(OrderLine("A", "thing", D(-2), D("5.00"), None),))
UNREADABLE = Unreadable(
    "hubspot-1", "HubSpot deal 1", {"deal": {"id": "1"}}, (Violation("HubSpot deal 1", "company", None, "one"),)
)


class Crm:
    """Tells `changed` in a read, and by name what `held` holds."""

    def __init__(self) -> None:
        self.changed: list[WonOrder | Unreadable] = []
        self.held: dict[str, WonOrder | Unreadable] = {}
        self.asked: list[str] = []

    def read(self, cursor: str | None, now: datetime) -> Iterator[Orders]:
        yield (*self._parted(self.changed), now.isoformat())

    def named(self, order_ids: Sequence[str]) -> tuple[list[WonOrder], list[Unreadable]]:
        self.asked += order_ids
        return self._parted([self.held[one] for one in order_ids if one in self.held])

    @staticmethod
    def _parted(told: list[WonOrder | Unreadable]) -> tuple[list[WonOrder], list[Unreadable]]:
        orders = [one for one in told if isinstance(one, WonOrder)]
        return orders, [one for one in told if isinstance(one, Unreadable)]


class World:
    """A CRM, a lake that knows one entity, a store and its desk."""

    def __init__(self, root: Path) -> None:
        self.crm, self.lake = Crm(), Lake(root / "lake")
        self.store = Store(f"sqlite:///{root / 'store.db'}")
        self.desk = Desk(self.store, approval_fields("amounts"))
        self.entity("UK")

    def entity(self, name: str) -> None:
        told = {"entity_id": name, "source": "erp", "source_id": name, "known_at": WON, "digest": name}
        told |= {"deleted": False, "name": name, "country": None, "currency": "GBP", "time_zone": "UTC"}
        self.lake.append(ENTITY, pl.DataFrame([told], schema=ENTITY.schema))

    @property
    def landscape(self) -> Landscape:
        return parse_landscape(SYSTEMS, "landscape.yaml", Path())

    def sync(self, *changed: WonOrder | Unreadable, days: int = 0) -> OrdersReport:
        self.crm.changed = list(changed)
        return sync_orders(self.crm, "crm", "erp", self.lake, self.store, now=NOW + timedelta(days=days))

    def case(self) -> Case:
        (found,) = cases(self.store, every=True)
        return found

    def correct(self, *changes: str) -> None:
        self.desk.edit(self.case().case_id, Person("ada", NOW, "typo"), changes)
        self.desk.approve(self.case().case_id, Person("grace", NOW))

    def land(self) -> Replayed:
        by = Person("ada", NOW + timedelta(days=2))
        return self.desk.land(self.case().case_id, by, self.lake, landscape=self.landscape)

    @property
    def sent(self) -> list[tuple[str, str, str]]:
        messages = Outbox(self.store.database).messages()
        return [(m.operation, m.payload["erp_reference"], m.payload["net"]) for m in messages]

    @property
    def known(self) -> list[tuple[str, datetime]]:
        return self.lake.versions(ORDER).select("order_id", "known_at").collect().rows()


BILLED = [("book_sale", "crm/hubspot-1", "10.00"), ("post_invoice", "crm/hubspot-1", "10.00")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.store.close()


def test_a_sound_order_lands_and_is_billed_once(world: World) -> None:
    assert (world.sync(order()).sent, world.sync(order(), days=1).sent) == (1, 1)
    assert (world.sent, world.known) == (BILLED, [("hubspot-1", WON)])
    assert world.crm.asked == []


def test_a_customers_new_name_changes_no_order(world: World) -> None:
    world.sync(order())
    world.sync(order(customer_name="Customer Ltd", changed_at=NOW), days=1)
    assert cases(world.store) == []
    assert world.sent == BILLED


def test_an_order_that_changed_since_it_was_sent_waits_and_cannot_be_sent_again(world: World) -> None:
    world.sync(order())
    world.sync(order(reference="another PO"), days=1)
    assert "hubspot-1 (changed since)" in world.case().reasons[0].words
    with pytest.raises(BadInput, match=r"hubspot-1 \(changed since\).*change it there, or cancel it"):
        world.land()
    assert world.sent == BILLED


@pytest.mark.parametrize(
    ("wrong", "changes"), [(WRONG_NET, ["net=10.00"]), (WRONG_LINE, ["lines.0.quantity=2"])], ids=["net", "line"]
)
def test_a_faulty_order_is_corrected_landed_and_billed(world: World, wrong: WonOrder, changes: list[str]) -> None:
    assert world.sync(wrong).sent == 0
    assert (world.case().file, world.case().is_order, world.known, world.sent) == (None, True, [], [])
    world.correct(*changes)
    done = world.land()
    assert (done.reasons, done.counts) == ((), Counts(read=1, landed=1))
    assert world.sent == BILLED
    assert world.known == [("hubspot-1", NOW + timedelta(days=2))], "learnt when it was corrected, not before"
    assert world.case().standing.state is State.REPLAYED
    world.sync(wrong, days=3)
    assert (cases(world.store), world.sent) == ([], BILLED)


def test_an_order_corrected_wrongly_stays_one_case(world: World) -> None:
    world.sync(WRONG_NET)
    world.correct("net=12.00")
    done = world.land()
    assert done.counts == Counts(read=1, quarantined=1)
    assert "HubSpot deal 1: net is '12.00'; allowed: 10.00, the sum of the lines" in done.reasons[0]
    assert (world.case().standing.state, world.sent, world.known) == (State.APPROVED, [], [])


@pytest.mark.parametrize("change", ["order_id=hubspot-9", "entity_id=DE", "net=10.00", "lines.0.quantity=7"])
def test_which_order_whose_and_how_much_needs_a_second_person(world: World, change: str) -> None:
    world.sync(WRONG_NET)
    world.desk.edit(world.case().case_id, Person("ada", NOW, "typo"), [change])
    with pytest.raises(BadInput, match=f"the edit changes {change.split('=')[0]}; allowed after approval"):
        world.land()
    assert world.sent == []


def test_no_edit_says_when_the_crm_changed_an_order(world: World) -> None:
    world.sync(WRONG_NET)
    with pytest.raises(BadInput, match="field changed_at says when the source knew it"):
        world.correct("net=10.00", "changed_at=2020-01-01T00:00:00+00:00")


def test_a_payload_that_is_no_order_any_more_is_refused(world: World) -> None:
    world.sync(WRONG_NET)
    world.correct("net=ten")
    with pytest.raises(BadInput, match=r"the payload is no order: .*\$\.net"):
        world.land()
    assert world.sent == []


@pytest.mark.parametrize("number", ["1e99", "9" * 31, "NaN", "", "1,5", "1\n"])
def test_an_order_has_numbers_that_can_be_reckoned_with(number: str) -> None:
    with pytest.raises(BadInput, match="the payload is no order"):
        order_in(waiting_payload(order()) | {"net": number})


@pytest.mark.parametrize("told", [order(), replace(order(), tax=D("1.90"), total=D("11.90")), WRONG_LINE])
def test_an_order_survives_its_payload(told: WonOrder) -> None:
    assert order_in(waiting_payload(told)) == told


def test_an_order_needs_to_know_who_bills_it(world: World) -> None:
    world.sync(WRONG_NET)
    case_id, by = world.case().case_id, Person("ada", NOW)
    with pytest.raises(NotFound, match="nobody says who bills what 'crm' sold; allowed: --landscape"):
        world.desk.land(case_id, by, world.lake)
    other = parse_landscape("systems: {crm: {rest: {url: 'http://x.test', token_file: t, mapping: m}}}", "l", Path())
    with pytest.raises(BadSetting, match="is an order, and 'crm' no CRM in"):
        world.desk.land(case_id, by, world.lake, landscape=other)


def test_an_order_of_a_stranger_is_billed_when_the_books_are_known(world: World) -> None:
    world.sync(order(entity_id="DE"))
    assert (world.sent, world.case().is_order) == ([], True)
    world.entity("DE")
    world.crm.held["hubspot-1"] = order(entity_id="DE")
    assert world.sync(days=1).sent == 1
    assert (world.sent, cases(world.store)) == (BILLED, [])


@pytest.mark.parametrize("wrong", [WRONG_NET, UNREADABLE], ids=["faulty", "unreadable"])
def test_what_the_crm_mends_without_saying_so_is_read_again(world: World, wrong: WonOrder | Unreadable) -> None:
    world.sync(wrong)
    world.crm.held["hubspot-1"] = wrong
    assert world.sync(days=1).run.counts == Counts(), "it was counted when it came"
    assert [case.times for case in cases(world.store)] == [2]
    world.crm.held["hubspot-1"] = order()
    assert world.sync(days=2).sent == 1
    assert (world.sent, world.crm.asked) == (BILLED, ["hubspot-1"] * 2)
    assert (cases(world.store), world.case().standing.state) == ([], State.REPLAYED)
    world.sync(days=3)
    assert len(world.crm.asked) == 2, "nothing waits any more"


def test_a_case_that_a_person_works_on_meanwhile_stays_theirs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sync(WRONG_NET)

    def named(order_ids: Sequence[str]) -> tuple[list[WonOrder], list[Unreadable]]:
        world.desk.edit(world.case().case_id, Person("ada", NOW, "typo"), ["customer_id=C2"])
        return [order()], []

    monkeypatch.setattr(world.crm, "named", named)
    world.sync(days=1)
    assert (world.sent, world.case().standing.state) == (BILLED, State.EDITED)


def test_a_kill_before_the_replay_is_written_down_bills_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sync(WRONG_NET)
    world.correct("net=10.00")
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.land()
    assert (world.known, world.case().standing.state) == ([], State.APPROVED)
    assert world.land().counts.landed == 1
    assert (world.sent, [order_id for order_id, _ in world.known]) == (BILLED, ["hubspot-1"])


def test_what_came_anyway_or_is_won_no_longer_is_not_read_twice(world: World) -> None:
    world.sync(WRONG_NET)
    world.sync(WRONG_NET, days=1)
    assert world.crm.asked == []
    world.sync(days=2)
    assert (world.crm.asked, [case.standing.state for case in cases(world.store)]) == (["hubspot-1"], [State.WAITING])


def test_a_deal_that_cannot_be_read_is_mended_in_the_crm(world: World) -> None:
    world.sync(UNREADABLE)
    with pytest.raises(BadInput, match="cannot be read as an order; allowed: to mend it in the CRM"):
        world.land()
    assert world.sent == []


def test_a_file_called_like_a_deal_is_a_file(world: World) -> None:
    bad = {"where": "HubSpot deal line 1", "field": "net", "value": None, "allowed": "x", "payload": '{"lines": "2"}'}
    run_id = world.store.start_run("books", now=NOW)
    world.store.commit_page(
        run_id, "f", Counts(), now=NOW, bad={"order": pl.DataFrame([bad], schema=QUARANTINE_SCHEMA)}
    )
    assert (world.case().file, world.case().is_order) == ("HubSpot deal", False)
