"""More of the ledger told as events: what a credit manager counts beside invoices and payments.

Like those of `features.events`: visible between `known_from` and `known_to`, in whole numbers, amounts in hundredths
of the entity's currency.
"""

import polars as pl

from features.events import HEAD, cents
from features.facts import Facts, with_version
from features.ledger import RECEIVABLE, SETTLES, SPAN, receivable_versions
from features.masters import Masters


def customer_event_frames(facts: Facts, masters: Masters) -> dict[str, pl.DataFrame]:
    """Event name -> frame: HEAD columns and `amount_cents`.

    lost       a receivable of which a write-off settled half or more
    disputed   a dispute is open; its amount is null where the case names none
    unapplied  money that was received and is not allocated
    noted      a credit note stands
    unbilled   an open order, less the invoices that name it
    """
    return {
        "lost": _event(losses(facts), masters, "amount_minor", "invoice_id", "instalment"),
        "disputed": _disputed(facts, masters),
        "noted": _event(facts.spans("credit_note"), masters, "amount_minor", "credit_note_id"),
        "unapplied": _event(unapplied(facts), masters, "left_minor", "payment_id"),
        "unbilled": _event(unbilled(facts), masters, "left_minor", "order_id"),
    }


def losses(facts: Facts) -> pl.DataFrame:
    """Receivables as long as write-offs settle half or more of them.

    RECEIVABLE, customer_id, currency, amount_minor (of the receivable), day (of the write-off that made it half),
    known_from, known_to. The few cents that are written off to close a short payment are no loss.
    """
    written = facts.spans("allocation").filter(pl.col("kind") == "write_off")
    owed = receivable_versions(facts).select(*SETTLES, "customer_id", "amount_minor", *SPAN)
    rows = with_version(written.rename({"amount_minor": "part_minor"}), owed, by=SETTLES, at="known_from")
    part = (pl.col("part_minor") * pl.col("amount_minor").sign()).cum_sum().over(RECEIVABLE)
    return (
        rows.drop_nulls("customer_id")
        .sort(*RECEIVABLE, "known_from", "allocation_id")
        .with_columns(half=part * 2 >= pl.col("amount_minor").abs())
        .filter("half", pl.col("amount_minor") > 0)
        .unique(RECEIVABLE, keep="first", maintain_order=True)
        .select(*RECEIVABLE, "customer_id", "currency", "amount_minor", *SPAN, day="date")
    )


def unapplied(facts: Facts) -> pl.DataFrame:
    """Payments as long as something of them is not allocated: payment_id and the columns of `left_over`."""
    money = facts.spans("payment").drop_nulls("customer_id").filter(pl.col("amount_minor") > 0)
    spent = facts.spans("allocation").filter(pl.col("kind") == "payment").rename({"from_id": "payment_id"})
    spent = spent.with_columns(part_minor=pl.coalesce("paid_minor", "amount_minor"))
    return left_over(money, spent, ("entity_id", "payment_id"))


def unbilled(facts: Facts) -> pl.DataFrame:
    """Open orders as long as invoices leave something of them to bill: order_id and the columns of `left_over`.

    An invoice in another currency than its order bills nothing of it: cents of one are no cents of the other.
    """
    orders = facts.spans("order").filter(pl.col("status") == "open", pl.col("amount_minor") > 0)
    billed = facts.spans("invoice").drop_nulls("order_id").with_columns(part_minor="amount_minor")
    return left_over(orders, billed, ("entity_id", "order_id", "currency"))


def left_over(wholes: pl.DataFrame, parts: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """Every state in which something of a whole is left: the columns of `wholes`, `left_minor`, known_from, known_to.

    wholes  key, customer_id, currency, amount_minor and the span of each version
    parts   key, part_minor and the span of each version
    """
    changes = [frame.select(*key, moment=column) for frame in (wholes, parts) for column in SPAN]
    moments = pl.concat(changes).drop_nulls().unique().sort(*key, "moment")
    moments = moments.with_columns(until=pl.col("moment").shift(-1).over(key))
    states = moments.join(wholes, on=key).filter(_stands()).drop(SPAN).with_row_index("_state")
    taken = states.select(*key, "_state", "moment").join(parts.select(*key, "part_minor", *SPAN), on=key)
    sums = taken.filter(_stands()).group_by("_state").agg(pl.col("part_minor").sum())
    return (
        states.join(sums, on="_state", how="left")
        .with_columns(left_minor=pl.col("amount_minor") - pl.col("part_minor").fill_null(0))
        .filter(pl.col("left_minor") > 0)
        .drop("_state", "part_minor")
        .rename({"moment": "known_from", "until": "known_to"})
        .sort(*key, "known_from")
    )


def _stands() -> pl.Expr:
    """Whether what has a span stands at `moment`."""
    ends = pl.col("known_to").is_null() | (pl.col("moment") < pl.col("known_to"))
    return (pl.col("known_from") <= pl.col("moment")) & ends


def _disputed(facts: Facts, masters: Masters) -> pl.DataFrame:
    return _event(facts.spans("dispute").filter(pl.col("status") == "open"), masters, "amount_minor", "dispute_id")


def _event(rows: pl.DataFrame, masters: Masters, minor: str, *identity: str) -> pl.DataFrame:
    return masters.valued(rows).select(
        *HEAD[:3],
        pl.concat_str(identity, separator="/").alias("event_id"),
        *SPAN,
        amount_cents=cents(minor),
    )
