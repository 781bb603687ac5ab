"""Tryton as a source of canonical tables: each company's books are read apart, by what changed since the last read.

A cursor is the latest stamp of each company. Reading starts some time before it: a transaction that took long commits
with an early stamp.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from features.errors import StateError
from features.tables import TABLES, Table
from features.totals import Totals
from pipelines.connectors.source import Batch, section_of
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_allocations import allocations
from pipelines.connectors.tryton_changes import Window
from pipelines.connectors.tryton_commerce import customers, disputes, orders
from pipelines.connectors.tryton_companies import Company, companies
from pipelines.connectors.tryton_documents import Records, credit_notes, invoices
from pipelines.connectors.tryton_payments import payments, rates
from pipelines.connectors.tryton_totals import COUNTED, totals
from pipelines.mapping_keys import From, Section

Reader = Callable[[Company, Window], Records]


def entities(company: Company, window: Window) -> Records:
    """The company itself, whenever it is asked for: it is one record."""
    window.saw([company.row, company.row["party"]])
    yield [company.record()]


# table -> the model it is read from, and by what
READERS: dict[str, tuple[str, Reader]] = {
    "entity": ("company.company", entities),
    "customer": ("party.party", customers),
    "order": ("sale.sale", orders),
    "invoice": ("account.invoice", invoices),
    "credit_note": ("account.invoice (credit notes)", credit_notes),
    "payment": ("account.move", payments),
    "allocation": ("account.move.reconciliation", allocations),
    "dispute": ("sale.complaint", disputes),
    "fx_rate": ("currency.currency.rate", rates),
}
_OF_MODULES = {"order": "sale.sale", "dispute": "sale.complaint"}
_RENAMED: dict[str, dict[str, str | From]] = {
    "allocation": {"paid_currency": "paid_currency"},
    "entity": {},
}


class TrytonSource:
    """The books that the client's user sees; see `connectors.source.Source`.

    `overlap` is how long before the last stamp a read starts, at least as long as the longest transaction takes.
    """

    def __init__(self, erp: Tryton, *, overlap: timedelta = timedelta(hours=1), page_size: int = 200) -> None:
        self._erp = erp
        self._overlap = overlap
        self._page = page_size

    def tables(self) -> tuple[Table, ...]:
        """Those that the database's modules can fill."""
        wanted = sorted(set(_OF_MODULES.values()))
        there = {row["name"] for row in self._erp.search("ir.model", [["name", "in", wanted]], ("name",))}
        return tuple(t for t in TABLES if t.name in READERS and _OF_MODULES.get(t.name) in {None, *there})

    def feed(self, table: Table) -> str:
        """The model that the table is read from."""
        return f"tryton {READERS[table.name][0]}"

    def section(self, table: Table) -> Section:
        """Records name their fields as the tables do."""
        return section_of(table, _RENAMED.get(table.name))

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        """The records of each company in turn; the cursor moves when a company has been read to its end."""
        _, reader = READERS[table.name]
        reached = _reached(cursor)
        for company in companies(self._erp):
            last = reached.get(company.entity)
            window = Window(None if last is None else min(last, now) - self._overlap, self._page)
            for records in reader(company, window):
                yield Batch(records)
            met = [stamp for stamp in (last, window.latest) if stamp]
            if met:
                # from a stamp of the future on, nothing would be asked for until then
                reached[company.entity] = min(max(met), now)
            yield Batch([], _cursor(reached))

    def totals(self, table: Table) -> Totals | None:
        """Of customers, orders, invoices and credit notes."""
        return totals(table, companies(self._erp)) if table.name in COUNTED else None


def _cursor(reached: dict[str, datetime]) -> str | None:
    return json.dumps({entity: stamp.isoformat() for entity, stamp in sorted(reached.items())}) if reached else None


def _reached(cursor: str | None) -> dict[str, datetime]:
    try:
        told = json.loads(cursor) if cursor else {}
        return {entity: datetime.fromisoformat(stamp) for entity, stamp in told.items()}
    except (ValueError, AttributeError, TypeError):
        raise StateError(
            f"the cursor {cursor!r} is none of Tryton's; the operational store was changed by another hand"
        ) from None
