"""Reads lines of customer accounts from a service: all of them, or those that changed with all that belongs to them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeVar

from features.errors import SourceBroken, SourceError
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_answers import Row
from pipelines.connectors.odata_query import Condition, Query
from pipelines.connectors.sap_lines import Kind, Line
from pipelines.connectors.sap_shapes import Headers, Ledger, Shape

CUSTOMERS = "D"
_KEYS_AT_ONCE = 20  # in one filter; gateways refuse addresses of some thousand characters

Place = tuple[str, str, str]
T = TypeVar("T")


class SapLedger:
    """Customer lines of `companies`. `service` gives the service at a path."""

    def __init__(self, shape: Shape, companies: tuple[str, ...], service: Callable[[str], ODataService]) -> None:
        self._shape, self._companies, self._service = shape, companies, service

    def everything(self) -> list[Line]:
        """Every line of every customer account."""
        return self._lines(self._rows(()))

    def changed(self, since: datetime) -> list[Line]:
        """The lines changed since then, by the ledger's stamp."""
        stamp = self._shape.ledger.changed
        if stamp is None:
            return self.everything()
        return self._lines(self._rows((self.since(self._shape.ledger.service, self._place[0], stamp, since),)))

    def whole_documents(self, lines: Iterable[Line]) -> list[Line]:
        """The documents that `lines` are in, with all their lines."""
        ledger = self._shape.ledger
        return self._whole({place(line.document) for line in lines}, ledger.year, ledger.document)

    def whole_clearings(self, lines: Iterable[Line]) -> list[Line]:
        """What `lines` were cleared with, and the documents of all that."""
        ledger = self._shape.ledger
        clearings = {place(line.clearing) for line in lines if line.clearing is not None}
        cleared = self._whole(clearings, ledger.clearing_year, ledger.clearing)
        reopened = [line for line in lines if line.reopened]
        return unique([*cleared, *self.whole_documents([*cleared, *reopened])])

    def since(self, service: str, entity_set: str, stamp: str, since: datetime) -> Condition:
        """The condition for what changed since then, as the stamp's type has it; a day early where it has no zone."""
        kind = self._service(service).model.entity(entity_set).properties.get(stamp)
        if kind is not None and kind.type == "Edm.DateTimeOffset":
            return Condition(stamp, "ge", (since.astimezone(UTC).isoformat(timespec="seconds"),))
        day = (since.astimezone(UTC) - timedelta(days=1)).date().isoformat()
        return Condition(stamp, "ge", (day if kind is not None and kind.type == "Edm.Date" else f"{day}T00:00:00",))

    @property
    def _place(self) -> tuple[str, tuple[str, ...]]:
        return self._shape.ledger.entity_set, self._shape.ledger.named

    def _whole(self, places: set[Place], year: str, number: str) -> list[Line]:
        found: list[Line] = []
        for (company, in_year), group in groupby(sorted(places), key=lambda p: p[:2]):
            for some in chunks(sorted(p[2] for p in group), _KEYS_AT_ONCE):
                conditions = (
                    Condition(self._shape.ledger.company, "eq", (company,)),
                    Condition(year, "eq", (in_year,)),
                    Condition(number, "eq", tuple(some)),
                )
                found += self._lines(self._rows(conditions))
        return found

    def _rows(self, conditions: tuple[Condition, ...]) -> list[Row]:
        ledger = self._shape.ledger
        entity_set, named = self._place
        where = (
            Condition(ledger.item_type, "eq", (CUSTOMERS,)),
            Condition(ledger.company, "eq", self._companies),
            *conditions,
        )
        rows = list(self._service(ledger.service).rows(entity_set, Query(where=where, select=named)))
        self._require_currencies(rows, where)
        return rows

    def _require_currencies(self, rows: list[Row], where: tuple[Condition, ...]) -> None:
        """The service itself counts as many lines in each currency as came: amounts without sums cannot be held
        against anything else.
        """
        ledger, entity_set = self._shape.ledger, self._shape.ledger.entity_set
        lines = {
            (row.get(ledger.document), row.get(ledger.item), row.get(ledger.year), row.get(ledger.company)): row.get(
                ledger.currency
            )
            for row in rows
        }
        for currency, came in Counter(lines.values()).items():
            of_it = Query(where=(*where, Condition(ledger.currency, "eq", (str(currency),))))
            told = self._service(ledger.service).count(entity_set, of_it)
            if told < came:  # more may have been posted meanwhile
                where_it_is = f"{ledger.service}/{entity_set}"
                raise SourceError(f"{where_it_is}: {came} lines in {currency} came, it counts {told}; read again")

    def _lines(self, rows: list[Row]) -> list[Line]:
        ledger, headers = self._shape.ledger, self._shape.headers
        about = {} if headers is None else self._headers(headers, rows)
        lines = []
        for row in rows:
            self._check(row)
            above = about.get((row[ledger.company], row[ledger.year], row[ledger.document]), {})
            told = _Told(row, ledger, above, headers)
            kind = kind_of(self._shape, told("document_type"), told.signed)
            if kind is not None:
                lines.append(told.line(kind))
        return unique(lines)  # a page that comes twice would double what is owed

    def _check(self, row: Row) -> None:
        """`SourceBroken` for a line that cannot be told apart from others, or that nobody asked for."""
        ledger = self._shape.ledger
        names = (ledger.company, ledger.year, ledger.document, ledger.item, ledger.currency, ledger.customer)
        wrong = [name for name in names if not isinstance(row.get(name), str) or "/" in row[name]]
        if wrong or row[ledger.company] not in self._companies:
            about = ", ".join(f"{name} {row.get(name)!r}" for name in wrong or [ledger.company])
            raise SourceBroken(f"{ledger.service}/{ledger.entity_set}: a line with {about}; it was not asked for")

    def _headers(self, headers: Headers, rows: list[Row]) -> Mapping[Place, Row]:
        """The headers of all documents of the years that the rows are in."""
        service = self._service(headers.service)
        years = tuple(sorted({row[self._shape.ledger.year] for row in rows}))
        where = (Condition(headers.company, "eq", self._companies), Condition(headers.year, "eq", years))
        found = service.rows(headers.entity_set, Query(where=where)) if rows else ()
        return {(row[headers.company], row[headers.year], row[headers.document]): row for row in found}


