"""Approval limits: how much a person may credit, write off or pay back alone, entity by entity, from a YAML file.

DE01: 5000.00
US01: 7500
"""

from pathlib import Path

import polars as pl

from features.errors import BadInput, BadSetting
from features.facts import Facts
from features.money import to_minor
from pipelines.strict_yaml import decode, nearest


def read_limits(path: Path | None, facts: Facts) -> dict[str, int]:
    """entity_id -> limit in minor units of its currency; empty where no file is named.

    `BadSetting` for a file that cannot be read, an entity that is not in the ledger, or what is no positive amount.
    """
    if path is None:
        return {}
    try:
        told = decode(path.read_text(encoding="utf-8"), dict[str, str], str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"--limits {path} cannot be read ({error}); allowed: a YAML file, ENTITY: AMOUNT") from None
    currencies = dict(facts.latest("entity").select("entity_id", pl.col("currency")).iter_rows())
    return {entity: _limit(path, entity, amount, currencies) for entity, amount in told.items()}


def _limit(path: Path, entity: str, amount: str, currencies: dict[str, str]) -> int:
    if entity not in currencies:
        there = ", ".join(sorted(currencies))
        raise BadSetting(f"{path}: no entity {entity!r}{nearest(entity, list(currencies))}; there are: {there}")
    try:
        minor = to_minor(amount, currencies[entity])
    except BadInput as error:
        raise BadSetting(f"{path}: {entity}: {error}") from None
    if minor <= 0:
        raise BadSetting(f"{path}: {entity} is {amount}; allowed: an amount above 0 in {currencies[entity]}")
    return minor
