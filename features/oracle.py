"""The judge of the engine: the same features by the most obvious means, one subject and one feature at a time.

Slow on purpose, and shares no code with the engine: visible rows are picked one by one in Python and aggregated by
definition.
"""

import statistics
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Any

import polars as pl

from features import aggregates as agg
from features.declarations import Declaration, Derived, Feature

Row = dict[str, Any]

EPOCH = date(1970, 1, 1)


def compute(
    declarations: Sequence[Declaration], events: Mapping[str, pl.DataFrame], subjects: pl.DataFrame
) -> pl.DataFrame:
    """What `features.engine.compute` must return: the subjects with one Float64 column per declaration."""
    rows = {name: frame.rows(named=True) for name, frame in events.items()}
    people = subjects.rows(named=True)
    for declaration in declarations:
        if isinstance(declaration, Derived):
            value = declaration.expr().cast(pl.Float64)
            subjects = subjects.with_columns(pl.when(value.is_finite()).then(value).alias(declaration.name))
        else:
            values = [_value(declaration, rows[declaration.event], subject) for subject in people]
            subjects = subjects.with_columns(pl.Series(declaration.name, values, dtype=pl.Float64))
    return subjects


def is_visible(feature: Feature, row: Row, subject: Row) -> bool:
    """Whether an event counts for a subject at its cutoff."""
    cutoff: datetime = subject["cutoff"]
    return (
        all(row[column] is not None and row[column] == subject[column] for column in feature.key.columns)
        and row["known_from"] < cutoff
        and (row["known_to"] is None or cutoff <= row["known_to"])
        and (feature.window_days is None or row["known_from"] >= cutoff - timedelta(days=feature.window_days))
        and (feature.where is None or row[feature.where] is True)
    )


def _value(feature: Feature, events: list[Row], subject: Row) -> float | None:
    visible = [row for row in events if is_visible(feature, row, subject)]
    visible.sort(key=lambda row: (row["known_from"], row["event_id"]))
    if isinstance(feature.aggregate, agg.Ratio):
        over, under = (sum(_present(visible, column)) for column in feature.aggregate.columns)
        return over / under if under else None
    values = _present(visible, feature.aggregate.columns[0])
    if not values:
        return 0.0 if isinstance(feature.aggregate, agg.Count | agg.Sum) else None
    today = (subject["cutoff_day"] - EPOCH).days if feature.aggregate.is_age else 0
    result = _of_values(feature.aggregate, values, today)
    return None if result is None else float(result)


def _present(rows: list[Row], column: str) -> list[Any]:
    values = [row[column] for row in rows]
    values = [(value - EPOCH).days if type(value) is date else value for value in values]
    return [value for value in values if value is not None and not (isinstance(value, float) and not isfinite(value))]


def _of_values(aggregate: agg.Aggregate, values: list[Any], today: int) -> Any:
    match aggregate:
        case agg.Count():
            return len(values)
        case agg.Sum():
            return sum(values)
        case agg.Share():
            return sum(values) / len(values)
        case agg.MeanAge():
            return statistics.mean(today - day for day in values)
        case agg.Mean():
            return statistics.mean(values)
        case agg.Std():
            return statistics.stdev(values) if len(values) > 1 else None
        case agg.Last():
            return values[-1]
        case agg.LastMean():
            return statistics.mean(values[-aggregate.last :])
        case agg.Median():
            return statistics.median(values[-aggregate.last :])
        case agg.Quantile():
            return _quantile(sorted(values[-aggregate.last :]), aggregate.share)
        case agg.DaysSince():
            return today - max(values[-(aggregate.last or 0) :])
        case agg.MaxAge():
            return today - min(values[-(aggregate.last or 0) :])
        case agg.Min():
            return min(values[-(aggregate.last or 0) :])
        case agg.Max():
            return max(values[-(aggregate.last or 0) :])
        case agg.Ewma():
            weights = [0.5 ** (age / aggregate.half_life) for age in reversed(range(len(values)))]
            return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    raise NotImplementedError(f"the oracle has no definition of {type(aggregate).__name__}")


def _quantile(ordered: list[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
