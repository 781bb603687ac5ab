"""Who the customers are: their entity, country, trade and terms."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.money import exponent
from services.sandbox.calendars import NEVER, Flags, Floats, Ints, day_number
from services.sandbox.names import SEGMENT_SHARES, SEGMENTS, company_names, renamed
from services.sandbox.options import WorldOptions
from services.sandbox.window import Window

FOREIGN_CURRENCIES = {
    "CA": "CAD",
    "MX": "MXN",
    "JP": "JPY",
    "CH": "CHF",
    "PL": "PLN",
    "SE": "SEK",
    "US": "USD",
    "GB": "GBP",
}
# A customer abroad is invoiced in its own currency, or pays the entity's currency with its own.
INVOICED_ABROAD_SHARE, PAYS_ABROAD_SHARE = 0.55, 0.20
UNIT_SCALE = {"JPY": 150.0, "MXN": 18.0, "SEK": 10.0, "PLN": 4.0}  # units for about one US dollar, where far from 1
TERMS = ((14, 0.14), (30, 0.48), (45, 0.16), (60, 0.22))
END_OF_MONTH_SHARE = 0.12  # of customers: due at the end of the month in which the terms run out
CHILD_SHARE = 0.10
LATEST_SHARE, LATER_SHARE = 0.10, 0.20  # joined within the last year; joined within the history before that


@dataclass(frozen=True)
class Customers:
    """One row per customer; entity and parent are positions, days are day numbers, NEVER is a day that never comes.

    ids are counted per entity, so the same id occurs in several entities
    """

    entity: Ints
    ids: list[str]
    names: list[str]
    later_names: list[str]
    countries: list[str]
    segment: Ints
    parent: Ints  # itself where it has none
    payer: Ints  # the parent where that pays for it, else itself
    known_from: Ints  # the day it was set up
    joined: Ints  # the first day on which it may be invoiced
    renamed_on: Ints
    moved_segment_on: Ints  # the day on which a wrong segment was corrected
    first_segment: Ints
    currency: list[str]
    pay_currency: list[str]
    terms: Ints
    later_terms: Ints
    terms_change_on: Ints
    end_of_month: Flags
    instalments: Ints
    weight: Floats  # relative number of invoices
    log_amount: Floats  # of the median invoice, in the entity's currency
    amount_spread: Floats
    recurring: Flags  # invoices a handful of fixed amounts
    cadence: Ints  # 0 by order, 1 on one weekday, 2 at month end

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def swaps_currency(self) -> Flags:
        """Who pays with another currency than it is invoiced in."""
        return np.array([a != b for a, b in zip(self.currency, self.pay_currency, strict=True)], dtype=bool)

    @property
    def minor_scale(self) -> Floats:
        """About how many minor units of the invoice currency one unit of the books' currency makes."""
        return np.array([UNIT_SCALE.get(c, 1.0) * 10 ** exponent(c) for c in self.currency])

    def frame(self, options: WorldOptions) -> pl.DataFrame:
        """entity_id, customer_id, segment, country, parent_id, paid_by_parent, joined: for the truth."""
        everyone = np.arange(len(self))
        ids = np.array(self.ids, dtype=object)
        return pl.DataFrame(
            {
                "entity_id": [options.entities[e].entity_id for e in self.entity],
                "customer_id": self.ids,
                "segment": [SEGMENTS[s] for s in self.segment],
                "country": self.countries,
                "parent_id": [ids[p] if p != c else None for c, p in zip(everyone, self.parent, strict=True)],
                "paid_by_parent": self.payer != everyone,
                "joined": pl.Series(self.joined).cast(pl.Int32).cast(pl.Date),
            }
        )


