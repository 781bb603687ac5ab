"""What the KPIs leave to choose."""

from dataclasses import dataclass, fields

from features.errors import BadSetting
from features.promises import TOLERANCE_DAYS


@dataclass(frozen=True, slots=True)
class KpiSettings:
    """Whole days, each with its usual value.

    days            length of the period before the day asked for
    roll_days       step of the roll rates; the buckets are 30 days wide
    tolerance_days  days after the promised one on which a payment still keeps the promise
    worth_days      days of DSO that `dso_worth` is about
    """

    days: int = 90
    roll_days: int = 30
    tolerance_days: int = TOLERANCE_DAYS
    worth_days: int = 1

    def __post_init__(self) -> None:
        """`BadSetting` for what is no number of days."""
        for field in fields(self):
            least = 0 if field.name == "tolerance_days" else 1
            value = getattr(self, field.name)
            if not least <= value <= 3660:
                raise BadSetting(f"{field.name} is {value}; allowed: {least} to 3660 days")
