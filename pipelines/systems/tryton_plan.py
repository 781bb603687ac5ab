"""What a seeded ledger is to hold: invoices and how each is settled, before anything is booked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from random import Random

from pipelines.systems.tryton_books import COMPANIES, TERMS, Company

CUSTOMERS = 18
INVOICES = 110
_CENT = Decimal("0.01")
_HISTORY_DAYS = 300
_FATES = (
    ("paid", 44),
    ("in two parts", 10),
    ("in part", 8),
    ("overpaid", 6),
    ("together", 12),
    ("by hand", 4),
    ("by hand, rest written off", 4),
    ("by hand, too much", 3),
    ("cancelled by a credit note", 5),
    ("credited", 3),
    ("credited and paid", 4),
    ("disputed", 4),
    ("open", 13),
)


@dataclass(frozen=True, slots=True)
class Money:
    """Money that comes in for one invoice on a day; `surplus` is on top of what is owed."""

    day: date
    amount: Decimal
    surplus: Decimal = Decimal(0)


@dataclass(slots=True)
class Planned:
    """An invoice to be booked. `number` and `id` are Tryton's, once it has them."""

    place: int
    customer: str
    issued: date
    currency: str
    terms: str
    quantity: int
    price: Decimal
    tax_rate: Decimal
    fate: str
    ordered: bool
    money: list[Money] = field(default_factory=list)
    id: int = 0
    number: str = ""
    order: str = ""

    @property
    def total(self) -> Decimal:
        """Gross."""
        return self.gross(self.quantity)

    def gross(self, quantity: int) -> Decimal:
        """What so many of its units come to, with tax."""
        net = quantity * self.price
        return net + cents(net * self.tax_rate)

    @property
    def instalments(self) -> list[tuple[date, Decimal]]:
        """Due dates and amounts."""
        *first, last = TERMS[self.terms]
        parts = [(self.issued + timedelta(days=days), cents(self.total * share / 100)) for share, days in first]
        rest = self.total - sum((amount for _, amount in parts), Decimal(0))
        return [*parts, (self.issued + timedelta(days=last[1]), rest)]


def cents(amount: Decimal) -> Decimal:
    """Rounded as Tryton rounds."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN)


def planned(company: Company, today: date, seed: int) -> list[Planned]:
    """The company's invoices by date; the same for the same arguments."""
    rng = Random(f"{seed} {company.code}")
    days = sorted(today - timedelta(days=rng.randint(20, _HISTORY_DAYS)) for _ in range(INVOICES))
    invoices = [_invoice(company, place, day, rng) for place, day in enumerate(days)]
    for invoice in invoices:
        invoice.money = list(_money(invoice, today, rng))
    _pay_together([i for i in invoices if i.fate == "together"], today, rng)
    return invoices


def _invoice(company: Company, place: int, day: date, rng: Random) -> Planned:
    foreign = company.currency == "USD" and place % 12 == 5
    fate = rng.choices([f for f, _ in _FATES], [w for _, w in _FATES])[0]
    return Planned(
        place=place,
        customer=f"{company.code}-C{rng.randint(1, CUSTOMERS):02}",
        issued=day,
        currency="EUR" if foreign or company.currency == "EUR" else "USD",
        terms="30 days" if fate.startswith("credited") else list(TERMS)[place % len(TERMS)],
        quantity=rng.randint(2, 9),
        price=Decimal(rng.randint(1_000, 90_000)) / 100,
        tax_rate=company.tax_rate,
        fate=("paid" if place % 24 == 5 else "paid in dollars") if foreign else fate,
        ordered=not foreign and place % 9 == 0,
    )


def _money(invoice: Planned, today: date, rng: Random) -> Iterator[Money]:
    def later(days: int) -> date:
        return min(invoice.issued + timedelta(days=days + rng.randint(0, 25)), today)

    total, share = invoice.total, cents(invoice.total * rng.randint(20, 70) / 100)
    match invoice.fate:
        case "paid" | "paid in dollars" | "by hand":
            yield Money(later(15), total)
        case "in two parts":
            yield Money(later(10), share)
            yield Money(later(36), total - share)
        case "in part":
            yield Money(later(10), share)
        case "overpaid" | "by hand, too much":
            yield Money(later(10), total, Decimal(rng.randint(100, 5000)) / 100)
        case "by hand, rest written off":
            yield Money(later(20), total - Decimal("0.37"))
        case "credited and paid":
            yield Money(later(20), total - invoice.gross(1))  # taxes are rounded by document


def _pay_together(invoices: list[Planned], today: date, rng: Random) -> None:
    """Those of one customer, up to three at a time, are paid by one entry of the bank."""
    for customer in sorted({i.customer for i in invoices}):
        theirs = [i for i in invoices if i.customer == customer]
        for start in range(0, len(theirs), 3):
            group = theirs[start : start + 3]
            day = min(group[-1].issued + timedelta(days=rng.randint(5, 40)), today)
            for invoice in group:
                invoice.money = [Money(day, invoice.total)]


def ledgers(today: date, seed: int) -> dict[str, list[Planned]]:
    """Company code -> its invoices."""
    return {company.code: planned(company, today, seed) for company in COMPANIES}
