"""The system under test: read through a proxy that sees every page, landed in a lake that is thrown away."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import msgspec

from features.errors import DuecastError
from features.lake import Lake
from features.tables import FX_RATE, Table
from pipelines.connections import Manner, source_of
from pipelines.connectors.source import Json, Source
from pipelines.connectors.web import Call, Limits, Retries
from pipelines.ingest import ingest_source
from pipelines.landscape import Landscape, System, kind_of
from pipelines.run_report import RunReport
from pipelines.sit.faults import Fault
from pipelines.sit.proxy import FaultProxy, fault_proxy
from pipelines.sit.trace import Exchange
from services.store import Store

SAMPLE = 500
OTHER_PAGE_SIZE = 37  # no divisor or multiple of a usual one, so that pages end elsewhere
EXAMINED = ("rest", "tryton", "odata", "bank")
_URLS = {"rest": "url", "tryton": "url", "odata": "url", "bank": "mailbox"}

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How patiently a system under test is asked: less than in production, where nobody waits for a verdict.

    refusals  how many requests are refused by us to see whether that is waited out; a second each
    """

    retries: Retries = field(default_factory=lambda: Retries(attempts=3, wait_max=2.0))
    limits: Limits = field(default_factory=lambda: Limits(timeout_seconds=10.0))
    refusals: int = 2


@dataclass(frozen=True, slots=True)
class Version:
    """A record as it stood: when it was changed, and a digest of what it says."""

    changed_at: str
    digest: str


@dataclass
class Reading:
    """One read of some tables to their ends.

    latest   by table and (company, id): the version that stands
    samples  by table: the first records
    cursors  by table: the last cursor
    currencies, companies  how many records there are, by (company, currency) and by company
    rates    (company, currency) that the source has rates of
    """

    latest: dict[str, dict[Key, Version]] = field(default_factory=dict)
    samples: dict[str, list[Json]] = field(default_factory=dict)
    cursors: dict[str, str | None] = field(default_factory=dict)
    currencies: dict[Key, int] = field(default_factory=dict)
    companies: dict[str, int] = field(default_factory=dict)
    rates: set[Key] = field(default_factory=set)

    @property
    def records(self) -> int:
        """How many records stand in all."""
        return sum(map(len, self.latest.values()))

    def add(self, table: Table, records: list[Json]) -> None:
        """Take in more records of a table; of versions of one record the last changed stands."""
        held = self.latest.setdefault(table.name, {})
        sample = self.samples.setdefault(table.name, [])
        sample += records[: SAMPLE - len(sample)]
        for record in records:
            key, version = (str(record.get("company")), str(record.get("id"))), version_of(record)
            if key not in held or held[key].changed_at <= version.changed_at:
                held[key] = version
            self._count(table, record)

    def _count(self, table: Table, record: Json) -> None:
        company, currency = str(record.get("company")), record.get("currency")
        self.companies[company] = self.companies.get(company, 0) + 1
        if table is FX_RATE:
            self.rates.add((company, str(currency)))
        elif isinstance(currency, str):
            self.currencies[company, currency] = self.currencies.get((company, currency), 0) + 1


@dataclass(frozen=True)
class Landing:
    """A dry run: the lake and the store, the report, or the error that ended it."""

    lake: Lake
    store: Store
    report: RunReport | None
    error: str | None


def version_of(record: Json) -> Version:
    """A record's version; the content is what it says but for when it was known."""
    said = {name: value for name, value in record.items() if name not in ("changed_at", "known_at")}
    digest = hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest()
    return Version(str(record.get("changed_at")), digest)


