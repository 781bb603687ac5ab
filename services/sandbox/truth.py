"""What really happened and why: for tests and demos, never for a model."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.sandbox.behaviour import Aims
from services.sandbox.calendars import NEVER, day_of_number
from services.sandbox.customers import Customers
from services.sandbox.facts import days
from services.sandbox.habits import Habits
from services.sandbox.invoicing import Receivables
from services.sandbox.knowledge import FeedFault
from services.sandbox.options import WorldOptions
from services.sandbox.settlement import Kind, Settlements, Way, Ways
from services.sandbox.payers import TYPES
from services.sandbox.window import Window


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
    """

    receivables: pl.DataFrame
    customers: pl.DataFrame
    feed_faults: pl.DataFrame
    shift_day: date | None


def the_truth(
    options: WorldOptions,
    customers: Customers,
    habits: Habits,
    receivables: Receivables,
    invoice_ids: pl.Series,
    aimed: Aims,
    ways: Ways,
    settlements: Settlements,
    window: Window,
    faults: list[FeedFault],
) -> Truth:
    """The truth in words and dates."""
    entity_ids = [e.entity_id for e in options.entities]
    return Truth(
        _receivables(entity_ids, customers, habits, receivables, invoice_ids, aimed, ways, settlements),
        pl.concat([customers.frame(options), habits.frame().rename({"type": "customer_type"})], how="horizontal"),
        pl.DataFrame(
            {
                "entity_id": [entity_ids[f.entity] for f in faults],
                "first_day": [day_of_number(f.first) for f in faults],
                "arrived_on": [day_of_number(f.last) for f in faults],
            },
            schema={"entity_id": pl.String, "first_day": pl.Date, "arrived_on": pl.Date},
        ),
        None if window.shift == NEVER else day_of_number(window.shift),
    )


def _receivables(
    entity_ids: list[str],
    customers: Customers,
    habits: Habits,
    receivables: Receivables,
    invoice_ids: pl.Series,
    aimed: Aims,
    ways: Ways,
    settlements: Settlements,
) -> pl.DataFrame:
    customer = receivables.customer
    head = pl.DataFrame(
        {
            "receivable": np.arange(len(receivables)),
            "entity_id": np.array(entity_ids, dtype=object)[customers.entity[customer]].tolist(),
            "invoice_id": invoice_ids.gather(receivables.invoice),
            "instalment": receivables.number,
            "customer_id": np.array(customers.ids, dtype=object)[customer].tolist(),
            "customer_type": np.array([t.name for t in TYPES], dtype=object)[habits.type[customer]].tolist(),
            "currency": np.array(customers.currency, dtype=object)[customer].tolist(),
            "amount_minor": receivables.amount,
            "issue_date": days(receivables.issued),
            "due_date": days(receivables.due),
            "way": np.array([w.name.lower() for w in Way], dtype=object)[ways.way].tolist(),
            "disputed": ways.way == Way.DISPUTED,
            "defaulted": ways.defaulted,
            "shifted": aimed.shifted,
            "_why": aimed.why,
        }
    )
    return (
        head.join(_ends(settlements), on="receivable", how="left", maintain_order="left")
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
