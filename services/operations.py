"""What the service does with the operational store: keeps webhooks that systems send, and tells Prometheus its figures.

The store is opened at the first need; while it is out of reach these two are refused and predictions go on.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from features.errors import DuecastError, Violation
from features.tables import TABLES
from models.anomalies.alerts import Alert
from services import problems
from services.alerts import AlertVerdicts, OnRecord, check_verdict, on_record, verdict_on
from services.database import Database
from services.decoding import decode
from services.exposition import exposition
from services.problems import InvalidQuestion, Refused
from services.questions import VerdictAnswer, VerdictQuestion
from services.schemas import Delivery, Receipt
from services.signatures import Gate, Seal
from services.webhooks import Inbox, Kept

RETRY_SECONDS = 10

logger = logging.getLogger(__name__)

_DELIVERY = msgspec.json.Decoder(Delivery)


class Operations:
    """The store at `url`. Any thread may ask; every call may wait for the database."""

    def __init__(self, url: str, gate: Gate, *, clock: Callable[[], datetime]) -> None:
        self._url = url
        self._gate = gate
        self._clock = clock
        self._lock = threading.Lock()
        self._open: Database | None = None

    def receive(self, source: str, seal: Seal, body: bytes) -> Receipt:
        """Keep a delivery for good; what stands in its records is judged when they land.

        `Refused` where it is not the source's, its id was used for another body, or it cannot be kept;
        `InvalidQuestion` where it is no delivery.
        """
        now = self._clock()
        sent_at = self._gate.sent_at(source, seal, body, now=now)
        _require_table(decode(_DELIVERY, body))
        with self._store() as database:
            kept = Inbox(database).keep(source, seal.delivery_id, body.decode(), sent_at=sent_at, now=now)
        if kept is Kept.CONFLICT:
            raise Refused(problems.CONFLICT, "send another body under another delivery id")
        return Receipt(seal.delivery_id, "new" if kept is Kept.NEW else "known")

    def exposition(self) -> str:
        """The figures for Prometheus; `Refused` where the store cannot be read."""
        with self._store() as database:
            return exposition(database, now=self._clock())

    def on_record(self) -> OnRecord:
        """What people said of alerts, and control totals; `Refused` where the store cannot be read."""
        with self._store() as database:
            return on_record(database)

    def judge(self, alert: Alert, question: VerdictQuestion) -> VerdictAnswer:
        """Keep what a person says of an alert; `BadInput` where it says nothing, `Refused` where it cannot be kept."""
        said = verdict_on(alert, question.verdict, who=question.who, why=question.why, at=self._clock())
        check_verdict(said)
        with self._store() as database:
            AlertVerdicts(database).add(said)
        return VerdictAnswer(alert_id=said.alert_id, verdict=said.verdict, documents=list(said.documents))

    @contextmanager
    def _store(self) -> Iterator[Database]:
        try:
            yield self._opened()
        except (DuecastError, OSError) as error:
            logger.error("the operational store failed: %s", error)
            raise Refused(problems.UNAVAILABLE, headers={"retry-after": str(RETRY_SECONDS)}) from None

    def _opened(self) -> Database:
        with self._lock:
            if self._open is None:
                self._open = Database(self._url)
            return self._open


def _require_table(delivery: Delivery) -> None:
    """Records are of a table that there is; a mere notice needs none."""
    names = [table.name for table in TABLES]
    if delivery.table not in (*names, None) or (delivery.records and delivery.table is None):
        raise InvalidQuestion([Violation("$", "table", delivery.table, f"one of {', '.join(names)}")])
