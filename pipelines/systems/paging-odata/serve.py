"""An OData V2 service that pages, over the ledger in this folder: Pyslet answers, SAP's manners are put in front.

    python serve.py PORT USER PASSWORD PAGE_ROWS

Runs in an environment of its own (see `pipelines.systems.paging_odata`), never in Duecast's. Manners: a user and
password, and X-CSRF-Token with a session cookie on everything that writes.
"""

import base64
import collections
import collections.abc
import csv
import hmac
import secrets
import sys
from decimal import Decimal
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

for _name in ("Mapping", "MutableMapping", "Sequence", "MutableSequence", "Iterable", "Callable", "Hashable", "Set"):
    if not hasattr(collections, _name):  # Pyslet is older than Python 3.10, which moved these
        setattr(collections, _name, getattr(collections.abc, _name))

from pyslet import iso8601  # type: ignore[import-not-found]  # noqa: E402
from pyslet.odata2 import metadata  # type: ignore[import-not-found]  # noqa: E402
from pyslet.odata2.server import Server  # type: ignore[import-not-found]  # noqa: E402
from pyslet.odata2.sqlds import SQLiteEntityContainer  # type: ignore[import-not-found]  # noqa: E402

HERE = Path(__file__).parent
PATH = "/sap/opu/odata/sap/ZAR_LEDGER_SRV/"
READS = ("GET", "HEAD")


def value_of(name: str, text: str) -> Any:
    if text == "" and name.endswith("Date"):
        return None
    if name.startswith("Amount"):
        return Decimal(text)
    if name == "LastChangeDateTime":
        return iso8601.TimePoint.from_str(text)
    return iso8601.TimePoint.from_str(text + "T00:00:00") if name.endswith("Date") else text


def load(container: Any, entity_set: str, file: str) -> None:
    with open(HERE / file, encoding="utf-8", newline="") as rows, container[entity_set].open() as collection:
        for row in csv.DictReader(rows):
            entity = collection.new_entity()
            for name, text in row.items():
                value = value_of(name, text)
                if value is not None:
                    entity[name].set_from_value(value)
            collection.insert_entity(entity)


class Manners:
    """Asks who it is, and for a token of this session before anything is written."""

    def __init__(self, service: Any, user: str, password: str) -> None:
        self.service = service
        self.sessions: dict[str, str] = {}
        self.who = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if not hmac.compare_digest(environ.get("HTTP_AUTHORIZATION", ""), self.who):
            return refuse(start_response, "401 Unauthorized", [("WWW-Authenticate", 'Basic realm="SAP"')], "who is it?")
        asked = environ.get("HTTP_X_CSRF_TOKEN", "")
        if environ["REQUEST_METHOD"] not in READS:
            if not asked or self.sessions.get(session_of(environ) or "") != asked:
                return refuse(
                    start_response, "403 Forbidden", [("x-csrf-token", "Required")], "CSRF token validation failed"
                )
            return self.service(environ, start_response)
        return self.service(environ, self.with_token(start_response) if asked.lower() == "fetch" else start_response)

    def with_token(self, start_response: Any) -> Any:
        session, token = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        self.sessions[session] = token
        more = [("x-csrf-token", token), ("Set-Cookie", f"SAP_SESSIONID={session}; Path=/; HttpOnly")]
        return lambda status, headers, *rest: start_response(status, [*headers, *more], *rest)


def session_of(environ: Any) -> str | None:
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("SAP_SESSIONID")
    return None if cookie is None else cookie.value


def refuse(start_response: Any, status: str, headers: list[tuple[str, str]], message: str) -> list[bytes]:
    code = "<code>/IWFND/CM_MGW</code>"
    error = f'<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">{code}<message>{message}</message></error>'
    body = f'<?xml version="1.0" encoding="utf-8"?>{error}'.encode()
    start_response(status, [*headers, ("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


class Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        pass


def main(port: str, user: str, password: str, page_rows: str) -> None:
    document = metadata.Document()
    with open(HERE / "model.xml", "rb") as model:
        document.read(model)
    declared = document.root.DataServices["ZAR_LEDGER_SRV.Ledger"]
    container = SQLiteEntityContainer(file_path=":memory:", container=declared, max_connections=1)
    container.create_all_tables()
    load(declared, "Customers", "customers.csv")
    load(declared, "Items", "items.csv")
    service = Server(f"http://127.0.0.1:{port}{PATH}")
    service.topmax = int(page_rows)
    service.set_model(document)
    make_server("127.0.0.1", int(port), Manners(service, user, password), handler_class=Silent).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
