"""Ledgers drawn as pipe tables, for every kind of test.

A day `5` is 5 January 2024, also past the 31st; an instant `5` is its start in UTC, `5+` a millisecond later, `5-` one
earlier, `5.5` its noon. `-` is null. `owed` draws an invoice's instalments: `10:60 20:40` is 60 due on day 10 and 40
on day 20. What a table leaves out: entity E in EUR and UTC, customer A, invoice I issued on day 1, payments that settle
instalment 1; each fact is learnt at the start of its own day.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import polars as pl
import pytest

from features.facts import Facts
from features.tables import TABLES, Table, table

Rows = list[dict[str, str]]
DEFAULTS = {
    "entity_id": "E",
    "customer_id": "A",
    "invoice_id": "I",
    "issue_date": "1",
    "currency": "EUR",
    "deleted": "no",
    "source": "drawn",
    "from_id": "P",
    "kind": "payment",
    "instalment": "1",
    "time_zone": "UTC",
    "to_currency": "EUR",
    "name": "drawn",
}
ABSENT = ("segment", "country", "parent_id", "terms_days", "credit_limit_minor", "order_id", "reason", "reference")
FIRST_DAY = date(2024, 1, 1)


def day(text: str) -> date:
    return FIRST_DAY + timedelta(days=int(text) - 1)


def instant(text: str) -> datetime:
    shift = {"+": 1, "-": -1}.get(text[-1], 0)
    midnight = datetime.combine(FIRST_DAY, datetime.min.time(), tzinfo=UTC)
    return midnight + timedelta(days=float(text.rstrip("+-")) - 1, milliseconds=shift)


def instalments(text: str) -> list[dict[str, object]]:
    parts = [part.split(":") for part in text.split()]
    return [
        {"number": number, "due_date": day(due), "amount_minor": int(amount)}
        for number, (due, amount) in enumerate(parts, start=1)
    ]


def value(text: str, dtype: pl.DataType) -> object:
    if text == "-":
        return None
    readers: dict[type[pl.DataType], Callable[[str], object]] = {
        pl.Date: day,
        pl.Datetime: instant,
        pl.Int64: int,
        pl.Float64: float,
        pl.Decimal: Decimal,
        pl.Boolean: lambda cell: {"yes": True, "no": False}[cell],
        pl.List: instalments,
    }
    return readers.get(type(dtype), str)(text)


def rows_of(text: str) -> tuple[list[str], Rows]:
    """The header of a pipe table, and its rows by column."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return header, [dict(zip(header, line, strict=True)) for line in lines]


def drawn_frame(text: str, columns: Mapping[str, tuple[str, pl.DataType]]) -> pl.DataFrame:
    """The frame that a pipe table draws; `columns` maps what a column is called in it to its name and type."""
    header, rows = rows_of(text)
    named = {columns[c][0]: [value(row[c], columns[c][1]) for row in rows] for c in header}
    return pl.DataFrame(named, schema={columns[c][0]: columns[c][1] for c in header})


def fact(declared: Table, number: int, row: dict[str, str]) -> dict[str, object]:
    """One row of a canonical table, with defaults for what is not drawn."""
    told = dict(row)
    if "owed" in told:
        told["instalments"] = told.pop("owed")
        told["amount_minor"] = str(sum(int(part.split(":")[1]) for part in told["instalments"].split()))
    own_id = declared.id_column if declared.id_column != "invoice_id" else "-"
    for column in declared.schema:
        told.setdefault(column, "-" if column in ABSENT else DEFAULTS.get(column, "-"))
    if told.get(own_id) == "-":
        told[own_id] = f"{declared.name}{number}"
    if told["known_at"] == "-" and declared.day_column:
        told["known_at"] = told[declared.day_column]
    if told["known_at"] == "-":
        told["known_at"] = "-365"
    told["source_id"] = told[declared.id_column]
    told["digest"] = sha256(repr(sorted(told.items())).encode()).hexdigest()
    return {column: value(told[column], dtype) for column, dtype in declared.schema.items()}


def drawn_facts(**tables: str) -> Facts:
    """Facts from pipe tables by table name; entities that nobody draws keep their books in EUR and UTC."""
    frames: dict[str, pl.DataFrame] = {}
    for name, text in tables.items():
        declared = table(name)
        _, rows = rows_of(text)
        frames[name] = pl.DataFrame([fact(declared, n, row) for n, row in enumerate(rows)], schema=declared.schema)
    if "entity" not in frames:
        used = sorted({e for frame in frames.values() for e in frame["entity_id"]} or {"E"})
        entities = [fact(table("entity"), n, {"entity_id": entity}) for n, entity in enumerate(used)]
        frames["entity"] = pl.DataFrame(entities, schema=table("entity").schema)
    assert set(frames) <= {t.name for t in TABLES}
    return Facts.of(frames)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", default=6, help="how often the tests that kill kill; 100 of each kind in `make nightly`"
    )


@pytest.fixture(name="drawn_facts", scope="session")
def _drawn_facts() -> Callable[..., Facts]:
    """Draws facts: a pipe table for each canonical table, by name."""
    return drawn_facts


@pytest.fixture(name="drawn_frame", scope="session")
def _drawn_frame() -> Callable[[str, Mapping[str, tuple[str, pl.DataType]]], pl.DataFrame]:
    """Draws any frame, given the name and type of what each column is called."""
    return drawn_frame


@pytest.fixture(name="instant", scope="session")
def _instant() -> Callable[[str], datetime]:
    """An instant as the tables write it."""
    return instant


@pytest.fixture(name="day", scope="session")
def _day() -> Callable[[str], date]:
    """A day as the tables write it."""
    return day
