"""The named measures of the house, and how one forecaster did by them: a `Card` per set of rows.

The measures are declared in `METRICS`. Most are means over rows and live in a score column of the same name; the others
are computed from the columns `late.chance`, `late.event` and `days.mae`. A score is NaN where the outcome it needs is
not known yet, and such a row does not count towards that measure.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import polars as pl

from models import metrics
from models.bootstrap import Codes, Interval, Resampled, interval
from models.distribution import Dates, Days, Distribution, Floats

CHANCE, EVENT, PIT, ERROR = "late.chance", "late.event", "days.pit", "days.error"
PINBALL = "days.pinball"
SKILL = "skill.pinball"


@dataclass(frozen=True, slots=True)
class Metric:
    """One measure: its name in files, its title in tables, and which way is better (a coverage is to hit its level)."""

    name: str
    title: str
    words: str
    better: Literal["higher", "lower", "neither"]
    digits: int = 3


def _coverages() -> list[Metric]:
    plain = "paid invoices inside the central {0} % interval of whole days, ends included"
    randomised = "paid invoices inside the central {0} % by the randomised PIT: heavy days do not flatter it"
    return [
        Metric(f"days.coverage_{level}{suffix}", title.format(level), words.format(level), "neither")
        for suffix, title, words in (("", "coverage {} %", plain), ("_pit", "coverage {} %, PIT", randomised))
        for level in metrics.LEVELS
    ]


METRICS = (
    Metric("late.roc_auc", "late: ROC AUC", "area under the ROC curve of P(late)", "higher"),
    Metric("late.average_precision", "late: avg. precision", "average precision of P(late)", "higher"),
    Metric("late.brier", "late: Brier", "mean squared error of P(late)", "lower"),
    Metric(
        "late.calibration_error",
        "late: calibration error",
        "expected calibration error of P(late), 10 bins of equal count; its interval is the reflected bootstrap",
        "lower",
    ),
    Metric("days.mae", "MAE, days", "mean absolute error of the median date", "lower", digits=2),
    Metric("days.median_error", "median error, days", "median absolute error of the median date", "lower", digits=1),
    Metric(PINBALL, "pinball, days", "quantile loss, mean over the quantiles 0.05, 0.10, ... 0.95", "lower"),
    Metric("days.crps", "CRPS, days", "continuous ranked probability score, exact on the daily steps", "lower"),
    *_coverages(),
    Metric("days.width_80", "80 % width, days", "mean width of the central 80 % interval", "neither", digits=1),
)
METRIC_NAMES = tuple(metric.name for metric in METRICS)
MEANS = tuple(
    name
    for name in METRIC_NAMES
    if name not in ("late.roc_auc", "late.average_precision", "late.calibration_error", "days.median_error")
)
SCORES = (*MEANS, CHANCE, EVENT, PIT, ERROR)


@dataclass(frozen=True)
class Outcomes:
    """What happened to n receivables, as far as known.

    paid   (n,) settled on, NaT where not (yet) paid
    event  (n,) 1.0 where late, 0.0 where not, NaN where not known yet
    """

    paid: Dates
    event: Floats


def outcomes(rows: pl.DataFrame, late_days: int) -> Outcomes:
    """How LABELLED rows ended.

    Late is known once paid, or once known to have been unpaid through the last day that would have been in time.
    """
    deadline = pl.col("due_date") + pl.duration(days=late_days - 1)
    event = (
        pl.when(pl.col("paid_date").is_not_null())
        .then(pl.col("paid_date") > deadline)
        .when(pl.col("observed_until") >= deadline)
        .then(pl.lit(True))
    )
    found = rows.select(paid="paid_date", event=event.cast(pl.Float64).fill_null(np.nan))
    return Outcomes(found["paid"].to_numpy().astype("datetime64[D]"), found["event"].to_numpy())


@dataclass(frozen=True)
class Card:
    """Measures of one forecaster on some rows; NaN where undefined.

    `draws`: the (1 + draws,) answers of the pinball loss, so that two forecasters' cards can be paired.
    """

    counts: dict[str, int]
    values: dict[str, float]
    intervals: dict[str, Interval]
    draws: dict[str, Floats] = field(repr=False)


def scores(forecast: Distribution, late: Floats, outcomes: Outcomes, uniform: Floats) -> pl.DataFrame:
    """(n rows) the columns `SCORES`, Float64, NaN where not known.

    `late` (n,) is the chance of being late; `uniform` (n,) in 0..1 randomises the PIT.
    """
    known = np.isfinite(outcomes.event)
    table = {name: np.full(len(late), np.nan) for name in SCORES}
    table[CHANCE], table[EVENT] = late, outcomes.event
    table["late.brier"][known] = metrics.brier(late[known], outcomes.event[known] > 0)
    closed = ~np.isnat(outcomes.paid)
    waits = (outcomes.paid - forecast.start)[closed].astype(np.int64)
    for name, column in _day_scores(forecast.take(closed), waits, uniform[closed]).items():
        table[name][closed] = column
    return pl.DataFrame(table)


def _day_scores(forecast: Distribution, days: Days, uniform: Floats) -> dict[str, Floats]:
    error, transformed = metrics.error_days(forecast, days), metrics.pit(forecast, days, uniform)
    table = {
        ERROR: error,
        PIT: transformed,
        "days.mae": np.abs(error),
        PINBALL: metrics.pinball(forecast, days),
        "days.crps": metrics.crps(forecast, days),
        "days.width_80": metrics.width_days(forecast, 80),
    }
    for level in metrics.LEVELS:
        table[f"days.coverage_{level}"] = metrics.inside(forecast, days, level).astype(np.float64)
        table[f"days.coverage_{level}_pit"] = metrics.inside_pit(transformed, level).astype(np.float64)
    return table


def card(scored: pl.DataFrame, customers: Codes, *, draws: int, seed: int) -> Card:
    """How the rows of `scored` did; `customers` (n,) says which rows are drawn together."""
    resampled = Resampled(customers, draws=draws, seed=seed)
    means = resampled.means(scored.select(MEANS).to_numpy())
    answers = dict(zip(MEANS, means.T, strict=True)) | _late_answers(scored, resampled)
    error = scored["days.mae"].to_numpy()
    closed = np.isfinite(error)
    answers["days.median_error"] = resampled.of(partial(metrics.median, error[closed]), closed)
    return Card(
        counts={"n": len(scored), "closed": int(closed.sum()), "late_known": int(scored[EVENT].is_not_nan().sum())},
        values={name: float(answers[name][0]) for name in METRIC_NAMES},
        intervals={name: interval(answers[name], reflected=name == "late.calibration_error") for name in METRIC_NAMES},
        draws={PINBALL: answers[PINBALL]},
    )


def _late_answers(scored: pl.DataFrame, resampled: Resampled) -> dict[str, Floats]:
    known = scored[EVENT].is_not_nan().to_numpy()
    chance, happened = scored[CHANCE].to_numpy()[known], scored[EVENT].to_numpy()[known] > 0
    return {
        name: resampled.of(partial(measure, chance, happened), known)
        for name, measure in (
            ("late.roc_auc", metrics.roc_auc),
            ("late.average_precision", metrics.average_precision),
            ("late.calibration_error", metrics.calibration_error),
        )
    }


def with_skill(theirs: Card, ours: Card) -> Card:
    """`theirs` with `skill.pinball`: 1 - our pinball loss / theirs, the share of their loss that we save."""
    loss = theirs.draws[PINBALL]
    saved = 1.0 - np.divide(ours.draws[PINBALL], loss, out=np.full(loss.shape, np.nan), where=loss > 0)
    return Card(
        theirs.counts,
        theirs.values | {SKILL: float(saved[0])},
        theirs.intervals | {SKILL: interval(saved)},
        theirs.draws,
    )


def as_json(found: Card) -> dict[str, object]:
    """The card's names on top with `intervals` beside them (layout: `models.evaluation`); null where undefined."""
    ends: dict[str, object] = {}
    for name, span in found.intervals.items():
        low, high = _number(span.low), _number(span.high)
        ends |= {name: {"low": low, "high": high}, f"{name}.low": low, f"{name}.high": high}
    return {**{name: _number(value) for name, value in found.values.items()}, "intervals": ends}


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
