"""A synthetic ledger as event frames, made directly at any size, for benches of the engine."""

import numpy as np
import polars as pl

from features.tables import INSTANT

MS_PER_DAY = 86_400_000
FIRST_DAY = 18_262  # 2020-01-01
DAYS = 1_460
ROWS_PER_CUSTOMER = 100
CORRECTED_SHARE = 0.01
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def invoices(rows: int, seed: int = 7) -> pl.DataFrame:
    """One invoice a row, in order of issue: whose, when issued, due and paid (days since 1970), how much."""
    rng = np.random.default_rng(seed)
    customers = max(rows // ROWS_PER_CUSTOMER, 1)
    customer = (customers * rng.beta(0.9, 1.1, rows)).astype(np.int64).clip(0, customers - 1)
    issue = np.sort(rng.integers(FIRST_DAY, FIRST_DAY + DAYS, rows))
    due = issue + rng.choice([14, 30, 60], rows)
    habit = rng.normal(4, 8, customers)[customer]
    paid = np.maximum(due + np.rint(rng.gamma(2, 5, rows) - 6 + habit).astype(np.int64), issue)
    amount_cents = np.rint(np.exp(rng.normal(12, 1.2, rows))).astype(np.int64)
    number = pl.Series("n", np.arange(rows))
    drawn = {"_customer": customer, "issue": issue, "due": due, "paid": paid, "amount_cents": amount_cents}
    return pl.DataFrame(drawn).select(
        pl.format("E{}", pl.col("_customer") % 3).alias("entity_id"),
        pl.format("C{}", pl.col("_customer").cast(pl.String).str.zfill(6)).alias("customer_id"),
        pl.format("S{}", pl.col("_customer") % 7).alias("segment"),
        pl.format("I{}", number.cast(pl.String).str.zfill(8)).alias("event_id"),
        "issue",
        "due",
        "paid",
        "amount_cents",
        pl.Series("corrected", rng.random(rows) < CORRECTED_SHARE),
    )


def subjects(ledger: pl.DataFrame) -> pl.DataFrame:
    """Each invoice at the start of its issue day."""
    return ledger.select(
        "entity_id",
        "customer_id",
        "segment",
        pl.col("event_id").alias("invoice_id"),
        pl.col("issue").cast(pl.Int32).cast(pl.Date).alias("cutoff_day"),
        _instant(pl.col("issue")).alias("cutoff"),
    )


def events(ledger: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Event frames of the same names and columns as the house's own, as far as the bench's features read them."""
    open_until_paid = {"known_from": pl.col("issue"), "known_to": pl.col("paid")}
    return {
        "settled": _settled(ledger),
        "invoiced": _frame(ledger, known_from=pl.col("issue"), known_to=None).with_columns(
            _log_amount(), terms_days=pl.col("due") - pl.col("issue"), issue_day=pl.col("issue")
        ),
        "open": _open(ledger, **open_until_paid),
        "overdue_0": _open(
            ledger.filter(pl.col("paid") > pl.col("due")), known_from=pl.col("due"), known_to=pl.col("paid")
        ),
        "overdue_30": _open(
            ledger.filter(pl.col("paid") > pl.col("due") + 30), known_from=pl.col("due") + 30, known_to=pl.col("paid")
        ),
        "paid": _frame(ledger, known_from=pl.col("paid"), known_to=None).with_columns(value_day=pl.col("paid")),
    }


def _settled(ledger: pl.DataFrame) -> pl.DataFrame:
    """One event per invoice; the corrected ones were a day earlier at first, and put right nine days later."""
    right = ledger.with_columns(_since=pl.col("paid") + 9 * pl.col("corrected"), _until=pl.lit(None, pl.Int64))
    wrong = ledger.filter("corrected").with_columns(
        paid=pl.col("paid") - 1, _since=pl.col("paid"), _until=pl.col("paid") + 9
    )
    both = pl.concat([right, wrong])
    late = pl.col("paid") - pl.col("due")
    weekday = (pl.col("paid") + 3) % 7
    return (
        _frame(both, known_from=pl.col("_since"), known_to=pl.col("_until"))
        .with_columns(
            _log_amount(),
            days_late=late,
            business_days_late=late * 5 // 7,
            days_to_settle=pl.col("paid") - pl.col("issue"),
            is_late=late > 0,
            is_late_8=late > 7,
            is_late_31=late > 30,
            on_time=late == 0,
            paid_day=pl.col("paid"),
            paid_month_end=pl.col("paid") % 30 > 26,
            paid_mid_month=(pl.col("paid") % 30).is_between(13, 17),
            late_cents_days=late.clip(lower_bound=0) * pl.col("amount_cents"),
            **{f"paid_{name}": weekday == number for number, name in enumerate(WEEKDAYS)},
        )
        .with_columns(late_x_log_amount=pl.col("days_late") * pl.col("log_amount"))
    )


def _open(ledger: pl.DataFrame, *, known_from: pl.Expr, known_to: pl.Expr) -> pl.DataFrame:
    return _frame(ledger, known_from=known_from, known_to=known_to).with_columns(
        open_cents=pl.col("amount_cents"), due_day=pl.col("due"), partly_paid=pl.col("amount_cents") % 5 == 0
    )


def _frame(ledger: pl.DataFrame, *, known_from: pl.Expr, known_to: pl.Expr | None) -> pl.DataFrame:
    until = pl.lit(None, pl.Int64) if known_to is None else known_to
    return ledger.with_columns(_instant(known_from).alias("known_from"), _instant(until).alias("known_to"))


def _instant(day: pl.Expr) -> pl.Expr:
    return (day * MS_PER_DAY).cast(INSTANT)


def _log_amount() -> pl.Expr:
    return (pl.col("amount_cents") / 100).log1p().mul(1000).round().cast(pl.Int64).alias("log_amount")
