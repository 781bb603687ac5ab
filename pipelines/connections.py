"""Connections to the systems of a landscape, opened by their names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
import msgspec

from features.errors import BadSetting
from pipelines.bank.arrivals import Arrivals, Folder
from pipelines.bank.mailbox import BankMailbox
from pipelines.bank.sftp import SftpFolder
from pipelines.connectors.hubspot import HubSpot
from pipelines.connectors.hubspot_orders import HubSpotOrders
from pipelines.connectors.odata_auth import ClientCredentials, basic
from pipelines.connectors.rest import RestClient, RestSource
from pipelines.connectors.sap import SapSource
from pipelines.connectors.sap_shapes import LEDGER_SERVICE, S4_V2
from pipelines.connectors.source import Source
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.connectors.web import Call, Limits, Retries, Web
from pipelines.landscape import Landscape, ODataSystem, TrytonSystem, kind_of
from pipelines.mapping import load
from pipelines.orders import WonOrders

OnCall = Callable[[Call], None]
TRYTON_PAGE = 200
_SHAPES = {"s4-v2": S4_V2, "ledger": LEDGER_SERVICE}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a system is asked, where it differs from the usual."""

    page_size: int | None = None
    retries: Retries | None = None
    limits: Limits | None = None


@contextmanager
def source_of(
    landscape: Landscape, name: str, on_call: OnCall | None = None, manner: Manner | None = None
) -> Iterator[Source]:
    """The system as a source of records; `BadSetting` for a bank, which sends files."""
    how = manner or Manner()
    system = landscape.system(name)
    if system.rest is not None:
        mapping = load(system.rest.mapping)
        if mapping.rest is None:
            raise BadSetting(f"{landscape.file}: systems.{name}: mapping {system.rest.mapping!r} is not for an API")
        rest = mapping.rest if how.page_size is None else msgspec.structs.replace(mapping.rest, page_size=how.page_size)
        token = landscape.secret(system.rest.token_file)
        with RestClient(system.rest.url, token, retries=how.retries, limits=how.limits, on_call=on_call) as client:
            yield RestSource(client, rest)
    elif system.tryton is not None:
        told, overlap = system.tryton, timedelta(minutes=system.tryton.overlap_minutes)
        with tryton_of(landscape, told, on_call, how) as erp:
            yield TrytonSource(erp, overlap=overlap, page_size=how.page_size or TRYTON_PAGE)
    elif system.odata is not None:
        with _sap(landscape, system.odata, on_call, how) as sap:
            yield sap
    else:
        raise BadSetting(f"{landscape.file}: systems.{name} is a {kind_of(system)}; allowed: rest, tryton or odata")


def tryton_of(
    landscape: Landscape, told: TrytonSystem, on_call: OnCall | None = None, manner: Manner | None = None
) -> Tryton:
    """A client of a Tryton; to be closed."""
    how, key = manner or Manner(), landscape.secret(told.key_file)
    return Tryton.connect(told.url, told.database, key, retries=how.retries, limits=how.limits, on_call=on_call)


def _sap(landscape: Landscape, told: ODataSystem, on_call: OnCall | None, how: Manner) -> SapSource:
    return SapSource(
        told.url,
        _auth(landscape, told),
        _SHAPES[told.shape],
        told.companies,
        organisations=told.organisations,
        overlap=timedelta(minutes=told.overlap_minutes),
        page_size=how.page_size or told.page_size,
        retries=how.retries,
        limits=how.limits,
        on_call=on_call,
    )


def _auth(landscape: Landscape, told: ODataSystem) -> httpx.Auth:
    if told.oauth is not None:
        return ClientCredentials(told.oauth.token_url, told.oauth.client_id, landscape.secret(told.oauth.secret_file))
    return basic(str(told.user), landscape.secret(str(told.password_file)))


@contextmanager
def arrivals_of(
    landscape: Landscape, name: str, on_call: OnCall | None = None, manner: Manner | None = None
) -> Iterator[Arrivals]:
    """Where the bank's files wait; `BadSetting` where the system is no bank."""
    how = manner or Manner()
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
        with Web(str(bank.mailbox), {}, retries=how.retries, limits=how.limits, on_call=on_call) as web:
            yield BankMailbox(web)


@contextmanager
def orders_of(landscape: Landscape, name: str, on_call: OnCall | None = None) -> Iterator[WonOrders]:
    """The system as a CRM; `BadSetting` where it is none."""
    told = landscape.system(name).hubspot
    if told is None:
        raise BadSetting(f"{landscape.file}: systems.{name} is no CRM; allowed: a system with `hubspot`")
    with HubSpot(told.url, landscape.secret(told.token_file), on_call=on_call) as client:
        yield HubSpotOrders(client, told.deals)
