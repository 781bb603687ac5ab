"""The days a world covers."""

from dataclasses import dataclass
from datetime import date

from services.sandbox.calendars import NEVER, day_number
from services.sandbox.options import WorldOptions

SETTLING_DAYS = 900  # after the last invoice, for slow payers and write-offs


@dataclass(frozen=True, slots=True)
class Window:
    """start <= issue days < end; `today` stands between them; the regime shift begins on `shift`."""

    start: int
    today: int
    end: int
    shift: int

    @classmethod
    def of(cls, options: WorldOptions) -> "Window":
        """The window of a world."""
        today = day_number(options.today)
        # 29 February has no anniversary: its history starts a day earlier
        day = min(options.today.day, 28) if options.today.month == 2 else options.today.day
        start = day_number(date(options.today.year - options.years, options.today.month, day))
        shift = today - options.shift_days_before_today if options.shift_days_before_today else NEVER
        return cls(start, today, today + max(options.future_days, 1), shift)

    @property
    def calendar(self) -> tuple[int, int]:
        """First and last day that the calendars must know."""
        return self.start - 60, self.end + SETTLING_DAYS
