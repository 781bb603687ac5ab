"""Who could be contacted and is not on the list: what it owes, and whether time or worth is lacking."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from features.money import from_minor
from models.worklist.customers import Customer
from models.worklist.phrases import counted
from models.worklist.rows import NOBODY, Row
from models.worklist.settings import WorklistSettings
from models.worklist.value import Worth

BEYOND, NOT_WORTH = "beyond", "not_worth"
NAMED = 200  # of each entity and kind at most; the sums are of all


@dataclass(frozen=True, slots=True)
class Asked:
    """An amount that would be asked for: past due, not held, not covered; major units."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class NotListed:
    """A customer that could be contacted and is not on the list.

    why     "beyond" the capacity, or "not_worth" a contact
    asked   what a contact would be about, per currency; where the reason adds it up, at the day's rates
    reason  in words
    """

    entity_id: str
    customer_id: str
    collector: str | None
    why: str
    asked: tuple[Asked, ...]
    reason: str
    customer_name: str | None = None


@dataclass(frozen=True, slots=True)
class NotListedSum:
    """All that would be asked of those of one entity that are not listed for one `why`, in one currency."""

    entity_id: str
    why: str
    currency: str
    customers: int
    amount: Decimal


def out_of_reach(
    worthy: Sequence[Customer], listed: Sequence[Row], settings: WorklistSettings, currencies: Mapping[str, str]
) -> list[NotListed]:
    """Those whom a longer day would reach, entity by entity, the next one first."""
    on = {(row.entity_id, row.customer_id) for row in listed}
    later = sorted((c for c in worthy if c.key not in on), key=lambda c: (c.entity_id, -c.score, c.customer_id))
    return [_row(c, BEYOND, _beyond(c, settings, currencies[c.entity_id])) for c in later]


def not_worth_contact(
    free: Sequence[Customer], worthy: Sequence[Customer], currencies: Mapping[str, str]
) -> list[NotListed]:
    """Those whose contact costs more than it is expected to bring, entity by entity, who owes most first."""
    on = {c.key for c in worthy}
    never = sorted((c for c in free if c.key not in on), key=lambda c: (c.entity_id, -c.weighed.amount, c.customer_id))
    return [_row(c, NOT_WORTH, _costs(c.weighed, currencies[c.entity_id])) for c in never]


def named(rows: Iterable[NotListed]) -> tuple[NotListed, ...]:
    """The first `NAMED` of each entity and `why`."""
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for row in rows:
        seen[row.entity_id, row.why] += 1
        if seen[row.entity_id, row.why] <= NAMED:
            kept.append(row)
    return tuple(kept)


def sums(rows: Sequence[NotListed]) -> tuple[NotListedSum, ...]:
    """Of `rows`, in order of entity, why and currency; a customer that owes in two counts in both."""
    amounts: dict[tuple[str, str, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        for asked in row.asked:
            amounts[row.entity_id, row.why, asked.currency].append(asked.amount)
    return tuple(NotListedSum(*key, len(each), sum(each, Decimal(0))) for key, each in sorted(amounts.items()))


def _row(customer: Customer, why: str, reason: str) -> NotListed:
    minor: dict[str, int] = defaultdict(int)
    for item in customer.items:
        minor[item["currency"]] += item["asked_minor"]
    asked = tuple(Asked(currency, from_minor(minor[currency], currency)) for currency in sorted(minor))
    return NotListed(customer.entity_id, customer.customer_id, customer.collector, why, asked, reason, customer.name)


def _beyond(customer: Customer, settings: WorklistSettings, currency: str) -> str:
    whose = (customer.collector or NOBODY) if settings.per_collector else customer.entity_id
    worth = customer.weighed
    what = f"{worth.score:,.2f} {currency} " + ("at risk" if worth.value is None else "is what a contact is worth")
    return f"beyond the capacity of {counted(settings.capacity, 'contact')} a day of {whose}: {what}"


def _costs(worth: Worth, currency: str) -> str:
    return f"a contact is expected to bring {worth.score + worth.less:,.2f} {currency} and costs {worth.less:,.2f}"
