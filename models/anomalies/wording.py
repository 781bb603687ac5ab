"""Evidence in words: the comparison that makes a document odd, with its numbers."""

from collections.abc import Mapping
from typing import Any

from features.money import from_minor

Row = Mapping[str, Any]
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FORM_WORDS = {
    "same": "the same number",
    "spelling": "the same number, spelt differently",
    "look_alike": "the same number but for look-alike letters",
    "transposed": "the same number with two digits swapped",
    "affix": "the same number with something added",
    "blank": "no number to tell them apart",
    "digit": "a number that differs in one place",
    "none": "another number",
}


def money(minor: float, currency: str) -> str:
    """`1,204.50 EUR`."""
    return f"{from_minor(round(minor), currency):,} {currency}"


def twin(row: Row) -> str:
    """The document that it repeats."""
    off = "the same amount" if not row["twin_minor"] else f"{money(row['twin_minor'], row['currency'])} apart"
    return (
        f"{money(row['amount_minor'], row['currency'])}, like {row['twin_id']} of the same customer: {off}, "
        f"{row['twin_days']:.0f} days apart, {FORM_WORDS[row['twin_form']]}"
    )


def amount(row: Row) -> str:
    """How many times the customer's median."""
    return (
        f"{money(row['amount_minor'], row['currency'])}, {row['amount_times']:.0f} x this customer's median of "
        f"{money(row['amount_median_minor'], row['currency'])} over {row['amount_count']:.0f} invoices"
    )


def credit_amount(row: Row) -> str:
    """Against what it is invoiced."""
    return (
        f"{money(row['amount_minor'], row['currency'])}, {row['invoice_times']:.0f} x the median and "
        f"{row['invoice_most_times']:.1f} x the largest of this customer's {row['invoice_count']:.0f} invoices"
    )


def weekday(row: Row) -> str:
    """How rare the weekday is."""
    return (
        f"booked on a {WEEKDAYS[row['known_day'].weekday()]}: {100 * row['weekday_share']:.1f} % of this entity's "
        f"{row['hours_count']:.0f} such documents were"
    )


def hour(row: Row) -> str:
    """How rare the hour is."""
    clock = f"{int(row['hour']):02d}:{int(row['hour'] % 1 * 60):02d}"
    return (
        f"booked at {clock}: {100 * row['hour_share']:.1f} % of this entity's {row['hours_count']:.0f} such documents "
        "were booked within an hour of that"
    )


def refund_account(row: Row) -> str:
    """How new the account is."""
    return (
        f"{money(-row['amount_minor'], row['currency'])} sent back to an account never used before, "
        f"{row['account_changed_days']:.0f} days after the account on file was changed"
    )


def paying_account(row: Row) -> str:
    """That the account was never seen."""
    times = "" if row["amount_times"] is None else f"; the amount is {row['amount_times']:.1f} x its median"
    return (
        f"{money(row['amount_minor'], row['currency'])} from an account that none of this payer's "
        f"{row['account_payments']:.0f} payments came from, and that is not on file{times}"
    )


def limit(row: Row) -> str:
    """How close to the limit."""
    others = f", {row['limit_same_day']:.0f} more to this customer that day" if row["limit_same_day"] else ""
    return (
        f"{money(-row['amount_minor'], row['currency'])} is {100 * row['limit_share']:.1f} % of the approval limit"
        f"{others}; {100 * row['limit_usual_share']:.1f} % of what this entity gave away came that close"
    )


def neat(row: Row) -> str:
    """The batch of round amounts that it is in."""
    return (
        f"{money(row['amount_minor'], row['currency'])} is one of {row['neat_count']:.0f} round or made-up amounts of "
        f"this entity within {row['neat_days']:.0f} days; {row['neat_expected']:.1f} would be usual"
    )


def digits(row: Row) -> str:
    """How far the first digits have moved."""
    return (
        f"the first digits of the entity's {row['digit_count']:.0f} such documents of 30 days are far from what they "
        f"were before (effect size {row['digit_effect']:.1f})"
    )


def lag(row: Row) -> str:
    """How late it was booked."""
    return (
        f"dated {row['day']}, booked {row['lag_days']:.0f} days later in another month; 95 % of this entity's such "
        f"documents are booked within {row['lag_usual_days']:.0f} days"
    )


def loop(row: Row) -> str:
    """How often it went round."""
    what = "credited in full after being billed anew" if row["table"] == "credit_note" else "credited and billed anew"
    return f"{what} {row['loop_rounds']:.0f} times in {row['loop_days']:.0f} days"


def feed(row: Row) -> str:
    """What such a day usually brings."""
    return f"{row['feed_count']:.0f} documents on that day; such days usually bring {row['feed_usual']:.0f}"
