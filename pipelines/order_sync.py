"""Orders that were won in the CRM become sales and posted invoices in the ERP, exactly once.

What is wrong with an order in itself stops it here; what the ERP reckons otherwise stops it there, before anything is
posted. Both wait for correction. The CRM's orders are facts of the lake, and so are the ERP's sales, which name them:
`order_links` says which invoice bills which order.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import polars as pl

from features.contracts import QUARANTINE_SCHEMA
from features.errors import BadInput, Violation
from features.lake import Lake
from features.tables import INVOICE, ORDER
from pipelines.connectors.source import Batch, Json, section_of
from pipelines.corrections.cases import Case, cases
from pipelines.dating import Dating
from pipelines.feeds import Feed
from pipelines.order_payloads import message_payload, unreadable_payload, waiting_payload
from pipelines.orders import Unreadable, WonOrder, WonOrders, faults_of, order_record
from pipelines.record_feeds import record_feed
from pipelines.run import Run, running
from pipelines.run_report import Progress, Quiet, RunReport
from services.corrections import Action, Corrections, Entry
from services.outbox import NewMessage, Outbox
from services.runs import Counts
from services.store import Store

LOG = logging.getLogger(__name__)
_AT_ONCE = 100

FEED = "won orders"


@dataclass(frozen=True, slots=True)
class OrdersReport:
    """`sent`: orders whose messages are in the outbox, from this run or an earlier one."""

    run: RunReport
    sent: int


def sync_orders(
    crm: WonOrders,
    name: str,
    erp: str,
    lake: Lake,
    store: Store,
    *,
    now: datetime,
    progress: Progress | None = None,
    every_minutes: int | None = None,
) -> OrdersReport:
    """Land the won orders of the CRM called `name` and put what the `erp` has to do for them into the outbox.

    An order lands before its messages are put, and the cursor moves last: after a kill all of it is done again, and
    adds nothing. What is wrong with an order sets it aside with its reasons and holds up no other.
    """
    shown = progress or Quiet()
    with running(name, lake, store, now=now, progress=shown, every_minutes=every_minutes) as run:
        run.expect([FEED])
        desk, reached = _Desk(run, erp), None
        with run.feed(FEED, ORDER.name, None):
            for orders, unreadable, cursor in crm.read(store.cursor(name, FEED), now):
                desk.take(orders, unreadable)
                reached = cursor or reached
            for some in desk.still_waiting():
                desk.take(*crm.named(some), again=True)
            if reached is not None:
                run.advance(FEED, reached)
        return OrdersReport(run.report(), desk.sent)


class _Desk:
    """What becomes of the orders of a sync."""

    def __init__(self, run: Run, erp: str) -> None:
        self._run = run
        self._erp = erp
        self._told = set[str]()
        self._waiting: dict[str, list[Case]] = {}
        for case in cases(run.store, source=run.source, table=ORDER.name):
            self._waiting.setdefault(str((case.given or {}).get("order_id", "")), []).append(case)
        self.sent = 0

    def still_waiting(self) -> Iterator[list[str]]:
        """Orders that wait for correction and were not told, some at a time.

        They may have been mended where the CRM does not say so: in a line item, in the company.
        """
        orders = sorted(set(self._waiting) - self._told - {""})
        return (orders[start : start + _AT_ONCE] for start in range(0, len(orders), _AT_ONCE))

    def take(self, orders: list[WonOrder], unreadable: list[Unreadable], *, again: bool = False) -> None:
        """Land what is sound, set aside what is not, and put the messages of what landed.

        `again`: what is still wrong was counted when it came.
        """
        self._told |= {order.order_id for order in orders} | {deal.order_id for deal in unreadable}
        faulty = [(order, faults) for order in orders if (faults := faults_of(order))]
        wrong = {order.order_id for order, _ in faulty}
        sound = [order for order in orders if order.order_id not in wrong]
        feed = order_feed(FEED, sound, self._run)
        self._run.land(feed, Dating.BY_SOURCE)
        self._set_aside([(unreadable_payload(u), list(u.violations)) for u in unreadable], counted=not again)
        self._set_aside([(waiting_payload(order), faults) for order, faults in faulty], counted=not again)
        landed = set(feed.rows.select("entity_id", "order_id").iter_rows())
        for order in sound:
            if (order.entity_id, order.order_id) in landed:
                self._send(order)

    def _send(self, order: WonOrder) -> None:
        try:
            bill(order, self._erp, self._run)
        except BadInput:
            self._set_aside([(waiting_payload(order), [changed_since(order)])], counted=False)
            return
        self.sent += 1
        for case in self._waiting.pop(order.order_id, []):
            self._settle(case)

    def _settle(self, case: Case) -> None:
        """What the CRM mended itself waits for nobody."""
        entry = Entry(Action.REPLAY, self._run.now, f"sync of {self._run.source}", "the CRM tells it as it can stand")
        try:
            Corrections(self._run.store.database).add(case.case_id, entry, seen=len(case.history))
        except BadInput:
            LOG.info("case %s is being worked on; it stays as it is", case.case_id)

    def _set_aside(self, wrong: list[tuple[Json, list[Violation]]], *, counted: bool) -> None:
        """Into quarantine; `counted` where the order was not counted before."""
        if not wrong:
            return
        told = [(_encoded(payload), violations) for payload, violations in wrong]
        counts = Counts(read=len(wrong), quarantined=len(wrong)) if counted else Counts()
        self._run.set_aside(FEED, ORDER.name, set_aside_rows(told), counts)


def order_feed(name: str, orders: list[WonOrder], run: Run) -> Feed:
    """What sound orders say about the lake's table of them."""
    feed = record_feed(name, section_of(ORDER), ORDER, Batch([order_record(order) for order in orders]), run)
    return replace(feed, payloads=lambda rows: [_encoded(waiting_payload(orders[row])) for row in rows])


