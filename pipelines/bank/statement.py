"""What a bank told about one account: balances and entries, the same whatever format it was told in.

Amounts are signed minor units of the account's currency, a credit positive. Days are the bank's own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from hashlib import sha256

from features.errors import BadInput
from features.money import from_minor

_KEPT_DIGITS = 24
_UNSAID = {"place", "entry_id", "note", "owner", "entries"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One booked movement.

    entry_id         unique within the account and the same each time the movement is told, see `identified`
    bank_reference   the bank's own name for it; `end_to_end_id` is the payer's
    payer_name, payer_account   the other party, as the bank spells it
    remittance       what the payer wrote, untouched: it may start with =, +, - or @
    code             the bank's transaction code, in the words of its format
    returned         it takes back an earlier movement: a reversal, a returned direct debit or transfer
    note             why a batch was kept as one entry, if it was
    place            "FILE line N"
    """

    entry_id: str
    booking_date: date
    value_date: date
    amount_minor: int
    currency: str
    bank_reference: str | None
    end_to_end_id: str | None
    payer_name: str | None
    payer_account: str | None
    remittance: str | None
    code: str | None
    returned: bool
    place: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one account.

    statement_id   unique within the account, as far as the format allows
    number         its number in the bank's sequence, pages behind a slash; None or "0" where the bank does not number
    opening_minor, closing_minor   booked balances; None where the format states none (camt.054, some BAI2, some CSV)
    """

    statement_id: str
    account: str
    owner: str | None
    number: str | None
    currency: str
    from_day: date
    to_day: date
    opening_minor: int | None
    closing_minor: int | None
    entries: tuple[Entry, ...]
    place: str

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, wherever and however often it was found."""
        parts = [_said(self), *(_said(entry) for entry in self.entries)]
        return sha256("\x1e".join(parts).encode()).hexdigest()


def _said(part: Statement | Entry) -> str:
    return "\x1f".join(repr(getattr(part, f.name)) for f in fields(part) if f.name not in _UNSAID)


def account_number(text: str) -> str:
    """An account number without blanks and in capitals, so that two spellings of one IBAN are equal.

    >>> account_number("nl14 MOCK 0000 0000 02")
    'NL14MOCK0000000002'
    """
    return "".join(text.split()).upper()


def identified(entries: Iterable[Entry], statement_id: str) -> Iterator[Entry]:
    """The entries with their ids.

    With a bank reference: booking day, reference and amount, because banks use references again, on other days and for
    both halves of a booking. Without one: a digest of the content and the statement, because two equal fees on one day
    are two movements. What is still equal is numbered in the order told.
    """
    times: Counter[str] = Counter()
    for entry in entries:
        base = _identity(entry, statement_id)
        times[base] += 1
        yield replace(entry, entry_id=base if times[base] == 1 else f"{base}#{times[base]}")


def _identity(entry: Entry, statement_id: str) -> str:
    if entry.bank_reference:
        return f"{entry.booking_date}:{entry.bank_reference}:{entry.amount_minor}"
    return sha256(f"{statement_id}\x1f{_said(entry)}".encode()).hexdigest()[:_KEPT_DIGITS]


def checked(statements: Iterable[Statement]) -> list[Statement]:
    """All of `statements`, or `BadInput` for the first that does not add up to the cent or contradicts itself."""
    found = list(statements)
    for statement in found:
        _check(statement)
    return found


def _check(statement: Statement) -> None:
    told = f"{statement.place}: statement {statement.statement_id}"
    if statement.from_day > statement.to_day:
        days = f"{statement.from_day} to {statement.to_day}"
        raise BadInput(f"{told} runs from {days}; allowed: a first day that is not after the last")
    for entry in statement.entries:
        if entry.currency != statement.currency:
            allowed = f"allowed: {statement.currency}, the account's currency"
            raise BadInput(f"{entry.place}: an entry in {entry.currency}; {allowed}")
    _check_balances(statement, told)


def _check_balances(statement: Statement, told: str) -> None:
    if statement.opening_minor is None or statement.closing_minor is None:
        return
    moved = sum(entry.amount_minor for entry in statement.entries)
    difference = statement.closing_minor - statement.opening_minor - moved
    if difference:
        opening, movement, closing, off = (
            f"{from_minor(minor, statement.currency)}"
            for minor in (statement.opening_minor, moved, statement.closing_minor, difference)
        )
        sums = f"opening {opening} plus {len(statement.entries)} entries of {movement} is not closing {closing}"
        raise BadInput(f"{told} does not add up: {sums}; the difference is {off} {statement.currency}; ask the bank")
