"""What a document is compared with: only what was learnt before it, or in the same instant and ahead of it in order.

One pass over the stream in the order of learning: every watcher first says what it makes of a document, then learns
it. Nothing that is learnt later can therefore change what was said.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import polars as pl

from features.calendars import business_calendar
from features.documents import documents, taken_back
from features.events import FIRST_YEAR, LAST_YEAR
from features.facts import Facts
from features.money import exponent
from features.watchers import Accounts, Amounts, Limits, Loops
from features.watchers_of_digits import Digits
from features.watchers_of_time import Feeds, Hours, Lags
from features.watchers_of_twins import Twins

Row = Mapping[str, Any]
TEXTS = ("twin_id", "twin_form")


class Watcher(Protocol):
    """One habit that documents keep to or break."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What it adds to a document."""

    def seen(self, document: Row) -> Sequence[float | str | None]:
        """What `columns` say of it; null where there is nothing to compare."""

    def learn(self, document: Row) -> None:
        """From here on it is known."""


def watchers(facts: Facts, limits: Mapping[str, int], twins: Twins) -> tuple[Watcher, ...]:
    """Every watcher, knowing nothing yet but the entities' calendars and approval limits."""
    return (
        Amounts(),
        twins,
        Accounts(),
        Limits(_in_hundredths(facts, limits)),
        Digits(),
        Hours(),
        Lags(),
        Loops(),
        Feeds(_calendars(facts)),
    )


def compared(facts: Facts, limits: Mapping[str, int] | None = None) -> pl.DataFrame:
    """Every document (`features.documents.DOCUMENT`) with what each watcher said of it when it was learnt.

    limits  entity_id -> approval limit, in minor units of the entity's currency; entities without one have no limit

    Columns are Float64 (`TEXTS` are words), null where there was nothing to compare with.
    """
    stream, back = documents(facts), taken_back(facts)
    twins = Twins()
    watching = watchers(facts, limits or {}, twins)
    returns = iter(back.iter_rows(named=True))
    coming = next(returns, None)
    said: list[tuple[float | str | None, ...]] = []
    for document in stream.iter_rows(named=True):
        while coming is not None and coming["known_at"] <= document["known_at"]:
            twins.taken_back(coming)
            coming = next(returns, None)
        said.append(tuple(value for w in watching for value in w.seen(document)))
        for watcher in watching:
            watcher.learn(document)
    names = [c for w in watching for c in w.columns]
    schema = {c: pl.String() if c in TEXTS else pl.Float64() for c in names}
    return stream.hstack(pl.DataFrame(said, schema=schema, orient="row"))


def _in_hundredths(facts: Facts, limits: Mapping[str, int]) -> dict[str, float]:
    """Limits as documents are valued (`home_cents`): a yen or a dinar has another exponent than two."""
    currencies = dict(facts.latest("entity").select("entity_id", "currency").iter_rows())
    return {e: limit * 100 / 10 ** exponent(currencies[e]) for e, limit in limits.items() if e in currencies}


def _calendars(facts: Facts) -> dict[str, Any]:
    rows = facts.latest("entity").select("entity_id", "country").iter_rows()
    return {entity: business_calendar(country, FIRST_YEAR, LAST_YEAR) for entity, country in rows}
