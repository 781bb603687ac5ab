"""A portal of HubSpot as backlot plays it, and what its deals should become."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import StateError
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.connectors.source import Json
from pipelines.systems.backlot import REQUIREMENTS, Backlot, backlot
from pipelines.systems.backlot_corpus import corpus
from pipelines.systems.environments import environment

Serve = Callable[[list[Json]], AbstractContextManager[Backlot]]


@pytest.fixture(scope="session")
def serve(systems_cache: Path) -> Serve:
    """Starts a backlot over a corpus; a skip where it cannot be installed."""
    try:
        environment(systems_cache, "backlot", REQUIREMENTS)
    except StateError as error:
        pytest.skip(f"backlot cannot be installed here: {error}")
    return lambda records: backlot(systems_cache, records)


@pytest.fixture(scope="module")
def records() -> list[Json]:
    return corpus()


@pytest.fixture(scope="module")
def portal(serve: Serve, records: list[Json]) -> Iterator[Backlot]:
    with serve(records) as running:
        yield running


@pytest.fixture(scope="module")
def hubspot(portal: Backlot) -> Iterator[HubSpot]:
    with HubSpot(portal.url, portal.token) as client:
        yield client


@pytest.fixture
def client_of() -> Callable[[Backlot], AbstractContextManager[HubSpot]]:
    @contextmanager
    def connect(portal: Backlot) -> Iterator[HubSpot]:
        with HubSpot(portal.url, portal.token) as client:
            yield client

    return connect


@pytest.fixture
def settings() -> WonDeals:
    """Pages small enough that there are several."""
    return WonDeals(
        entities={"default": "DE01", "second": "US01"},
        currency="EUR",
        customer_property="duecast_customer_id",
        reference_property="po_number",
        time_zone="Europe/Berlin",
        page_size=13,
    )


@pytest.fixture
def later() -> datetime:
    """After all that happened in the portal."""
    return datetime(2026, 3, 1, tzinfo=UTC)
