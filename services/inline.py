"""A ledger that came with the question, told as canonical facts: the same contracts, the same features, the same model.

Like a file without times: an invoice is known from the start of its issue date, a payment from the start of its date,
in the entity's time zone. Nothing of it is kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec
import polars as pl

from features.calendars import day_start, zone
from features.contracts import PROVENANCE, check
from features.errors import BadInput, Violation
from features.facts import Facts
from features.money import exponents, to_minor
from features.tables import ALLOCATION, CUSTOMER, CUSTOMER_ATTRIBUTE, ENTITY, INVOICE, PAYMENT, Kind, Table
from services.decoding import AN_AMOUNT, days_out_of_range
from services.problems import InvalidQuestion
from services.schemas import InlineCustomer, InlineInvoice, InlinePayment, InlineQuestion

SOURCE = "inline"
TABLES = (ENTITY, CUSTOMER, CUSTOMER_ATTRIBUTE, INVOICE, PAYMENT, ALLOCATION)
# What a canonical column is called in the question.
_NAMES = {"amount_minor": "amount", "instalments": "due_date", "value_date": "date"}


def facts_of(question: InlineQuestion) -> Facts:
    """The ledger as facts; `InvalidQuestion` lists what is wrong with it, by JSON path."""
    faults = [*_faults(question)]
    if faults:
        raise InvalidQuestion(faults)
    teller = _Teller(question)
    for place, invoice in _placed("$.invoices", question.invoices):
        teller.tell_invoice(place, invoice)
    for place, customer in _placed("$.customers", question.customers):
        teller.tell_customer(place, customer)
    checked = {t.name: check(t, teller.frame(t), unique_ids=True) for t in TABLES}
    broken = [row for result in checked.values() for row in result.bad.iter_rows(named=True)]
    if broken:
        raise InvalidQuestion(
            Violation(row["where"], _NAMES.get(row["field"], row["field"]), row["value"], row["allowed"])
            for row in broken
        )
    return Facts.of({name: result.good for name, result in checked.items()})


class _Teller:
    """Collects canonical rows, table by table."""

    def __init__(self, question: InlineQuestion) -> None:
        entity = question.entity
        self._entity_id = entity.entity_id
        self._time_zone = entity.time_zone
        self._first_day = min(invoice.issue_date for invoice in question.invoices)
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._add(
            ENTITY,
            "$.entity",
            entity.entity_id,
            self._first_day,
            entity,
            name=entity.entity_id,
            country=entity.country,
            currency=entity.currency or question.invoices[0].currency,
            time_zone=entity.time_zone,
        )
        told = {customer.customer_id for customer in question.customers}
        for place, invoice in _placed("$.invoices", question.invoices):
            if invoice.customer_id not in told:
                told.add(invoice.customer_id)
                self.tell_customer(place, InlineCustomer(customer_id=invoice.customer_id))

    def tell_customer(self, place: str, customer: InlineCustomer) -> None:
        """The customer and its dated attributes."""
        self._add(
            CUSTOMER,
            place,
            customer.customer_id,
            self._first_day,
            customer,
            customer_id=customer.customer_id,
            country=customer.country,
            segment=customer.segment,
        )
        for where, attribute in _placed(f"{place}.attributes", customer.attributes):
            attribute_id = f"{customer.customer_id}:{attribute.name}:{attribute.day}"
            columns = {"attribute_id": attribute_id, "customer_id": customer.customer_id}
            values = {"name": attribute.name, "day": attribute.day, "value": attribute.value}
            self._add(CUSTOMER_ATTRIBUTE, where, attribute_id, attribute.day, attribute, **columns, **values)

    def tell_invoice(self, place: str, invoice: InlineInvoice) -> None:
        """The invoice, due at once, and what was paid of it."""
        minor = to_minor(invoice.amount, invoice.currency)
        self._add(
            INVOICE,
            place,
            invoice.invoice_id,
            invoice.issue_date,
            invoice,
            invoice_id=invoice.invoice_id,
            customer_id=invoice.customer_id,
            issue_date=invoice.issue_date,
            currency=invoice.currency,
            amount_minor=minor,
            instalments=[{"number": 1, "due_date": invoice.due_date, "amount_minor": minor}],
        )
        for number, (where, payment) in enumerate(_placed(f"{place}.payments", invoice.payments), start=1):
            self._tell_payment(where, invoice, payment, f"{invoice.invoice_id}#{number}")

    def _tell_payment(self, place: str, invoice: InlineInvoice, payment: InlinePayment, payment_id: str) -> None:
        money = {"currency": invoice.currency, "amount_minor": to_minor(payment.amount, invoice.currency)}
        paid = {"payment_id": payment_id, "customer_id": invoice.customer_id, "value_date": payment.date, **money}
        self._add(PAYMENT, place, payment_id, payment.date, payment, **paid)
        settles = {"allocation_id": payment_id, "kind": "payment", "from_id": payment_id, "date": payment.date, **money}
        target = {"invoice_id": invoice.invoice_id, "instalment": 1}
        self._add(ALLOCATION, place, payment_id, payment.date, payment, **settles, **target)

    def frame(self, table: Table) -> pl.DataFrame:
        """The rows of one table, as `features.contracts.check` wants them."""
        return pl.DataFrame(self._rows[table.name], schema=table.schema | PROVENANCE)

    def _add(
        self, table: Table, place: str, source_id: str, day: date, payload: msgspec.Struct, /, **columns: object
    ) -> None:
        text = msgspec.json.encode(payload)
        row = dict.fromkeys(table.schema) | columns
        row |= {"entity_id": self._entity_id, "source": SOURCE, "source_id": source_id, "deleted": False}
        row |= {"known_at": day_start(day, self._time_zone), "digest": sha256(text).hexdigest()}
        self._rows[table.name].append(row | {"_where": place, "_payload": text.decode()})


def _faults(question: InlineQuestion) -> Iterator[Violation]:
    """What the contracts cannot see: they know neither the question's own fields nor one row beside another."""
    yield from days_out_of_range("$", question)
    yield from _repeated("$.invoices", "invoice_id", [i.invoice_id for i in question.invoices])
    yield from _repeated("$.customers", "customer_id", [c.customer_id for c in question.customers])
    try:
        zone(question.entity.time_zone)
    except BadInput:
        yield Violation("$.entity", "time_zone", question.entity.time_zone, "an IANA name such as Europe/Berlin")
    for place, customer in _placed("$.customers", question.customers):
        for where, attribute in _placed(f"{place}.attributes", customer.attributes):
            yield from days_out_of_range(where, attribute)
    for place, invoice in _placed("$.invoices", question.invoices):
        yield from _invoice_faults(place, invoice)


