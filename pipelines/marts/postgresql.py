"""The star in PostgreSQL: built in a schema aside, then swapped in one transaction, so that nobody reads half of it.

The tables come with primary and foreign keys and comments. Who could read the old ones can read the new ones. Views of
somebody's own on the old tables are never dropped: the export ends with a word, and the old tables stand.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from features.errors import BadInput, BadSetting, SourceError, SourceRefused
from pipelines.marts.catalogue import MARTS
from pipelines.marts.columns import Column, Mart
from pipelines.marts.grants import grant_alike

SCHEMA, ASIDE = "duecast", "duecast_loading"
OURS = "Duecast's marts, made by duecast export; replaced by the next one"
LOCK = 0x6D61727473  # any number, as long as every export takes the same
PATIENCE_SECONDS = 60
ALLOWED = "postgresql://USER@HOST/NAME (the password in ~/.pgpass, or USER:PASSWORD@)"
_REFUSED = ("28", "42501")  # SQLSTATE: invalid authorisation; insufficient privilege
_CHUNK_ROWS = 50_000


def write_postgresql(marts: Mapping[str, pl.DataFrame], url: str) -> None:
    """The marts in the schema `duecast` of the database at `url`; on any failure what was there before stands.

    `BadSetting` for a URL that is not PostgreSQL's, without the driver, where the schema is somebody else's or a policy
    of somebody's own guards its rows; `BadInput` for text that PostgreSQL cannot hold; `SourceRefused` where the
    database refuses the user or the right; `SourceError` where it is out of reach, another export runs, readers hold
    the old tables too long, or somebody's views need them.
    """
    with opened(url) as connection:
        for mart in MARTS:
            _require_text(mart, marts[mart.name])
        _lock(connection)
        _require_ours(connection)
        _require_unguarded(connection)
        _build(connection, marts)
        connection.commit()
        _swap(connection)
        connection.commit()


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A connection to the database at `url`; what it refuses comes out as the errors of `write_postgresql`."""
    parsed = _postgresql(url)
    shown = parsed.set(query={}).render_as_string(hide_password=True)  # the query may hold a password too
    engine = _engine(parsed)
    try:
        with _faults_named(shown), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def is_url(place: str) -> bool:
    """Whether an export's place is a database, not a folder."""
    return "://" in place


def _postgresql(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its own words may hold the password
        raise BadSetting(f"--to is a URL that cannot be read; allowed: a folder, or {ALLOWED}") from None
    if "@" in (parsed.host or ""):  # what follows the first @ of a password would be told as the host
        raise BadSetting(f"--to has an @ too many; allowed: {ALLOWED}, with %40 for an @ in PASSWORD")
    if parsed.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise BadSetting(f"--to is a {parsed.drivername} URL; allowed: a folder, or {ALLOWED}")
    return parsed.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    try:
        return create_engine(url, connect_args={"connect_timeout": 10})
    except ModuleNotFoundError:
        raise BadSetting("--to postgresql://... needs the driver: pip install 'duecast[postgresql]'") from None


def _lock(connection: Connection) -> None:
    """One export at a time: held until the connection ends."""
    connection.execute(text(f"SET lock_timeout = '{PATIENCE_SECONDS}s'"))
    if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar_one():
        raise SourceError("another export into this database is running; let it end, then repeat")
    connection.commit()


def _require_ours(connection: Connection) -> None:
    found = text("SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname IN (:a, :b)")
    for name, comment in connection.execute(found, {"a": SCHEMA, "b": ASIDE}):
        if comment != OURS:
            raise BadSetting(
                f"the database has a schema {name} that no export made; allowed: one without it. Rename it"
            )


def _require_unguarded(connection: Connection) -> None:
    """A policy is somebody's own and goes with its table: who may read some rows only could then read all."""
    guarded = text(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:schema) AND relrowsecurity ORDER BY relname"
    )
    found = connection.execute(guarded, {"schema": SCHEMA}).scalars().first()
    if found is not None:
        raise BadSetting(
            f"{SCHEMA}.{found} has row security, which a new table would not have; allowed: tables without. Put the "
            "policy on a view of your own in another schema, or export into another database"
        )


def _require_text(mart: Mart, rows: pl.DataFrame) -> None:
    for name, kind in mart.schema.items():
        wrong = rows.filter(pl.col(name).str.contains("\0", literal=True)) if kind == pl.String else rows.clear()
        if len(wrong):
            raise BadInput(
                f"{mart.name}.{name} of {mart.key} {wrong[mart.key][0]!r} is {wrong[name][0]!r}: PostgreSQL holds no "
                "NUL character; allowed: text without. Correct it in the source, or export to a folder"
            )


