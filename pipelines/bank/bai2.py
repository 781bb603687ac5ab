"""BAI2 cash management reports, version 2: one statement for each account of each group.

Every control total and record count of the trailers 49, 98 and 99 is checked. Amounts are in minor units already. The
bai2 library gives the meaning of the type codes; its reader stops at records that share a line, has no line numbers and
fails with a bare `ValueError`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from features.errors import BadInput
from features.money import exponent
from pipelines.bank.bai2_entry import amount, entry_of, summary_of
from pipelines.bank.bai2_records import Record, records
from pipelines.bank.decoding import lines_of, two_digit_day
from pipelines.bank.statement import Entry, Statement, account_number, checked, identified

_OPENING_LEDGER, _CLOSING_LEDGER = "010", "015"  # only ledger balances move by exactly the entries
_TOTALS = (("100", 1, "credits"), ("400", -1, "debits"))
_STANDARD_CURRENCY = "USD"
_INSIDE = {"01": "", "02": "01", "03": "02", "16": "03", "49": "03", "98": "02", "99": "01"}


@dataclass(slots=True)
class _Section:
    """What is open: a file (01), a group (02) or an account (03), and what its trailer must say."""

    head: Record
    total: int = 0
    parts: int = 0
    records: int = 0
    entries: list[Entry] = field(default_factory=list)


def parse(stream: BinaryIO, name: str, encoding: str | None = None) -> list[Statement]:
    """The statements of `stream`, called `name` in complaints; all of them are right or `BadInput`."""
    return checked(read(stream, name, encoding))


def read(stream: BinaryIO, name: str, encoding: str | None = None) -> list[Statement]:
    """As `parse`, before the balances are checked."""
    times: Counter[tuple[str, date]] = Counter()
    return list(_walked(records(lines_of(stream.read(), name, encoding), name), name, times))


def _walked(found: Iterator[Record], name: str, times: Counter[tuple[str, date]]) -> Iterator[Statement]:
    sections: dict[str, _Section] = {}
    last: Record | None = None
    for record in found:
        last = record
        _placed(record, sections)
        for section in sections.values():
            section.records += record.physical
        if record.code in ("01", "02", "03"):
            sections[record.code] = _opened(record)
        elif record.code == "16":
            _moved(record, sections)
        elif record.code == "49":
            _close(record, sections, "03", parts=False)
            yield _statement(sections.pop("03"), sections["02"], times)
        else:
            _close(record, sections, "02" if record.code == "98" else "01", parts=True)
    if sections or last is None:
        place = last.place if last else f"{name} line 1"
        raise BadInput(f"{place}: the file ends without its trailer 99; is it whole?")


def _placed(record: Record, sections: dict[str, _Section]) -> None:
    """`BadInput` where a record stands in the wrong place."""
    innermost = next((code for code in ("03", "02", "01") if code in sections), "")
    if _INSIDE[record.code] != innermost:
        expected = [code for code, inside in _INSIDE.items() if inside == innermost]
        raise BadInput(f"{record.place}: record {record.code} stands here; allowed: {' or '.join(expected)}")


def _opened(record: Record) -> _Section:
    if record.code == "01" and record.field(7) not in ("", "2"):
        raise BadInput(f"{record.place}: BAI version {record.field(7)!r}; allowed: 2")
    section = _Section(record, records=record.physical)
    if record.code == "03":
        section.total = sum(total.amount or 0 for total in summary_of(record))
    return section


def _moved(record: Record, sections: dict[str, _Section]) -> None:
    account = sections["03"]
    account.total += amount(record.field(1), record)
    entry = entry_of(record, _currency(account, sections["02"]), _day(sections["02"]))
    if entry is not None:
        account.entries.append(entry)


def _close(record: Record, sections: dict[str, _Section], code: str, *, parts: bool) -> None:
    """Check a trailer against what it closes, and add that to what contains it."""
    section = sections[code]
    counts = [("control total", amount(record.field(0), record), section.total)]
    if parts:
        counts.append(("number of parts", amount(record.field(1), record), section.parts))
    counts.append(("number of records", amount(record.field(2 if parts else 1), record), section.records))
    for what, promised, there in counts:
        if promised != there:
            told = f"the {what} of {record.code} is {promised}, but what came since line {section.head.line} gives"
            raise BadInput(f"{record.place}: {told} {there}; is the file whole?")
    around = sections.get(_INSIDE[code])
    if around is not None:
        around.total += section.total
        around.parts += 1
    if code != "03":
        del sections[code]


def _currency(account: _Section, group: _Section) -> str:
    return account.head.field(1) or group.head.field(5) or _STANDARD_CURRENCY


def _day(group: _Section) -> date:
    return two_digit_day(group.head.field(3), group.head.place, "the as-of date of 02")


def _statement(section: _Section, group: _Section, times: Counter[tuple[str, date]]) -> Statement:
    head, day = section.head, _day(group)
    number = account_number(head.field(0))
    currency = _currency(section, group)
    try:
        exponent(currency)
    except BadInput as error:
        raise BadInput(f"{head.place}: {error}") from None
    balances = _balances(section)
    # Neither numbered nor dated to the minute: the day, and a count where an account is told of twice for one day.
    times[number, day] += 1
    nth = times[number, day]
    identity = f"{day}" if nth == 1 else f"{day}#{nth}"
    return Statement(
        statement_id=identity,
        account=number,
        owner=None,
        number=None,
        currency=currency,
        from_day=day,
        to_day=day,
        opening_minor=balances.get(_OPENING_LEDGER),
        closing_minor=balances.get(_CLOSING_LEDGER),
        entries=tuple(identified(section.entries, identity)),
        place=head.place,
    )


def _balances(section: _Section) -> dict[str, int]:
    """Type code -> amount; `BadInput` where total credits or debits are not those of the entries."""
    told = {total.code: total.amount for total in summary_of(section.head) if total.amount is not None}
    for code, sign, words in _TOTALS:
        there = sum(entry.amount_minor * sign for entry in section.entries if entry.amount_minor * sign > 0)
        if code in told and told[code] != there:
            promised = f"total {words} ({code}) are {told[code]}, but the entries give {there}"
            raise BadInput(f"{section.head.place}: {promised}; ask the bank for a report with every detail")
    return told
