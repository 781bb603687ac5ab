"""A row of the worklist in words: what to do, why, and what would change its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import polars as pl

from features.book import Book
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.money import from_minor
from features.promises import PROMISE, PromisesKnown, promises_known
from models.worklist.asks import Asks
from models.worklist.settings import WorklistSettings
from models.worklist.value import Worth

Key = tuple[str, str]
Items = Sequence[dict[str, Any]]

CALL_FROM_DAYS = 10  # past due; before that an e-mail does, unless one was sent already
NAMED_INVOICES = 4
LEAST = 0.005  # of the currency: less is printed as nothing


@dataclass(frozen=True)
class Told:
    """What was said to customers, what they promised and what cash of theirs is free: as known at `promises.as_of`."""

    contacts: pl.DataFrame
    promises: PromisesKnown
    free: pl.DataFrame
    settings: WorklistSettings

    @staticmethod
    def of(book: Book, as_of: datetime, contacts: pl.DataFrame, asks: Asks, settings: WorklistSettings) -> "Told":
        """`contacts` as of then, and what the book says of promises."""
        return Told(contacts, promises_known(book, as_of), asks.free, settings)

    @cached_property
    def _last(self) -> dict[Key, dict[str, Any]]:
        made = self.contacts.filter("made").sort(*CUSTOMER, "day").unique(CUSTOMER, keep="last", maintain_order=True)
        return {(r["entity_id"], r["customer_id"]): r for r in made.iter_rows(named=True)}

    @cached_property
    def _kept(self) -> dict[Key, dict[str, Any]]:
        return {(r["entity_id"], r["customer_id"]): r for r in self.promises.rates.iter_rows(named=True)}

    @cached_property
    def _partly(self) -> dict[tuple[str, str], list[str]]:
        """(entity, invoice) -> open promises that leave a part of what they are about to be asked for, in words."""
        promises = self.promises
        still = promises.states.filter(pl.col("state") == "open").drop("invoice_id")
        about = promises.about.join(still, on=PROMISE).join(promises.open, on=RECEIVABLE, how="anti")
        told: dict[tuple[str, str], list[str]] = {}
        for r in about.sort("made_on", "promise_id").iter_rows(named=True):
            words = f"{money(r['amount_minor'], r['currency'])} promised for {r['promised_for']} on {r['made_on']}"
            told.setdefault((r["entity_id"], r["invoice_id"]), []).append(words)
        return told

    def partly(self, entity_id: str, items: Items) -> list[str]:
        """Open promises about `items` of less than is open, each once."""
        found = [words for i in items for words in self._partly.get((entity_id, i["invoice_id"]), ())]
        return list(dict.fromkeys(found))

    @cached_property
    def _free(self) -> dict[Key, list[dict[str, Any]]]:
        told: dict[Key, list[dict[str, Any]]] = {}
        for r in self.free.sort(*CUSTOMER, "currency").iter_rows(named=True):
            told.setdefault((r["entity_id"], r["customer_id"]), []).append(r)
        return told

    def free_cash(self, key: Key, items: Items) -> list[str]:
        """What is not put to anything yet, or may not be, and what that does to `items`."""
        asked = {i["currency"] for i in items}
        return [words for r in self._free.get(key, ()) for words in _not_applied(r, asked=r["currency"] in asked)]

    def last(self, key: Key) -> dict[str, Any] | None:
        """The last contact made, None where there was none."""
        return self._last.get(key)

    def kept(self, key: Key) -> dict[str, Any] | None:
        """Its promises: kept, due; None where none was due yet."""
        found = self._kept.get(key)
        return found if found and found["due"] else None


def _not_applied(account: Mapping[str, Any], *, asked: bool) -> list[str]:
    """A row of `models.worklist.free_cash`; `asked`: something in its currency is asked for."""
    currency, said = account["currency"], []
    if account["free_minor"]:
        effect = "taken off what is asked for" if asked else f"nothing in {currency} is asked for"
        said.append(f"{money(account['free_minor'], currency)} of its cash and credits are not applied: {effect}")
    if account["untold_minor"]:
        said.append(
            f"up to {money(account['untold_minor'], currency)} of its cash and credits may not be applied: how much of "
            "them was put to an invoice in another currency is not told; nothing of that is taken off"
        )
    return said


def actions(items: Items, last: Mapping[str, Any] | None, *, made: bool) -> tuple[str, str]:
    """The channel, and the sentence that says what to do."""
    oldest = max(i["past_due_days"] for i in items)
    emailed = last is not None and last["channel"] == "email" and _days_ago(last, items) <= oldest
    channel = "call" if oldest >= CALL_FROM_DAYS or emailed else "email"
    named = "; ".join(_item(i) for i in items[:NAMED_INVOICES])
    more = f" and {len(items) - NAMED_INVOICES} more" if len(items) > NAMED_INVOICES else ""
    if not made:
        return channel, f"do not contact: left out by the draw, to learn what a contact is worth ({named}{more})"
    return channel, f"{channel} about {named}{more}"


def _item(item: Mapping[str, Any]) -> str:
    return f"{item['invoice_id']} ({money(item['asked_minor'], item['currency'])}, {_past_due(item['past_due_days'])})"


def _past_due(days: int) -> str:
    if days == 0:
        return "due today"
    return f"{counted(days, 'day')} past due" if days > 0 else f"due in {counted(-days, 'day')}"


def _days_ago(contact: Mapping[str, Any], items: Items) -> int:
    today: date = items[0]["cutoff_day"]
    return int((today - contact["day"]).days)


def reasons(
    items: Items, worth: Worth, told: Told, key: Key, currency: str, about: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """Why this customer, most important first."""
    horizon = told.settings.horizon_days
    said = [_owes(items, worth, currency)]
    if worth.paid_anyway is None:
        said.append(f"how much of it comes within {counted(horizon, 'day')} anyway is not known")
    else:
        said.append(f"{100 * worth.paid_anyway:.0f} % of it is expected within {counted(horizon, 'day')} anyway")
    if worth.effect is not None and worth.low is not None and worth.high is not None and about is not None:
        span = between(worth.low, worth.high)
        said.append(f"a contact adds {points(worth.effect)} points ({span}), from {about['rows']} drawn contacts")
        said.append(f"worth {worth.value:,.2f} {currency} after {worth.less:,.2f} for the contact")
    else:
        said.append(f"{worth.score:,.2f} {currency} at risk")
    said += [f"{words}: less than is asked for, nothing is taken off for it" for words in told.partly(key[0], items)]
    said += told.free_cash(key, items)
    last = told.last(key)
    said.append(f"last contact: {last['channel'] or 'contact'} on {last['day']}" if last else "never contacted before")
    kept = told.kept(key)
    if kept:
        said.append(f"kept {kept['kept']} of {counted(kept['due'], 'promise')}")
    return tuple(said)


def _owes(items: Items, worth: Worth, currency: str) -> str:
    oldest = max(i["past_due_days"] for i in items)
    about = f"{worth.amount:,.2f} {currency} on {counted(len(items), 'item')}"
    return f"{about}, {_past_due(oldest)}" if len(items) == 1 else f"{about}, the oldest {_past_due(oldest)}"


def changes(worth: Worth, place: int, scores: Sequence[float], currency: str, *, made: bool) -> tuple[str, ...]:
    """What would move this row: the amount that would make it first, or no longer first; and what would hold it.

    The amounts are those of the formula with all else as it is. A learnt effect, and what is expected anyway, may be
    others for another amount: they are not learnt anew, and the words say so.
    """
    said = []
    same = _kept_alike(worth)
    if place > 0:
        needed = worth.amount_for(scores[0])
        if needed is not None:
            said.append(f"would be first if {_more(needed - worth.amount, currency)} were past due{same}")
    elif len(scores) > 1:
        needed = worth.amount_for(scores[1])
        if needed is not None:
            said.append(f"stays first until {_some(worth.amount - needed, currency)} of it is paid{same}")
    held = "a promise or a dispute of all of it is recorded"
    said.append(f"is held once {held}, or {'it is contacted' if made else 'this draw is recorded'}")
    return tuple(said)


def _kept_alike(worth: Worth) -> str:
    if worth.effect is not None:
        return ", at the same effect"
    return "" if worth.paid_anyway is None else ", at the same share expected anyway"


def _more(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency} more" if amount >= LEAST else "any more"


def _some(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency}" if amount >= LEAST else "some"


def points(share: float) -> str:
    """A change of a share in signed percentage points; what rounds to nothing has no sign of its own.

    >>> points(-0.0004), points(0.123)
    ('+0.0', '+12.3')
    """
    return f"{100 * share:+z.1f}"


def between(low: float, high: float) -> str:
    """A 95 % interval of such changes.

    >>> between(-0.0004, 0.12)
    '95 % between +0.0 and +12.0'
    """
    return f"95 % between {points(low)} and {points(high)}"


def counted(number: int, what: str) -> str:
    """`1 day`, `2 days`.

    >>> counted(1, "day"), counted(0, "promise")
    ('1 day', '0 promises')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def money(minor: int, currency: str) -> str:
    """`1,200.00 EUR`."""
    return f"{from_minor(minor, currency):,} {currency}"
