"""When the seller's books learn of what happened: business hours, bank files, faults of the feed, late corrections.

Moments are microseconds of local time where the entity is, counted from 1970; `facts` turns them into instants.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.sandbox.calendars import Calendar, Flags, Ints
from services.sandbox.cash import Cash, Payments
from services.sandbox.customers import Customers
from services.sandbox.invoicing import Invoices, Receivables
from services.sandbox.options import WorldOptions
from services.sandbox.settlement import Kind, Settlements
from services.sandbox.window import Window

MICROSECONDS_A_DAY, MICROSECONDS_AN_HOUR, MICROSECONDS_A_MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000
OFFICE, BANK_FILE, INTRADAY = (8.0, 18.0), (5.5, 7.5), (15.0, 18.5)
BANK_LAGS = (0.12, 0.78, 0.10)  # business days from value date to bank file
LATER_MATCH_SHARE, UNIDENTIFIED_SHARE = 0.22, 0.01
WRONG_INVOICE_SHARE, WRONG_ALLOCATION_SHARE, BOOKED_TWICE_SHARE = 0.02, 0.012, 0.002
FAULT_DAYS = (6, 10)
MISTAKE_DAYS = 20  # a mistaken allocation stands for fewer days than this


@dataclass(frozen=True, slots=True)
class FeedFault:
    """The bank feed of an entity stood still from `first` until before `last`, when all of it arrived at once."""

    entity: int
    first: int
    last: int


@dataclass(frozen=True)
class Clerks:
    """What deciding on moments needs: the office calendar of each entity, and chance."""

    calendar: Calendar
    office: Ints  # calendar row of each entity
    rng: np.random.Generator

    def moment(self, day: Ints, hours: tuple[float, float]) -> Ints:
        """Some moment within these hours of each day."""
        within = self.rng.uniform(*hours, size=len(day)) * MICROSECONDS_AN_HOUR
        return day * MICROSECONDS_A_DAY + within.astype(np.int64)

    def soon_after(self, moment: Ints, minutes: float = 20.0) -> Ints:
        """A little later on the same day."""
        return moment + 1000 + (self.rng.random(len(moment)) * minutes * MICROSECONDS_A_MINUTE).astype(np.int64)

    def business_days_later(self, entity: Ints, moment: Ints, low: int, high: int) -> Ints:
        """In office hours `low` to `high` business days of the entity after each moment, never on the same day."""
        day = self.calendar.after(self.office[entity], moment // MICROSECONDS_A_DAY + 1)
        wait = self.rng.integers(low - 1, high, size=len(moment))
        return self.moment(self.calendar.after(self.office[entity], day, wait), OFFICE)


@dataclass(frozen=True)
class InvoiceNews:
    """booked: per invoice; wrong: which were first booked wrong, corrected when; twice: booked twice, taken back when.

    first_amount, first_due: per receivable, as first booked
    """

    booked: Ints
    wrong: Flags
    corrected: Ints
    first_amount: Ints
    first_due: Ints
    twice: Ints
    twice_booked: Ints
    twice_deleted: Ints


@dataclass(frozen=True)
class PaymentNews:
    """Per payment: when the bank told of it, and when the payer was identified (the same moment, mostly)."""

    booked: Ints
    unidentified: Flags
    identified: Ints


@dataclass(frozen=True)
class AllocationNews:
    """Per settlement: when it was allocated. `misposted` ones went to receivable `mistaken` at `mistaken_at` before."""

    booked: Ints
    misposted: Ints
    mistaken: Ints
    mistaken_at: Ints


def draw_feed_faults(options: WorldOptions, window: Window, clerks: Clerks) -> list[FeedFault]:
    """Faults of the bank feed: the last one in the months before today, the others anywhere in the history."""
    faults = []
    for number in range(options.feed_faults):
        entity = int(clerks.rng.integers(len(options.entities)))
        recent = number == options.feed_faults - 1
        low = window.today - 90 if recent else window.start + 30
        high = window.today - 30 if recent else max(window.today - 120, window.start + 31)
        first = np.array([clerks.rng.integers(low, high)])
        length = int(clerks.rng.integers(*FAULT_DAYS))
        row = clerks.office[[entity]]
        start, end = (int(clerks.calendar.after(row, first, n)[0]) for n in (0, length))
        faults.append(FeedFault(entity, start, end))
    return faults


def invoice_news(invoices: Invoices, receivables: Receivables, entity: Ints, first_step: Ints, clerks: Clerks) -> InvoiceNews:
    """Booked on the day of issue; a few are wrong at first and corrected before anything settles them.

    entity      of each invoice
    first_step  per invoice the day of its first settlement
    """
    rng = clerks.rng
    booked = clerks.moment(invoices.issued, OFFICE)
    wait = np.minimum(first_step - invoices.issued - 1, 25)
    later = (rng.random(len(invoices)) * np.maximum(wait, 1)).astype(np.int64)
    corrected_on = clerks.calendar.after(clerks.office[entity], invoices.issued + 1 + later)
    wrong = (rng.random(len(invoices)) < WRONG_INVOICE_SHARE) & (corrected_on < first_step)
    amount, due = _first_booked(invoices, receivables, wrong, rng)
    twice = np.flatnonzero(rng.random(len(invoices)) < BOOKED_TWICE_SHARE)
    twice_booked = clerks.soon_after(booked[twice])
    return InvoiceNews(
        booked=booked,
        wrong=wrong,
        corrected=clerks.moment(corrected_on, OFFICE),
        first_amount=amount,
        first_due=due,
        twice=twice,
        twice_booked=twice_booked,
        twice_deleted=clerks.business_days_later(entity[twice], twice_booked, 1, 6),
    )


def _first_booked(
    invoices: Invoices, receivables: Receivables, wrong: Flags, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Amounts and due dates as first booked: a wrong invoice has one of the two wrong."""
    parts = np.bincount(receivables.invoice, minlength=len(invoices))
    about_amount = wrong & (parts == 1) & (rng.random(len(invoices)) < 0.5)
    factor = rng.choice((0.5, 0.9, 1.1, 1.19, 2.0), size=len(invoices))
    shift = rng.choice((-15, 10, 15, 30), size=len(invoices))
    of = receivables.invoice
    amount = np.rint(receivables.amount * factor[of]).astype(np.int64)
    # a due date before issue would be refused, so that mistake turns into one of 15 days more
    possible = np.where(receivables.due - 15 >= receivables.issued, shift[of], np.abs(shift[of]))
    due = receivables.due + possible
    return (
        np.where(about_amount[of], amount, receivables.amount),
        np.where((wrong & ~about_amount)[of], due, receivables.due),
    )


