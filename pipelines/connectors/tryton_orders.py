"""Orders in Tryton: a sale, processed, and its invoice, posted. Nothing is posted whose totals are not the order's."""

from features.errors import BadInput, NotYet
from pipelines.connectors.tryton_clerk import Clerk, day, decimal, only
from pipelines.connectors.tryton_companies import Company, customer_id
from pipelines.connectors.tryton_json import Json

_SALE = ("number", "state", "party.code", "currency.code", "untaxed_amount", "tax_amount", "total_amount", "lines.id")
_INVOICE = ("number", "state", "party.code", "currency.code", "untaxed_amount", "tax_amount", "total_amount")
_BUTTONS = {"draft": "quote", "quotation": "confirm", "confirmed": "process"}
_SOLD = ("processing", "done")
_POSTED = ("posted", "paid")


def book_sale(company: Company, payload: Json, clerk: Clerk) -> Json:
    """The sale of an order, processed, so that its invoice is there as a draft."""
    sale = _sale_of(company, payload["erp_reference"])
    if sale is None:
        values = _sale(company, payload, clerk)
        made = company.erp.create("sale.sale", values)
        sale = company.erp.read("sale.sale", made["id"], _SALE)
    elif sale["state"] == "draft":  # an earlier attempt, maybe of what a person has corrected since
        old = [["delete", [line["id"] for line in sale["lines"]]]]
        values = _sale(company, payload, clerk)
        company.erp.write("sale.sale", sale["id"], values | {"lines": old + values["lines"]})
        sale = company.erp.read("sale.sale", sale["id"], _SALE)
    what = f"sale of order {payload['order_id']}"
    _require_customer(what, sale, payload)
    _require_totals(what, sale, payload)
    while sale["state"] not in _SOLD:
        if sale["state"] not in _BUTTONS:
            raise BadInput(f"sale {sale['number']} is {sale['state']} in the ERP; allowed: a sale that stands")
        company.erp.act("sale.sale", sale["id"], _BUTTONS[sale["state"]])
        sale = company.erp.read("sale.sale", sale["id"], _SALE)
    return {"sale": sale["number"], "total": str(sale["total_amount"])}


def post_invoice(company: Company, payload: Json, clerk: Clerk) -> Json:
    """The invoice of an order's sale, posted; `NotYet` while the ERP has not made it."""
    sale = _sale_of(company, payload["erp_reference"])
    if sale is None or sale["state"] not in _SOLD:
        raise BadInput(f"order {payload['order_id']} has no sale that was processed; book it first")
    invoices = company.erp.search("account.invoice", [["sales", "=", sale["id"]]], _INVOICE)
    if not invoices:
        raise NotYet(f"sale {sale['number']} has no invoice yet; the ERP makes it in its own time")
    if len(invoices) > 1:
        raise BadInput(f"sale {sale['number']} has {len(invoices)} invoices; allowed: one, a person must see to it")
    invoice = invoices[0]
    what = f"invoice of order {payload['order_id']}"
    _require_customer(what, invoice, payload)
    _require_totals(what, invoice, payload)
    if invoice["state"] not in _POSTED:
        company.erp.write("account.invoice", invoice["id"], {"invoice_date": clerk.today(company)})
        company.erp.act("account.invoice", invoice["id"], "post")
        invoice = company.erp.read("account.invoice", invoice["id"], _INVOICE)
    return {"invoice": invoice["number"], "sale": sale["number"], "total": str(invoice["total_amount"])}


def _sale(company: Company, payload: Json, clerk: Clerk) -> Json:
    party = _party(company, payload["customer_id"])
    currency = only(company.erp, "currency.currency", [["code", "=", payload["currency"]]], ("code",), "currency")
    return {
        "company": company.id,
        "party": party["id"],
        "invoice_address": party["addresses"][0]["id"],
        "shipment_address": party["addresses"][0]["id"],
        "currency": currency["id"],
        "payment_term": _payment_term(company, party, clerk),
        "invoice_method": "order",
        "reference": payload["erp_reference"],
        "description": payload.get("reference"),
        "sale_date": day(payload, "order_date"),
        "lines": [["create", [_line(company, line) for line in payload["lines"]]]],
    }


def _party(company: Company, code: str) -> Json:
    fields = ("code", "addresses.id", "customer_payment_term.name")
    party = only(company.erp, "party.party", [["code", "=", code]], fields, "customer_id")
    if not party["addresses"]:
        raise BadInput(f"customer {code} has no address in the ERP; allowed: a customer that can be invoiced")
    return party


def _payment_term(company: Company, party: Json, clerk: Clerk) -> int:
    own = party.get("customer_payment_term")
    if own:
        return int(own["id"])
    if clerk.terms is None:
        raise BadInput("the customer has no payment term, and neither has the landscape (`payment_term`)")
    found = only(company.erp, "account.invoice.payment_term", [["name", "=", clerk.terms]], ("name",), "terms")
    return int(found["id"])


def _sale_of(company: Company, reference: str) -> Json | None:
    """The sale of an order; `BadInput` where there are several: which one counts nobody but a person can say."""
    domain = [["company", "=", company.id], ["reference", "=", reference], ["state", "!=", "cancelled"]]
    found = company.erp.search("sale.sale", domain, _SALE)
    if len(found) > 1:
        numbers = ", ".join(str(sale["number"] or sale["id"]) for sale in found)
        raise BadInput(f"order {reference} has {len(found)} sales in the ERP ({numbers}); cancel all but one")
    return found[0] if found else None


def _line(company: Company, line: Json) -> Json:
    fields = (
        "code",
        "template.salable",
        "template.sale_uom",
        "template.default_uom",
        "template.account_category.customer_taxes.id",
    )
    domain = [["code", "=", line["sku"]]]
    product = only(company.erp, "product.product", domain, fields, "sku")
    template = product["template"]
    return {
        "product": product["id"],
        "quantity": float(decimal(line, "quantity")),
        "unit": template["sale_uom"] or template["default_uom"],
        "unit_price": decimal(line, "unit_price"),
        "taxes": [["add", [tax["id"] for tax in (template["account_category"] or {}).get("customer_taxes", [])]]],
    }


def _require_customer(what: str, document: Json, payload: Json) -> None:
    told = customer_id(document["party"])
    if told != payload["customer_id"]:
        ordered = f"customer {payload['customer_id']} ordered"
        raise BadInput(
            f"{what}: {ordered}, it is of {told} in the ERP; nothing was posted: cancel it there, then replay"
        )


def _require_totals(what: str, document: Json, payload: Json) -> None:
    """`BadInput` naming every total that is not the order's."""
    pairs = (("net", "untaxed_amount"), ("tax", "tax_amount"), ("total", "total_amount"))
    differ = [
        f"{name}: {decimal(payload, name)} ordered, {document[field]} in the ERP"
        for name, field in pairs
        if payload.get(name) is not None and decimal(payload, name) != document[field]
    ]
    if document["currency"]["code"] != payload["currency"]:
        differ.append(f"currency: {payload['currency']} ordered, {document['currency']['code']} in the ERP")
    if differ:
        raise BadInput(f"{what}: {'; '.join(differ)}; nothing was posted: correct the order or the ERP, then replay")
