"""What the control totals of each feed were, run after run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

from features.totals import Totals
from models.anomalies.controls import Break
from services.database import Database
from services.state_tables import control_total, run


@dataclass(frozen=True, slots=True)
class Control:
    """The totals of both sides.

    apart        records that stand at theirs and are set aside here, where none of the same key stands
    doubtful     entities with records of theirs that are set aside, whose sums are not compared
    differences  in words; none where everything is explained
    """

    theirs: Totals
    ours: Totals
    apart: int = 0
    doubtful: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def ties(self) -> bool:
        """Whether nothing is unexplained."""
        return not self.differences


class _Detail(msgspec.Struct):
    apart: int
    differences: tuple[str, ...]
    doubtful_entities: tuple[str, ...] = ()  # absent from what was kept when they were only counted


class Controls:
    """The controls kept in `database`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, run_id: str, feed: str, control: Control, *, now: datetime) -> None:
        """What was found for the feed in this run; the last finding of a run counts."""
        found = {
            "at": now,
            "verdict": "ties" if control.ties else "differs",
            "theirs": msgspec.json.encode(control.theirs).decode(),
            "ours": msgspec.json.encode(control.ours).decode(),
            "detail": msgspec.json.encode(_Detail(control.apart, control.differences, control.doubtful)).decode(),
        }
        with self._db.writing() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            insert = dialect.insert(control_total).values(run_id=run_id, feed=feed, **found)
            connection.execute(insert.on_conflict_do_update(index_elements=["run_id", "feed"], set_=found))

    def last(self, source: str, feed: str) -> Control | None:
        """What was found the last time; None where the feed was never controlled."""
        of_feed = (run.c.source == source) & (control_total.c.feed == feed)
        query = select(control_total).join(run, run.c.run_id == control_total.c.run_id).where(of_feed)
        with self._db.reading() as connection:
            row = connection.execute(query.order_by(control_total.c.at.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        theirs, ours = (msgspec.json.decode(text, type=Totals) for text in (row.theirs, row.ours))
        detail = msgspec.json.decode(row.detail, type=_Detail)
        return Control(theirs, ours, detail.apart, detail.doubtful_entities, detail.differences)

    def breaks(self) -> tuple[Break, ...]:
        """Every finding that differed, oldest first."""
        told = (control_total.c.feed, control_total.c.theirs, control_total.c.ours, control_total.c.detail)
        tied = case((control_total.c.verdict == "ties", control_total.c.at))
        before = func.max(tied).over(partition_by=(run.c.source, control_total.c.feed), order_by=control_total.c.at)
        found = (
            select(run.c.source, control_total.c.at, control_total.c.verdict, before.label("tied_at"), *told)
            .join(run, run.c.run_id == control_total.c.run_id)
            .subquery()
        )
        query = select(found).where(found.c.verdict == "differs").order_by(found.c.at, found.c.source, found.c.feed)
        with self._db.reading() as connection:
            return tuple(_break(row) for row in connection.execute(query))

    def first_at(self) -> datetime | None:
        """When totals were compared first; None where no source ever told any."""
        with self._db.reading() as connection:
            return connection.execute(select(control_total.c.at).order_by(control_total.c.at).limit(1)).scalar()


def _break(row: Row[Any]) -> Break:
    theirs, ours = (msgspec.json.decode(text, type=Totals) for text in (row.theirs, row.ours))
    detail = msgspec.json.decode(row.detail, type=_Detail)
    return Break(row.source, row.feed, row.at, row.tied_at, theirs, ours, detail.apart, detail.doubtful_entities)
