"""Drafts of the ledger (see `facts`): invoices, credit notes, payments, allocations, version by version."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import ALLOCATION_KINDS
from services.sandbox.accounts import accounts
from services.sandbox.calendars import Flags, Ints, month_start, months
from services.sandbox.clerks import MICROSECONDS_A_MINUTE, OFFICE, Clerks
from services.sandbox.facts import days, numbered, words
from services.sandbox.history import History
from services.sandbox.knowledge import News
from services.sandbox.settlement import Kind

CREDIT_REASONS = (
    "pricing",
    "quantity",
    "damaged_or_defective",
    "wrong_item",
    "returned_goods",
    "discount_or_promotion",
)
CREDIT_REASON_SHARES = (0.34, 0.20, 0.14, 0.08, 0.16, 0.08)
BONUS_SHARE = 0.06  # of customers a year: a credit note on account, which settles nothing
REFERENCE_SHARE, REFERENCE_INVOICES = 0.88, 8
ORDER_SHARE = 0.85


@dataclass(frozen=True)
class Ids:
    """invoice, payment: by position. credits: the settlements by credit note; credit_note: the id of each of those."""

    invoice: pl.Series
    payment: pl.Series
    credits: Ints
    credit_note: pl.Series


def ledger_ids(history: History, news: News) -> Ids:
    """Numbers given in the order of booking, entity by entity."""
    settlements = history.settlements
    credits = np.flatnonzero(settlements.kind == Kind.CREDIT_NOTE)
    credit_entity = history.receivable_entity[settlements.receivable[credits]]
    return Ids(
        invoice=numbered("INV", history.invoice_entity, news.invoices.booked),
        payment=numbered("PAY", history.cash.payments.entity, news.payments.booked),
        credits=credits,
        credit_note=numbered("CN", credit_entity, news.allocations.booked[credits]),
    )


def ordered(history: History, clerks: Clerks) -> Flags:
    """Which invoices bill an order."""
    chosen: Flags = clerks.rng.random(len(history.invoices)) < ORDER_SHARE
    return chosen


def invoice_draft(history: History, news: News, ids: Ids, order_ids: pl.Series) -> pl.DataFrame:
    """As first booked, as corrected, and what was booked twice and taken back."""
    invoices, customers, told = history.invoices, history.customers, news.invoices
    head = pl.DataFrame(
        {
            "_entity": history.invoice_entity,
            "invoice_id": ids.invoice,
            "customer_id": words(customers.ids, invoices.customer).tolist(),
            "issue_date": days(invoices.issued),
            "currency": words(customers.currency, invoices.customer).tolist(),
            "order_id": order_ids,
        }
    )
    first = pl.concat([head, _instalments(history, told.first_due, told.first_amount)], how="horizontal")
    final = pl.concat(
        [head, _instalments(history, history.receivables.due, history.receivables.amount)], how="horizontal"
    )
    again = first[told.twice].with_columns(invoice_id=pl.concat_str("invoice_id", pl.lit("-2")))
    return pl.concat(
        [
            _version(first, told.booked),
            _version(final.filter(pl.Series(told.wrong)), told.corrected[told.wrong]),
            _version(again, told.twice_booked),
            _version(again, told.twice_deleted, deleted=True),
        ]
    )


def _version(rows: pl.DataFrame, moment: Ints, *, deleted: bool = False) -> pl.DataFrame:
    return rows.with_columns(pl.Series("_local", moment), deleted=pl.lit(deleted))


def _instalments(history: History, due: Ints, amount: Ints) -> pl.DataFrame:
    """amount_minor and instalments per invoice."""
    receivables = history.receivables
    parts = pl.DataFrame(
        {"invoice": receivables.invoice, "number": receivables.number, "due_date": days(due), "amount_minor": amount}
    )
    grouped = parts.group_by("invoice", maintain_order=True).agg(
        pl.col("amount_minor").sum(), instalments=pl.struct("number", "due_date", "amount_minor")
    )
    return grouped.drop("invoice")


def payment_draft(history: History, news: News, ids: Ids, clerks: Clerks) -> pl.DataFrame:
    """As told by the bank; where the payer was unknown at first, once more when it is known."""
    customers, payments = history.customers, history.cash.payments
    written = pl.Series(clerks.rng.random(len(payments)) < REFERENCE_SHARE)
    unknown = pl.Series(news.payments.unidentified)
    rows = (
        pl.DataFrame(
            {
                "payment": np.arange(len(payments)),
                "_entity": payments.entity,
                "payment_id": ids.payment,
                "customer_id": words(customers.ids, payments.payer).tolist(),
                "value_date": days(payments.day),
                "currency": words(customers.pay_currency, payments.payer).tolist(),
                "amount_minor": payments.amount,
                "payer_account": words(accounts(history), payments.payer).tolist(),
            }
        )
        .join(_references(history, ids), on="payment", how="left", maintain_order="left")
        .with_columns(reference=pl.when(written).then("reference"))
        .drop("payment")
    )
    first = rows.with_columns(customer_id=pl.when(~unknown).then("customer_id"))
    identified = news.payments.identified[news.payments.unidentified]
    return pl.concat([_version(first, news.payments.booked), _version(rows.filter(unknown), identified)])


def _references(history: History, ids: Ids) -> pl.DataFrame:
    """payment, reference: the invoices that each payment settles, as many as fit on a bank slip."""
    steps = np.flatnonzero(history.cash.payment_of >= 0)
    invoice = history.receivables.invoice[history.settlements.receivable[steps]]
    named = pl.DataFrame({"payment": history.cash.payment_of[steps], "invoice": ids.invoice.gather(invoice)})
    slip = pl.col("invoice").unique(maintain_order=True).head(REFERENCE_INVOICES).str.join(" ")
    return named.group_by("payment").agg(reference=slip)


def credit_note_draft(history: History, news: News, ids: Ids, clerks: Clerks) -> pl.DataFrame:
    """One for each settlement by credit, and a few bonuses on account that settle nothing."""
    customers, settlements, receivables = history.customers, history.settlements, history.receivables
    receivable = settlements.receivable[ids.credits]
    customer = receivables.customer[receivable]
    reasons = clerks.rng.choice(len(CREDIT_REASONS), size=len(customer), p=CREDIT_REASON_SHARES)
    linked = pl.DataFrame(
        {
            "_entity": customers.entity[customer],
            "_local": news.allocations.booked[ids.credits] - MICROSECONDS_A_MINUTE,
            "deleted": np.zeros(len(customer), dtype=bool),
            "credit_note_id": ids.credit_note,
            "customer_id": words(customers.ids, customer).tolist(),
            "issue_date": days(settlements.day[ids.credits]),
            "currency": words(customers.currency, customer).tolist(),
            "amount_minor": -settlements.amount[ids.credits],
            "invoice_id": ids.invoice.gather(receivables.invoice[receivable]),
            "reason": words(CREDIT_REASONS, reasons).tolist(),
        },
        schema_overrides=_CREDIT_NOTE_TEXTS,
    )
    return pl.concat([linked, _bonuses(history, clerks)])


# an empty list of texts would be a column of nothing
_CREDIT_NOTE_TEXTS = dict.fromkeys(("customer_id", "currency", "invoice_id", "reason"), pl.String)


def _bonuses(history: History, clerks: Clerks) -> pl.DataFrame:
    """In the middle of each January, for the year before."""
    customers, window, rng = history.customers, history.window, clerks.rng
    days_ = np.arange(window.start, window.end)
    days_ = days_[(months(days_) % 12 == 0) & (days_ - month_start(months(days_)) == 14)]
    row, day = (a.reshape(-1) for a in np.meshgrid(np.arange(len(customers)), days_, indexing="ij"))
    kept = (rng.random(len(row)) < BONUS_SHARE) & (customers.joined[row] < day)
    row, day = row[kept], clerks.working_day(customers.entity[row[kept]], day[kept])
    whole = np.ceil(np.exp(customers.log_amount[row]) * rng.uniform(0.2, 1.0, size=len(row)))
    return pl.DataFrame(
        {
            "_entity": customers.entity[row],
            "_local": clerks.moment(day, OFFICE),
            "deleted": np.zeros(len(row), dtype=bool),
            "credit_note_id": numbered("BN", customers.entity[row], day),
            "customer_id": words(customers.ids, row).tolist(),
            "issue_date": days(day),
            "currency": words(customers.currency, row).tolist(),
            "amount_minor": -np.rint(whole * customers.minor_scale[row]).astype(np.int64),
            "invoice_id": [None] * len(row),
            "reason": ["discount_or_promotion"] * len(row),
        },
        schema_overrides=_CREDIT_NOTE_TEXTS,
    )


def allocation_draft(history: History, news: News, ids: Ids, clerks: Clerks) -> pl.DataFrame:
    """Every step of settling; those first put on another receivable also as the mistake, and as its deletion."""
    settlements, receivables, told = history.settlements, history.receivables, news.allocations
    step = np.concatenate([np.arange(len(settlements)), told.misposted])
    receivable = np.concatenate([settlements.receivable, told.mistaken])
    moment = np.concatenate([told.booked, told.mistaken_at])
    customer, entity = receivables.customer[receivable], history.receivable_entity[receivable]
    rows = pl.DataFrame(
        {
            "_entity": entity,
            "allocation_id": numbered("AL", entity, moment),
            "kind": words(ALLOCATION_KINDS, settlements.kind[step]).tolist(),
            "from_id": _from_ids(history, ids).gather(step),
            "invoice_id": ids.invoice.gather(receivables.invoice[receivable]),
            "instalment": receivables.number[receivable],
            "date": days(settlements.day[step]),
            "currency": words(history.customers.currency, customer).tolist(),
            "amount_minor": settlements.amount[step],
            "paid_minor": history.cash.paid[step],
        }
    )
    swapped = history.customers.swaps_currency[customer] & (settlements.kind[step] == Kind.PAYMENT)
    rows = rows.with_columns(paid_minor=pl.when(pl.Series(swapped)).then("paid_minor"))
    # the clerk takes a mistake back and allocates anew in one go
    taken_back = told.booked[told.misposted] - clerks.rng.integers(2_000, 60_000_000, size=len(told.misposted))
    return pl.concat([_version(rows, moment), _version(rows[len(settlements) :], taken_back, deleted=True)])


def _from_ids(history: History, ids: Ids) -> pl.Series:
    """Per settlement the id of its payment or credit note; null for a write-off."""
    payment_of = history.cash.payment_of
    source = np.full(len(payment_of), None, dtype=object)
    source[payment_of >= 0] = ids.payment.gather(payment_of[payment_of >= 0]).to_numpy()
    source[ids.credits] = ids.credit_note.to_numpy()
    return pl.Series("from_id", source.tolist(), dtype=pl.String)
