"""camt.053 statements and camt.054 notifications (ISO 20022, versions 001.02 and later).

Entries are taken one by one and let go, so that memory follows the number of entries, not the size of the XML. No
entity is resolved, nothing is fetched, a DOCTYPE is refused. Only booked entries count: pending ones and those for
information are in no booked balance.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, BinaryIO

from lxml import etree  # type: ignore[import-untyped]

from features.errors import BadInput
from pipelines.bank.camt_entry import entries_of
from pipelines.bank.camt_xml import Part, Tags
from pipelines.bank.statement import Entry, Statement, account_number, checked, identified

_HEAD_BYTES = 65536
_ENTRY_BYTES = 16 * 1024 * 1024
_KIND = re.compile(r"camt\.05([34])\.001\.[0-9]{2}$")
_STATEMENTS = ("Stmt", "Ntfctn")
_ALLOWED = "allowed: a camt.053 or camt.054 document"


def parse(stream: BinaryIO, name: str) -> list[Statement]:
    """The statements of the seekable `stream`, called `name` in complaints; all of them are right or `BadInput`."""
    return checked(read(stream, name))


def read(stream: BinaryIO, name: str) -> list[Statement]:
    """As `parse`, before the balances are checked."""
    _refuse_doctype(stream, name)
    try:
        return list(_walked(stream, name))
    except etree.XMLSyntaxError as error:
        raise BadInput(f"{name} line {error.lineno or 1}: not whole XML: {error.msg}; {_ALLOWED}") from None


class _Paced:
    """The stream, as long as entries come: what is between two is held in memory by the parser."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._since, self._line = 0, 1

    def read(self, size: int) -> bytes:
        part = self._stream.read(size)
        self._since += len(part)
        if self._since > _ENTRY_BYTES:
            told = f"{self._name} line {self._line}: no entry ends within the next {_ENTRY_BYTES:,} bytes"
            raise BadInput(f"{told}; allowed: entries that are smaller")
        return part

    def came(self, line: int) -> None:
        """An entry or a statement came."""
        self._since, self._line = 0, line


def _refuse_doctype(stream: BinaryIO, name: str) -> None:
    head = stream.read(_HEAD_BYTES).replace(b"\x00", b"")  # so that UTF-16 is seen as well
    stream.seek(0)
    at = head.upper().find(b"<!DOCTYPE")
    if at >= 0:
        line = head.count(b"\n", 0, at) + 1
        raise BadInput(f"{name} line {line}: a DOCTYPE, which may define entities; {_ALLOWED} without one")


