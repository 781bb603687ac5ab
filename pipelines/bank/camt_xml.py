"""Elements of a camt document, taken once as texts by path, whatever the prefix of their namespace.

One walk over an element is faster than a search for each of the thirty values of an entry, and nothing of the XML is
held on to.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from features.errors import BadInput
from pipelines.bank.decoding import blank_to_none, iso_day, minor

# What may come more than once with several values that belong together.
_REPEATED = {"Bal", "TxDtls"}
_SIGNS: Mapping[str | None, int] = {"CRDT": 1, "DBIT": -1}


class Tags(dict[str, str]):
    """Tag as lxml spells it -> the name without its namespace."""

    def __missing__(self, tag: str) -> str:
        self[tag] = tag.rpartition("}")[2]
        return self[tag]


class Part:
    """An element: the texts below it by path, and what is repeated in it as parts of their own.

    place       "FILE line N"
    currencies  path of an amount -> its currency
    """

    __slots__ = ("_texts", "currencies", "parts", "place")

    def __init__(self, element: Any, file: str, tags: Tags) -> None:
        self.place = f"{file} line {element.sourceline}"
        self.currencies: dict[str, str | None] = {}
        self.parts: dict[str, list[Part]] = {}
        self._texts: dict[str, list[str]] = {}
        self._fill(element, "", file, tags)

    def _fill(self, element: Any, prefix: str, file: str, tags: Tags) -> None:
        for child in element:
            name = tags[child.tag]
            path = prefix + name
            if name in _REPEATED:
                self.parts.setdefault(name, []).append(Part(child, file, tags))
            elif len(child):
                self._texts.setdefault(path, [])
                self._fill(child, f"{path}/", file, tags)
            else:
                self._texts.setdefault(path, []).append(child.text or "")
                if name == "Amt":
                    self.currencies.setdefault(path, child.get("Ccy"))

    def each(self, path: str) -> list[str]:
        """Every text at `path` that is not blank, as written."""
        return [text for text in self._texts.get(path, ()) if text.strip()]

    def text(self, path: str) -> str | None:
        """The first text at `path`, without blanks around it; None where there is none."""
        found = self._texts.get(path)
        return blank_to_none(found[0]) if found else None

    def either(self, *paths: str) -> str | None:
        """The text of the first of `paths` that has one."""
        for path in paths:
            found = self.text(path)
            if found is not None:
                return found
        return None

    def has(self, path: str) -> bool:
        """Whether there is an element at `path`, with or without a text."""
        return path in self._texts

    def amount_minor(self, path: str) -> tuple[int, str]:
        """Unsigned minor units and currency of the amount at `path`; `BadInput` where there is none."""
        currency = self.currencies.get(path)
        return minor(self.text(path), currency, self.place, path), currency or ""

    def signed_minor(self) -> tuple[int, str]:
        """Signed minor units and currency of its `Amt`, by its credit or debit mark."""
        unsigned, currency = self.amount_minor("Amt")
        return self.sign() * unsigned, currency

    def sign(self) -> int:
        """1 for a credit, -1 for a debit."""
        mark = self.text("CdtDbtInd")
        if mark not in _SIGNS:
            raise BadInput(f"{self.place}: CdtDbtInd is {mark!r}; allowed: CRDT or DBIT")
        return _SIGNS[mark]

    def day(self, *paths: str) -> date | None:
        """The day at the first of `paths` that has one."""
        for path in paths:
            text = self.text(path)
            if text is not None:
                return iso_day(text, self.place, path)
        return None