def _build(connection: Connection, marts: Mapping[str, pl.DataFrame]) -> None:
    """Every mart in the schema aside, of which nothing stood before; what a killed export left there goes."""
    connection.execute(text(f"DROP SCHEMA IF EXISTS {ASIDE} CASCADE"))
    connection.execute(text(f"CREATE SCHEMA {ASIDE}"))
    connection.execute(text(f"COMMENT ON SCHEMA {ASIDE} IS {_quoted(OURS)}"))
    for mart in MARTS:
        connection.exec_driver_sql(_table(mart))
        _copy(connection, mart, marts[mart.name])
        connection.exec_driver_sql(f"ALTER TABLE {ASIDE}.{mart.name} ADD PRIMARY KEY ({mart.key})")
        for comment in _comments(mart):
            connection.exec_driver_sql(comment)
    keys = {mart.name: mart.key for mart in MARTS}
    for mart in MARTS:
        for column in mart.references:
            connection.exec_driver_sql(_foreign_key(mart, column, keys[str(column.to)]))


def _swap(connection: Connection) -> None:
    """The new schema in the old one's place, with the old one's readers; refused where anything else needs the old."""
    there = text("SELECT 1 FROM pg_namespace WHERE nspname = :name")
    if connection.execute(there, {"name": SCHEMA}).scalar() is not None:
        grant_alike(connection, SCHEMA, ASIDE)
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = :s"), {"s": SCHEMA}
        ).scalars()
        names = ", ".join(f"{SCHEMA}.{name}" for name in tables if name in {m.name for m in MARTS})
        if names:
            connection.exec_driver_sql(f"DROP TABLE {names} RESTRICT")
        connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} RESTRICT")
    connection.exec_driver_sql(f"ALTER SCHEMA {ASIDE} RENAME TO {SCHEMA}")


def _table(mart: Mart) -> str:
    columns = (f"{c.name} {c.type.sql}{'' if c.optional else ' NOT NULL'}" for c in mart.columns)
    return f"CREATE TABLE {ASIDE}.{mart.name} ({', '.join(columns)})"


def _foreign_key(mart: Mart, column: Column, key: str) -> str:
    return f"ALTER TABLE {ASIDE}.{mart.name} ADD FOREIGN KEY ({column.name}) REFERENCES {ASIDE}.{column.to} ({key})"


def _comments(mart: Mart) -> Iterator[str]:
    yield f"COMMENT ON TABLE {ASIDE}.{mart.name} IS {_quoted(f'{mart.doc} One row: {mart.grain}.')}"
    for column in mart.columns:
        yield f"COMMENT ON COLUMN {ASIDE}.{mart.name}.{column.name} IS {_quoted(column.doc)}"


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''").replace("%", "%%") + "'"


def _copy(connection: Connection, mart: Mart, rows: pl.DataFrame) -> None:
    """By COPY: text is quoted and null is not, so that an empty text stays one."""
    driver: Any = connection.connection.driver_connection  # psycopg's own, behind SQLAlchemy's
    names = ", ".join(mart.schema)
    with driver.cursor() as cursor, cursor.copy(f"COPY {ASIDE}.{mart.name} ({names}) FROM STDIN (FORMAT csv)") as copy:
        for part in rows.iter_slices(_CHUNK_ROWS):
            copy.write(part.write_csv(include_header=False, quote_style="non_numeric", datetime_format="%+"))


@contextmanager
def _faults_named(shown: str) -> Iterator[None]:
    import psycopg

    try:
        yield
    except DBAPIError as error:
        raise _fault(shown, error.orig or error, reached=not isinstance(error, OperationalError)) from error
    except psycopg.Error as error:
        raise _fault(shown, error, reached=True) from error


def _fault(shown: str, error: BaseException, *, reached: bool) -> SourceError:
    """The database's own words, in one line; its refusals hold no data but the names of tables."""
    state = getattr(error, "sqlstate", None) or ""
    words = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    said = f"{shown}: {words}; the tables that were there stand"
    if state.startswith(_REFUSED[0]) or state == _REFUSED[1] or "authentication failed" in words:
        return SourceRefused(f"{said}. Give the user the right to create a schema, or another user")
    return SourceError(said if reached else f"{said}. Is it up?")
