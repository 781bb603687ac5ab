"""The document says what the service does; its examples work."""

import msgspec
import pytest

from features.kpis.groups import GROUPS
from services.alerts import VERDICTS
from services.endpoints import ENDPOINTS
from services.openapi import document
from services.problems import Problem

DOCUMENT = document(bulk_limit=100)
OPERATIONS = {
    (method.upper(), path): operation for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
}


def test_every_endpoint_is_there_once_and_nothing_else():
    assert set(OPERATIONS) == {(e.method, e.path) for e in ENDPOINTS}
    assert len({o["operationId"] for o in OPERATIONS.values()}) == len(ENDPOINTS)


def test_the_service_hands_it_out(client):
    assert client.get("/v1/openapi.json").json() == msgspec.json.decode(msgspec.json.encode(DOCUMENT))


@pytest.mark.parametrize("address", [a for a in OPERATIONS if a[0] == "POST" and "webhooks" not in a[1]], ids=str)
def test_an_example_works_as_it_stands(client, address):
    response = client.post(address[1], example_of(address))
    assert response.status_code == 200
    schema = OPERATIONS[address]["responses"]["200"]["content"]["application/json"]["schema"]
    promised = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    assert set(response.json()) == set(promised)


@pytest.mark.parametrize("address", [a for a in OPERATIONS if "payment-date" in a[1]], ids=str)
def test_an_example_is_answered_about_the_invoices_that_it_names(client, address):
    example = example_of(address)
    named = example.get("invoice_ids") or example["predict"]
    assert [p["invoice_id"] for p in client.post(address[1], example).json()["predictions"]] == named


def example_of(address):
    return OPERATIONS[address]["requestBody"]["content"]["application/json"]["example"]


def test_the_example_of_a_delivery_is_kept_as_it_stands(client, seal):
    operation = OPERATIONS["POST", "/v1/webhooks/{source}"]
    body = msgspec.json.encode(operation["requestBody"]["content"]["application/json"]["example"])
    headers = seal(body)
    required = {p["name"] for p in operation["parameters"] if p["in"] == "header" and p["required"]}
    assert set(headers) == required
    answer = client.post("/v1/webhooks/erp", body, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"delivery_id": "d1", "status": "new"})
    assert "202" in operation["responses"]


def test_every_step_of_a_path_is_described():
    for (_, path), operation in OPERATIONS.items():
        steps = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert all(f"{{{name}}}" in path for name in steps)
        assert len(steps) == path.count("{")


@pytest.mark.parametrize("address", [a for a in OPERATIONS if a[0] == "GET"], ids=str)
def test_every_other_address_answers_as_documented(client, address):
    response = client.get(address[1])
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] in OPERATIONS[address]["responses"]["200"]["content"]


def test_every_reference_leads_somewhere():
    def references(node):
        if isinstance(node, dict):
            yield from (v for k, v in node.items() if k == "$ref")
            yield from (r for v in node.values() for r in references(v))
        if isinstance(node, list):
            yield from (r for v in node for r in references(v))

    found = set(references(DOCUMENT))
    assert "#/components/schemas/InlineInvoice" in found
    for reference in found:
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_limits_and_formats_are_stated():
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["ByIdQuestion"]["properties"]["invoice_ids"]["maxItems"] == 100
    assert schemas["InlineQuestion"]["properties"]["predict"]["maxItems"] == 100
    assert schemas["CreditQuestion"]["properties"]["customer_ids"]["maxItems"] == 100
    changes = schemas["Scenario"]["properties"]
    assert [changes[name]["maxItems"] for name in ("delay", "resolve", "terms", "fx")] == [100] * 4
    assert schemas["Resolved"]["properties"]["disputes"]["maxItems"] == 100
    assert schemas["ByIdQuestion"]["additionalProperties"] is False
    assert schemas["InlineInvoice"]["properties"]["due_date"] == {"type": "string", "format": "date"}
    assert schemas["Prediction"]["properties"]["availability"]["enum"] == ["full", "pooled", "none"]
    assert set(schemas["KpiQuestion"]["properties"]["by"]["enum"]) == set(GROUPS)
    assert set(schemas["VerdictQuestion"]["properties"]["verdict"]["enum"]) == set(VERDICTS)


def test_every_problem_answer_has_the_problem_schema():
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            if not status.startswith("2"):
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": f"#/components/schemas/{Problem.__name__}"}


def test_what_needs_no_key_says_so():
    secured = {address for address, operation in OPERATIONS.items() if operation["security"]}
    assert secured == {(e.method, e.path) for e in ENDPOINTS if not e.public}
