"""What happened between the seller and its customers, whoever learns of it when."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from services.sandbox.behaviour import Aims, aims
from services.sandbox.calendars import Calendar, Ints
from services.sandbox.cash import Cash, draw_cash
from services.sandbox.contacts import Contacts, collect
from services.sandbox.customers import Customers, draw_customers
from services.sandbox.habits import Habits, draw_habits, pay_days
from services.sandbox.invoicing import Invoices, Receivables, draw_invoices, draw_receivables
from services.sandbox.options import WorldOptions
from services.sandbox.rates import Rates, draw_rates
from services.sandbox.settlement import Settlements, Ways, settle
from services.sandbox.window import Window


@dataclass(frozen=True)
class History:
    """Everything that happened. `office` is each entity's row in `calendar`."""

    options: WorldOptions
    window: Window
    calendar: Calendar
    office: Ints
    customers: Customers
    habits: Habits
    invoices: Invoices
    receivables: Receivables
    aims: Aims
    settlements: Settlements
    ways: Ways
    rates: Rates
    cash: Cash
    contacts: Contacts | None = None

    @property
    def invoice_entity(self) -> Ints:
        """Whose invoice each one is."""
        return self.customers.entity[self.invoices.customer]

    @property
    def receivable_entity(self) -> Ints:
        """Whose receivable each one is."""
        return self.customers.entity[self.receivables.customer]


def stream(options: WorldOptions, name: str) -> np.random.Generator:
    """The random numbers of one part of the world: a new part leaves those of the others as they were."""
    return np.random.default_rng([options.seed, crc32(name.encode())])


def happened(options: WorldOptions) -> History:
    """The history of a world, the same for the same options."""
    window = Window.of(options)
    customers = draw_customers(options, window, stream(options, "customers"))
    homes = [e.country for e in options.entities]
    calendar = Calendar(sorted(set(customers.countries) | set(homes)), *window.calendar)
    office = calendar.index(homes)
    habits = draw_habits(options, customers, window, stream(options, "habits"))
    pays = pay_days(calendar, habits, customers)
    invoices = draw_invoices(options, customers, habits, window, calendar, stream(options, "invoices"))
    receivables = draw_receivables(customers, invoices)
    aimed = aims(receivables, habits, pays, window, stream(options, "aims"))
    contacts = None
    if options.contacts is not None:
        aimed, contacts = collect(
            options.contacts,
            receivables,
            aimed,
            habits,
            customers=customers,
            pays=pays,
            calendar=calendar,
            office=office,
            window=window,
            rng=stream(options, "contacts"),
        )
    home = office[customers.entity[receivables.customer]]
    settlements, ways = settle(
        receivables, aimed, habits, home=home, calendar=calendar, pays=pays, rng=stream(options, "settlements")
    )
    rates = draw_rates(options, customers, *window.calendar, stream(options, "rates"))
    cash = draw_cash(receivables, settlements, customers, habits, rates, calendar, stream(options, "cash"))
    return History(
        options,
        window,
        calendar,
        office,
        customers,
        habits,
        invoices,
        receivables,
        aimed,
        settlements,
        ways,
        rates,
        cash,
        contacts,
    )
