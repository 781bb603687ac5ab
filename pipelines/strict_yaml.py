"""YAML that has to fit a declared msgspec type exactly; every complaint names file, line, key, what is allowed.

Scalars stay the text that was written, so `country: NO` is Norway and `id: 0012` keeps its zeros; a number, a flag or a
day is read only where the type asks for one. A key given twice, unknown, missing or of the wrong type is refused.
"""

from datetime import date
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect as types
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from features.errors import BadSetting

T = TypeVar("T")


def decode(text: str, kind: type[T], file: str) -> T:
    """The document `text` of `file` as a `kind`; `BadSetting` for anything that does not fit."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadSetting(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if root is None:
        raise BadSetting(f"{file}: is empty; allowed: keys {', '.join(_keys(types.type_info(kind)))}")
    plain = _Reader(file).plain(root, types.type_info(kind), "")
    return msgspec.convert(plain, kind, strict=False)


def nearest(word: str, words: list[str] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?` for the most similar of `words`, or nothing."""
    by_lower = {w.lower(): w for w in words}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


def _keys(kind: types.Type) -> list[str]:
    return [f.encode_name for f in kind.fields] if isinstance(kind, types.StructType) else []


def _said(kind: types.Type) -> str:
    """A type as a person would say it."""
    match kind:
        case types.UnionType():
            return " or ".join(dict.fromkeys(_said(k) for k in kind.types if not isinstance(k, types.NoneType)))
        case types.LiteralType():
            return f"one of {', '.join(str(v) for v in kind.values)}"
        case types.StructType():
            return f"keys {', '.join(_keys(kind))}"
        case types.DictType():
            return "keys with values"
        case types.ListType() | types.VarTupleType():
            return f"a list of at least {kind.min_length}" if kind.min_length else "a list"
        case types.IntType():
            bounds = [(" from", kind.ge), (" to", kind.le)]
            return "a whole number" + "".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
        case types.FloatType():
            return "a number"
        case types.BoolType():
            return "true or false"
        case types.DateType():
            return "a day written as YYYY-MM-DD"
        case _:
            return "text"


class _Reader:
    """Walks the nodes of one file beside the type that they have to fit."""

    def __init__(self, file: str) -> None:
        self.file = file

    def plain(self, node: Node, kind: types.Type, path: str) -> Any:
        """The node as dicts, lists and scalars that msgspec can convert to `kind`."""
        options = list(kind.types) if isinstance(kind, types.UnionType) else [kind]
        for option in options:
            if isinstance(node, MappingNode) and isinstance(option, types.StructType | types.DictType):
                return self._mapping(node, option, path)
            if isinstance(node, SequenceNode) and isinstance(option, types.ListType | types.VarTupleType):
                if len(node.value) < (option.min_length or 0):
                    break
                return [self.plain(n, option.item_type, f"{path}[{i}]") for i, n in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, kind, options, path)
        raise self._refusal(node, path, _found(node), kind)

    def _mapping(self, node: MappingNode, kind: types.StructType | types.DictType, path: str) -> dict[str, Any]:
        entries = self._entries(node, path)
        if isinstance(kind, types.DictType):
            return {key: self.plain(value, kind.value_type, _join(path, key)) for key, value in entries.items()}
        fields = {f.encode_name: f for f in kind.fields}
        for key, value in entries.items():
            if key not in fields:
                hint = f"allowed: {', '.join(fields)}{nearest(key, list(fields))}"
                raise self._error(value, f"unknown key {_join(path, key)!r}; {hint}")
        for key, declared in fields.items():
            if declared.required and key not in entries:
                allowed = _said(declared.type)
                raise self._error(node, f"missing key {_join(path, key)!r}; allowed: {allowed}")
        return {key: self.plain(value, fields[key].type, _join(path, key)) for key, value in entries.items()}

    def _entries(self, node: MappingNode, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise self._error(key, f"a key of {path or 'the document'} is not text")
            if key.value in entries:
                raise self._error(key, f"key {_join(path, key.value)!r} is given twice; allowed: once")
            entries[key.value] = value
        return entries

    def _scalar(self, node: ScalarNode, kind: types.Type, options: list[types.Type], path: str) -> str:
        text: str = node.value
        if node.tag == "tag:yaml.org,2002:null":
            raise self._refusal(node, path, "empty", kind)
        for option in options:
            match option:
                case types.StrType():
                    return text
                case types.LiteralType() if text in option.values:
                    return text
                case types.IntType() | types.FloatType() | types.BoolType() if _converts(text, option):
                    return text
                case types.DateType() if _converts(text, option):
                    return text
        words = [str(v) for option in options if isinstance(option, types.LiteralType) for v in option.values]
        raise self._refusal(node, path, repr(text), kind, nearest(text, words))

    def _refusal(self, node: Node, path: str, found: str, kind: types.Type, hint: str = "") -> BadSetting:
        return self._error(node, f"{path or 'the document'} is {found}; allowed: {_said(kind)}{hint}")

    def _error(self, node: Node, message: str) -> BadSetting:
        return BadSetting(f"{self.file} line {node.start_mark.line + 1}: {message}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _found(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "keys with values"
    return "a list" if node.value else "an empty list"


def _converts(text: str, kind: types.IntType | types.FloatType | types.BoolType | types.DateType) -> bool:
    targets = {types.IntType: int, types.FloatType: float, types.BoolType: bool, types.DateType: date}
    target: type = targets[type(kind)]
    try:
        value: Any = msgspec.convert(text, target, strict=False)
    except msgspec.ValidationError:
        return False
    if isinstance(kind, types.BoolType | types.DateType):
        return True
    return (kind.ge is None or value >= kind.ge) and (kind.le is None or value <= kind.le)