def _walked(stream: BinaryIO, name: str) -> Iterator[Statement]:
    paced = _Paced(stream, name)
    walk = etree.iterparse(
        paced,
        events=("start", "end"),
        tag=["{*}Document", "{*}Ntry", *(f"{{*}}{tag}" for tag in _STATEMENTS)],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    tags, has_balances = Tags(), None
    entries: list[Entry] = []
    told = 0
    for event, element in walk:
        tag = tags[element.tag]
        paced.came(element.sourceline)
        if event == "start":
            if tag == "Document":
                has_balances = _has_balances(element, name)
        elif has_balances is not None and tag == "Ntry":
            entries += entries_of(Part(element, name, tags))
            told += 1
            _let_go(element)
        elif has_balances is not None and tag in _STATEMENTS:
            yield _statement(Part(element, name, tags), entries, told, has_balances=has_balances)
            entries, told = [], 0
            element.clear()
    if has_balances is None:
        shown = "nothing" if walk.root is None else f"<{tags[walk.root.tag]}>"
        raise BadInput(f"{name} line 1: {shown} without <Document>; {_ALLOWED}")


def _let_go(entry: Any) -> None:
    """Empty it, and remove the one before: the parser still holds on to the entry itself."""
    before = entry.getprevious()
    entry.clear()
    if before is not None and before.tag == entry.tag:
        entry.getparent().remove(before)


def _has_balances(document: Any, name: str) -> bool:
    """Whether it is a document of statements (camt.053) or of notifications (camt.054), which have none."""
    place = f"{name} line {document.sourceline}"
    if document.getroottree().docinfo.internalDTD is not None:
        raise BadInput(f"{place}: a DOCTYPE, which may define entities; {_ALLOWED} without one")
    namespace = etree.QName(document).namespace or ""
    kind = _KIND.search(namespace)
    if kind is None:
        shown = namespace.rpartition(":")[2] or "no namespace"
        raise BadInput(f"{place}: {shown}; {_ALLOWED} of version 001.02 or later")
    return kind[1] == "3"


def _statement(told: Part, entries: list[Entry], count: int, *, has_balances: bool) -> Statement:
    identity = _needed(told, "Id")
    account = _needed(told, "Acct/Id/IBAN", "Acct/Id/Othr/Id")
    _check_count(told, count)
    opening = _balance(told, "OPBD", "PRCD", "ITBD") if has_balances else None
    closing = _balance(told, "CLBD", "ITBD") if has_balances else None
    first, last = _days(told, entries)
    return Statement(
        statement_id=identity,
        account=account_number(account),
        owner=told.either("Acct/Nm", "Acct/Ownr/Nm"),
        number=told.either("ElctrncSeqNb", "LglSeqNb"),
        currency=_currency(told, entries, [balance[1] for balance in (opening, closing) if balance]),
        from_day=first,
        to_day=last,
        opening_minor=opening[0] if opening else None,
        closing_minor=closing[0] if closing else None,
        entries=tuple(identified(entries, identity)),
        place=told.place,
    )


def _needed(told: Part, *paths: str) -> str:
    found = told.either(*paths)
    if found is None:
        raise BadInput(f"{told.place}: a statement without {paths[0]}; allowed: an id, and the account it is of")
    return found


def _check_count(told: Part, count: int) -> None:
    promised = told.text("TxsSummry/TtlNtries/NbOfNtries")
    if promised is not None and promised != str(count):
        raise BadInput(f"{told.place}: NbOfNtries is {promised!r}, but there are {count} entries; ask the bank")


def _balance(told: Part, *codes: str) -> tuple[int, str]:
    """Minor units and currency of the balance whose code comes first in `codes`.

    Pages of one statement carry interim balances: the first one opens, the last one closes.
    """
    balances = told.parts.get("Bal", [])
    for code in codes:
        found = [balance for balance in balances if balance.text("Tp/CdOrPrtry/Cd") == code]
        if found:
            return found[-1 if codes[0] == "CLBD" else 0].signed_minor()
    raise BadInput(f"{told.place}: no balance {codes[0]}; allowed: a statement that says where it starts and ends")


def _currency(told: Part, entries: list[Entry], of_balances: list[str]) -> str:
    """The account's currency; `BadInput` where a balance is in another, or nothing says any."""
    said = [told.text("Acct/Ccy"), *of_balances, *(entry.currency for entry in entries[:1])]
    currency = next((code for code in said if code), None)
    if currency is None:
        raise BadInput(f"{told.place}: no currency anywhere; allowed: Acct/Ccy or an entry that has one")
    if other := [code for code in of_balances if code != currency]:
        raise BadInput(f"{told.place}: a balance in {other[0]}; allowed: {currency}, the account's currency")
    return currency


def _days(told: Part, entries: list[Entry]) -> tuple[date, date]:
    """The days from and to which it tells; without any, those of its entries, or the day it was made."""
    first, last = told.day("FrToDt/FrDtTm", "FrToDt/FrDt"), told.day("FrToDt/ToDtTm", "FrToDt/ToDt")
    booked = [entry.booking_date for entry in entries]
    made = told.day("CreDtTm")
    days = booked or [day for day in (first, last, made) if day]
    if not days:
        raise BadInput(f"{told.place}: a statement without a day; allowed: FrToDt, CreDtTm or entries with BookgDt")
    return first or min(days), last or max(days)
