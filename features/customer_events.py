"""More of the ledger told as events: what a credit manager counts beside invoices and payments.

Like those of `features.events`: visible between `known_from` and `known_to`, in whole numbers, amounts in hundredths
of the entity's currency.
"""

import polars as pl

from features.calendars import with_day_start
from features.events import HEAD, LAST_YEAR, cents
from features.facts import Facts
from features.ledger import RECEIVABLE, SETTLES, SPAN, receivable_versions
from features.masters import CUSTOMER, Masters

DUE_WINDOWS = (90, 180, 365)


def customer_event_frames(
    facts: Facts, states: pl.DataFrame, masters: Masters, settled: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Event name -> frame: HEAD columns and, but for the first two and `settled_due...`, `amount_cents`.

    charged        a receivable above 0 became known
    disputed_open  a receivable is open and a dispute of its invoice too, one or several
    lost           a receivable of which a write-off settled half or more
    disputed       a dispute is open; its amount is null where the case names none
    unapplied      money that was received and is not allocated
    noted          a credit note stands
    unbilled       an open order, less the invoices that name it
    settled_due    what is settled, with the day on which it fell due
    settled_due_N  of that, what fell due in the last N days or is not due yet, for N of `DUE_WINDOWS`

    states   `features.ledger.receivable_states(facts)`
    settled  the event of that name of `features.events.event_frames`
    """
    return {
        **_settled_by_due(settled, masters.zones),
        "charged": _charged(facts, masters),
        "disputed_open": _disputed_open(facts, states, masters),
        "lost": _event(losses(facts), masters, "amount_minor", "invoice_id", "instalment"),
        "disputed": _disputed(facts, masters),
        "noted": _event(facts.spans("credit_note"), masters, "amount_minor", "credit_note_id"),
        "unapplied": _event(unapplied(facts), masters, "left_minor", "payment_id"),
        "unbilled": _event(unbilled(facts), masters, "left_minor", "order_id"),
    }


def _settled_by_due(settled: pl.DataFrame, zones: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Windows by the day on which it was due: what is paid later stays in the window that it was in.

    By the day of the payment, a late payer's older invoices would come back into the window and dilute the others.
    """
    due = settled.with_columns(due_day=pl.col("paid_day") - pl.col("days_late")).with_columns(
        _due=pl.col("due_day").cast(pl.Int32).cast(pl.Date)
    )
    return {"settled_due": due} | {f"settled_due_{days}": _until(due, zones, days) for days in DUE_WINDOWS}


def _until(due: pl.DataFrame, zones: pl.DataFrame, days: int) -> pl.DataFrame:
    """Visible until `days` days after due, for a cutoff at the start of that day too."""
    ever = due.filter(pl.col("_due").dt.year() < LAST_YEAR).with_columns(_last=pl.col("_due") + pl.duration(days=days))
    gone = with_day_start(ever, "_last", zones, "_gone")
    return gone.with_columns(known_to=pl.min_horizontal("known_to", "_gone"))


def losses(facts: Facts, customers: pl.DataFrame | None = None) -> pl.DataFrame:
    """Receivables as long as the write-offs that stand settle half or more of them; a row for every state of that.

    RECEIVABLE, customer_id, currency, amount_minor (of the receivable), day (of the write-off that made it half),
    known_from, known_to. The few cents that are written off to close a short payment are no loss. With `customers`, a
    frame with their CUSTOMER columns, only what was ever theirs.
    """
    written = facts.spans("allocation").filter(pl.col("kind") == "write_off").with_columns(part_minor="amount_minor")
    key = ("entity_id", "invoice_id")
    touched = _of(facts.spans("invoice").join(written, on=key, how="semi"), customers, key)
    owed = receivable_versions(facts, touched).filter(pl.col("amount_minor") > 0).join(written, on=SETTLES, how="semi")
    states = _states(owed, written, SETTLES)
    half = pl.col("total") * 2 >= pl.col("amount_minor")
    days = (
        _taken(states, written, SETTLES, "date")
        .sort("_state", "date")
        .with_columns(total=pl.col("part_minor").cum_sum().over("_state"))
        .join(states.select("_state", "amount_minor"), on="_state", maintain_order="left")
        .group_by("_state")
        .agg(day=pl.col("date").filter(half).min(), still=half.last())
    )
    lost = states.join(days.filter("still"), on="_state").sort(*RECEIVABLE, "moment")
    return lost.select(
        *RECEIVABLE, "customer_id", "currency", "amount_minor", "day", known_from="moment", known_to="until"
    )


def unapplied(facts: Facts, customers: pl.DataFrame | None = None) -> pl.DataFrame:
    """Payments as long as something of them is not allocated: payment_id and the columns of `left_over`.

    Not while some of it is allocated to another currency by an amount that nobody told. With `customers`, a frame with
    their CUSTOMER columns, only theirs.
    """
    key = ("entity_id", "payment_id")
    own = (*key, "currency")
    money = _of(facts.spans("payment").drop_nulls("customer_id").filter(pl.col("amount_minor") > 0), customers, key)
    spent = facts.spans("allocation").filter(pl.col("kind") == "payment")
    spent = spent.rename({"from_id": "payment_id", "currency": "_settled"}).join(money.select(own).unique(), on=key)
    # what is paid in one currency for another counts in its own, where the books say how much of it that was
    part = pl.when(pl.col("_settled") == pl.col("currency")).then("amount_minor").otherwise("paid_minor")
    return left_over(money, spent.with_columns(part_minor=part), own)


def unbilled(facts: Facts, customers: pl.DataFrame | None = None) -> pl.DataFrame:
    """Open orders as long as invoices leave something of them to bill: order_id and the columns of `left_over`.

    An invoice in another currency than its order bills nothing of it: cents of one are no cents of the other. With
    `customers`, a frame with their CUSTOMER columns, only theirs.
    """
    key = ("entity_id", "order_id", "currency")
    orders = _of(facts.spans("order").filter(pl.col("status") == "open", pl.col("amount_minor") > 0), customers, key)
    billed = facts.spans("invoice").drop_nulls("order_id").with_columns(part_minor="amount_minor")
    return left_over(orders, billed, key)


def left_over(wholes: pl.DataFrame, parts: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """Every state in which something of a whole is left: the columns of `wholes`, `left_minor`, known_from, known_to.

    wholes  key, customer_id, currency, amount_minor and the span of each version
    parts   key, part_minor and the span of each version; while one stands that is null, nobody can tell what is left
    """
    parts = parts.join(wholes, on=key, how="semi")
    states = _states(wholes, parts, key)
    part = pl.col("part_minor")
    sums = _taken(states, parts, key).group_by("_state").agg(part.sum(), _told=part.is_not_null().all())
    return (
        states.join(sums, on="_state", how="left")
        .with_columns(left_minor=pl.col("amount_minor") - part.fill_null(0))
        .filter((pl.col("left_minor") > 0) & pl.col("_told").fill_null(value=True))
        .drop("_state", "part_minor", "_told")
        .rename({"moment": "known_from", "until": "known_to"})
        .sort(*key, "known_from")
    )


def _of(rows: pl.DataFrame, customers: pl.DataFrame | None, key: tuple[str, ...]) -> pl.DataFrame:
    """Every version of what was ever one of the `customers`', or of everything."""
    if customers is None:
        return rows
    return rows.join(rows.join(customers, on=CUSTOMER, how="semi"), on=key, how="semi")


def _states(wholes: pl.DataFrame, parts: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """The columns of `wholes`, from `moment` `until` the next at which it or a part of it changed, and `_state`."""
    changes = [frame.select(*key, moment=column) for frame in (wholes, parts) for column in SPAN]
    moments = pl.concat(changes).drop_nulls().unique().sort(*key, "moment")
    moments = moments.with_columns(until=pl.col("moment").shift(-1).over(key))
    return moments.join(wholes, on=key).filter(_stands()).drop(SPAN).with_row_index("_state")


def _taken(states: pl.DataFrame, parts: pl.DataFrame, key: tuple[str, ...], *more: str) -> pl.DataFrame:
    """`_state`, part_minor and `more` of every part that stands in each state."""
    taken = states.select(*key, "_state", "moment").join(parts.select(*key, "part_minor", *more, *SPAN), on=key)
    return taken.filter(_stands()).select("_state", "part_minor", *more)


def _stands() -> pl.Expr:
    """Whether what has a span stands at `moment`."""
    ends = pl.col("known_to").is_null() | (pl.col("moment") < pl.col("known_to"))
    return (pl.col("known_from") <= pl.col("moment")) & ends


def _charged(facts: Facts, masters: Masters) -> pl.DataFrame:
    owed = masters.looked_up(receivable_versions(facts).filter(pl.col("amount_minor") > 0))
    return owed.select(*HEAD[:3], pl.concat_str(RECEIVABLE, separator="/").alias("event_id"), *SPAN)


def _disputed(facts: Facts, masters: Masters) -> pl.DataFrame:
    return _event(facts.spans("dispute").filter(pl.col("status") == "open"), masters, "amount_minor", "dispute_id")


def _disputed_open(facts: Facts, states: pl.DataFrame, masters: Masters) -> pl.DataFrame:
    cases = facts.spans("dispute").filter(pl.col("status") == "open").drop_nulls("invoice_id")
    told = cases.select("entity_id", "invoice_id", case_from="known_from", case_to="known_to")
    both = (
        states.filter(pl.col("open_minor") > 0)
        .select(*RECEIVABLE, "customer_id", *SPAN)
        .join(told, on=["entity_id", "invoice_id"])
        .with_columns(
            known_from=pl.max_horizontal("known_from", "case_from"), known_to=pl.min_horizontal("known_to", "case_to")
        )
        .filter(pl.col("known_to").is_null() | (pl.col("known_from") < pl.col("known_to")))
    )
    return masters.looked_up(_merged(both, (*RECEIVABLE, "customer_id"))).select(
        *HEAD[:3], pl.concat_str(RECEIVABLE, separator="/").alias("event_id"), *SPAN
    )


def _merged(spans: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """`key` and SPAN: spans of one key that touch or overlap are one; a null `known_to` has no end."""
    ordered = spans.sort(*key, "known_from", pl.col("known_to"), nulls_last=True)
    endless = pl.col("known_to").is_null().cast(pl.Int32).cum_max().shift(1).over(key) == 1
    reached = pl.col("known_to").cum_max().shift(1).over(key)
    goes_on = (endless | (pl.col("known_from") <= reached)).fill_null(value=False)
    runs = ordered.with_columns(_run=(~goes_on).cum_sum())
    last = pl.when(pl.col("known_to").is_not_null().all()).then(pl.col("known_to").max())
    return runs.group_by(*key, "_run", maintain_order=True).agg(pl.col("known_from").min(), known_to=last).drop("_run")


def _event(rows: pl.DataFrame, masters: Masters, minor: str, *identity: str) -> pl.DataFrame:
    return masters.valued(rows).select(
        *HEAD[:3],
        pl.concat_str(identity, separator="/").alias("event_id"),
        *SPAN,
        amount_cents=cents(minor),
    )
