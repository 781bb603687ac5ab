"""What was lost of what customers owed that went into default: the ledger's own loss given default.

It is read off the same looks that a PD is learnt from, all customers on the first of a month, so that PD x LGD x EAD
belong together: all that a customer owed at the look, due or not, of which much is paid before a default and by those
that cure after it.

    entering  of customers not in default at the look that went into default within `rule.horizon_days` of it
    within    of customers in default at the look: the ones that cure are gone, and more of it is lost

Each amount, in the entity's own currency, is followed until it is paid, credited or written off, or to the end of what
is known, and counts among those at risk for as long as it is seen (Aalen and Johansen 1978, weighted by amount).
Leaving out what is not closed yet would count payments, which are quick, more often than write-offs.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from features.book import Book
from features.customers import SNAPSHOT, DefaultRule
from features.facts import standing
from features.ledger import RECEIVABLE, SETTLES, SPAN
from features.masters import CUSTOMER

FEWEST_CASES = 20
STEP_DAYS = 30


@dataclass(frozen=True, slots=True)
class LossShare:
    """The share of what was owed that was lost, by amount, and how many customers it is read off.

    share   null with fewer than `FEWEST_CASES`, or where nothing has ended yet
    pooled  over all entities, since the entity's own cases are too few; each entity then weighs by its cases
    """

    cases: int
    share: float | None
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class OwnLgd:
    """An entity's loss given default: of customers going into default, and of those that are in it already."""

    entering: LossShare
    within: LossShare


def own_lgds(book: Book, rule: DefaultRule, as_of: datetime) -> dict[str, OwnLgd]:
    """Entity -> what was known of it before `as_of`; the pooled share where its own cases are fewer than needed.

    What no exchange rate could value is left out.
    """
    known = Book(book.facts.before(as_of))
    looks = known.in_default(known.snapshots(date(1900, 1, 1), as_of.astimezone(UTC).date()), rule)
    healthy = known.defaults(looks.filter(pl.col("default_cause").is_null()), rule, as_of)
    starts = (healthy.filter("defaulted"), looks.filter(pl.col("default_cause").is_not_null()))
    followed = [_followed(known, one.select(SNAPSHOT), as_of) for one in starts]
    return {
        entity: OwnLgd(*(_share_of(rows, entity) for rows in followed))
        for entity in book.zones["entity_id"].sort().to_list()
    }


def _followed(book: Book, starts: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """One row per SNAPSHOT of `starts` and receivable owed then, in a fixed order: how it ended.

    weight  what was owed, by all that the entity's cases owed, times their number: currencies are not added up
    lost    the part of it that was written off since
    step    how many steps of `STEP_DAYS` days after its start it ended; or was last seen, where `open`
    """
    owed = _owed(book, starts)
    gone = _written_off(book, owed, as_of)
    now = standing(book.states, as_of).select(*RECEIVABLE, "paid_date", _left="open_minor")
    rows = owed.join(gone, on=[*RECEIVABLE, "cutoff"], how="left").join(now, on=RECEIVABLE, how="left")
    still, minor = (pl.col("_left") > 0).fill_null(value=False), pl.col("open_minor")
    seen = pl.when(still).then(pl.lit(as_of.astimezone(UTC).date())).otherwise(pl.coalesce("paid_date", "cutoff_day"))
    home = (minor * pl.col("rate")) / (minor * pl.col("rate")).sum().over("entity_id")
    cases = pl.col("customer_id").n_unique().over("entity_id")
    return rows.sort("cutoff", *RECEIVABLE).select(
        *CUSTOMER,
        "cutoff",
        weight=home * cases,
        lost=pl.col("_gone").fill_null(0).clip(0, minor) / minor,
        step=((seen - pl.col("cutoff_day")).dt.total_days() // STEP_DAYS).clip(0),
        open=still,
    )


def _owed(book: Book, starts: pl.DataFrame) -> pl.DataFrame:
    """The receivables that stood open at each SNAPSHOT of `starts`, with `rate`; without those that none can value."""
    held = starts.join(book.states.filter(pl.col("open_minor") > 0, pl.col("amount_minor") > 0), on=CUSTOMER)
    stands = pl.col("known_to").is_null() | (pl.col("cutoff") <= pl.col("known_to"))
    then = held.filter((pl.col("known_from") < pl.col("cutoff")) & stands).drop(*SPAN, "paid_date")
    return book.masters.valued(then, at="cutoff", strictly=True).drop_nulls("rate")


def _written_off(book: Book, owed: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """RECEIVABLE, cutoff and `_gone`: what is written off of it by now, less what was at the cutoff already.

    In its own currency: cents of another one settle nothing.
    """
    told = book.facts.spans("allocation").filter(pl.col("kind") == "write_off")
    parts = owed.select(*SETTLES, "cutoff").join(told, on=SETTLES)
    ends = pl.col("known_to")
    before = (pl.col("known_from") < pl.col("cutoff")) & (ends.is_null() | (pl.col("cutoff") <= ends))
    now = ends.is_null() & (pl.col("known_from") < as_of)
    signed = pl.when(now & ~before).then("amount_minor").when(before & ~now).then(-pl.col("amount_minor")).otherwise(0)
    return parts.group_by(*RECEIVABLE, "cutoff").agg(_gone=signed.sum())


def _share_of(rows: pl.DataFrame, entity: str) -> LossShare:
    own = rows.filter(pl.col("entity_id") == entity)
    cases = _cases(own)
    if cases >= FEWEST_CASES:
        return LossShare(cases, _lost_share(own))
    cases = _cases(rows)
    return LossShare(cases, _lost_share(rows) if cases >= FEWEST_CASES else None, pooled=True)


def _cases(rows: pl.DataFrame) -> int:
    """Customers, and how often each: months of one default are one case."""
    return rows.select(CUSTOMER).n_unique()


def _lost_share(rows: pl.DataFrame) -> float | None:
    """The share of the weight that ends as lost; what is still open in the end ends like the rest. Null: none ended."""
    ended = pl.col("weight").filter(~pl.col("open"))
    steps = rows.group_by("step", maintain_order=True).agg(
        all=pl.col("weight").sum(), ended=ended.sum(), lost=(ended * pl.col("lost").filter(~pl.col("open"))).sum()
    )
    left, weights = 1.0, steps.sort("step").select("all", "ended", "lost").to_numpy()
    lost = 0.0
    at_risk = np.cumsum(weights[::-1, 0])[::-1]
    for risk, (_, gone, gone_lost) in zip(at_risk, weights, strict=True):
        lost += left * gone_lost / risk
        left *= 1 - gone / risk
    return None if left >= 1 else float(lost / (1 - left))