class _Told:
    """What a row and its document's header tell, by role."""

    def __init__(self, row: Row, ledger: Ledger, above: Row, headers: Headers | None) -> None:
        self._row, self._ledger, self._above, self._headers = row, ledger, above, headers

    def __call__(self, role: str) -> Any:
        name = getattr(self._ledger, role, None)
        if name is not None:
            return self._row.get(name)
        above = getattr(self._headers, role, None)
        return None if above is None else self._above.get(above)

    @property
    def signed(self) -> Decimal:
        side = self("debit_credit")
        if side not in ("S", "H") or self("amount") is None:
            raise SourceBroken(f"{self.number}: side {side!r} with amount {self('amount')!r}; allowed: S or H, and one")
        return abs(Decimal(self("amount"))) * (1 if side == "S" else -1)

    @property
    def number(self) -> str:
        return f"{self('company')}/{self('year')}/{self('document')}"

    def day(self, role: str) -> str | None:
        return None if self(role) is None else str(self(role))[:10]

    def line(self, kind: Kind) -> Line:
        posted = self.day("posted")
        if posted is None:
            raise SourceBroken(f"{self.number}: no posting date; every accounting document has one")
        clearing_day = self.day("clearing_day")
        year = self("clearing_year") or (clearing_day or posted)[:4]
        return Line(
            company=self("company"),
            document=self.number,
            item=self("item"),
            kind=kind,
            customer=self("customer"),
            posted=posted,
            dated=self.day("document_day") or posted,
            due=self.day("due") or posted,
            entered=self.day("entered") or posted,
            amount=self.signed,
            currency=self("currency"),
            reference=self("reference") or None,
            clearing=f"{self('company')}/{year}/{self('clearing')}" if self("clearing") else None,
            cleared=self.day("cleared"),
            clearing_day=clearing_day,
            reopened=bool(self("reopened")) and not self("clearing"),
            changed_at=self("changed"),
        )


def kind_of(shape: Shape, document_type: str | None, signed: Decimal) -> Kind | None:
    """What a document of that type is; an invoice type on the credit side is a credit note. None for other types."""
    if document_type in shape.payments:
        return "payment"
    if document_type in shape.credits or (document_type in shape.invoices and signed < 0):
        return "credit_note"
    return "invoice" if document_type in shape.invoices else None


def place(number: str) -> Place:
    """Company, year and number of a document's id."""
    company, year, document = number.split("/")
    return company, year, document


def unique(lines: Iterable[Line]) -> list[Line]:
    """Each line once, the last one of those with one place."""
    return list({(line.document, line.item): line for line in lines}.values())


def chunks(items: list[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`; one empty list where there are none."""
    yield from (items[start : start + size] for start in range(0, max(len(items), 1), size))
