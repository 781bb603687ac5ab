"""The money that comes in: one payment may settle many receivables, and may be more than it settles."""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Calendar, Ints
from services.sandbox.customers import Customers
from services.sandbox.habits import Habits
from services.sandbox.invoicing import Receivables
from services.sandbox.rates import Rates
from services.sandbox.settlement import Kind, Settlements

OVERPAID_SHARE, OVERPAID_MOST = 0.008, 0.05
PAID_TWICE_SHARE, REFUNDED_SHARE, REFUND_DAYS = 0.0015, 0.75, (20, 41)


@dataclass(frozen=True)
class Payments:
    """One row per movement of money; amounts in the payer's currency, refunds negative."""

    entity: Ints
    payer: Ints
    day: Ints
    amount: Ints

    def __len__(self) -> int:
        return len(self.day)


@dataclass(frozen=True)
class Cash:
    """payments; and per settlement the payment it is part of (-1 for none) and what it took of it, in its currency."""

    payments: Payments
    payment_of: Ints
    paid: Ints


def draw_cash(
    receivables: Receivables,
    settlements: Settlements,
    customers: Customers,
    habits: Habits,
    rates: Rates,
    calendar: Calendar,
    rng: np.random.Generator,
) -> Cash:
    """All that a payer pays on a day in one payment, where it bundles; else one payment per receivable."""
    steps = np.flatnonzero(settlements.kind == Kind.PAYMENT)
    customer = receivables.customer[settlements.receivable[steps]]
    payer, day = customers.payer[customer], settlements.day[steps]
    alone = np.where(habits.bundles[payer], 0, np.arange(1, len(steps) + 1))
    grouped = np.stack([customers.entity[customer], day, payer, alone], axis=1)
    kinds, payment = np.unique(grouped, axis=0, return_inverse=True)
    payment = payment.reshape(-1)
    paid = settlements.amount.copy()
    paid[steps] = _in_pay_currency(customers, customer, day, settlements.amount[steps], rates)
    settled = np.zeros(len(kinds), dtype=np.int64)
    np.add.at(settled, payment, paid[steps])
    payment_of = np.full(len(settlements), -1, dtype=np.int64)
    payment_of[steps] = payment
    received = Payments(kinds[:, 0], kinds[:, 2], kinds[:, 1], settled + _overpaid(settled, rng))
    return Cash(_with_double_payments(received, customers, calendar, rng), payment_of, paid)


def _in_pay_currency(customers: Customers, customer: Ints, day: Ints, amount: Ints, rates: Rates) -> Ints:
    """Amounts at the day's rate, where a customer pays the books' currency with its own (both have two decimals)."""
    paid = amount.copy()
    for one in np.flatnonzero(customers.swaps_currency):
        at = customer == one
        rate = rates.into_books(int(customers.entity[one]), customers.pay_currency[one], day[at])
        paid[at] = np.maximum(np.rint(amount[at] / rate), 1).astype(np.int64)
    return paid


def _overpaid(settled: Ints, rng: np.random.Generator) -> Ints:
    """What a few payments bring beyond the receivables they settle: it stays unapplied."""
    extra = np.rint(settled * rng.uniform(0.001, OVERPAID_MOST, size=len(settled))).astype(np.int64) + 1
    return np.where(rng.random(len(settled)) < OVERPAID_SHARE, extra, 0)


def _with_double_payments(
    once: Payments, customers: Customers, calendar: Calendar, rng: np.random.Generator
) -> Payments:
    """A few payments come twice; most of those are sent back. Neither touches a receivable."""
    twice = np.flatnonzero(rng.random(len(once)) < PAID_TWICE_SHARE)
    back = twice[rng.random(len(twice)) < REFUNDED_SHARE]
    country = calendar.index(customers.countries)[once.payer]
    again = calendar.after(country[twice], once.day[twice] + 1, rng.integers(0, 3, size=len(twice)))
    returned = calendar.after(country[back], once.day[back] + rng.integers(*REFUND_DAYS, size=len(back)))
    rows = np.concatenate([np.arange(len(once)), twice, back])
    day = np.concatenate([once.day, again, returned])
    sign = np.concatenate([np.ones(len(once) + len(twice), dtype=np.int64), -np.ones(len(back), dtype=np.int64)])
    return Payments(once.entity[rows], once.payer[rows], day, once.amount[rows] * sign)
