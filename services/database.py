"""The operational database: an engine that keeps its promises on SQLite and on PostgreSQL.

SQLite runs in WAL mode with `synchronous=FULL`: readers do not wait for the writer, and what was committed survives
a kill. A writing transaction takes its lock at the start (`BEGIN IMMEDIATE`) and waits for others up to `BUSY_MS`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert, make_url, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError

from features.errors import BadSetting, StateError
from services.state_tables import METADATA, SCHEMA_VERSION, schema_version

BUSY_MS = 30_000
_SET_UP_LOCK = 0x64756563617374  # any number, as long as every Duecast takes the same
_READ_ONLY = "duecast_read_only"


class Database:
    """Transactions on the database at `url`, with its tables in place.

    `BadSetting` for a URL that is not SQLite's or PostgreSQL's, `StateError` where the database cannot be reached,
    is damaged, or was made by a newer Duecast.
    """

    def __init__(self, url: str) -> None:
        parsed = _supported(url)
        self._shown = parsed.set(query={}).render_as_string(hide_password=True)  # the query may hold a password too
        self._writes = _engine(parsed)
        self._reads = self._writes.execution_options(**_reads_of(self._writes))
        try:
            with self.writing() as connection:
                _set_up(connection, self._shown)
        except StateError:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed at the end, or none of it. What the database refuses is a `StateError`."""
        with _faults_named(self._shown), self._writes.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, which never waits for a writer."""
        with _faults_named(self._shown), self._reads.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the connections back; the object is of no use afterwards."""
        self._writes.dispose()


def dialect_insert(connection: Connection, table: Table) -> Any:  # two inserts with one face but no base class
    """An insert that can say what to do `on_conflict`."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def one_at_a_time(connection: Connection, what: str) -> None:
    """Wait for every other transaction about `what`, until it is over; SQLite has one writer at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": what})


def _supported(url: str) -> URL:
    allowed = "sqlite:///FOLDER/FILE.db or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its own words may hold the password, and so may a port that is no number
        raise BadSetting(f"the database URL cannot be read; allowed: {allowed}") from None
    if "@" in (parsed.host or ""):  # what follows the first @ of a password would be told as the host
        raise BadSetting(f"the database URL has an @ too many; allowed: {allowed}, with %40 for an @ in PASSWORD")
    match parsed.drivername.partition("+")[0]:
        case "sqlite":
            return parsed.set(drivername="sqlite")
        case "postgresql":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise BadSetting(f"a {other} database cannot be the operational store; allowed: {allowed}")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return _postgresql(url)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise BadSetting("a postgresql:// database needs the driver: pip install 'duecast[postgresql]'") from None


def _prepare_sqlite(connection: Any, _record: object) -> None:  # sqlite3.Connection behind SQLAlchemy's own face
    connection.isolation_level = None
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _reads_of(engine: Engine) -> dict[str, Any]:
    """The options of a reading transaction: each of PostgreSQL's statements has a view of its own by default."""
    return {_READ_ONLY: True} | ({"isolation_level": "REPEATABLE READ"} if engine.name == "postgresql" else {})


def _set_up(connection: Connection, shown: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SET_UP_LOCK})
    METADATA.create_all(connection)
    found = connection.execute(select(schema_version.c.version)).scalar()
    if found is None:
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    elif found < SCHEMA_VERSION:  # so far every version only added tables, which are there by now
        connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
    elif found > SCHEMA_VERSION:
        raise StateError(f"database {shown} has schema version {found}, this Duecast knows {SCHEMA_VERSION}; update it")


@contextmanager
def _faults_named(shown: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or [type(error).__name__])[0]
        raise StateError(f"database {shown}: {reason}") from error
    except StatementError as error:
        # a value that could not be bound, such as a moment without a zone: the programmer's fault, said as it was
        raise (error.orig or error) from None
