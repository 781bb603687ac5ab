"""The books of a new Tryton database: two companies in two currencies, set up through its own API.

DE01 keeps its books in EUR, US01 in USD. Each has a chart of accounts, fiscal years over last year and this one, taxes,
products, terms (one of two instalments), a bank, a write-off reason and a statement journal; US01 a second one in EUR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_rpc import TrytonSession

TERMS = {
    "at once": ((100, 0),),
    "30 days": ((100, 30),),
    "60 days": ((100, 60),),
    "half and half": ((50, 30), (50, 60)),
}
COUNTRIES = {"DE": "Germany", "US": "United States", "FR": "France", "GB": "United Kingdom"}
SEES_ALL = {"company_filter": "all"}  # with "one", Tryton hides what is not of the user's current company, silently
SERVICE_USER = "duecast"
_CHART = "account.account_template_root_en"


@dataclass(frozen=True, slots=True)
class Company:
    """What a company is made from."""

    code: str
    name: str
    country: str
    currency: str
    time_zone: str
    tax_rate: Decimal


COMPANIES = (
    Company("DE01", "Nordlicht Handel GmbH", "DE", "EUR", "Europe/Berlin", Decimal("0.19")),
    Company("US01", "Prairie Supply Inc", "US", "USD", "America/Chicago", Decimal("0.07")),
)
USD_OF_A_EURO = (Decimal("1.10"), Decimal("1.08"), Decimal("1.125"), Decimal("1.0825"))


def set_up(erp: TrytonSession, today: date) -> str:
    """Set up the books for last year and the year of `today`; the key of the integration's user comes back."""
    countries = _countries(erp)
    currencies = _currencies(erp, today)
    made = [_company(erp, company, countries, currencies) for company in COMPANIES]
    admin = erp.one("res.user", [["login", "=", "admin"]])["id"]
    erp.call("res.user", "write", [admin], {"companies": [["add", made]], "company": made[0]} | SEES_ALL)
    erp.refresh()
    _terms(erp)
    for company, number in zip(COMPANIES, made, strict=True):
        _books(erp.within(company=number, companies=[number]), number, company, currencies, today)
    _foreign_bank(erp, made[1], currencies["EUR"])
    _complaint_type(erp)
    _plain_paper(erp)
    return _service_key(erp, made)


def _countries(erp: TrytonSession) -> dict[str, int]:
    made = erp.create("country.country", [{"name": name, "code": code} for code, name in COUNTRIES.items()])
    return dict(zip(COUNTRIES, made, strict=True))


def _currencies(erp: TrytonSession, today: date) -> dict[str, int]:
    """EUR is what rates are counted from, 1; a new rate of the dollar every half year."""
    first = date(today.year - 1, 1, 1)
    days = [date(y, m, 1) for y in (today.year - 1, today.year) for m in (1, 7)]
    dollar = [{"date": day, "rate": rate} for day, rate in zip(days, USD_OF_A_EURO, strict=True)]
    rates = {"EUR": [{"date": first, "rate": Decimal(1)}], "USD": dollar}
    told = [
        {"name": code, "symbol": code, "code": code, "rounding": Decimal("0.01"), "digits": 2, "rates": [["create", r]]}
        for code, r in rates.items()
    ]
    return dict(zip(rates, erp.create("currency.currency", told), strict=True))


def _company(erp: TrytonSession, company: Company, countries: dict[str, int], currencies: dict[str, int]) -> int:
    address = {"city": company.name.split()[0], "country": countries[company.country]}
    party = {"name": company.name, "code": company.code, "addresses": [["create", [address]]]}
    values = {
        "party": erp.create("party.party", [party])[0],
        "currency": currencies[company.currency],
        "timezone": company.time_zone,
    }
    return erp.create("company.company", [values])[0]


def _terms(erp: TrytonSession) -> None:
    erp.create("account.invoice.payment_term", [_term(name, parts) for name, parts in TERMS.items()])


