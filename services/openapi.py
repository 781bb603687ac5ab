"""The OpenAPI 3.1 document, generated from the endpoints and their types."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from models.cash.scenarios import Resolved, Scenario
from services import problems
from services.endpoints import ENDPOINTS, Endpoint
from services.guard import VERSION_HEADER
from services.problems import Kind, Problem
from services.questions import CreditQuestion
from services.scenarios import LISTS
from services.schemas import ByIdQuestion, InlineQuestion

VERSION = "1"
KEY = "apiKey"
# Lists that may be as long as the service allows.
BULK: tuple[tuple[type, str], ...] = (
    (ByIdQuestion, "invoice_ids"),
    (InlineQuestion, "predict"),
    (CreditQuestion, "customer_ids"),
    *((Scenario, changes) for changes in LISTS),
    (Resolved, "disputes"),
)


def document(*, bulk_limit: int) -> dict[str, Any]:
    """The document; `bulk_limit` is the most invoices, customers or changes that one question may name."""
    types = [e.answer for e in ENDPOINTS] + [e.question for e in ENDPOINTS if e.question] + [Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    for kind, listed in BULK:
        components[kind.__name__]["properties"][listed]["maxItems"] = bulk_limit
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Duecast",
            "version": VERSION,
            "summary": "When invoices will be paid, how much cash that is, who is a risk, what is odd, whom to contact",
            "description": "Chances are between 0 and 1, days ISO dates. Money is decimal text in major units, or a "
            "whole number of minor units under a name that ends in _minor.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {e.path: {e.method.lower(): _operation(e, schema_of)} for e in ENDPOINTS},
        "components": {
            "schemas": components,
            "securitySchemes": {KEY: {"type": "http", "scheme": "bearer"}},
            "headers": {
                VERSION_HEADER: {"description": "the model that served, or none", "schema": {"type": "string"}},
            },
        },
    }


def _operation(endpoint: Endpoint, schema_of: Mapping[int, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "security": [] if endpoint.public else [{KEY: []}],
        "responses": {str(endpoint.status): _response("OK", endpoint.media_type, schema_of[id(endpoint.answer)])},
    }
    if parameters := _parameters(endpoint):
        operation["parameters"] = parameters
    if endpoint.question:
        content = {"schema": schema_of[id(endpoint.question)], "example": endpoint.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    for status in sorted({kind.status for kind in endpoint.problems}):
        operation["responses"][str(status)] = _problem(status, endpoint.problems, schema_of[id(Problem)])
    return operation


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Of the path, by its template, and the headers that must be sent."""
    steps = [(name, "path", "") for name in re.findall(r"\{(.*?)\}", endpoint.path)]
    headers = [(name, "header", doc) for name, doc in endpoint.headers.items()]
    return [
        {"name": name, "in": place, "required": True, "description": doc, "schema": {"type": "string"}}
        for name, place, doc in [*steps, *headers]
    ]


def _problem(status: int, kinds: tuple[Kind, ...], schema: Any) -> dict[str, Any]:
    titles = [kind.title for kind in kinds if kind.status == status]
    return _response("; or ".join(titles), problems.MEDIA_TYPE, schema)


def _response(description: str, media_type: str, schema: Any) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {VERSION_HEADER: {"$ref": f"#/components/headers/{VERSION_HEADER}"}},
        "content": {media_type: {"schema": schema}},
    }
