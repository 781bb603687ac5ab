"""What really happened and why: for tests and demos, never for a model."""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from services.sandbox.anomaly_desk import TRUTH_SCHEMA
from services.sandbox.calendars import NEVER, day_of_number
from services.sandbox.contact_books import contact_truth, promise_truth
from services.sandbox.facts import days, words
from services.sandbox.history import History
from services.sandbox.knowledge import News
from services.sandbox.payers import TYPES
from services.sandbox.settlement import Kind, Settlements, Way


@dataclass(frozen=True)
class Truth:
    """Everything hidden.

    receivables  one row per instalment: entity_id, invoice_id, instalment, customer_id, customer_type, currency,
                 amount_minor, issue_date, due_date, settled_date (of the last step), paid_date (of the last payment,
                 null where none came), cancelled (half or more was credited or written off), days_late (settled
                 after due, null where cancelled), outcome (paid, credited, written_off, defaulted), why (it was paid
                 when it was), disputed, way, shifted (the regime shift made it slower)
    customers    one row per customer: who it is, its type and every number of its habits
    feed_faults  entity_id, first_day, arrived_on: the bank feed stood still and came in bulk
    shift_day    from when some customers pay slower; null in a world without a shift
    anomalies    entity_id, table, record_id, kind, story (records that belong together), day, why: what is odd on
                 purpose; of table `feed` a record is `TABLE:DAY`, a day's feed of that table
    contacts     `contact_books.contact_truth`: what each contact, made or held out, would have changed
    promises     `contact_books.promise_truth`: which were kept
    """

    receivables: pl.DataFrame
    customers: pl.DataFrame
    feed_faults: pl.DataFrame
    shift_day: date | None
    contacts: pl.DataFrame
    promises: pl.DataFrame
    anomalies: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TRUTH_SCHEMA))


def the_truth(history: History, news: News, invoice_ids: pl.Series) -> Truth:
    """The truth in words and dates."""
    entity_ids = [e.entity_id for e in history.options.entities]
    habits = history.habits.frame().rename({"type": "customer_type"})
    shift = history.window.shift
    return Truth(
        receivables=_receivables(history, entity_ids, invoice_ids),
        customers=pl.concat([history.customers.frame(history.options), habits], how="horizontal"),
        feed_faults=pl.DataFrame(
            {
                "entity_id": [entity_ids[f.entity] for f in news.faults],
                "first_day": [day_of_number(f.first) for f in news.faults],
                "arrived_on": [day_of_number(f.last) for f in news.faults],
            },
            schema={"entity_id": pl.String, "first_day": pl.Date, "arrived_on": pl.Date},
        ),
        shift_day=None if shift == NEVER else day_of_number(shift),
        contacts=contact_truth(history, invoice_ids),
        promises=promise_truth(history, invoice_ids),
    )


def _receivables(history: History, entity_ids: list[str], invoice_ids: pl.Series) -> pl.DataFrame:
    customers, receivables = history.customers, history.receivables
    customer = receivables.customer
    head = pl.DataFrame(
        {
            "receivable": np.arange(len(receivables)),
            "entity_id": words(entity_ids, customers.entity[customer]).tolist(),
            "invoice_id": invoice_ids.gather(receivables.invoice),
            "instalment": receivables.number,
            "customer_id": words(customers.ids, customer).tolist(),
            "customer_type": words([t.name for t in TYPES], history.habits.type[customer]).tolist(),
            "currency": words(customers.currency, customer).tolist(),
            "amount_minor": receivables.amount,
            "issue_date": days(receivables.issued),
            "due_date": days(receivables.due),
            "way": words([w.name.lower() for w in Way], history.ways.way).tolist(),
            "disputed": history.ways.way == Way.DISPUTED,
            "defaulted": history.ways.defaulted,
            "shifted": history.aims.shifted,
            "_why": history.aims.why,
        }
    )
    return (
        head.join(_ends(history.settlements), on="receivable", how="left", maintain_order="left")
        .with_columns(cancelled=pl.col("_unpaid") * 2 >= pl.col("amount_minor"))
        .with_columns(
            outcome=pl.when("defaulted")
            .then(pl.lit("defaulted"))
            .when(~pl.col("cancelled"))
            .then(pl.lit("paid"))
            .when(pl.col("_credited") * 2 >= pl.col("_unpaid"))
            .then(pl.lit("credited"))
            .otherwise(pl.lit("written_off")),
            days_late=pl.when(~pl.col("cancelled")).then((pl.col("settled_date") - pl.col("due_date")).dt.total_days()),
            why=pl.when("defaulted")
            .then(pl.lit("default"))
            .when(pl.col("way") != "in_full")
            .then(pl.col("way"))
            .otherwise("_why"),
        )
        .drop("receivable", "_why", "_unpaid", "_credited")
    )


def _ends(settlements: Settlements) -> pl.DataFrame:
    """Per receivable the last day of settling and of paying, and how much was not paid with money."""
    steps = pl.DataFrame(
        {
            "receivable": settlements.receivable,
            "day": days(settlements.day),
            "kind": settlements.kind,
            "amount": settlements.amount,
        }
    )
    amount, kind = pl.col("amount"), pl.col("kind")
    return steps.group_by("receivable").agg(
        settled_date=pl.col("day").max(),
        paid_date=pl.col("day").filter(kind == Kind.PAYMENT).max(),
        _unpaid=amount.filter(kind != Kind.PAYMENT).sum(),
        _credited=amount.filter(kind == Kind.CREDIT_NOTE).sum(),
    )
