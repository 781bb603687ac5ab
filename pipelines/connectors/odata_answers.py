"""What an OData service answers: pages, rows of declared types, what is gone, and the links to what follows."""

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from features.errors import SourceBroken
from pipelines.connectors.odata_metadata import Model, Property, Structure
from pipelines.connectors.odata_values import decoded

Row = dict[str, Any]

_KEY_PART = re.compile(r"(?:(\w+)=)?(?:[a-z]*'((?:[^']|'')*)'|([^',()]+))(?:,|$)")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Page:
    """`removed` are the keys of rows that the service deleted; `count` is its control total, where it told one."""

    rows: list[Row]
    removed: list[Row] = field(default_factory=list)
    count: int | None = None
    next_link: str | None = None
    delta_link: str | None = None


def page_of(body: bytes, model: Model, entity: Structure, where: str) -> Page:
    """The page in `body`; `SourceBroken` where it is none or breaks the metadata."""
    told = _object(body, where)
    if "d" in told:
        inner = told["d"]
        told = inner if isinstance(inner, dict) else {"results": inner}
    items = told.get("value", told.get("results"))
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SourceBroken(f"{where}: the answer is no list of rows; allowed: d.results (V2) or value (V4)")
    here = [item for item in items if not _is_gone(item)]
    return Page(
        [typed(item, model, entity, where) for item in here],
        [_key_of(item, entity, where) for item in items if _is_gone(item)],
        _count(told.get("@odata.count", told.get("@count", told.get("__count"))), where),
        _link(told.get("@odata.nextLink", told.get("@nextLink", told.get("__next"))), where),
        _link(told.get("@odata.deltaLink", told.get("@deltaLink", told.get("__delta"))), where),
    )


def row_of(body: bytes, model: Model, entity: Structure, where: str) -> Row:
    """The one entity in `body`."""
    told = _object(body, where)
    inner = told.get("d", told)
    if not isinstance(inner, dict):
        raise SourceBroken(f"{where}: the answer is no entity")
    return typed(inner, model, entity, where)


def _object(body: bytes, where: str) -> dict[str, Any]:
    try:
        told = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise SourceBroken(f"{where}: the answer is no JSON: {str(error)[:100]}") from None
    if not isinstance(told, dict):
        raise SourceBroken(f"{where}: the answer is no JSON object")
    return told


def typed(item: Row, model: Model, entity: Structure, where: str, depth: int = 0) -> Row:
    """Declared properties by their declared types; navigations that were expanded; nothing else."""
    if depth > _DEEPEST:
        raise SourceBroken(f"{where}: rows nested more than {_DEEPEST} deep")
    row: Row = {}
    for name, value in item.items():
        if name in entity.properties:
            row[name] = _value(value, entity.properties[name], model, f"{where}: {name}", depth)
        elif name in entity.links and not _is_deferred(value):
            target = model.types.get(entity.links[name][0], Structure(entity.links[name][0]))
            row[name] = _expanded(value, model, target, f"{where}: {name}", depth)
    return row


def _value(value: Any, kind: Property, model: Model, where: str, depth: int) -> Any:
    if kind.many and value is not None:
        items = value.get("results") if isinstance(value, dict) else value
        if not isinstance(items, list):
            raise SourceBroken(f"{where} is no list")
        return [_single(item, kind.type, model, where, depth) for item in items]
    return _single(value, kind.type, model, where, depth)


def _single(value: Any, kind: str, model: Model, where: str, depth: int) -> Any:
    if kind in model.types and isinstance(value, dict):
        return typed(value, model, model.types[kind], where, depth + 1)
    return decoded(kind, value, where)


def _expanded(value: Any, model: Model, target: Structure, where: str, depth: int) -> Any:
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        if value.get("__next"):
            raise SourceBroken(f"{where} is cut into pages of its own; read that entity set by itself instead")
        value = value["results"]
    if isinstance(value, list):
        return [typed(item, model, target, where, depth + 1) for item in value if isinstance(item, dict)]
    return typed(value, model, target, where, depth + 1) if isinstance(value, dict) else None


def _is_deferred(value: Any) -> bool:
    return isinstance(value, dict) and "__deferred" in value


def _is_gone(item: Row) -> bool:
    about = item.get("__metadata")
    context = str(item.get("@odata.context", item.get("@context", "")))
    return (
        "@removed" in item
        or context.endswith("/$deletedEntity")
        or (isinstance(about, dict) and about.get("deleted") in (True, "true"))
    )


def _key_of(item: Row, entity: Structure, where: str) -> Row:
    """The key of a deleted entity, from its properties or from its id."""
    if all(item.get(name) is not None for name in entity.keys):
        return {name: decoded(entity.properties[name].type, item[name], where) for name in entity.keys}
    about = item.get("__metadata")
    uri = (about.get("uri") or about.get("id")) if isinstance(about, dict) else item.get("@odata.id", item.get("@id"))
    uri = uri if uri is not None else item.get("id")
    key = _parsed_key(unquote(uri), entity) if isinstance(uri, str) else None
    if key is None:
        raise SourceBroken(f"{where}: a deleted entity without a key that can be read")
    return key


def _parsed_key(uri: str, entity: Structure) -> Row | None:
    start = uri.rfind("/") if "'" not in uri else uri.rfind("/", 0, uri.index("'"))
    inner = uri[start + 1 :].partition("(")[2].removesuffix(")")
    parts = [(m[1], m[2].replace("''", "'") if m[2] is not None else m[3]) for m in _KEY_PART.finditer(inner)]
    if len(parts) == 1 and len(entity.keys) == 1:
        return {entity.keys[0]: parts[0][1]}
    key = {name: value for name, value in parts if name}
    return key if set(key) == set(entity.keys) else None


def _count(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise SourceBroken(f"{where}: the count is {str(value)[:40]!r}; allowed: a whole number")
    return int(value)


def _link(value: Any, where: str) -> str | None:
    """A link, which some V2 services wrap as {"uri": ...}."""
    inner = value.get("uri") if isinstance(value, dict) else value
    if inner is None or inner == "":
        return None
    if not isinstance(inner, str):
        raise SourceBroken(f"{where}: a link to the next page is no text")
    return inner
