"""What a fault does to one page: pure functions from a page to a spoilt one."""

import re
from collections.abc import Callable
from typing import Any

from pipelines.sit.faults import Fault
from pipelines.sit.page_shapes import PageShape, Row, inside, objects, put, shifted

Spoil = Callable[[Any, PageShape, Fault], Any]


def spoil_rows(answer: Any, shape: PageShape, fault: Fault) -> Any:
    """The answer with every row spoilt as the fault has it; the same object where nothing was to spoil."""
    change = _ROWS.get(fault.kind)
    rows = inside(answer, shape.rows)
    if change is None or not rows:
        return answer
    spoilt = [change(row, shape, fault) for row in rows]
    return answer if spoilt == rows else put(answer, shape.rows, spoilt)


def spoil_text(body: bytes, fault: Fault) -> bytes:
    """XML with another currency; the same text where it holds none."""
    if fault.kind != "wrong_currency":
        return body
    other = fault.currency.encode()
    return re.sub(rb'(Ccy=["\']|<Ccy>)[A-Z]{3}', lambda found: found[1] + other, body)


def _renamed(row: Row, _: PageShape, fault: Fault) -> Row:
    return _replaced(row, fault.field.split("."), lambda holder, name: _under_new_name(holder, name))


def _under_new_name(holder: Row, name: str) -> Row:
    return {f"{key}_new" if key == name else key: value for key, value in holder.items()}


def _retyped(row: Row, _: PageShape, fault: Fault) -> Row:
    return _replaced(row, fault.field.split("."), lambda holder, name: holder | {name: {"value": holder[name]}})


def _in_other_currency(row: Row, shape: PageShape, fault: Fault) -> Row:
    for field in shape.currencies:
        row = _replaced(row, field.split("."), lambda holder, name: _with_currency(holder, name, fault.currency))
    return row


def _with_currency(holder: Row, name: str, currency: str) -> Row:
    return holder | {name: currency} if isinstance(holder[name], str) else holder


def _at_another_time(row: Row, shape: PageShape, fault: Fault) -> Row:
    """All stamps in the row, however deep: protocols nest what they expand."""
    if not any(name in holder for holder in objects(row) for name in shape.stamps):
        return row
    return {name: _moved(name, value, shape, fault) for name, value in row.items()}


def _moved(name: str, value: Any, shape: PageShape, fault: Fault) -> Any:
    if name in shape.stamps:
        return shifted(value, fault.seconds)
    if isinstance(value, dict):
        return {inner: _moved(inner, part, shape, fault) for inner, part in value.items()}
    return [_moved("", part, shape, fault) for part in value] if isinstance(value, list) else value


def _replaced(row: Row, place: list[str], change: Callable[[Row, str], Row]) -> Row:
    """The row with the object that holds the last name of `place` changed; as it was where there is none."""
    name, *deeper = place
    if name not in row:
        return row
    if not deeper:
        return change(row, name)
    inner = row[name]
    return row | {name: _replaced(inner, deeper, change)} if isinstance(inner, dict) else row


_ROWS: dict[str, Callable[[Row, PageShape, Fault], Row]] = {
    "renamed_field": _renamed,
    "changed_type": _retyped,
    "wrong_currency": _in_other_currency,
    "clock_skew": _at_another_time,
}
