"""Statements as records of the canonical tables `bank_statement` and `bank_entry`."""

from datetime import datetime
from typing import Any

from features.errors import BadInput
from features.money import from_minor
from pipelines.bank.statement import Entry, Statement

Record = dict[str, Any]


def statement_record(statement: Statement, *, entity_id: str, account_id: str, known_at: datetime) -> Record:
    """The row of `bank_statement`, with amounts in major units as text.

    `account_id` is what the entity calls the account and is part of the id, since banks number each account by itself.
    `known_at` is an aware instant, when the file arrived: a statement has no later version.
    """
    return {
        **_common(f"{account_id}:{statement.statement_id}", entity_id, known_at),
        "statement_id": f"{account_id}:{statement.statement_id}",
        "account_id": account_id,
        "number": statement.number,
        "from_day": f"{statement.from_day}",
        "to_day": f"{statement.to_day}",
        "currency": statement.currency,
        "opening": _major(statement.opening_minor, statement.currency),
        "closing": _major(statement.closing_minor, statement.currency),
        "entries": len(statement.entries),
        "content": statement.digest,
    }


def entry_records(statement: Statement, *, entity_id: str, account_id: str, known_at: datetime) -> list[Record]:
    """The rows of `bank_entry`, in the statement's order."""
    within = f"{account_id}:{statement.statement_id}"
    return [_entry_record(entry, within, entity_id, account_id, known_at) for entry in statement.entries]


def _entry_record(entry: Entry, statement_id: str, entity_id: str, account_id: str, known_at: datetime) -> Record:
    identity = f"{account_id}:{entry.entry_id}"
    return {
        **_common(identity, entity_id, known_at),
        "entry_id": identity,
        "statement_id": statement_id,
        "account_id": account_id,
        "booking_date": f"{entry.booking_date}",
        "value_date": f"{entry.value_date}",
        "currency": entry.currency,
        "amount": _major(entry.amount_minor, entry.currency),
        "bank_reference": entry.bank_reference,
        "end_to_end_id": entry.end_to_end_id,
        "payer_name": entry.payer_name,
        "payer_account": entry.payer_account,
        "remittance": entry.remittance,
        "code": entry.code,
        "returned": entry.returned,
    }


def _common(identity: str, entity_id: str, known_at: datetime) -> Record:
    if known_at.tzinfo is None:
        raise BadInput(f"known_at is {known_at.isoformat()}; allowed: an instant with its zone")
    return {"id": identity, "company": entity_id, "changed_at": known_at.isoformat(), "deleted": False}


def _major(minor: int | None, currency: str) -> str | None:
    return None if minor is None else f"{from_minor(minor, currency):f}"
