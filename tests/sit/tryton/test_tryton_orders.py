"""Orders won elsewhere become sales and posted invoices of a real ERP: once, and only where the totals agree."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import polars as pl
import pytest

from features.errors import BadInput, SourceError
from features.lake import Lake
from features.tables import ENTITY
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_clerk import Clerk
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.tryton_target import TrytonTarget
from pipelines.dispatch import Dispatcher, Patience
from pipelines.ingest import ingest_source
from pipelines.order_sync import OrdersReport, order_links, sync_orders
from pipelines.orders import OrderLine, Unreadable, WonOrder
from services.circuits import Circuits
from services.outbox import Fate, Message, Outbox, revive
from services.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Page = tuple[list[WonOrder], list[Unreadable], str | None]


class Crm:
    """Won orders, told from the beginning each time."""

    def __init__(self) -> None:
        self.orders: list[WonOrder] = []

    def read(self, cursor: str | None, now: datetime) -> Iterator[Page]:
        yield self.orders, [], now.isoformat()

    def named(self, order_ids: list[str]) -> tuple[list[WonOrder], list[Unreadable]]:
        return [order for order in self.orders if order.order_id in order_ids], []


class Forgetful:
    """Delivers, and loses the answer the first `times` times."""

    def __init__(self, target: TrytonTarget, times: int) -> None:
        self.target, self.times = target, times

    def deliver(self, message: Message) -> dict[str, object]:
        result = self.target.deliver(message)
        self.times -= 1
        if self.times >= 0:
            raise SourceError("the answer was lost")
        return result


class Desk:
    def __init__(self, root: Path, erp: Tryton) -> None:
        self.lake, self.store = Lake(root / "lake"), Store(f"sqlite:///{root / 'state.db'}")
        self.erp, self.crm, self.outbox = erp, Crm(), Outbox(self.store.database)
        self.target = TrytonTarget(erp, Clerk(lambda: datetime.now(UTC), terms="30 days"))
        self.now = datetime.now(UTC)
        rows = [
            {"entity_id": e, "source": "erp", "source_id": e, "known_at": self.now - timedelta(days=9), "digest": "d"}
            | {"deleted": False, "name": e, "country": None, "currency": c, "time_zone": "UTC"}
            for e, c in (("DE01", "EUR"), ("US01", "USD"))
        ]
        self.lake.append(ENTITY, pl.DataFrame(rows, schema=ENTITY.schema))

    def sync(self, *orders: WonOrder) -> OrdersReport:
        self.crm.orders += orders
        return sync_orders(self.crm, "crm", "erp", self.lake, self.store, now=self.now)

    def revive(self, message_id: str, payload: dict[str, object]) -> None:
        with self.store.database.writing() as connection:
            revive(connection, message_id, payload, now=self.now)

    def dispatch(self, target: object | None = None) -> dict[Fate, int]:
        self.now += timedelta(hours=2)
        targets = {"erp": target or self.target}
        circuits = Circuits(self.store.database)
        dispatcher = Dispatcher(
            self.outbox, circuits, targets, clock=lambda: self.now, rng=Random(1), patience=Patience()
        )
        return dict(dispatcher.run())

    def sales(self, order_id: str) -> list[dict[str, object]]:
        fields = ("number", "state", "invoices.number", "invoices.state", "invoices.total_amount")
        return self.erp.search("sale.sale", [["reference", "=", f"crm/{order_id}"]], fields)


@pytest.fixture(scope="module")
def skus(erp: object, clerk: TrytonSession, client: Tryton) -> dict[str, str]:
    """What each company sells, by the code that the CRM knows it by."""
    found = {}
    for company in clerk.search("company.company", [], ["party.code"]):
        (product,) = clerk.search("product.product", [["template.name", "=", f"Day of work {company['id']}"]], ["id"])
        code = company["party."]["code"]
        clerk.call("product.product", "write", [product["id"]], {"suffix_code": f"WORK-{code}"})
        found[code] = f"WORK-{code}"
    return found


@pytest.fixture(scope="module")
def customer(client: Tryton) -> str:
    """Somebody whom both companies may bill."""
    (party,) = client.search("party.party", [["code", "not in", ["DE01", "US01"]]], ("code", "addresses.id"), limit=1)
    assert party["addresses"]
    return str(party["code"])


@pytest.fixture
def desk(tmp_path: Path, client: Tryton, skus: dict[str, str]) -> Desk:
    return Desk(tmp_path, client)


@pytest.fixture
def order(customer: str, skus: dict[str, str], today: date, request: pytest.FixtureRequest) -> WonOrder:
    """Three days of work at 812.00 and 19 % of tax, for the German company."""
    line = OrderLine(skus["DE01"], "Consulting", Decimal(3), Decimal("812.00"), Decimal("0.19"))
    return WonOrder(
        order_id=f"D-{abs(hash(request.node.name)) % 10**8}",
        entity_id="DE01",
        customer_id=customer,
        customer_name="Somebody",
        currency="EUR",
        order_date=today,
        lines=(line,),
        net=Decimal("2436.00"),
        tax=Decimal("462.84"),
        total=Decimal("2898.84"),
        reference="their PO 7",
        changed_at=datetime.now(UTC) - timedelta(minutes=5),
        place="crm deal 7",
    )


def test_an_order_becomes_one_sale_and_one_posted_invoice_and_the_lake_knows_which(
    desk: Desk, order: WonOrder, source: TrytonSource
) -> None:
    other = replace(order, order_id=f"{order.order_id}-b")
    assert desk.sync(order, other).sent == 2
    assert desk.dispatch() == {Fate.DELIVERED: 4}
    desk.sync()
    assert desk.dispatch() == {}
    for won in (order, other):
        (sale,) = desk.sales(won.order_id)
        (invoice,) = sale["invoices"]
        assert (invoice["state"], invoice["total_amount"]) == ("posted", Decimal("2898.84"))
        results = [m.result for m in desk.outbox.messages() if m.payload["order_id"] == won.order_id]
        assert results[1] == {"invoice": invoice["number"], "sale": sale["number"], "total": "2898.84"}
    ingest_source(source, "erp", desk.lake, desk.store, now=datetime.now(UTC))
    links = order_links(desk.lake, datetime.now(UTC) + timedelta(days=1))
    assert links["order_id"].to_list() == [order.order_id, other.order_id]
    assert links.drop_nulls().height == 2
    assert set(links["invoice_id"]) == {
        m.result["invoice"] for m in desk.outbox.messages() if m.operation == "post_invoice"
    }


def test_where_the_crm_leaves_the_tax_to_the_erp_only_the_net_has_to_agree(desk: Desk, order: WonOrder) -> None:
    line = replace(order.lines[0], tax_rate=None)
    desk.sync(replace(order, lines=(line,), tax=None, total=order.net))
    assert desk.dispatch() == {Fate.DELIVERED: 2}, [m.error for m in desk.outbox.messages()]
    (sale,) = desk.sales(order.order_id)
    assert [i["total_amount"] for i in sale["invoices"]] == [Decimal("2898.84")]


def test_a_lost_answer_makes_nothing_twice(desk: Desk, order: WonOrder) -> None:
    desk.sync(order)
    forgetful = Forgetful(desk.target, times=3)
    fates = [desk.dispatch(forgetful) for _ in range(5)]
    assert sum(f.get(Fate.WAITING, 0) for f in fates) == 3
    assert sum(f.get(Fate.DELIVERED, 0) for f in fates) == 2
    (sale,) = desk.sales(order.order_id)
    assert len(sale["invoices"]) == 1


def test_totals_that_the_erp_reckons_otherwise_stop_before_anything_is_posted(desk: Desk, order: WonOrder) -> None:
    line = replace(order.lines[0], tax_rate=Decimal(0))
    untaxed = replace(order, lines=(line,), tax=Decimal(0), total=order.net)
    desk.sync(untaxed)
    assert desk.dispatch() == {Fate.DEAD: 1}
    (dead,) = desk.outbox.messages(status=Fate.DEAD)
    assert "tax: 0 ordered, 462.84 in the ERP; total: 2436.00 ordered, 2898.84 in the ERP" in str(dead.error)
    (sale,) = desk.sales(order.order_id)
    assert (sale["state"], sale["invoices"]) == ("draft", [])
    assert [m.status for m in desk.outbox.messages()] == [Fate.DEAD, Fate.WAITING], "the invoice waits behind its sale"


def test_a_corrected_order_goes_on_from_where_it_stopped(desk: Desk, order: WonOrder) -> None:
    line = replace(order.lines[0], quantity=Decimal(2), tax_rate=Decimal("0.07"))
    desk.sync(replace(order, lines=(line,), net=Decimal("1624.00"), tax=Decimal("113.68"), total=Decimal("1737.68")))
    assert desk.dispatch() == {Fate.DEAD: 1}
    for message in desk.outbox.messages():
        if message.status is Fate.DEAD:
            lines = [message.payload["lines"][0] | {"quantity": "3"}]
            payload = message.payload | {"lines": lines, "net": "2436.00", "tax": "462.84", "total": "2898.84"}
            desk.revive(message.message_id, payload)
    assert desk.dispatch() == {Fate.DELIVERED: 1, Fate.DEAD: 1}, "the invoice's own totals are still the wrong ones"
    (dead,) = desk.outbox.messages(status=Fate.DEAD)
    desk.revive(dead.message_id, payload)
    assert desk.dispatch() == {Fate.DELIVERED: 1}
    (sale,) = desk.sales(order.order_id)
    assert [i["total_amount"] for i in sale["invoices"]] == [Decimal("2898.84")]


def test_a_customer_corrected_too_late_is_not_passed_over(desk: Desk, order: WonOrder) -> None:
    desk.sync(order)
    desk.dispatch()
    for message in desk.outbox.messages():
        other = replace(message, payload=message.payload | {"customer_id": "somebody else"})
        with pytest.raises(BadInput, match=f"somebody else ordered, it is of {order.customer_id} in the ERP"):
            desk.target.deliver(other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"customer_id": "nobody"}, "customer_id is 'nobody': no party.party of the ERP has it; allowed: exactly one"),
        ({"entity_id": "US01"}, "currency: EUR ordered"),
        ({"currency": "CHF"}, "currency is 'CHF'"),
    ],
    ids=["customer", "entity", "currency"],
)
def test_what_the_erp_does_not_know_is_named(desk: Desk, order: WonOrder, change: dict, said: str) -> None:
    desk.sync(replace(order, **change))
    desk.dispatch()
    dead = desk.outbox.messages(status=Fate.DEAD)
    if change == {"entity_id": "US01"}:
        assert dead, "the German product cannot be sold by the American company, or its tax differs"
    else:
        assert said in str(dead[0].error)


def test_an_order_that_contradicts_itself_is_set_aside_and_stops_no_other(desk: Desk, order: WonOrder) -> None:
    wrong = replace(order, order_id="wrong", net=Decimal("2436.01"), total=Decimal("2898.85"))
    report = desk.sync(wrong, order)
    assert (report.sent, report.run.counts.quarantined, report.run.counts.landed) == (1, 1, 1)
    assert report.run.counts.tie
    kept = desk.store.quarantined()
    assert set(kept["table"]) == {"order"}
    assert '"order_id":"wrong"' in kept["payload"][0]
    desk.dispatch()
    assert desk.sales("wrong") == []


def test_an_order_that_changed_after_it_was_sent_waits_for_a_person(desk: Desk, order: WonOrder) -> None:
    desk.sync(order)
    desk.dispatch()
    later = order.changed_at + timedelta(minutes=1)
    line = replace(order.lines[0], quantity=Decimal(4))
    desk.crm.orders = [
        replace(
            order,
            lines=(line,),
            net=Decimal("3248.00"),
            tax=Decimal("617.12"),
            total=Decimal("3865.12"),
            changed_at=later,
        )
    ]
    assert desk.sync().sent == 0
    assert desk.store.quarantined()["value"].to_list() == [f"{order.order_id} (changed since)"]
    assert len(desk.outbox.messages()) == 2
