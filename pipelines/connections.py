"""Connections to the systems of a landscape, opened by their names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx

from features.errors import BadSetting
from pipelines.bank.arrivals import Arrivals, Folder
from pipelines.bank.mailbox import BankMailbox
from pipelines.bank.sftp import SftpFolder
from pipelines.connectors.odata_auth import ClientCredentials, basic
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.sap import SapSource
from pipelines.connectors.sap_shapes import LEDGER_SERVICE, S4_V2
from pipelines.connectors.source import Source
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.web import Call, Web
from pipelines.landscape import Landscape, ODataSystem, kind_of
from pipelines.mapping import load

OnCall = Callable[[Call], None]
_SHAPES = {"s4-v2": S4_V2, "ledger": LEDGER_SERVICE}


@contextmanager
def source_of(landscape: Landscape, name: str, on_call: OnCall | None = None) -> Iterator[Source]:
    """The system as a source of records; `BadSetting` for a bank, which sends files."""
    system = landscape.system(name)
    if system.rest is not None:
        mapping = load(system.rest.mapping)
        if mapping.rest is None:
            raise BadSetting(f"{landscape.file}: systems.{name}: mapping {system.rest.mapping!r} is not for an API")
        with RestClient(system.rest.url, landscape.secret(system.rest.token_file), on_call=on_call) as client:
            yield RestSource(client, mapping.rest)
    elif system.tryton is not None:
        told = system.tryton
        with Tryton.connect(told.url, told.database, landscape.secret(told.key_file), on_call=on_call) as erp:
            yield TrytonSource(erp, overlap=timedelta(minutes=told.overlap_minutes))
    elif system.odata is not None:
        with _sap(landscape, system.odata, on_call) as sap:
            yield sap
    else:
        raise BadSetting(f"{landscape.file}: systems.{name} is a {kind_of(system)}; allowed: rest, tryton or odata")


def _sap(landscape: Landscape, told: ODataSystem, on_call: OnCall | None) -> SapSource:
    return SapSource(
        told.url,
        _auth(landscape, told),
        _SHAPES[told.shape],
        told.companies,
        organisations=told.organisations,
        overlap=timedelta(minutes=told.overlap_minutes),
        page_size=told.page_size,
        on_call=on_call,
    )


def _auth(landscape: Landscape, told: ODataSystem) -> httpx.Auth:
    if told.oauth is not None:
        return ClientCredentials(told.oauth.token_url, told.oauth.client_id, landscape.secret(told.oauth.secret_file))
    return basic(str(told.user), landscape.secret(str(told.password_file)))


@contextmanager
def arrivals_of(landscape: Landscape, name: str, on_call: OnCall | None = None) -> Iterator[Arrivals]:
    """Where the bank's files wait; `BadSetting` where the system is no bank."""
    bank = landscape.system(name).bank
    if bank is None:
        raise BadSetting(f"{landscape.file}: systems.{name} is no bank; allowed: a system with `bank`")
    if bank.folder is not None:
        yield Folder(landscape.path(bank.folder))
    elif bank.sftp is not None:
        told = bank.sftp
        hosts, key = landscape.path(told.known_hosts), landscape.path(told.key_file)
        yield SftpFolder(told.host, told.user, told.folder, hosts, key, port=told.port)
    else:
        with Web(str(bank.mailbox), {}, on_call=on_call) as web:
            yield BankMailbox(web)
