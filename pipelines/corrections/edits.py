"""What a correction may change in a payload, and which of it is an amount.

--set amount=12.50           the field's own type is kept: text stays text, a number a number
--set lines.0.quantity=3     inside objects and lists, by name or by number from 0
--set due_date:=null         JSON: to say that nothing is there, or to fill what was null with other than text
"""

import json
from collections.abc import Collection, Iterable, Iterator
from copy import deepcopy
from math import isfinite
from pathlib import Path
from typing import Any

from features.errors import BadInput, NotFound
from features.tables import TABLES, Kind
from pipelines.fields import fields_of
from pipelines.strict_yaml import nearest
from services.corrections import Json

MOST_BYTES = 1_000_000
_OF_DELIVERIES = {"amount", "net", "tax", "total", "price", "unit_price", "quantity", "discount", "tax_rate"}
ENVELOPE = frozenset({"id", "company", "deleted"})
"""What every record says of whose it is and whether it stands: to change it is to move or take back its amounts."""
STAMPS = ("changed_at", "known_at")
_AMOUNTS = (Kind.MONEY, Kind.INSTALMENTS, Kind.CURRENCY)


def approval_fields(setting: str) -> frozenset[str]:
    """The fields whose correction a second person approves: `amounts`, `none`, or names separated by commas.

    Amounts are all that holds money in a table or makes the total of an order, the currency it is in (100 JPY are not
    100 USD), and whose it is (`ENVELOPE`).
    """
    if setting == "none":
        return frozenset()
    if setting != "amounts":
        return frozenset(setting.split(","))
    money = {f.name for t in TABLES for f in fields_of(t.name).values() if f.kind in _AMOUNTS}
    return frozenset(money | _OF_DELIVERIES) | ENVELOPE


def changed_amounts(old: Json, new: Json, names: Collection[str]) -> list[str]:
    """The paths under which `old` and `new` differ and of which a part, or the whole, is one of `names`."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    wanted = {name.casefold() for name in names}
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    return [".".join(path) for path in changed if wanted & {".".join(path).casefold(), *map(str.casefold, path)}]


def refuse_dating(old: Json, new: Json) -> None:
    """`BadInput` where a record's stamps differ: what a correction says is known from its replay on, not before."""
    for name in STAMPS:
        if old.get(name) != new.get(name):
            raise BadInput(f"field {name} says when the source knew it, which no edit changes; allowed: what came")


def edited(payload: Json, changes: Iterable[str], more: Collection[str]) -> Json:
    """`payload` with the `changes` (`field=value` or `field:=JSON`) made.

    `more` are fields that it may have beside its own. `BadInput` for other fields and for values of another type.
    """
    new = deepcopy(payload)
    for change in changes:
        name, is_json, text = _parted(change)
        _set(new, name, text, is_json=is_json, more=more)
    _require_alike(payload, new, "", more)
    return new


def read_payload(path: Path, payload: Json, more: Collection[str]) -> Json:
    """The payload in the file at `path`; `BadInput` where it is no JSON object, too large or not like `payload`."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NotFound(f"--payload {path} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise BadInput(f"--payload {path} is larger than {MOST_BYTES:,} bytes; allowed: one record")
    new = _json(content.decode("utf-8", "replace"), f"--payload {path}")
    if not isinstance(new, dict):
        raise BadInput(f"--payload {path} holds no JSON object; allowed: {{field: value}}")
    _require_alike(payload, new, "", more)
    return new


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path -> JSON of every value that holds no others. What is null says as little as what is not there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inside:
        yield from _leaves(part, (*path, str(name)))
    if not isinstance(value, dict | list) and value is not None:
        yield path, json.dumps(value)


def _parted(change: str) -> tuple[str, bool, str]:
    name, separator, text = change.partition("=")
    if not separator or not name.strip(": "):
        raise BadInput(f"--set {change!r} changes nothing; allowed: field=value, or field:=JSON")
    return name.removesuffix(":").strip(), name.endswith(":"), text


def _set(payload: Json, name: str, text: str, *, is_json: bool, more: Collection[str]) -> None:
    holder, key = _holder(payload, name, more)
    old = holder.get(key) if isinstance(holder, dict) else holder[key]
    holder[key] = _value(name, old, text, is_json=is_json)


def _holder(payload: Json, name: str, more: Collection[str]) -> tuple[Any, Any]:
    """The object or list that `name` stands in, and its key there. A name with a dot of its own goes first."""
    if name in payload or name in more:
        return payload, name
    holder: Any = payload
    *way, last = name.split(".")
    for part in way:
        holder = _inside(holder, part, name, payload, more)
    _inside(holder, last, name, payload, more)
    return holder, int(last) if isinstance(holder, list) else last


def _inside(holder: Any, part: str, name: str, payload: Json, more: Collection[str]) -> Any:
    if isinstance(holder, dict) and part in holder:
        return holder[part]
    if isinstance(holder, list) and part.isascii() and part.isdigit() and int(part) < len(holder):
        return holder[int(part)]
    raise _unknown(name, {*payload, *more})


def _value(name: str, old: Any, text: str, *, is_json: bool) -> Any:
    if is_json or isinstance(old, bool | int | float | dict | list):
        return _json(text, f"field {name}")
    return text


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        raise BadInput(
            f'{place} is no JSON; allowed: a number, true, false, null, "text" or what holds these'
        ) from None


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _require_alike(old: Any, new: Any, place: str, more: Collection[str] = ()) -> None:
    """`BadInput` where `new` has fields that `old` lacks, or values of another type; null goes with every type."""
    if old is None or new is None:
        return
    if _kind(old) != _kind(new):
        raise BadInput(f"field {place} is {_kind(new)}; allowed: {_kind(old)}, as it was, or null")
    prefix = f"{place}." if place else ""
    if isinstance(old, dict):
        for name, value in new.items():
            if name not in old and name not in more:
                raise _unknown(f"{prefix}{name}", {*old, *more})
            _require_alike(old.get(name), value, f"{prefix}{name}")
    if isinstance(old, list):
        for number, value in enumerate(new):
            _require_alike(old[min(number, len(old) - 1)] if old else None, value, f"{prefix}{number}")


def _unknown(name: str, allowed: set[str]) -> BadInput:
    return BadInput(f"no field {name!r}; there are: {', '.join(sorted(allowed))}{nearest(name, sorted(allowed))}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", dict: "an object", list: "a list"}
    return kinds.get(type(value), "null")
