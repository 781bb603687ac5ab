"""Measures added up by group, in the books' own currencies and in the group's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import polars as pl

from features.kpis.ageing import BOOKS
from features.kpis.conversion import GroupRates
from features.kpis.measures import Measure, Unit

GROUPS: dict[str, tuple[str, ...]] = {
    "entity": BOOKS,
    "currency": ("currency",),
    "segment": (*BOOKS, "segment"),
    "parent": (*BOOKS, "parent_id"),
    "collector": (*BOOKS, "collector"),
    "customer": (*BOOKS, "customer_id"),
}
"""What one can ask by, and the columns that a row is of."""

Views = Mapping[str, pl.DataFrame]
Key = tuple[str | None, ...]


@dataclass
class Group:
    """The measures of one row.

    entity_id  null: over all entities
    name       of the segment, parent, collector or customer
    sums       measure -> number; a measure without rows is not there
    gaps       measure -> in words, what its number leaves out
    lost       measures of which nothing could be told
    """

    entity_id: str | None
    currency: str
    name: str | None
    converted: bool
    sums: dict[str, Fraction] = field(default_factory=dict)
    gaps: dict[str, list[str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def add(self, measure: Measure, number: Any) -> None:
        """Count `number` in; null adds nothing."""
        if number is not None:
            self.sums[measure.name] = self.sums.get(measure.name, Fraction(0)) + Fraction(number)

    def leave_out(self, measure: Measure, words: str) -> None:
        """Say that something is missing from the measure."""
        said = self.gaps.setdefault(measure.name, [])
        if words not in said:
            said.append(words)


def own_groups(views: Views, measures: Sequence[Measure], by: str) -> list[Group]:
    """A group for everything `by` in each currency, in order."""
    keys = GROUPS[by]
    found: dict[Key, Group] = {}
    for view, told in _by_view(measures):
        for row in _rows(views[view], keys, told):
            key = tuple(row[k] for k in keys)
            named = dict(zip(keys, key, strict=True))
            group = found.setdefault(key, Group(named.get("entity_id"), named["currency"], _name(named), False))
            for measure in told:
                _take(group, measure, row)
    return [found[key] for key in sorted(found, key=_order)]


def group_currency_groups(views: Views, measures: Sequence[Measure], by: str, rates: GroupRates) -> list[Group]:
    """A group for everything `by` over all its currencies, in order; that of everything last."""
    cells = GROUPS[by] if "entity_id" in GROUPS[by] else BOOKS
    over = tuple(key for key in GROUPS[by] if key != "currency")
    parts = _converted(views, measures, cells, over, rates) if over else []
    return [*parts, *_converted(views, measures, BOOKS, (), rates)]


def _converted(
    views: Views, measures: Sequence[Measure], cells: tuple[str, ...], over: tuple[str, ...], rates: GroupRates
) -> list[Group]:
    found: dict[Key, Group] = {}

    def group(row: Mapping[str, Any]) -> Group:
        named = {k: row[k] for k in over}
        fresh = Group(named.get("entity_id"), rates.currency, _name(named), True)
        return found.setdefault(tuple(named.values()), fresh)

    for view, told in _by_view(measures):
        money = [m for m in told if m.unit is Unit.MONEY]
        others = [m for m in told if m.unit is not Unit.MONEY]
        for row in _rows(views[view], cells, money):
            for measure in money:
                _convert(group(row), measure, row, rates)
        for row in _rows(views[view], over, others):
            for measure in others:
                _take(group(row), measure, row)
    for each in found.values():
        each.lost = {name for name in each.gaps if name not in each.sums}
    return [found[key] for key in sorted(found, key=_order)]


def _convert(group: Group, measure: Measure, row: Mapping[str, Any], rates: GroupRates) -> None:
    pair = row["entity_id"], row["currency"]
    minor = int(row[measure.name])
    converted = rates.converted(minor, pair)
    if converted is None:
        group.leave_out(measure, rates.gap(pair))
    elif minor:
        group.add(measure, converted)
    _note(group, measure, row)


def _take(group: Group, measure: Measure, row: Mapping[str, Any]) -> None:
    group.add(measure, row[measure.name])
    _note(group, measure, row)


def _note(group: Group, measure: Measure, row: Mapping[str, Any]) -> None:
    """Say how many rows of the view the measure could not tell the amount of."""
    missing = 0 if measure.left_out is None else row[_gap(measure)]
    if missing:
        group.add(measure, 0)  # what the others come to stands, be it nothing
        group.leave_out(measure, f"{missing} {measure.left_out_words}")


def _by_view(measures: Sequence[Measure]) -> Iterator[tuple[str, list[Measure]]]:
    for view in dict.fromkeys(m.view for m in measures):
        yield view, [m for m in measures if m.view == view]


def _rows(view: pl.DataFrame, keys: Sequence[str], measures: Sequence[Measure]) -> Iterator[dict[str, Any]]:
    """The measures of every group of the view."""
    if view.is_empty() or not measures:
        return
    asked = [m.of.alias(m.name) for m in measures]
    asked += [m.left_out.alias(_gap(m)) for m in measures if m.left_out is not None]
    summed = view.group_by(keys).agg(asked).sort(keys, nulls_last=True) if keys else view.select(asked)
    yield from summed.iter_rows(named=True)


def _gap(measure: Measure) -> str:
    return f"{measure.name} left out"


def _name(named: Mapping[str, str | None]) -> str | None:
    return next((value for key, value in named.items() if key not in BOOKS), None)


def _order(key: Key) -> tuple[tuple[bool, str], ...]:
    return tuple((part is None, part or "") for part in key)
