"""The answer about one receivable, ready to be read, stored or sent."""

from dataclasses import dataclass
from datetime import date

PAID_BY_DAYS = (7, 14, 30, 60, 90)
# From this many settled invoices on, a customer's own history carries the prediction.
OWN_HISTORY = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """Why earlier or later than a typical customer would pay: `days` add up over the reasons of one prediction."""

    name: str
    words: str
    days: float


@dataclass(frozen=True, slots=True)
class PaymentPrediction:
    """When one instalment of one invoice will be paid, as seen at the start of `cutoff_day` if still unpaid then.

    expected_date   mean of the distribution, given that it is paid within the horizon; null, with `typical_date` and
                    without reasons, where that is less likely than not, and `availability_reason` says so
    p10, p50, p90   days by which the chance of having been paid reaches 10, 50, 90 %; null beyond the horizon
    p_late          chance of being paid after `due_date`, or never
    p_beyond        chance of not being paid within the horizon
    ageing          chance of being paid in each bucket of days past due; sums to 1
    paid_by         chance of having been paid by a day (ISO date): 7 to 90 days after the cutoff, and any day asked for
    availability    "full"; "pooled" where the customer's own history is thin; "none" where nothing can be said, and
                    then every figure is null. `availability_reason` says why, and why no day is expected
    typical_date    what would be expected of a typical customer; reasons lead from there to `expected_date`
    """

    entity_id: str
    customer_id: str
    invoice_id: str
    instalment: int
    currency: str
    amount_minor: int
    due_date: date
    cutoff_day: date
    availability: str
    availability_reason: str | None
    expected_date: date | None
    p10: date | None
    p50: date | None
    p90: date | None
    p_late: float | None
    p_beyond: float | None
    ageing: dict[str, float]
    paid_by: dict[str, float]
    typical_date: date | None
    reasons: tuple[Reason, ...]
