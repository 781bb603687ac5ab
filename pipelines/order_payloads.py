"""A won order as JSON: as the ERP is told of it, as it waits for correction, and back again."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, ValidationError, convert

from features.errors import BadInput
from pipelines.connectors.source import Json
from pipelines.orders import OrderLine, Unreadable, WonOrder

# short enough for a price times a quantity to be exact
_Number = Annotated[str, Meta(pattern=r"^-?[0-9]{1,30}(\.[0-9]{0,30})?([eE][+-]?[0-9])?\Z")]


class _Line(Struct, frozen=True):
    sku: str
    description: str
    quantity: _Number
    unit_price: _Number
    tax_rate: _Number | None = None


class _Order(Struct, frozen=True):
    order_id: str
    entity_id: str
    customer_id: str
    customer_name: str
    currency: str
    order_date: date
    lines: tuple[_Line, ...]
    net: _Number
    changed_at: Annotated[datetime, Meta(tz=True)]
    place: str
    tax: _Number | None = None
    total: _Number | None = None
    reference: str | None = None


def message_payload(order: WonOrder) -> Json:
    """What the ERP is told of an order; amounts as decimal text.

    The customer's name is not part of it: the ERP has its own, and a new one does not change an order that was sent.
    """
    lines = [
        {
            "sku": line.sku,
            "description": line.description,
            "quantity": str(line.quantity),
            "unit_price": str(line.unit_price),
            "tax_rate": None if line.tax_rate is None else str(line.tax_rate),
        }
        for line in order.lines
    ]
    return {
        "order_id": order.order_id,
        "entity_id": order.entity_id,
        "customer_id": order.customer_id,
        "currency": order.currency,
        "order_date": order.order_date.isoformat(),
        "reference": order.reference,
        "lines": lines,
        "net": str(order.net),
        "tax": None if order.tax is None else str(order.tax),
        "total": None if order.tax is None else str(order.total),  # without the tax nobody knows it yet
    }


def waiting_payload(order: WonOrder) -> Json:
    """All of the order, as it waits for correction; `order_in` reads it."""
    told = {"customer_name": order.customer_name, "changed_at": order.changed_at.isoformat(), "place": order.place}
    return message_payload(order) | told


def unreadable_payload(deal: Unreadable) -> Json:
    """What came of a deal that is no order, and which order it would have been."""
    return deal.payload | {"order_id": deal.order_id}


def is_order(payload: Json) -> bool:
    """Whether it is a `waiting_payload`. A record of an API has an `id`, and a cell of a file is no list."""
    return "id" not in payload and {"order_id", "place"} <= set(payload) and isinstance(payload.get("lines"), list)


def is_unreadable(payload: Json) -> bool:
    """Whether it is an `unreadable_payload`."""
    return "order_id" in payload and isinstance(payload.get("deal"), dict)


def order_in(payload: Json) -> WonOrder:
    """The order of a `waiting_payload`, its figures unjudged; `BadInput` where it is none any more."""
    try:
        told = convert(payload, _Order)
    except ValidationError as error:
        raise BadInput(f"the payload is no order: {error}; allowed: what it came with, amounts as text") from None
    net = Decimal(told.net)
    return WonOrder(
        order_id=told.order_id,
        entity_id=told.entity_id,
        customer_id=told.customer_id,
        customer_name=told.customer_name,
        currency=told.currency,
        order_date=told.order_date,
        lines=tuple(map(_line, told.lines)),
        net=net,
        tax=_number(told.tax),
        total=net if told.total is None else Decimal(told.total),
        reference=told.reference,
        changed_at=told.changed_at,
        place=told.place,
    )


def _line(told: _Line) -> OrderLine:
    price, quantity = Decimal(told.unit_price), Decimal(told.quantity)
    return OrderLine(told.sku, told.description, quantity, price, _number(told.tax_rate))


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
