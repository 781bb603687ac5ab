"""Records 03 and 16 of a BAI2 file: summaries and movements, with the funds availability between their fields."""

import re
from dataclasses import dataclass
from datetime import date

from bai2.constants import TypeCodes  # type: ignore[import-untyped]

from features.errors import BadInput
from pipelines.bank.bai2_records import Record
from pipelines.bank.decoding import blank_to_none, two_digit_day
from pipelines.bank.statement import Entry

_AMOUNT = re.compile(r"[+-]?[0-9]{1,18}")
_TAKES_BACK = re.compile(r"return|reversal", re.IGNORECASE)
_NO_MONEY = "890"


@dataclass(frozen=True, slots=True)
class Total:
    """A status or summary of an account; `amount` in minor units, None where it is left out."""

    code: str
    amount: int | None


def amount(text: str, record: Record) -> int:
    """A signed whole number; an empty field is 0."""
    if not text:
        return 0
    if not _AMOUNT.fullmatch(text):
        raise BadInput(f"{record.place}: {text!r} in record {record.code}; allowed: a whole number of minor units")
    return int(text)


def summary_of(record: Record) -> list[Total]:
    """The summaries of an account record 03."""
    totals: list[Total] = []
    rest = record.fields[2:]
    while any(text.strip() for text in rest):
        code, told = rest[0].strip(), rest[1].strip() if len(rest) > 1 else ""
        if not code:  # some banks end a line with one comma more
            rest = rest[1:]
            continue
        totals.append(Total(code, amount(told, record) if told else None))
        funds = rest[3].strip() if len(rest) > 3 else ""
        rest = rest[4:][_availability(funds, rest[4:], record)[0] :]
    return totals


def _availability(funds: str, rest: list[str], record: Record) -> tuple[int, str | None]:
    """How many fields the availability takes, and its value date where it has one."""
    match funds:
        case "" | "0" | "1" | "2" | "Z":
            return 0, None
        case "V":
            return 2, blank_to_none(rest[0]) if rest else None
        case "S":
            return 3, None
        case "D":
            return 1 + 2 * amount(rest[0].strip() if rest else "", record), None
    raise BadInput(f"{record.place}: funds type {funds!r}; allowed: 0, 1, 2, S, V, D, Z or nothing")


def entry_of(record: Record, currency: str, day: date) -> Entry | None:
    """The movement of a record 16 booked on `day`, without its id; None where it moves no money (890)."""
    code = record.field(0)
    if code == _NO_MONEY:
        return None
    taken, value_date = _availability(record.field(2), record.fields[3:], record)
    rest = [*record.fields[3 + taken :], "", ""]
    known = TypeCodes.get(code)
    return Entry(
        entry_id="",
        booking_date=day,
        value_date=two_digit_day(value_date, record.place, "the value date of 16") if value_date else day,
        amount_minor=_sign(code, record) * amount(record.field(1), record),
        currency=currency,
        bank_reference=_reference(rest[0]),
        end_to_end_id=_reference(rest[1]),
        payer_name=None,
        payer_account=None,
        remittance=blank_to_none(" ".join(",".join(rest[2:]).rstrip(",").split())),
        code=code,
        returned=bool(known and _TAKES_BACK.search(known.description)),
        place=record.place,
    )


def _reference(text: str) -> str | None:
    found = blank_to_none(text)
    return None if found in ("NOTPROVIDED", "NONREF") else found


def _sign(code: str, record: Record) -> int:
    """1 for a credit, -1 for a debit: 100 to 399 and 400 to 699 by the standard, others where its list says."""
    if re.fullmatch("[1-3][0-9]{2}", code):
        return 1
    if re.fullmatch("[4-6][0-9]{2}", code):
        return -1
    kind = TypeCodes[code].transaction if code in TypeCodes else None
    if kind is None or kind.value not in ("credit", "debit"):
        allowed = "100 to 399 for credits, 400 to 699 for debits, or 890"
        raise BadInput(f"{record.place}: transaction type {code!r} is neither credit nor debit; allowed: {allowed}")
    return 1 if kind.value == "credit" else -1
