"""The worklist of a day: whom to contact about what and why, who is held, what is left out by a draw.

    made = worklist(book, as_of, model, effect, WorklistSettings(capacity=40))

Pure: everything it knows comes from `book` before `as_of`, the models and the settings.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import polars as pl

from features.book import Book
from features.errors import BadSetting
from features.masters import CUSTOMER
from features.promises import PromisesKnown, promises_known
from models.worklist.candidates import Candidates, PaymentDates, candidates, standing_on
from models.worklist.effect import ContactEffect
from models.worklist.holds import Held, Scene, holds, past_contacts
from models.worklist.ranking import left_out, listed
from models.worklist.settings import WorklistSettings
from models.worklist.value import Worth, value_at_risk, value_of_contact
from models.worklist.words import Told, actions, changes, reasons

NOBODY = "nobody"
NOT_LEARNT = "no effect was learnt yet"


@dataclass(frozen=True, slots=True)
class Row:
    """One contact of the list, as known at `as_of`.

    rank            from 1 within its group: the collector, or the entity
    made            False where the draw leaves it out: do not contact
    chance          of being made, as drawn; null where nothing was drawn
    action          "call" or "email"
    amount          past due and not held, in the entity's currency, major units
    paid_anyway     share of it expected by the horizon without a contact, null where unknown
    effect, effect_low, effect_high   by how much a contact raises that (95 %), null without a learnt effect
    value, value_of_time              see `models.worklist.value`, null without a learnt effect
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


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A customer with something past due that is not to be contacted: every reason, and what releases each."""

    entity_id: str
    customer_id: str
    collector: str | None
    holds: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Worklist:
    """availability: "full" (ranked by the value of a contact), "pooled" (by value at risk), "none" (nothing past due).

    ranking     how the list is ranked, in words, with what it rests on
    beyond      customers that could be contacted, had the collectors time
    not_worth   customers whose contact costs more than it is expected to bring
    """

    as_of: datetime
    day: date | None
    availability: str
    availability_reason: str | None
    ranking: str
    horizon_days: int
    rows: tuple[Row, ...]
    held: tuple[HeldRow, ...]
    beyond: int = 0
    not_worth: int = 0


@dataclass
class _Customer:
    """A candidate on its way onto the list."""

    entity_id: str
    customer_id: str
    collector: str | None
    day: date
    items: list[dict[str, Any]]
    worth: Worth | None = None
    holds: list[Held] = field(default_factory=list)


def worklist(
    book: Book,
    as_of: datetime,
    model: PaymentDates | None,
    effect: ContactEffect | None,
    settings: WorklistSettings,
    *,
    entity_id: str | None = None,
    stale: Sequence[str] = (),
    not_learnt: str = NOT_LEARNT,
) -> Worklist:
    """The list as known at `as_of`.

    model       a payment-date model; None: how much is paid anyway is taken to be unknown
    effect      None: the list ranks by value at risk and says `not_learnt`
    stale       why it is not known who has paid (`services.freshness.stale`): holds everybody

    `BadSetting` where the effect was learnt for another horizon.
    """
    if effect is not None and effect.horizon_days != settings.horizon_days:
        raise BadSetting(
            f"horizon_days is {settings.horizon_days}, but the effect was learnt for {effect.horizon_days} days; "
            f"ask for {effect.horizon_days}, or train it again"
        )
    found = candidates(book, as_of, model, settings, entity_id=entity_id)
    promises = promises_known(book, as_of)
    held = holds(Scene(book, as_of, found.items, promises, settings, tuple(stale)))
    customers = _customers(book, found, held)
    free = [c for c in customers if not c.holds]
    _weigh(free, found, effect, settings)
    free = [c for c in free if not c.holds]
    worthy = [c for c in free if effect is None or (c.worth is not None and c.worth.score > 0)]
    rows = _rows(worthy, book, as_of, promises, effect, settings)
    availability, why = _availability(customers, effect, not_learnt)
    return Worklist(
        as_of=as_of,
        day=max((c.day for c in customers), default=None),
        availability=availability,
        availability_reason=why,
        ranking=_ranking(effect, not_learnt),
        horizon_days=settings.horizon_days,
        rows=tuple(rows),
        held=tuple(HeldRow(c.entity_id, c.customer_id, c.collector, tuple(c.holds)) for c in customers if c.holds),
        beyond=len(worthy) - len(rows),
        not_worth=len(free) - len(worthy),
    )


def merged(lists: Sequence[Worklist]) -> Worklist:
    """The lists of several entities as one, in their order; at least one."""
    some = [made for made in lists if made.availability != "none"] or list(lists)
    first = some[0]
    return replace(
        first,
        as_of=max(made.as_of for made in lists),
        day=max((made.day for made in lists if made.day), default=None),
        rows=tuple(row for made in lists for row in made.rows),
        held=tuple(row for made in lists for row in made.held),
        beyond=sum(made.beyond for made in lists),
        not_worth=sum(made.not_worth for made in lists),
    )


def _availability(
    customers: Sequence[_Customer], effect: ContactEffect | None, not_learnt: str
) -> tuple[str, str | None]:
    if not customers:
        return "none", "nobody has anything past due"
    return ("pooled", not_learnt) if effect is None else ("full", None)


def _ranking(effect: ContactEffect | None, not_learnt: str) -> str:
    if effect is None:
        return f"value at risk: {not_learnt}"
    mean = effect.pooled
    points = f"{100 * mean.effect:+.1f} points, 95 %: {100 * mean.low:+.1f} to {100 * mean.high:+.1f}"
    told = f"value of a contact: learnt from {effect.about['rows']} drawn contacts (on average {points})"
    return f"{told}; that is not told apart from no effect" if mean.low <= 0 <= mean.high else told


def _customers(book: Book, found: Candidates, held: pl.DataFrame) -> list[_Customer]:
    """Every candidate with what is left to ask for, and its holds where nothing is or all of it is held."""
    collectors = {
        (e, c): name
        for e, c, name in standing_on(book, "customer", found.as_of).select(*CUSTOMER, "collector").iter_rows()
    }
    by_customer: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in held.iter_rows(named=True):
        by_customer.setdefault((row["entity_id"], row["customer_id"]), []).append(row)
    customers = []
    ordered = found.items.sort(*CUSTOMER, "due_date", "invoice_id", "instalment").iter_rows(named=True)
    for (entity, name), items in groupby(ordered, key=lambda i: (i["entity_id"], i["customer_id"])):
        owed = list(items)
        told = by_customer.get((entity, name), [])
        taken = {t["invoice_id"] for t in told if t["invoice_id"] is not None}
        left = [i for i in owed if i["invoice_id"] not in taken]
        whole = [t for t in told if t["invoice_id"] is None or not left]
        customer = _Customer(entity, name, collectors.get((entity, name)), owed[0]["cutoff_day"], left)
        past_due = {i["invoice_id"] for i in owed}
        customer.holds = [
            Held(t["hold"], t["reason"], t["released_by"])
            for t in whole
            if t["invoice_id"] is None or t["invoice_id"] in past_due
        ]
        customers.append(customer)
    return customers


def _weigh(
    customers: Sequence[_Customer], found: Candidates, effect: ContactEffect | None, settings: WorklistSettings
) -> None:
    """Give each its worth, or a hold where its amounts cannot be converted."""
    effects = {}
    if effect is not None and len(found.features):
        told = pl.concat([found.features.select(CUSTOMER), effect.effects(found.features)], how="horizontal")
        effects = {(r["entity_id"], r["customer_id"]): r for r in told.iter_rows(named=True)}
    for customer in customers:
        missing = sorted({i["currency"] for i in customer.items if i["open_cents"] is None})
        if missing:
            customer.holds.append(
                Held("no_rate", f"no exchange rate for {', '.join(missing)} is known", "a rate being brought in")
            )
            continue
        amount = sum(i["open_cents"] for i in customer.items) / 100
        anyway = _paid_anyway(customer.items)
        said = effects.get((customer.entity_id, customer.customer_id))
        if said is None:
            customer.worth = value_at_risk(amount, anyway)
            continue
        customer.worth = value_of_contact(
            amount,
            anyway,
            effect=said["effect"],
            low=said["low"],
            high=said["high"],
            days_sooner=said["days_sooner"],
            settings=settings,
        )


def _paid_anyway(items: Sequence[dict[str, Any]]) -> float | None:
    """Share of the amount expected by the horizon; None where the model could not say."""
    if any(i["paid_anyway"] is None for i in items):
        return None
    total = sum(i["open_cents"] for i in items)
    return float(sum(i["open_cents"] * i["paid_anyway"] for i in items) / total) if total else None


def _rows(
    worthy: Sequence[_Customer],
    book: Book,
    as_of: datetime,
    promises: PromisesKnown,
    effect: ContactEffect | None,
    settings: WorklistSettings,
) -> list[Row]:
    """The groups' lists one after another: entity by entity, collector by collector."""

    def group(customer: _Customer) -> tuple[str, str]:
        return customer.entity_id, (customer.collector or NOBODY) if settings.per_collector else ""

    def out(c: _Customer) -> bool:
        return left_out(settings.seed, c.entity_id, c.customer_id, c.day, settings.holdout_share)

    contacts = past_contacts(book, as_of)
    told, done = Told(contacts, promises.rates, settings), _done_today(contacts, settings)
    currency = dict(book.zones.select("entity_id", "entity_currency").iter_rows())
    rows: list[Row] = []
    for of, members in groupby(sorted(worthy, key=lambda c: (group(c), c.customer_id)), key=group):
        chosen = listed(list(members), max(settings.capacity - done[of], 0), score=_score, out=out)
        rows += [
            _row(c, k, chosen, told, effect, settings, as_of, currency[c.entity_id], made=not out(c))
            for k, c in enumerate(chosen)
        ]
    return rows


