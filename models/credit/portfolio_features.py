"""From a portfolio's columns to the numbers that the trees see, all of it declared in the mapping."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput
from models.credit.portfolio_spec import DIRECTIONS, PortfolioSpec, Series, Summary

Floats = NDArray[np.float64]
Categories = dict[str, list[str]]
VALUES_NAMED = 8


@dataclass(frozen=True)
class Column:
    """One feature: its name, the reason that it counts towards, which way the risk moves with it, and its values."""

    name: str
    reason: str
    direction: int
    values: Floats


def columns(table: pl.DataFrame, spec: PortfolioSpec, categories: Categories) -> list[Column]:
    """Every feature of the mapping, in declared order, for the rows of a READ table (`numbers` as Float64)."""
    return [
        *(Column(n.column, n.reason, DIRECTIONS[n.risk], _numbers(table, n.column)) for n in spec.numbers),
        *(Column(c.column, c.reason, 0, _codes(table, c.column, categories)) for c in spec.categories),
        *_series_columns(table, spec),
    ]


def values(found: list[Column]) -> Floats:
    """(n, F) the features side by side."""
    return np.ascontiguousarray(np.stack([column.values for column in found], axis=1))


def categories_of(table: pl.DataFrame, spec: PortfolioSpec) -> Categories:
    """Column -> the values that occur in it, in order."""
    return {name: table[name].drop_nulls().unique().sort().to_list() for name in spec.category_columns}


def categorical_places(spec: PortfolioSpec) -> list[int]:
    """Which of the features are categories."""
    return list(range(len(spec.numbers), len(spec.numbers) + len(spec.categories)))


def bad_rows(table: pl.DataFrame, spec: PortfolioSpec) -> Floats:
    """(n,) 1 where the target says that it went bad; `BadInput` where it says nothing, or never says so."""
    target = table[spec.target.column]
    if target.null_count():
        row = target.is_null().arg_max() or 0
        raise BadInput(f"row {row + 1}: {spec.target.column} is missing; allowed: a value in every row to learn from")
    bad = target == spec.target.bad
    if len(bad) and not bad.any():
        found = target.unique().sort().to_list()
        some = ", ".join(map(repr, found[:VALUES_NAMED])) + (", ..." if len(found) > VALUES_NAMED else "")
        raise BadInput(
            f"{spec.target.column} is never {spec.target.bad!r}, which the mapping calls bad; it holds: {some}. Name "
            "one of these as bad, or bring rows that went bad"
        )
    return bad.cast(pl.Float64).to_numpy()


def _numbers(table: pl.DataFrame, name: str) -> Floats:
    return table[name].fill_null(float("nan")).to_numpy()


def _codes(table: pl.DataFrame, name: str, categories: Categories) -> Floats:
    code = {value: float(k) for k, value in enumerate(categories[name])}
    return np.array([code.get(value, np.nan) for value in table[name].to_list()])


def _series_columns(table: pl.DataFrame, spec: PortfolioSpec) -> Iterator[Column]:
    known: dict[str, Floats] = {n.column: _numbers(table, n.column)[:, None] for n in spec.numbers}
    for series in spec.series:
        months = _months(table, series, known)
        known[series.name] = months
        yield from _summaries(series, months)


def _months(table: pl.DataFrame, series: Series, known: dict[str, Floats]) -> Floats:
    """(n, M) the values month by month, newest first."""
    if series.columns:
        months = np.stack([_numbers(table, name) for name in series.columns], axis=1)
    else:
        months = _by(known[str(series.over)], known[str(series.under)], series.under_back)
    low = -np.inf if series.at_least is None else series.at_least
    high = np.inf if series.at_most is None else series.at_most
    return np.clip(months, low, high)


def _by(over: Floats, under: Floats, back: int) -> Floats:
    """Month by month, NaN where `under` is not above 0; a single column of `under` holds for every month."""
    if under.shape[1] > 1:
        months = min(over.shape[1], under.shape[1] - back)
        over, under = over[:, :months], under[:, back : back + months]
    under = np.broadcast_to(under, over.shape)
    ratio: Floats = np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)
    return ratio


def _summaries(series: Series, months: Floats) -> Iterator[Column]:
    sign = DIRECTIONS[series.risk]
    for summary in series.summaries:
        if summary == "months":
            for k in range(months.shape[1]):
                yield Column(f"{series.name}_{k + 1}", series.reason, sign, months[:, k])
        else:
            direction = 0 if summary in ("trend", "spread") else sign
            yield Column(f"{series.name}_{summary}", series.reason, direction, _summary(summary, months))
    for k, bound in enumerate(series.count_above):
        above = _added([(months[:, m] > bound).astype(np.float64) for m in range(months.shape[1])])
        yield Column(f"{series.name}_above_{k + 1}", series.reason, sign, above)
    if series.since_above is not None:
        yield Column(f"{series.name}_since", series.reason, -sign, _since(months, series.since_above))


def _summary(summary: Summary, months: Floats) -> Floats:
    match summary:
        case "last":
            return months[:, 0]
        case "mean":
            return _mean(months)
        case "max":
            most: Floats = np.fmax.reduce(months, axis=1)
            return most
        case "min":
            least: Floats = np.fmin.reduce(months, axis=1)
            return least
        case "spread":
            gap = months - _mean(months)[:, None]
            return np.sqrt(_mean(gap * gap))
        case "trend":
            half = (months.shape[1] + 1) // 2
            return _mean(months[:, :half]) - _mean(months[:, half:])
        case "months":
            raise AssertionError("the months are columns of their own, not a summary of them")


def _mean(months: Floats) -> Floats:
    """(n,) mean of the months that are known, NaN where none is."""
    known = np.isfinite(months)
    total = _added([np.where(known[:, m], months[:, m], 0.0) for m in range(months.shape[1])])
    count = known.sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return mean


def _added(parts: list[Floats]) -> Floats:
    """The sum, one after another: the same bits for one row as among many."""
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def _since(months: Floats, bound: float) -> Floats:
    above = months > bound
    since: Floats = np.where(above.any(axis=1), above.argmax(axis=1), months.shape[1]).astype(np.float64)
    return since
