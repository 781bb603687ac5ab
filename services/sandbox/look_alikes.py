"""What only looks odd and is fine: the honest company in which the odd documents hide."""

import numpy as np
import polars as pl

from services.sandbox.anomaly_desk import Desk
from services.sandbox.anomaly_twins import credit_and_rebill
from services.sandbox.clerks import MICROSECONDS_A_DAY, MICROSECONDS_AN_HOUR

CHANGED_A_YEAR = 0.03  # of customers: a new bank, told in good time
NIGHT_SHARE, NIGHT_HOURS = 0.03, (20.0, 23.9)  # of customers: billed by a job that runs in the evening
QUARTERLY_SHARE, QUARTERLY_TIMES = 0.03, (3.0, 12.0)
LATE_DAYS = 6.0  # in the mean: one in ten comes after more than two weeks
CORRECTED_DAYS = (2, 46)
REFUNDED_SHARE, REFUND_DAYS = 0.004, (3, 40)  # of payments: money paid in error goes back to where it came from


def put_in(desk: Desk, wanted: int) -> None:
    """All of them; `wanted` is how many records of each odd kind there will be."""
    _new_banks(desk)
    _billed_at_night(desk)
    _quarterly(desk)
    _refunds(desk)
    for _ in range(wanted if desk.bases else 0):
        _flat_credit(desk)
        _late_credit(desk)
        _corrected(desk)


def _new_banks(desk: Desk) -> None:
    """A new account on file, and every payment from then on comes from it."""
    window = desk.history.window
    payers = sorted({(p["_entity"], p["customer_id"]) for p in desk.payments if p["customer_id"]})
    for entity, customer in payers:
        if not desk.chance(CHANGED_A_YEAR * (window.end - window.start) / 365):
            continue
        day = desk.working(entity, int(desk.rng.integers(window.start + 60, window.end)))
        account = desk.account("DE")
        before = desk.change_account(entity, customer, day, account)
        if before is not None:
            switch = {"_entity": entity, "old": before, "new": account, "day": day + int(desk.rng.integers(0, 25))}
            desk.moved.append(switch)


def _billed_at_night(desk: Desk) -> None:
    """Every invoice of some customers is booked in the evening of its day."""
    draft = desk.drafts["invoice"]
    keys = draft.select("_entity", "customer_id").unique().sort("_entity", "customer_id")
    nightly = keys.filter(pl.Series([desk.chance(NIGHT_SHARE) for _ in range(len(keys))], dtype=pl.Boolean))
    nightly = nightly.with_columns(_night=pl.lit(value=True))
    evening = desk.rng.uniform(*NIGHT_HOURS, size=len(draft)) * MICROSECONDS_AN_HOUR
    same_day = pl.col("_local") // MICROSECONDS_A_DAY == pl.col("issue_date").cast(pl.Int32).cast(pl.Int64)
    night = pl.col("issue_date").cast(pl.Int32).cast(pl.Int64) * MICROSECONDS_A_DAY + pl.Series(
        evening.astype(np.int64)
    )
    joined = draft.join(nightly, on=["_entity", "customer_id"], how="left", maintain_order="left")
    moved = pl.when(pl.col("_night").fill_null(value=False) & same_day & ~pl.col("deleted")).then(night)
    desk.drafts["invoice"] = joined.with_columns(_local=moved.otherwise("_local")).drop("_night")


def _quarterly(desk: Desk) -> None:
    """Some customers get a big invoice each quarter, from the start."""
    for rows in desk.by_customer.values():
        if len(rows) < 20 or not desk.chance(QUARTERLY_SHARE):
            continue
        usual = float(np.median([r["amount_minor"] for r in rows]))
        for day in range(rows[0]["_day"] + 40, desk.history.window.end, 91):
            amount = round(usual * desk.rng.uniform(*QUARTERLY_TIMES))
            desk.invoice(rows[0], desk.working(rows[0]["_entity"], day), amount)


def _refunds(desk: Desk) -> None:
    """Some payments go back in whole or in part, to the account that they came from."""
    for paid in desk.paid:
        day = paid["_day"] + int(desk.rng.integers(*REFUND_DAYS))
        if not desk.chance(REFUNDED_SHARE) or day >= desk.history.window.end - 5:
            continue
        share = 1.0 if desk.chance(0.5) else desk.rng.uniform(0.1, 1.0)
        desk.payment(paid, desk.working(paid["_entity"], day), -round(paid["amount_minor"] * share))


def _flat_credit(desk: Desk) -> None:
    """A flat discount, in whole fifties, on any day."""
    base = desk.pick(desk.bases)
    amount = max(round(desk.usual(base) * 0.3 / 5_000), 1) * 5_000
    desk.credit(base, base["_day"], amount, reason="discount_or_promotion")


def _late_credit(desk: Desk) -> None:
    """A credit note booked days after its date, a few of them weeks later and in the month after."""
    base = desk.pick(desk.bases)
    known = desk.working(base["_entity"], base["_day"] + 1 + int(desk.rng.exponential(LATE_DAYS)))
    if known < desk.history.window.end:
        desk.credit(base, base["_day"], round(desk.usual(base) * 0.4), _local=desk.moment(known))


def _corrected(desk: Desk) -> None:
    """A wrong invoice credited in full and billed anew, once."""
    base = desk.pick(desk.bases)
    amount = desk.usual(base)
    invoice = desk.invoice(base, base["_day"], amount)
    day = desk.working(base["_entity"], base["_day"] + int(desk.rng.integers(*CORRECTED_DAYS)))
    if day < desk.history.window.end - 5:
        credit_and_rebill(desk, invoice, day, amount)
