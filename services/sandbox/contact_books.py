"""What the books and the truth say of contacts and promises: the drafts (see `facts`) and the frames of the truth."""

import numpy as np
import polars as pl

from features.tables import CONTACT, PROMISE
from services.sandbox.accounts import collectors
from services.sandbox.calendars import NEVER, Ints
from services.sandbox.clerks import OFFICE, Clerks
from services.sandbox.facts import days, numbered, unused, words
from services.sandbox.history import History, stream
from services.sandbox.payers import TYPES

KEPT_TOLERANCE_DAYS = 2
ACCOUNT_SHARE = 0.3  # of the contacts about one receivable only: the promise is for the account, names no invoice

CONTACT_TRUTH = pl.Schema(
    {
        "entity_id": pl.String,
        "contact_id": pl.String,
        "customer_id": pl.String,
        "customer_type": pl.String,
        "day": pl.Date,
        "made": pl.Boolean,
        "chance": pl.Float64,
        "invoice_id": pl.String,
        "instalment": pl.Int64,
        "amount_minor": pl.Int64,
        "day_without": pl.Date,
        "day_with": pl.Date,
    }
)
PROMISE_TRUTH = pl.Schema(
    {
        "entity_id": pl.String,
        "promise_id": pl.String,
        "customer_id": pl.String,
        "invoice_id": pl.String,
        "instalment": pl.Int64,
        "made_on": pl.Date,
        "promised_for": pl.Date,
        "settled_date": pl.Date,
        "kept": pl.Boolean,
        "kept_rate": pl.Float64,
    }
)


def contact_drafts(history: History, invoice_ids: pl.Series) -> dict[str, pl.DataFrame]:
    """The drafts of `contact` and `promise`; booked with random numbers of their own."""
    if history.contacts is None:
        return {"contact": unused(CONTACT), "promise": unused(PROMISE)}
    clerks = Clerks(history.calendar, history.office, stream(history.options, "contact clerks"))
    moment = clerks.moment(history.contacts.day, OFFICE)
    return {
        "contact": _contact_draft(history, moment),
        "promise": _promise_draft(history, invoice_ids, moment, clerks),
    }


def _contact_draft(history: History, moment: Ints) -> pl.DataFrame:
    contacts, customers = history.contacts, history.customers
    assert contacts is not None
    return pl.DataFrame(
        {
            "_entity": customers.entity[contacts.customer],
            "_local": moment,
            "deleted": np.zeros(len(contacts), dtype=bool),
            "contact_id": _contact_ids(history),
            "customer_id": words(customers.ids, contacts.customer).tolist(),
            "invoice_id": pl.Series([None] * len(contacts), dtype=pl.String),
            "day": days(contacts.day),
            "channel": np.where(contacts.by_phone, "call", "email").tolist(),
            "collector": words(collectors(history), contacts.customer).tolist(),
            "made": contacts.made,
            "chance": pl.Series(contacts.chance).fill_nan(None),
        },
        schema_overrides={"customer_id": pl.String, "channel": pl.String, "collector": pl.String},
    )


def _promise_draft(history: History, invoice_ids: pl.Series, moment: Ints, clerks: Clerks) -> pl.DataFrame:
    """Noted minutes after the contact; for the account where that owes one thing only, for a share of those."""
    contacts, customers, receivables = history.contacts, history.customers, history.receivables
    assert contacts is not None
    told = contacts.promises
    customer = contacts.customer[told.contact]
    alone = np.bincount(contacts.touched, minlength=len(contacts))[told.contact] == 1
    named = pl.Series(~(alone & (clerks.rng.random(len(told.contact)) < ACCOUNT_SHARE)))
    return pl.DataFrame(
        {
            "_entity": customers.entity[customer],
            "_local": clerks.soon_after(moment[told.contact]),
            "deleted": np.zeros(len(customer), dtype=bool),
            "promise_id": _promise_ids(history),
            "customer_id": words(customers.ids, customer).tolist(),
            "invoice_id": invoice_ids.gather(receivables.invoice[told.receivable]),
            "made_on": days(contacts.day[told.contact]),
            "promised_for": days(told.promised_for),
            "currency": words(customers.currency, customer).tolist(),
            "amount_minor": receivables.amount[told.receivable],
        },
        schema_overrides={"customer_id": pl.String, "currency": pl.String},
    ).with_columns(invoice_id=pl.when(named).then("invoice_id"))


