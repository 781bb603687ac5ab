"""Odd documents one by one: their amount, their hour, their account, their day, or how close they are to a limit."""

import numpy as np

from services.sandbox.anomaly_desk import Desk, Row
from services.sandbox.calendars import month_start, months

# wide and smooth on purpose: nothing here may know from when on a rule speaks
TIMES = (3.0, 30.0)
NIGHTS = ((20.0, 23.9), (3.1, 6.0))  # not the hour that a clock may leave out
JUST_BELOW = (0.85, 0.999)
BATCH, BATCH_DAYS = (4, 16), (5, 31)
BACK_DAYS, CLOSED_DAY = (15, 91), 2
CHANGED_DAYS, LEAST_PAID, LARGE_TIMES = (0, 31), 12, (1.5, 8.0)


def unusual_amount(desk: Desk, _wanted: int) -> None:
    """An invoice or a credit note of 3 to 30 times the customer's own habit, beyond anything it had before."""
    base = desk.pick(desk.bases) if desk.bases else None
    if base is None:
        return
    past = desk.past(base)
    times = float(np.exp(desk.rng.uniform(*np.log(TIMES))))
    if times * np.median(past) <= max(past):
        return
    day, minor = desk.working(base["_entity"], base["_day"] + 1), round(times * np.median(past))
    desk.begin()
    why = f"{times:.0f} times the customer's median"
    if desk.chance(0.75):
        desk.odd("unusual_amount", "invoice", desk.invoice(base, day, minor), why)
    else:
        desk.odd("unusual_amount", "credit_note", desk.credit(base, day, minor), why)


def unusual_timing(desk: Desk, _wanted: int) -> None:
    """Booked on a Sunday or in the night, by nobody's habit."""
    base = desk.pick(desk.bases) if desk.bases else None
    if base is None or desk.history.window.end - base["_day"] < 8:
        return
    sunday = desk.chance(0.5)
    day = base["_day"] + (10 - base["_day"]) % 7 if sunday else desk.working(base["_entity"], base["_day"] + 1)
    hours = (8.0, 20.0) if sunday else NIGHTS[int(desk.rng.integers(2))]
    why = "on a Sunday" if sunday else "in the night"
    local, amount = desk.moment(day, hours), desk.usual(base)
    desk.begin()
    paid = desk.payments_of.get((base["_entity"], base["customer_id"], base["currency"]), [])
    table = desk.pick(["invoice", "invoice", "credit_note", "payment" if paid else "invoice"])
    if table == "payment":
        back = desk.payment(paid[0], day, -amount, local=None, _local=local)
        desk.odd("unusual_timing", table, back, f"sent back {why}")
    elif table == "invoice":
        desk.odd("unusual_timing", table, desk.invoice(base, day, amount, local=local), f"booked {why}")
    else:
        desk.odd("unusual_timing", table, desk.credit(base, day, amount, _local=local), f"booked {why}")


def account_changed(desk: Desk, _wanted: int) -> None:
    """Money sent back to an account put on file days before, or a large payment from one never seen."""
    if not desk.paid:
        return
    base = desk.pick(desk.paid)
    past = [p["amount_minor"] for p in desk.payments_of[base["_entity"], base["customer_id"], base["currency"]]]
    if len(past) < LEAST_PAID:
        return
    middle, day = float(np.median(past)), desk.working(base["_entity"], base["_day"] + 2)
    account = desk.account(str(base["payer_account"])[:2])
    desk.begin()
    if desk.chance(0.5):
        amount = round(middle * desk.rng.uniform(*LARGE_TIMES))
        paid = desk.payment(base, day, amount, payer_account=account)
        desk.odd("account_changed", "payment", paid, "large, from an account never seen")
        return
    before = day - int(desk.rng.integers(*CHANGED_DAYS))
    if desk.change_account(base["_entity"], base["customer_id"], before, account) is not None:
        back = desk.payment(base, day, -round(middle * desk.rng.uniform(0.5, 1.5)), payer_account=account)
        desk.odd("account_changed", "payment", back, f"sent back {day - before} days after the account changed")


def below_approval_limit(desk: Desk, _wanted: int) -> None:
    """A credit note or refund just below what a clerk may do alone, often two on one day."""
    base = desk.at_home()
    if base is None:
        return
    day, split = desk.working(base["_entity"], base["_day"] + 1), desk.chance(0.5)
    paid = desk.payments_of.get((base["_entity"], base["customer_id"], base["currency"]), [])
    refund = bool(paid) and desk.chance(0.35)
    desk.begin()
    for _ in range(2 if split else 1):
        amount = int(desk.limit_minor * desk.rng.uniform(*JUST_BELOW))
        row = desk.payment(paid[-1], day, -amount) if refund else desk.credit(base, day, amount)
        desk.odd("below_approval_limit", "payment" if refund else "credit_note", row, "just below the limit")


def round_sums(desk: Desk, wanted: int) -> None:
    """Over some weeks one entity posts credit notes, or invoices, of round or invented amounts."""
    start = desk.at_home()
    if start is None or desk.history.window.end - start["_day"] < 2 * BATCH_DAYS[1]:
        return
    near = [b for b in desk.bases if b["_entity"] == start["_entity"] and b["currency"] == start["currency"]]
    credit, invented, days = desk.chance(0.6), desk.chance(0.4), int(desk.rng.integers(*BATCH_DAYS))
    desk.begin()
    for _ in range(min(int(desk.rng.integers(*BATCH)), max(wanted, BATCH[0]))):
        base = desk.pick(near)
        day = desk.working(start["_entity"], start["_day"] + int(desk.rng.integers(days)))
        amount = _invented(desk, base) if invented else _round(desk, base)
        written = {**base, "_day": day}
        row = desk.credit(written, day, amount) if credit else desk.invoice(base, day, amount)
        why = "one of a batch of invented amounts" if invented else "one of a batch of round amounts"
        desk.odd("round_sums", "credit_note" if credit else "invoice", row, why)


def _round(desk: Desk, base: Row) -> int:
    """An amount as the customer has them, in whole hundreds."""
    return max(round(desk.usual(base) / 10_000), 1) * 10_000


def _invented(desk: Desk, base: Row) -> int:
    """An amount of the usual length as people make them up: large first digits, the same cents."""
    length = len(str(desk.usual(base)))
    first = int(desk.rng.integers(5, 10)) * 10 ** (length - 1)
    rest = int(desk.rng.integers(0, 10 ** (length - 3))) * 100
    cents = int(desk.pick([0, 50, 99]))
    return int(first + rest + cents)


def backdated_posting(desk: Desk, _wanted: int) -> None:
    """A document of a month long closed, known weeks later."""
    base = desk.pick(desk.bases) if desk.bases else None
    if base is None:
        return
    day = base["_day"]
    known = desk.working(base["_entity"], day + int(desk.rng.integers(*BACK_DAYS)))
    next_month = int(month_start(months(np.array([day])) + 1)[0])
    known = max(known, desk.working(base["_entity"], next_month + CLOSED_DAY))
    if known >= desk.history.window.end:
        return
    desk.begin()
    why = f"of {known - day} days before it was booked"
    if desk.chance(0.5):
        row = desk.invoice(base, day, desk.usual(base), local=desk.moment(known))
        desk.odd("backdated_posting", "invoice", row, why)
    else:
        note = desk.credit(base, day, desk.usual(base), _local=desk.moment(known))
        desk.odd("backdated_posting", "credit_note", note, why)
