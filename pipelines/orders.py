"""What was sold, as the CRM tells it, before the ERP bills it; and whether its figures agree with each other.

Amounts of a line are rounded line by line, to the cent of the order's currency, half to even; their sum is the net.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Protocol

from features.errors import Violation
from features.money import exponent, exponents
from features.tables import Kind
from pipelines.connectors.source import Json

_EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One thing sold. `unit_price` is net, after any discount; `tax_rate` is a share (0.19), None: the ERP decides."""

    sku: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class WonOrder:
    """What a customer ordered. `tax` is None where the ERP decides it; then `total` is the net.

    order_id      unique within the entity
    reference     what the customer calls it
    changed_at    when the CRM last changed it, aware
    place         where it stands in the CRM, for people
    """

    order_id: str
    entity_id: str
    customer_id: str
    customer_name: str
    currency: str
    order_date: date
    lines: tuple[OrderLine, ...]
    net: Decimal
    tax: Decimal | None
    total: Decimal
    reference: str | None
    changed_at: datetime
    place: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A won deal that cannot be read as an order: which one it would be, where it stands, all that came of it, why."""

    order_id: str
    place: str
    payload: Json
    violations: tuple[Violation, ...]


Orders = tuple[list[WonOrder], list[Unreadable], str | None]


class WonOrders(Protocol):
    """A CRM that tells what was won."""

    def read(self, cursor: str | None, now: datetime) -> Iterator[Orders]:
        """Orders won or changed since `cursor` (all where there is none), what could not be read, the next cursor.

        They may repeat what was read before. The last cursor of a read counts; None keeps what is remembered.
        `SourceRefused`, `SourceBroken` and `SourceError` end it.
        """
        ...

    def named(self, order_ids: Sequence[str]) -> tuple[list[WonOrder], list[Unreadable]]:
        """These orders as they stand now; those that are won no longer are absent. Errors as of `read`."""
        ...


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` to the cent of `currency`, half to even; `BadInput` for an unknown currency."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), ROUND_HALF_EVEN, _EXACT)


def line_net(line: OrderLine, currency: str) -> Decimal:
    """Price times quantity, rounded.

    >>> line_net(OrderLine("A", "a", Decimal(3), Decimal("0.335"), None), "EUR")
    Decimal('1.00')
    """
    return rounded(_EXACT.multiply(line.unit_price, line.quantity), currency)


def line_tax(line: OrderLine, currency: str) -> Decimal:
    """The tax on the line's rounded net, rounded; none where the line tells no rate."""
    return rounded(_EXACT.multiply(line_net(line, currency), line.tax_rate or Decimal(0)), currency)


def faults_of(order: WonOrder) -> list[Violation]:
    """Why the order may not be billed as it stands; empty where all of its figures agree."""
    infinite = list(_infinite(order))
    if infinite:
        return infinite
    faults = [*_line_faults(order)]
    if not order.lines:
        faults.append(Violation(order.place, "lines", None, "at least one line"))
    if order.currency not in exponents():
        return [*faults, Violation(order.place, "currency", order.currency, Kind.CURRENCY.words)]
    return [*faults, *_fractions(order), *_sum_faults(order)]


def _infinite(order: WonOrder) -> Iterator[Violation]:
    amounts = {"net": order.net, "tax": order.tax, "total": order.total}
    for number, line in enumerate(order.lines, 1):
        amounts |= {f"quantity of line {number}": line.quantity, f"unit_price of line {number}": line.unit_price}
        amounts[f"tax_rate of line {number}"] = line.tax_rate
    for field, value in amounts.items():
        if value is not None and not value.is_finite():
            yield Violation(order.place, field, str(value), Kind.NUMBER.words)


def _line_faults(order: WonOrder) -> Iterator[Violation]:
    for number, line in enumerate(order.lines, 1):
        where = f"{order.place}, line {number}"
        if line.quantity <= 0:
            yield Violation(where, "quantity", str(line.quantity), "more than 0")
        if line.unit_price < 0:
            yield Violation(where, "unit_price", str(line.unit_price), "0 or more (a discount lowers its own line)")
        if line.tax_rate is not None and not 0 <= line.tax_rate < 1:
            yield Violation(where, "tax_rate", str(line.tax_rate), "a share from 0 to less than 1, such as 0.19")


def _fractions(order: WonOrder) -> Iterator[Violation]:
    allowed = f"at most {exponent(order.currency)} decimals in {order.currency}"
    for field, amount in (("net", order.net), ("tax", order.tax), ("total", order.total)):
        if amount is not None and amount != rounded(amount, order.currency):
            yield Violation(order.place, field, str(amount), allowed)


def _sum_faults(order: WonOrder) -> Iterator[Violation]:
    currency = order.currency
    of_lines = sum((line_net(line, currency) for line in order.lines), Decimal(0))
    if order.lines and of_lines != order.net:
        yield Violation(order.place, "net", str(order.net), f"{of_lines}, the sum of the lines")
    if order.net + (order.tax or Decimal(0)) != order.total:
        allowed = f"{order.net + (order.tax or Decimal(0))}, net and tax"
        yield Violation(order.place, "total", str(order.total), allowed)
    taxes = _taxes(order)
    if order.tax is not None and taxes and order.tax not in taxes:
        allowed = " or ".join(str(tax) for tax in sorted(taxes))
        yield Violation(order.place, "tax", str(order.tax), f"{allowed}, by the rates of the lines")


def _taxes(order: WonOrder) -> set[Decimal]:
    """The tax by the lines' rates, rounded by line or by rate, for both are lawful; nothing where a rate is missing."""
    by_rate: dict[Decimal, Decimal] = {}
    for line in order.lines:
        if line.tax_rate is None:
            return set()
        by_rate[line.tax_rate] = by_rate.get(line.tax_rate, Decimal(0)) + line_net(line, order.currency)
    by_line = sum((line_tax(line, order.currency) for line in order.lines), Decimal(0))
    rates = (rounded(_EXACT.multiply(net, rate), order.currency) for rate, net in by_rate.items())
    return {by_line, sum(rates, Decimal(0))} if order.lines else set()


def order_record(order: WonOrder) -> Json:
    """The order as a record of the lake's `order` table, open."""
    return {
        "id": order.order_id,
        "company": order.entity_id,
        "changed_at": order.changed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "customer_id": order.customer_id,
        "order_date": order.order_date.isoformat(),
        "currency": order.currency,
        "amount": str(order.total),
        "status": "open",
        "reference": order.reference,
    }
