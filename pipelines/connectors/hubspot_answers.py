"""What HubSpot is asked and what it answers, as types. Numbers that come unquoted are decimals, never floats."""

from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from features.errors import SourceBroken
from pipelines.connectors.web import Answer

_NONE_FOUND = "OBJECT_NOT_FOUND"

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True):
    """One object of the CRM. Values of properties are text or null, as the portal has them."""

    id: str
    properties: dict[str, Any]
    archived: bool = False


class Filter(msgspec.Struct, frozen=True, omit_defaults=True, rename={"name": "propertyName"}):
    """A condition on one property; an instant is compared as milliseconds since 1970."""

    name: str
    operator: str
    value: str | None = None
    values: tuple[str, ...] = ()


class _LinkType(msgspec.Struct, frozen=True):
    label: str | None = None


class Link(msgspec.Struct, frozen=True):
    """An association with another object."""

    toObjectId: int  # noqa: N815  the API's name
    associationTypes: tuple[_LinkType, ...] = ()  # noqa: N815

    @property
    def to(self) -> str:
        """The id of the other object."""
        return str(self.toObjectId)

    @property
    def primary(self) -> bool:
        """Whether it is the main one of its kind."""
        return any((kind.label or "").casefold() == "primary" for kind in self.associationTypes)


class _Next(msgspec.Struct, frozen=True):
    after: str | int


class _Paging(msgspec.Struct, frozen=True):
    next: _Next | None = None


class _Error(msgspec.Struct, frozen=True):
    category: str | None = None
    message: str | None = None


class Page(msgspec.Struct, Generic[T], frozen=True):
    """What one answer holds."""

    results: tuple[T, ...]
    paging: _Paging | None = None
    errors: tuple[_Error, ...] = ()

    @property
    def after(self) -> str | None:
        """Where the next page starts; None on the last one."""
        return None if self.paging is None or self.paging.next is None else str(self.paging.next.after)


class From(msgspec.Struct, frozen=True):
    """Whose associations they are."""

    id: str


class Links(msgspec.Struct, frozen=True, rename={"of": "from"}):
    """The associations of one object, or the first of them."""

    of: From
    to: tuple[Link, ...]
    paging: _Paging | None = None


def decoded(answer: Answer, request: str, shape: type[T]) -> T:
    """The answer in that shape; `SourceBroken` where it has another."""
    try:
        return msgspec.json.Decoder(shape, float_hook=Decimal).decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceBroken(f"{request}: the answer is outside the protocol: {error}") from None


def only_absent(errors: tuple[_Error, ...], path: str) -> None:
    """A part may fail because there is nothing; whatever else fails would be lost in silence."""
    for error in errors:
        if error.category != _NONE_FOUND:
            raise SourceBroken(f"POST {path}: a part failed ({error.category}): {error.message}")
