"""Train the anomaly model on everything the lake knows and on what people said, and register it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from features.comparisons import compared
from features.lake import Lake
from models import registry
from models.anomalies.model import EXPECTED_RATE, JUDGED, AnomalyModel, train
from models.champion import ANOMALIES, ModelVersion
from pipelines.train import Step, read_at_rest
from services.alerts import Verdict


@dataclass(frozen=True, slots=True)
class AnomalyAnswer:
    """What the model says of one document."""

    chance: float
    kind: str


@dataclass(frozen=True)
class TrainedAnomalies:
    """What a training left behind."""

    version: ModelVersion
    model: AnomalyModel


def train_anomalies(
    lake: Lake,
    mlruns: Path,
    *,
    verdicts: Collection[Verdict] = (),
    limits: Mapping[str, int] | None = None,
    expected_rate: float = EXPECTED_RATE,
    seed: int = 7,
    step: Step = lambda _: None,
) -> TrainedAnomalies:
    """Compare every document, train, register as `anomalies` and promote.

    verdicts  the newest on each alert; `limits` as for `features.comparisons.compared`

    `BadInput` where there are too few documents.
    """
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    step("comparing every document with what was known before it")
    frame = compared(facts, limits)
    step("training")
    model = train(frame, judged=judged_documents(verdicts), limits=limits, expected_rate=expected_rate, seed=seed)
    step("registering")
    days = frame["known_at"].dt.date()
    lineage = registry.Lineage(
        data_window=(_day(days.min()), _day(days.max())),
        lake_versions=versions,
        params=model.about,
        metrics={"chance_mean": float(model.scored(frame)["chance"].to_numpy().mean())},
        learnt_before=learnt_before(frame, verdicts),
    )
    asked = frame.select("entity_id", "table", "record_id", *model.feature_names)
    version = registry.register(model, asked, lineage, mlruns=mlruns, name=ANOMALIES, answer=AnomalyAnswer)
    return TrainedAnomalies(version, model)


def judged_documents(verdicts: Collection[Verdict]) -> pl.DataFrame:
    """JUDGED rows of every document that a verdict was about; the newest verdict on a document counts."""
    rows = [
        {"entity_id": v.entity_id, "table": table, "record_id": record, "real": v.real}
        for v in sorted(verdicts, key=lambda v: v.at)
        for table, _, record in (d.partition("/") for d in v.documents)
    ]
    keys = [c for c in JUDGED if c != "real"]
    return pl.DataFrame(rows, schema=JUDGED).unique(keys, keep="last", maintain_order=True)


def learnt_before(frame: pl.DataFrame, verdicts: Collection[Verdict]) -> datetime:
    """The instant just after the newest document and the newest verdict."""
    newest = frame["known_at"].max()
    assert isinstance(newest, datetime)
    return max([newest, *(v.at for v in verdicts)]) + timedelta(milliseconds=1)


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value
