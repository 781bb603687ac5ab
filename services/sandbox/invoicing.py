"""What is invoiced: when, how much, due when."""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Calendar, Flags, Floats, Ints, month_start, months
from services.sandbox.customers import Customers
from services.sandbox.habits import Habits
from services.sandbox.names import SEGMENT_SEASONS
from services.sandbox.options import WorldOptions
from services.sandbox.window import Window

GROWTH_A_YEAR = 0.07
BLOCKED_AFTER_DAYS = 45  # after a default nothing more is sold to the customer
INSTALMENT_GAP_DAYS = 30
LEAST_AMOUNT = 20.0


@dataclass(frozen=True)
class Invoices:
    """One row per invoice, in the order of issue."""

    customer: Ints
    issued: Ints
    size: Floats  # spreads above the customer's median amount
    amount: Ints  # minor units of the customer's invoice currency

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class Receivables:
    """One row per instalment, in the order of the invoices and their instalments."""

    invoice: Ints
    customer: Ints
    number: Ints  # of the instalment, from 1
    issued: Ints
    due: Ints
    size: Floats
    amount: Ints

    def __len__(self) -> int:
        return len(self.invoice)


def draw_invoices(
    options: WorldOptions,
    customers: Customers,
    habits: Habits,
    window: Window,
    calendar: Calendar,
    rng: np.random.Generator,
) -> Invoices:
    """All invoices of the window; those of its history are about customers x years x invoices a year."""
    days = np.arange(window.start, window.end)
    home = calendar.index([e.country for e in options.entities])[customers.entity]
    open_ = calendar.is_business[home][:, calendar.at(days)]
    rate = _season(customers, days) * _billing_days(customers, days, open_, rng)
    rate *= customers.weight[:, None] / np.maximum(rate[:, days < window.today].mean(axis=1, keepdims=True), 1e-9)
    rate *= (days >= customers.joined[:, None]) & (days <= habits.default_on[:, None] + BLOCKED_AFTER_DAYS)
    wanted = options.customers * options.years * options.invoices_per_customer_year
    rate *= wanted / max(rate[:, days < window.today].sum(), 1e-9)
    customer, day = np.nonzero(counts := rng.poisson(rate))
    repeats = counts[customer, day]
    customer, issued = np.repeat(customer, repeats), np.repeat(days[day], repeats)
    order = np.lexsort((customer, issued))
    customer, issued = customer[order], issued[order]
    size = _sizes(customers, customer, rng)
    return Invoices(customer, issued, size, _amounts(customers, customer, size))


def _season(customers: Customers, days: Ints) -> Floats:
    month = months(days) % 12
    growth: Floats = (1 + GROWTH_A_YEAR) ** ((days - days[0]) / 365.0)
    season: Floats = np.array(SEGMENT_SEASONS)[customers.segment][:, month]
    return season * growth


def _billing_days(customers: Customers, days: Ints, open_: Flags, rng: np.random.Generator) -> Floats:
    """1.0 on the days on which a customer may be invoiced: by order, on its weekday, or at the end of the month."""
    weekday = rng.integers(5, size=len(customers))
    ends = np.zeros_like(open_)
    month = months(days)
    starts = np.flatnonzero(np.diff(month, prepend=month[0] - 1))
    for first, last in zip(starts, [*starts[1:], len(days)], strict=True):
        within = open_[:, first:last]
        ends[np.arange(len(open_)), last - 1 - np.argmax(within[:, ::-1], axis=1)] = within.any(axis=1)
    by_week = (days + 3) % 7 == weekday[:, None]
    allowed = np.select([customers.cadence[:, None] == 1, customers.cadence[:, None] == 2], [by_week, ends], True)
    billed: Flags = open_ & allowed
    return billed.astype(np.float64)


def _sizes(customers: Customers, customer: Ints, rng: np.random.Generator) -> Floats:
    free = rng.standard_normal(len(customer))
    menu = rng.standard_normal((len(customers), 3))
    fixed: Floats = menu[customer, rng.choice(3, size=len(customer), p=(0.7, 0.2, 0.1))]
    return np.where(customers.recurring[customer], fixed, free)


def _amounts(customers: Customers, customer: Ints, size: Floats) -> Ints:
    major = np.exp(customers.log_amount[customer] + customers.amount_spread[customer] * size)
    minor: Floats = np.rint(np.maximum(major, LEAST_AMOUNT) * customers.minor_scale[customer])
    return minor.astype(np.int64)


def draw_receivables(customers: Customers, invoices: Invoices) -> Receivables:
    """The instalments: equal parts a month apart, the last one taking what does not divide."""
    parts = customers.instalments[invoices.customer]
    invoice = np.repeat(np.arange(len(invoices)), parts)
    number = np.arange(len(invoice)) - np.repeat(np.cumsum(parts) - parts, parts) + 1
    customer, issued = invoices.customer[invoice], invoices.issued[invoice]
    equal = invoices.amount // parts
    rest = invoices.amount - equal * parts
    amount = equal[invoice] + np.where(number == parts[invoice], rest[invoice], 0)
    due = _due(customers, customer, issued) + INSTALMENT_GAP_DAYS * (number - 1)
    return Receivables(invoice, customer, number, issued, due, invoices.size[invoice], amount)


def _due(customers: Customers, customer: Ints, issued: Ints) -> Ints:
    changed = issued >= customers.terms_change_on[customer]
    terms = np.where(changed, customers.later_terms[customer], customers.terms[customer])
    net = issued + terms
    return np.where(customers.end_of_month[customer], month_start(months(net) + 1) - 1, net)
