"""Who could read the old tables of a PostgreSQL export can read the new ones, by table or column by column."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from pipelines.marts.catalogue import MARTS

_USERS = """
SELECT DISTINCT pg_get_userbyid(g.grantee), g.grantee
FROM pg_namespace n, aclexplode(n.nspacl) g
WHERE n.nspname = :schema AND g.privilege_type = 'USAGE' AND g.grantee <> n.nspowner"""
_READERS = """
SELECT pg_get_userbyid(g.grantee), g.grantee, c.relname
FROM pg_class c, aclexplode(c.relacl) g
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND g.privilege_type = 'SELECT' AND g.grantee <> c.relowner"""
_COLUMN_READERS = """
SELECT pg_get_userbyid(g.grantee), g.grantee, c.relname, a.attname
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped, aclexplode(a.attacl) g
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND g.privilege_type = 'SELECT' AND g.grantee <> c.relowner"""


def grant_alike(connection: Connection, old: str, new: str) -> None:
    """Whoever may use schema `old` and read its tables, or columns of them, may do so in `new`; what is gone, nobody.

    The right to pass that on is not kept.
    """
    for right in _rights(connection, old, new):
        connection.exec_driver_sql(f"GRANT {right}")


def _rights(connection: Connection, old: str, new: str) -> Iterator[str]:
    def asked(words: str) -> list[Any]:
        return list(connection.execute(text(words), {"schema": old}).all())

    columns = {mart.name: mart.schema for mart in MARTS}
    for who, oid in asked(_USERS):
        yield f"USAGE ON SCHEMA {new} TO {_role(who, oid)}"
    for who, oid, table in asked(_READERS):
        if table in columns:
            yield f"SELECT ON {new}.{table} TO {_role(who, oid)}"
    for who, oid, table, column in asked(_COLUMN_READERS):
        if column in columns.get(table, {}):
            yield f"SELECT ({column}) ON {new}.{table} TO {_role(who, oid)}"


def _role(name: str, oid: int) -> str:
    return "PUBLIC" if oid == 0 else '"' + name.replace('"', '""').replace("%", "%%") + '"'
