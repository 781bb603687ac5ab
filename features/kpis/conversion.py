"""Group currency at T's rate: exact minor units, rounded once a cell, and a word wherever no rate is known."""

from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from features.kpis.asof import AsOf
from features.kpis.rounding import half_up
from features.money import exponent
from features.rates import rates_in_force

Pair = tuple[str, str]
"""entity_id, currency."""


@dataclass(frozen=True, slots=True)
class GroupRates:
    """Units of the group's `currency` for one of an entity's currency, as of T; a pair that is not there is unknown."""

    currency: str
    rates: dict[Pair, Fraction]

    @staticmethod
    def of(at: AsOf, currency: str) -> "GroupRates":
        """As known at `at`, by the first way there is: the entity's own rate, another entity's, over its own currency.

        `BadInput` for a currency that ISO 4217 does not list.
        """
        exponent(currency)
        zones = at.book.zones
        to_group = _rates(at, rates_in_force(at.book.facts, zones.with_columns(entity_currency=pl.lit(currency))))
        to_home = _rates(at, at.book.masters.rates)
        anyones = {code: rate for (_, code), rate in sorted(to_group.items(), reverse=True)}
        found: dict[Pair, Fraction] = {}
        for entity, home in zones.select("entity_id", "entity_currency").iter_rows():
            homewards = {code: rate for (whose, code), rate in to_home.items() if whose == entity}
            home_rate = Fraction(1) if home == currency else to_group.get((entity, home), anyones.get(home))
            across = {} if home_rate is None else {c: r * home_rate for c, r in homewards.items()} | {home: home_rate}
            own = {code: rate for (whose, code), rate in to_group.items() if whose == entity}
            found |= {(entity, code): rate for code, rate in (across | anyones | own | {currency: Fraction(1)}).items()}
        return GroupRates(currency, found)

    def converted(self, minor: int, pair: Pair) -> int | None:
        """`minor` of the pair's currency in the group's minor units, half away from zero; null where no rate is known.

        Nothing is nothing in every currency.
        """
        if minor == 0:
            return 0
        rate = self.rates.get(pair)
        if rate is None:
            return None
        return half_up(minor * rate * Fraction(10) ** (exponent(self.currency) - exponent(pair[1])))

    def gap(self, pair: Pair) -> str:
        """What is said of a pair without a rate."""
        return f"{pair[1]} of {pair[0]} (no rate to {self.currency} known)"


def _rates(at: AsOf, in_force: pl.DataFrame) -> dict[Pair, Fraction]:
    """The rate of every pair that stood; what was written as a decimal is that decimal again."""
    rows = at.standing(in_force).select("entity_id", "currency", "rate").iter_rows()
    return {(entity, currency): Fraction(repr(rate)) for entity, currency, rate in rows}
