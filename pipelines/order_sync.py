"""Orders that were won in the CRM become sales and posted invoices in the ERP, exactly once.

What is wrong with an order in itself stops it here; what the ERP reckons otherwise stops it there, before anything is
posted. Both wait for correction. The CRM's orders are facts of the lake, and so are the ERP's sales, which name them:
`order_links` says which invoice bills which order.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from features.contracts import QUARANTINE_SCHEMA
from features.errors import BadInput, Violation
from features.lake import Lake
from features.tables import INVOICE, ORDER
from pipelines.connectors.source import Batch, section_of
from pipelines.dating import Dating
from pipelines.orders import Unreadable, WonOrder, WonOrders, faults_of, order_record
from pipelines.record_feeds import record_feed
from pipelines.run import Run, running
from pipelines.run_report import Progress, Quiet, RunReport
from services.outbox import NewMessage, Outbox
from services.runs import Counts
from services.store import Store

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
        desk, reached = _Desk(run, erp), None
        with run.feed(FEED, ORDER.name, None):
            for orders, unreadable, cursor in crm.read(store.cursor(name, FEED), now):
                desk.take(orders, unreadable)
                reached = cursor or reached
            if reached is not None:
                run.advance(FEED, reached)
        return OrdersReport(run.report(), desk.sent)


class _Desk:
    def __init__(self, run: Run, erp: str) -> None:
        self._run = run
        self._erp = erp
        self._outbox = Outbox(run.store.database)
        self.sent = 0

    def take(self, orders: list[WonOrder], unreadable: list[Unreadable]) -> None:
        """Land what is sound, set aside what is not, and put the messages of what landed."""
        faulty = [(order, faults) for order in orders if (faults := faults_of(order))]
        wrong = {order.order_id for order, _ in faulty}
        sound = [order for order in orders if order.order_id not in wrong]
        records = [order_record(order) for order in sound]
        feed = record_feed(FEED, section_of(ORDER), ORDER, Batch(records), self._run)
        self._run.land(feed, Dating.BY_SOURCE)
        self._set_aside([(u.payload, list(u.violations)) for u in unreadable])
        self._set_aside([(message_payload(order), faults) for order, faults in faulty])
        landed = set(feed.rows.select("entity_id", "order_id").iter_rows())
        for order in sound:
            if (order.entity_id, order.order_id) in landed:
                self._send(order)

    def _send(self, order: WonOrder) -> None:
        reference = erp_reference(self._run.source, order.order_id)
        payload = message_payload(order) | {"erp_reference": reference}
        document = f"order {order.entity_id} {reference}"
        try:
            for operation in ("book_sale", "post_invoice"):
                key = f"{operation} {order.entity_id} {reference}"
                self._outbox.put(
                    NewMessage(self._erp, document, operation, key, payload, self._run.source), now=self._run.now
                )
        except BadInput:
            allowed = "an order as it was when it was sent to the ERP; change it there, or cancel it and win another"
            changed = Violation(order.place, "order_id", f"{order.order_id} (changed since)", allowed)
            self._set_aside([(payload, [changed])], counted=False)
            return
        self.sent += 1

    def _set_aside(self, wrong: list[tuple[dict[str, Any], list[Violation]]], *, counted: bool = True) -> None:
        """Into quarantine; `counted` where the order was not counted as landed before."""
        if not wrong:
            return
        rows = [
            (v.where, v.field, v.value, v.allowed, msgspec.json.encode(payload, order="sorted").decode())
            for payload, violations in wrong
            for v in violations
        ]
        bad = pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")
        counts = Counts(read=len(wrong), quarantined=len(wrong)) if counted else Counts()
        self._run.set_aside(FEED, ORDER.name, bad, counts)


def erp_reference(crm: str, order_id: str) -> str:
    """What the ERP's sale is called after, so that no customer's own reference is taken for it."""
    return f"{crm}/{order_id}"


def message_payload(order: WonOrder) -> dict[str, Any]:
    """What the ERP is told of an order; amounts as decimal text."""
    lines = [
        {
            "sku": line.sku,
            "description": line.description,
            "quantity": str(line.quantity),
            "unit_price": str(line.unit_price),
            "tax_rate": None if line.tax_rate is None else str(line.tax_rate),
        }
        for line in order.lines
    ]
    return {
        "order_id": order.order_id,
        "entity_id": order.entity_id,
        "customer_id": order.customer_id,
        "customer_name": order.customer_name,
        "currency": order.currency,
        "order_date": order.order_date.isoformat(),
        "reference": order.reference,
        "lines": lines,
        "net": str(order.net),
        "tax": None if order.tax is None else str(order.tax),
        "total": None if order.tax is None else str(order.total),  # without the tax nobody knows it yet
    }


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
