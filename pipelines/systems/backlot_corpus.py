"""A portal of HubSpot: companies, deals in several stages with line items, and some deals that are wrong on purpose.

Change stamps are milliseconds since 1970: backlot compares properties as numbers where both sides are numbers and as
texts elsewhere, while HubSpot itself knows which of its properties are instants.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pipelines.connectors.source import Json

FIRST_CHANGE = datetime(2026, 1, 5, 8, tzinfo=UTC)
BETWEEN_CHANGES = timedelta(minutes=30)
RATES = {"DE": "19", "US": "0", "FR": "20"}

# Deal -> the field that is wrong. The first two cannot be read as an order; the others' figures do not agree.
UNREADABLE = {"9001": "quantity", "9002": "company"}
FAULTY = {"9003": "net", "9004": "unit_price", "9005": "net"}

Properties = dict[str, str | None]

_COMPANIES = (
    ("701", "Northwind Analytics GmbH", "DE", "C-1001"),
    ("702", "Blue Yonder Optics Inc", "US", "C-1002"),
    ("703", "Verre & Lumière SARL", "FR", None),
)


def corpus(won: int = 60) -> list[Json]:
    """The records of the portal, of which `won` deals are in order; the same every time."""
    records = [company(*one) for one in _COMPANIES]
    for number in range(won):
        records += _good(number)
    for number, stage in enumerate(("closedlost", "appointmentscheduled", "closedlost")):
        records += [
            *deal(f"{8001 + number}", won + number, "701", [line(f"{8001 + number}1")], "100.00", dealstage=stage)
        ]
    return records + list(_wrong(won))


def _good(number: int) -> Iterator[Json]:
    """Two lines, the second with a discount; every third in dollars, every fourth in the second pipeline."""
    buyer, _, country, _ = _COMPANIES[number % 3]
    deal_id, rate = f"{1001 + number}", RATES[country]
    price = Decimal(1999 + number) / 100
    first = line(f"{deal_id}1", price=f"{price}", quantity="3", hs_tax_rate=rate)
    second = line(f"{deal_id}2", price="40.00", quantity="2", discount="2.50", hs_tax_rate=rate)
    currency = "USD" if country == "US" else None
    pipeline = "second" if number % 4 == 0 else "default"
    amount = str(price * 3 + Decimal("75.00"))
    yield from deal(deal_id, number, buyer, [first, second], amount, deal_currency_code=currency, pipeline=pipeline)


def _wrong(after: int) -> Iterator[Json]:
    yield from deal("9001", after, "701", [line("90011", quantity=None)], "10.00")
    yield from deal("9002", after + 1, None, [line("90021")], "10.00")
    yield from deal("9003", after + 2, "701", [line("90031"), line("90032")], "19.00")
    yield from deal("9004", after + 3, "701", [line("90041"), line("90042", price="-2.00")], "8.00")
    yield from deal("9005", after + 4, "702", [line("90051", price="3.335")], "3.335")


def deal(
    deal_id: str, number: int, of: str | None, lines: list[Json], amount: str, **properties: str | None
) -> Iterator[Json]:
    """A deal of the company `of`, won unless `properties` say otherwise, that changed as that number; its lines."""
    changed = FIRST_CHANGE + number * BETWEEN_CHANGES
    closed = changed.isoformat() if number % 2 else _millis(changed)
    told: Properties = {
        "dealname": f"Deal {deal_id}",
        "dealstage": "closedwon",
        "pipeline": "default",
        "amount": amount,
        "closedate": closed,
        "hs_lastmodifieddate": _millis(changed),
        "po_number": f"PO-{deal_id}",
    }
    links = [{"to": record["doc_id"]} for record in lines]
    links += [{"to": f"companies-{of}", "label": "Primary"}] if of else []
    yield _record("deals", deal_id, told | properties) | {"associations": links}
    yield from lines


def line(line_id: str, **properties: str | None) -> Json:
    """One thing for 10.00, unless `properties` say otherwise."""
    told: Properties = {
        "hs_sku": f"SKU-{int(line_id) % 7}",
        "name": f"Product {line_id}",
        "quantity": "1",
        "price": "10.00",
    }
    return _record("line_items", line_id, told | properties)


def company(number: str, name: str, country: str, customer: str | None) -> Json:
    """A company, and the number that the ERP knows it by."""
    told: Properties = {"name": name, "country": country, "duecast_customer_id": customer}
    return _record("companies", number, told)


def _record(kind: str, record_id: str, properties: Properties) -> Json:
    told = {name: value for name, value in (properties | {"hs_object_id": record_id}).items() if value is not None}
    return {
        "source_type": "hubspot",
        "doc_id": f"{kind}-{record_id}",
        "record_id": record_id,
        "object_type": kind,
        "title": f"{kind} {record_id}",
        "content": f"{kind} {record_id}",
        "author_email": "sales@seller.example",
        "visibility": "public",
        "created": FIRST_CHANGE.isoformat(),
        "properties": told,
    }


def _millis(instant: datetime) -> str:
    return str(int(instant.timestamp()) * 1000)
