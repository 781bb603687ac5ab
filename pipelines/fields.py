"""What a mapping can fill: the fields of each canonical table, derived from its declaration.

Amounts go by their name without `_minor` and are written in major units (`amount`, `credit_limit`). An invoice takes
`due_date` or `terms_days` in place of a list of `instalments`. What has an obvious value need not be mapped.
"""

from dataclasses import dataclass
from functools import cache

from features.tables import CUSTOMER, INVOICE, Kind, table

MINOR = "_minor"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a mapping can fill.

    column    the canonical column it becomes; None where it only helps to make one (`due_date`)
    currency  for an amount: the field or column that names its currency; None means the entity's own
    needed    must be mapped: there is no obvious value for it
    """

    name: str
    kind: Kind
    doc: str
    column: str | None
    currency: str | None = None
    needed: bool = False


ENTITY_CURRENCY = "the entity's currency"

# table -> field -> the value it takes where nothing is mapped; {} names another field of the same row.
OBVIOUS: dict[str, dict[str, str]] = {
    "customer_attribute": {"attribute_id": "{customer_id}:{name}:{day}"},
    "invoice": {"currency": ENTITY_CURRENCY},
    "credit_note": {"currency": ENTITY_CURRENCY},
    "payment": {"currency": ENTITY_CURRENCY},
    "allocation": {
        "allocation_id": "{from_id}:{invoice_id}:{instalment}",
        "kind": "payment",
        "instalment": "1",
        "currency": ENTITY_CURRENCY,
    },
    "fx_rate": {"fx_rate_id": "{currency}:{to_currency}:{day}"},
}

# Fields that make a column together with others.
_HELPERS: dict[str, tuple[Field, ...]] = {
    "invoice": (
        Field("due_date", Kind.DAY, "when it is due; makes the one instalment", None),
        Field("terms_days", Kind.COUNT, "days from issue to due, where there is no due_date", None),
    ),
    "allocation": (Field("paid_currency", Kind.CURRENCY, "currency of `paid`, where it differs", None),),
}

# Amounts that are not in the currency of their row.
_CURRENCY_OF = {(CUSTOMER.name, "credit_limit_minor"): None, ("allocation", "paid_minor"): "paid_currency"}


@cache
def fields_of(table_name: str) -> dict[str, Field]:
    """Name -> field, of the table called `table_name`, in the order in which the table declares its columns."""
    canonical = table(table_name)
    obvious = OBVIOUS.get(table_name, {})
    found: dict[str, Field] = {}
    for column in canonical.own_columns:
        if column.name == "entity_id":
            continue
        name = column.name.removesuffix(MINOR) if column.kind is Kind.MONEY else column.name
        currency = _CURRENCY_OF.get((table_name, column.name), "currency") if column.kind is Kind.MONEY else None
        needed = not (column.optional or name in obvious or column.kind is Kind.INSTALMENTS)
        found[name] = Field(name, column.kind, column.doc, column.name, currency, needed)
    return found | {helper.name: helper for helper in _HELPERS.get(table_name, ())}


def missing_fields(table_name: str, mapped: set[str]) -> list[str]:
    """What a mapping of this table still has to fill, in words; empty when it is complete."""
    absent = [f.name for f in fields_of(table_name).values() if f.needed and f.name not in mapped]
    if table_name == INVOICE.name and not mapped & {"due_date", "terms_days", "instalments"}:
        absent.append("due_date or terms_days")
    return absent


# Tables whose rows are documents: what one record says about them lands together or not at all.
DOCUMENTS = ("invoice", "credit_note", "payment", "allocation")
