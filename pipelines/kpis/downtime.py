"""Downtime impact: what it costs that a system does not answer.

For each outage of a system, and each entity E and currency C whose facts the system brings:

    cash      = expected receipts of E in C per minute during the outage x minutes down
    cost      = cash x cost of capital a year x minutes down / (365 x 24 x 60)

The cash is late by the length of the outage: what would have come in meanwhile is known, and can be put to use, only
when the system answers again. Expected receipts come from the cash distribution where a model is champion: over the
receivables open when the outage began, the chance of being paid on each day that the outage touches x the open amount x
the share of that day in the outage. Without one they are the mean of the money received (returned money taken off) on
the 28 days before the outage. What was issued during the outage is not in it. Currencies and entities are never added
up. An outage lasts from the first call that failed until the next one that worked; between calls nobody looked.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from msgspec import Struct

from features.book import Book
from features.calendars import day_of, day_start
from features.facts import Facts, standing
from features.ledger import RECEIVABLE
from features.money import exponent, from_minor
from models.distribution import Distribution
from services.calls import Outage
from services.work_done import Period

DEFINITION = (
    "Minutes in which the system did not answer (from the first call that failed to the next one that worked). Cash "
    "delayed: receipts expected per minute then x minutes. Cost: cash delayed x cost of capital x minutes / (365 x 24 "
    "x 60). Expected receipts: {basis}."
)
MEAN_DAYS = 28
MEAN_RECEIPTS = f"the mean of the {MEAN_DAYS} days before, as there is no champion"
_MINUTE, _YEAR = timedelta(minutes=1), Decimal(365 * 24 * 60)
Purse = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CashModel:
    """The champion's label, and its answer for a FEATURE frame."""

    label: str
    distribution: Callable[[pl.DataFrame], Distribution]


class Downtime(Struct, frozen=True):
    """One system and, where it is known whose cash it brings, entity and currency; amounts in major units.

    cash_delayed, cost  null where nothing is known of cash: neither receivables nor receipts
    """

    system: str
    entity_id: str | None
    currency: str | None
    outages: int
    minutes: float
    cash_delayed: Decimal | None
    cost: Decimal | None


def impact_of(
    book: Book, outages: Sequence[Outage], period: Period, model: CashModel | None, cost_of_capital: Decimal
) -> list[Downtime]:
    """By system, entity and currency; outages are cut to the period. `cost_of_capital` is a share a year: 0.08."""
    found: list[Downtime] = []
    for system, cut in sorted(_cut(outages, period).items()):
        minutes = sum(((end - start) / _MINUTE for start, end in cut), 0.0)
        entities = entities_of(book.facts, system)
        cash: dict[Purse, Decimal] = defaultdict(Decimal)
        cost: dict[Purse, Decimal] = defaultdict(Decimal)
        for start, end in cut:
            lost = Decimal(str((end - start) / _MINUTE)) / _YEAR
            for purse, amount in expected_cash(book, entities, start, end, model).items():
                cash[purse] += amount
                cost[purse] += amount * cost_of_capital * lost
        told = (Downtime(system, *p, len(cut), minutes, _major(cash[p], p), _major(cost[p], p)) for p in sorted(cash))
        found += list(told) or [Downtime(system, None, None, len(cut), minutes, None, None)]
    return found


def _cut(outages: Sequence[Outage], period: Period) -> dict[str, list[tuple[datetime, datetime]]]:
    """What of each outage is in the period, by system; one that has not ended lasts until the period does."""
    found: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for outage in outages:
        start, end = max(outage.start, period.since), min(outage.end or period.until, period.until)
        if start < end:
            found[outage.system].append((start, end))
    return found


def _major(minor: Decimal, purse: Purse) -> Decimal:
    currency = purse[1]
    return from_minor(int(minor.quantize(Decimal(1))), currency).quantize(Decimal(1).scaleb(-exponent(currency)))


def entities_of(facts: Facts, source: str) -> set[str]:
    """The entities of which the source has brought facts."""
    told = [rows.filter(pl.col("source") == source)["entity_id"] for rows in facts.tables.values()]
    return {entity for column in told for entity in column.unique()}


def expected_cash(
    book: Book, entities: Collection[str], start: datetime, end: datetime, model: CashModel | None
) -> dict[Purse, Decimal]:
    """Minor units expected from `start` to `end`, as known at `start`, by entity and currency."""
    if model is None:
        return _mean_receipts(book, entities, start, (end - start) / _MINUTE)
    subjects = book.open_receivables(start).filter(pl.col("entity_id").is_in(list(entities)))
    if subjects.is_empty():
        return {}
    chance = _chances(book, subjects, start, end, model.distribution(book.features(subjects)))
    open_then = standing(book.states, start).select(*RECEIVABLE, "open_minor")
    owed = subjects.with_columns(chance=pl.Series(chance)).join(open_then, on=RECEIVABLE, how="left")
    each = owed.group_by("entity_id", "currency").agg((pl.col("chance") * pl.col("open_minor")).sum())
    return {(entity, currency): Decimal(repr(amount)) for entity, currency, amount in each.iter_rows()}


def _chances(
    book: Book, subjects: pl.DataFrame, start: datetime, end: datetime, told: Distribution
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """(n,) chance of each row to be paid between `start` and `end`, even over each day of its entity."""
    chance = np.zeros(len(subjects))
    for entity in subjects["entity_id"].unique():
        mine = (subjects["entity_id"] == entity).to_numpy()
        for day, share in _days(start, end, book.time_zone(entity)):
            days = np.full(len(subjects), day)
            on_day = told.paid_by(days) - told.paid_by(days - np.timedelta64(1, "D"))
            chance += np.where(mine, share * on_day, 0.0)
    return chance


def _days(start: datetime, end: datetime, time_zone: str) -> Iterator[tuple[np.datetime64, float]]:
    """The local days that the outage touches, and which share of each it takes."""
    day = day_of(start, time_zone)
    while (begins := day_start(day, time_zone)) < end:
        ends = day_start(day + timedelta(days=1), time_zone)
        yield np.datetime64(day, "D"), (min(end, ends) - max(start, begins)) / (ends - begins)
        day += timedelta(days=1)


def _mean_receipts(book: Book, entities: Collection[str], start: datetime, minutes: float) -> dict[Purse, Decimal]:
    known = standing(book.facts.spans("payment"), start).filter(pl.col("entity_id").is_in(list(entities)))
    found: dict[Purse, Decimal] = {}
    for (entity,), rows in known.group_by("entity_id"):
        today = day_of(start, book.time_zone(str(entity)))
        recent = pl.col("value_date").is_between(today - timedelta(days=MEAN_DAYS), today, closed="left")
        for currency, total in rows.filter(recent).group_by("currency").agg(pl.col("amount_minor").sum()).iter_rows():
            per_minute = Decimal(max(total, 0)) / (MEAN_DAYS * 24 * 60)
            found[str(entity), currency] = per_minute * Decimal(str(minutes))
    return found
