"""Lines of customer accounts, as SAP keeps them, into invoices, credit notes, payments and what settled what.

What SAP's lines cannot tell, and what is made of it:

- which credit settled which invoice, where one clearing holds several of each: invoices are settled in the order of
  their due dates, first by credit notes, then by payments in the order of their days;
- when the money counted: the posting date of the payment document stands for the value date;
- cash discounts and write-offs inside a payment document: they are lines of other accounts, so that a payment counts as
  what it took off the customer's account. What no document of a clearing covers is called a write-off;
- a part payment on account is not tied to an invoice before a clearing says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

Kind = Literal["invoice", "credit_note", "payment"]
Record = dict[str, Any]

RANKS_WITHDRAWN = 4
"""How many settlements of a line are taken back when its clearing is reversed; SAP does not say how many there were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a customer account; `amount` is signed: what the customer owes is positive. Days are YYYY-MM-DD."""

    company: str
    document: str
    item: str
    kind: Kind
    customer: str
    posted: str
    dated: str
    due: str
    entered: str
    amount: Decimal
    currency: str
    reference: str | None
    clearing: str | None
    cleared: str | None
    clearing_day: str | None
    reopened: bool
    changed_at: str | None


@dataclass(frozen=True, slots=True)
class Stamps:
    """When things were known: the start of a day where the company is; `now` where nothing says when it changed."""

    zones: dict[str, str]
    now: datetime

    def known(self, company: str, day: str) -> str:
        """The start of `day`, as an instant."""
        start = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(self.zones[company]))
        return min(start, self.now).isoformat()

    def changed(self, lines: Iterable[Line]) -> str:
        """The latest change among `lines`; now, where one has no stamp."""
        stamps = [line.changed_at for line in lines]
        latest = max((datetime.fromisoformat(s) for s in stamps if s is not None), default=self.now)
        return (self.now if None in stamps else latest).isoformat()


def documents(lines: Iterable[Line], kind: Kind) -> dict[str, list[Line]]:
    """Lines of that kind by document and company, in the order of their items."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line.company, line.document, line.item)):
        if line.kind == kind:
            found[f"{line.company}/{line.document}"].append(line)
    return dict(found)


def invoice(lines: list[Line], stamps: Stamps) -> Record:
    """The invoice of a document: each line an instalment."""
    first = lines[0]
    return _common(first, lines, stamps) | {
        "customer_id": first.customer,
        "issue_date": first.dated,
        "currency": first.currency,
        "amount": plain(_total(lines)),
        "instalments": [
            {"number": number, "due_date": line.due, "amount": plain(line.amount)}
            for number, line in enumerate(lines, start=1)
        ],
    }


def credit_note(lines: list[Line], stamps: Stamps) -> Record:
    """The credit note of a document; SAP's line does not say which invoice it corrects."""
    first = lines[0]
    return _common(first, lines, stamps) | {
        "customer_id": first.customer,
        "issue_date": first.dated,
        "currency": first.currency,
        "amount": plain(_total(lines)),
    }


def payment(lines: list[Line], stamps: Stamps) -> Record:
    """The payment of a document: what it took off the customer's account, negative where it put it back."""
    first = lines[0]
    return _common(first, lines, stamps) | {
        "customer_id": first.customer,
        "value_date": first.posted,
        "currency": first.currency,
        "amount": plain(-_total(lines)),
        "reference": first.reference,
    }


def _total(lines: list[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal())


def plain(amount: Decimal) -> str:
    """Decimal text without needless zeros, at least two decimals where there are any."""
    text = format(amount, "f")
    whole, _, decimals = text.partition(".")
    kept = decimals.rstrip("0")
    return f"{whole}.{kept.ljust(2, '0')}" if kept else whole


def _common(first: Line, lines: list[Line], stamps: Stamps) -> Record:
    return {
        "id": first.document,
        "company": first.company,
        "known_at": stamps.known(first.company, first.entered),
        "changed_at": stamps.changed(lines),
        "deleted": False,
    }


def allocations(lines: Iterable[Line], stamps: Stamps) -> Iterator[Record]:
    """What settled what, from whole clearings; and what a reversed clearing no longer settles."""
    clearings: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    numbers: dict[tuple[str, str, str], int] = {}
    every = list(lines)
    for document in documents(every, "invoice").values():
        numbers |= {_place(line): number for number, line in enumerate(document, start=1)}
    for line in every:
        if line.clearing is not None:
            clearings[line.company, line.clearing, line.currency].append(line)
        elif line.reopened and line.kind == "invoice":
            yield from _withdrawn(line, numbers[_place(line)], stamps)
    for group in clearings.values():
        yield from _settled(group, numbers, stamps)


def _place(line: Line) -> tuple[str, str, str]:
    return line.company, line.document, line.item


def _settled(group: list[Line], numbers: dict[tuple[str, str, str], int], stamps: Stamps) -> Iterator[Record]:
    """One clearing: invoices by due date take from credit notes, then from payments, until each is settled."""
    credits = sorted((x for x in group if x.amount < 0), key=lambda x: (x.kind == "payment", x.posted, x.document))
    left = [(credit, -credit.amount) for credit in credits]
    for line in sorted((x for x in group if x.kind == "invoice"), key=lambda x: (x.due, x.document, x.item)):
        owed, rank = line.amount, 0
        while owed > 0 and left:
            credit, rest = left[0]
            part = min(owed, rest)
            rank, owed = rank + 1, owed - part
            left[:1] = [(credit, rest - part)] if rest > part else []
            yield _allocation(line, numbers[_place(line)], rank, credit, part, stamps)
        if owed > 0:
            yield _allocation(line, numbers[_place(line)], rank + 1, None, owed, stamps)


def _allocation(line: Line, number: int, rank: int, credit: Line | None, part: Decimal, stamps: Stamps) -> Record:
    day = credit.posted if credit is not None and credit.kind == "payment" else line.clearing_day or line.posted
    kind = "write_off" if credit is None else "payment" if credit.kind == "payment" else "credit_note"
    both = [line] if credit is None else [line, credit]
    return {
        "id": f"{line.document}:{number}:{rank}",
        "company": line.company,
        "known_at": stamps.known(line.company, line.cleared or day),
        "changed_at": stamps.changed(both),
        "deleted": False,
        "kind": kind,
        "from_id": None if credit is None else credit.document,
        "invoice_id": line.document,
        "instalment": number,
        "date": day,
        "currency": line.currency,
        "amount": plain(part),
    }


def _withdrawn(line: Line, number: int, stamps: Stamps) -> Iterator[Record]:
    for rank in range(1, RANKS_WITHDRAWN + 1):
        record = _allocation(line, number, rank, None, line.amount, stamps)
        yield record | {"deleted": True, "changed_at": stamps.changed([line])}
