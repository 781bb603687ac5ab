"""What a world is made of: the options, and their command line."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from features.calendars import zone
from features.errors import BadSetting
from features.money import exponent
from services.sandbox.contact_options import POLICIES, ContactOptions
from services.sandbox.payers import TYPES


@dataclass(frozen=True, slots=True)
class EntityOptions:
    """One legal entity of the seller. `share` is its part of the customers; customers come from `countries`."""

    entity_id: str
    name: str
    country: str
    currency: str
    time_zone: str
    share: float
    countries: Mapping[str, float]


DEFAULT_ENTITIES = (
    EntityOptions(
        "US01", "Halden Supply Inc.", "US", "USD", "America/New_York", 0.45,
        {"US": 0.78, "CA": 0.10, "MX": 0.08, "JP": 0.04},
    ),
    EntityOptions(
        "DE01", "Halden Supply GmbH", "DE", "EUR", "Europe/Berlin", 0.35,
        {"DE": 0.56, "AT": 0.10, "CH": 0.10, "FR": 0.08, "NL": 0.08, "IT": 0.05, "PL": 0.03},
    ),
    EntityOptions(
        "GB01", "Halden Supply Ltd", "GB", "GBP", "Europe/London", 0.20,
        {"GB": 0.78, "IE": 0.12, "SE": 0.05, "ES": 0.05},
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """How large the world is, when it plays, and who is in it.

    seed                         the same options with the same seed give the same world, to the byte
    today                        the day at whose start the API's clock stands
    years                        years of history before `today`
    customers                    customers of all entities together
    invoices_per_customer_year   on average; a few customers have most of them
    future_days                  days after `today` on which invoices are still issued (seen once the clock moves on)
    shift_days_before_today      days before `today` from which some customers pay 8 to 10 days slower; 0 for no shift
    feed_faults                  stretches of days in which an entity's bank feed stood still and came in bulk later
    anomaly_share                share of documents that are odd on purpose, each told in `Truth.anomalies`
    mix                          customer type -> weight, by default the shares of `payers.TYPES`
    entities                     legal entities of the seller
    contacts                     collectors at work; None for a seller who never reminds anybody
    """

    seed: int = 7
    today: date = date(2026, 1, 5)
    years: int = 3
    customers: int = 400
    invoices_per_customer_year: float = 50.0
    future_days: int = 120
    shift_days_before_today: int = 150
    feed_faults: int = 2
    anomaly_share: float = 0.0
    mix: Mapping[str, float] = field(default_factory=lambda: {t.name: t.share for t in TYPES})
    entities: tuple[EntityOptions, ...] = DEFAULT_ENTITIES
    contacts: ContactOptions | None = None

    def __post_init__(self) -> None:
        """`BadSetting` for a world that cannot be."""
        self._check_sizes()
        self._check_mix()
        self._check_entities()

    def _check_sizes(self) -> None:
        least = {
            "seed": 0,
            "years": 1,
            "customers": 1,
            "future_days": 0,
            "shift_days_before_today": 0,
            "feed_faults": 0,
        }
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise BadSetting(f"{name} is {getattr(self, name)}; allowed: {minimum} or more")
        if not 0 <= self.anomaly_share <= 0.05:
            raise BadSetting(f"anomaly_share is {self.anomaly_share}; allowed: 0 to 0.05")
        if self.invoices_per_customer_year <= 0:
            raise BadSetting(f"invoices_per_customer_year is {self.invoices_per_customer_year}; allowed: more than 0")
        if self.today.year - self.years < 1980 or self.today.year > 2090:
            raise BadSetting(f"today is {self.today} with {self.years} years of history; allowed: from 1980 to 2090")

    def _check_mix(self) -> None:
        known = {t.name for t in TYPES}
        for name, weight in self.mix.items():
            if name not in known:
                raise BadSetting(f"unknown customer type {name!r} in mix; there are: {', '.join(sorted(known))}")
            if weight < 0:
                raise BadSetting(f"mix[{name!r}] is {weight}; allowed: 0 or more")
        if sum(self.mix.values()) <= 0:
            raise BadSetting("mix has no customer type with a weight above 0; give at least one")

    def _check_entities(self) -> None:
        ids = [e.entity_id for e in self.entities]
        if not ids or len(ids) != len(set(ids)):
            raise BadSetting(f"entities are {ids}; allowed: one or more, each entity_id once")
        for entity in self.entities:
            zone(entity.time_zone)
            if exponent(entity.currency) != 2:
                raise BadSetting(
                    f"entity {entity.entity_id} books in {entity.currency}; allowed: two-decimal currencies"
                )


def add_world_arguments(parser: ArgumentParser) -> None:
    """The options of a world as command-line arguments; read them back with `world_options`."""
    default = WorldOptions()
    parser.add_argument("--seed", type=int, default=default.seed, help="same seed, same world (default %(default)s)")
    parser.add_argument("--customers", type=int, default=default.customers, help="default %(default)s")
    parser.add_argument("--years", type=int, default=default.years, help="years of history (default %(default)s)")
    parser.add_argument(
        "--invoices-per-customer-year",
        type=float,
        default=default.invoices_per_customer_year,
        metavar="N",
        help="on average (default %(default)s)",
    )
    parser.add_argument(
        "--today", type=date.fromisoformat, default=default.today, metavar="YYYY-MM-DD", help="default %(default)s"
    )
    parser.add_argument("--contacts", choices=POLICIES, help="collectors contact customers by this policy")
    parser.add_argument(
        "--anomalies", type=float, default=default.anomaly_share, metavar="SHARE", help="of documents made odd; 0.005"
    )


def world_options(arguments: Namespace) -> WorldOptions:
    """The options that `add_world_arguments` put on the command line; `BadSetting` for what cannot be."""
    return WorldOptions(
        seed=arguments.seed,
        customers=arguments.customers,
        years=arguments.years,
        invoices_per_customer_year=arguments.invoices_per_customer_year,
        today=arguments.today,
        anomaly_share=arguments.anomalies,
        contacts=ContactOptions(policy=arguments.contacts) if arguments.contacts else None,
    )
