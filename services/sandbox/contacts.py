"""Collectors at work: whom they contact about what is overdue, whom they leave out, and what it changes.

Once a week, on its own weekday, each customer with something overdue may be contacted. Who responds pays all that the
contact was about on its first pay day after some days, where that is sooner than it would have. What would happen with
and without is drawn for every contact, made or held out, so that its effect is known exactly.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.sandbox.behaviour import Aims
from services.sandbox.calendars import NEVER, Calendar, Flags, Floats, Ints, PayDays
from services.sandbox.contact_options import ContactOptions
from services.sandbox.customers import Customers
from services.sandbox.habits import Habits
from services.sandbox.invoicing import Receivables
from services.sandbox.payers import TYPES
from services.sandbox.window import Window

AFTER_DUE_DAYS, GIVEN_UP_DAYS = 3, 120  # days past due between which collectors contact
SHOWN_OPEN_DAYS = 1  # the books show as open what was paid so few days ago
WAIT_DAYS = (2, 9)  # from contact to payment, before pay days are considered
LISTED_SHARE = 0.6  # of those who could be contacted in a week, where all are as likely
SAME_SHARE = 0.35
RESPONSE_SHARES = {
    "punctual": 0.0,
    "payment_run": 0.10,
    "month_end": 0.05,
    "stretcher": 0.75,
    "seasonal": 0.55,
    "declining": 0.04,
    "disputing": 0.05,
}
KEPT_RATES = (0.9, 0.6, 0.2)
PROMISE_DAYS, LONGEST_PROMISE_DAYS, BROKEN_BY_DAYS = (5, 30), 14, 3
CONTACTED = "contacted"


@dataclass(frozen=True)
class Promises:
    """One row per promise: on which contact, for which receivable, the day, and how often its customer keeps any."""

    contact: Ints
    receivable: Ints
    promised_for: Ints
    kept_rate: Floats


@dataclass(frozen=True)
class Contacts:
    """One row per contact, made or held out, by week and customer; `chance` is NaN where no draw decided.

    touched, receivable, day_without, day_with   one row per receivable that a contact is about: position of the contact
        and the receivable, the day it is paid without this contact (or any later one) and with it; NEVER where the
        customer stops paying first
    """

    customer: Ints
    day: Ints
    made: Flags
    chance: Floats
    by_phone: Flags
    touched: Ints
    receivable: Ints
    day_without: Ints
    day_with: Ints
    promises: Promises

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class _Seller:
    """What every week needs to know."""

    options: ContactOptions
    receivables: Receivables
    customers: Customers
    habits: Habits
    pays: PayDays
    calendar: Calendar
    office: Ints
    listed_share: Floats
    response_share: Floats
    kept_rate: Floats
    rng: np.random.Generator

    def check_day(self, week_start: int) -> Ints:
        """(customers,) the working day of the week on which each customer is looked at."""
        entity = self.customers.entity
        weekday = np.arange(len(self.customers)) % 5
        return self.calendar.after(self.office[entity], week_start + weekday)

    def draw(self) -> Floats:
        """(customers,) a number from 0 to 1 each."""
        return self.rng.random(len(self.customers))


def collect(
    options: ContactOptions,
    receivables: Receivables,
    aims: Aims,
    habits: Habits,
    *,
    customers: Customers,
    pays: PayDays,
    calendar: Calendar,
    office: Ints,
    window: Window,
    rng: np.random.Generator,
) -> tuple[Aims, Contacts]:
    """The aims as contacts change them, and the contacts. `office` is each entity's row in `calendar`."""
    seller = _Seller(
        options,
        receivables,
        customers,
        habits,
        pays,
        calendar,
        office,
        _listed_share(options, habits),
        _response_share(options, habits),
        rng.choice(KEPT_RATES, size=len(customers)),
        rng,
    )
    stops = habits.default_on[receivables.customer]
    day = np.where(aims.day > stops, NEVER, aims.day)
    free_from = np.full(len(customers), window.start)
    weeks = []
    for week_start in range(window.start - (window.start + 3) % 7, window.end, 7):
        week = _week(seller, week_start, day, free_from)
        weeks.append(week)
    contacts = _joined(weeks)
    changed = day != np.where(aims.day > stops, NEVER, aims.day)
    why = [CONTACTED if moved else word for moved, word in zip(changed, aims.why, strict=True)]
    return replace(aims, day=np.where(changed, day, aims.day), why=why), contacts


