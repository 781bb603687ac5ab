"""The companies of a Tryton database that a user sees, each with a client that sees its books only."""

from dataclasses import dataclass

from features.errors import BadSetting
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_changes import as_text, stamp_of
from pipelines.connectors.tryton_json import Json

_FIELDS = (
    "create_date",
    "write_date",
    "currency.code",
    "timezone",
    "party.name",
    "party.code",
    "party.create_date",
    "party.write_date",
    "party.addresses.country.code",
)


@dataclass(frozen=True)
class Company:
    """One set of books. `entity` is the code of the company's own party, by which its facts go."""

    id: int
    entity: str
    currency: str
    erp: Tryton
    row: Json

    def record(self) -> Json:
        """The company as a legal entity."""
        return {
            "id": self.entity,
            "company": self.entity,
            "changed_at": as_text(stamp_of(self.row, self.row["party"])),
            "name": self.row["party"]["name"],
            "country": country_of(self.row["party"]),
            "currency": self.currency,
            "time_zone": self.row["timezone"] or "UTC",
        }


def companies(erp: Tryton) -> list[Company]:
    """The companies of the client's user, by id.

    `BadSetting` where the user has several but sees the current one only: Tryton would hide the others' rows silently.
    """
    told = erp.context
    seen = told.get("companies") or []
    if len(seen) > 1 and told.get("company_filter") == "one":
        raise BadSetting(
            f"Tryton's user has {len(seen)} companies and sees only one (its company filter is 'one'); "
            "allowed: the filter 'all' in the user's preferences, or a user with one company"
        )
    rows = erp.search("company.company", [["id", "in", seen]], _FIELDS, order=[("id", "ASC")])
    found = [Company(r["id"], _entity(r), r["currency"]["code"], erp.of_company(r["id"]), r) for r in rows]
    if not found:
        raise BadSetting("Tryton's user has no company; allowed: a user with the companies whose books are to be read")
    return found


def customer_id(party: Json) -> str:
    """A party's code, or its number where it has none."""
    return party.get("code") or str(party["id"])


def country_of(party: Json) -> str | None:
    """The country of the first address that has one."""
    codes = (a["country"]["code"] for a in party.get("addresses") or [] if a.get("country"))
    return next(codes, None)


def _entity(row: Json) -> str:
    return customer_id(row["party"])