def draw_customers(options: WorldOptions, window: Window, rng: np.random.Generator) -> Customers:
    """Customers of every entity, the entities one after the other."""
    count = options.customers
    shares = np.array([e.share for e in options.entities])
    entity = np.sort(quotas(rng, shares, count))
    countries = [_choice(rng, options.entities[e].countries) for e in entity]
    segment = rng.choice(len(SEGMENTS), size=count, p=SEGMENT_SHARES)
    names = company_names(rng, segment, countries)
    currency, pay_currency = _currencies(options, entity, countries, rng)
    parent = _parents(entity, currency, pay_currency, rng)
    joined, known_from = _joined(options, window, count, rng)
    # a parent is set up before its children
    np.minimum.at(known_from, parent, known_from - (parent != np.arange(count)))
    terms, later_terms = (rng.choice([t for t, _ in TERMS], size=count, p=[p for _, p in TERMS]) for _ in range(2))
    misfiled = rng.random(count) < 0.03
    return Customers(
        entity=entity,
        ids=_ids(entity),
        names=names,
        later_names=[renamed(rng, name) for name in names],
        countries=countries,
        segment=segment,
        parent=parent,
        payer=np.where(rng.random(count) < 0.7, parent, np.arange(count)),
        known_from=known_from,
        joined=joined,
        renamed_on=_sometimes(rng, 0.08, joined + 30, window.end),
        moved_segment_on=np.where(misfiled, joined + rng.integers(20, 300, size=count), NEVER),
        first_segment=np.where(misfiled, rng.integers(len(SEGMENTS), size=count), segment),
        currency=currency,
        pay_currency=pay_currency,
        terms=terms,
        later_terms=later_terms,
        terms_change_on=np.where(terms == later_terms, NEVER, _sometimes(rng, 0.18, joined + 120, window.end)),
        end_of_month=rng.random(count) < END_OF_MONTH_SHARE,
        instalments=np.where(rng.random(count) < 0.06, rng.integers(2, 4, size=count), 1),
        weight=np.clip(rng.lognormal(0.0, 1.0, size=count), 0.08, 12.0),
        log_amount=rng.normal(np.log(2200.0), 1.1, size=count),
        amount_spread=rng.uniform(0.4, 1.1, size=count),
        recurring=rng.random(count) < 0.15,
        cadence=rng.choice(3, size=count, p=(0.68, 0.18, 0.14)),
    )


def _choice(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    values = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=values / values.sum()))


def quotas(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    """`count` positions in `weights`, each as often as its weight says (to the nearest whole), in random order."""
    evenly = (np.arange(count) + 0.5) / count
    return rng.permutation(np.searchsorted(np.cumsum(weights / weights.sum())[:-1], evenly, side="right"))


def _ids(entity: Ints) -> list[str]:
    first = np.searchsorted(entity, entity)
    return [f"C{number:05d}" for number in np.arange(len(entity)) - first + 1]


def _currencies(
    options: WorldOptions, entity: Ints, countries: list[str], rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """What each customer is invoiced in, and what it pays with."""
    invoiced, pays = [], []
    for e, country, chance in zip(entity, countries, rng.random(len(entity)), strict=True):
        books = options.entities[e].currency
        own = FOREIGN_CURRENCIES.get(country, books) if country != options.entities[e].country else books
        invoiced.append(own if chance < INVOICED_ABROAD_SHARE else books)
        # with two decimals like the books' own, so that both sides of an allocation are written alike
        swaps = INVOICED_ABROAD_SHARE <= chance < INVOICED_ABROAD_SHARE + PAYS_ABROAD_SHARE and own != "JPY"
        pays.append(own if swaps else invoiced[-1])
    return invoiced, pays


def _parents(entity: Ints, currency: list[str], pay_currency: list[str], rng: np.random.Generator) -> Ints:
    """A parent in the same entity that pays in the same currency, for some; never a parent of a parent."""
    parent = np.arange(len(entity))
    is_child = rng.random(len(entity)) < CHILD_SHARE
    alike = [f"{e}/{a}/{b}" for e, a, b in zip(entity, currency, pay_currency, strict=True)]
    heads: dict[str, list[int]] = {}
    for customer in np.flatnonzero(~is_child):
        heads.setdefault(alike[customer], []).append(int(customer))
    for child in np.flatnonzero(is_child):
        if alike[child] in heads:
            parent[child] = rng.choice(heads[alike[child]])
    return parent


def _joined(options: WorldOptions, window: Window, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """The first day of business inside the window, and the day on which the customer was set up."""
    today = day_number(options.today)
    year_ago = max(today - 365, window.start)
    chance = rng.random(count)
    latest, later = chance < LATEST_SHARE, (chance < LATEST_SHARE + LATER_SHARE) & (chance >= LATEST_SHARE)
    joined = np.full(count, window.start, dtype=np.int64)
    joined = np.where(latest, rng.integers(year_ago, window.end, size=count), joined)
    joined = np.where(later, rng.integers(window.start, year_ago + 1, size=count), joined)
    before = np.where(latest | later, rng.integers(1, 15, size=count), rng.integers(20, 1500, size=count))
    return joined, joined - before


def _sometimes(rng: np.random.Generator, share: float, first: Ints, end: int) -> Ints:
    """A day from `first` until before `end` for a share of the rows, NEVER for the rest."""
    day = first + (rng.random(len(first)) * np.maximum(end - first, 1)).astype(np.int64)
    return np.where(rng.random(len(first)) < share, day, NEVER)
