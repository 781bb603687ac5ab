"""Where receivables stand in the services of SAP and of systems shaped like it: paths, entity sets and fields, as data.

A release, a custom service or an extension differs in names, not in what the lines of a customer account mean: write
another value here, or build one from settings.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Lines of accounting documents. None where a service does not tell.

    item_type         account type of the line; only customers' (D) are read
    debit_credit      S debit, H credit: it alone gives the sign, since services differ in signing the amount
    document_type     DR, DG, DZ and so on, here or in the document's header
    entered, cleared  the days on which the line and its clearing were entered
    changed           change stamp of the line; without one, everything is read every time
    """

    service: str
    entity_set: str
    company: str = "CompanyCode"
    year: str = "FiscalYear"
    document: str = "AccountingDocument"
    item: str = "AccountingDocumentItem"
    item_type: str
    debit_credit: str = "DebitCreditCode"
    customer: str = "Customer"
    posted: str = "PostingDate"
    due: str = "NetDueDate"
    amount: str = "AmountInTransactionCurrency"
    currency: str = "TransactionCurrency"
    clearing: str = "ClearingAccountingDocument"
    clearing_year: str = "ClearingDocFiscalYear"
    clearing_day: str = "ClearingDate"
    cleared: str | None = "ClearingCreationDate"
    reopened: str | None = None
    document_type: str | None = None
    document_day: str | None = None
    entered: str | None = None
    reference: str | None = None
    changed: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The fields of the service that are read."""
        roles = [f.name for f in fields(self) if f.name not in ("service", "entity_set")]
        return tuple(name for role in roles if (name := getattr(self, role)) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """Headers of accounting documents, for a ledger whose lines do not say what document they are in."""

    service: str
    entity_set: str
    company: str = "CompanyCode"
    year: str = "FiscalYear"
    document: str = "AccountingDocument"
    document_type: str = "AccountingDocumentType"
    document_day: str = "DocumentDate"
    entered: str = "CreationDate"
    reference: str = "ReferenceDocument"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Customers. `address` is a navigation to addresses that hold `country`; without one, `country` is a field."""

    service: str
    entity_set: str
    customer: str = "Customer"
    name: str
    segment: str | None = None
    country: str | None = None
    address: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Sales orders."""

    service: str
    entity_set: str
    order: str = "SalesOrder"
    organisation: str = "SalesOrganization"
    customer: str = "SoldToParty"
    day: str = "SalesOrderDate"
    currency: str = "TransactionCurrency"
    net: str = "TotalNetAmount"
    reference: str = "PurchaseOrderByCustomer"
    status: str = "OverallSDProcessStatus"
    rejected: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A system: what it serves and where.

    invoices, credits, payments   document types (customers adapt these; the values are SAP's own)
    """

    name: str
    ledger: Ledger
    parties: Parties
    headers: Headers | None = None
    orders: Orders | None = None
    invoices: tuple[str, ...] = ("DR", "RV")
    credits: tuple[str, ...] = ("DG",)
    payments: tuple[str, ...] = ("DZ",)


S4_V2 = Shape(
    name="sap-s4",
    ledger=Ledger(
        service="/sap/opu/odata/sap/API_OPLACCTGDOCITEMCUBE_SRV",
        entity_set="A_OperationalAcctgDocItemCube",
        item_type="AccountingDocumentItemType",
        reopened="ClearingIsReversed",
    ),
    headers=Headers(service="/sap/opu/odata/sap/API_JOURNALENTRY_SRV", entity_set="A_JournalEntry"),
    parties=Parties(
        service="/sap/opu/odata/sap/API_BUSINESS_PARTNER_SRV",
        entity_set="A_BusinessPartner",
        name="BusinessPartnerFullName",
        segment="Industry",
        country="Country",
        address="to_BusinessPartnerAddress",
        changed="LastChangeDate",
    ),
    orders=Orders(
        service="/sap/opu/odata/sap/API_SALES_ORDER_SRV", entity_set="A_SalesOrder", changed="LastChangeDate"
    ),
)
"""As mock-sap serves it: lines without document type and change stamp, so headers are read beside them."""

LEDGER_SERVICE = Shape(
    name="sap-ledger-service",
    ledger=Ledger(
        service="/sap/opu/odata/sap/ZAR_LEDGER_SRV",
        entity_set="Items",
        item_type="FinancialAccountType",
        document_type="AccountingDocumentType",
        document_day="DocumentDate",
        entered="AccountingDocumentCreationDate",
        reference="DocumentReferenceID",
        changed="LastChangeDateTime",
    ),
    parties=Parties(
        service="/sap/opu/odata/sap/ZAR_LEDGER_SRV",
        entity_set="Customers",
        name="CustomerName",
        segment="Industry",
        country="Country",
        changed="LastChangeDateTime",
    ),
)
"""A custom service over customer lines, as many companies build: all in one entity set, with an exact stamp."""
