"""Two OData servers that others wrote, and the ledger that one of them serves, read from its files."""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from features.errors import StateError
from pipelines.connectors.odata import ODataService
from pipelines.connectors.odata_auth import basic
from pipelines.mapping_keys import Books
from pipelines.systems.mock_sap import MockSap, mock_sap
from pipelines.systems.paging_odata import FOLDER, PATH, PagingOData, paging_odata

CACHE = Path(__file__).parents[3] / ".duecast" / "systems"
S = TypeVar("S")
NOW = datetime(2026, 3, 3, tzinfo=UTC)


def started(system: AbstractContextManager[S]) -> Iterator[S]:
    """The system while it runs; a skip where it cannot be installed."""
    try:
        running = system.__enter__()
    except StateError as error:
        if "the installation of" not in str(error):
            raise
        pytest.skip(f"cannot be installed here: {error}")
    try:
        yield running
    finally:
        system.__exit__(None, None, None)


@pytest.fixture
def sap() -> Iterator[MockSap]:
    """A fresh mock-sap: what a test writes is its own."""
    yield from started(mock_sap(CACHE))


@pytest.fixture
def sap_with_oauth() -> Iterator[MockSap]:
    yield from started(mock_sap(CACHE, oauth=True))


@pytest.fixture(scope="module")
def paging() -> Iterator[PagingOData]:
    """A service that pages by 50 rows, fresh for each module."""
    yield from started(paging_odata(CACHE))


@pytest.fixture
def cache() -> Path:
    return CACHE


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def sap_service(sap: MockSap) -> Iterator[Callable[..., ODataService]]:
    """Opens a service of mock-sap by its path."""
    opened: list[ODataService] = []

    def service(path: str, page_size: int = 7) -> ODataService:
        opened.append(ODataService(sap.url, path, basic(sap.user, sap.password), page_size=page_size))
        return opened[-1]

    yield service
    for one in opened:
        one.close()


@pytest.fixture
def ledger_service(paging: PagingOData) -> Iterator[ODataService]:
    """The service that cuts the pages itself."""
    with ODataService(paging.url, PATH, basic(paging.user, paging.password), page_size=None) as service:
        yield service


@pytest.fixture(scope="session")
def truth() -> list[dict[str, str]]:
    """The lines as the file has them."""
    with open(FOLDER / "items.csv", encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


@pytest.fixture
def companies() -> dict[str, Books]:
    return {
        "1010": Books(name="Ten GmbH", currency="EUR", time_zone="Europe/Berlin", country="DE"),
        "1710": Books(name="Seventeen Inc", currency="USD", time_zone="America/New_York", country="US"),
    }
