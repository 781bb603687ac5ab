"""What callers send and get, as types: decoding, checking, encoding and the OpenAPI document derive from them.

Money is a decimal number in text and in major units ("1234.50"), days are ISO dates, chances are between 0 and 1.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from features.tables import TABLES

AMOUNT_PATTERN = r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$"
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Amount = Annotated[str, Meta(pattern=AMOUNT_PATTERN, description="decimal number in major units", examples=["1234.50"])]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217 code", examples=["EUR"])]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166 alpha-2 code", examples=["DE"])]
Chance = Annotated[float, Meta(ge=0, le=1)]


class Question(Struct, forbid_unknown_fields=True, frozen=True):
    """What every part of a question has in common: a field that is not known is refused, not ignored."""


PaidBy = Annotated[
    list[date], Meta(max_length=366, description="more days to tell the chance of having been paid by, in `paid_by`")
]


class ByIdQuestion(Question, frozen=True, kw_only=True):
    """Open invoices of the lake, by id."""

    entity_id: Id
    invoice_ids: Annotated[list[Id], Meta(min_length=1)]
    as_of: Annotated[
        date | None, Meta(description="answer with what was known before this day began; without it, with all there is")
    ] = None
    paid_by: PaidBy = []


class InlineEntity(Question, frozen=True, kw_only=True):
    """Whose books they are."""

    entity_id: Id = "inline"
    country: Country | None = None
    currency: Annotated[Currency | None, Meta(description="of the books; without it, of the first invoice")] = None
    time_zone: Annotated[Id, Meta(description="IANA name; a day starts at midnight there")] = "UTC"


class InlineAttribute(Question, frozen=True, kw_only=True):
    """A number about a customer that holds from a day on, such as monthly revenue."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
    day: date
    value: float


class InlineCustomer(Question, frozen=True, kw_only=True):
    """What is known of a customer beside the invoices; all of it optional."""

    customer_id: Id
    country: Country | None = None
    segment: Id | None = None
    attributes: list[InlineAttribute] = []


class InlinePayment(Question, frozen=True, kw_only=True):
    """Money that settled the invoice it stands under, wholly or in part, in the invoice's currency."""

    date: date
    amount: Amount


class InlineInvoice(Question, frozen=True, kw_only=True):
    """One invoice with all that was paid of it."""

    invoice_id: Id
    customer_id: Id
    issue_date: date
    due_date: date
    amount: Amount
    currency: Currency
    payments: list[InlinePayment] = []


class InlineQuestion(Question, frozen=True, kw_only=True):
    """A whole ledger, settled invoices as history among it, and which of its invoices to predict; nothing is kept."""

    as_of: Annotated[date, Meta(description="answer with what was known before this day began")]
    predict: Annotated[list[Id], Meta(min_length=1, description="invoice_ids of open invoices of this ledger")]
    invoices: Annotated[list[InlineInvoice], Meta(min_length=1)]
    entity: InlineEntity = InlineEntity()
    customers: list[InlineCustomer] = []
    paid_by: PaidBy = []


class Reason(Struct, frozen=True):
    """Why earlier or later than a typical customer; the days of one prediction's reasons add up."""

    name: str
    words: str
    days: float


class Prediction(Struct, frozen=True, kw_only=True):
    """When one instalment of one invoice will be paid, given that it was unpaid at the cutoff."""

    prediction_id: Annotated[str, Meta(description="the same for the same model, features, instalment and cutoff")]
    feature_digest: Annotated[str, Meta(description="SHA-256 of the features that the model saw")]
    entity_id: str
    customer_id: str
    invoice_id: str
    instalment: int
    currency: str
    amount: Amount
    due_date: date
    cutoff: Annotated[datetime, Meta(description="only facts known before this instant were used")]
    cutoff_day: date
    availability: Annotated[
        str,
        Meta(
            description="pooled: the customer's own history is thin; none: nothing can be said, figures are null",
            extra_json_schema={"enum": ["full", "pooled", "none"]},
        ),
    ]
    availability_reason: str | None
    expected_date: Annotated[
        date | None,
        Meta(description="mean of the distribution, given payment within its horizon; null where that is unlikely"),
    ]
    p10: Annotated[date | None, Meta(description="paid by then with a chance of 10 %; null beyond the horizon")]
    p50: date | None
    p90: date | None
    p_late: Annotated[Chance | None, Meta(description="chance of being paid after due_date, or never")]
    p_beyond: Annotated[Chance | None, Meta(description="chance of not being paid within the horizon")]
    ageing: Annotated[dict[str, Chance], Meta(description="bucket of days past due -> chance of being paid in it")]
    paid_by: Annotated[dict[str, Chance], Meta(description="ISO date -> chance of having been paid by then")]
    typical_date: Annotated[date | None, Meta(description="what would be expected of a typical customer")]
    reasons: Annotated[tuple[Reason, ...], Meta(description="lead from typical_date to expected_date, largest first")]


class Answer(Struct, frozen=True, kw_only=True):
    """Predictions in the order of the question, instalments of an invoice in their order."""

    model: Annotated[str, Meta(description="name and version", examples=["payment-date/3"])]
    predictions: list[Prediction]
    stale: Annotated[
        list[str],
        Meta(
            description="in words, which systems have been silent for too long: the predictions rest on old data, and"
            " late payments may be payments that we have not heard of; empty while all feeds are alive"
        ),
    ] = []


class Delivery(Struct, frozen=True, kw_only=True):
    """What a system sends when something changed: records of one table, or nothing but the notice that it is so."""

    table: Annotated[str | None, Meta(extra_json_schema={"enum": [*(t.name for t in TABLES), None]})] = None
    records: Annotated[
        list[dict[str, Any]],
        Meta(
            description="each with id, company, changed_at (ISO 8601 with an offset), deleted, and the table's fields"
        ),
    ] = []


class Receipt(Struct, frozen=True):
    """The delivery is kept and will not get lost; it may be sent again, which adds nothing."""

    delivery_id: str
    status: Annotated[Literal["new", "known"], Meta(description="known: it was here already")]


class ModelCard(Struct, frozen=True, kw_only=True):
    """The model that answers."""

    name: str
    version: int
    digest: Annotated[str, Meta(description="SHA-256 over the digests of its files")]
    run_id: Annotated[str, Meta(description="its run in MLflow")]
    trained_from: date
    trained_until: date
    lake_versions: Annotated[dict[str, int], Meta(description="table -> Delta version that it was trained on")]
    features: int

    @property
    def label(self) -> str:
        """`payment-date/3`, for headers and people."""
        return f"{self.name}/{self.version}"


class Health(Struct, frozen=True):
    """The process is alive, or ready to answer."""

    status: Literal["alive", "ready"]
    model: str | UnsetType = UNSET
