"""Learn the effect of a contact from the drawn contacts of the lake, and register it with its evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.book import Book
from features.lake import Lake
from models import registry
from models.champion import CONTACT_EFFECT, ModelVersion
from models.worklist.effect import ContactEffect
from models.worklist.estimation import fit_effect
from models.worklist.experiment import experiment
from models.worklist.plain import Estimate, Stratum, ipw_estimate, strata
from models.worklist.rows import Row
from models.worklist.settings import WorklistSettings
from pipelines.train import read_at_rest

Step = Callable[[str], None]


@dataclass(frozen=True)
class TrainedEffect:
    """The registered effect, the plain estimate beside it, and the plain estimates of the strata."""

    version: ModelVersion
    effect: ContactEffect
    plain: Estimate
    strata: list[Stratum]


def train_effect(
    lake: Lake,
    mlruns: Path,
    *,
    horizon_days: int = WorklistSettings().horizon_days,
    seed: int = 7,
    step: Step = lambda _: None,
) -> TrainedEffect:
    """Learn on every drawn contact whose horizon is over, register and promote.

    `BadInput` where there are too few of them; contacts that a person decided are never learnt from. `BadSetting` for
    a horizon that no list can have.
    """
    WorklistSettings(horizon_days=horizon_days)
    step("reading the lake")
    versions, facts = read_at_rest(lake)
    book = Book(facts)
    step("what came of the drawn contacts")
    rows = experiment(book, book.last_known(), horizon_days)
    step("learning")
    effect = fit_effect(rows, horizon_days, seed=seed)
    plain = ipw_estimate(rows)
    lineage = registry.Lineage(
        data_window=(_day(rows["cutoff_day"].min()), _day(rows["cutoff_day"].max())),
        lake_versions=versions,
        params={**effect.about, "horizon_days": horizon_days},
        metrics={
            "effect": effect.pooled.effect,
            "effect_low": effect.pooled.low,
            "effect_high": effect.pooled.high,
            "effect_plain": plain.effect,
        },
        learnt_before=book.last_known(),
    )
    step("registering")
    frame = rows.drop("made", "chance", "paid_share", "days_open", "contact_id")
    version = registry.register(effect, frame, lineage, mlruns=mlruns, name=CONTACT_EFFECT, answer=Row)
    return TrainedEffect(version, effect, plain, strata(rows))


def _day(value: object) -> date:
    assert isinstance(value, date)
    return value
