"""Control totals that do not tie, as rows among the documents that are odd: a source holds what the lake does not.

A control is made after everything was read again, so that a difference is nearly always a loss. Its chance is declared,
and moved by what people said of the same feed; no forest and no other rule speaks of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from features.calendars import instant
from features.documents import DOCUMENT
from features.totals import Totals, entity_of
from models.anomalies import wording
from models.anomalies.rules import CONTROL
from models.anomalies.stories import story_id

TABLE = "control"
ALL = "*"  # where the totals do not say whose records are missing
PRIOR_CONTROLS, PRIOR_REAL = 20, 19  # as if so many had been judged before anybody did
ROWS: dict[str, pl.DataType] = DOCUMENT | {
    CONTROL.name: pl.Float64(),
    "control_words": pl.String(),
    "chance": pl.Float64(),
    "rule": pl.String(),
    "kind": pl.String(),
    "alert_id": pl.String(),
    "judged": pl.Boolean(),
    "judged_before": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class Break:
    """Control totals of a feed that did not tie.

    tied_at   when those of this feed tied last before that; null where they never had
    apart     records that stand at theirs and are set aside here
    doubtful  entities whose sums are not compared, since records of theirs are set aside
    """

    source: str
    feed: str
    at: datetime
    tied_at: datetime | None
    theirs: Totals
    ours: Totals
    apart: int = 0
    doubtful: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the feed."""
        return f"{self.source} {self.feed}"

    def off(self) -> dict[str, tuple[int, int]]:
        """ "ENTITY CURRENCY" -> theirs and ours in minor units, where the sums differ."""
        theirs, ours = self.theirs.sums, self.ours.sums
        if theirs is None or ours is None:
            return {}
        sums = {name: (theirs.get(name, 0), ours.get(name, 0)) for name in sorted({*theirs, *ours})}
        return {
            name: pair for name, pair in sums.items() if pair[0] != pair[1] and entity_of(name) not in self.doubtful
        }


def control_rows(breaks: Iterable[Break], judged: Sequence[tuple[str, bool]] = ()) -> pl.DataFrame:
    """ROWS of each break: one for every entity whose sums differ, one of `ALL` where no sum does.

    judged  record ids of rows that people judged, and whether they found them real

    Breaks of a feed without totals that tie in between are one story.
    """
    begun: dict[tuple[str, str, datetime | None], str] = {}
    rows = []
    for broken in sorted(breaks, key=lambda b: (b.at, b.name)):
        chance = _chance(broken, judged)
        for entity in sorted({entity_of(name) for name in broken.off()}) or [ALL]:
            first = begun.setdefault((entity, broken.name, broken.tied_at), _record_id(broken))
            alert_id = story_id(entity, CONTROL.kind, f"{TABLE}/{first}")
            rows.append(_row(broken, entity) | {"alert_id": alert_id, "chance": chance})
    return pl.DataFrame(rows, schema=ROWS)


def _row(broken: Break, entity: str) -> dict[str, Any]:
    off = {name.rpartition(" ")[2]: pair for name, pair in broken.off().items() if entity_of(name) == entity}
    known_at = instant(broken.at)
    row = {
        "entity_id": entity,
        "table": TABLE,
        "record_id": _record_id(broken),
        "day": known_at.date(),
        "known_day": known_at.date(),
        "known_at": known_at,
        "cutoff": known_at + timedelta(milliseconds=1),
        CONTROL.name: 1.0,
        "control_words": wording.totals(broken.name, known_at, broken.theirs, broken.ours, broken.apart, off),
        "rule": CONTROL.name,
        "kind": CONTROL.kind,
        "judged": False,
        "judged_before": 0,
    }
    if len(off) == 1:
        [(currency, (told, landed))] = off.items()
        row |= {"currency": currency, "amount_minor": told - landed}
    return row


def _record_id(broken: Break) -> str:
    return f"{broken.name}:{instant(broken.at):%Y-%m-%dT%H:%M:%S.%f}"


def _chance(broken: Break, judged: Sequence[tuple[str, bool]]) -> float:
    said = [real for record, real in judged if record.startswith(f"{broken.name}:")]
    return (PRIOR_REAL + sum(said)) / (PRIOR_CONTROLS + len(said))
