"""The candidates on their way onto the list: what is left to ask each for, what holds it, what a contact is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from features.book import Book
from features.masters import CUSTOMER
from models.worklist.candidates import Candidates, standing_on
from models.worklist.effect import ContactEffect
from models.worklist.holds import Held
from models.worklist.settings import WorklistSettings
from models.worklist.told import Key
from models.worklist.value import Worth, value_at_risk, value_of_contact


@dataclass
class Customer:
    """A candidate: `name` as known, `items` of `models.worklist.asks`, its `worth` once it was weighed."""

    entity_id: str
    customer_id: str
    name: str | None
    collector: str | None
    day: date
    items: list[dict[str, Any]]
    holds: list[Held] = field(default_factory=list)
    worth: Worth | None = None

    @property
    def key(self) -> Key:
        """entity_id, customer_id."""
        return self.entity_id, self.customer_id

    @property
    def weighed(self) -> Worth:
        """Its worth, of one that is not held."""
        assert self.worth is not None, "who was not weighed is held"
        return self.worth

    @property
    def score(self) -> float:
        """What decides its place."""
        return self.weighed.score


def customers_of(book: Book, found: Candidates, held: pl.DataFrame) -> list[Customer]:
    """Every candidate with what is left to ask for, and its holds."""
    known = standing_on(book, "customer", found.as_of).select(*CUSTOMER, "name", "collector")
    masters = {(e, c): (name, collector) for e, c, name, collector in known.iter_rows()}
    items, told = _by_customer(found.items), _by_customer(held)
    who = found.asks.owed.select(*CUSTOMER, "cutoff_day").unique().sort(CUSTOMER)
    customers = []
    for entity, customer, day in who.iter_rows():
        key = (entity, customer)
        holds = [Held(t["hold"], t["reason"], t["released_by"]) for t in told.get(key, [])]
        name, collector = masters.get(key, (None, None))
        customers.append(Customer(entity, customer, name, collector, day, items.get(key, []), holds))
    return customers


def _by_customer(rows: pl.DataFrame) -> dict[Key, list[dict[str, Any]]]:
    told: dict[Key, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        told.setdefault((row["entity_id"], row["customer_id"]), []).append(row)
    return told


def weigh(
    customers: Sequence[Customer], found: Candidates, effect: ContactEffect | None, settings: WorklistSettings
) -> None:
    """Give each its worth, or a hold where its amounts cannot be converted."""
    effects: dict[Key, dict[str, float]] = {}
    if effect is not None and len(found.features):
        each = effect.effects(found.features).iter_rows(named=True)
        effects = dict(zip(found.features.select(CUSTOMER).iter_rows(), each, strict=True))
    for customer in customers:
        missing = sorted({i["currency"] for i in customer.items if i["asked_cents"] is None})
        if missing:
            words = f"no exchange rate for {', '.join(missing)} is known"
            customer.holds.append(Held("no_rate", words, "a rate being brought in"))
        else:
            customer.worth = _worth(customer.items, effects.get(customer.key), settings)


def _worth(items: Sequence[dict[str, Any]], effect: dict[str, float] | None, settings: WorklistSettings) -> Worth:
    amount, anyway = sum(i["asked_cents"] for i in items) / 100, _paid_anyway(items)
    if effect is None:
        return value_at_risk(amount, anyway)
    return value_of_contact(amount, anyway, settings=settings, **effect)


def _paid_anyway(items: Sequence[dict[str, Any]]) -> float | None:
    """Share of the amount expected by the horizon; None where the model could not say."""
    if any(i["paid_anyway"] is None for i in items):
        return None
    total = sum(i["asked_cents"] for i in items)
    return float(sum(i["asked_cents"] * i["paid_anyway"] for i in items) / total) if total else None
