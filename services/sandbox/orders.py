"""Orders: what customers order before it is invoiced; some cancelled, some not billed yet when the window ends."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import ORDER_STATUS
from services.sandbox.calendars import Flags, Floats, Ints
from services.sandbox.clerks import OFFICE, Clerks
from services.sandbox.facts import days, numbered, words
from services.sandbox.history import History, stream
from services.sandbox.knowledge import News

LEAD_DAYS, LEAD_SPREAD, LEAD_NOISE, LEAD_MOST_DAYS = 12.0, 0.6, 0.45, 45
SECOND_INVOICE_SHARE, SECOND_WITHIN_DAYS = 0.115, 21
CANCELLED_SHARE, CANCELLED_DAYS, CANCELLED_PART = 0.03, (2, 20), (0.6, 1.4)
# Orders whose invoices lie beyond the window are like those billed so many whole weeks before.
BEYOND_DAYS = 49
PURCHASE_NUMBER_SHARE = 0.8
OPEN, BILLED, CANCELLED = range(len(ORDER_STATUS))


@dataclass(frozen=True)
class Orders:
    """One row per order. Moments are counted as in `clerks`.

    status      what becomes of it, a position in `ORDER_STATUS`: an open one is billed after the window's end
    ended       when the books learn that; means nothing for an open one
    of_invoice  per invoice the row of the order that it bills, -1 where it bills none
    """

    customer: Ints
    day: Ints
    amount: Ints
    learnt: Ints
    status: Ints
    ended: Ints
    of_invoice: Ints
    ids: pl.Series

    def __len__(self) -> int:
        return len(self.day)

    @property
    def invoice_ids(self) -> pl.Series:
        """Per invoice the id of the order that it bills, null where it bills none."""
        return self.ids.gather(pl.Series(self.of_invoice).replace(-1, None))


@dataclass(frozen=True)
class _Drawn:
    """Orders of one kind before they are numbered. `billed` is the day of the first invoice, had or meant."""

    customer: Ints
    billed: Ints
    amount: Ints
    status: int
    ended: Ints


def draw_orders(history: History, news: News, ordered: Flags) -> Orders:
    """Every order of a history. `ordered` says which invoices bill one."""
    clerks = Clerks(history.calendar, history.office, stream(history.options, "orders"))
    median = LEAD_DAYS * clerks.rng.lognormal(0.0, LEAD_SPREAD, size=len(history.customers))
    billed, of_invoice = _billed(history, news, ordered, clerks.rng)
    kinds = [billed, _cancelled(history, ordered, clerks.rng), _still_open(history, ordered)]
    customer, issued, amount, ended = (
        np.concatenate([getattr(k, name) for k in kinds]) for name in ("customer", "billed", "amount", "ended")
    )
    day = _order_days(history, customer, issued, median, clerks)
    learnt = clerks.moment(day, OFFICE)
    status = np.repeat([k.status for k in kinds], [len(k.customer) for k in kinds])
    entity = history.customers.entity[customer]
    gone = status == CANCELLED
    ended[gone] = clerks.days_later(entity[gone], learnt[gone], *CANCELLED_DAYS)
    # those billed stand first, so that `of_invoice` stays right
    kept = (status != OPEN) | (day < history.window.end)
    return Orders(
        customer=customer[kept],
        day=day[kept],
        amount=amount[kept],
        learnt=learnt[kept],
        status=status[kept],
        ended=ended[kept],
        of_invoice=of_invoice,
        ids=numbered("SO", entity[kept], learnt[kept]),
    )


def _billed(history: History, news: News, ordered: Flags, rng: np.random.Generator) -> tuple[_Drawn, Ints]:
    """An order for each invoice, or for two of a customer in a row; and per invoice its order. Billed with the last."""
    invoices = history.invoices
    rows = np.flatnonzero(ordered)
    rows = rows[np.argsort(invoices.customer[rows], kind="stable")]
    second = rng.random(len(rows)) < SECOND_INVOICE_SHARE
    second[:1] = False
    second[1:] &= np.diff(invoices.customer[rows]) == 0
    second[1:] &= np.diff(invoices.issued[rows]) <= SECOND_WITHIN_DAYS
    second[1:] &= ~second[:-1]
    order = np.cumsum(~second) - 1
    first = rows[~second]
    amount, booked = np.zeros((2, len(first)), dtype=np.int64)
    np.add.at(amount, order, invoices.amount[rows])
    np.maximum.at(booked, order, news.invoices.booked[rows])
    of_invoice = np.full(len(invoices), -1, dtype=np.int64)
    of_invoice[rows] = order
    return _Drawn(invoices.customer[first], invoices.issued[first], amount, BILLED, booked), of_invoice


def _cancelled(history: History, ordered: Flags, rng: np.random.Generator) -> _Drawn:
    """Further orders, each about as large and as old as one that was billed."""
    invoices = history.invoices
    rows = np.flatnonzero(ordered & (rng.random(len(ordered)) < CANCELLED_SHARE))
    part: Floats = rng.uniform(*CANCELLED_PART, size=len(rows))
    amount = np.rint(invoices.amount[rows] * part).astype(np.int64)
    return _Drawn(invoices.customer[rows], invoices.issued[rows], amount, CANCELLED, np.zeros_like(rows))


def _still_open(history: History, ordered: Flags) -> _Drawn:
    """Orders that would be billed in the weeks after the window, but for customers to whom nothing more is sold."""
    invoices, window = history.invoices, history.window
    last = ordered & (invoices.issued >= window.end - BEYOND_DAYS)
    last &= history.habits.default_on[invoices.customer] > window.end
    rows = np.flatnonzero(last)
    issued = invoices.issued[rows] + BEYOND_DAYS
    return _Drawn(invoices.customer[rows], issued, invoices.amount[rows], OPEN, np.zeros_like(rows))


def _order_days(history: History, customer: Ints, billed: Ints, median: Floats, clerks: Clerks) -> Ints:
    """A customer's usual time ahead of the invoice, more or less; never before the customer was set up."""
    customers = history.customers
    lead = median[customer] * clerks.rng.lognormal(0.0, LEAD_NOISE, size=len(customer))
    lead_days = np.clip(np.rint(lead), 1, LEAD_MOST_DAYS).astype(np.int64)
    entity = customers.entity[customer]
    day_before = history.calendar.after(clerks.office[entity], billed, -1)
    day = np.minimum(clerks.working_day(entity, billed - lead_days), day_before)
    return np.maximum(day, customers.known_from[customer])


