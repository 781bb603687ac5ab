"""The worklist of a day: whom to contact about what and why, who is held, what is left out by a draw.

    made = worklist(book, as_of, model, effect, WorklistSettings(capacity=40))

Pure: everything it knows comes from `book` before `as_of`, the models and the settings; but for draws of that very day
that were recorded, which stand.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from features.book import Book
from features.errors import BadSetting
from models.worklist.candidates import PaymentDates, candidates
from models.worklist.customers import Customer, customers_of, weigh
from models.worklist.effect import ContactEffect
from models.worklist.holds import Held, holds
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
    _check_horizon(effect, settings)
    found = candidates(book, as_of, model, settings, entity_id=entity_id)
    customers = customers_of(book, found, holds(Scene(book, found, settings, tuple(stale))))
    weigh([c for c in customers if not c.holds], found, effect, settings)
    free = [c for c in customers if not c.holds]
    worthy = [c for c in free if effect is None or c.score > 0]
    rows = rows_of(worthy, book, as_of, found.asks, effect, settings)
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


def _check_horizon(effect: ContactEffect | None, settings: WorklistSettings) -> None:
    if effect is not None and effect.horizon_days != settings.horizon_days:
        raise BadSetting(
            f"horizon_days is {settings.horizon_days}, but the effect was learnt for {effect.horizon_days} days; "
            f"ask for {effect.horizon_days}, or train it again"
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
    customers: Sequence[Customer], effect: ContactEffect | None, not_learnt: str
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
