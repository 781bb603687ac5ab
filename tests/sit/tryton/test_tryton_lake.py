"""Tryton into the lake: everything that was booked, to the cent; then what changed; and nothing when nothing did."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from features.lake import Lake
from features.money import from_minor
from features.tables import ALLOCATION, CREDIT_NOTE, CUSTOMER, DISPUTE, ENTITY, INVOICE, ORDER, PAYMENT, Table
from features.totals import lake_totals
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.ingest import ingest_source
from pipelines.landscape import parse_landscape
from pipelines.run_report import RunReport
from pipelines.system_ingest import ingest_system
from pipelines.systems.tryton import Erp
from services.controls import Controls
from services.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TABLES = (ENTITY, CUSTOMER, ORDER, INVOICE, CREDIT_NOTE, PAYMENT, ALLOCATION, DISPUTE)


class Books:
    def __init__(self, root: Path, source: TrytonSource) -> None:
        self.lake, self.store = Lake(root / "lake"), Store(f"sqlite:///{root / 'state.db'}")
        self.source = source

    def ingest(self) -> RunReport:
        return ingest_source(self.source, "erp", self.lake, self.store, now=datetime.now(UTC))

    def standing(self, table: Table) -> pl.DataFrame:
        return self.lake.known(table, datetime.now(UTC) + timedelta(days=1)).collect()


@pytest.fixture
def books(tmp_path: Path, source: TrytonSource) -> Books:
    return Books(tmp_path, source)


def test_everything_lands_and_ties_and_a_second_read_adds_nothing(books: Books, erp: Erp) -> None:
    report = books.ingest()
    assert (report.counts.quarantined, report.unmatched.allocations) == (0, 0)
    for company, told in erp.truth.items():
        invoices = books.standing(INVOICE).filter(pl.col("entity_id") == company)
        amounts = {row["invoice_id"]: from_minor(row["amount_minor"], row["currency"]) for row in invoices.to_dicts()}
        assert amounts == {number: Decimal(invoice["amount"]) for number, invoice in told["invoices"].items()}
    for table in (CUSTOMER, ORDER, INVOICE, CREDIT_NOTE):
        control = Controls(books.store.database).last("erp", books.source.feed(table))
        assert control.ties
        assert control.theirs == lake_totals(books.lake, table, "erp")
    assert books.ingest().counts.landed == 0


def test_what_is_learnt_is_dated_by_when_it_was_booked_not_by_when_it_was_read(books: Books) -> None:
    started = datetime.now(UTC)
    books.ingest()
    for table in (INVOICE, CREDIT_NOTE, ORDER, CUSTOMER):
        assert books.lake.versions(table).collect()["known_at"].max() <= started


def test_no_receivable_is_settled_beyond_its_amount(books: Books) -> None:
    books.ingest()
    owed = books.standing(INVOICE).select("entity_id", "invoice_id", "amount_minor")
    settled = (
        books.standing(ALLOCATION).group_by("entity_id", "invoice_id").agg(pl.col("amount_minor").sum().alias("s"))
    )
    both = settled.join(owed, on=["entity_id", "invoice_id"], how="left")
    assert both["amount_minor"].null_count() == 0
    assert both.filter(pl.col("s") > pl.col("amount_minor")).is_empty()


def test_a_change_in_the_books_is_a_new_version_and_nothing_else_moves(books: Books, clerk: TrytonSession) -> None:
    books.ingest()
    party = clerk.search("party.party", [["code", "!=", None]], ["code"], limit=5)[-1]
    ours = books.standing(CUSTOMER).filter(pl.col("customer_id") == party["code"])
    clerk.call("party.party", "write", [party["id"]], {"name": "Renamed & Sons"})
    report = books.ingest()
    assert report.counts.landed == ours.height
    names = books.standing(CUSTOMER).filter(pl.col("customer_id") == party["code"])["name"]
    assert set(names) == ({"Renamed & Sons"} if ours.height else set())


def test_a_tryton_of_the_landscape(erp: Erp, tmp_path: Path) -> None:
    (tmp_path / "erp.key").write_text(erp.key)
    text = f"systems: {{erp: {{tryton: {{url: '{erp.base_url}', database: {erp.database}, key_file: erp.key}}}}}}"
    landscape = parse_landscape(text, "l.yaml", tmp_path)
    with Store(f"sqlite:///{tmp_path / 's.db'}") as store:
        lake = Lake(tmp_path / "lake")
        report = ingest_system(landscape, "erp", lake, store, clock=lambda: datetime.now(UTC))
    assert report.run.counts.landed > 500
    assert {"DE01", "US01"} == set(lake.versions(INVOICE).collect()["entity_id"])
