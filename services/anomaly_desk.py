"""Alerts of one state of the lake: what the model finds odd, less what people have settled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from features.errors import NotFound
from features.facts import Facts
from models.anomalies.alerts import Alert, Budget, choose, found
from models.anomalies.model import AnomalyModel
from models.anomalies.rules import silent
from models.anomalies.stories import with_verdicts
from services.alerts import Verdict
from services.comparing import scored_documents

Scores = Callable[[AnomalyModel, Facts], pl.DataFrame]


@dataclass(frozen=True)
class Found:
    """alerts within the budget, of so many documents; `silent`: which rules could not speak, and why."""

    alerts: tuple[Alert, ...]
    documents: int
    silent: tuple[str, ...]


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
        *,
        since: date | None = None,
        entity: str | None = None,
        settled: Mapping[str, Verdict] | None = None,
    ) -> Found:
        """The likeliest first, of what was learnt since a day (UTC) in an entity.

        settled  alert id -> the newest that people said of it: what was learnt before that is told no more
        """
        if entity is not None and entity not in self._entities:
            raise NotFound(f"no entity {entity!r}; there are: {', '.join(self._entities) or 'none'}")
        told = with_verdicts(self._told, {alert: said.at for alert, said in (settled or {}).items()})
        if since is not None:
            told = told.filter(pl.col("known_at").dt.date() >= since)
        if entity is not None:
            told = told.filter(pl.col("entity_id") == entity)
        picked = choose(told, budget)
        return Found(tuple(picked), len(told), tuple(silent(self.model.limits, self._entities)))

    def alert(self, alert_id: str) -> Alert:
        """One alert, judged or not; `NotFound` where no document belongs to it."""
        alerts = found(self._told, alert_id)
        if not alerts:
            raise NotFound(f"no alert {alert_id!r}; list them first")
        return alerts[0]
