"""Letters with what a person said of them: the lines of a JSONL file, one object each, read strictly.

Needed are id, lang, received_on, subject, body, intents, dispute_reasons, invoice_numbers, po_numbers, amounts,
promised_on and disputed_amount, by the definitions of `labels.py`; more fields may stand beside them. An amount is
`[1234.5, "EUR"]`, `{"value": 1234.5, "currency": "EUR"}`, `"1234.50 EUR"` or a bare number; its currency may be null.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from features.errors import BadInput
from nlp.labels import INTENTS, REASONS
from nlp.letters import Letter

MOST_LETTERS = 1_000_000
AMOUNT_FORMS = '[1234.5, "EUR"], {"value": 1234.5, "currency": "EUR"}, "1234.50 EUR" or 1234.5'


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount as a letter states it; `currency` is empty where the letter names none."""

    value: Decimal
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a letter says, by a person's reading or by ours."""

    intents: frozenset[str]
    reasons: frozenset[str] = frozenset()
    invoice_numbers: frozenset[str] = frozenset()
    po_numbers: frozenset[str] = frozenset()
    amounts: frozenset[Money] = frozenset()
    promised_on: date | None = None
    disputed: Money | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A letter, its language, and what a person said of it. `spans` are places of entities, where told."""

    letter: Letter
    lang: str
    said: Said
    style: str = ""
    spans: tuple[tuple[str, str], ...] = ()


class _Row(msgspec.Struct, frozen=True):
    id: str
    lang: str
    received_on: date
    subject: str
    body: str
    intents: tuple[str, ...]
    dispute_reasons: tuple[str, ...]
    invoice_numbers: tuple[str, ...]
    po_numbers: tuple[str, ...]
    amounts: tuple[Any, ...]
    promised_on: date | None
    disputed_amount: Any
    style: str = ""
    spans: tuple[tuple[str, str], ...] = ()


def read(path: Path) -> Iterator[Labelled]:
    """The labelled letters of a file, in order; `BadInput` names file, line and field of what does not fit."""
    seen: set[str] = set()
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            told = _labelled(line, f"{path.name} line {number}")
            if told.letter.id in seen:
                raise BadInput(
                    f"{path.name} line {number}: id {told.letter.id!r} was used before; allowed: each id once"
                )
            seen.add(told.letter.id)
            yield told


def _labelled(line: str, where: str) -> Labelled:
    try:
        row = msgspec.json.decode(line, type=_Row)
    except msgspec.DecodeError as error:
        raise BadInput(f"{where}: {error}") from None
    _known(row.intents, tuple(intent.name for intent in INTENTS), f"{where}: intents")
    _known(row.dispute_reasons, tuple(reason.name for reason in REASONS), f"{where}: dispute_reasons")
    said = Said(
        intents=frozenset(row.intents),
        reasons=frozenset(row.dispute_reasons),
        invoice_numbers=frozenset(row.invoice_numbers),
        po_numbers=frozenset(row.po_numbers),
        amounts=frozenset(_money(amount, f"{where}: amounts") for amount in row.amounts),
        promised_on=row.promised_on,
        disputed=None if row.disputed_amount is None else _money(row.disputed_amount, f"{where}: disputed_amount"),
    )
    return Labelled(Letter(row.id, row.received_on, row.subject, row.body), row.lang, said, row.style, row.spans)


def _known(given: tuple[str, ...], allowed: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in allowed:
            raise BadInput(f"{where} has {name!r}; allowed: {', '.join(allowed)}")


def _money(given: Any, where: str) -> Money:
    match given:
        case [value, str() | None as currency]:
            return _of(value, currency, where)
        case {"value": value, "currency": str() | None as currency} | {
            "amount": value,
            "currency": str() | None as currency,
        }:
            return _of(value, currency, where)
        case str():
            value, _, currency = given.partition(" ")
            return _of(value, currency, where)
        case _:
            return _of(given, None, where)


def _of(value: Any, currency: str | None, where: str) -> Money:
    """The amount, unsigned and without trailing zeros, so that 80 and 80.00 are one."""
    try:
        exact = Decimal(str(value)) if isinstance(value, str | int | float) else Decimal("nan")
    except InvalidOperation:
        exact = Decimal("nan")
    if not exact.is_finite():
        raise BadInput(f"{where} has {value!r}; allowed: {AMOUNT_FORMS}")
    return Money(abs(exact).normalize(), (currency or "").upper())