def _week(seller: _Seller, week_start: int, day: Ints, free_from: Ints) -> Contacts:
    """The contacts of a week; changes `day` of the receivables and `free_from` of the customers."""
    of, options = seller.receivables, seller.options
    check = seller.check_day(week_start)
    listed, drawn, held, answer = seller.draw(), seller.draw(), seller.draw(), seller.draw()
    by_phone, promise, kept, slack = seller.draw() < 0.6, seller.draw(), seller.draw(), seller.draw()
    wait = seller.rng.integers(*WAIT_DAYS, size=len(check))
    on = check[of.customer]
    overdue = (on - of.due >= AFTER_DUE_DAYS) & (on - of.due <= GIVEN_UP_DAYS) & (day > on - SHOWN_OPEN_DAYS)
    overdue &= ((listed < seller.listed_share) & (check >= free_from))[of.customer]
    rows = np.flatnonzero(overdue)
    who, touched = np.unique(of.customer[rows], return_inverse=True)
    by_draw = drawn[who] < options.randomised_share
    made = ~(by_draw & (held[who] < options.holdout_share))
    responds = (answer < seller.response_share) & (check < seller.habits.default_on)
    sooner = np.maximum(seller.pays.on_or_after(of.customer[rows], on[rows] + wait[of.customer[rows]]), on[rows] + 1)
    sooner = np.where(sooner > seller.habits.default_on[of.customer[rows]], NEVER, sooner)
    without = day[rows]
    with_contact = np.where(responds[of.customer[rows]] & (without > on[rows]), np.minimum(without, sooner), without)
    day[rows] = np.where(made[touched], with_contact, without)
    promises = _promises(seller, check[who], rows, touched, day, made & (promise[who] < options.promise_share))
    promises = _dated(seller, promises, check[who], day, kept[who], slack[who])
    free_from[who] = check[who] + options.gap_days
    told = who[promises.contact]
    free_from[told] = np.maximum(free_from[told], promises.promised_for + BROKEN_BY_DAYS)
    return Contacts(
        customer=who,
        day=check[who],
        made=made,
        chance=np.where(by_draw, 1.0 - options.holdout_share, np.nan),
        by_phone=by_phone[who],
        touched=touched.astype(np.int64),
        receivable=rows,
        day_without=without,
        day_with=with_contact,
        promises=promises,
    )


def _promises(seller: _Seller, check: Ints, rows: Ints, touched: Ints, day: Ints, given: Flags) -> Promises:
    """For each contact that gives one: the largest receivable for which a day could be promised, kept or broken."""
    ahead = day[rows] - check[touched]
    possible = given[touched] & (((ahead >= PROMISE_DAYS[0]) & (ahead <= PROMISE_DAYS[1])) | (day[rows] == NEVER))
    at = np.flatnonzero(possible)
    order = at[np.lexsort((rows[at], -seller.receivables.amount[rows[at]], touched[at]))]
    contact, first = np.unique(touched[order], return_index=True)
    receivable = rows[order[first]]
    rate = seller.kept_rate[seller.receivables.customer[receivable]]
    return Promises(contact.astype(np.int64), receivable, np.zeros(len(contact), dtype=np.int64), rate)


def _dated(seller: _Seller, promises: Promises, check: Ints, day: Ints, kept: Floats, slack: Floats) -> Promises:
    """The day promised: that of the payment or just after where it is kept, days before it where it is not."""
    made_on, paid = check[promises.contact], day[promises.receivable]
    keeps = (kept[promises.contact] < promises.kept_rate) & (paid != NEVER)
    longest = np.minimum(paid - made_on - BROKEN_BY_DAYS, LONGEST_PROMISE_DAYS)
    early = made_on + 2 + (slack[promises.contact] * (longest - 1)).astype(np.int64)
    late = paid + (slack[promises.contact] * 3).astype(np.int64)
    return replace(promises, promised_for=np.where(keeps, late, early))


def _listed_share(options: ContactOptions, habits: Habits) -> Floats:
    """How likely each customer is on the list in a week in which something of it is overdue."""
    if options.policy == "randomised":
        return np.full(len(habits.type), LISTED_SHARE)
    declines = np.where(habits.decline_from != NEVER, 15.0, 0.0)
    lateness = habits.lag_days + habits.slow_season_days / 4 + declines + 10 * habits.dispute_share
    place: Floats = np.argsort(np.argsort(lateness, kind="stable"), kind="stable") / max(len(lateness) - 1, 1)
    return 0.02 + 0.9 * place**2


def _response_share(options: ContactOptions, habits: Habits) -> Floats:
    shares = {
        "none": [0.0] * len(TYPES),
        "same": [SAME_SHARE] * len(TYPES),
        "by_type": [RESPONSE_SHARES[t.name] for t in TYPES],
    }[options.effect]
    return np.array(shares)[habits.type]


def _joined(weeks: list[Contacts]) -> Contacts:
    """All weeks one after another, positions counted through."""
    first = np.concatenate([[0], np.cumsum([len(w) for w in weeks])]).astype(np.int64)

    def of(name: str) -> Ints:
        found: Ints = np.concatenate([getattr(w, name) for w in weeks])
        return found

    return Contacts(
        customer=of("customer"),
        day=of("day"),
        made=np.concatenate([w.made for w in weeks]),
        chance=np.concatenate([w.chance for w in weeks]),
        by_phone=np.concatenate([w.by_phone for w in weeks]),
        touched=np.concatenate([w.touched + start for w, start in zip(weeks, first, strict=False)]),
        receivable=of("receivable"),
        day_without=of("day_without"),
        day_with=of("day_with"),
        promises=Promises(
            np.concatenate([w.promises.contact + start for w, start in zip(weeks, first, strict=False)]),
            np.concatenate([w.promises.receivable for w in weeks]),
            np.concatenate([w.promises.promised_for for w in weeks]),
            np.concatenate([w.promises.kept_rate for w in weeks]),
        ),
    )
