"""When the seller's books learn of what happened: business hours, bank files, faults of the feed, late corrections.

Moments are counted as in `clerks`.
"""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Flags, Ints
from services.sandbox.clerks import BANK_FILE, INTRADAY, MICROSECONDS_A_DAY, OFFICE, Clerks
from services.sandbox.history import History
from services.sandbox.settlement import Kind

BANK_LAGS = (0.12, 0.78, 0.10)  # business days from value date to bank file
LATER_MATCH_SHARE, UNIDENTIFIED_SHARE = 0.22, 0.01
WRONG_INVOICE_SHARE, WRONG_ALLOCATION_SHARE, BOOKED_TWICE_SHARE = 0.02, 0.012, 0.002
WRONG_FACTORS, WRONG_DAYS = (0.5, 0.9, 1.1, 1.19, 2.0), (-15, 10, 15, 30)
FAULT_DAYS = (6, 10)
MISTAKE_DAYS = 20  # a mistaken allocation stands for fewer days than this


@dataclass(frozen=True, slots=True)
class FeedFault:
    """The bank feed of an entity stood still from `first` until before `last`, when all of it arrived at once."""

    entity: int
    first: int
    last: int


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


@dataclass(frozen=True)
class News:
    """When everything of the ledger was learnt."""

    faults: list[FeedFault]
    invoices: InvoiceNews
    payments: PaymentNews
    allocations: AllocationNews


def learnt(history: History, clerks: Clerks) -> News:
    """The moments at which the books learn of a history."""
    faults = _feed_faults(history, clerks)
    invoices = _invoice_news(history, clerks)
    payments = _payment_news(history, faults, clerks)
    return News(faults, invoices, payments, _allocation_news(history, invoices, payments, clerks))


def _feed_faults(history: History, clerks: Clerks) -> list[FeedFault]:
    """Faults of the bank feed: the last one in the months before today, the others anywhere in the history."""
    window, rng = history.window, clerks.rng
    faults = []
    for number in range(history.options.feed_faults):
        entity = np.array([rng.integers(len(history.options.entities))])
        recent = number == history.options.feed_faults - 1
        low, high = (-90, -30) if recent else (window.start - window.today + 30, -120)
        first = np.array([window.today + rng.integers(low, max(high, low + 1))])
        length = rng.integers(*FAULT_DAYS)
        start, end = (int(clerks.calendar.after(clerks.office[entity], first, n)[0]) for n in (0, int(length)))
        faults.append(FeedFault(int(entity[0]), start, end))
    return faults


def _invoice_news(history: History, clerks: Clerks) -> InvoiceNews:
    """Booked on the day of issue; a few are wrong at first and corrected before anything settles them."""
    rng, invoices, entity = clerks.rng, history.invoices, history.invoice_entity
    booked = clerks.moment(invoices.issued, OFFICE)
    settlements = history.settlements
    first_step = np.full(len(invoices), np.iinfo(np.int64).max)
    np.minimum.at(first_step, history.receivables.invoice[settlements.receivable], settlements.day)
    wait = np.clip(first_step - invoices.issued - 1, 1, 25)
    later = (rng.random(len(invoices)) * wait).astype(np.int64)
    corrected_on = clerks.working_day(entity, invoices.issued + 1 + later)
    wrong = (rng.random(len(invoices)) < WRONG_INVOICE_SHARE) & (corrected_on < first_step)
    first_amount, first_due = _first_booked(history, wrong, rng)
    twice = np.flatnonzero(rng.random(len(invoices)) < BOOKED_TWICE_SHARE)
    twice_booked = clerks.soon_after(booked[twice])
    return InvoiceNews(
        booked=booked,
        wrong=wrong,
        corrected=clerks.moment(corrected_on, OFFICE),
        first_amount=first_amount,
        first_due=first_due,
        twice=twice,
        twice_booked=twice_booked,
        twice_deleted=clerks.days_later(entity[twice], twice_booked, 1, 6),
    )


