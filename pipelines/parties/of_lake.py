"""Customers and vendors as the sources of the lake spell them: one record for each source, entity and id.

A source's customers come from the table `customer`; one whose segment says that it is a vendor is a vendor. A bank
knows no customers, only who paid: each name with the account it paid from is a record, called by a digest, for neither
belongs in a log. Who the seller itself paid is left out: the bank does not say whether that is a vendor, a clerk or
the state. Orders name customers by id alone; where their source has no name for one, there is nothing to compare.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import polars as pl

from features.facts import Versions
from features.tables import BANK_ENTRY, CUSTOMER, ORDER, Table
from pipelines.parties.records import PartyRecord, Role

VENDOR_SEGMENTS = frozenset({"vendor", "supplier", "creditor", "lieferant", "kreditor", "fournisseur", "proveedor"})
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class PartyRecords:
    """`records`: oldest first. `nameless`: how many ids of customers, or of orders' customers, come without a name."""

    records: tuple[PartyRecord, ...]
    nameless: int


def party_records(lake: Versions) -> PartyRecords:
    """What the lake knows now."""
    told = _last_told(lake, CUSTOMER, ("entity_id", "source", "customer_id"))
    named = told.filter(_filled("name"))
    roles = {_key(row): _role(row["segment"]) for row in named.iter_rows(named=True)}
    customers = [(row["first_known"], _customer(row, roles)) for row in named.iter_rows(named=True)]
    payers = [(row["first_known"], _payer(row)) for row in _payers(lake)]
    inorder = sorted([*customers, *payers], key=lambda found: (found[0], found[1].ref))
    return PartyRecords(tuple(record for _, record in inorder), _nameless(lake, told, named))


def _last_told(lake: Versions, table: Table, key: tuple[str, ...]) -> pl.DataFrame:
    """Of every key the version told last, unless it took the fact back, and since when the key is known."""
    versions = lake.versions(table).with_columns(first_known=pl.col("known_at").min().over(key)).collect()
    return versions.unique(list(key), keep="last", maintain_order=True).filter(~pl.col("deleted"))


def _filled(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.len_chars().fill_null(0) > 0


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["entity_id"], row["source"], row["customer_id"]


def _role(segment: str | None) -> Role:
    return "vendor" if (segment or "").strip().casefold() in VENDOR_SEGMENTS else "customer"


def _customer(row: dict[str, Any], roles: dict[tuple[str, str, str], Role]) -> PartyRecord:
    role, owner = roles[_key(row)], (row["entity_id"], row["source"], row["parent_id"] or "")
    entity, system = _plain(row["entity_id"]), _plain(row["source"])
    parent_ref = f"{entity}:{roles[owner]}:{system}:{row['parent_id']}" if owner in roles else None
    return PartyRecord(
        system=system,
        record_id=row["customer_id"],
        role=role,
        name=row["name"],
        updated_at=row["known_at"],
        entity_id=entity,
        country=row["country"],
        parent_ref=None if row["parent_id"] == row["customer_id"] else parent_ref,
    )


def _payers(lake: Versions) -> Iterator[dict[str, Any]]:
    """Every name and account that money came from, by entity and bank, as the bank spelt it last."""
    entries = _last_told(lake, BANK_ENTRY, ("entity_id", "source", "entry_id"))
    received = entries.filter(_filled("payer_name") & (pl.col("amount_minor") > 0) & ~pl.col("returned"))
    spelt = received.with_columns(
        name=pl.col("payer_name").str.strip_chars().str.replace_all(r"\s+", " "),
        account=pl.col("payer_account").fill_null("").str.replace_all(r"\s", ""),
    )
    by = ("entity_id", "source", "account", pl.col("name").str.to_lowercase().alias("spelt"))
    found = spelt.group_by(by, maintain_order=True).agg(
        pl.col("name").last(), pl.col("known_at").max(), pl.col("first_known").min()
    )
    yield from found.iter_rows(named=True)


def _payer(row: dict[str, Any]) -> PartyRecord:
    identity = "\0".join((row["account"], row["spelt"]))
    return PartyRecord(
        system=_plain(row["source"]),
        record_id=sha256(identity.encode()).hexdigest()[:_DIGITS],
        role="customer",
        name=row["name"],
        updated_at=row["known_at"],
        entity_id=_plain(row["entity_id"]),
        bank_account=row["account"] or None,
    )


def _nameless(lake: Versions, told: pl.DataFrame, named: pl.DataFrame) -> int:
    """Customers without a name, and those that orders name although their source tells nothing else of them."""
    key = ["entity_id", "source", "customer_id"]
    ordered = _last_told(lake, ORDER, ("entity_id", "source", "order_id")).select(key)
    return pl.concat([told.select(key), ordered]).unique().join(named.select(key), on=key, how="anti").height


def _plain(text: str) -> str:
    """Without colons, which part a ref."""
    return text.replace(":", "_")
