"""Receivables of SAP and of systems shaped like it, over OData: entities, customers, documents, settlements, orders.

    SapSource("https://erp.example", basic("user", "password"), S4_V2, {"1710": Books(name=..., currency=...)})

A document's id is company code/fiscal year/number, since SAP's numbers start anew each year. With a change stamp on the
lines only what changed is read; without one everything is, and what is known already lands as nothing new. See
`sap_lines` for what SAP's lines cannot tell. Further:

- SAP has one business partner for all company codes: it is a customer of every entity that is read;
- a sales order tells its net amount only, and its sales organisation instead of a company code: `organisations` maps
  them (one that is not named there is read as the company code of the same name, and left out where there is none);
- stamps that are days or have no zone say what to read again, but not when a change was known: that is when it is read.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import httpx

from features.errors import BadSetting
from features.tables import ALLOCATION, CREDIT_NOTE, CUSTOMER, ENTITY, INVOICE, ORDER, PAYMENT, Table
from features.totals import Totals
from pipelines.connectors.cursors import ChangeCursor
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_answers import Row
from pipelines.connectors.odata_query import Condition, Query
from pipelines.connectors.sap_ledger import SapLedger, chunks
from pipelines.connectors.sap_lines import (
    Kind,
    Line,
    Record,
    Stamps,
    allocations,
    credit_note,
    documents,
    invoice,
    payment,
)
from pipelines.connectors.sap_shapes import Orders, Parties, Shape
from pipelines.connectors.source import Batch, section_of
from pipelines.connectors.web import Call, Limits, Retries
from pipelines.mapping_keys import Books, Section

_BATCH = 500


class SapSource:
    """A `Source`; see `connectors.source`. Use it as a context manager, or `close` it.

    companies      company code -> the entity's books; lines of other company codes are not read
    organisations  sales organisation -> company code
    overlap        re-read this much before the last change stamp, for what was committed late
    """

    def __init__(
        self,
        origin: str,
        auth: httpx.Auth,
        shape: Shape,
        companies: Mapping[str, Books],
        *,
        organisations: Mapping[str, str] | None = None,
        overlap: timedelta = timedelta(hours=1),
        page_size: int | None = 500,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        if not companies:
            raise BadSetting("no company codes; allowed: one or more, with the books of each")
        self._shape, self._companies, self._overlap = shape, dict(companies), overlap
        self._organisations = {code: code for code in companies} | dict(organisations or {})
        self._services: dict[str, ODataService] = {}
        self._open: Callable[[str], ODataService] = lambda path: ODataService(
            origin,
            path,
            auth,
            page_size=page_size,
            headers=headers,
            transport=transport,
            retries=retries,
            limits=limits,
            on_call=on_call,
        )
        self._ledger = SapLedger(shape, tuple(companies), self._service)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        for service in self._services.values():
            service.close()

    def tables(self) -> tuple[Table, ...]:
        """What it has, in the order in which it should be read."""
        orders = (ORDER,) if self._shape.orders is not None else ()
        return (ENTITY, CUSTOMER, *orders, INVOICE, CREDIT_NOTE, PAYMENT, ALLOCATION)

    def feed(self, table: Table) -> str:
        """What the reading of the table is called in reports and in the store."""
        return f"{self._shape.name} {table.name}"

    def section(self, table: Table) -> Section:
        """Records have the canonical names."""
        return section_of(table)

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        """The records since `cursor`; the cursor moves with the last batch, since services give no order by change."""
        place = ChangeCursor(cursor, now, self._overlap)
        records, stamped = self._records(table, place.since, now)
        pieces = list(chunks(records, _BATCH))
        for piece in pieces[:-1]:
            yield Batch(piece)
        yield Batch(pieces[-1], (place.after(records) or cursor) if stamped else None)

    def totals(self, table: Table) -> Totals | None:
        """None: the services count lines, not documents, and do not say what went. Each read is held against $count."""
        return None

    def _records(self, table: Table, since: datetime | None, now: datetime) -> tuple[list[Record], bool]:
        """The records, and whether a next read may start after them."""
        if table is ENTITY:
            return list(self._entities(now)), False
        if table is CUSTOMER:
            return list(self._customers(self._shape.parties, since, now)), self._shape.parties.changed is not None
        if table is ORDER and self._shape.orders is not None:
            return list(self._orders(self._shape.orders, since, now)), self._shape.orders.changed is not None
        stamps = Stamps({code: books.time_zone for code, books in self._companies.items()}, now)
        return list(self._receivables(table, since, stamps)), self._shape.ledger.changed is not None

    def _receivables(self, table: Table, since: datetime | None, stamps: Stamps) -> Iterator[Record]:
        lines = self._ledger.everything() if since is None else self._ledger.changed(since)
        partly = since is not None and self._shape.ledger.changed is not None
        if table is ALLOCATION:
            return allocations(self._ledger.whole_clearings(lines) if partly else lines, stamps)
        kind, record = _DOCUMENTS[table.name]
        own = [line for line in lines if line.kind == kind]
        whole = self._ledger.whole_documents(own) if partly else own
        return (record(of_one, stamps) for of_one in documents(whole, kind).values())

    def _entities(self, now: datetime) -> Iterator[Record]:
        for code, books in self._companies.items():
            about = {"name": books.name, "country": books.country, "currency": books.currency}
            zone = ZoneInfo(books.time_zone).key
            yield _envelope(code, code, now.isoformat()) | about | {"time_zone": zone}

    def _customers(self, parties: Parties, since: datetime | None, now: datetime) -> Iterator[Record]:
        where = (Condition(parties.customer, "ne", ("",)), *self._since(parties, since))
        query = Query(where=where, expand=(parties.address,) if parties.address else ())
        for row in self._service(parties.service).rows(parties.entity_set, query):
            for code in self._companies:
                yield _envelope(row[parties.customer], code, _changed(row.get(parties.changed or ""), now)) | {
                    "name": row.get(parties.name) or None,
                    "segment": row.get(parties.segment or "") or None,
                    "country": _country(row, parties),
                }

    def _orders(self, orders: Orders, since: datetime | None, now: datetime) -> Iterator[Record]:
        rows = self._service(orders.service).rows(orders.entity_set, Query(where=self._since(orders, since)))
        for row in rows:
            code = self._organisations.get(row[orders.organisation])
            if code is not None:
                yield _envelope(row[orders.order], code, _changed(row.get(orders.changed or ""), now)) | {
                    "customer_id": row[orders.customer],
                    "order_date": _day(row[orders.day]),
                    "currency": row[orders.currency],
                    "amount": row[orders.net],
                    "status": _status(row, orders),
                    "reference": row.get(orders.reference) or None,
                }

    def _since(self, told: Parties | Orders, since: datetime | None) -> tuple[Condition, ...]:
        if since is None or told.changed is None:
            return ()
        return (self._ledger.since(told.service, told.entity_set, told.changed, since),)

    def _service(self, path: str) -> ODataService:
        if path not in self._services:
            self._services[path] = self._open(path)
        return self._services[path]


_DOCUMENTS: dict[str, tuple[Kind, Callable[[list[Line], Stamps], Record]]] = {
    INVOICE.name: ("invoice", invoice),
    CREDIT_NOTE.name: ("credit_note", credit_note),
    PAYMENT.name: ("payment", payment),
}


def _envelope(identity: str, company: str, changed_at: str) -> Record:
    return {"id": identity, "company": company, "changed_at": changed_at, "deleted": False}


def _changed(stamp: str | None, now: datetime) -> str:
    """The stamp where it is an instant, now where it is not."""
    exact = stamp is not None and datetime.fromisoformat(stamp).tzinfo is not None
    return stamp if exact and stamp is not None else now.isoformat()


def _country(row: Row, parties: Parties) -> str | None:
    if parties.country is None:
        return None
    if parties.address is None:
        return row.get(parties.country) or None
    addresses = row.get(parties.address) or []
    return next((a[parties.country] for a in addresses if a.get(parties.country)), None)


def _status(row: Row, orders: Orders) -> str:
    """SAP: A not begun, B begun, C done; rejected as a whole (C) is what SAP has for cancelled."""
    if orders.rejected is not None and row.get(orders.rejected) == "C":
        return "cancelled"
    return "billed" if row.get(orders.status) == "C" else "open"


def _day(moment: str | None) -> str | None:
    return None if moment is None else moment[:10]
