"""Whether Tryton's records are what was asked for: every field there, of the type that Tryton gives it.

A field that a module renamed or retyped would else be a missing value or a wrong one, silently.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from features.errors import SourceBroken
from pipelines.connectors.tryton_json import Json

_MONEY = ("amount", "amount_second_currency", "amount_to_pay", "credit", "debit", "end_balance", "last_amount")
_TOTALS = ("tax_amount", "total_amount", "untaxed_amount")
_DECIMAL = frozenset((*_MONEY, *_TOTALS, "rate"))
_DAYS = frozenset(("date", "invoice_date", "maturity_date", "sale_date"))
_STAMPS = frozenset(("create_date", "write_date"))
_TEXTS = frozenset(("code", "name", "number", "state", "timezone", "reference", "description", "origin"))
_WORDS = {Decimal: "a decimal", date: "a day", datetime: "an instant", str: "text", int: "a whole number"}


def records(answer: Any, model: str, fields: Collection[str]) -> list[Json]:
    """The answer as records with all of `fields`; `SourceBroken` for the first that lacks one or has another type."""
    if not isinstance(answer, list) or not all(isinstance(r, dict) and isinstance(r.get("id"), int) for r in answer):
        told = "the answer is no list of records with ids"
        raise SourceBroken(f"GET {model}: {told}; allowed: what Tryton's REST API answers")
    paths = [field.split(".") for field in fields]
    for record in answer:
        for path in paths:
            for fault in _faults(record, path):
                raise SourceBroken(f"GET {model}: record {record['id']}: {'.'.join(path)} {fault}")
    return answer


def _faults(record: Any, path: list[str]) -> Iterator[str]:
    """What is wrong with the field at `path`; of something that is not there nothing is asked."""
    name, rest = path[0], path[1:]
    if not isinstance(record, dict) or name not in record:
        yield "is not in the answer; allowed: the fields that were asked for (has the ERP renamed it?)"
        return
    value = record[name]
    if value is None:
        return
    if rest:
        for inner in value if isinstance(value, list) else [value]:
            yield from _faults(inner, rest)
        return
    kind = _kind(name)
    if kind is not None and type(value) is not kind:
        yield f"is {value!r}; allowed: {_WORDS[kind]}"


def _kind(name: str) -> type | None:
    if name in _DECIMAL:
        return Decimal
    if name in _DAYS:
        return date
    if name in _STAMPS:
        return datetime
    return str if name in _TEXTS else None
