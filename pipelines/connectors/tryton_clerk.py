"""What every write to Tryton needs: how things are done in a company, and records found by what people call them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from features.errors import BadInput
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_json import Json


@dataclass(frozen=True, slots=True)
class Clerk:
    """How things are done.

    terms    name of the payment term of customers that have none of their own
    dispute  name of the type of complaint that a dispute is
    clock    tells the time, aware
    """

    clock: Callable[[], datetime]
    terms: str | None = None
    dispute: str | None = None

    def today(self, company: Company) -> date:
        """The day that it is where the company is."""
        return self.clock().astimezone(ZoneInfo(company.row["timezone"] or "UTC")).date()


def only(erp: Tryton, model: str, domain: Sequence[Any], fields: tuple[str, ...], what: str) -> Json:
    """The one record in `domain`, whose first part says what it is called; `BadInput` for none or several."""
    found = erp.search(model, domain, fields, limit=2)
    if len(found) != 1:
        number = "no" if not found else "more than one"
        raise BadInput(f"{what} is {domain[0][2]!r}: {number} {model} of the ERP has it; allowed: exactly one")
    return found[0]


def decimal(values: Json, name: str) -> Decimal:
    """A number of the payload, exact; `BadInput` where it is none."""
    told = values.get(name)
    try:
        number = Decimal(told) if isinstance(told, str | int) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise BadInput(f"{name} is {told!r}; allowed: a number such as 12.50, as text")
    return number


def day(values: Json, name: str) -> date:
    """A day of the payload; `BadInput` where it is none."""
    try:
        return date.fromisoformat(values[name])
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{name} is {values.get(name)!r}; allowed: a day written as YYYY-MM-DD") from None
