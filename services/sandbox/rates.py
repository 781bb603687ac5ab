"""Exchange rates: a random walk per currency, published on every weekday."""

from dataclasses import dataclass

import numpy as np

from services.sandbox.calendars import Floats, Ints
from services.sandbox.customers import Customers
from services.sandbox.options import WorldOptions

# About what one unit costs in US dollars; a currency not listed starts at par.
IN_DOLLARS = {
    "EUR": 1.08, "GBP": 1.26, "CAD": 0.74, "CHF": 1.12, "MXN": 0.055, "JPY": 0.0068, "PLN": 0.25, "SEK": 0.095,
}  # fmt: skip
DAILY_VOLATILITY = 0.0045
BILLION = 10**9
LAST_DIGIT = 1000  # in billionths: rates have six decimals


@dataclass(frozen=True)
class Rates:
    """billionths[pair, day]: what one unit of `currency` costs in the books' currency, from `first` on."""

    first: int
    days: Ints
    pairs: tuple[tuple[int, str], ...]  # (entity, currency)
    billionths: Ints

    def into_books(self, entity: int, currency: str, days: Ints) -> Floats:
        """The rate in force on each day: the one published last."""
        row: Floats = self.billionths[self.pairs.index((entity, currency))] / BILLION
        return row[np.clip(days - self.first, 0, len(self.days) - 1)]


def draw_rates(options: WorldOptions, customers: Customers, first: int, last: int, rng: np.random.Generator) -> Rates:
    """Rates of every currency an entity meets into the currency of its books; on weekends Friday's."""
    books = [e.currency for e in options.entities]
    met = {(int(e), c) for e, c in zip(customers.entity, customers.currency, strict=True)}
    met |= {(int(e), c) for e, c in zip(customers.entity, customers.pay_currency, strict=True)}
    met |= {(e, c) for e in range(len(books)) for c in books}
    pairs = tuple(sorted((e, c) for e, c in met if c != books[e]))
    days = np.arange(first, last + 1)
    published = np.maximum.accumulate(np.where((days + 3) % 7 < 5, np.arange(len(days)), 0))
    value = {
        c: IN_DOLLARS.get(c, 1.0) * np.exp(np.cumsum(rng.normal(0, DAILY_VOLATILITY, size=len(days))))[published]
        for c in sorted({c for _, c in pairs} | set(books))
    }
    rows = [value[c] / value[books[e]] for e, c in pairs]
    exact = np.rint(np.array(rows).reshape(len(pairs), len(days)) * (BILLION // LAST_DIGIT)).astype(np.int64)
    return Rates(first, days, pairs, np.maximum(exact, 1) * LAST_DIGIT)
