"""What if: declared changes to what may bring cash, made before anything is drawn.

The same seed draws base and scenario from the same random numbers, so their difference is the change and not chance.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.errors import BadSetting, NotFound
from features.facts import standing
from features.money import exponent
from models.cash.claims import EARLIER_DAYS, NEW, OPEN, ORDERS, Claims
from models.cash.receipts import first_days

LONGEST_DAYS = 3660
Rows = NDArray[np.bool_]
Days = Annotated[int, msgspec.Meta(ge=-EARLIER_DAYS, le=LONGEST_DAYS)]


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """This customer pays so many days later (negative: earlier) than expected, on old and new business."""

    entity: str
    customer: str
    days: Days

    def __post_init__(self) -> None:
        """`BadSetting` for more days earlier than anything is known of, or later than anybody waits."""
        _check_days(self.days)


class Resolved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """These disputes are resolved, and the disputed invoices paid in full, on a day."""

    entity: str
    disputes: tuple[str, ...]
    day: date

    def __post_init__(self) -> None:
        """`BadSetting` where it names no dispute."""
        if not self.disputes:
            raise BadSetting("scenario: resolve names no dispute; allowed: the ids of one or more")


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of what is not invoiced yet (orders, new business) change by so many days; of one customer, or of all."""

    entity: str
    days: Days
    customer: str | None = None

    def __post_init__(self) -> None:
        """`BadSetting` for more days earlier than anything is known of, or later than anybody waits."""
        _check_days(self.days)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One unit of `currency` is so many of the group's currency."""

    currency: str
    to: str
    rate: float

    def __post_init__(self) -> None:
        """`BadSetting` for a rate that is none, `BadInput` for what is no currency."""
        exponent(self.currency), exponent(self.to)
        if self.currency == self.to:
            raise BadSetting(f"scenario: a rate from {self.currency} to {self.to}; allowed: two different currencies")
        if not 0 < self.rate < float("inf"):
            raise BadSetting(f"scenario: the rate from {self.currency} to {self.to} is {self.rate}; allowed: above 0")


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named set of changes, made in this order; none by default."""

    name: str | None = None
    delay: tuple[Delay, ...] = ()
    resolve: tuple[Resolved, ...] = ()
    terms: tuple[Terms, ...] = ()
    fx: tuple[Rate, ...] = ()

    def apply(self, claims: Claims, book: Book, as_of: datetime) -> Claims:
        """The claims after all changes but those of rates; `NotFound` for a customer or dispute that is not there."""
        for delay in self.delay:
            claims = _later(claims, _customer(claims, delay.entity, delay.customer), delay.days)
        for resolved in self.resolve:
            claims = _resolved(claims, book, as_of, resolved)
        for terms in self.terms:
            unbilled = pl.Series(claims.head["component"].is_in([ORDERS, NEW])).to_numpy()
            whose = (
                _entity(claims, terms.entity)
                if terms.customer is None
                else _customer(claims, terms.entity, terms.customer)
            )
            claims = _later(claims, whose & unbilled, terms.days)
        return claims

    def refuse_idle_rates(self, group: str | None) -> None:
        """`BadSetting` where it declares rates and none of them leads to the group's currency: nothing would change."""
        if self.fx and all(r.to != group for r in self.fx):
            there = ", ".join(sorted({r.to for r in self.fx}))
            asked = f"the group currency asked for is {group}" if group else "no group currency is asked for"
            raise BadSetting(f"scenario: its rates lead to {there}, and {asked}; ask for one of them, or leave fx out")

    def rates(self, known: Mapping[str, float], group: str) -> dict[str, float]:
        """`known` rates to the group's currency, with those that the scenario declares."""
        return {**known, **{r.currency: r.rate for r in self.fx if r.to == group}}


def _check_days(days: int) -> None:
    if not -EARLIER_DAYS <= days <= LONGEST_DAYS:
        raise BadSetting(f"scenario: days is {days}; allowed: {-EARLIER_DAYS} (earlier) to {LONGEST_DAYS}")


def _later(claims: Claims, rows: Rows, days: int) -> Claims:
    """Some claims paid `days` later; what would be paid before the first day, or before its invoice, is paid on it."""
    cdf, width = claims.cdf.copy(), claims.cdf.shape[1]
    day = np.arange(width)
    moved = cdf[rows][:, np.clip(day - days, 0, width - 1)]
    begun = day >= np.maximum(claims.head["from_day"].to_numpy()[rows, None], days)
    cdf[rows] = np.where(begun, moved, 0.0)
    return Claims(claims.head, cdf)


def _entity(claims: Claims, entity: str) -> Rows:
    rows: Rows = (claims.head["entity_id"] == entity).to_numpy()
    if not rows.any():
        there = ", ".join(claims.head["entity_id"].unique().sort()) or "none"
        raise NotFound(f"scenario: no entity {entity!r} with anything to come; there are: {there}")
    return rows


def _customer(claims: Claims, entity: str, customer: str) -> Rows:
    rows: Rows = _entity(claims, entity) & (claims.head["customer_id"] == customer).to_numpy()
    if not rows.any():
        raise NotFound(f"scenario: customer {customer!r} of {entity!r} owes nothing and is expected to order nothing")
    return rows


def _resolved(claims: Claims, book: Book, as_of: datetime, resolved: Resolved) -> Claims:
    """The disputed invoices are paid on the day, in full: nothing is taken off them any more."""
    open_cases = standing(book.facts.spans("dispute"), as_of).filter(
        (pl.col("entity_id") == resolved.entity) & (pl.col("status") == "open") & pl.col("invoice_id").is_not_null()
    )
    known = dict(open_cases.select("dispute_id", "invoice_id").iter_rows())
    for dispute in resolved.disputes:
        if dispute not in known:
            raise NotFound(f"scenario: {dispute!r} is no open dispute on an invoice of {resolved.entity!r} at {as_of}")
    opened = pl.Series(_entity(claims, resolved.entity)) & (claims.head["component"] == OPEN)
    there = set(claims.head.filter(opened)["invoice_id"])
    for dispute in resolved.disputes:
        if known[dispute] not in there:
            raise NotFound(f"scenario: {dispute!r} is about {known[dispute]!r}, of which nothing is open at {as_of}")
    rows = opened & claims.head["invoice_id"].is_in([known[d] for d in resolved.disputes])
    first = dict(first_days(book.zones, as_of).iter_rows())[resolved.entity]
    day = max((resolved.day - first).days, 0)
    cdf = claims.cdf.copy()
    cdf[rows.to_numpy()] = (np.arange(cdf.shape[1]) >= day).astype(np.float64)
    return Claims(_in_full(claims.head, rows, book, as_of), cdf)


def _in_full(head: pl.DataFrame, rows: pl.Series, book: Book, as_of: datetime) -> pl.DataFrame:
    owed = standing(book.states, as_of).select("entity_id", "invoice_id", "instalment", "open_minor")
    found = head.join(owed, on=["entity_id", "invoice_id", "instalment"], how="left", maintain_order="left")
    amount = pl.when(rows).then(pl.coalesce("open_minor", "amount_minor")).otherwise("amount_minor")
    return found.with_columns(amount_minor=amount).drop("open_minor")