def _done_today(contacts: pl.DataFrame, settings: WorklistSettings) -> Counter[tuple[str, str]]:
    """Contacts of each group that were made today already: they took their part of the day's capacity."""
    of = pl.coalesce("collector", pl.lit(NOBODY)) if settings.per_collector else pl.lit("")
    today = contacts.filter(pl.col("made") & (pl.col("day") == pl.col("cutoff_day")))
    return Counter(today.select("entity_id", of.alias("group")).iter_rows())


def _score(customer: _Customer) -> float:
    assert customer.worth is not None, "who was not weighed is held"
    return customer.worth.score


def _row(
    customer: _Customer,
    place: int,
    chosen: Sequence[_Customer],
    told: Told,
    effect: ContactEffect | None,
    settings: WorklistSettings,
    as_of: datetime,
    currency: str,
    *,
    made: bool,
) -> Row:
    worth = customer.worth
    assert worth is not None
    key = (customer.entity_id, customer.customer_id)
    action, do = actions(customer.items, told.last(key), made=made)
    scores = [_score(c) for c in chosen]
    return Row(
        rank=place + 1,
        entity_id=customer.entity_id,
        customer_id=customer.customer_id,
        day=customer.day,
        as_of=as_of,
        collector=customer.collector,
        made=made,
        chance=1.0 - settings.holdout_share if settings.holdout_share else None,
        action=action,
        invoices=tuple(dict.fromkeys(i["invoice_id"] for i in customer.items)),
        currency=currency,
        amount=Decimal(sum(i["open_cents"] for i in customer.items)).scaleb(-2),
        paid_anyway=worth.paid_anyway,
        effect=worth.effect,
        effect_low=worth.low,
        effect_high=worth.high,
        value=worth.value,
        value_of_time=worth.value_of_time,
        do=do,
        reasons=reasons(customer.items, worth, told, key, currency, effect.about if effect else None),
        would_change=changes(worth, place, scores, currency),
    )
