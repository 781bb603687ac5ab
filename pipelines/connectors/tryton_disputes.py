"""Disputes in Tryton: a complaint about an invoice, waiting for a decision.

Payload: erp_reference, invoice_id, opened_on, reason, and text if there is any.
"""

from features.errors import BadInput
from pipelines.connectors.tryton_clerk import Clerk, day, only
from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_documents import out_documents
from pipelines.connectors.tryton_json import Json

_COMPLAINT = ("number", "state", "reference")
_STANDING = ["draft", "waiting", "approved", "done"]


def open_dispute(company: Company, payload: Json, clerk: Clerk) -> Json:
    """The complaint, which waits for whoever decides; what was decided already stays decided."""
    domain = [["reference", "=", payload["erp_reference"]], ["company", "=", company.id]]
    found = company.erp.search("sale.complaint", domain, _COMPLAINT)
    if len(found) > 1:
        raise BadInput(f"{len(found)} complaints of the ERP have the reference {payload['erp_reference']!r}")
    if not found:
        company.erp.create("sale.complaint", _values(company, payload, clerk))
        found = company.erp.search("sale.complaint", domain, _COMPLAINT)
    complaint = found[0]
    if complaint["state"] == "draft":
        company.erp.act("sale.complaint", complaint["id"], "wait")
        complaint = company.erp.read("sale.complaint", complaint["id"], _COMPLAINT)
    return {"dispute": complaint["number"] or str(complaint["id"]), "state": complaint["state"]}


def _values(company: Company, payload: Json, clerk: Clerk) -> Json:
    if clerk.dispute is None:
        raise BadInput(
            "the landscape names no type of complaint (`dispute_type`); allowed: the name of one of the ERP's"
        )
    kind = only(company.erp, "sale.complaint.type", [["name", "=", clerk.dispute]], ("name",), "dispute_type")
    domain = [["number", "=", payload["invoice_id"]], *out_documents(company)]
    invoice = only(company.erp, "account.invoice", domain, ("number", "party"), "invoice_id")
    origin = f"account.invoice,{invoice['id']}"
    other = company.erp.search("sale.complaint", [["origin", "=", origin], ["state", "in", _STANDING]], _COMPLAINT)
    if other:
        known = other[0]["number"] or other[0]["id"]
        raise BadInput(f"invoice {invoice['number']} is disputed already, in complaint {known}; add to that one")
    return {
        "type": kind["id"],
        "company": company.id,
        "date": day(payload, "opened_on"),
        "customer": invoice["party"],
        "origin": origin,
        "reference": payload["erp_reference"],
        "description": f"{payload['reason']}\n{payload.get('text') or ''}".strip(),
    }
