"""The whole way of an order: won in somebody else's CRM, booked and invoiced in a real ERP, linked in the lake."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from features.errors import StateError
from features.lake import Lake
from features.tables import ORDER
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.deliveries import deliver
from pipelines.landscape import Landscape, parse_landscape
from pipelines.order_sync import order_links
from pipelines.system_ingest import ingest_system
from pipelines.systems.backlot import Backlot, backlot
from pipelines.systems.backlot_corpus import company, deal, line
from pipelines.systems.tryton import Erp
from services.calls import Calls
from services.outbox import Fate, Outbox
from services.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SKU = "CRM-WORK"


@pytest.fixture(scope="module")
def customer(client: Tryton, clerk: TrytonSession) -> str:
    """A customer of the ERP; the German company's product gets the code that the CRM knows."""
    german = clerk.search("company.company", [["party.code", "=", "DE01"]], ["id"])[0]["id"]
    (product,) = clerk.search("product.product", [["template.name", "=", f"Day of work {german}"]], ["id"])
    clerk.call("product.product", "write", [product["id"]], {"suffix_code": SKU})
    (party,) = client.search("party.party", [["code", "like", "DE01-%"]], ("code",), limit=1)
    return str(party["code"])


@pytest.fixture(scope="module")
def portal(systems_cache: Path, customer: str) -> Iterator[Backlot]:
    """Three deals that are in order, one whose sum is not, one of somebody whom the ERP does not know."""
    records = [company("1", "Known GmbH", "DE", customer), company("2", "Unknown GmbH", "DE", "nobody")]
    for number in range(3):
        lines = [line(f"9{number}7", hs_sku=SKU, price=f"{100 + number}.00", quantity="2", hs_tax_rate="19")]
        records += deal(f"10{number}", number, "1", lines, f"{200 + 2 * number}.00")
    records += deal("200", 4, "1", [line("2007", hs_sku=SKU, hs_tax_rate="19")], "11.00")
    records += deal("300", 5, "2", [line("3007", hs_sku=SKU, hs_tax_rate="19")], "10.00")
    running = backlot(systems_cache, records)
    try:
        told = running.__enter__()
    except StateError as error:
        pytest.skip(f"backlot cannot be installed here: {error}")
    yield told
    running.__exit__(None, None, None)


@pytest.fixture
def landscape(portal: Backlot, erp: Erp, tmp_path: Path) -> Landscape:
    (tmp_path / "crm.token").write_text(portal.token)
    (tmp_path / "erp.key").write_text(erp.key)
    text = f"""
systems:
  crm:
    hubspot:
      url: {portal.url}
      token_file: crm.token
      erp: erp
      deals:
        entities: {{default: DE01}}
        currency: EUR
        customer_property: duecast_customer_id
  erp:
    tryton: {{url: '{erp.base_url}', database: {erp.database}, key_file: erp.key, payment_term: 30 days}}
"""
    return parse_landscape(text, "landscape.yaml", tmp_path)


def test_from_a_won_deal_to_a_posted_invoice(landscape: Landscape, client: Tryton, tmp_path: Path) -> None:
    lake, now = Lake(tmp_path / "lake"), datetime.now(UTC)
    with Store(f"sqlite:///{tmp_path / 'state.db'}") as store:
        # seconds, not hours: an invoice is dated by this clock, and the ERP refuses one that its own calls tomorrow
        def ingest(name: str, seconds: int = 0) -> int:
            clock = lambda: now + timedelta(seconds=seconds)  # noqa: E731
            return ingest_system(landscape, name, lake, store, clock=clock).run.counts.landed

        def dispatch(seconds: int) -> dict[Fate, int]:
            done = deliver(landscape, store, clock=lambda: now + timedelta(seconds=seconds), rng=Random(1))
            assert done.passed_over == ()
            return dict(done.fates)

        ingest("erp")
        assert ingest("crm") == 4, store.quarantined().select("field", "value", "allowed").rows()
        assert store.quarantined(table="order")["field"].to_list() == ["net"]
        assert dispatch(1) == {Fate.DELIVERED: 6, Fate.DEAD: 1}
        (dead,) = Outbox(store.database).messages(status=Fate.DEAD)
        assert "customer_id is 'nobody'" in str(dead.error)

        assert ingest("crm", 2) == 0
        assert dispatch(3) == {}
        ingest("erp", 4)
        links = order_links(lake, now + timedelta(days=1))
        assert links["order_id"].to_list() == ["hubspot-100", "hubspot-101", "hubspot-102"]
        fields = ("number", "total_amount", "state")
        posted = client.search("account.invoice", [["number", "in", links["invoice_id"].to_list()]], fields)
        assert {i["state"] for i in posted} == {"posted"}
        assert sorted(i["total_amount"] for i in posted) == [Decimal("238.00"), Decimal("240.38"), Decimal("242.76")]
        orders = lake.known(ORDER, now + timedelta(days=1)).collect()
        assert orders.filter(source="crm").height == 4
        assert orders.filter(source="erp", status="billed").height >= 3
        assert {t.system for t in Calls(store.database).response_times(since=now)} == {"crm", "erp"}
