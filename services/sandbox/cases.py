"""Dispute cases: opened when a customer pays short or returns something, closed when that is credited or paid."""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from services.sandbox.calendars import Floats, Ints
from services.sandbox.clerks import MICROSECONDS_A_DAY, OFFICE, Clerks
from services.sandbox.facts import days, numbered, words
from services.sandbox.history import History, stream
from services.sandbox.knowledge import News
from services.sandbox.ledgers import Ids
from services.sandbox.settlement import Kind, Way

COMPLAINT_DAYS = (1, 11)  # from the due date, or the day meant for paying, where nothing is paid until it is resolved
# Who sees to returns starts before those who credit them.
RETURNS_DESK = (6.5, 7.5)
# Why, in the words of the domain, where no credit note tells.
REASONS = {
    "pricing": 0.22,
    "quantity": 0.14,
    "not_received": 0.14,
    "damaged_or_defective": 0.10,
    "already_paid": 0.08,
    "missing_po_or_reference": 0.08,
    "wrong_item": 0.05,
    "freight": 0.05,
    "service_or_contract": 0.05,
    "discount_or_promotion": 0.04,
    "duplicate_billing": 0.03,
    "tax": 0.02,
}


@dataclass(frozen=True)
class _Cases:
    """One row per case: the settlement that ends it, and the moments at which the books open and close it."""

    step: Ints
    opened: Ints
    closed: Ints


def dispute_draft(history: History, news: News, ids: Ids, credit_notes: pl.DataFrame) -> pl.DataFrame:
    """A case for every disputed or returned receivable: open, then accepted (credited, written off) or rejected (paid).

    credit_notes  their draft, whose first rows are those of `ids.credits`: a case has the reason of its credit note
    """
    clerks = Clerks(history.calendar, history.office, stream(history.options, "cases"))
    kinds = [_disputed(history, news, clerks), _returned(history, news, clerks)]
    cases = _Cases(*(np.concatenate([getattr(k, f.name) for k in kinds]) for f in fields(_Cases)))
    customers, receivables, settlements = history.customers, history.receivables, history.settlements
    receivable = settlements.receivable[cases.step]
    customer = receivables.customer[receivable]
    first = pl.DataFrame(
        {
            "_entity": customers.entity[customer],
            "_local": cases.opened,
            "deleted": np.zeros(len(customer), dtype=bool),
            "dispute_id": numbered("DC", customers.entity[customer], cases.opened),
            "customer_id": words(customers.ids, customer).tolist(),
            "invoice_id": ids.invoice.gather(receivables.invoice[receivable]),
            "opened_on": days(cases.opened // MICROSECONDS_A_DAY),
            "currency": words(customers.currency, customer).tolist(),
            "amount_minor": settlements.amount[cases.step],
            "reason": _reasons(history, ids, cases.step, credit_notes, clerks.rng),
            "status": ["open"] * len(customer),
            "closed_on": [None] * len(customer),
        },
        schema_overrides=dict.fromkeys(("customer_id", "currency", "status"), pl.String) | {"closed_on": pl.Date},
    )
    rejected = settlements.kind[cases.step] == Kind.PAYMENT
    last = first.with_columns(
        pl.Series("_local", cases.closed),
        days(cases.closed // MICROSECONDS_A_DAY).alias("closed_on"),
        status=pl.when(pl.Series(rejected)).then(pl.lit("rejected")).otherwise(pl.lit("accepted")),
    )
    return pl.concat([first, last])


def _disputed(history: History, news: News, clerks: Clerks) -> _Cases:
    """Opened when the customer is seen to have paid short, or complains some days after due."""
    step, short = _disputed_steps(history)
    receivables, booked = history.receivables, news.allocations.booked
    closed = clerks.soon_after(booked[step])
    receivable = history.settlements.receivable[step]
    entity = history.receivable_entity[receivable]
    meant = np.minimum(receivables.due[receivable], history.aims.day[receivable])
    complained = meant + clerks.rng.integers(*COMPLAINT_DAYS, size=len(step))
    by_letter = clerks.moment(clerks.working_day(entity, complained), OFFICE)
    seen = clerks.soon_after(booked[short])
    # money that was found late, after the case had ended, opened none
    return _Cases(step, np.where((short >= 0) & (seen < closed), seen, by_letter), closed)


def _disputed_steps(history: History) -> tuple[Ints, Ints]:
    """Per case the settlement of what was disputed, and that by which the rest was paid before it, or -1.

    A receivable of which all is lost to a default says no more what was disputed of it: it has no case.
    """
    settlements, ways = history.settlements, history.ways.way
    pairs = np.flatnonzero(settlements.receivable[1:] == settlements.receivable[:-1])
    pairs = pairs[ways[settlements.receivable[pairs]] == Way.DISPUTED]
    first, second = pairs, pairs + 1
    kind, amount, day = settlements.kind, settlements.amount, settlements.day
    both_paid = (kind[first] == Kind.PAYMENT) & (kind[second] == Kind.PAYMENT)
    # less than half is disputed, so it is the smaller of two payments; else the first that is no payment
    is_first = np.where(both_paid, amount[first] < amount[second], kind[first] != Kind.PAYMENT)
    paid_short = ~is_first & (kind[first] == Kind.PAYMENT) & (day[first] < day[second])
    return np.where(is_first, first, second), np.where(paid_short, first, -1)


def _returned(history: History, news: News, clerks: Clerks) -> _Cases:
    """Opened on a working day between the invoice and its credit note, or early on the day of that."""
    settlements, receivables = history.settlements, history.receivables
    is_return = history.ways.way[settlements.receivable] == Way.RETURNED
    step = np.flatnonzero(is_return & (settlements.kind == Kind.CREDIT_NOTE))
    receivable, credited = settlements.receivable[step], settlements.day[step]
    wait: Floats = clerks.rng.random(len(step)) * (credited - receivables.issued[receivable])
    day = receivables.issued[receivable] + 1 + wait.astype(np.int64)
    opened = clerks.moment(clerks.working_day(history.receivable_entity[receivable], day), RETURNS_DESK)
    return _Cases(step, opened, clerks.soon_after(news.allocations.booked[step]))


def _reasons(
    history: History, ids: Ids, step: Ints, credit_notes: pl.DataFrame, rng: np.random.Generator
) -> list[str | None]:
    """That of the credit note where there is one."""
    shares = np.array(list(REASONS.values()))
    told = rng.choice(np.array(list(REASONS), dtype=object), size=len(step), p=shares / shares.sum())
    of_step = np.full(len(history.settlements), None, dtype=object)
    of_step[ids.credits] = credit_notes["reason"].head(len(ids.credits)).to_list()
    credited = history.settlements.kind[step] == Kind.CREDIT_NOTE
    reasons: list[str | None] = np.where(credited, of_step[step], told).tolist()
    return reasons
