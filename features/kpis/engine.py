"""The one engine of the collections KPIs: views are added up by group, converted, and every formula applied.

A row is of one entity's one currency, or of a currency over all entities where one asks `by` currency. With a group
currency there are also rows over all currencies, converted at T's rate: each cell (entity, currency, group) of a
measure is rounded once, and the formulas see the sums. The row of everything is made of (entity, currency) cells
whatever `by` says.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import msgspec
import polars as pl

from features.book import Book
from features.errors import BadSetting
from features.kpis.asof import AsOf
from features.kpis.catalogue import KPIS, Kpi
from features.kpis.conversion import GroupRates
from features.kpis.groups import GROUPS, Group, group_currency_groups, own_groups
from features.kpis.measures import MEASURES, Unit
from features.kpis.rounding import half_up, to_decimals
from features.kpis.settings import KpiSettings
from features.kpis.views import VIEWS
from features.money import from_minor

Availability = Literal["full", "partial", "none"]


class KpiValue(msgspec.Struct, frozen=True, kw_only=True):
    """One KPI of one group.

    entity_id     null: over all entities
    group         the segment, parent, collector or customer; null where one asks by none, or nobody knows its name
    converted     true: over all currencies, in the group's
    value         in the KPI's unit, money in major units of `currency`; null where availability is none
    minor         money only: the same in minor units
    availability  full; partial: it leaves something out, and `availability_reason` says what; none: with the reason
    """

    kpi: str
    entity_id: str | None
    currency: str
    group: str | None
    converted: bool
    value: Decimal | None
    minor: int | None
    unit: str
    availability: Availability
    availability_reason: str | None


class CollectionKpis(msgspec.Struct, frozen=True, kw_only=True):
    """Every KPI of every group, of each currency first, then converted, everything last.

    as_of        the day or instant asked for, ISO 8601
    silent       entities of which nothing at all is known as of T: they have no rows
    definitions  KPI -> title, unit, formula
    """

    as_of: str
    days: int
    by: str
    group_currency: str | None
    rows: list[KpiValue]
    silent: list[str]
    definitions: dict[str, str]


def collection_kpis(
    book: Book,
    as_of: date | datetime,
    *,
    by: str = "entity",
    settings: KpiSettings | None = None,
    group_currency: str | None = None,
    kpis: Sequence[Kpi] = KPIS,
) -> CollectionKpis:
    """The KPIs over the `settings.days` before `as_of` (an instant, or a day: its start where each entity is).

    by              one of `GROUPS`; attributes of customers as they stood at `as_of`
    group_currency  rows over all currencies too, in this one

    Nothing learnt at `as_of` or later counts. `BadSetting` for an unknown `by`, `BadInput` for an unknown currency.
    """
    if by not in GROUPS:
        raise BadSetting(f"KPIs by {by!r}; allowed: {', '.join(GROUPS)}")
    chosen, at = settings or KpiSettings(), AsOf.of(book, as_of)
    measures = [MEASURES[name] for name in dict.fromkeys(name for kpi in kpis for name in kpi.needs)]
    views = {v: at.with_attributes(VIEWS[v](at, chosen)) for v in dict.fromkeys(m.view for m in measures)}
    groups = own_groups(views, measures, by)
    if group_currency is not None:
        groups += group_currency_groups(views, measures, by, GroupRates.of(at, group_currency))
    return CollectionKpis(
        as_of=as_of.isoformat(),
        days=chosen.days,
        by=by,
        group_currency=group_currency,
        rows=[_value(kpi, group, chosen) for group in groups for kpi in kpis],
        silent=_silent(book, views.values()),
        definitions=definitions(kpis),
    )


def definitions(kpis: Sequence[Kpi] = KPIS) -> dict[str, str]:
    """KPI -> its title, unit and formula."""
    return {kpi.name: f"{kpi.title}, {kpi.unit.words}: {kpi.formula}" for kpi in kpis}


def _silent(book: Book, views: Iterable[pl.DataFrame]) -> list[str]:
    told = {entity for view in views for entity in view["entity_id"].unique()}
    return sorted(set(book.zones["entity_id"]) - told)


def _value(kpi: Kpi, group: Group, settings: KpiSettings) -> KpiValue:
    gaps = list(dict.fromkeys(words for name in kpi.needs for words in group.gaps.get(name, ())))
    exact = None if group.lost & set(kpi.needs) else _exact(kpi, group, settings)
    reason = f"{'cannot tell' if exact is None else 'leaves out'} {'; '.join(gaps)}" if gaps else kpi.nothing
    money = kpi.unit is Unit.MONEY and exact is not None
    minor = half_up(exact) if money and exact is not None else None
    return KpiValue(
        kpi=kpi.name,
        entity_id=group.entity_id,
        currency=group.currency,
        group=group.name,
        converted=group.converted,
        value=_shown(exact, minor, kpi.unit, group.currency),
        minor=minor,
        unit=kpi.unit.words,
        availability="none" if exact is None else "partial" if gaps else "full",
        availability_reason=reason if gaps or exact is None else None,
    )


def _exact(kpi: Kpi, group: Group, settings: KpiSettings) -> Fraction | None:
    """The formula over the group's measures: a sum over no rows is 0, a quantile of none is null."""
    amounts = {"period_days": Fraction(settings.days), "worth_days": Fraction(settings.worth_days)}
    for name in kpi.needs:
        found = group.sums.get(name)
        if found is None and MEASURES[name].unit is Unit.DAYS:
            return None
        amounts[name] = found or Fraction(0)
    return kpi.value(amounts)


def _shown(exact: Fraction | None, minor: int | None, unit: Unit, currency: str) -> Decimal | None:
    if exact is None:
        return None
    return to_decimals(exact, unit.decimals) if minor is None else from_minor(minor, currency)
