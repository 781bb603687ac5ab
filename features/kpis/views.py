"""What the measures add up: small frames of the books as of a day, each with entity_id, currency and customer_id.

Every sum is over whole minor units of one entity's one currency, so that it is exact and its order means nothing.
"""

from collections.abc import Callable
from datetime import timedelta

import polars as pl

from features.kpis.asof import AsOf
from features.kpis.cycle import settled_invoices
from features.kpis.promises import promises_due
from features.kpis.rolls import rolls
from features.kpis.settings import KpiSettings

KEY = ("entity_id", "currency", "customer_id")
View = Callable[[AsOf, KpiSettings], pl.DataFrame]


def receivables(at: AsOf, _settings: KpiSettings) -> pl.DataFrame:
    """What is open, of either sign: `bucket`, `open_minor`."""
    return at.receivables.select(*KEY, "bucket", "open_minor")


def movements(at: AsOf, settings: KpiSettings) -> pl.DataFrame:
    """Every receivable with `sold_minor` and `beginning_minor`, both by what is known now of their dates.

    Sold is the amount of what was issued since the period began (also what is dated ahead: it is in the receivables).
    The beginning is what was issued before, less what settled it by a date before: restated, not as the books stood.
    """
    began = pl.col("cutoff_day") - timedelta(days=settings.days)
    receivable = ["entity_id", "invoice_id", "instalment"]
    before = at.allocations.filter(pl.col("date") < began).group_by(receivable)
    settled = before.agg(_settled=pl.col("amount_minor").sum())
    old = pl.col("issue_date") < began
    return at.ledger.join(settled, on=receivable, how="left", maintain_order="left").select(
        *KEY,
        sold_minor=pl.when(~old).then("amount_minor").otherwise(0),
        beginning_minor=pl.when(old).then(pl.col("amount_minor") - pl.col("_settled").fill_null(0)).otherwise(0),
    )


def credit_notes(at: AsOf, _settings: KpiSettings) -> pl.DataFrame:
    """Credit notes with `left_minor`: negative while not all of it is allocated, null where that cannot be told."""
    return _left(at, "credit_note", sign=1)


def payments(at: AsOf, _settings: KpiSettings) -> pl.DataFrame:
    """Payments with `left_minor`: cash that nobody has allocated, null where that cannot be told."""
    return _left(at, "payment", sign=-1)


def disputes(at: AsOf, settings: KpiSettings) -> pl.DataFrame:
    """Deductions: `disputed_minor`, `is_open`, `is_new` (opened since the period began).

    Where a case says no amount, an open one is about what is open of its invoice and no other open case names; the
    first of several such cases, so that nothing counts twice. Null where nobody can tell.
    """
    on = ["entity_id", "invoice_id", "currency"]
    owed = at.receivables.group_by(on).agg(_open=pl.col("open_minor").sum())
    is_open = pl.col("status") == "open"
    told = at.facts("dispute").sort("entity_id", "dispute_id").join(owed, on=on, how="left", maintain_order="left")
    named = pl.col("amount_minor").filter(is_open).sum().over(on)
    silent = is_open & pl.col("amount_minor").is_null()
    rest = pl.when(silent.cum_sum().over(on) == 1).then((pl.col("_open") - named).clip(lower_bound=0)).otherwise(0)
    return told.select(
        *KEY,
        disputed_minor=pl.coalesce("amount_minor", pl.when(silent & pl.col("_open").is_not_null()).then(rest)),
        is_open=is_open,
        is_new=pl.col("opened_on") >= pl.col("cutoff_day") - timedelta(days=settings.days),
    )


def promises(at: AsOf, settings: KpiSettings) -> pl.DataFrame:
    """Promises that fell due in the period: `amount_minor`, `kept`."""
    return promises_due(at, days=settings.days, tolerance_days=settings.tolerance_days)


def rolled(at: AsOf, settings: KpiSettings) -> pl.DataFrame:
    """What was owed a step ago: `bucket`, `from_minor`, `rolled_minor`."""
    return rolls(at, settings.roll_days)


def settled(at: AsOf, settings: KpiSettings) -> pl.DataFrame:
    """Invoices settled in the period: `cycle_days`."""
    return settled_invoices(at.earlier(settings.days), at)


VIEWS: dict[str, View] = {
    view.__name__: view
    for view in (receivables, movements, credit_notes, payments, disputes, promises, rolled, settled)
}


def _left(at: AsOf, table: str, *, sign: int) -> pl.DataFrame:
    """The documents of `table` with what is left of each after the allocations from it, in its own currency."""
    own_id = f"{table}_id"
    documents = at.facts(table)
    parts = at.allocations.filter(pl.col("kind") == table).select(
        "entity_id", "from_id", "paid_minor", part_minor="amount_minor", part_currency="currency"
    )
    drawn = documents.join(parts, left_on=["entity_id", own_id], right_on=["entity_id", "from_id"])
    # what is paid in one currency for another counts in its own, where the books say how much of it that was
    used = pl.when(pl.col("part_currency") == pl.col("currency")).then("part_minor").otherwise("paid_minor")
    sums = drawn.group_by("entity_id", own_id).agg(_used=used.sum(), _unknown=(used.is_null()).any())
    known = ~pl.col("_unknown").fill_null(value=False)
    left = pl.col("amount_minor") + sign * pl.col("_used").fill_null(0)
    return documents.join(sums, on=["entity_id", own_id], how="left", maintain_order="left").select(
        *KEY, own_id, left_minor=pl.when(known).then(left)
    )
