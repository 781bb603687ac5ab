"""A won deal of HubSpot, with its line items and its company, as an order; or why it is none."""

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import NamedTuple

import msgspec

from features.errors import BadInput, Violation
from features.tables import Kind
from pipelines.connectors.hubspot_answers import Link, Record
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.connectors.hubspot_values import Properties
from pipelines.connectors.source import Json
from pipelines.orders import OrderLine, Unreadable, WonOrder, line_net, rounded

STAMP = "hs_lastmodifieddate"
LINE_PROPERTIES = (
    "hs_sku",
    "name",
    "quantity",
    "price",
    "discount",
    "hs_discount_percentage",
    "hs_line_item_currency_code",
)
_EXACT = Context(prec=60)
_HUNDRED = Decimal(100)


def deal_properties(settings: WonDeals) -> list[str]:
    """What is asked of a deal."""
    of_portal = [settings.entity_property, settings.reference_property]
    named = ["dealname", "amount", "deal_currency_code", "closedate", "dealstage", STAMP, "hs_object_id", *of_portal]
    return [name for name in dict.fromkeys(named) if name]


def line_properties(settings: WonDeals) -> list[str]:
    """What is asked of a line item."""
    return [*LINE_PROPERTIES, settings.tax_rate_property, settings.tax_amount_property]


def company_properties(settings: WonDeals) -> list[str]:
    """What is asked of a company."""
    return ["name", *([settings.customer_property] if settings.customer_property else [])]


@dataclass(frozen=True, slots=True)
class Deal:
    """A deal and what belongs to it. What a link names and the portal no longer has is absent from the records."""

    record: Record
    line_links: list[Link]
    lines: dict[str, Record]
    company_links: list[Link]
    companies: dict[str, Record]

    @property
    def place(self) -> str:
        """For people."""
        return f"HubSpot deal {self.record.id}"

    @property
    def payload(self) -> Json:
        """All of it, as JSON."""
        found = [self.lines[link.to] for link in self.line_links if link.to in self.lines]
        company = [self.companies[link.to] for link in self.company_links if link.to in self.companies]
        payload: Json = msgspec.to_builtins({"deal": self.record, "line_items": found, "companies": company})
        return payload


class _Line(NamedTuple):
    line: OrderLine
    tax: Decimal | None


def order_of(deal: Deal, settings: WonDeals) -> WonOrder | Unreadable:
    """The order as the deal tells it, its figures unjudged (see `pipelines.orders.faults_of`)."""
    faults: list[Violation] = []
    order = _order(deal, settings, faults)
    if faults or order is None:
        return Unreadable(order_id(deal.record.id, settings), deal.place, deal.payload, tuple(faults))
    return order


def order_id(deal_id: str, settings: WonDeals) -> str:
    """What the order of the deal with this id of HubSpot is called."""
    return f"{settings.prefix}{deal_id}"


def _order(deal: Deal, settings: WonDeals, faults: list[Violation]) -> WonOrder | None:
    told = Properties(deal.place, deal.record.properties, faults)
    if deal.record.archived:
        faults.append(Violation(deal.place, "archived", "true", "false (a deal in the archive is no order)"))
    currency = told.text("deal_currency_code") or settings.currency
    entity = _entity(told, settings)
    customer_id, customer_name = _customer(deal, settings, faults)
    lines = [_line(deal, link, currency, settings, faults) for link in deal.line_links]
    tax = _tax(deal, [line for line in lines if line is not None], currency, faults)
    amount, day, stamp = told.needed_number("amount"), told.day("closedate", settings.zone), told.instant(STAMP)
    if faults or day is None or stamp is None:
        return None
    net, total = _net_and_total(amount, tax, settings)
    return WonOrder(
        order_id=order_id(deal.record.id, settings),
        entity_id=entity,
        customer_id=customer_id,
        customer_name=customer_name,
        currency=currency,
        order_date=day,
        lines=tuple(line.line for line in lines if line is not None),
        net=net,
        tax=tax,
        total=total,
        reference=told.text(settings.reference_property) if settings.reference_property else None,
        changed_at=stamp,
        place=deal.place,
    )