def order_draft(history: History, orders: Orders) -> pl.DataFrame:
    """Open from its day on; once more when it is billed or cancelled."""
    rng, customers = stream(history.options, "purchase numbers"), history.customers
    written = pl.Series(rng.random(len(orders)) < PURCHASE_NUMBER_SHARE)
    number = pl.Series(rng.integers(100_000, 1_000_000, size=len(orders)))
    first = pl.DataFrame(
        {
            "_entity": customers.entity[orders.customer],
            "_local": orders.learnt,
            "deleted": np.zeros(len(orders), dtype=bool),
            "order_id": orders.ids,
            "customer_id": words(customers.ids, orders.customer).tolist(),
            "order_date": days(orders.day),
            "currency": words(customers.currency, orders.customer).tolist(),
            "amount_minor": orders.amount,
            "status": [ORDER_STATUS[OPEN]] * len(orders),
            "reference": pl.select(pl.when(written).then(pl.format("PO-{}", number))).to_series(),
        },
        schema_overrides=dict.fromkeys(("customer_id", "currency", "status", "reference"), pl.String),
    )
    last = first.with_columns(
        pl.Series("_local", orders.ended),
        pl.Series("status", words(ORDER_STATUS, orders.status).tolist(), dtype=pl.String),
    )
    return pl.concat([first, last.filter(pl.Series(orders.status != OPEN))])
