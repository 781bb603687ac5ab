"""Rolling origins over snapshots: what the model would have said, beside honest baselines, and what came of it.

At every origin each forecaster learns from the snapshots whose windows had closed by then, with outcomes as known then,
and answers for the snapshots from that origin until the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.customers import DefaultRule
from features.errors import BadInput
from models.credit import baselines
from models.credit.measures import Measured, measured
from models.credit.risk_model import CreditRiskModel, counts, customer_numbers, learnable
from models.credit.scale import GradeRow, grade_table
from models.credit.scorer import shortage
from models.scorer import feature_values

Floats = NDArray[np.float64]
OURS = "duecast"
Train = Callable[[pl.DataFrame], CreditRiskModel]


class Book(Protocol):
    """What a backtest asks of `features.book.Book`."""

    def defaults(self, frame: pl.DataFrame, rule: DefaultRule, observed_before: datetime | None = None) -> pl.DataFrame:
        """The rows with each one's outcome as known before `observed_before`, or with all there is."""
        ...

    def day_start(self, day: date, entity_id: str) -> datetime:
        """The instant at which `day` starts where the entity is."""
        ...


@dataclass(frozen=True)
class CreditEvaluation:
    """Forecaster (ours: "duecast") -> its measures; our grades; every test row with its outcome and our `pd`.

    `skipped`: origin -> why nothing could be learnt as of it.
    """

    measures: dict[str, dict[str, Measured]]
    grades: tuple[GradeRow, ...]
    rows: pl.DataFrame
    data: dict[str, object]
    skipped: dict[str, str]

    @property
    def metrics(self) -> dict[str, float]:
        """Flat figures for the registry: ours, and each baseline's behind its name."""
        return {
            name if who == OURS else f"{who}.{name}": told.value
            for who, table in self.measures.items()
            for name, told in table.items()
        }

    def as_json(self) -> dict[str, object]:
        """All of it but the rows, as plain values."""
        table = {who: {name: asdict(told) for name, told in figures.items()} for who, figures in self.measures.items()}
        return {
            "data": self.data,
            "skipped_origins": self.skipped,
            "measures": table,
            "grades": [asdict(row) for row in self.grades],
        }


def evaluate(
    book: Book,
    frame: pl.DataFrame,
    train: Train,
    rule: DefaultRule,
    origins: Sequence[date],
    *,
    names: Sequence[str],
    draws: int = 500,
    seed: int,
) -> CreditEvaluation:
    """Run every origin.

    frame  customer FEATURE rows with `default_cause`, of all snapshots; `train` makes a model of some with outcomes

    An origin at which too few had gone into default to learn from is skipped, and said to be. `BadInput` where that
    leaves none, or no snapshot from the first origin on has a closed window.
    """
    final = learnable(book.defaults(frame, rule))
    parts: list[pl.DataFrame] = []
    judged: list[str] = []
    skipped: dict[str, str] = {}
    for origin, end in zip(origins, [*origins[1:], date.max], strict=True):
        test = final.filter(pl.col("cutoff_day").is_between(origin, end, closed="left"))
        if test.is_empty():
            continue
        known = _known(book, frame, rule, origin)
        why = shortage(known["defaulted"].cast(pl.Float64).to_numpy(), customer_numbers(known), "customers")
        if why is None:
            parts.append(_answered(known, test, train, names, seed))
            judged.append(origin.isoformat())
        else:
            skipped[origin.isoformat()] = why
    if not parts:
        raise BadInput(_nothing_to_judge(skipped, origins, rule))
    about = {"origins": judged, "seed": seed, **asdict(rule)}
    return _evaluated(pl.concat(parts), names, about, skipped, draws=draws, seed=seed)


def newest_origins(frame: pl.DataFrame, rule: DefaultRule, *, origins: int, months: int, last: date) -> list[date]:
    """Up to `origins` firsts of a month, `months` apart, the last `months` before the newest window that has closed.

    frame  SNAPSHOT rows; `last` the last day of what is known. `BadInput` where the history is too short for any
    """
    closed = (
        frame.filter(pl.col("cutoff_day") + timedelta(days=rule.horizon_days) <= last)["cutoff_day"].unique().sort()
    )
    places = [len(closed) - months * k for k in range(origins, 0, -1)]
    # before the first origin there must be snapshots whose windows had closed by then, and as many again
    fewest = 2 * (rule.horizon_days // 30 + 1)
    found = [closed[place] for place in places if place >= fewest]
    if not found:
        raise BadInput(
            f"{len(closed)} monthly snapshots have closed windows of {rule.horizon_days} days: too few to hold any "
            f"back for a test; allowed: {fewest + months} or more. Ingest a longer history or lower the horizon"
        )
    return found


def _nothing_to_judge(skipped: dict[str, str], origins: Sequence[date], rule: DefaultRule) -> str:
    if not skipped:
        return (
            f"no snapshot from {origins[0]} on has a closed window of {rule.horizon_days} days: nothing to judge by; "
            "ingest a longer history"
        )
    origin, why = list(skipped.items())[-1]
    return f"the backtest has nothing to judge by: as of its newest origin, {origin}, {why} by then"


def _known(book: Book, frame: pl.DataFrame, rule: DefaultRule, origin: date) -> pl.DataFrame:
    """The snapshots before `origin` whose windows had closed, with outcomes as known when it began."""
    past = frame.filter(pl.col("cutoff_day") < origin)
    return learnable(book.defaults(past, rule, _instant(book, frame, origin)))


def _evaluated(
    rows: pl.DataFrame,
    names: Sequence[str],
    about: dict[str, object],
    skipped: dict[str, str],
    *,
    draws: int,
    seed: int,
) -> CreditEvaluation:
    bad, customers = rows["defaulted"].cast(pl.Float64).to_numpy(), customer_numbers(rows)
    told = {name: rows[f"pd_{name}"].to_numpy() for name in (OURS, *_baselines(names))}
    return CreditEvaluation(
        {name: measured(pd, bad, customers, draws=draws, seed=seed) for name, pd in told.items()},
        grade_table(told[OURS], bad),
        rows.rename({f"pd_{OURS}": "pd"}),
        {**counts(rows), **about},
        skipped,
    )


def _answered(known: pl.DataFrame, test: pl.DataFrame, train: Train, names: Sequence[str], seed: int) -> pl.DataFrame:
    model = train(known)
    values, asked = feature_values(known, names), feature_values(test, names)
    bad = known["defaulted"].cast(pl.Float64).to_numpy()
    told = {name: fit(values, bad, seed)(asked) for name, fit in _baselines(names).items()}
    told[OURS] = model.pd(test)
    return test.select("entity_id", "customer_id", "cutoff_day", "defaulted", "default_reason").with_columns(
        pl.Series(f"pd_{name}", pd) for name, pd in told.items()
    )


def _baselines(names: Sequence[str]) -> dict[str, baselines.Fit]:
    return {
        "base_rate": baselines.base_rate,
        "worst_overdue": baselines.worst_overdue(list(names).index(baselines.OVERDUE_COLUMN)),
        "logistic": baselines.logistic,
        "lightgbm": baselines.lightgbm,
    }


def _instant(book: Book, frame: pl.DataFrame, origin: date) -> datetime:
    """The earliest start of `origin` among the entities."""
    entities = frame["entity_id"].unique().sort().to_list()
    return min(book.day_start(origin, entity) for entity in entities).astimezone(UTC)
