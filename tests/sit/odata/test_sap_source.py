"""Receivables out of two systems shaped like SAP, held against what was booked."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from features.errors import SourceRefused, StateError
from features.lake import Lake
from features.tables import ALLOCATION, CREDIT_NOTE, CUSTOMER, ENTITY, INVOICE, ORDER, PAYMENT, Table
from pipelines.connectors.odata_auth import basic
from pipelines.connectors.sap import SapSource
from pipelines.connectors.sap_shapes import LEDGER_SERVICE, S4_V2
from pipelines.ingest import ingest_source
from pipelines.mapping_keys import Books
from pipelines.systems.environments import environment
from pipelines.systems.mock_bank import mock_bank
from pipelines.systems.mock_sap import MockSap
from pipelines.systems.paging_odata import PagingOData
from services.store import Store

pytestmark = pytest.mark.slow

FINSTA = """<FINSTA01><IDOC BEGIN="1">
<EDI_DC40 SEGMENT="1"><IDOCTYP>FINSTA01</IDOCTYP><MESTYP>FINSTA</MESTYP></EDI_DC40>
<E1IDKU1 SEGMENT="1"><BGMREF>00001</BGMREF><E1EDK03 SEGMENT="1"><IDDAT>026</IDDAT><DATUM>20260310</DATUM></E1EDK03>
<E1IDB02 SEGMENT="1"><FIIKONTO>7000063</FIIKONTO><FIIKWAER>EUR</FIIKWAER></E1IDB02>
<E1IDPF1 SEGMENT="1"><LINLINEIT>000001</LINLINEIT><LINACTION>{action}</LINACTION>
<E1EDP02 SEGMENT="1"><QUALF>010</QUALF><BELNR>{reference}</BELNR></E1EDP02>
<E1IDPU5 SEGMENT="1"><MOAQUAL>210</MOAQUAL><MOABETR>{amount}</MOABETR><CUXWAERZ>EUR</CUXWAERZ></E1IDPU5></E1IDPF1>
</E1IDKU1></IDOC></FINSTA01>"""


@pytest.fixture
def ledger(paging: PagingOData, companies: dict[str, Books]) -> Iterator[SapSource]:
    who = basic(paging.user, paging.password)
    with SapSource(paging.url, who, LEDGER_SERVICE, companies, page_size=None) as source:
        yield source


@pytest.fixture
def s4(sap: MockSap) -> Iterator[SapSource]:
    books = Books(name="Seventeen Inc", currency="USD", time_zone="UTC")
    with SapSource(sap.url, basic(sap.user, sap.password), S4_V2, {"1710": books}) as source:
        yield source


def records(source: SapSource, table: Table, now: datetime, cursor: str | None = None) -> list[dict]:
    return [record for batch in source.read(table, cursor, now) for record in batch.records]


def cursor_after(source: SapSource, table: Table, now: datetime, cursor: str | None = None) -> str | None:
    return list(source.read(table, cursor, now))[-1].cursor


def booked(truth: list[dict], *types: str) -> dict[str, list[dict]]:
    """Lines of the file by document."""
    found: dict[str, list[dict]] = defaultdict(list)
    for line in truth:
        if line["AccountingDocumentType"] in types:
            found["{CompanyCode}/{FiscalYear}/{AccountingDocument}".format(**line)].append(line)
    return found


def total(lines: list[dict]) -> Decimal:
    return sum((Decimal(line["AmountInTransactionCurrency"]) for line in lines), Decimal())


def test_every_document_of_the_file_comes_with_its_amount(ledger: SapSource, truth: list[dict], now: datetime) -> None:
    for table, kind, sign in ((INVOICE, "DR", 1), (CREDIT_NOTE, "DG", 1), (PAYMENT, "DZ", -1)):
        expected = {
            number: (lines[0]["Customer"], sign * total(lines)) for number, lines in booked(truth, kind).items()
        }
        told = {r["id"]: (r["customer_id"], Decimal(r["amount"])) for r in records(ledger, table, now)}
        assert told == expected


def test_lines_of_one_invoice_are_its_instalments(ledger: SapSource, truth: list[dict], now: datetime) -> None:
    invoices = {record["id"]: record for record in records(ledger, INVOICE, now)}
    split = {number: lines for number, lines in booked(truth, "DR").items() if len(lines) > 1}
    assert len(split) == 16
    for number, lines in split.items():
        told = [(p["number"], p["due_date"], Decimal(p["amount"])) for p in invoices[number]["instalments"]]
        assert told == [(n, x["NetDueDate"], total([x])) for n, x in enumerate(lines, start=1)]


def test_settlements_cover_exactly_what_is_cleared(ledger: SapSource, truth: list[dict], now: datetime) -> None:
    settled: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    taken: dict[str, Decimal] = defaultdict(Decimal)
    told = records(ledger, ALLOCATION, now)
    for record in told:
        settled[record["invoice_id"], record["instalment"]] += Decimal(record["amount"])
        taken[record["from_id"]] += Decimal(record["amount"])
    invoices = booked(truth, "DR")
    assert settled == {
        (number, n): total([line])
        for number, lines in invoices.items()
        for n, line in enumerate(lines, start=1)
        if line["ClearingAccountingDocument"]
    }
    cleared = {n: x for n, x in booked(truth, "DZ", "DG").items() if x[0]["ClearingAccountingDocument"]}
    assert taken == {number: -total(lines) for number, lines in cleared.items()}
    days = {number: lines[0]["PostingDate"] for number, lines in booked(truth, "DZ").items()}
    assert {r["date"] == days[r["from_id"]] for r in told if r["kind"] == "payment"} == {True}
    assert len({(r["company"], r["id"]) for r in told}) == len(told)


@pytest.mark.parametrize("table", [INVOICE, CREDIT_NOTE, PAYMENT, ALLOCATION], ids=lambda t: t.name)
def test_what_changed_since_comes_whole_and_nothing_else(
    ledger: SapSource, truth: list[dict], now: datetime, table: Table
) -> None:
    everything = {record["id"]: record for record in records(ledger, table, now)}
    stamp = "2025-09-01T01:00:00+00:00"  # less the hour that is read again
    changed = records(ledger, table, now, stamp)
    since = {id: r for id, r in everything.items() if r["changed_at"] >= "2025-09-01T00:00:00+00:00"}
    assert {record["id"]: record for record in changed} == since
    assert 0 < len(since) < len(everything)


def test_the_cursor_is_the_latest_stamp_and_holds_when_nothing_comes(
    ledger: SapSource, truth: list[dict], now: datetime
) -> None:
    latest = max(line["LastChangeDateTime"] for line in truth if line["AccountingDocumentType"] == "DZ")
    assert cursor_after(ledger, PAYMENT, now) == latest.replace("Z", ".000000+00:00")
    assert cursor_after(ledger, PAYMENT, now, "2026-01-01T00:00:00+00:00") == "2026-01-01T00:00:00.000000+00:00"


def test_customers_are_those_of_every_entity(ledger: SapSource, now: datetime) -> None:
    told = {(r["company"], r["id"]): r for r in records(ledger, CUSTOMER, now)}
    assert len(told) == 32
    assert told["1710", "0000100001"] | {"changed_at": ""} == {
        "id": "0000100001",
        "company": "1710",
        "changed_at": "",
        "deleted": False,
        "name": "O'Neill & Söhne",
        "segment": "0100",
        "country": "DE",
    }
    assert [r["currency"] for r in records(ledger, ENTITY, now)] == ["EUR", "USD"]


def test_a_company_that_is_not_named_is_not_read(
    paging: PagingOData, companies: dict[str, Books], truth: list[dict], now: datetime
) -> None:
    who, one = basic(paging.user, paging.password), {"1010": companies["1010"]}
    with SapSource(paging.url, who, LEDGER_SERVICE, one) as source:
        assert {record["company"] for record in records(source, INVOICE, now)} == {"1010"}


def test_orders_and_open_invoices_of_mock_sap(s4: SapSource, sap: MockSap, now: datetime) -> None:
    orders = records(s4, ORDER, now)
    assert len(orders) == 25
    assert orders[0] | {"changed_at": ""} == {
        "id": "0000004712",
        "company": "1710",
        "changed_at": "",
        "deleted": False,
        "customer_id": "1000006",
        "order_date": "2025-08-30",
        "currency": "EUR",
        "amount": "24786.720",
        "status": "open",
        "reference": "PO-50306",
    }
    assert next((r["id"], r["amount"]) for r in records(s4, INVOICE, now)) == ("1710/2025/0100000001", "29496.20")
    assert records(s4, ALLOCATION, now) == []
    assert {r["country"] for r in records(s4, CUSTOMER, now)} >= {"DE"}


def statement(sap: MockSap, **told: str) -> httpx.Response:
    with httpx.Client(base_url=sap.url, auth=(sap.user, sap.password), trust_env=False) as client:
        token = client.get("/sap/opu/odata/sap/API_SALES_ORDER_SRV/", headers={"X-CSRF-Token": "Fetch"})
        headers = {"X-CSRF-Token": token.headers["x-csrf-token"], "Content-Type": "application/xml"}
        return client.post("/sap/bc/idoc", content=FINSTA.format(**told).encode(), headers=headers)


def billing_document(sap: MockSap, amount: str) -> str:
    with httpx.Client(base_url=sap.url, auth=(sap.user, sap.password), trust_env=False) as client:
        path = "/sap/opu/odata/sap/API_BILLING_DOCUMENT_SRV/A_BillingDocument"
        rows = client.get(path, params={"$format": "json"}).json()["d"]["results"]
        return next(r["BillingDocument"] for r in rows if Decimal(r["TotalGrossAmount"]) == Decimal(amount))


def test_money_that_arrives_settles_and_money_that_goes_back_unsettles(
    s4: SapSource, sap: MockSap, now: datetime
) -> None:
    invoice = records(s4, INVOICE, now)[0]
    reference = billing_document(sap, invoice["amount"])
    assert statement(sap, action="RCV", reference=reference, amount=invoice["amount"]).status_code == 201
    (settled,) = records(s4, ALLOCATION, now)
    (paid,) = records(s4, PAYMENT, now)
    assert (settled["invoice_id"], settled["from_id"], settled["date"], settled["amount"]) == (
        invoice["id"],
        paid["id"],
        "2026-03-10",
        invoice["amount"],
    )
    assert statement(sap, action="RET", reference=reference, amount=f"{invoice['amount']}-").status_code == 201
    assert {(r["id"], r["deleted"]) for r in records(s4, ALLOCATION, now)} >= {(settled["id"], True)}
    assert sorted(r["amount"] for r in records(s4, PAYMENT, now)) == [f"-{invoice['amount']}", invoice["amount"]]


def landed(source: SapSource, lake: Lake, store: Store, now: datetime) -> dict[str, tuple[int, int, int]]:
    """Per table: landed, duplicates, set aside."""
    feeds = ingest_source(source, "sap", lake, store, now=now).feeds
    return {f.table: (f.counts.landed, f.counts.duplicates, f.counts.quarantined) for f in feeds}


def test_everything_lands_once_and_nothing_is_set_aside(ledger: SapSource, tmp_path: Path, now: datetime) -> None:
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    assert landed(ledger, lake, store, now) == {
        "entity": (2, 0, 0),
        "customer": (32, 0, 0),
        "invoice": (190, 0, 0),
        "credit_note": (14, 0, 0),
        "payment": (104, 0, 0),
        "allocation": (163, 0, 0),
    }
    again = landed(ledger, lake, store, now + timedelta(days=1))
    assert {(new, aside) for new, _, aside in again.values()} == {(0, 0)}
    assert 0 < sum(repeated for _, repeated, _ in again.values()) < 20  # the hour that is read again


def test_a_returned_payment_is_taken_back_in_the_lake(
    s4: SapSource, sap: MockSap, tmp_path: Path, now: datetime
) -> None:
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    invoice = records(s4, INVOICE, now)[0]
    reference = billing_document(sap, invoice["amount"])
    statement(sap, action="RCV", reference=reference, amount=invoice["amount"])
    later = datetime(2026, 3, 11, tzinfo=UTC)
    assert landed(s4, lake, store, later)["allocation"] == (1, 0, 0)
    statement(sap, action="RET", reference=reference, amount=f"{invoice['amount']}-")
    assert landed(s4, lake, store, later + timedelta(days=1))["allocation"][2] == 0
    latest = lake.versions(ALLOCATION).sort("known_at").unique("allocation_id", keep="last").collect()
    assert latest["deleted"].all()


def test_an_environment_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "requirements.txt"
    wrong.write_text("no requirement at all\n")
    with pytest.raises(StateError, match=r"the installation of wrong failed with code \d+ .* ends with: .*requirement"):
        environment(tmp_path / "cache", "wrong", wrong)


def test_wrong_credentials_are_refused(paging: PagingOData, companies: dict[str, Books], now: datetime) -> None:
    with (
        SapSource(paging.url, basic(paging.user, "wrong"), LEDGER_SERVICE, companies) as source,
        pytest.raises(SourceRefused, match="401"),
    ):
        records(source, INVOICE, now)


def test_the_bank_answers(cache: Path) -> None:
    with mock_bank(cache) as url:
        assert httpx.get(f"{url}/_mock/health", trust_env=False).json()["status"] == "ok"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
