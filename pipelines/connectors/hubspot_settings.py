"""What a portal of HubSpot calls its things: stages, entities, customer numbers, taxes."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from features.errors import BadSetting

_MOST_ON_A_PAGE = 200


class WonDeals(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How won deals become orders. Names of properties are the portal's internal ones."""

    entities: dict[str, str]  # value of `entity_property` -> legal entity that sells
    currency: str  # the portal's own, of deals that name none
    entity_property: str = "pipeline"  # of the deal
    won_stages: tuple[str, ...] = ("closedwon",)  # ids of the stages
    time_zone: str = "UTC"  # IANA name; where the close date is read
    customer_property: str | None = None  # of the company: the customer's number in the ERP
    prefix: str = "hubspot-"  # before HubSpot's own ids, of orders and of customers without a number
    reference_property: str | None = None  # of the deal: what the customer calls the order
    amount_is: Literal["net", "total"] = "net"  # whether the deal's amount is without or with tax
    tax_rate_property: str = "hs_tax_rate"  # of the line item, in percent
    tax_amount_property: str = "hs_tax_amount"  # of the line item, for its whole quantity
    page_size: Annotated[int, Meta(ge=1, le=_MOST_ON_A_PAGE)] = 100
    overlap_minutes: Annotated[int, Meta(ge=0)] = 10  # HubSpot's search lags behind its changes

    def __post_init__(self) -> None:
        """`BadSetting` for what could not be worked with."""
        if not self.entities or not self.won_stages:
            raise BadSetting("entities and won_stages are needed; allowed: {value of a deal: entity}, ids of stages")
        if not 1 <= self.page_size <= _MOST_ON_A_PAGE or self.overlap_minutes < 0:
            told = f"page_size is {self.page_size} and overlap_minutes {self.overlap_minutes}"
            raise BadSetting(f"{told}; allowed: 1 to {_MOST_ON_A_PAGE}, and 0 or more")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise BadSetting(f"time_zone is {self.time_zone!r}; allowed: an IANA name such as Europe/Berlin") from None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.time_zone)
