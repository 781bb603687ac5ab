"""Promises to pay as of an instant: open, kept or broken, about what, and how often each customer keeps its own.

Kept: payments reached the promised amount by the promised day and a tolerance, or nothing was left of what it is about
by then, even before it was made (promise and payment crossed). It is about the invoice it names, or, where it names
none, about what was past due when it was made: what the customer pays otherwise keeps no promise. Where credits and
write-offs settled it alone, nobody had to pay, and where it is about nothing that the books know, nobody can tell:
void.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.book import Book
from features.calendars import instant, with_day_of
from features.facts import standing
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.tables import INSTANT

TOLERANCE_DAYS = 2
PROMISE = ("entity_id", "promise_id")
STATES = ("open", "kept", "broken", "void")
# A customer's own kept rate is drawn to its entity's as if by so many promises, an entity's to a half.
PRIOR_PROMISES, PRIOR_ENTITY_PROMISES, PRIOR_RATE = 4.0, 2.0, 0.5


@dataclass(frozen=True)
class PromisesKnown:
    """What is known of promises at `as_of`.

    states  one row per promise that stood: PROMISE, customer_id, invoice_id, currency, made_on, promised_for, `due_by`
            (promised_for and the tolerance), amount_minor, `state` (one of STATES), cutoff_day, `told_at`: when what
            stands was learnt
    about   PROMISE and RECEIVABLE: what each of them is about
    rates   CUSTOMER, `kept`, `due` (promises whose due_by has passed, void ones left out), `kept_rate`: one row for
            every customer of `states`
    open    RECEIVABLE, customer_id, promise_id, made_on, promised_for, due_by, kept, due, kept_rate: one row for every
            open receivable that open promises are about, the newest promise of each
    """

    as_of: datetime
    states: pl.DataFrame
    about: pl.DataFrame
    rates: pl.DataFrame
    open: pl.DataFrame


def promises_known(book: Book, as_of: datetime, *, tolerance_days: int = TOLERANCE_DAYS) -> PromisesKnown:
    """What `book` knew of promises at `as_of`; empty frames where there was none."""
    told = _told(book, as_of, tolerance_days)
    about = _about(told, standing(book.states, as_of))
    states = _judged(told, about, standing(book.facts.spans("allocation"), as_of))
    rates = kept_rates(states)
    return PromisesKnown(
        as_of, states.select(_SHOWN), about.select(*PROMISE, *RECEIVABLE[1:]), rates, _open(states, about, rates)
    )


_SHOWN = (
    *PROMISE,
    "customer_id",
    "invoice_id",
    "currency",
    "made_on",
    "promised_for",
    "due_by",
    "amount_minor",
    "state",
    "cutoff_day",
    "told_at",
)


def kept_rates(states: pl.DataFrame) -> pl.DataFrame:
    """CUSTOMER, kept, due, kept_rate from promises whose last day has passed; drawn to the entity's rate.

    Only those: to count one that was kept early, but not yet one that may still be broken, would flatter.
    """
    over = (pl.col("due_by") < pl.col("cutoff_day")) & (pl.col("state") != "void")
    counts = (
        states.with_columns(_over=over)
        .group_by(CUSTOMER)
        .agg(
            kept=(pl.col("_over") & (pl.col("state") == "kept")).sum().cast(pl.Int64),
            due=pl.col("_over").sum().cast(pl.Int64),
        )
        .sort(CUSTOMER)
    )
    kept, due = pl.col("kept").sum().over("entity_id"), pl.col("due").sum().over("entity_id")
    return counts.with_columns(kept_rate=own_rate(kept, due))


def own_rate(entity_kept: pl.Expr, entity_due: pl.Expr) -> pl.Expr:
    """A customer's own kept rate from its `kept` of `due` promises, drawn to its entity's, that to PRIOR_RATE."""
    entity_rate = (entity_kept + PRIOR_ENTITY_PROMISES * PRIOR_RATE) / (entity_due + PRIOR_ENTITY_PROMISES)
    return (pl.col("kept") + PRIOR_PROMISES * entity_rate) / (pl.col("due") + PRIOR_PROMISES)


def _told(book: Book, as_of: datetime, tolerance_days: int) -> pl.DataFrame:
    """The promises that stood, with due_by and cutoff_day."""
    rows = standing(book.facts.spans("promise"), as_of).drop("known_to").rename({"known_from": "told_at"})
    at = rows.with_columns(_cutoff=pl.lit(instant(as_of), INSTANT))
    return with_day_of(at, "_cutoff", book.zones, "cutoff_day").with_columns(
        due_by=pl.col("promised_for") + pl.duration(days=tolerance_days)
    )


def _about(told: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """PROMISE and the receivables, as they stand, that each is about, with RECEIVABLE, due_date, open_minor."""
    owed = states.filter(pl.col("amount_minor") > 0).select(
        *RECEIVABLE, "customer_id", "currency", "due_date", "issue_date", "open_minor", owed_minor="amount_minor"
    )
    head = [*PROMISE, "made_on"]
    named = told.drop_nulls("invoice_id").select(*head, "invoice_id", "currency")
    by_name = named.join(owed, on=["entity_id", "invoice_id", "currency"])
    account = told.filter(pl.col("invoice_id").is_null()).select(*head, "customer_id", "currency")
    past_due = account.join(owed, on=["entity_id", "customer_id", "currency"]).filter(
        pl.col("due_date") < pl.col("made_on")
    )
    return pl.concat([by_name, past_due.select(by_name.columns)]).sort(*PROMISE, *RECEIVABLE)


def _judged(told: pl.DataFrame, about: pl.DataFrame, allocations: pl.DataFrame) -> pl.DataFrame:
    """`told` with its state."""
    parts = about.join(
        allocations.select(
            *RECEIVABLE, "currency", "date", "kind", part_minor="amount_minor", part_told_at="known_from"
        ),
        on=[*RECEIVABLE, "currency"],
    ).join(
        told.select(
            *PROMISE, "amount_minor", "promised_for", "due_by", "told_at", named=pl.col("invoice_id").is_not_null()
        ),
        on=PROMISE,
    )
    left = _left_when_made(about, parts)
    since = parts.filter(pl.col("date") >= pl.col("made_on")).sort(*PROMISE, "date", "kind", "part_minor")
    part, paid = pl.col("part_minor"), pl.col("kind") == "payment"
    running = since.join(left, on=PROMISE).with_columns(
        _paid=pl.when(paid).then(part).otherwise(0).cum_sum().over(PROMISE),
        _settled=part.cum_sum().over(PROMISE),
    )
    reached = (pl.col("_paid") >= pl.col("amount_minor")) | (
        (pl.col("_settled") >= pl.col("left_minor")) & (pl.col("_paid") > 0)
    )
    in_time = pl.col("date") <= pl.col("due_by")
    ends = running.group_by(PROMISE).agg(
        _kept=(reached & in_time).any(),
        _void=((pl.col("_settled").last() >= pl.col("left_minor").first()) & (pl.col("_paid").last() == 0)),
    )
    crossed = pl.col("left_minor") <= 0
    state = (
        pl.when(pl.col("_kept") | (crossed & pl.col("paid_before")))
        .then(pl.lit("kept"))
        .when(pl.col("_void").fill_null(value=False) | crossed | pl.col("left_minor").is_null())
        .then(pl.lit("void"))
        .when(pl.col("cutoff_day") > pl.col("due_by"))
        .then(pl.lit("broken"))
        .otherwise(pl.lit("open"))
    )
    return (
        told.join(ends, on=PROMISE, how="left")
        .join(left, on=PROMISE, how="left")
        .with_columns(state=state)
        .drop("_kept", "_void", "left_minor", "paid_before")
        .sort("entity_id", "customer_id", "made_on", "promise_id")
    )


def _left_when_made(about: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """PROMISE, left_minor: what was still owed of it on the day it was made; paid_before: whether it was paid then.

    What was known to be paid when somebody promised for the account is not what that promise is about.
    """
    earlier = parts.filter(pl.col("date") < pl.col("made_on"))
    before = earlier.group_by(PROMISE).agg(
        _before=pl.col("part_minor").sum(),
        paid_before=(
            (pl.col("kind") == "payment") & (pl.col("named") | (pl.col("part_told_at") > pl.col("told_at")))
        ).any(),
    )
    owed = about.group_by(PROMISE).agg(_owed=pl.col("owed_minor").sum())
    return owed.join(before, on=PROMISE, how="left").select(
        *PROMISE,
        left_minor=pl.col("_owed") - pl.col("_before").fill_null(0),
        paid_before=pl.col("paid_before").fill_null(value=False),
    )


def _open(states: pl.DataFrame, about: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Open receivables that an open promise is about; a promise of less than is open says not which part is paid."""
    still = states.filter(pl.col("state") == "open").select(
        *PROMISE, "customer_id", "promised_for", "due_by", "amount_minor"
    )
    rows = about.drop("customer_id").filter(pl.col("open_minor") > 0).join(still, on=PROMISE)
    covered = pl.col("open_minor").sum().over(PROMISE) <= pl.col("amount_minor")
    newest = rows.filter(covered).sort(*RECEIVABLE, "made_on", "promise_id").unique(
        RECEIVABLE, keep="last", maintain_order=True
    )  # fmt: skip
    return newest.join(rates, on=CUSTOMER, how="left", maintain_order="left").select(_OPEN)


_OPEN: Sequence[str] = (
    *RECEIVABLE,
    "customer_id",
    "promise_id",
    "made_on",
    "promised_for",
    "due_by",
    "kept",
    "due",
    "kept_rate",
)
