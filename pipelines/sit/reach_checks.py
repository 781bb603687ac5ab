"""Is it there, does it let us in, and nobody else?"""

import socket
import ssl
from contextlib import closing

import httpx

from features.errors import DuecastError, SourceRefused
from pipelines.connections import source_of
from pipelines.connectors.source import Source
from pipelines.connectors.web import source_url
from pipelines.sit.check import Finding, failed, passed, skipped
from pipelines.sit.subject import Subject, changed

_CONNECT_SECONDS = 10.0
_SECRETS = {"rest": "token_file", "tryton": "key_file"}
_WRONG = "0" * 64


def reachable(subject: Subject) -> Finding:
    """The name is known, a connection and where it should be TLS come about, somebody speaks HTTP."""
    if subject.url is None:
        return skipped("it is not asked over HTTP")
    url = source_url(subject.url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        steps = [_connected(url.host, port, tls=url.scheme == "https")]
        with httpx.Client(timeout=_CONNECT_SECONDS, trust_env=False) as client:
            status = client.get(url).status_code
    except (OSError, httpx.HTTPError) as error:
        return failed(f"{url.host} port {port}: {str(error) or type(error).__name__}; check address, firewall, TLS")
    steps.append(f"HTTP answers (status {status})")
    return failed(", ".join(steps)) if status >= 500 else passed(", ".join(steps))


def _connected(host: str, port: int, *, tls: bool) -> str:
    with closing(socket.create_connection((host, port), _CONNECT_SECONDS)) as plain:
        if not tls:
            return "DNS and TCP work, no TLS"
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
            return f"DNS, TCP and {secured.version()} work, the certificate is valid"


def let_in(subject: Subject) -> Finding:
    """Our credentials open the door."""
    if subject.kind == "bank":
        return skipped("the place of a bank's files is tried by reading them")
    with subject.source() as source:
        return passed(f"the first page of {_first_page(source, subject)} came")


def _first_page(source: Source, subject: Subject) -> str:
    """Ask for the first page of the first table that is not known without asking; its name."""
    tables = source.tables()
    before = len(subject.calls)
    for table in tables:
        next(iter(source.read(table, None, subject.now)), None)
        if len(subject.calls) > before:
            return str(table.name)
    return "nothing"


def stranger_refused(subject: Subject) -> Finding:
    """Credentials that are wrong are refused, and not answered as if they were right."""
    if subject.kind == "bank":
        return skipped("a bank's mailbox here asks for no credentials; folders and SSH have the system's own")
    wrong = subject.folder / "wrong-secret"
    wrong.write_text(_WRONG)
    system = subject.landscape.system(subject.name)
    if system.odata is not None and system.odata.oauth is not None:
        oauth = type(system.odata.oauth)(
            token_url=system.odata.oauth.token_url, client_id=system.odata.oauth.client_id, secret_file=str(wrong)
        )
        told: dict[str, object] = {"oauth": oauth}
    else:
        told = {_SECRETS.get(subject.kind, "password_file"): str(wrong)}
    stranger = subject.landscape.with_system(subject.name, changed(system, **told))
    try:
        with source_of(stranger, subject.name, subject.calls.append, subject.manner()) as source:
            _first_page(source, subject)
    except SourceRefused as error:
        return passed(str(error).partition(";")[0])
    except DuecastError as error:
        return failed(f"wrong credentials are answered, but not refused (401 or 403): {error}")
    return failed("a token that is wrong was answered like a right one: anybody can read these books")
