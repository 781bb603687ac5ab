"""How a corrected order lands: as in a sync, it becomes a fact of the lake and what the ERP has to do for it."""

from collections.abc import Collection
from dataclasses import dataclass

from features.errors import BadInput
from features.tables import ORDER
from pipelines.corrections.cases import Case
from pipelines.corrections.landing import Landed, feed_name, landed
from pipelines.dating import Dating
from pipelines.order_payloads import order_in
from pipelines.order_sync import bill, order_feed, set_aside_rows
from pipelines.orders import WonOrder, faults_of
from pipelines.run import Run
from services.corrections import Json
from services.runs import Counts

_ENVELOPE = {"id": "order_id", "company": "entity_id"}


@dataclass(frozen=True)
class OrderRoute:
    """A won order of a CRM, and the ERP that bills it."""

    case: Case
    erp: str

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """See `Route`. The payload has the canonical names."""
        return set(fields) | {name for field, name in _ENVELOPE.items() if field in fields}

    def land(self, payload: Json, run: Run) -> Landed:
        """See `Route`; `BadInput` where the ERP was sent the order otherwise.

        The messages go first, so that an order that is refused leaves no fact. A kill in between leaves the case open.
        """
        order = order_in(payload)
        faults = faults_of(order)
        if faults:
            counts = Counts(read=1, quarantined=1)
            run.set_aside(self._feed, ORDER.name, set_aside_rows([(self.case.raw, faults)]), counts)
            return Landed((self._feed,), counts, tuple(f"{ORDER.name}: {fault}" for fault in faults))
        return self._sound(order, payload, run)

    def _sound(self, order: WonOrder, payload: Json, run: Run) -> Landed:
        feed = order_feed(self._feed, [order], run)
        if feed.bad.is_empty():
            bill(order, self.erp, run)
        return landed([(feed, Dating.BY_SOURCE)], self.case, payload, run)

    @property
    def _feed(self) -> str:
        return feed_name(self.case, ORDER.name)


def refuse_deal(case: Case) -> BadInput:
    """Why a deal that could not be read is not replayed: its links are not in the payload."""
    return BadInput(
        f"case {case.case_id} is a deal that cannot be read as an order; allowed: to mend it in the CRM, where the "
        "next sync reads it again, or to discard it"
    )