def _term(name: str, parts: Sequence[tuple[int, int]]) -> Json:
    lines: list[Json] = []
    for place, (share, days) in enumerate(parts, start=1):
        last = place == len(parts)
        line: Json = {"type": "remainder"} if last else _share(share)
        lines.append(line | {"sequence": place, "relativedeltas": [["create", [{"days": days}]]]})
    return {"name": name, "lines": [["create", lines]]}


def _share(percent: int) -> Json:
    return {"type": "percent", "ratio": Decimal(percent) / 100, "divisor": Decimal(100) / percent}


def _books(erp: TrytonSession, number: int, company: Company, currencies: dict[str, int], today: date) -> None:
    _chart(erp, number)
    accounts = _accounts(erp, number)
    for year in (today.year - 1, today.year):
        _fiscal_year(erp, number, company.code, year)
    tax = _tax(erp, number, company, accounts)
    _products(erp, accounts, tax)
    _bank(erp, number, currencies[company.currency], accounts)


def _chart(erp: TrytonSession, number: int) -> None:
    template = erp.call("ir.model.data", "get_id", _CHART)
    chart = {"company": number, "account_template": template}
    erp.wizard("account.create_chart", [("account", {}), ("create_account", {"account": chart})])
    accounts = _accounts(erp, number)
    defaults = {"company": number, "account_receivable": accounts["receivable"], "account_payable": accounts["payable"]}
    defaults |= {"category_account_revenue": accounts["revenue"], "category_account_expense": accounts["expense"]}
    steps: list[tuple[str, Json]] = [("account", {}), ("create_properties", {"account": chart, "properties": defaults})]
    erp.wizard("account.create_chart", steps)


def _accounts(erp: TrytonSession, number: int) -> dict[str, int]:
    open_here = [["company", "=", number], ["closed", "!=", True]]
    kinds = ("receivable", "payable", "revenue", "expense")
    found = {kind: erp.one("account.account", [[f"type.{kind}", "=", True], *open_here])["id"] for kind in kinds}
    codes = {"cash": "1.1.1", "tax": "6.3.6"}
    by_code = {
        what: erp.one("account.account", [["code", "=", code], *open_here])["id"] for what, code in codes.items()
    }
    return found | by_code


def _fiscal_year(erp: TrytonSession, number: int, code: str, year: int) -> None:
    def sequence(kind: str, prefix: str) -> int:
        type_ = erp.one("ir.sequence.type", [["name", "=", kind]])["id"]
        values = {"name": f"{code} {prefix}", "sequence_type": type_, "company": number, "prefix": prefix, "padding": 5}
        return erp.create("ir.sequence.strict", [values])[0]

    invoices, credits_ = sequence("Invoice", f"{code}-{year}-"), sequence("Invoice", f"{code}-CN-{year}-")
    used = {
        "company": number,
        "out_invoice_sequence": invoices,
        "in_invoice_sequence": invoices,
        "out_credit_note_sequence": credits_,
        "in_credit_note_sequence": credits_,
    }
    values = {
        "name": str(year),
        "company": number,
        "start_date": date(year, 1, 1),
        "end_date": date(year, 12, 31),
        "move_sequence": sequence("Account Move", f"{year}/"),
        "invoice_sequences": [["create", [used]]],
    }
    made = erp.create("account.fiscalyear", [values])
    erp.call("account.fiscalyear", "create_period", made)


def _tax(erp: TrytonSession, number: int, company: Company, accounts: dict[str, int]) -> int:
    values = {
        "name": f"Tax {company.tax_rate:%}",
        "description": f"Tax {company.tax_rate:%}",
        "company": number,
        "type": "percentage",
        "rate": company.tax_rate,
        "invoice_account": accounts["tax"],
        "credit_note_account": accounts["tax"],
    }
    return erp.create("account.tax", [values])[0]


