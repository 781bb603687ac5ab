"""Alerts from the lake: what the champion finds odd, less what people have settled; and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from features.errors import NotFound
from features.facts import Facts
from features.lake import Lake
from models.anomalies.alerts import Alert, Budget, choose, found, with_stories
from models.anomalies.rules import silent
from models.champion import ANOMALIES, champion, load, verify
from pipelines.anomaly_limits import read_limits
from pipelines.anomaly_training import scored_lake
from services.alerts import AlertVerdicts, Verdict


@dataclass(frozen=True)
class Found:
    """alerts within the budget, of so many documents; `silent`: which rules could not speak, and why."""

    alerts: tuple[Alert, ...]
    documents: int
    silent: tuple[str, ...]
    model: str


class AnomalyDesk:
    """Where alerts are looked at and judged. `NotFound` without a trained model."""

    def __init__(self, lake: Lake, mlruns: Path, verdicts: AlertVerdicts, *, limits: Path | None = None) -> None:
        version = champion(mlruns, ANOMALIES)
        if version is None:
            raise NotFound(f"no anomaly model in {mlruns}: run `duecast anomalies train` first")
        verify(version, mlruns)
        facts = Facts.read(lake)
        self._verdicts, self._label = verdicts, version.label
        given = read_limits(limits, facts)
        self._entities = facts.latest("entity")["entity_id"].to_list()
        self._silent = tuple(silent(given, self._entities))
        self._told = with_stories(scored_lake(facts, load(version, mlruns), given))

    def alerts(self, budget: Budget, *, since: date | None = None, entity: str | None = None) -> Found:
        """What nobody has judged yet, the likeliest first, of what was learnt since a day (UTC) in an entity."""
        if entity is not None and entity not in self._entities:
            raise NotFound(f"no entity {entity!r}; there are: {', '.join(sorted(self._entities)) or 'none'}")
        told = self._told
        if since is not None:
            told = told.filter(pl.col("known_at").dt.date() >= since)
        if entity is not None:
            told = told.filter(pl.col("entity_id") == entity)
        picked = choose(told, budget, settled=self._verdicts.standing())
        return Found(tuple(picked), len(told), self._silent, self._label)

    def show(self, alert_id: str) -> tuple[Alert, tuple[Verdict, ...]]:
        """An alert and what was said of it; `NotFound` where no document belongs to it."""
        alerts = found(self._told, alert_id)
        if not alerts:
            raise NotFound(f"no alert {alert_id!r}; see `duecast anomalies list`")
        return alerts[0], self._verdicts.history(alert_id)

    def judge(self, alert_id: str, verdict: str, *, who: str, why: str, at: datetime) -> Verdict:
        """Keep what a person says of an alert; raises as `show` and `AlertVerdicts.add`."""
        alert, _ = self.show(alert_id)
        said = Verdict(alert_id, alert.entity_id, verdict, at, who, why, alert.documents)
        self._verdicts.add(said)
        return said


def as_json(alerts: Sequence[Alert]) -> list[dict[str, object]]:
    """Alerts as JSON says them; amounts stay in minor units beside their currency."""
    import msgspec

    return [msgspec.to_builtins(a) for a in alerts]
