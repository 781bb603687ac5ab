"""The open orders that a credit limit would block, exact to the minor unit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

import polars as pl

from features.exposures import in_home_minor
from features.money import exponent, from_minor
from models.credit.policy import CreditLimit, LimitSettings, Row

Sums = dict[tuple[str, float], int]
"""Currency and its rate to the entity's -> minor units."""


@dataclass(frozen=True, slots=True)
class BlockedOrder:
    """An open order that would be blocked, and why."""

    entity_id: str
    customer_id: str
    order_id: str
    currency: str
    unbilled_minor: int
    why: str


def blocked_orders(orders: pl.DataFrame, limits: Iterable[CreditLimit], settings: LimitSettings) -> list[BlockedOrder]:
    """The open orders that do not fit, oldest first: what is owed comes first, then order after order.

    orders  `features.exposures.open_orders` of the same customers. A later, smaller order may fit where one did not.
    """
    by_customer = {(limit.entity_id, limit.customer_id): limit for limit in limits}
    owners = groupby(orders.iter_rows(named=True), key=lambda row: (row["entity_id"], row["customer_id"]))
    return [order for key, rows in owners for order in _blocked_of(list(rows), by_customer[key], settings)]


def _blocked_of(rows: list[Row], limit: CreditLimit, settings: LimitSettings) -> Iterator[BlockedOrder]:
    """Of one customer's open orders those that do not fit. What fits is added up by currency and converted once."""
    ordered = reduce(_with, rows, Sums()) if settings.count_orders else Sums()
    room, taken = _room(limit, _in_home(ordered, limit.currency)), Sums()
    for row in rows:
        wanted = _with(taken, row)
        why = _blocks(row, limit, _in_home(wanted, limit.currency) - room)
        if why is None:
            taken = wanted
        else:
            yield BlockedOrder(
                limit.entity_id, limit.customer_id, row["order_id"], row["currency"], row["unbilled_minor"], why
            )


def _with(sums: Sums, order: Row) -> Sums:
    """`sums` and the order; one whose rate was not known is left out."""
    pair = order["currency"], order["rate"]
    return sums if order["rate"] is None else sums | {pair: sums.get(pair, 0) + order["unbilled_minor"]}


def _in_home(sums: Sums, home: str) -> int:
    """In minor units of `home`, as `features.exposures.exposures` has it."""
    return sum(in_home_minor(minor, rate, currency, home) for (currency, rate), minor in sums.items())


def _room(limit: CreditLimit, ordered: int) -> int:
    """What the limit leaves for orders after what is owed; `ordered` is the part of the exposure that is orders."""
    if limit.limit_minor is None or limit.exposure_minor is None:
        return 0
    return limit.limit_minor - (limit.exposure_minor - ordered)


def _blocks(row: Row, limit: CreditLimit, over_minor: int) -> str | None:
    if limit.decided_by == "default":
        return limit.availability_reason
    if limit.limit_minor is None:
        return f"no limit can be suggested: {limit.availability_reason}"
    if row["rate"] is None:
        return f"no rate from {row['currency']} to {limit.currency} was known: load exchange rates"
    if over_minor <= 0:
        return None
    over, most = from_minor(over_minor, limit.currency), limit.limit_minor // 10 ** exponent(limit.currency)
    return f"{over:,} {limit.currency} over the limit of {most:,} {limit.currency}"