def _products(erp: TrytonSession, accounts: dict[str, int], tax: int) -> None:
    category = {
        "name": f"Services of {erp.context['company']}",
        "accounting": True,
        "account_revenue": accounts["revenue"],
        "account_expense": accounts["expense"],
        "customer_taxes": [["add", [tax]]],
    }
    values = {
        "name": f"Day of work {erp.context['company']}",
        "type": "service",
        "salable": True,
        "default_uom": erp.one("product.uom", [["name", "=", "Unit"]])["id"],
        "sale_uom": erp.one("product.uom", [["name", "=", "Unit"]])["id"],
        "list_price": Decimal(900),
        "account_category": erp.create("product.category", [category])[0],
        "products": [["create", [{}]]],
    }
    erp.create("product.template", [values])


def _bank(erp: TrytonSession, number: int, currency: int, accounts: dict[str, int]) -> None:
    cash = erp.one("account.journal", [["type", "=", "cash"]])["id"]
    both = {"company": number, "credit_account": accounts["cash"], "debit_account": accounts["cash"]}
    erp.create("account.invoice.payment.method", [{"name": "Bank", "journal": cash, **both}])
    loss = {"credit_account": accounts["revenue"], "debit_account": accounts["expense"]}
    write_off = erp.create("account.journal", [{"name": "Write-off", "code": f"WO{number}", "type": "write-off"}])[0]
    erp.create(
        "account.move.reconcile.write_off", [{"name": "Small rest", "company": number, "journal": write_off, **loss}]
    )
    _statement_journal(erp, number, "Bank", currency, accounts["cash"])
    _exchange_differences(erp, write_off, accounts)


def _exchange_differences(erp: TrytonSession, journal: int, accounts: dict[str, int]) -> None:
    values = {
        "currency_exchange_journal": journal,
        "currency_exchange_credit_account": accounts["revenue"],
        "currency_exchange_debit_account": accounts["expense"],
    }
    found = erp.search("account.configuration", [])
    if found:
        erp.call("account.configuration", "write", [found[0]["id"]], values)
    else:
        erp.create("account.configuration", [values])


def _statement_journal(erp: TrytonSession, number: int, name: str, currency: int, account: int) -> None:
    journal = erp.one("account.journal", [["type", "=", "statement"]])["id"]
    values = {"name": name, "journal": journal, "account": account, "currency": currency, "validation": "balance"}
    erp.create("account.statement.journal", [values | {"company": number}])


def _foreign_bank(erp: TrytonSession, number: int, currency: int) -> None:
    """An account that holds euros."""
    here = erp.within(company=number, companies=[number])
    cash = here.one("account.account", [["code", "=", "1.1.1"], ["company", "=", number]], ["type"])
    euro = {
        "name": "Euro account",
        "code": "1.1.9",
        "company": number,
        "type": cash["type"],
        "second_currency": currency,
    }
    _statement_journal(here, number, "Euro bank", currency, here.create("account.account", [euro])[0])


def _complaint_type(erp: TrytonSession) -> None:
    model = erp.one("ir.model", [["name", "=", "account.invoice"]])["id"]
    erp.create("sale.complaint.type", [{"name": "invoice dispute", "origin": model}])


def _plain_paper(erp: TrytonSession) -> None:
    """Tryton draws a document for each invoice that is posted; a plain one takes a tenth of the time."""
    found = erp.search("ir.action.report", [["report_name", "=", "account.invoice"]])
    plain = {"template_extension": "txt", "extension": "", "report_content_custom": b"Invoice"}
    erp.call("ir.action.report", "write", [row["id"] for row in found], plain)


def _service_key(erp: TrytonSession, companies: list[int]) -> str:
    groups = [group["id"] for group in erp.search("res.group", [["name", "not like", "%Administration%"]])]
    values: dict[str, Any] = {"name": "Duecast", "login": SERVICE_USER, "groups": [["add", groups]]}
    values |= {"companies": [["add", companies]], "company": companies[0]} | SEES_ALL
    user = erp.create("res.user", [values])[0]
    made = erp.create("res.user.application", [{"user": user, "application": "rest"}])
    return str(erp.search("res.user.application", [["id", "=", made[0]]], ["key"])[0]["key"])
