"""What an OData service says of itself in `$metadata`: entity sets, their keys, their properties and their types."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree  # type: ignore[import-untyped]

from features.errors import BadSetting, SourceBroken

_COLLECTION = "Collection("
_MOST_ANCESTORS = 20


@dataclass(frozen=True, slots=True)
class Property:
    """A property as declared; `type` is `Edm.…` or the full name of a complex type, `many` a list of them."""

    type: str
    nullable: bool = True
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """An entity type or complex type. `links` are navigations: name -> (full name of the type, whether to many)."""

    name: str
    keys: tuple[str, ...] = ()
    properties: dict[str, Property] = field(default_factory=dict)
    links: dict[str, tuple[str, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """`version` is 2 or 4; `sets` maps an entity set to the full name of its type, `types` a full name to the type."""

    version: int
    sets: dict[str, str]
    types: dict[str, Structure]

    def entity(self, entity_set: str) -> Structure:
        """The type of `entity_set`; `BadSetting` lists the sets there are."""
        if entity_set not in self.sets:
            raise BadSetting(f"no entity set {entity_set!r}; the service has: {', '.join(sorted(self.sets))}")
        return self.types[self.sets[entity_set]]


def model_of(document: bytes, where: str) -> Model:
    """The model in a `$metadata` document; `SourceBroken` for one that is no such thing, or that declares entities."""
    root = _root(document, where)
    version = 4 if root.get("Version", "").startswith("4") else 2
    schemas = list(root.iter("{*}Schema"))
    try:
        names = _Names(schemas)
        types = {t.name: t for schema in schemas for t in _structures(schema, names)}
        sets = {s.get("Name", ""): names.full(s.get("EntityType", "")) for s in root.iter("{*}EntitySet")}
    except (ValueError, KeyError) as error:
        raise SourceBroken(f"{where}: the metadata contradicts itself: {error}") from None
    if not sets or any(name not in types for name in sets.values()):
        raise SourceBroken(f"{where}: the metadata names no entity set, or one whose type it does not declare")
    bases = _bases(schemas, names)
    return Model(version, sets, {name: _inherited(name, types, bases, where) for name in types})


def _root(document: bytes, where: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        raise SourceBroken(f"{where}: the metadata is no XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise SourceBroken(f"{where}: the metadata declares a DOCTYPE, which OData has no use for; refused")
    if etree.QName(root).localname != "Edmx":
        raise SourceBroken(f"{where}: {etree.QName(root).localname} is no metadata; allowed: an Edmx document")
    return root


class _Names:
    """Full names from those that use an alias, and V2's associations."""

    def __init__(self, schemas: list[etree._Element]) -> None:
        self._aliases = {s.get("Alias", ""): s.get("Namespace", "") for s in schemas if s.get("Alias")}
        self._ends = {
            f"{schema.get('Namespace')}.{node.get('Name')}": {
                end.get("Role", ""): (self.full(end.get("Type", "")), end.get("Multiplicity") == "*")
                for end in node.iter("{*}End")
            }
            for schema in schemas
            for node in schema.findall("{*}Association")
        }

    def full(self, name: str) -> str:
        namespace, _, last = name.rpartition(".")
        return f"{self._aliases.get(namespace, namespace)}.{last}"

    def target(self, link: etree._Element) -> tuple[str, bool]:
        """Where a navigation leads and whether to many."""
        if link.get("Relationship"):
            return self._ends[self.full(link.get("Relationship", ""))][link.get("ToRole", "")]
        inner, many = _element_type(link.get("Type", ""))
        return self.full(inner), many


def _structures(schema: etree._Element, names: _Names) -> Iterator[Structure]:
    namespace = schema.get("Namespace", "")
    for node in schema.iter("{*}EntityType", "{*}ComplexType"):
        keys = tuple(ref.get("Name", "") for ref in node.iterfind("{*}Key/{*}PropertyRef"))
        properties = {p.get("Name", ""): _property(p, names) for p in node.findall("{*}Property")}
        links = {link.get("Name", ""): names.target(link) for link in node.findall("{*}NavigationProperty")}
        yield Structure(f"{namespace}.{node.get('Name')}", keys, properties, links)


def _property(node: etree._Element, names: _Names) -> Property:
    inner, many = _element_type(node.get("Type", ""))
    return Property(
        inner if inner.startswith("Edm.") else names.full(inner),
        node.get("Nullable", "true") != "false",
        _size(node.get("MaxLength")),
        _size(node.get("Precision")),
        _size(node.get("Scale")),
        many,
    )


def _element_type(name: str) -> tuple[str, bool]:
    many = name.startswith(_COLLECTION) and name.endswith(")")
    return (name[len(_COLLECTION) : -1] if many else name), many


def _size(text: str | None) -> int | None:
    """A number; None for the words `max`, `variable` and `floating` too."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _bases(schemas: list[etree._Element], names: _Names) -> dict[str, str]:
    """Full name of a type -> that of the type it extends."""
    return {
        f"{schema.get('Namespace')}.{node.get('Name')}": names.full(node.get("BaseType", ""))
        for schema in schemas
        for node in schema.iter("{*}EntityType", "{*}ComplexType")
        if node.get("BaseType")
    }


def _inherited(name: str, types: dict[str, Structure], bases: dict[str, str], where: str) -> Structure:
    """The type with what it inherits."""
    whole, ancestor = types[name], bases.get(name)
    for _ in range(_MOST_ANCESTORS):
        if ancestor is None or ancestor not in types:
            return whole
        base = types[ancestor]
        properties, links = base.properties | whole.properties, base.links | whole.links
        whole = Structure(name, whole.keys or base.keys, properties, links)
        ancestor = bases.get(ancestor)
    raise SourceBroken(f"{where}: type {name} inherits from itself")