def _net_and_total(amount: Decimal, tax: Decimal | None, settings: WonDeals) -> tuple[Decimal, Decimal]:
    if settings.amount_is == "net":
        return amount, amount + (tax or Decimal(0))
    return amount - (tax or Decimal(0)), amount


def _entity(told: Properties, settings: WonDeals) -> str:
    allowed = f"one that the settings give an entity: {', '.join(sorted(settings.entities))}"
    value = told.text(settings.entity_property)
    if value in settings.entities:
        return settings.entities[value]
    told.fault(settings.entity_property, allowed)
    return ""


def _customer(deal: Deal, settings: WonDeals, faults: list[Violation]) -> tuple[str, str]:
    """Number and name of the company: the only one, or the primary one of several."""
    links = deal.company_links
    chosen = links if len(links) == 1 else [link for link in links if link.primary]
    if len(chosen) != 1:
        value = ", ".join(link.to for link in links) or None
        faults.append(Violation(deal.place, "company", value, "one company, or one primary among several"))
        return "", ""
    company = deal.companies.get(chosen[0].to)
    if company is None:
        faults.append(Violation(deal.place, "company", chosen[0].to, "a company that is not in the archive"))
        return "", ""
    told = Properties(f"{deal.place}, company {company.id}", company.properties, faults)
    number = told.text(settings.customer_property) if settings.customer_property else None
    return number or f"{settings.prefix}{company.id}", told.needed("name", Kind.TEXT.words)


def _line(deal: Deal, link: Link, currency: str, settings: WonDeals, faults: list[Violation]) -> _Line | None:
    where, known = f"{deal.place}, line item {link.to}", len(faults)
    record = deal.lines.get(link.to)
    if record is None:
        faults.append(Violation(deal.place, "line item", link.to, "a line item that is not in the archive"))
        return None
    told = Properties(where, record.properties, faults)
    if told.text("hs_line_item_currency_code") not in (None, currency):
        told.fault("hs_line_item_currency_code", f"{currency}, the deal's")
    rate = told.number(settings.tax_rate_property)
    line = OrderLine(
        sku=told.needed("hs_sku", "the product's number in the ERP"),
        description=told.text("name") or "",
        quantity=told.needed_number("quantity"),
        unit_price=_unit_price(told),
        tax_rate=None if rate is None else rate / _HUNDRED,
    )
    tax = told.number(settings.tax_amount_property)
    return _Line(line, tax) if len(faults) == known else None


def _unit_price(told: Properties) -> Decimal:
    """After HubSpot's discount, which is an amount off the price of one, or a share of it in percent."""
    price = told.needed_number("price")
    off, percent = told.number("discount") or Decimal(0), told.number("hs_discount_percentage") or Decimal(0)
    if off and percent:
        told.fault("hs_discount_percentage", "empty where `discount` is set: which of the two holds?")
    if not 0 <= percent <= _HUNDRED:
        told.fault("hs_discount_percentage", "0 to 100 percent")
    if off < 0 or off > max(price, Decimal(0)):
        told.fault("discount", "0 up to the price")
    return _EXACT.multiply(price - off, (_HUNDRED - percent) / _HUNDRED) if percent else price - off


def _tax(deal: Deal, lines: list[_Line], currency: str, faults: list[Violation]) -> Decimal | None:
    """The tax that the lines tell, or that their rates make; None where none tells anything."""
    told = [line for line in lines if line.tax is not None or line.line.tax_rate is not None]
    if not told or len(lines) != len(deal.line_links):
        return None
    if len(told) != len(lines):
        allowed = "a rate or an amount on every line item (0 where untaxed), or on none"
        faults.append(Violation(deal.place, "tax of the line items", f"on {len(told)} of {len(lines)}", allowed))
        return None
    try:
        return sum((_line_tax(line, currency) for line in lines), Decimal(0))
    except BadInput:
        faults.append(Violation(deal.place, "deal_currency_code", currency, Kind.CURRENCY.words))
        return None


def _line_tax(line: _Line, currency: str) -> Decimal:
    if line.tax is not None:
        return line.tax
    net = line_net(line.line, currency)
    return rounded(_EXACT.multiply(net, line.line.tax_rate or Decimal(0)), currency)