def _invoice_faults(place: str, invoice: InlineInvoice) -> Iterator[Violation]:
    yield from days_out_of_range(place, invoice)
    if invoice.due_date < invoice.issue_date:
        yield Violation(place, "due_date", str(invoice.due_date), f"on or after the issue_date, {invoice.issue_date}")
    if invoice.currency not in exponents():
        yield Violation(place, "currency", invoice.currency, Kind.CURRENCY.words)
        return
    yield from _inexact(place, invoice.amount, invoice.currency)
    for where, payment in _placed(f"{place}.payments", invoice.payments):
        yield from days_out_of_range(where, payment)
        yield from _inexact(where, payment.amount, invoice.currency)
        if payment.date < invoice.issue_date:
            yield Violation(where, "date", str(payment.date), f"on or after the issue_date, {invoice.issue_date}")


def _inexact(place: str, amount: str, currency: str) -> Iterator[Violation]:
    try:
        to_minor(amount, currency)
    except BadInput:
        yield Violation(place, "amount", amount, f"{AN_AMOUNT}, with at most {exponents()[currency]} decimals")


def _repeated(place: str, field: str, ids: list[str]) -> Iterator[Violation]:
    first: dict[str, int] = {}
    for index, value in enumerate(ids):
        if first.setdefault(value, index) != index:
            yield Violation(f"{place}[{index}]", field, value, f"an id used once; {place}[{first[value]}] has it too")


def _placed(path: str, things: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"{path}[{index}]", thing) for index, thing in enumerate(things))
