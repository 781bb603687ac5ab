"""Writes to Tryton, each exactly once.

Tryton has no idempotency keys. Whatever is made carries a reference of ours, which is looked up before anything is
made, and every step is taken from where the one before got to.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from features.errors import BadInput
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_cash import apply_cash
from pipelines.connectors.tryton_clerk import Clerk
from pipelines.connectors.tryton_companies import Company, companies
from pipelines.connectors.tryton_disputes import open_dispute
from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_orders import book_sale, post_invoice
from services.outbox import Message


@dataclass(frozen=True, slots=True)
class Operation:
    """Something to be done in a company's books, and what the message must say for it."""

    do: Callable[[Company, Json, Clerk], Json]
    needs: tuple[str, ...]


_ORDER = ("erp_reference", "order_id", "customer_id", "currency", "order_date", "lines", "net")
OPERATIONS: Mapping[str, Operation] = {
    "book_sale": Operation(book_sale, _ORDER),
    "post_invoice": Operation(post_invoice, _ORDER),
    "apply_cash": Operation(apply_cash, ("erp_reference", "customer_id", "date", "currency", "amount", "allocations")),
    "open_dispute": Operation(open_dispute, ("erp_reference", "invoice_id", "opened_on", "reason")),
}


class TrytonTarget:
    """Delivers messages to the books that the client's user sees."""

    def __init__(self, erp: Tryton, clerk: Clerk) -> None:
        self._companies = {company.entity: company for company in companies(erp)}
        self._clerk = clerk

    def deliver(self, message: Message) -> dict[str, Any]:
        """See `pipelines.dispatch.Target`. `BadInput` names what the ERP has against the message."""
        operation, told = OPERATIONS.get(message.operation), message.payload
        if operation is None:
            raise BadInput(f"operation {message.operation!r}; allowed: {', '.join(OPERATIONS)}")
        if told.get("entity_id") not in self._companies:
            raise BadInput(f"entity_id is {told.get('entity_id')!r}; allowed: {', '.join(self._companies)}")
        lacking = [name for name in operation.needs if told.get(name) in (None, "")]
        if lacking:
            raise BadInput(f"{message.operation}: {', '.join(lacking)} missing in the payload; allowed: all of it")
        return operation.do(self._companies[told["entity_id"]], told, self._clerk)