class Subject:
    """The system `name` of `landscape`. Production state is never touched: what lands, lands in `folder`.

    now    when it is examined
    write  whether the test company may be written to
    secret with which its webhooks are signed, if it sends any
    """

    def __init__(
        self,
        landscape: Landscape,
        name: str,
        folder: Path,
        proxy: FaultProxy | None,
        *,
        now: datetime,
        write: bool = False,
        secret: bytes | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.name, self.folder, self.proxy = name, folder, proxy
        self.now, self.write, self.patience = now, write, patience or Patience()
        self.system = landscape.system(name)
        self.kind = kind_of(self.system)
        self.secret = secret
        self.calls: list[Call] = []
        self.kept: dict[str, object] = {}
        self.times: list[tuple[httpx.Headers, datetime]] = []
        url = None if proxy is None else proxy.url
        self.landscape = landscape if url is None else landscape.with_system(name, moved(self.system, url))

    @property
    def url(self) -> str | None:
        """The system's own address; None where it is a folder or an SSH server."""
        return url_of(self.system)

    def manner(self, page_size: int | None = None) -> Manner:
        """How it is asked."""
        return Manner(page_size, self.patience.retries, self.patience.limits)

    @contextmanager
    def source(self, page_size: int | None = None) -> Iterator[Source]:
        """The system as a source of records, its calls remembered."""
        with source_of(self.landscape, self.name, self.calls.append, self.manner(page_size)) as source:
            yield source

    def read(self, page_size: int | None = None) -> tuple[Reading, list[Exchange]]:
        """Everything it has, and what went over the wire."""
        self.seen()
        reading = Reading()
        with self.source(page_size) as source:
            for table in source.tables():
                reading.latest[table.name] = {}
                for batch in source.read(table, None, self.now):
                    reading.add(table, batch.records)
                    reading.cursors[table.name] = batch.cursor or reading.cursors.get(table.name)
        return reading, self.seen()

    @cached_property
    def full(self) -> tuple[Reading, list[Exchange]]:
        """The first full read."""
        return self.read()

    @cached_property
    def otherwise(self) -> tuple[Reading, list[Exchange]]:
        """A full read by pages of another size."""
        return self.read(OTHER_PAGE_SIZE)

    @cached_property
    def landing(self) -> Landing:
        """The dry run."""
        lake, store = Lake(self.folder / "lake"), Store(f"sqlite:///{self.folder / 'state.db'}")
        try:
            with self.source() as source:
                report = ingest_source(source, self.name, lake, store, now=self.now)
        except DuecastError as error:
            return Landing(lake, store, None, str(error))
        return Landing(lake, store, report, None)

    def close(self) -> None:
        """Close what the dry run opened."""
        if "landing" in vars(self):
            self.landing.store.close()

    def seen(self) -> list[Exchange]:
        """What went over the wire since this was last asked."""
        seen = [] if self.proxy is None else self.proxy.trace.emptied()
        self.times += [(exchange.headers, exchange.at) for exchange in seen]
        return seen

    @contextmanager
    def spoilt(self, fault: Fault) -> Iterator[None]:
        """While a fault of our own is injected on the way."""
        assert self.proxy is not None
        self.proxy.injected, self.proxy.fault = 0, fault
        try:
            yield
        finally:
            self.proxy.fault = None


@contextmanager
def subject_of(
    landscape: Landscape,
    name: str,
    *,
    now: datetime,
    write: bool = False,
    secret: bytes | None = None,
    patience: Patience | None = None,
) -> Iterator[Subject]:
    """The system as a subject, with a proxy in front where it is asked over HTTP."""
    url = url_of(landscape.system(name))
    with TemporaryDirectory(prefix="duecast-sit-") as folder, ExitStack() as stack:
        proxy = None if url is None else stack.enter_context(fault_proxy(url))
        subject = Subject(landscape, name, Path(folder), proxy, now=now, write=write, secret=secret, patience=patience)
        stack.callback(subject.close)
        yield subject


def url_of(system: System) -> str | None:
    """The address that the system is asked at; None where it has none."""
    kind = kind_of(system)
    told: str | None = getattr(getattr(system, kind), _URLS[kind])
    return told


def moved(system: System, url: str) -> System:
    """The same system, at another address."""
    kind = kind_of(system)
    return changed(system, **{_URLS[kind]: url})


def changed(system: System, **told: Any) -> System:
    """The same system, whose connection is told other values."""
    kind = kind_of(system)
    return msgspec.structs.replace(system, **{kind: msgspec.structs.replace(getattr(system, kind), **told)})
