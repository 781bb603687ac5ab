"""How Tryton's orders and disputes are told: as they were opened, and as they ended."""

from datetime import datetime
from typing import Any

import pytest

from pipelines.connectors.tryton_commerce import since_opened

MADE, CHANGED = datetime(2024, 1, 15, 9), datetime(2024, 5, 1, 9)  # noqa: DTZ001 - as Tryton stamps, in UTC


def row(**stamps: Any) -> dict[str, Any]:
    return {"create_date": MADE, "write_date": CHANGED} | stamps


def record(status: str, **fields: Any) -> dict[str, Any]:
    return {"id": "7", "changed_at": "2024-05-01T09:00:00.000000+00:00", "status": status, "amount": "9.00"} | fields


def test_what_is_open_was_known_when_it_was_made() -> None:
    (told,) = since_opened(record("open", closed_on=None), row())
    assert told == record("open", closed_on=None) | {"known_at": "2024-01-15T09:00:00.000000+00:00"}


@pytest.mark.parametrize("status", ["billed", "cancelled", "accepted", "rejected"])
def test_how_it_ended_was_not_known_when_it_was_opened(status: str) -> None:
    opened, ended = since_opened(record(status), row())
    assert ended == record(status)
    made = "2024-01-15T09:00:00.000000+00:00"
    assert opened == record("open") | {"changed_at": made, "known_at": made, "bygone": True}


def test_a_dispute_was_opened_without_an_end() -> None:
    opened, ended = since_opened(record("rejected", closed_on="2024-05-01"), row())
    assert (opened["closed_on"], ended["closed_on"]) == (None, "2024-05-01")
