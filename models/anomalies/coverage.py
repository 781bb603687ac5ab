"""How much of what was asked about could be compared, so that no alert is not taken for nothing odd."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.documents import FEED
from features.watchers import LEAST_DOCUMENTS, OUTGOING
from features.watchers_of_time import LEAST_BOOKED

# null in each of them: the document was compared with nothing
COMPARED = ("amount_z", "invoice_times", "twin_days", "account_changed_days", "limit_share", "neat_count",
            "hour_share", "own_hour_share", "lag_usual_days", "loop_days")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coverage:
    """availability: full; partial: some entities or comparisons are left out, the reason says which; none: nothing was
    compared. `availability_reason` is null where it is full."""

    availability: str
    availability_reason: str | None


def coverage(known: pl.DataFrame, asked: pl.DataFrame, entities: Sequence[str]) -> Coverage:
    """What the documents `asked` about (rows of `features.comparisons.compared`) of `entities` could be compared with.

    known  all rows that were known then
    """
    if not entities:
        return Coverage("none", "there is no entity: ingest some invoices first")
    had, seen = _counts(known), _counts(asked)
    found = [_of_entity(entity, had.get(entity, (0, 0, 0)), seen.get(entity, (0, 0, 0))) for entity in entities]
    reasons = [words for _, words in found if words]
    if not reasons:
        return Coverage("full", None)
    nothing = all(availability == "none" for availability, _ in found)
    return Coverage("none" if nothing else "partial", "; ".join(reasons))


def _counts(rows: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """entity_id -> rows, those that are booked, those of them that were compared with anything."""
    booked = pl.col("table") != FEED
    compared = booked & pl.any_horizontal(pl.col(c).is_not_null() for c in COMPARED)
    counted = rows.group_by("entity_id").agg(pl.len(), booked.sum().alias("booked"), compared.sum().alias("compared"))
    return {entity: (many, own, compared) for entity, many, own, compared in counted.iter_rows()}


def _of_entity(entity: str, known: tuple[int, int, int], asked: tuple[int, int, int]) -> tuple[str, str | None]:
    _, booked, _ = known
    if not booked:
        return "none", f"no document of {entity} was known"
    if not asked[0]:
        return "none", f"no document of {entity} is of the time asked about"
    if booked >= LEAST_BOOKED:
        return "full", None
    many = f"{booked} document{'s' if booked > 1 else ''} of {entity}"
    if not asked[2]:
        return "none", (
            f"{many}, too few to compare: what is usual is known from {LEAST_DOCUMENTS} of a customer or "
            f"{LEAST_BOOKED} of an entity on"
        )
    return "partial", f"{many}: its hours, weekdays and delays of booking are known from {LEAST_BOOKED} on"


def silent(limits: Mapping[str, int], entities: Sequence[str], asked: pl.DataFrame) -> list[str]:
    """In words, which rules cannot speak for which entities, or for which of the documents `asked` about."""
    without = sorted(set(entities) - set(limits))
    told = [f"near_limit is silent for {', '.join(without)}: no approval limit is set"] if without else []
    return [*told, *_without_rate(limits, asked)]


def _without_rate(limits: Mapping[str, int], asked: pl.DataFrame) -> Iterator[str]:
    """What is given away in a currency that had no rate then has no share of a limit."""
    given = pl.col("table").is_in(OUTGOING) | ((pl.col("table") == "payment") & (pl.col("amount_minor") < 0))
    unrated = pl.col("home_cents").is_null() & pl.col("amount_minor").is_not_null()
    rows = asked.filter(pl.col("entity_id").is_in(list(limits)) & given & unrated)
    for entity, currency, many in (
        rows.group_by("entity_id", "currency").len().sort("entity_id", "currency").iter_rows()
    ):
        documents = "1 document" if many == 1 else f"{many:,} documents"
        yield f"near_limit is silent for {documents} of {entity} in {currency}: no exchange rate was known"
