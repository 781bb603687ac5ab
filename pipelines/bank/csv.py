"""Bank statements as CSV, by a declared layout: one statement for each currency in the file.

CSV says neither number nor balances of its own. With a balance column every row is checked against the one before it,
so that a missing row is seen; without one a file cut off between two rows cannot be told from a whole one.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO

from features.errors import BadInput
from features.money import from_minor
from pipelines.bank.decoding import blank_to_none, decoded, minor, plausible
from pipelines.bank.layout import Layout
from pipelines.bank.statement import Entry, Statement, account_number, checked, identified


@dataclass(frozen=True, slots=True)
class _Row:
    entry: Entry
    balance_minor: int | None


def parse(stream: BinaryIO, name: str, layout: Layout) -> list[Statement]:
    """The statements of `stream`, called `name` in complaints; all of them are right or `BadInput`."""
    return checked(read(stream, name, layout))


def read(stream: BinaryIO, name: str, layout: Layout) -> list[Statement]:
    """As `parse`, before the balances are checked."""
    by_currency: dict[str, list[_Row]] = {}
    for cells, place in _cells(stream.read(), name, layout):
        row = _row(cells, place, layout)
        by_currency.setdefault(row.entry.currency, []).append(row)
    return [_statement(rows, currency, layout, name) for currency, rows in by_currency.items()]


def _cells(data: bytes, name: str, layout: Layout) -> Iterator[tuple[Mapping[str, str], str]]:
    """Cells by column, and where the row starts; rows without any content are left out."""
    text = io.StringIO(decoded(data, name, layout.encoding), newline="")
    for _ in range(layout.header_row - 1):
        text.readline()
    reader = csv.reader(text, delimiter=layout.separator, strict=True)
    skipped = layout.header_row - 1
    line = layout.header_row
    header: list[str] | None = None
    try:
        for record in reader:
            place = f"{name} line {line}"
            line = reader.line_num + skipped + 1
            if header is None:
                header = _header(record, place, layout)
            elif any(cell.strip() for cell in record):
                if len(record) != len(header):
                    raise BadInput(f"{place}: {len(record)} fields; allowed: {len(header)}; is the file whole?")
                yield dict(zip(header, record, strict=True)), place
    except csv.Error as error:
        raise BadInput(f"{name} line {line}: {error}; allowed: fields in double quotes, closed; is it whole?") from None
    if header is None:
        raise BadInput(f"{name} line {layout.header_row}: no column names; allowed: a header line")


def _header(record: list[str], place: str, layout: Layout) -> list[str]:
    header = [cell.strip() for cell in record]
    missing = [column for column in layout.columns if header.count(column) != 1]
    if missing:
        raise BadInput(f"{place}: no single column {missing[0]!r}; the file has: {', '.join(header)}")
    return header


def _row(cells: Mapping[str, str], place: str, layout: Layout) -> _Row:
    def cell(column: str | None) -> str | None:
        return None if column is None else blank_to_none(cells[column])

    currency = layout.currency or cell(layout.currency_column) or ""
    booked = _day(cell(layout.date), place, layout.date, layout)
    account = cell(layout.payer_account)
    entry = Entry(
        entry_id="",
        booking_date=booked,
        value_date=_day(cell(layout.value_date), place, layout.value_date or "", layout)
        if layout.value_date
        else booked,
        amount_minor=_signed_amount(cells, place, layout, currency),
        currency=currency,
        bank_reference=cell(layout.bank_reference),
        end_to_end_id=cell(layout.end_to_end_id),
        payer_name=cell(layout.payer_name),
        payer_account=account_number(account) if account else None,
        remittance=" ".join(text for column in layout.remittance if (text := cell(column))) or None,
        code=cell(layout.code),
        returned=False,
        place=place,
    )
    balance = cell(layout.balance)
    return _Row(entry, None if balance is None else _signed(balance, place, layout.balance or "", layout, currency))


def _day(text: str | None, place: str, column: str, layout: Layout) -> date:
    try:
        return plausible(datetime.strptime(text or "", layout.date_format).date())  # noqa: DTZ007 - a day has no zone
    except ValueError:
        allowed = f"a day that exists, written {layout.date_format}"
        raise BadInput(f"{place}: {column} is {text!r}; allowed: {allowed}") from None


def _signed_amount(cells: Mapping[str, str], place: str, layout: Layout, currency: str) -> int:
    if layout.amount is None:
        return _of_two(cells, place, layout, currency)
    amount = _signed(cells[layout.amount].strip(), place, layout.amount, layout, currency)
    if layout.indicator is None:
        return amount
    mark = cells[layout.indicator].strip()
    if mark not in layout.debit_marks + layout.credit_marks:
        allowed = " or ".join(layout.debit_marks + layout.credit_marks)
        raise BadInput(f"{place}: {layout.indicator} is {mark!r}; allowed: {allowed}")
    return -abs(amount) if mark in layout.debit_marks else abs(amount)


def _of_two(cells: Mapping[str, str], place: str, layout: Layout, currency: str) -> int:
    """The amount of the debit or credit column that is filled; a bank may or may not put a minus before a debit."""
    columns = [(layout.debit or "", -1), (layout.credit or "", 1)]
    filled = [(column, sign) for column, sign in columns if cells[column].strip()]
    if len(filled) != 1:
        raise BadInput(f"{place}: {len(filled)} of {layout.debit} and {layout.credit} are filled; allowed: one of them")
    column, sign = filled[0]
    return sign * abs(_signed(cells[column].strip(), place, column, layout, currency))


def _signed(text: str, place: str, column: str, layout: Layout, currency: str) -> int:
    """`-1.234,50`, `1.234,50-` or `+1.234,50` as minor units, with the layout's signs."""
    plain = text.replace(layout.thousands, "") if layout.thousands else text
    negative = plain.startswith("-") or plain.endswith("-")
    plain = plain.strip("+- \u00a0")
    if layout.decimal != ".":
        plain = plain.replace(".", "?").replace(layout.decimal, ".")
    unsigned = minor(plain, currency, place, f"{column} ({text!r})" if plain != text else column)
    return -unsigned if negative else unsigned


def _statement(rows: list[_Row], currency: str, layout: Layout, name: str) -> Statement:
    ordered = rows[::-1] if layout.newest_first else rows
    days = [row.entry.booking_date for row in ordered]
    opening, closing = _balances(ordered, currency)
    identity = f"{min(days)}:{max(days)}"
    return Statement(
        statement_id=identity if layout.currency else f"{identity}:{currency}",
        account=account_number(layout.account),
        owner=None,
        number=None,
        currency=currency,
        from_day=min(days),
        to_day=max(days),
        opening_minor=opening,
        closing_minor=closing,
        entries=tuple(identified((row.entry for row in ordered), identity)),
        place=rows[0].entry.place,
    )


def _balances(rows: list[_Row], currency: str) -> tuple[int | None, int | None]:
    """Balances before the first and after the last row; None where the file has none. `BadInput` where a row is off."""
    first = rows[0]
    if any(row.balance_minor is None for row in rows):
        return None, None
    running = opening = (first.balance_minor or 0) - first.entry.amount_minor
    for row in rows:
        running += row.entry.amount_minor
        if running != row.balance_minor:
            off = from_minor((row.balance_minor or 0) - running, currency)
            raise BadInput(f"{row.entry.place}: the balance is {off} {currency} off; is a row missing before it?")
    return opening, running
