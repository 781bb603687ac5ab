"""How a worklist is made: capacity, horizon, what money and contacts cost, how often a customer may be contacted."""

from dataclasses import dataclass

from features.errors import BadSetting


@dataclass(frozen=True, slots=True)
class WorklistSettings:
    """capacity            contacts a day, of each collector (`per_collector`) or of all of an entity
    horizon_days           the effect that counts is on what is paid within so many days
    holdout_share          of the list, left out on purpose by a draw; 0 for none
    seed                   of that draw
    capital_rate           what money costs a year (0.08: 8 %)
    contact_cost           of one contact, in major units of the entity's currency
    gap_days               at least so many days from one contact of a customer to the next; after a draw, the horizon
    contacts_per_30_days   at most, of a customer; several on one day count once here, and each against the capacity
    soon_days              also about what falls due within so many days; 0: only about what is past due
    """

    capacity: int = 40
    per_collector: bool = True
    horizon_days: int = 14
    holdout_share: float = 0.05
    seed: int = 7
    capital_rate: float = 0.08
    contact_cost: float = 2.0
    gap_days: int = 7
    contacts_per_30_days: int = 3
    soon_days: int = 0

    def __post_init__(self) -> None:
        """`BadSetting` for what cannot be."""
        least = {"capacity": 1, "horizon_days": 1, "gap_days": 0, "contacts_per_30_days": 1, "soon_days": 0}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise BadSetting(f"{name} is {getattr(self, name)}; allowed: {minimum} or more")
        if self.horizon_days > 90:
            raise BadSetting(f"horizon_days is {self.horizon_days}; allowed: 1 to 90")
        if not 0 <= self.holdout_share <= 0.9:
            raise BadSetting(f"holdout_share is {self.holdout_share}; allowed: 0 to 0.9")
        for name in ("capital_rate", "contact_cost"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise BadSetting(f"{name} is {getattr(self, name)}; allowed: 0 or more")
