"""What people said of alerts: real or not, by whom and why. Verdicts are added at the end, never changed or removed.

The newest verdict on an alert counts; the ones before it stay to be read. A machine gives none.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from features.errors import BadInput
from models.anomalies.alerts import Alert
from services.corrections import same_person
from services.database import Database
from services.state_tables import alert_verdict

REAL, NOT = "real", "not"
VERDICTS = (REAL, NOT)
MACHINE = "machine"
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement. `documents`: what the alert was about then, each TABLE/ID."""

    alert_id: str
    entity_id: str
    verdict: str
    at: datetime
    who: str
    why: str
    documents: tuple[str, ...]

    @property
    def real(self) -> bool:
        """Whether it was found to be really odd."""
        return self.verdict == REAL


def verdict_on(alert: Alert, verdict: str, *, who: str, why: str, at: datetime) -> Verdict:
    """What a person says of an alert, ready to be kept."""
    return Verdict(alert.alert_id, alert.entity_id, verdict, at, who, why, alert.documents)


class AlertVerdicts:
    """The verdicts kept in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, verdict: Verdict) -> None:
        """Keep one; raises as `check_verdict`."""
        check_verdict(verdict)
        row = {
            "alert_id": verdict.alert_id,
            "entity_id": verdict.entity_id,
            "verdict": verdict.verdict,
            "at": verdict.at,
            "who": verdict.who.strip(),
            "why": verdict.why.strip(),
            "documents": json.dumps(verdict.documents),
        }
        with self._db.writing() as connection:
            connection.execute(alert_verdict.insert().values(row))

    def history(self, alert_id: str) -> tuple[Verdict, ...]:
        """What was said of an alert, oldest first."""
        query = select(alert_verdict).where(alert_verdict.c.alert_id == alert_id).order_by(alert_verdict.c.position)
        with self._db.reading() as connection:
            return tuple(_verdict(row) for row in connection.execute(query))

    def standing(self) -> dict[str, Verdict]:
        """alert_id -> the newest verdict on it."""
        with self._db.reading() as connection:
            rows: Sequence[Row[Any]] = connection.execute(
                select(alert_verdict).order_by(alert_verdict.c.position)
            ).all()
        return {row.alert_id: _verdict(row) for row in rows}


def check_verdict(verdict: Verdict) -> None:
    """`BadInput` for a verdict that is none, without a reason, or that no person gave."""
    if verdict.verdict not in VERDICTS:
        raise BadInput(f"the verdict is {verdict.verdict!r}; allowed: {' or '.join(VERDICTS)}")
    if not same_person(verdict.who) or same_person(verdict.who) == MACHINE:
        raise BadInput(f"who is {verdict.who!r}; allowed: the name of the person who judges (--who or DUECAST_USER)")
    if not same_person(verdict.why):
        raise BadInput("why is missing; allowed: the reason in words, since every verdict says why")
    if max(len(verdict.who), len(verdict.why)) > _LONGEST:
        raise BadInput(f"who or why is too long; allowed: at most {_LONGEST} characters")


def _verdict(row: Row[Any]) -> Verdict:
    documents = tuple(json.loads(row.documents))
    return Verdict(row.alert_id, row.entity_id, row.verdict, row.at, row.who, row.why, documents)
