"""The worklist of a day: whom to contact about what and why, who is held, what is left out by a draw.

    made = worklist(book, as_of, model, effect, WorklistSettings(capacity=40))

Pure: everything it knows comes from `book` before `as_of`, the models and the settings; but for draws of that very day
that were recorded, which stand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from features.book import Book
from features.errors import BadSetting
from models.worklist.candidates import PaymentDates, candidates
from models.worklist.customers import customers_of, weigh
from models.worklist.effect import ContactEffect
from models.worklist.entities import EntityList, OfEntity, counts, days_at
from models.worklist.holds import Held, holds
from models.worklist.not_listed import NotListed, NotListedSum, named, not_worth_contact, out_of_reach, sums
from models.worklist.phrases import between, points
from models.worklist.rows import Row, rows_of
from models.worklist.scene import Scene
from models.worklist.settings import WorklistSettings

NOT_LEARNT = "no effect was learnt yet"


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A customer with something past due that is not to be contacted: every reason, and what releases each."""

    entity_id: str
    customer_id: str
    collector: str | None
    holds: tuple[Held, ...]
    customer_name: str | None = None


@dataclass(frozen=True, slots=True)
class Worklist:
    """availability: "full" (ranked by the value of a contact), "pooled" (by value at risk), "none" (nothing past due).

    availability_reason  why it is not full: no effect was learnt, or none that is told apart from no effect
    as_of, day       the latest of `entities`, each of which has its own: a day begins where the entity is
    ranking          how the list is ranked, in words, with what it rests on
    beyond           how many customers could be contacted, had the collectors time
    not_worth        how many customers whose contact costs more than it is expected to bring
    not_listed       of both: those who come next, and those who owe most (`models.worklist.not_listed.named`)
    not_listed_sums  what all of both would be asked for
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
    not_listed: tuple[NotListed, ...] = ()
    not_listed_sums: tuple[NotListedSum, ...] = ()
    entities: tuple[EntityList, ...] = ()


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
    effect      None, or one not told apart from none: the list ranks by value at risk and says so (`not_learnt`)
    stale       why it is not known who has paid (`services.freshness.stale`): holds everybody
    `BadSetting` where the effect was learnt for another horizon.
    """
    _check_horizon(effect, settings)
    why_not = not_learnt if effect is None else _not_told_apart(effect)
    ranks = effect if why_not is None else None
    found = candidates(book, as_of, model, settings, entity_id=entity_id)
    customers = customers_of(book, found, holds(Scene(book, found, settings, tuple(stale))))
    weigh([c for c in customers if not c.holds], found, ranks, settings)
    free = [c for c in customers if not c.holds]
    worthy = [c for c in free if ranks is None or c.score > 0]
    rows = rows_of(worthy, book, as_of, found.asks, ranks, settings)
    currency = dict(book.zones.select("entity_id", "entity_currency").iter_rows())
    beyond, not_worth = out_of_reach(worthy, rows, settings, currency), not_worth_contact(free, worthy, currency)
    held = [HeldRow(c.entity_id, c.customer_id, c.collector, tuple(c.holds), c.name) for c in customers if c.holds]
    entities = _entities(days_at(book, as_of, entity_id), as_of, why_not, (rows, held, beyond, not_worth))
    availability, why = _availability(len(customers), why_not)
    return Worklist(
        as_of=as_of,
        day=max((e.day for e in entities), default=None),
        availability=availability,
        availability_reason=why,
        ranking=f"value at risk: {why_not}" if ranks is None else f"value of a contact: {_learnt(ranks)}",
        horizon_days=settings.horizon_days,
        rows=tuple(rows),
        held=tuple(held),
        beyond=len(beyond),
        not_worth=len(not_worth),
        not_listed=named([*beyond, *not_worth]),
        not_listed_sums=sums([*beyond, *not_worth]),
        entities=entities,
    )


def _check_horizon(effect: ContactEffect | None, settings: WorklistSettings) -> None:
    if effect is not None and effect.horizon_days != settings.horizon_days:
        raise BadSetting(
            f"horizon_days is {settings.horizon_days}, but the effect was learnt for {effect.horizon_days} days; "
            f"ask for {effect.horizon_days} (`duecast worklist --horizon {effect.horizon_days}`), or learn it for "
            f"{settings.horizon_days} (`duecast train contact-effect --horizon-days {settings.horizon_days}`)"
        )


def _entities(
    days: Iterable[tuple[str, date]], as_of: datetime, why_not: str | None, lists: Sequence[Iterable[OfEntity]]
) -> tuple[EntityList, ...]:
    """`lists`: those contacted, held, beyond and not worth it."""
    numbers = counts(lists)
    return tuple(
        EntityList(name, as_of, day, *_availability(sum(numbers[name]), why_not), *numbers[name]) for name, day in days
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
        not_listed=tuple(row for made in lists for row in made.not_listed),
        not_listed_sums=tuple(told for made in lists for told in made.not_listed_sums),
        entities=tuple(entity for made in lists for entity in made.entities),
    )


def _availability(due: int, why_not: str | None) -> tuple[str, str | None]:
    """`due`: customers with anything past due; `why_not`: why no effect ranks them."""
    if not due:
        return "none", "nobody has anything past due"
    return ("full" if why_not is None else "pooled"), why_not


def _not_told_apart(effect: ContactEffect) -> str | None:
    """Why a learnt effect decides neither who comes first nor who is dropped; None where it does."""
    if effect.told_apart:
        return None
    return f"the effect {_learnt(effect)} is not told apart from no effect: it neither ranks nor drops anybody"


def _learnt(effect: ContactEffect) -> str:
    mean = effect.pooled
    on_average = f"on average {points(mean.effect)} points, {between(mean.low, mean.high)}"
    return f"learnt from {effect.about['rows']} drawn contacts ({on_average})"
