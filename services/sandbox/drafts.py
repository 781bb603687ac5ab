"""The canonical tables' own columns, version by version (see `facts` for what a draft is)."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.tables import ALLOCATION_KINDS
from services.sandbox.calendars import NEVER, Flags, Ints, month_start, months
from services.sandbox.cash import Cash
from services.sandbox.customers import Customers
from services.sandbox.facts import days, numbered
from services.sandbox.habits import Habits
from services.sandbox.invoicing import Invoices, Receivables
from services.sandbox.knowledge import (
    MICROSECONDS_A_DAY,
    OFFICE,
    AllocationNews,
    Clerks,
    InvoiceNews,
    PaymentNews,
)
from services.sandbox.names import SEGMENTS
from services.sandbox.options import WorldOptions
from services.sandbox.rates import BILLION, Rates
from services.sandbox.settlement import Kind, Settlements
from services.sandbox.window import Window

CREDIT_REASONS = ("pricing", "quantity", "damaged_or_defective", "wrong_item", "returned_goods", "discount_or_promotion")
CREDIT_REASON_SHARES = (0.34, 0.20, 0.14, 0.08, 0.16, 0.08)
BONUS_SHARE = 0.06  # of customers a year: a credit note on account, which settles nothing
REFERENCE_SHARE, ORDER_SHARE = 0.88, 0.85
ATTRIBUTE_SHARE, REVENUE_LEAD_DAYS, REVENUE_LOSS_A_MONTH = 0.7, 90, 0.035


@dataclass(frozen=True)
class Ids:
    """Ids of invoices, payments and credit notes by position."""

    invoice: pl.Series
    payment: pl.Series


def entity_draft(options: WorldOptions, window: Window) -> pl.DataFrame:
    """One version each, known long before the history starts."""
    midnight = (window.start - 2000) * MICROSECONDS_A_DAY
    return pl.DataFrame(
        {
            "_entity": list(range(len(options.entities))),
            "_local": [midnight + 9 * 3_600_000_000] * len(options.entities),
            "deleted": [False] * len(options.entities),
            "entity_id": [e.entity_id for e in options.entities],
            "name": [e.name for e in options.entities],
            "country": [e.country for e in options.entities],
            "currency": [e.currency for e in options.entities],
            "time_zone": [e.time_zone for e in options.entities],
        }
    )


def customer_draft(customers: Customers, clerks: Clerks) -> pl.DataFrame:
    """A version at set-up, and one for every change: name, segment, terms, credit limit."""
    count, rng = len(customers), clerks.rng
    limit = np.rint(np.exp(customers.log_amount) * np.clip(customers.weight, 0.3, 5.0) * 12 / 1000).astype(np.int64)
    limit_on = np.where(rng.random(count) < 0.15, customers.joined + rng.integers(60, 700, size=count), NEVER)
    limit_factor = rng.choice((0.5, 1.5, 2.0), size=count)
    changes = np.stack([customers.renamed_on, customers.moved_segment_on, customers.terms_change_on, limit_on])
    row = np.concatenate([np.arange(count), *(np.flatnonzero(c != NEVER) for c in changes)])
    day = np.concatenate([customers.known_from, *(c[c != NEVER] for c in changes)])
    limits = np.where(day >= limit_on[row], np.rint(limit[row] * limit_factor[row]), limit[row]).astype(np.int64)
    names, later = np.array(customers.names, dtype=object), np.array(customers.later_names, dtype=object)
    segment = np.where(day >= customers.moved_segment_on[row], customers.segment[row], customers.first_segment[row])
    ids = np.array(customers.ids, dtype=object)
    parent = customers.parent[row]
    return pl.DataFrame(
        {
            "_entity": customers.entity[row],
            "_local": clerks.moment(day, (7.0, 8.0)),
            "deleted": np.zeros(len(row), dtype=bool),
            "customer_id": ids[row].tolist(),
            "name": np.where(day >= customers.renamed_on[row], later[row], names[row]).tolist(),
            "country": np.array(customers.countries, dtype=object)[row].tolist(),
            "segment": np.array(SEGMENTS, dtype=object)[segment].tolist(),
            "parent_id": [None if p == r else ids[p] for p, r in zip(parent, row, strict=True)],
            "terms_days": np.where(day >= customers.terms_change_on[row], customers.later_terms[row], customers.terms[row]),
            "credit_limit_minor": np.maximum(limits, 1) * 100_000,
        },
        schema_overrides={"parent_id": pl.String},
    )


def attribute_draft(customers: Customers, habits: Habits, window: Window, clerks: Clerks) -> pl.DataFrame:
    """Monthly revenue as an agency reports it: it falls before a declining customer pays slower."""
    rng = clerks.rng
    reported = np.flatnonzero(rng.random(len(customers)) < ATTRIBUTE_SHARE)
    month = np.arange(months(np.array([window.start]))[0], months(np.array([window.end]))[0])
    row, day = (a.reshape(-1) for a in np.meshgrid(reported, month_start(month), indexing="ij"))
    base = np.exp(customers.log_amount) * 60 * rng.lognormal(0.0, 0.5, size=len(customers))
    trend = 1 + rng.uniform(-0.03, 0.10, size=len(customers))[row] * (day - window.start) / 365
    fallen = np.clip(day - habits.decline_from[row] + REVENUE_LEAD_DAYS, 0, None) / 30.4 * REVENUE_LOSS_A_MONTH
    value = base[row] * trend * np.maximum(1 - fallen, 0.15) * rng.lognormal(0.0, 0.08, size=len(row))
    entity = customers.entity[row]
    told = clerks.calendar.after(clerks.office[entity], day + 6)
    kept = day >= customers.known_from[row]
    frame = pl.DataFrame(
        {
            "_entity": entity,
            "_local": clerks.moment(told, OFFICE),
            "deleted": np.zeros(len(row), dtype=bool),
            "customer_id": np.array(customers.ids, dtype=object)[row].tolist(),
            "day": days(day),
            "value": np.round(value, 2),
        }
    ).filter(pl.Series(kept))
    return frame.with_columns(
        name=pl.lit("monthly_revenue"),
        attribute_id=pl.format("{}:monthly_revenue:{}", "customer_id", pl.col("day").dt.to_string("%Y-%m-%d")),
    )


def rate_draft(options: WorldOptions, rates: Rates, window: Window, clerks: Clerks) -> pl.DataFrame:
    """One rate a weekday, known that afternoon. They start before the first invoice and end with the last."""
    weekday = ((rates.days + 3) % 7 < 5) & (rates.days < window.end)
    published = rates.days[weekday]
    frames = []
    for (entity, currency), row in zip(rates.pairs, rates.billionths, strict=True):
        exact = pl.Series(row[weekday])
        whole = [(exact // BILLION).cast(pl.String), (exact % BILLION).cast(pl.String).str.zfill(9)]
        books = options.entities[entity].currency
        frames.append(
            pl.DataFrame(
                {
                    "_entity": np.full(len(published), entity, dtype=np.int64),
                    "_local": clerks.moment(published, (16.0, 16.1)),
                    "deleted": np.zeros(len(published), dtype=bool),
                    "fx_rate_id": [f"{currency}:{books}:{d}" for d in published.astype("datetime64[D]").astype(str)],
                    "currency": [currency] * len(published),
                    "to_currency": [books] * len(published),
                    "day": days(published),
                    "rate": pl.select(pl.concat_str(whole[0], pl.lit("."), whole[1])).to_series().cast(pl.Decimal(18, 9)),
                }
            )
        )
    return pl.concat(frames)


def invoice_draft(
    customers: Customers, invoices: Invoices, receivables: Receivables, news: InvoiceNews, ids: Ids, clerks: Clerks
) -> pl.DataFrame:
    """As first booked, as corrected, and what was booked twice and taken back."""
    first = _instalments(receivables, news.first_due, news.first_amount)
    final = _instalments(receivables, receivables.due, receivables.amount)
    orders = numbered("SO", customers.entity[invoices.customer], invoices.issued)
    with_order = pl.Series(clerks.rng.random(len(invoices)) < ORDER_SHARE)
    head = pl.DataFrame(
        {
            "_entity": customers.entity[invoices.customer],
            "invoice_id": ids.invoice,
            "customer_id": np.array(customers.ids, dtype=object)[invoices.customer].tolist(),
            "issue_date": days(invoices.issued),
            "currency": np.array(customers.currency, dtype=object)[invoices.customer].tolist(),
            "order_id": orders,
        }
    ).with_columns(order_id=pl.when(with_order).then("order_id"))
    as_first, as_final = pl.concat([head, first], how="horizontal"), pl.concat([head, final], how="horizontal")
    again = as_first[news.twice].with_columns(invoice_id=pl.concat_str("invoice_id", pl.lit("-2")))
    return pl.concat(
        [
            _version(as_first, news.booked),
            _version(as_final.filter(pl.Series(news.wrong)), news.corrected[news.wrong]),
            _version(again, news.twice_booked),
            _version(again, news.twice_deleted, deleted=True),
        ]
    )


def _version(rows: pl.DataFrame, moment: Ints, *, deleted: bool = False) -> pl.DataFrame:
    return rows.with_columns(pl.Series("_local", moment), deleted=pl.lit(deleted))


def _instalments(receivables: Receivables, due: Ints, amount: Ints) -> pl.DataFrame:
    """amount_minor and instalments per invoice."""
    parts = pl.DataFrame(
        {"invoice": receivables.invoice, "number": receivables.number, "due_date": days(due), "amount_minor": amount}
    )
    grouped = parts.group_by("invoice", maintain_order=True).agg(
        pl.col("amount_minor").sum(), instalments=pl.struct("number", "due_date", "amount_minor")
    )
    return grouped.drop("invoice")


def payment_draft(
    customers: Customers,
    receivables: Receivables,
    settlements: Settlements,
    cash: Cash,
    news: PaymentNews,
    ids: Ids,
    clerks: Clerks,
) -> pl.DataFrame:
    """As told by the bank; where the payer was unknown at first, once more when it is known."""
    payments = cash.payments
    steps = np.flatnonzero(cash.payment_of >= 0)
    named = pl.DataFrame(
        {
            "payment": cash.payment_of[steps],
            "invoice": ids.invoice.gather(receivables.invoice[settlements.receivable[steps]]),
        }
    )
    references = named.group_by("payment").agg(
        reference=pl.col("invoice").unique(maintain_order=True).head(8).str.join(" ")
    )
    rows = (
        pl.DataFrame(
            {
                "payment": np.arange(len(payments)),
                "_entity": payments.entity,
                "payment_id": ids.payment,
                "customer_id": np.array(customers.ids, dtype=object)[payments.payer].tolist(),
                "value_date": days(payments.day),
                "currency": np.array(customers.pay_currency, dtype=object)[payments.payer].tolist(),
                "amount_minor": payments.amount,
                "_written": clerks.rng.random(len(payments)) < REFERENCE_SHARE,
            }
        )
        .join(references, on="payment", how="left", maintain_order="left")
        .with_columns(reference=pl.when("_written").then("reference"))
        .drop("payment", "_written")
    )
    unknown = pl.Series(news.unidentified)
    first = rows.with_columns(customer_id=pl.when(~unknown).then("customer_id"))
    return pl.concat([_version(first, news.booked), _version(rows.filter(unknown), news.identified[news.unidentified])])


def credit_note_draft(
    customers: Customers,
    receivables: Receivables,
    settlements: Settlements,
    credits: Ints,
    credit_ids: pl.Series,
    booked: Ints,
    ids: Ids,
    window: Window,
    clerks: Clerks,
) -> pl.DataFrame:
    """One for each settlement by credit (`credits`), and a few bonuses on account that settle nothing."""
    rng = clerks.rng
    receivable = settlements.receivable[credits]
    customer = receivables.customer[receivable]
    linked = pl.DataFrame(
        {
            "_entity": customers.entity[customer],
            "_local": booked[credits] - 60_000_000,
            "deleted": np.zeros(len(credits), dtype=bool),
            "credit_note_id": credit_ids,
            "customer_id": np.array(customers.ids, dtype=object)[customer].tolist(),
            "issue_date": days(settlements.day[credits]),
            "currency": np.array(customers.currency, dtype=object)[customer].tolist(),
            "amount_minor": -settlements.amount[credits],
            "invoice_id": ids.invoice.gather(receivables.invoice[receivable]),
            "reason": rng.choice(CREDIT_REASONS, size=len(credits), p=CREDIT_REASON_SHARES).tolist(),
        },
        schema_overrides={"reason": pl.String},
    )
    return pl.concat([linked, _bonuses(customers, window, clerks)])


def _bonuses(customers: Customers, window: Window, clerks: Clerks) -> pl.DataFrame:
    """In January, for the year before, known in office hours."""
    rng = clerks.rng
    januaries = np.arange(window.start, window.end)
    januaries = januaries[(months(januaries) % 12 == 0) & (januaries - month_start(months(januaries)) == 14)]
    row, day = (a.reshape(-1) for a in np.meshgrid(np.arange(len(customers)), januaries, indexing="ij"))
    kept = (rng.random(len(row)) < BONUS_SHARE) & (customers.joined[row] < day)
    row, day = row[kept], clerks.calendar.after(clerks.office[customers.entity[row[kept]]], day[kept])
    amount = np.rint(np.exp(customers.log_amount[row]) * rng.uniform(0.2, 1.0, size=len(row))).astype(np.int64) * 100
    return pl.DataFrame(
        {
            "_entity": customers.entity[row],
            "_local": clerks.moment(day, OFFICE),
            "deleted": np.zeros(len(row), dtype=bool),
            "credit_note_id": numbered("BN", customers.entity[row], day),
            "customer_id": np.array(customers.ids, dtype=object)[row].tolist(),
            "issue_date": days(day),
            "currency": np.array(customers.currency, dtype=object)[row].tolist(),
            "amount_minor": -amount,
            "invoice_id": [None] * len(row),
            "reason": ["discount_or_promotion"] * len(row),
        },
        schema_overrides={"invoice_id": pl.String, "reason": pl.String},
    )


def allocation_draft(
    customers: Customers,
    receivables: Receivables,
    settlements: Settlements,
    cash: Cash,
    news: AllocationNews,
    ids: Ids,
    credits: Ints,
    credit_ids: pl.Series,
    clerks: Clerks,
) -> pl.DataFrame:
    """Every step of settling; those first put on another receivable also as the mistake, and as its deletion."""
    step = np.concatenate([np.arange(len(settlements)), news.misposted])
    receivable = np.concatenate([settlements.receivable, news.mistaken])
    moment = np.concatenate([news.booked, news.mistaken_at])
    entity = customers.entity[receivables.customer[receivable]]
    rows = pl.DataFrame(
        {
            "_entity": entity,
            "allocation_id": numbered("AL", entity, moment),
            "kind": np.array(ALLOCATION_KINDS, dtype=object)[settlements.kind[step]].tolist(),
            "from_id": _from_ids(settlements, cash, ids, credits, credit_ids).gather(step),
            "invoice_id": ids.invoice.gather(receivables.invoice[receivable]),
            "instalment": receivables.number[receivable],
            "date": days(settlements.day[step]),
            "currency": np.array(customers.currency, dtype=object)[receivables.customer[receivable]].tolist(),
            "amount_minor": settlements.amount[step],
            "paid_minor": cash.paid[step],
            "_swapped": _swapped(customers, receivables.customer[receivable]) & (settlements.kind[step] == Kind.PAYMENT),
        }
    )
    rows = rows.with_columns(paid_minor=pl.when("_swapped").then("paid_minor")).drop("_swapped")
    mistakes = rows[len(settlements) :]
    # the clerk takes the mistake back and allocates anew in one go
    taken_back = clerks.soon_after(news.booked[news.misposted], 0.0) - 2000
    return pl.concat([_version(rows, moment), _version(mistakes, taken_back, deleted=True)])


def _swapped(customers: Customers, customer: Ints) -> Flags:
    return np.array([a != b for a, b in zip(customers.currency, customers.pay_currency, strict=True)])[customer]


def _from_ids(
    settlements: Settlements, cash: Cash, ids: Ids, credits: Ints, credit_ids: pl.Series
) -> pl.Series:
    """Per settlement the id of its payment or credit note; null for a write-off."""
    source = np.full(len(settlements), None, dtype=object)
    paid = cash.payment_of >= 0
    source[paid] = ids.payment.gather(cash.payment_of[paid]).to_numpy()
    source[credits] = credit_ids.to_numpy()
    return pl.Series("from_id", source.tolist(), dtype=pl.String)
