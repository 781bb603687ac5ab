"""A customer or vendor as one system spells it."""

import re
from datetime import datetime
from typing import Literal, get_args

import msgspec

from features.errors import BadInput

Role = Literal["customer", "vendor"]
ROLES: tuple[str, ...] = get_args(Role)


class PartyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record of one source system; its identity is (entity_id, role, system, record_id).

    entity_id   the legal entity whose books it is in; parties of two entities are never merged by a machine
    vat_id      as written; compared without blanks, dots and capitals
    parent_ref  `ref` of the record that owns this one, where the source says so
    updated_at  aware; when the source last changed it
    """

    system: str
    record_id: str
    role: Role
    name: str
    updated_at: datetime
    entity_id: str = ""
    country: str | None = None
    city: str | None = None
    vat_id: str | None = None
    email_domain: str | None = None
    bank_account: str | None = None
    parent_ref: str | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise BadInput(f"record {self.record_id!r} of {self.system!r}: role is {self.role!r}; allowed: {ROLES}")
        for field in ("system", "entity_id"):
            if ":" in getattr(self, field):
                raise BadInput(f"record {self.record_id!r}: {field} is {getattr(self, field)!r}; it may hold no colon")
        for field in ("system", "record_id", "name"):
            if not getattr(self, field).strip():
                raise BadInput(f"record {self.record_id!r} of {self.system!r}: {field} is empty; every record has one")
        if self.updated_at.tzinfo is None:
            raise BadInput(
                f"record {self.record_id!r} of {self.system!r}: updated_at has no time zone; write it in UTC"
            )

    @property
    def ref(self) -> str:
        """The record's name everywhere: `entity:role:system:record_id`."""
        return f"{self.entity_id}:{self.role}:{self.system}:{self.record_id}"

    @property
    def vat(self) -> str | None:
        """The VAT id as it is compared."""
        return _code(self.vat_id)

    @property
    def account(self) -> str | None:
        """The bank account as it is compared."""
        return _code(self.bank_account)

    @property
    def domain(self) -> str | None:
        """The e-mail domain as it is compared; None for one that anybody can have an address at."""
        bare = (self.email_domain or "").strip().casefold().removeprefix("www.")
        return None if not bare or bare in PUBLIC_DOMAINS else bare


PUBLIC_DOMAINS = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "yahoo.com",
        "icloud.com",
        "aol.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "t-online.de",
        "orange.fr",
        "wanadoo.fr",
        "free.fr",
        "laposte.net",
        "libero.it",
        "mail.ru",
        "proton.me",
        "qq.com",
        "163.com",
    }
)


def _code(text: str | None) -> str | None:
    return re.sub(r"[\W_]", "", text or "").upper() or None


def sphere(ref: str) -> tuple[str, str]:
    """Entity and role of a record: what is never mixed unless somebody asks. `BadInput` where `ref` is no ref."""
    parts = ref.split(":", 3)
    if len(parts) < 4 or parts[1] not in ROLES or not parts[2] or not parts[3]:
        raise BadInput(f"no record is called {ref!r}; a record is entity:role:system:record_id, role one of {ROLES}")
    return parts[0], parts[1]


def by_ref(records: list[PartyRecord]) -> dict[str, PartyRecord]:
    """The records by `ref`, sorted by it; `BadInput` where two share one."""
    found: dict[str, PartyRecord] = {}
    for record in sorted(records, key=lambda r: r.ref):
        if record.ref in found:
            raise BadInput(f"record {record.ref!r} is there twice; give each record once, as it stands now")
        found[record.ref] = record
    return found
