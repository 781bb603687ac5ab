"""What a contact is worth: the formulas, in one place. Money is in major units of the entity's currency, a float.

    value        = effect x amount x capital rate x horizon / 365 - cost of the contact
    value of time = days sooner x amount x capital rate / 365 - cost of the contact

`effect` is the change in the share of the amount that is paid by the end of the horizon, capped at what is not paid
anyway. What a contact brings in is taken to be worth the capital cost of the whole horizon: an upper bound for what
would have come a day later, a lower bound for what would never have come. The value of time counts the days within the
horizon only, and is there to compare.
"""

from dataclasses import dataclass

from models.worklist.settings import WorklistSettings

DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class Worth:
    """What decides a customer's place: its `score`, `a_unit` of it for each unit of money past due, and `less`.

    score = a_unit x amount - less. `effect`, its interval and both values are null without a learnt effect.
    """

    score: float
    a_unit: float
    less: float
    amount: float
    paid_anyway: float | None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    value: float | None = None
    value_of_time: float | None = None

    def amount_for(self, score: float) -> float | None:
        """The amount at which this customer would reach `score`; None where no amount would do."""
        return None if self.a_unit <= 0 else (score + self.less) / self.a_unit


def value_at_risk(amount: float, paid_anyway: float | None) -> Worth:
    """Amount that is not expected by the horizon: all of it where nobody knows."""
    share = 1.0 if paid_anyway is None else 1.0 - paid_anyway
    return Worth(amount * share, share, 0.0, amount, paid_anyway)


def value_of_contact(
    amount: float,
    paid_anyway: float | None,
    *,
    effect: float,
    low: float,
    high: float,
    days_sooner: float,
    settings: WorklistSettings,
) -> Worth:
    """The value of a contact about `amount` by the formulas above."""
    most = 1.0 if paid_anyway is None else 1.0 - paid_anyway
    capped = min(effect, most)
    a_unit = capped * settings.capital_rate * settings.horizon_days / DAYS_A_YEAR
    value = a_unit * amount - settings.contact_cost
    of_time = days_sooner * amount * settings.capital_rate / DAYS_A_YEAR - settings.contact_cost
    return Worth(
        score=value,
        a_unit=a_unit,
        less=settings.contact_cost,
        amount=amount,
        paid_anyway=paid_anyway,
        effect=capped,
        low=min(low, most),
        high=min(high, most),
        value=value,
        value_of_time=of_time,
    )
