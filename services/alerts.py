"""What people said of alerts: real or not, by whom and why. Verdicts are added at the end, never changed or removed.

The newest verdict on an alert counts; the ones before it stay to be read. A machine gives none. Beside them, what else
is on record about oddities and not in the lake: control totals that did not tie.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from features.errors import BadInput
from models.anomalies.alerts import Alert
from models.anomalies.controls import TABLE, Break
from services.controls import Controls
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


@dataclass(frozen=True, slots=True)
class OnRecord:
    """Everything that the operational store knows about oddities.

    verdicts         in the order in which they were given
    breaks           control totals that did not tie
    controlled_from  when control totals were compared first; None where no source ever told any
    """

    verdicts: tuple[Verdict, ...] = ()
    breaks: tuple[Break, ...] = ()
    controlled_from: datetime | None = None

    def before(self, moment: datetime) -> "OnRecord":
        """What was on record before `moment`."""
        first = self.controlled_from
        return replace(
            self,
            verdicts=tuple(v for v in self.verdicts if v.at < moment),
            breaks=tuple(b for b in self.breaks if b.at < moment),
            controlled_from=first if first is not None and first < moment else None,
        )

    def standing(self) -> dict[str, Verdict]:
        """alert_id -> the newest verdict on it."""
        return newest(self.verdicts)

    def history(self, alert_id: str) -> tuple[Verdict, ...]:
        """What was said of an alert, oldest first."""
        return tuple(v for v in self.verdicts if v.alert_id == alert_id)

    def judged_controls(self) -> list[tuple[str, bool]]:
        """The record id of every control that people judged, and whether they found it real."""
        told = [(*d.partition("/")[::2], v.real) for v in self.standing().values() for d in v.documents]
        return [(record, real) for table, record, real in told if table == TABLE]


def newest(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """alert_id -> the last of the verdicts on it."""
    return {v.alert_id: v for v in verdicts}


def on_record(database: Database) -> OnRecord:
    """What is kept in `database`."""
    controls = Controls(database)
    return OnRecord(AlertVerdicts(database).all(), controls.breaks(), controls.first_at())


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

    def all(self) -> tuple[Verdict, ...]:
        """What was said of any alert, oldest first."""
        query = select(alert_verdict).order_by(alert_verdict.c.position)
        with self._db.reading() as connection:
            return tuple(_verdict(row) for row in connection.execute(query))

    def standing(self) -> dict[str, Verdict]:
        """alert_id -> the newest verdict on it."""
        return newest(self.all())


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
