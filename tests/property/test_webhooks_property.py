"""Whatever the network does to deliveries, the lake ends as if the source had been polled."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.lake import Lake
from features.tables import CUSTOMER, ENTITY, PAYMENT, Table
from features.totals import Totals
from pipelines.connectors.source import Batch, section_of
from pipelines.hook_feeds import land_webhooks
from pipelines.ingest import ingest_source
from pipelines.mapping_keys import Section
from services.store import Store
from services.webhooks import Inbox, Kept

START = datetime(2024, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=2)
ENTITIES = [
    {"id": name, "company": name, "changed_at": START.isoformat(), "name": name, "currency": "EUR", "time_zone": "UTC"}
    for name in ("UK", "DE")
]
SAID = {
    CUSTOMER: [{"name": "Acorn", "credit_limit": "10"}, {"name": "Birch"}],
    PAYMENT: [
        {"customer_id": "1", "value_date": "2024-02-01", "amount": amount, "currency": "EUR"} for amount in ("5", "7")
    ],
}
Record = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """One delivery."""

    table: Table
    records: tuple[Record, ...]

    @property
    def body(self) -> str:
        return json.dumps({"table": self.table.name, "records": self.records})


class Polled:
    """A source that serves all versions, in the order in which it made them."""

    def __init__(self, records: dict[Table, list[Record]]) -> None:
        self._records = records

    def tables(self) -> tuple[Table, ...]:
        return ENTITY, CUSTOMER, PAYMENT

    def feed(self, table: Table) -> str:
        return f"poll {table.name}"

    def section(self, table: Table) -> Section:
        return section_of(table)

    def read(self, table: Table, cursor: str | None, now: datetime) -> Iterator[Batch]:
        yield Batch(sorted(self._records[table], key=lambda r: r["changed_at"]))

    def totals(self, table: Table) -> Totals | None:
        return None


def stamp(ticks: int) -> str:
    """Four ticks to a millisecond: versions may follow each other faster than the lake can tell."""
    return (START + timedelta(microseconds=250 * ticks)).isoformat(timespec="microseconds")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Table, Record]]:
    """Versions of two records of a table; a record says one thing at one time, often the same as before."""
    made = []
    table = draw(st.sampled_from(list(SAID)))
    for key, company in (("1", "UK"), draw(st.sampled_from([("1", "DE"), ("2", "UK")]))):
        for ticks in draw(st.lists(st.integers(0, 24), min_size=1, max_size=6, unique=True)):
            said = draw(st.sampled_from(SAID[table]))
            deleted = draw(st.sampled_from([False, False, False, True]))
            made.append((table, {"id": key, "company": company, "changed_at": stamp(ticks), "deleted": deleted} | said))
    return made


@st.composite
def journeys(draw: st.DrawFn) -> tuple[list[tuple[Table, Record]], list[tuple[int, Sent]], list[int]]:
    """A history, its deliveries as they arrive (shuffled, some twice, some records in two), when they are landed."""
    history = draw(histories())
    sent = [Sent(ENTITY, (entity,)) for entity in ENTITIES]
    records = draw(st.permutations([record for _, record in history]))
    while records:
        size = draw(st.integers(1, 3))
        sent.append(Sent(history[0][0], tuple(records[:size])))
        records = records[draw(st.integers(1, size)) :]
    numbered = list(enumerate(sent))
    arrivals = draw(st.permutations(numbered + draw(st.lists(st.sampled_from(numbered), max_size=4))))
    landings = draw(st.lists(st.integers(0, len(arrivals)), min_size=1, max_size=4))
    return history, arrivals, landings


def states(lake: Lake, table: Table) -> list[list[dict[str, Any]]]:
    """What was known at every instant at which it may have changed."""
    versions = lake.versions(table).collect()
    instants = [START + timedelta(milliseconds=n) for n in range(9)] + [NOW + timedelta(days=1)]
    found = []
    for at in instants:
        latest = versions.filter(pl.col("known_at") < at).unique(table.key, keep="last", maintain_order=True)
        found.append(latest.filter(~pl.col("deleted")).drop("known_at").sort(*table.key).to_dicts())
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(journeys())
def test_any_order_and_repetition_of_deliveries_ends_as_a_poll_does(journey) -> None:
    history, arrivals, landings = journey
    with tempfile.TemporaryDirectory() as folder:
        polled, hooked = Lake(f"{folder}/polled"), Lake(f"{folder}/hooked")
        with Store(f"sqlite:///{folder}/polled.db") as store:
            records = {ENTITY: ENTITIES} | {t: [r for of, r in history if of is t] for t in SAID}
            report = ingest_source(Polled(records), "erp", polled, store, now=NOW)
            assert report.counts.quarantined == 0
        with Store(f"sqlite:///{folder}/hooked.db") as store:
            inbox, seen = Inbox(store.database), set()
            for place, (number, sent) in enumerate(arrivals):
                kept = inbox.keep("erp", f"d{number}", sent.body, sent_at=NOW, now=NOW)
                assert kept is (Kept.KNOWN if number in seen else Kept.NEW)
                seen.add(number)
                if place in landings:
                    land_webhooks(store, hooked, "erp", NOW)
            land_webhooks(store, hooked, "erp", NOW)
            assert inbox.waiting("erp") == []
            assert store.quarantined().is_empty()
        for table in SAID:
            assert states(hooked, table) == states(polled, table)