def set_aside_rows(wrong: Sequence[tuple[str | None, list[Violation]]]) -> pl.DataFrame:
    """Payloads and what is wrong with them under `QUARANTINE_SCHEMA`."""
    rows = [(v.where, v.field, v.value, v.allowed, payload) for payload, violations in wrong for v in violations]
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")


def bill(order: WonOrder, erp: str, run: Run) -> None:
    """Put what the `erp` has to do for the order into the outbox; `BadInput` where it was put otherwise before."""
    outbox, reference = Outbox(run.store.database), erp_reference(run.source, order.order_id)
    payload = message_payload(order) | {"erp_reference": reference}
    document = f"order {reference}"
    try:
        for operation in ("book_sale", "post_invoice"):
            key = f"{operation} {reference}"  # without the entity: an order that moves is not billed by both
            outbox.put(NewMessage(erp, document, operation, key, payload, run.source), now=run.now)
    except BadInput:
        raise BadInput(str(changed_since(order))) from None


def changed_since(order: WonOrder) -> Violation:
    """Why an order that was sent to the ERP otherwise is not sent."""
    allowed = "an order as it was when it was sent to the ERP; change it there, or cancel it and win another"
    return Violation(order.place, "order_id", f"{order.order_id} (changed since)", allowed)


def erp_reference(crm: str, order_id: str) -> str:
    """What the ERP's sale is called after, so that no customer's own reference is taken for it."""
    return f"{crm}/{order_id}"


def _encoded(payload: Json) -> str:
    return msgspec.json.encode(payload, order="sorted").decode()


def order_links(lake: Lake, as_of: datetime) -> pl.DataFrame:
    """Which invoice bills which order of the CRM, as known at `as_of`: entity_id, order_id, sale_id, invoice_id.

    The invoice names the sale, and the sale's reference the order of the CRM; `invoice_id` is null until one is posted.
    """
    sales = lake.known(ORDER, as_of).filter(pl.col("reference").is_not_null())
    named = sales.select("entity_id", pl.col("reference").alias("_called"), pl.col("order_id").alias("sale_id"))
    called = pl.concat_str("source", "order_id", separator="/").alias("_called")
    orders = lake.known(ORDER, as_of).select("entity_id", "order_id", called)
    invoices = lake.known(INVOICE, as_of).select("entity_id", pl.col("order_id").alias("sale_id"), "invoice_id")
    linked = orders.join(named, on=["entity_id", "_called"]).join(invoices, on=["entity_id", "sale_id"], how="left")
    return linked.drop("_called").sort("entity_id", "order_id").collect()
