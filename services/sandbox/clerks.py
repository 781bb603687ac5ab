"""The people who book, and their hours.

Moments are microseconds of local time where the entity is, counted from 1970; `facts` turns them into instants.
"""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Calendar, Ints

MICROSECONDS_A_DAY, MICROSECONDS_AN_HOUR, MICROSECONDS_A_MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000
# Hours of the day. No clock is ever put forward or back within them.
OFFICE, BANK_FILE, INTRADAY, SETTING_UP, RATES_FIXED = (8.0, 18.0), (5.5, 7.5), (15.0, 18.5), (7.0, 8.0), (16.0, 16.1)


@dataclass(frozen=True)
class Clerks:
    """Who books: the office calendar of each entity, and chance."""

    calendar: Calendar
    office: Ints  # calendar row of each entity
    rng: np.random.Generator

    def moment(self, day: Ints, hours: tuple[float, float]) -> Ints:
        """Some moment within these hours of each day."""
        within = self.rng.uniform(*hours, size=len(day)) * MICROSECONDS_AN_HOUR
        return day * MICROSECONDS_A_DAY + within.astype(np.int64)

    def soon_after(self, moment: Ints, minutes: float = 20.0) -> Ints:
        """A little later on the same day."""
        return moment + 1000 + (self.rng.random(len(moment)) * minutes * MICROSECONDS_A_MINUTE).astype(np.int64)

    def working_day(self, entity: Ints, day: Ints) -> Ints:
        """The first business day of the entity from each day on."""
        return self.calendar.after(self.office[entity], day)

    def days_later(self, entity: Ints, moment: Ints, low: int, high: int) -> Ints:
        """In office hours `low` to `high` business days of the entity after each moment, never on the same day."""
        next_day = self.calendar.after(self.office[entity], moment // MICROSECONDS_A_DAY + 1)
        wait = self.rng.integers(low - 1, high, size=len(moment))
        return self.moment(self.calendar.after(self.office[entity], next_day, wait), OFFICE)
