"""A past forecast as a model of now draws it, beside what came of it: what recalibration learns from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from features.book import Book
from models.cash.claims import Floats
from models.cash.fx import group_rates, minor_rate
from models.cash.spread import Spread, Week

GROUP = ""


@dataclass(frozen=True)
class PastAgain:
    """A past forecast drawn again, beside what came of its weeks.

    totals         (draws, series, WEEKS)
    actual, place  (series, WEEKS); `place` decides among ties
    ended          weeks whose cash is known
    """

    as_of: datetime
    series: Sequence[tuple[str, str]]
    totals: Floats
    actual: Floats
    place: Floats
    ended: int

    def weeks(self) -> list[Week]:
        """Every ended week of every series."""
        return [
            Week(week, self.totals[:, k, week], float(self.actual[k, week]), float(self.place[k, week]))
            for k in range(len(self.series))
            for week in range(self.ended)
        ]

    def recalibrated(self, spread: Spread) -> "PastAgain":
        """With the level and spread of each week."""
        return replace(self, totals=np.maximum(spread.apply(self.totals), 0.0))

    def together(self, book: Book) -> "PastAgain":
        """The sum of the series that have a rate to the commonest currency."""
        currencies = Counter(currency for _, currency in self.series)
        group = min(currencies, key=lambda c: (-currencies[c], c))
        rates = group_rates(book, self.as_of, group)
        factor = np.array([[minor_rate(rates[c], c, group) if c in rates else 0.0] for _, c in self.series])
        totals = (self.totals * factor).sum(axis=1, keepdims=True)
        actual = (self.actual * factor).sum(axis=0, keepdims=True)
        return replace(self, series=[(GROUP, group)], totals=totals, actual=actual, place=self.place[:1])