def _contact_ids(history: History) -> pl.Series:
    contacts = history.contacts
    assert contacts is not None
    return numbered("CT", history.customers.entity[contacts.customer], contacts.day, contacts.customer)


def _promise_ids(history: History) -> pl.Series:
    contacts = history.contacts
    assert contacts is not None
    customer = contacts.customer[contacts.promises.contact]
    return numbered("PP", history.customers.entity[customer], contacts.day[contacts.promises.contact], customer)


def contact_truth(history: History, invoice_ids: pl.Series) -> pl.DataFrame:
    """CONTACT_TRUTH: one row per contact and receivable that it is about.

    day_without, day_with   when it is paid, if nothing else is wrong with it, without and with this contact (and no
                            later one), whether it was made or not; null where the customer stops paying first
    """
    contacts, receivables = history.contacts, history.receivables
    if contacts is None:
        return pl.DataFrame(schema=CONTACT_TRUTH)
    customer = contacts.customer[contacts.touched]
    return pl.DataFrame(
        {
            "entity_id": _entities(history, customer),
            "contact_id": _contact_ids(history).gather(contacts.touched),
            "customer_id": words(history.customers.ids, customer).tolist(),
            "customer_type": words([t.name for t in TYPES], history.habits.type[customer]).tolist(),
            "day": days(contacts.day[contacts.touched]),
            "made": contacts.made[contacts.touched],
            "chance": pl.Series(contacts.chance[contacts.touched]).fill_nan(None),
            "invoice_id": invoice_ids.gather(receivables.invoice[contacts.receivable]),
            "instalment": receivables.number[contacts.receivable],
            "amount_minor": receivables.amount[contacts.receivable],
            "day_without": _days_or_null(contacts.day_without),
            "day_with": _days_or_null(contacts.day_with),
        },
        schema=CONTACT_TRUTH,
    )


def promise_truth(history: History, invoice_ids: pl.Series) -> pl.DataFrame:
    """PROMISE_TRUTH: one row per promise; `kept` where all was settled by `KEPT_TOLERANCE_DAYS` after the day.

    kept_rate  of the customer, before what else may go wrong (a dispute, a part payment)
    """
    contacts, receivables, settlements = history.contacts, history.receivables, history.settlements
    if contacts is None:
        return pl.DataFrame(schema=PROMISE_TRUTH)
    told = contacts.promises
    customer = contacts.customer[told.contact]
    settled = np.zeros(len(receivables), dtype=np.int64)
    np.maximum.at(settled, settlements.receivable, settlements.day)
    return pl.DataFrame(
        {
            "entity_id": _entities(history, customer),
            "promise_id": _promise_ids(history),
            "customer_id": words(history.customers.ids, customer).tolist(),
            "invoice_id": invoice_ids.gather(receivables.invoice[told.receivable]),
            "instalment": receivables.number[told.receivable],
            "made_on": days(contacts.day[told.contact]),
            "promised_for": days(told.promised_for),
            "settled_date": days(settled[told.receivable]),
            "kept": settled[told.receivable] <= told.promised_for + KEPT_TOLERANCE_DAYS,
            "kept_rate": told.kept_rate,
        },
        schema=PROMISE_TRUTH,
    )


def _entities(history: History, customer: Ints) -> list[str]:
    ids = [e.entity_id for e in history.options.entities]
    return [str(name) for name in words(ids, history.customers.entity[customer])]


def _days_or_null(day: Ints) -> pl.Series:
    known = pl.Series(np.where(day == NEVER, 0, day).astype(np.int32)).cast(pl.Date)
    return pl.select(pl.when(pl.Series(day != NEVER)).then(known)).to_series()