def payment_news(payments: Payments, faults: list[FeedFault], clerks: Clerks) -> PaymentNews:
    """From the bank file of the next business day, mostly; while the feed stands still, only after it came back."""
    rng, office = clerks.rng, clerks.office[payments.entity]
    lag = rng.choice(len(BANK_LAGS), size=len(payments), p=BANK_LAGS)
    # money that arrives on a day off at home is in the first file after it
    lag = np.where(clerks.calendar.is_business[office, clerks.calendar.at(payments.day)], lag, 1)
    day = clerks.calendar.after(office, payments.day, np.where(lag == 0, 0, lag))
    day = _after_faults(payments.entity, day, faults)
    booked = np.where(day > payments.day, clerks.moment(day, BANK_FILE), clerks.moment(day, INTRADAY))
    unidentified = rng.random(len(payments)) < UNIDENTIFIED_SHARE
    identified = np.where(unidentified, clerks.business_days_later(payments.entity, booked, 1, 4), booked)
    return PaymentNews(booked, unidentified, identified)


def _after_faults(entity: Ints, day: Ints, faults: list[FeedFault]) -> Ints:
    for fault in faults:
        hit = (entity == fault.entity) & (day >= fault.first) & (day < fault.last)
        day = np.where(hit, fault.last, day)
    return day


def allocation_news(
    receivables: Receivables,
    settlements: Settlements,
    cash: Cash,
    payments: PaymentNews,
    customers: Customers,
    clerks: Clerks,
    *,
    unsafe: Flags,
) -> AllocationNews:
    """Money is matched with its bank file, or by a person a day later; credits and write-offs on their day.

    unsafe  receivables that must not be mistaken for others, since their amount was corrected
    """
    rng = clerks.rng
    entity = customers.entity[receivables.customer[settlements.receivable]]
    from_payment = settlements.kind == Kind.PAYMENT
    booked = clerks.moment(settlements.day, OFFICE)
    told = payments.identified[cash.payment_of[from_payment]]
    matched = clerks.soon_after(told)
    later = rng.random(len(told)) < LATER_MATCH_SHARE
    matched = np.where(later, clerks.business_days_later(entity[from_payment], told, 1, 1), matched)
    booked[from_payment] = matched
    misposted, mistaken = _misposted(receivables, settlements, customers, booked, rng, unsafe)
    mistaken_at = booked[misposted]
    booked[misposted] = clerks.business_days_later(entity[misposted], mistaken_at, 2, 10)
    return AllocationNews(booked, misposted, mistaken, mistaken_at)


def _misposted(
    receivables: Receivables,
    settlements: Settlements,
    customers: Customers,
    booked: Ints,
    rng: np.random.Generator,
    unsafe: Flags,
) -> tuple[Ints, Ints]:
    """Settlements that a clerk first puts on another receivable of the customer, and which one: known and still open."""
    table = pl.DataFrame({"receivable": settlements.receivable, "booked": booked})
    touched = np.full(len(receivables), np.iinfo(np.int64).max, dtype=np.int64)
    first = table.group_by("receivable").agg(pl.col("booked").min())
    touched[first["receivable"].to_numpy()] = first["booked"].to_numpy()
    order = np.lexsort((touched, receivables.customer))
    chosen = _mistakes(receivables, settlements, order, touched, booked, rng, unsafe)
    return np.array(list(chosen.values()), dtype=np.int64), np.array(list(chosen), dtype=np.int64)


def _mistakes(
    receivables: Receivables,
    settlements: Settlements,
    order: Ints,
    touched: Ints,
    booked: Ints,
    rng: np.random.Generator,
    unsafe: Flags,
) -> dict[int, int]:
    """Mistaken receivable -> settlement. `order` is by customer and `touched`, the first moment of settling."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    candidate = (settlements.kind == Kind.PAYMENT) & (rng.random(len(settlements)) < WRONG_ALLOCATION_SHARE)
    chosen: dict[int, int] = {}
    for step in np.flatnonzero(candidate):
        own = settlements.receivable[step]
        near = order[place[own] + 1 : place[own] + 60]
        fits = (receivables.customer[near] == receivables.customer[own]) & ~unsafe[near]
        fits &= touched[near] > booked[step] + MISTAKE_DAYS * MICROSECONDS_A_DAY
        fits &= (receivables.issued[near] + 1) * MICROSECONDS_A_DAY < booked[step]
        fits &= receivables.amount[near] >= settlements.amount[step]
        free = [int(other) for other in near[fits] if int(other) not in chosen]
        if free:
            chosen[free[0]] = int(step)
    return chosen
