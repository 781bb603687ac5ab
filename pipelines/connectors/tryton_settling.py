"""Which credit settles which debt, among lines that an accountant declared settled with each other.

Tryton says that a group of lines comes to nothing, not which pays which. Where a payment was linked to an invoice it
pays that one; the rest is told off in order, oldest debt by oldest credit, so that the same lines always give the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Owed:
    """A debt: one instalment, or a refund. `of` is the id of its invoice, 0 where it is of none."""

    line: int
    of: int
    due: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Given:
    """A credit. `meant_for` is the id of the invoice that it was linked to, 0 for none."""

    line: int
    meant_for: int
    day: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Settled:
    """`amount` of the debt was settled by the credit."""

    owed: int
    given: int
    amount: Decimal


def settle(debts: Sequence[Owed], credits_: Sequence[Given]) -> list[Settled]:
    """The parts of each credit by debt; they never exceed the one or the other.

    >>> debts = [Owed(1, 10, date(2024, 5, 1), Decimal(60)), Owed(2, 20, date(2024, 5, 2), Decimal(40))]
    >>> [(s.owed, int(s.amount)) for s in settle(debts, [Given(3, 20, date(2024, 5, 9), Decimal(70))])]
    [(2, 40), (1, 30)]
    """
    left = {d.line: d.amount for d in debts} | {c.line: c.amount for c in credits_}
    by_due = sorted(debts, key=lambda d: (d.due, d.line))
    by_day = sorted(credits_, key=lambda c: (c.day, c.line))
    linked = [(c, d) for c in by_day for d in by_due if c.meant_for and c.meant_for == d.of]
    return list(_told_off(linked, left)) + list(_told_off([(c, d) for c in by_day for d in by_due], left))


def _told_off(pairs: list[tuple[Given, Owed]], left: dict[int, Decimal]) -> Iterator[Settled]:
    for credit, debt in pairs:
        part = min(left[credit.line], left[debt.line])
        if part > 0:
            left[credit.line] -= part
            left[debt.line] -= part
            yield Settled(debt.line, credit.line, part)
