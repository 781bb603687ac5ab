"""What to ask an OData service for: conditions, keys and options, written so that a value stays a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from features.errors import BadSetting
from pipelines.connectors.odata_metadata import Model, Property, Structure
from pipelines.connectors.odata_values import literal

Operator = Literal["eq", "ne", "gt", "ge", "lt", "le"]


@dataclass(frozen=True, slots=True)
class Condition:
    """`property operator value`; with several values, any of them will do."""

    property: str
    operator: Operator
    values: tuple[str | bool | int, ...]

    def text(self, entity: Structure, version: int) -> str:
        """The condition in the service's language; `BadSetting` for a property or operator that there is not."""
        if self.operator not in get_args(Operator) or not self.values:
            allowed = ", ".join(get_args(Operator))
            raise BadSetting(f"condition on {self.property}: {self.operator!r} with values; allowed: {allowed}")
        kind = declared(entity, self.property).type
        parts = [f"{self.property} {self.operator} {literal(kind, value, version)}" for value in self.values]
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of an entity set: all `where` conditions hold; `select` and `expand` name properties and navigations."""

    where: tuple[Condition, ...] = ()
    select: tuple[str, ...] = ()
    expand: tuple[str, ...] = ()

    def options(self, entity: Structure, version: int) -> dict[str, str]:
        """The system query options."""
        told: dict[str, str] = {}
        if self.where:
            told["$filter"] = " and ".join(condition.text(entity, version) for condition in self.where)
        if self.select:
            beside = self.expand if version < 4 else ()  # V2 wants navigations selected too
            told["$select"] = ",".join([*(_named(entity, name) for name in self.select), *beside])
        if self.expand:
            told["$expand"] = ",".join(_link(entity, name) for name in self.expand)
        return told


def declared(entity: Structure, name: str) -> Property:
    """The property `name` of `entity`; `BadSetting` lists those there are."""
    if name not in entity.properties:
        raise BadSetting(f"{entity.name} has no property {name!r}; it has: {', '.join(sorted(entity.properties))}")
    return entity.properties[name]


def _named(entity: Structure, name: str) -> str:
    declared(entity, name)
    return name


def _link(entity: Structure, name: str) -> str:
    if name not in entity.links:
        raise BadSetting(
            f"{entity.name} has no navigation {name!r}; it has: {', '.join(sorted(entity.links)) or 'none'}"
        )
    return name


def key_text(model: Model, entity_set: str, key: Mapping[str, str | bool | int]) -> str:
    """`Set('1')` or `Set(A='1',B='2')`, a path yet to be percent-encoded; `BadSetting` where a part is missing."""
    entity = model.entity(entity_set)
    if set(key) != set(entity.keys):
        raise BadSetting(f"{entity_set} is told apart by {', '.join(entity.keys)}; the key names {', '.join(key)}")
    parts = {name: literal(entity.properties[name].type, key[name], model.version) for name in entity.keys}
    inner = next(iter(parts.values())) if len(parts) == 1 else ",".join(f"{n}={v}" for n, v in parts.items())
    return f"{entity_set}({inner})"
