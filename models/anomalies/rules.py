"""What makes a document odd, rule by rule: which comparison, from when on, and how it is said.

A strength is 0 where the comparison is as usual or cannot be made, and 1 where it could hardly be odder. Rules read
the columns of `features.comparisons` only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import polars as pl

from features.watchers_of_twins import FORMS, PLAIN
from models.anomalies import wording

Words = Callable[[Mapping[str, Any]], str]
WORTH_SAYING = 0.2  # strength from which a rule is evidence, and gives a document its kind
TELLING = len(FORMS) - len(PLAIN)  # ranks below are of numbers that honest documents do not have


@dataclass(frozen=True)
class Rule:
    """`weight`: how much of the evidence a strength of 1 is, judged by us; feedback judges anew."""

    name: str
    kind: str
    compares: str
    weight: float
    strength: Callable[[], pl.Expr]
    words: Words


def ramp(value: pl.Expr, low: float, high: float) -> pl.Expr:
    """0 at `low`, 1 at `high`, a straight line between; also downhill. Null is 0."""
    return ((value - low) / (high - low)).clip(0.0, 1.0).fill_null(0.0)


def rise(value: pl.Expr, low: float, high: float) -> pl.Expr:
    """A ramp of the logarithm, for what differs by factors: from 2 to 4 is as far as from 4 to 8."""
    return ramp(value.log(), log(low), log(high))


def _of(*tables: str) -> pl.Expr:
    return pl.col("table").is_in(tables).cast(pl.Float64)


def _is(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False).cast(pl.Float64)


def _col(name: str) -> pl.Expr:
    return pl.col(name)


def _stays() -> pl.Expr:
    """Less where such twins were taken back before: three or more of them make it a habit."""
    habit = _col("form_back_share") * (_col("form_back_count") / 3).clip(0.0, 1.0)
    return 1.0 - habit.fill_null(0.0)


def _twin_number() -> pl.Expr:
    near = _is(_col("twin_rank") < TELLING) * ramp(_col("twin_days"), 70, 0)
    repeats = pl.when(_col("twin_form") == "transposed").then(_col("repeat_share").fill_null(0.0)).otherwise(0.0)
    return _of("invoice", "credit_note") * near * (1 - repeats) * _stays()


def _paid_twice() -> pl.Expr:
    alike = _col("twin_form").is_in(["same", "spelling", "affix"])
    same = _is(alike & (_col("twin_minor") < 1) & (_col("amount_minor") > 0))
    habit = ramp(_col("alike_share"), 0.2, 0.0)  # instalments of one invoice come with one reference
    return _of("payment") * same * habit * ramp(_col("twin_days"), 45, 0) * _stays()


def _paid_alike() -> pl.Expr:
    blank = _is((_col("twin_form") == "blank") & (_col("twin_minor") < 1) & (_col("amount_minor") > 0))
    return _of("payment") * blank * ramp(_col("twin_days"), 20, 0) * ramp(_col("repeat_share"), 0.1, 0.0) * _stays()


def _amount() -> pl.Expr:
    own = rise(_col("amount_times"), 2, 16) * rise(_col("amount_most_times"), 0.7, 2.5)
    return _of("invoice") * own * ramp(_col("amount_z"), 1.5, 5) * ramp(_col("amount_count"), 6, 25)


def _credit_amount() -> pl.Expr:
    most = ramp(_col("invoice_most_times"), 0.8, 1.6)
    return _of("credit_note", "write_off") * ramp(_col("invoice_times"), 2, 8) * most


def _weekday() -> pl.Expr:
    own = ramp(_col("own_weekday_share"), 0.08, 0.02)
    return ramp(_col("weekday_share"), 0.02, 0.005) * pl.when(_col("own_weekday_share").is_null()).then(0.8).otherwise(
        own
    )


def _hour() -> pl.Expr:
    own = ramp(_col("own_hour_share"), 0.1, 0.02)
    return ramp(_col("hour_share"), 0.05, 0.01) * pl.when(_col("own_hour_share").is_null()).then(0.7).otherwise(own)


def _refund_to_new_account() -> pl.Expr:
    back = _is(_col("amount_minor") < 0)
    return _of("payment") * back * ramp(_col("account_changed_days"), 90, 0) * _is(_col("account_seen") < 1)


def _paid_from_new_account() -> pl.Expr:
    unseen = _is((_col("account_seen") < 1) & (_col("account_on_file_same") < 1) & (_col("amount_minor") > 0))
    return (
        _of("payment") * unseen * ramp(_col("account_payments"), 3, 8) * (0.3 + 0.7 * ramp(_col("amount_times"), 1, 4))
    )


def _near_limit() -> pl.Expr:
    below = _is(_col("limit_share") <= 1.0) * ramp(_col("limit_share"), 0.75, 1.0)
    usual = ramp(_col("limit_usual_share"), 0.2, 0.0)
    large = ramp(_col("invoice_times"), 0.5, 3)
    return usual * below * (0.5 + 0.3 * large) + usual * _is(below > 0) * 0.4 * _is(_col("limit_same_day") > 0)


def _neat_batch() -> pl.Expr:
    return _is(_col("neat") > 0) * ramp(_col("neat_rarity"), 1.8, 3.6)


def _digit_batch() -> pl.Expr:
    shifted = ramp(_col("digit_rarity"), 3.0, 6.0) * ramp(_col("digit_effect"), 0.3, 0.9)
    return shifted * ramp(_col("digit_surprise"), 1.8, 2.8)


def _backdated() -> pl.Expr:
    closed = _is((_col("lag_months") >= 1) & (_col("lag_days") > _col("lag_usual_days")))
    rare = ramp(_col("lag_rare_share"), 0.05, 0.0)
    return _of("invoice", "credit_note") * closed * rare * ramp(_col("lag_days"), 5, 45)


def _loop() -> pl.Expr:
    credited = _of("credit_note") * ramp(_col("loop_rounds"), 0, 1)
    return credited + _of("invoice") * ramp(_col("loop_rounds"), 1, 2)


def _feed_lack() -> pl.Expr:
    return _of("feed") * ramp(_col("feed_rarity"), 1.7, 3.5)


def _feed_flood() -> pl.Expr:
    caught_up = ramp(_col("feed_z"), 1.5, 3.0) * ramp(_col("feed_lost"), 0.0, 5.0)
    alone = 0.3 * ramp(_col("feed_z"), 2.5, 4.0)
    return _of("feed") * pl.max_horizontal(caught_up, alone) * ramp(_col("feed_usual"), 2.0, 5.0)


RULES = (
    Rule("twin_number", "duplicate_invoice", "the customer's documents of the last days with about this amount",
         0.95, _twin_number, wording.twin),
    Rule("paid_twice", "duplicate_payment", "the customer's payments of the last days with this amount and reference",
         0.95, _paid_twice, wording.paid_twice),
    Rule("paid_alike", "duplicate_payment", "the customer's payments of the last days with this amount",
         0.4, _paid_alike, wording.paid_alike),
    Rule("own_amount", "unusual_amount", "the customer's own invoices", 0.9, _amount, wording.amount),
    Rule("credit_amount", "unusual_amount", "the customer's invoices", 0.9, _credit_amount, wording.credit_amount),
    Rule("odd_weekday", "unusual_timing", "the weekdays on which this entity books", 0.9, _weekday, wording.weekday),
    Rule("odd_hour", "unusual_timing", "the hours at which this entity books", 0.9, _hour, wording.hour),
    Rule("refund_to_new_account", "account_changed", "the account on file and those used before",
         0.95, _refund_to_new_account, wording.refund_account),
    Rule("paid_from_new_account", "account_changed", "the accounts that this payer used before",
         0.8, _paid_from_new_account, wording.paying_account),
    Rule("near_limit", "below_approval_limit", "the entity's approval limit", 0.8, _near_limit, wording.limit),
    Rule("neat_batch", "round_sums", "the entity's round amounts of the last weeks and before",
         0.85, _neat_batch, wording.neat),
    Rule("digit_batch", "round_sums", "the first digits of the entity's amounts", 0.5, _digit_batch, wording.digits),
    Rule("backdated", "backdated_posting", "how late this entity usually books", 0.9, _backdated, wording.lag),
    Rule("loop", "rebill_loop", "credit notes and invoices of the same claim", 0.9, _loop, wording.loop),
    Rule("feed_lack", "feed_break", "what the feed brings on such days", 0.9, _feed_lack, wording.feed),
    Rule("feed_flood", "feed_break", "what the feed brings on such days", 0.7, _feed_flood, wording.feed),
)  # fmt: skip
KINDS = tuple(dict.fromkeys(r.kind for r in RULES))

# no comparison of documents: `models.anomalies.controls` makes its rows, the model does not learn it
CONTROL = Rule("control_total", "feed_break", "what the source says that it holds", 0.95,
               lambda: pl.col("control_total"), wording.control)  # fmt: skip


def strengths(frame: pl.DataFrame) -> pl.DataFrame:
    """A Float64 column for every rule, 0 to 1, row for row."""
    return frame.select(r.strength().cast(pl.Float64).fill_null(0.0).alias(r.name) for r in RULES)
