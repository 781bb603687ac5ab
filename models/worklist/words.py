"""A row of the worklist in words: what to do, why, and what would change its place."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from models.worklist.phrases import between, counted, money, points
from models.worklist.told import Items, Key, Told
from models.worklist.value import Worth

CALL_FROM_DAYS = 10  # past due; before that an e-mail does, unless one was sent already
NAMED_INVOICES = 4
LEAST = 0.005  # of the currency: less is printed as nothing


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