def _first_booked(history: History, wrong: Flags, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Amounts and due dates as first booked: a wrong invoice has one of the two wrong."""
    receivables, count = history.receivables, len(history.invoices)
    of = receivables.invoice
    about_amount = wrong & (np.bincount(of, minlength=count) == 1) & (rng.random(count) < 0.5)
    factor, shift = rng.choice(WRONG_FACTORS, size=count)[of], rng.choice(WRONG_DAYS, size=count)[of]
    amount = np.rint(receivables.amount * factor).astype(np.int64)
    # a due date before issue would be refused, so that mistake turns into one of 15 days more
    earliest = receivables.issued[np.searchsorted(of, of)] - receivables.due[np.searchsorted(of, of)]
    due = receivables.due + np.where(shift >= earliest, shift, np.abs(shift))
    return (
        np.where(about_amount[of], amount, receivables.amount),
        np.where((wrong & ~about_amount)[of], due, receivables.due),
    )


def _payment_news(history: History, faults: list[FeedFault], clerks: Clerks) -> PaymentNews:
    """From the bank file of the next business day, mostly; while the feed stands still, only after it came back."""
    payments, rng = history.cash.payments, clerks.rng
    office = clerks.office[payments.entity]
    lag = rng.choice(len(BANK_LAGS), size=len(payments), p=BANK_LAGS)
    # money that arrives on a day off at home is in the first file after it, whatever its lag
    lag = np.where(clerks.calendar.is_business[office, clerks.calendar.at(payments.day)], lag, 0)
    day = clerks.calendar.after(office, payments.day, lag)
    for fault in faults:
        hit = (payments.entity == fault.entity) & (day >= fault.first) & (day < fault.last)
        day = np.where(hit, fault.last, day)
    booked = np.where(day > payments.day, clerks.moment(day, BANK_FILE), clerks.moment(day, INTRADAY))
    unidentified = rng.random(len(payments)) < UNIDENTIFIED_SHARE
    identified = np.where(unidentified, clerks.days_later(payments.entity, booked, 1, 4), booked)
    return PaymentNews(booked, unidentified, identified)


def _allocation_news(history: History, invoices: InvoiceNews, payments: PaymentNews, clerks: Clerks) -> AllocationNews:
    """Money is matched with its bank file, or by a person a day later; credits and write-offs on their day."""
    settlements, rng = history.settlements, clerks.rng
    entity = history.receivable_entity[settlements.receivable]
    booked = clerks.moment(settlements.day, OFFICE)
    money = settlements.kind == Kind.PAYMENT
    told = payments.identified[history.cash.payment_of[money]]
    by_person = rng.random(len(told)) < LATER_MATCH_SHARE
    booked[money] = np.where(by_person, clerks.days_later(entity[money], told, 1, 1), clerks.soon_after(told))
    mistakes = _mistakes(history, invoices, booked, rng)
    misposted = np.array(list(mistakes.values()), dtype=np.int64)
    mistaken_at = booked[misposted]
    booked[misposted] = clerks.days_later(entity[misposted], mistaken_at, 2, 10)
    return AllocationNews(booked, misposted, np.array(list(mistakes), dtype=np.int64), mistaken_at)


def _mistakes(history: History, invoices: InvoiceNews, booked: Ints, rng: np.random.Generator) -> dict[int, int]:
    """Receivable -> the settlement first put on it by mistake.

    It is one of the same customer, issued before the money came and large enough, and nothing else settles it before
    the mistake is found: the books are never wrong enough to settle more than is owed.
    """
    receivables, settlements = history.receivables, history.settlements
    touched = np.full(len(receivables), np.iinfo(np.int64).max)
    np.minimum.at(touched, settlements.receivable, booked)
    order = np.lexsort((touched, receivables.customer))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    candidate = (settlements.kind == Kind.PAYMENT) & (rng.random(len(settlements)) < WRONG_ALLOCATION_SHARE)
    chosen: dict[int, int] = {}
    for step in np.flatnonzero(candidate):
        own = settlements.receivable[step]
        near = order[place[own] + 1 : place[own] + 60]
        fits = (receivables.customer[near] == receivables.customer[own]) & ~invoices.wrong[receivables.invoice[near]]
        fits &= touched[near] > booked[step] + MISTAKE_DAYS * MICROSECONDS_A_DAY
        fits &= receivables.issued[near] < settlements.day[step]
        fits &= receivables.amount[near] >= settlements.amount[step]
        free = [int(other) for other in near[fits] if int(other) not in chosen]
        if free:
            chosen[free[0]] = int(step)
    return chosen
