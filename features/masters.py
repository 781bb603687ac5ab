"""Master data: what a row of the ledger is looked up in, as known at its time."""

from dataclasses import dataclass

import polars as pl

from features.calendars import zone
from features.errors import BadInput
from features.facts import Facts, with_version
from features.rates import rates_in_force, with_base_rate

CUSTOMER = ("entity_id", "customer_id")


@dataclass(frozen=True, slots=True)
class Masters:
    """Entities, customers and rates, gathered once.

    zones      entity_id, time_zone, entity_currency: one row an entity
    customers  CUSTOMER, segment, country, known_from, known_to: every version
    rates      `features.rates.rates_in_force`
    """

    zones: pl.DataFrame
    customers: pl.DataFrame
    rates: pl.DataFrame

    @staticmethod
    def of(facts: Facts) -> "Masters":
        """The master data among the facts; raises like `entity_zones`."""
        zones = entity_zones(facts)
        customers = facts.spans("customer").select(*CUSTOMER, "segment", "country", "known_from", "known_to")
        return Masters(zones, customers, rates_in_force(facts, zones))

    def looked_up(self, rows: pl.DataFrame, *, at: str = "known_from", strictly: bool = False) -> pl.DataFrame:
        """`rows`, in any order, with `segment` and `country` of the customer, null where unknown.

        As known at the instant in column `at` (`strictly`: before it).
        """
        return with_version(rows, self.customers, by=CUSTOMER, at=at, strictly=strictly)

    def valued(self, rows: pl.DataFrame, *, at: str = "known_from", strictly: bool = False) -> pl.DataFrame:
        """Like `looked_up`, and with `rate`: see `features.rates.with_base_rate`."""
        known = self.looked_up(rows, at=at, strictly=strictly)
        return with_base_rate(known, self.rates, self.zones, at=at, strictly=strictly)


def entity_zones(facts: Facts) -> pl.DataFrame:
    """entity_id, time_zone, entity_currency of every entity.

    `BadInput` where a fact's entity is not declared, or an entity's time zone does not exist.
    """
    entities = facts.latest("entity").select("entity_id", "time_zone", pl.col("currency").alias("entity_currency"))
    used = pl.concat([rows.select("entity_id") for rows in facts.tables.values()]).unique()
    unknown = used.join(entities, on="entity_id", how="anti")["entity_id"].sort().to_list()
    if unknown:
        raise BadInput(f"no entity record for {unknown[0]!r}; every row's entity_id must be in the entity table")
    for entity_id, time_zone in entities.select("entity_id", "time_zone").iter_rows():
        _check_zone(entity_id, time_zone)
    return entities


def _check_zone(entity_id: str, time_zone: str) -> None:
    try:
        zone(time_zone)
    except BadInput as error:
        raise BadInput(f"entity {entity_id!r}: {error}") from None
