"""A Tryton of its own for each module of tests, with the seeded ledger in its books."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.errors import StateError
from features.tables import table
from pipelines.connectors.source import Json
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_rpc import TrytonSession
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.systems.tryton import Erp, tryton
from pipelines.systems.tryton_install import installed

Pull = Callable[..., tuple[list[Json], str | None]]


@pytest.fixture(scope="module")
def erp(systems_cache: Path, today: date, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    try:
        installed(systems_cache)
    except StateError as error:
        pytest.skip(f"Tryton cannot be installed here: {error}")
    with tryton(systems_cache, tmp_path_factory.mktemp("erp"), today=today) as running:
        yield running


@pytest.fixture(scope="module")
def client(erp: Erp) -> Iterator[Tryton]:
    with Tryton.connect(erp.base_url, erp.database, erp.key) as connected:
        yield connected


@pytest.fixture(scope="module")
def clerk(erp: Erp) -> Iterator[TrytonSession]:
    """Somebody who works in the ERP."""
    with erp.session() as session:
        yield session


@pytest.fixture(scope="module")
def source(client: Tryton) -> TrytonSource:
    return TrytonSource(client)


@pytest.fixture
def pull() -> Pull:
    """Reads a table of a source to its end: the records, and the last cursor."""

    def read(source: TrytonSource, name: str, cursor: str | None = None) -> tuple[list[Json], str | None]:
        records: list[Json] = []
        reached = cursor
        for batch in source.read(table(name), cursor, datetime.now(UTC)):
            records += batch.records
            reached = batch.cursor or reached
        return records, reached

    return read
