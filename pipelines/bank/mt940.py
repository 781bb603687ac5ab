"""MT940 statements (SWIFT), several to a file, with or without the network's envelope.

The mt-940 library is not used: it has no line numbers, takes 30 February for 29, merges the balances of several
statements into one, drops lines it cannot place and logs payers' texts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from features.errors import BadInput
from pipelines.bank.decoding import lines_of, minor, two_digit_day
from pipelines.bank.mt940_entry import entry_of
from pipelines.bank.statement import Entry, Statement, account_number, checked, identified

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_END = re.compile(r"-(\}.*|X{3})?\s*$")
_ENVELOPE = re.compile(r"(\{[1-5]:.*|:?940:?|[0-9A-Z ]{2,40})$")
_BALANCE = re.compile(r"([DC])([0-9]{6})([A-Z]{3})([0-9]{1,15},[0-9]{0,6})$")
_CONTROLS = {code: None for code in range(32) if code != 9}
_KNOWN = {"20", "21", "25", "28", "28C", "60F", "60M", "61", "62F", "62M", "64", "65", "86", "NS", "13D", "13"}
# What may follow what, by how far the statement has got.
_STAGE = {"20": 0, "25": 1, "28": 2, "28C": 2, "60F": 3, "60M": 3, "61": 4, "62F": 5, "62M": 5, "64": 6, "65": 6}
_ONCE = {"20", "25", "28", "60", "62"}
_ALLOWED = "allowed: :20: :25: :28C: :60F: then :61: with :86: then :62F:"


@dataclass(slots=True)
class Field:
    """One tagged field: its lines as written, and the line of the file it starts on."""

    tag: str
    line: int
    lines: list[str]


@dataclass(slots=True)
class _Open:
    """A statement that is being read."""

    line: int
    fields: dict[str, Field] = field(default_factory=dict)
    entries: list[tuple[Field, Field | None]] = field(default_factory=list)
    stage: int = 0


def parse(stream: BinaryIO, name: str, encoding: str | None = None) -> list[Statement]:
    """The statements of `stream`, called `name` in complaints; all of them are right or `BadInput`."""
    return checked(read(stream, name, encoding))


def read(stream: BinaryIO, name: str, encoding: str | None = None) -> list[Statement]:
    """As `parse`, before the balances are checked."""
    fields = _fields(lines_of(stream.read(), name, encoding), name)
    return [_statement(told, name) for told in _grouped(fields, name)]


def _fields(lines: list[str], name: str) -> Iterator[Field]:
    """The tagged fields; an empty tag ends a statement."""
    current: Field | None = None
    for number, raw in enumerate(lines, start=1):
        line = raw.translate(_CONTROLS)
        opened = line.rpartition("{4:")[2] if line.startswith("{") else line
        tagged = _TAG.match(opened)
        if tagged or _END.match(line):
            if current is not None:
                yield current
            current = Field(tagged[1], number, [tagged[2]]) if tagged else None
            if tagged is None:
                yield Field("", number, [])
        elif current is not None and not line.startswith("{"):
            current.lines.append(line)
        elif line.strip() and not _ENVELOPE.match(line.strip()):
            raise BadInput(f"{name} line {number}: text outside of a statement; {_ALLOWED}")
    if current is not None:
        yield current


def _grouped(fields: Iterator[Field], name: str) -> Iterator[_Open]:
    told: _Open | None = None
    last = 1
    for found in fields:
        last = found.line
        if told is not None and found.tag in ("", "20"):
            yield _closed(told, name, last)
            told = None
        if found.tag == "20":
            told = _Open(found.line)
        if found.tag:
            _take(told, found, f"{name} line {found.line}")
    if told is not None:
        yield _closed(told, name, last)


def _take(told: _Open | None, found: Field, place: str) -> None:
    """Add the field to the statement, where it may stand there."""
    if told is None:
        raise BadInput(f"{place}: :{found.tag}: stands outside of a statement; {_ALLOWED}")
    if found.tag not in _KNOWN:
        raise BadInput(f"{place}: :{found.tag}: is no field of an MT940; {_ALLOWED}")
    kind = found.tag[:2]
    if kind in _ONCE and kind in told.fields:
        raise BadInput(f"{place}: :{found.tag}: comes twice in the statement of line {told.line}; {_ALLOWED}")
    stage = _STAGE.get(found.tag, told.stage)
    if stage < told.stage or (stage == 4 and told.stage < 3):
        raise BadInput(f"{place}: :{found.tag}: stands in the wrong order; {_ALLOWED}")
    told.stage = stage
    if found.tag == "61":
        told.entries.append((found, None))
    elif found.tag == "86" and stage == 4:
        told.entries[-1] = (told.entries[-1][0], _joined(told.entries[-1][1], found))
    else:
        told.fields[kind] = found


def _joined(before: Field | None, more: Field) -> Field:
    """Some banks repeat :86: for every line of it."""
    return more if before is None else Field("86", before.line, before.lines + more.lines)


def _closed(told: _Open, name: str, last: int) -> _Open:
    for kind, tag in (("25", "25"), ("60", "60F"), ("62", "62F")):
        if kind not in told.fields:
            place = f"{name} line {last}"
            raise BadInput(f"{place}: the statement of line {told.line} ends without :{tag}:; is the file whole?")
    return told


def _statement(told: _Open, name: str) -> Statement:
    place = f"{name} line {told.line}"
    opening_day, currency, opening = _balance(told.fields["60"], name)
    closing_day, other, closing = _balance(told.fields["62"], name)
    if other != currency:
        line = told.fields["62"].line
        raise BadInput(f"{name} line {line}: a closing balance in {other}; allowed: {currency}, as it was opened")
    number = told.fields["28"].lines[0].strip() if "28" in told.fields else None
    identity = f"{number or 'unnumbered'}:{opening_day}:{closing_day}"
    entries: list[Entry] = [
        entry_of(movement.lines, about.lines if about else [], place=f"{name} line {movement.line}", currency=currency)
        for movement, about in told.entries
    ]
    account = account_number(told.fields["25"].lines[0])
    if not account:
        raise BadInput(f"{name} line {told.fields['25'].line}: :25: is empty; allowed: the account's number")
    return Statement(
        statement_id=identity,
        account=account,
        owner=None,
        number=number,
        currency=currency,
        from_day=opening_day,
        to_day=closing_day,
        opening_minor=opening,
        closing_minor=closing,
        entries=tuple(identified(entries, identity)),
        place=place,
    )


def _balance(found: Field, name: str) -> tuple[date, str, int]:
    """Day, currency and signed minor units."""
    place, tag = f"{name} line {found.line}", f":{found.tag}:"
    text = "".join(found.lines).strip()
    parts = _BALANCE.match(text)
    if parts is None:
        raise BadInput(f"{place}: {tag} is {text!r}; allowed: such as C260331EUR1234,50")
    day = two_digit_day(parts[2], place, tag)
    amount = minor(parts[4].replace(",", "."), parts[3], place, tag)
    return day, parts[3], amount if parts[1] == "C" else -amount
