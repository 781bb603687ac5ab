"""The landscape: the systems that this installation talks to, declared in a YAML file.

Each system has a name and one kind of connection; the keys are those of the structs below. Secrets are never in the
file, only the names of files that hold them; paths are relative to it. An example is in `landscape-example.yaml`.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from features.errors import BadSetting, NotFound
from features.money import exponents
from pipelines.bank.layout import Layout
from pipelines.bank.statement import account_number
from pipelines.connectors.hubspot_settings import WonDeals
from pipelines.mapping_keys import Books
from pipelines.strict_yaml import decode, nearest

EXAMPLE = Path(__file__).parent / "landscape-example.yaml"
_MOST_SECRET_BYTES = 16_384


class RestSystem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An API that serves canonical tables, see `connectors/rest.py`."""

    url: str
    token_file: str
    mapping: str = "sandbox"


class TrytonSystem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A Tryton ERP: the companies that the key's user sees are the entities."""

    url: str
    database: str
    key_file: str
    overlap_minutes: Annotated[int, Meta(ge=0)] = 60
    payment_term: str | None = None  # of customers that have none of their own, where orders are booked
    dispute_type: str | None = None  # the ERP's type of complaint that a dispute is, where disputes are opened


class OAuth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """OAuth2 client credentials."""

    token_url: str
    client_id: str
    secret_file: str


class ODataSystem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SAP, or what is shaped like it: user and password, or OAuth; companies by company code."""

    url: str
    companies: dict[str, Books]
    shape: Literal["s4-v2", "ledger"] = "s4-v2"
    user: str | None = None
    password_file: str | None = None
    oauth: OAuth | None = None
    organisations: dict[str, str] = {}
    page_size: Annotated[int, Meta(ge=1, le=10_000)] | None = 500
    overlap_minutes: Annotated[int, Meta(ge=0)] = 60


class HubSpotSystem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A HubSpot portal: its won deals become sales and invoices in `erp`, another system of the landscape."""

    token_file: str
    erp: str
    deals: WonDeals
    url: str = "https://api.hubapi.com"


