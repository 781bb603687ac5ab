"""However wild a ledger is, an ingest accounts for every row, and the same ledger again adds nothing."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.lake import Lake
from features.tables import INVOICE, PAYMENT
from pipelines.ingest import ingest_files
from pipelines.mapping import parse
from services.store import Store

MAPPING = """\
source: wild
entities:
  UK: {name: Acme Ltd, currency: GBP, time_zone: Europe/London}
  JP: {name: Acme KK, currency: JPY, time_zone: Asia/Tokyo}
entity: {column: company}
files:
  - path: ar.csv
    dates: ["%Y-%m-%d", "%d.%m.%Y"]
    tables:
      - table: customer
        known_at: {start_of: issued}
        repeats: last
        fields: {customer_id: customer, name: {column: name, parser: name}}
      - table: invoice
        fields: {invoice_id: id, customer_id: customer, issue_date: issued, due_date: due, amount: amount,
                 currency: currency}
      - table: payment
        when: {column: paid, present: true}
        fields: {payment_id: id, customer_id: customer, value_date: paid, amount: amount, currency: currency}
      - table: allocation
        when: {column: paid, present: true}
        fields: {from_id: id, invoice_id: id, date: paid, amount: amount, currency: currency}
      - table: customer_attribute
        fields: {customer_id: customer, day: issued}
        attributes: {size: amount, weight: name}
"""
COLUMNS = ("company", "id", "customer", "name", "issued", "due", "amount", "currency", "paid")
POOLS = {
    "company": ["UK", "UK", "JP", "", "FR"],
    "id": ["1", "2", "3", "4", "", " 1 "],
    "customer": ["C1", "C2", ""],
    "name": ["Acorn", "Acorn  Ltd", "12", ""],
    "issued": ["2024-01-10", "10.01.2024", "2024-01-11", "2024-02-30", ""],
    "due": ["2024-02-10", "2024-01-10", "2023-12-31", "later", ""],
    "amount": ["100", "99.90", "-5.00", "1.005", "N/A", "x", ""],
    "currency": ["GBP", "GBP", "JPY", "POUND", ""],
    "paid": ["2024-02-01", "2024-01-01", "soon", "", ""],
}
ROWS = st.lists(st.tuples(*(st.sampled_from(POOLS[c]) for c in COLUMNS)), min_size=1, max_size=25)
ENDS = st.sampled_from(["", ",", ",,"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, ENDS)
def test_every_row_is_accounted_for(rows: list[tuple[str, ...]], end: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data, state = Path(folder) / "data", Path(folder) / "state"
        data.mkdir()
        lines = [",".join(COLUMNS), ",".join(rows[0]) + end, *(",".join(row) for row in rows[1:])]
        (data / "ar.csv").write_text("\n".join([*lines, "UK,last,C1,Acorn,2024-01-10,2024-02-10,1,GBP,2024-01-10"]))
        lake = Lake(state / "lake")
        now = datetime(2024, 6, 1, tzinfo=UTC)
        with Store(f"sqlite:///{state / 'store.db'}") as store:
            first = ingest_files(data, parse(MAPPING, "m"), lake, store, now=now)
            again = ingest_files(data, parse(MAPPING, "m"), lake, store, now=now + timedelta(days=1))
            told = store.quarantined(run_id=again.run_id)
        assert all(feed.counts.tie for feed in first.feeds)
        assert again.counts.landed == 0
        assert (again.counts.read, again.counts.quarantined) == (first.counts.read, first.counts.quarantined)
        assert (told.height > 0) == (first.counts.quarantined > 0)
        landed = {t.name: set(lake.versions(t).collect()["source_id"]) for t in (INVOICE, PAYMENT)}
        assert "last" in landed["invoice"]
        assert landed["payment"] <= landed["invoice"], "a payment landed without the invoice of its line"
