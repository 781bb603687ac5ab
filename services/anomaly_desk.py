"""Alerts of one state of the lake: what the model and control totals find odd, less what people have settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from features.calendars import day_start
from features.documents import known_before
from features.errors import NotFound
from features.facts import Facts
from features.masters import CUSTOMER, entity_zones
from models.anomalies.alerts import Alert, Budget, choose, found
from models.anomalies.controls import ALL, control_rows
from models.anomalies.coverage import coverage, silent
from models.anomalies.model import AnomalyModel
from models.anomalies.returns import taken_back_days, with_returns
from models.anomalies.stories import with_verdicts
from services.alerts import OnRecord
from services.comparing import scored_documents

Scores = Callable[[AnomalyModel, Facts], pl.DataFrame]
NO_CONTROLS = "control_total is silent: no source told control totals"


@dataclass(frozen=True)
class Found:
    """alerts within the budget, of so many documents; `silent`: which rules could not speak, and why.

    availability, availability_reason  how much of the documents could be compared: `models.anomalies.coverage.Coverage`
    """

    alerts: tuple[Alert, ...]
    documents: int
    silent: tuple[str, ...]
    availability: str
    availability_reason: str | None


@dataclass(frozen=True)
class AnomalyDesk:
    """`model` on every document of `facts`. The first question compares them all, which takes its time.

    scores  compares them: `services.comparing.scored_documents`, or `scored_apart` where nobody must wait for it
    """

    model: AnomalyModel
    facts: Facts
    scores: Scores = scored_documents

    @cached_property
    def _told(self) -> pl.DataFrame:
        return self.scores(self.model, self.facts)

    @cached_property
    def _entities(self) -> list[str]:
        return sorted(self.facts.latest("entity")["entity_id"])

    def alerts(
        self,
        budget: Budget,
        record: OnRecord,
        *,
        since: date | None = None,
        entity: str | None = None,
        as_of: date | None = None,
    ) -> Found:
        """The likeliest first, of what was learnt since a day (UTC) in an entity.

        record  what is on record beside the lake; what was learnt before a verdict is told no more
        as_of   with documents, controls and verdicts of before this day began where the entity is
        """
        if entity is not None and entity not in self._entities:
            raise NotFound(f"no entity {entity!r}; there are: {', '.join(self._entities) or 'none'}")
        known, then = self._known(as_of), self.then(record, as_of)
        settled = {alert: said.at for alert, said in then.standing().items()}
        told = _asked(with_verdicts(self._as_it_stands(known, then, as_of), settled), since, entity)
        compared = _asked(known, since, entity)
        asked = self._entities if entity is None else [entity]
        extent = coverage(known, compared, asked)
        silences = silent(self.model.limits, asked, compared)
        if then.controlled_from is None:
            silences.append(NO_CONTROLS)
        picked = self._named(choose(told, budget), as_of)
        return Found(picked, len(told), tuple(silences), extent.availability, extent.availability_reason)

    def alert(self, alert_id: str, record: OnRecord, *, as_of: date | None = None) -> Alert:
        """One alert, judged or not; `NotFound` where no document belongs to it."""
        told = self._as_it_stands(self._known(as_of), self.then(record, as_of), as_of)
        alerts = found(told, alert_id)
        if not alerts:
            raise NotFound(f"no alert {alert_id!r}; list them first")
        return self._named(alerts, as_of)[0]

    def asked_day(self, as_of: date | None) -> date:
        """The day that an answer is as of: the one asked about, or the one after the newest document (UTC)."""
        newest = self._told["known_at"].max()
        if as_of is None and isinstance(newest, datetime):
            return newest.date() + timedelta(days=1)
        return as_of or date.min

    def _as_it_stands(self, known: pl.DataFrame, record: OnRecord, as_of: date | None) -> pl.DataFrame:
        """`known` with control totals, and with what the books took back until then."""
        back = taken_back_days(self.facts, None if as_of is None else self._starts(as_of))
        return with_returns(_with_controls(known, record), back)

    def _named(self, alerts: Sequence[Alert], as_of: date | None) -> tuple[Alert, ...]:
        """With the customers' names."""
        names = self._names(as_of)
        return tuple(replace(a, customer_name=names.get((a.entity_id, a.customer_id))) for a in alerts)

    def _names(self, as_of: date | None) -> dict[tuple[str, str | None], str]:
        """(entity_id, customer_id) -> the newest name that was known, also of a customer who is gone."""
        spans = self.facts.spans("customer").select(*CUSTOMER, "name", "known_from").drop_nulls("name")
        starts = None if as_of is None else self._starts(as_of)
        known = spans.sort(*CUSTOMER, "known_from").iter_rows()
        return {(e, c): name for e, c, name, at in known if starts is None or at < starts[e]}

    def then(self, record: OnRecord, as_of: date | None) -> OnRecord:
        """What was on record before a day began anywhere: neither verdicts nor all controls are of one entity."""
        return (
            record
            if as_of is None
            else record.before(min(self._starts(as_of).values(), default=day_start(as_of, "UTC")))
        )

    def _known(self, as_of: date | None) -> pl.DataFrame:
        return self._told if as_of is None else known_before(self._told, self._starts(as_of))

    def _starts(self, day: date) -> dict[str, datetime]:
        """When a day begins in each entity."""
        zones = entity_zones(self.facts).select("entity_id", "time_zone").iter_rows()
        return {entity: day_start(day, time_zone) for entity, time_zone in zones}


def _with_controls(known: pl.DataFrame, record: OnRecord) -> pl.DataFrame:
    return pl.concat([known, control_rows(record.breaks, record.judged_controls())], how="diagonal_relaxed")


def _asked(rows: pl.DataFrame, since: date | None, entity: str | None) -> pl.DataFrame:
    if since is not None:
        rows = rows.filter(pl.col("known_at").dt.date() >= since)
    return rows if entity is None else rows.filter(pl.col("entity_id").is_in([entity, ALL]))