class Account(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account of ours: its number at the bank, whose books it is in, its currency."""

    number: str
    entity: str
    currency: str


class Sftp(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A folder on an SFTP server whose key is known."""

    host: str
    user: str
    folder: str
    known_hosts: str
    key_file: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 22


class BankSystem(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a bank leaves its statements (one of the first three), and the accounts that may be in them."""

    accounts: dict[str, Account]
    folder: str | None = None
    sftp: Sftp | None = None
    mailbox: str | None = None  # the address of a mailbox as mock-bank has it
    csv: Layout | None = None  # how the bank writes its CSV, where it does
    encoding: str | None = None


class System(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One system: exactly one of the first five, and how often news are expected of it."""

    rest: RestSystem | None = None
    tryton: TrytonSystem | None = None
    odata: ODataSystem | None = None
    bank: BankSystem | None = None
    hubspot: HubSpotSystem | None = None
    every_minutes: Annotated[int, Meta(ge=1)] | None = None  # silence for longer is an alarm
    test_entity: str | None = None  # a company whose books may be written to by tests
    currencies: tuple[str, ...] = ()  # of its records, besides those of the books and those with rates to them


class _Landscape(Struct, frozen=True, forbid_unknown_fields=True):
    systems: dict[str, System]


class Landscape:
    """The systems of a file, by name; `folder` is where its paths start."""

    def __init__(self, systems: dict[str, System], folder: Path, file: str) -> None:
        self._systems = systems
        self._folder = folder
        self.file = file

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the file's order."""
        return tuple(self._systems)

    def with_system(self, name: str, system: System) -> "Landscape":
        """The same landscape, where the system called `name` is `system`."""
        return Landscape(self._systems | {name: system}, self._folder, self.file)

    def system(self, name: str) -> System:
        """The system called `name`; `NotFound` lists the ones there are."""
        if name not in self._systems:
            there = ", ".join(self.names) or "none"
            raise NotFound(f"{self.file}: no system {name!r}; there are: {there}{nearest(name, list(self.names))}")
        return self._systems[name]

    def path(self, text: str) -> Path:
        """A path of the file, relative to it."""
        return self._folder / Path(text).expanduser()

    def secret(self, text: str) -> str:
        """What the named file holds, without blanks around it; `BadSetting` where that is nothing or no text."""
        path = self.path(text)
        try:
            held = path.read_bytes()[: _MOST_SECRET_BYTES + 1].decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no ASCII text"
            raise BadSetting(f"{self.file}: the secret in {path} cannot be read: {reason}") from None
        if not held or len(held) > _MOST_SECRET_BYTES or not held.isprintable():
            raise BadSetting(f"{self.file}: {path} holds no secret; allowed: one line of text")
        return held


def load_landscape(path: Path) -> Landscape:
    """The landscape in the file at `path`; `NotFound` where there is none, `BadSetting` naming line and key."""
    if not path.is_file():
        raise NotFound(f"no landscape at {path}; allowed: a YAML file like {EXAMPLE.name} (DUECAST_LANDSCAPE)")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: cannot be read as UTF-8 text: {error}") from None
    return parse_landscape(text, path.name, path.parent)


def parse_landscape(text: str, file: str, folder: Path) -> Landscape:
    """A checked landscape from YAML text; `file` is what complaints call it."""
    found = decode(text, _Landscape, file)
    for name, system in found.systems.items():
        _require_sound(system, f"{file}: systems.{name}")
        _require_erp(system, found.systems, f"{file}: systems.{name}")
    _require_one_account_each(found.systems, file)
    return Landscape(found.systems, folder, file)


def kind_of(system: System) -> str:
    """The kind of connection: rest, tryton, odata, bank or hubspot."""
    return next(kind for kind in _KINDS if getattr(system, kind) is not None)


_KINDS = ("rest", "tryton", "odata", "bank", "hubspot")


def _require_sound(system: System, place: str) -> None:
    given = [kind for kind in _KINDS if getattr(system, kind) is not None]
    if len(given) != 1:
        raise BadSetting(f"{place} has {' and '.join(given) or 'no connection'}; allowed: one of {', '.join(_KINDS)}")
    for currency in system.currencies:
        if currency not in exponents():
            raise BadSetting(f"{place}.currencies has {currency!r}; allowed: ISO 4217 codes such as EUR")
    if system.odata is not None:
        _require_credentials(system.odata, f"{place}.odata")
    if system.bank is not None:
        _require_one_place(system.bank, f"{place}.bank")


def _require_erp(system: System, systems: dict[str, System], place: str) -> None:
    if system.hubspot is None:
        return
    there = [name for name, other in systems.items() if other.tryton is not None]
    if system.hubspot.erp not in there:
        allowed = ", ".join(there) or "none is declared"
        raise BadSetting(f"{place}.hubspot.erp is {system.hubspot.erp!r}; allowed: an ERP that takes orders: {allowed}")


def _require_one_account_each(systems: dict[str, System], file: str) -> None:
    """Entries are known by the entity and what it calls the account: two of a name would be taken for one."""
    named: dict[tuple[str, str], str] = {}
    numbered: dict[tuple[str, str], str] = {}
    for system, bank in ((name, system.bank) for name, system in systems.items() if system.bank is not None):
        for name, account in bank.accounts.items():
            place = f"systems.{system}.bank.accounts.{name}"
            other = named.setdefault((account.entity, name), place)
            if other != place:
                told = f"{file}: {place} and {other} are both {name!r} of {account.entity}"
                raise BadSetting(f"{told}; allowed: one account of a name in an entity, whatever its bank")
            other = numbered.setdefault((account_number(account.number), account.currency), place)
            if other != place:
                told = f"{file}: {place} and {other} have the same number and currency"
                raise BadSetting(f"{told}; allowed: each account of a bank once")


def _require_credentials(odata: ODataSystem, place: str) -> None:
    basic = odata.user is not None and odata.password_file is not None
    if basic == (odata.oauth is not None):
        raise BadSetting(f"{place}: allowed: user and password_file, or oauth")


def _require_one_place(bank: BankSystem, place: str) -> None:
    given = [name for name in ("folder", "sftp", "mailbox") if getattr(bank, name) is not None]
    if len(given) != 1:
        raise BadSetting(f"{place} has {' and '.join(given) or 'no place'}; allowed: one of folder, sftp, mailbox")
    if not bank.accounts:
        raise BadSetting(f"{place}.accounts is empty; allowed: at least one account of ours")
    for name, account in bank.accounts.items():
        if account.currency not in exponents():
            told = f"{place}.accounts.{name}.currency is {account.currency!r}"
            raise BadSetting(f"{told}; allowed: an ISO 4217 code such as EUR")
