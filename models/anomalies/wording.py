"""Evidence in words: the comparison that makes a document odd, with its numbers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from features.money import exponent, from_minor
from features.totals import Totals
from features.watchers import whole_minor

Row = Mapping[str, Any]
Sums = Mapping[str, tuple[int, int]]
LONG_SILENCE_DAYS = 2  # one empty day is said as such
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
    """The document that it repeats, and what speaks for a habit."""
    swapped = row["twin_form"] == "transposed"
    return f"{_repeats(row)}{_habit(row, 'repeat_share', 'amounts') if swapped else ''}{_mended(row)}"


def paid_twice(row: Row) -> str:
    """The payment that it repeats, and how many repeat one with its reference anyway."""
    return f"{_repeats(row)}{_habit(row, 'alike_share', 'amount and reference')}{_mended(row)}"


def paid_alike(row: Row) -> str:
    """The payment that it repeats, and how many repeat an amount anyway."""
    return f"{_repeats(row)}{_habit(row, 'repeat_share', 'amounts')}{_mended(row)}"


def _habit(row: Row, column: str, what: str) -> str:
    share = row[column]
    return f"; {100 * share:.1f} % of this customer's before repeated {what}" if share else ""


def _mended(row: Row) -> str:
    """How many of such twins the books took back."""
    share, many = row["form_back_share"], row["form_back_count"]
    return f"; taken back of such twins before: {share * many:.0f} of {many:.0f}" if share else ""


def _repeats(row: Row) -> str:
    off = "the same amount" if not row["twin_minor"] else f"{money(row['twin_minor'], row['currency'])} apart"
    return (
        f"{money(row['amount_minor'], row['currency'])}, like {row['twin_id']} of the same customer: {off}, "
        f"{row['twin_days']:.0f} days apart, {FORM_WORDS[row['twin_form']]}"
    )


def amount(row: Row) -> str:
    """How many times the customer's median."""
    return (
        f"{money(row['amount_minor'], row['currency'])}, {row['amount_times']:.0f} x this customer's median of "
        f"{money(row['amount_median_minor'], row['currency'])} over {row['amount_count']:.0f} invoices and "
        f"{row['amount_most_times']:.1f} x the largest; {row['amount_z']:.1f} times as far off as they swing"
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
    """What is neat about it, and the batch of amounts at least as neat that it is in."""
    return (
        f"{money(row['amount_minor'], row['currency'])} {_neat(row)}: one of {row['neat_count']:.0f} amounts of this "
        f"entity as round or made up within {row['neat_days']:.0f} days; {row['neat_expected']:.1f} would be usual"
    )


def _neat(row: Row) -> str:
    """As `features.watchers_of_digits.neatness` counts it, in the words of the amount itself."""
    whole, currency = whole_minor(row), row["currency"]
    if row["neat"] >= 2:
        return f"is a multiple of {money(whole * 10 ** (int(row['neat']) - 1), currency)}"
    shown = exponent(currency) + 1 if exponent(currency) else 2
    return f"ends in {str(from_minor(row['amount_minor'], currency))[-shown:]}"


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
    """What such a day usually brings, where it brings any, and how long nothing came."""
    usual = (
        f"such days usually bring {row['feed_usual']:.0f}" if row["feed_usual"] >= 1 else "such days are often empty"
    )
    if row["silent_days"] < LONG_SILENCE_DAYS:
        documents = "document" if row["feed_count"] == 1 else "documents"
        return f"{row['feed_count']:.0f} {documents} on that day; {usual}"
    before = f"the longest silence before was {row['silent_before_days']} days"
    return f"no document for {row['silent_days']} days; {before}; {usual}"


def control(row: Row) -> str:
    """What `totals` said when the row was made."""
    return str(row["control_words"])


def totals(feed_name: str, at: datetime, told: Totals, landed: Totals, apart: int, sums: Sums) -> str:
    """Both sides of control totals; `sums`: currency -> told and landed in minor units, where they differ."""
    aside = f", {apart:,} are set aside" if apart else ""
    parts = [f"{told.count:,} records told, {landed.count:,} landed{aside}"]
    parts += [f"{money(t, currency)} told, {money(h, currency)} landed" for currency, (t, h) in sums.items()]
    if not sums and told.count == landed.count + apart:
        parts.append("as many, but not the same ones")
    return f"{feed_name}, {at:%Y-%m-%d %H:%M} UTC: {'; '.join(parts)}"
