"""Every address the service answers, declared once: routing, the OpenAPI document and the docs derive from the list.

To add one: a value here, its types in `services.schemas`, a method of the same name in `services.api.Api`, and an
example, which the tests replay.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services import problems
from services.problems import Kind
from services.questions import (
    AlertsAnswer,
    AlertsQuestion,
    CashAnswer,
    CashQuestion,
    CreditAnswer,
    CreditQuestion,
    KpiAnswer,
    KpiQuestion,
    VerdictAnswer,
    VerdictQuestion,
    WorklistAnswer,
    WorklistQuestion,
)
from services.schemas import Answer, ByIdQuestion, Delivery, Health, InlineQuestion, ModelCard, Receipt
from services.signatures import DELIVERY, SIGNATURE, TIMESTAMP

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address: `name` is the method of `services.api.Api` that answers, and the OpenAPI operation id.

    `public` needs no API key; `headers`, which sign what is sent, stand in its place where there are any.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: Any
    question: Any = None
    example: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Kind, ...] = ()
    public: bool = False
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


ASKING = (
    problems.MALFORMED,
    problems.UNAUTHENTICATED,
    problems.NOT_FOUND,
    problems.SLOW,
    problems.TOO_LARGE,
    problems.MEDIA,
    problems.INVALID,
    problems.INTERNAL,
    problems.NOT_READY,
    problems.BUSY,
    problems.TIMEOUT,
)

BY_ID_EXAMPLE = {"entity_id": "US01", "invoice_ids": ["INV-1001"], "as_of": "2024-03-01"}

INLINE_EXAMPLE = {
    "as_of": "2024-03-01",
    "predict": ["INV-1003"],
    "invoices": [
        {
            "invoice_id": "INV-1001",
            "customer_id": "C-17",
            "issue_date": "2023-11-06",
            "due_date": "2023-12-06",
            "amount": "1200.00",
            "currency": "EUR",
            "payments": [{"date": "2023-12-14", "amount": "1200.00"}],
        },
        {
            "invoice_id": "INV-1002",
            "customer_id": "C-17",
            "issue_date": "2023-12-04",
            "due_date": "2024-01-03",
            "amount": "830.50",
            "currency": "EUR",
            "payments": [{"date": "2024-01-09", "amount": "400.00"}, {"date": "2024-01-16", "amount": "430.50"}],
        },
        {
            "invoice_id": "INV-1003",
            "customer_id": "C-17",
            "issue_date": "2024-02-12",
            "due_date": "2024-03-13",
            "amount": "990.00",
            "currency": "EUR",
        },
    ],
    "entity": {"country": "DE", "time_zone": "Europe/Berlin"},
    "customers": [{"customer_id": "C-17", "country": "FR"}],
}

CREDIT_EXAMPLE = {"entity_id": "US01", "customer_ids": ["C-17"], "as_of": "2024-03-01"}
CASH_EXAMPLE = {"entity_id": "US01", "weeks": 4, "group_currency": "EUR"}
WORKLIST_EXAMPLE = {"entity_id": "US01", "capacity": 20}
ALERTS_EXAMPLE = {"entity_id": "US01", "since": "2024-02-01", "budget_share": 0.004}
VERDICT_EXAMPLE = {"alert_id": "3f1c9a0b7d2e4f56", "verdict": "not", "who": "ana", "why": "agreed quarterly order"}
KPI_EXAMPLE = {"as_of": "2024-03-01", "by": "collector", "group_currency": "EUR"}

DELIVERY_EXAMPLE = {
    "table": "customer",
    "records": [
        {"id": "C-17", "company": "US01", "changed_at": "2024-03-01T09:30:00Z", "deleted": False, "name": "Acorn Inc."}
    ],
}

SEAL = {
    TIMESTAMP: "when it was sent, in seconds since 1970; an old one is refused",
    DELIVERY: "the delivery's id, 1 to 100 of A-Z a-z 0-9 _ : -; the same when it is sent again",
    SIGNATURE: 'v1= and the HMAC-SHA256, as hex, over "TIMESTAMP.DELIVERY.BODY" with the secret that both sides hold',
}

ENDPOINTS = (
    Endpoint("GET", "/", "front", "What this is and where to look, for people", str, public=True, media_type=HTML),
    Endpoint("GET", "/livez", "livez", "The process is alive", Health, public=True),
    Endpoint(
        "GET",
        "/readyz",
        "readyz",
        "There is a model to answer with",
        Health,
        problems=(problems.NOT_READY,),
        public=True,
    ),
    Endpoint("GET", "/v1/openapi.json", "openapi", "This document", dict[str, Any], public=True),
    Endpoint(
        "GET",
        "/v1/model",
        "model",
        "The model that answers: version, digest, training window",
        ModelCard,
        problems=(problems.UNAUTHENTICATED, problems.NOT_READY),
    ),
    Endpoint(
        "POST",
        "/v1/payment-date/by-id",
        "by_id",
        "When open invoices of the lake will be paid",
        Answer,
        ByIdQuestion,
        BY_ID_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/payment-date/inline",
        "inline",
        "When open invoices of a ledger sent along will be paid; nothing is kept",
        Answer,
        InlineQuestion,
        INLINE_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/credit-risk/by-id",
        "credit_risk",
        "How likely customers are to default, what they may owe, which orders that would block, and why",
        CreditAnswer,
        CreditQuestion,
        CREDIT_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/cash-forecast",
        "cash_forecast",
        "How much cash comes in when, as quantiles, per entity and currency",
        CashAnswer,
        CashQuestion,
        CASH_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/worklist",
        "worklist",
        "Whom to contact today and why, and who is held",
        WorklistAnswer,
        WorklistQuestion,
        WORKLIST_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/anomalies",
        "anomalies",
        "What is odd in the books and nobody has judged, within an alert budget",
        AlertsAnswer,
        AlertsQuestion,
        ALERTS_EXAMPLE,
        (*ASKING, problems.UNAVAILABLE),
    ),
    Endpoint(
        "POST",
        "/v1/anomalies/verdicts",
        "verdict",
        "Keeps whether an alert was real, as a person says",
        VerdictAnswer,
        VerdictQuestion,
        VERDICT_EXAMPLE,
        (*ASKING, problems.UNAVAILABLE),
    ),
    Endpoint(
        "POST",
        "/v1/kpis/collections",
        "kpis",
        "The key figures of collecting, by entity, currency, segment, collector or customer",
        KpiAnswer,
        KpiQuestion,
        KPI_EXAMPLE,
        ASKING,
    ),
    Endpoint(
        "POST",
        "/v1/webhooks/{source}",
        "webhook",
        "Keeps what a system says that has changed; it lands with `duecast hooks`",
        Receipt,
        Delivery,
        DELIVERY_EXAMPLE,
        (
            problems.MALFORMED,
            problems.UNSIGNED,
            problems.SLOW,
            problems.CONFLICT,
            problems.TOO_LARGE,
            problems.MEDIA,
            problems.INVALID,
            problems.INTERNAL,
            problems.BUSY,
            problems.UNAVAILABLE,
            problems.TIMEOUT,
        ),
        public=True,
        status=202,
        headers=SEAL,
    ),
    Endpoint(
        "GET",
        "/v1/metrics/integration",
        "integration_metrics",
        "How the systems do that we talk to, for Prometheus",
        str,
        problems=(problems.UNAUTHENTICATED, problems.BUSY, problems.UNAVAILABLE, problems.TIMEOUT),
        media_type=TEXT,
    ),
)


def catalogue(endpoints: Iterable[Endpoint] = ENDPOINTS) -> str:
    """The Markdown table between the catalogue markers of the README."""
    head = ["| endpoint | answers | key | problems |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, endpoints)]) + "\n"


def _row(endpoint: Endpoint) -> str:
    statuses = ", ".join(str(status) for status in sorted({kind.status for kind in endpoint.problems}))
    cells = (
        f"`{endpoint.method} {endpoint.path}`",
        endpoint.summary,
        "signature" if endpoint.headers else "no" if endpoint.public else "yes",
        statuses or "none",
    )
    return f"| {' | '.join(cells)} |"
