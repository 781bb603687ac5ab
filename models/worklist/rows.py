"""The rows of a list: the best contacts of each group under its capacity, as drawn, with their words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

import polars as pl

from features.book import Book
from models.worklist.asks import Asks
from models.worklist.candidates import standing_on
from models.worklist.conversions import Rates, converted, rates_told
from models.worklist.customers import Customer
from models.worklist.draws import draw, recorded
from models.worklist.effect import ContactEffect
from models.worklist.left_out import left_out
from models.worklist.ranking import listed
from models.worklist.settings import WorklistSettings
from models.worklist.told import Key, Told
from models.worklist.words import actions, changes, reasons

NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Row:
    """One contact of the list, as known at `as_of`.

    rank            from 1 within its group: the collector, or the entity
    made            False where the draw leaves it out: do not contact
    chance          of being made, as drawn; null where nothing was drawn
    action          "call" or "email"
    amount          asked for: past due, not held, not covered by free cash; in the entity's currency, major units
    paid_anyway     share of it expected by the horizon without a contact, null where unknown
    effect, effect_low, effect_high   by how much a contact raises that (95 %), null where no effect ranks
    value, value_of_time              see `models.worklist.value`, null where no effect ranks
    customer_name   as the source spelt it on the day, null where unknown
    left_out        what is past due and disputed or promised, hence not asked for, in words
    converted       at which day's rate, in words, where some of it is in another currency
    """

    rank: int
    entity_id: str
    customer_id: str
    day: date
    as_of: datetime
    collector: str | None
    made: bool
    chance: float | None
    action: str
    invoices: tuple[str, ...]
    currency: str
    amount: Decimal
    paid_anyway: float | None
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    value: float | None
    value_of_time: float | None
    do: str
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    customer_name: str | None = None
    left_out: tuple[str, ...] = ()
    converted: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """Those who are listed together, best first: of a collector, or of an entity."""

    as_of: datetime
    currency: str
    told: Told
    left_out: Mapping[Key, tuple[str, ...]]
    rates: Rates
    effect: ContactEffect | None
    chosen: Sequence[Customer]
    drawn: Sequence[tuple[bool, float | None]]

    def rows(self) -> list[Row]:
        return [self._row(k) for k in range(len(self.chosen))]

    def _row(self, place: int) -> Row:
        customer, (made, chance) = self.chosen[place], self.drawn[place]
        worth, key, items = customer.worth, customer.key, customer.items
        assert worth is not None
        action, do = actions(items, self.told.last(key), made=made)
        about = self.effect.about if self.effect else None
        return Row(
            rank=place + 1,
            entity_id=customer.entity_id,
            customer_id=customer.customer_id,
            day=customer.day,
            as_of=self.as_of,
            collector=customer.collector,
            made=made,
            chance=chance,
            action=action,
            invoices=tuple(dict.fromkeys(i["invoice_id"] for i in items)),
            currency=self.currency,
            amount=Decimal(sum(i["asked_cents"] for i in items)).scaleb(-2),
            paid_anyway=worth.paid_anyway,
            effect=worth.effect,
            effect_low=worth.low,
            effect_high=worth.high,
            value=worth.value,
            value_of_time=worth.value_of_time,
            do=do,
            reasons=reasons(items, worth, self.told, key, self.currency, about),
            would_change=changes(worth, place, [c.score for c in self.chosen], self.currency, made=made),
            customer_name=customer.name,
            left_out=self.left_out.get(key, ()),
            converted=converted(customer.entity_id, items, self.rates),
        )


def rows_of(
    worthy: Sequence[Customer],
    book: Book,
    as_of: datetime,
    asks: Asks,
    effect: ContactEffect | None,
    settings: WorklistSettings,
) -> list[Row]:
    """The groups' lists one after another: entity by entity, collector by collector."""

    def group(customer: Customer) -> tuple[str, str]:
        return customer.entity_id, (customer.collector or NOBODY) if settings.per_collector else ""

    stands = recorded(book, as_of)
    drawn = {c.key: draw(stands, settings, *c.key, c.day) for c in worthy}
    contacts = standing_on(book, "contact", as_of)
    told, done = Told.of(book, as_of, contacts, asks, settings), _done_today(contacts, settings)
    out, rates = left_out(asks), rates_told(book, as_of)
    currency = dict(book.zones.select("entity_id", "entity_currency").iter_rows())
    rows: list[Row] = []
    for of, members in groupby(sorted(worthy, key=lambda c: (group(c), c.customer_id)), key=group):
        room = max(settings.capacity - done[of], 0)
        chosen = listed(list(members), room, score=lambda c: c.score, out=lambda c: not drawn[c.key][0])
        rows += _Group(as_of, currency[of[0]], told, out, rates, effect, chosen, [drawn[c.key] for c in chosen]).rows()
    return rows


def _done_today(contacts: pl.DataFrame, settings: WorklistSettings) -> Counter[tuple[str, str]]:
    """Contacts of each group that were made today already: they took their part of the day's capacity."""
    of = pl.coalesce("collector", pl.lit(NOBODY)) if settings.per_collector else pl.lit("")
    today = contacts.filter(pl.col("made") & (pl.col("day") == pl.col("cutoff_day")))
    return Counter(today.select("entity_id", of.alias("group")).iter_rows())
