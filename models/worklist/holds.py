"""Why somebody is not to be contacted today, in words, and what sets it free again. Declared once, in HOLDS.

A dispute or a promise about some invoices takes those out of what the contact is about; a customer is held where
nothing is left to ask for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.book import Book
from features.facts import standing
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.money import from_minor
from features.promises import PromisesKnown
from models.worklist.candidates import standing_on
from models.worklist.settings import WorklistSettings

MONTH_DAYS = 30
KEY = [*CUSTOMER]


@dataclass(frozen=True, slots=True)
class Held:
    """Why a customer (or, where named, one of its invoices) is held, and what releases it."""

    hold: str
    reason: str
    released_by: str


@dataclass(frozen=True)
class Scene:
    """What every hold may look at: `items` of the candidates, as known at `as_of`."""

    book: Book
    as_of: datetime
    items: pl.DataFrame
    promises: PromisesKnown
    settings: WorklistSettings
    stale: Sequence[str] = ()


Finding = Callable[[Scene], pl.DataFrame]
"""CUSTOMER, invoice_id (null: all of it), reason, released_by."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One kind of hold: its name, what it means, and how it is found."""

    name: str
    doc: str
    found: Finding


FOUND = pl.Schema(
    {
        "entity_id": pl.String,
        "customer_id": pl.String,
        "invoice_id": pl.String,
        "reason": pl.String,
        "released_by": pl.String,
    }
)


def _rows(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=FOUND)


def _disputed(scene: Scene) -> pl.DataFrame:
    told = standing_on(scene.book, "dispute", scene.as_of).filter(
        (pl.col("status") == "open") & (pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("cutoff_day")))
    )
    return _rows(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "invoice_id": r["invoice_id"],
                "reason": f"disputed since {r['opened_on']} ({r['reason'] or 'no reason given'}): "
                f"{r['invoice_id'] or 'the whole account'}",
                "released_by": f"dispute {r['dispute_id']} being closed",
            }
            for r in told.sort("entity_id", "dispute_id").iter_rows(named=True)
        ]
    )


def _promised(scene: Scene) -> pl.DataFrame:
    rows = scene.promises.open.sort(RECEIVABLE)
    return _rows(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "invoice_id": r["invoice_id"],
                "reason": f"{r['invoice_id']} promised for {r['promised_for']} on {r['made_on']}",
                "released_by": f"the promise being kept, or {r['due_by'] + timedelta(days=1)} when it is broken",
            }
            for r in rows.iter_rows(named=True)
        ]
    )


def _covered(scene: Scene) -> pl.DataFrame:
    """What is left to ask for is no more than the cash and credits not yet put to anything, currency by currency."""
    taken = pl.concat([_disputed(scene), _promised(scene)]).drop_nulls("invoice_id")
    left = scene.items.join(taken, on=["entity_id", "invoice_id"], how="anti")
    asked = left.group_by(*CUSTOMER, "currency").agg(asked_minor=pl.col("open_minor").sum())
    free = unapplied(scene.book, scene.as_of)
    both = asked.join(free, on=[*CUSTOMER, "currency"], how="left").with_columns(pl.col("free_minor").fill_null(0))
    due = pl.col("asked_minor") > pl.col("free_minor")
    held = both.with_columns(_due=due.any().over(CUSTOMER)).filter(~pl.col("_due")).sort(*CUSTOMER, "currency")
    return _rows(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"{_money(r['free_minor'], r['currency'])} of its cash and credits are not applied, which "
                f"covers the {_money(r['asked_minor'], r['currency'])} past due",
                "released_by": "the cash and credits being applied, and something still being past due then",
            }
            for r in held.iter_rows(named=True)
        ]
    )


def _stale(scene: Scene) -> pl.DataFrame:
    if not scene.stale:
        return _rows([])
    reason = f"who has paid is not known: {'; '.join(scene.stale)}"
    return _rows(
        [
            {"entity_id": e, "customer_id": c, "reason": reason, "released_by": "the feed being alive again"}
            for e, c in scene.items.select(CUSTOMER).unique().sort(CUSTOMER).iter_rows()
        ]
    )


def _flagged(scene: Scene, name: str, words: str, released_by: str) -> pl.DataFrame:
    told = standing_on(scene.book, "customer_attribute", scene.as_of).filter(
        (pl.col("name") == name) & (pl.col("day") <= pl.col("cutoff_day"))
    )
    last = told.sort("day", "attribute_id").unique(CUSTOMER, keep="last", maintain_order=True)
    return _rows(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"{words} since {r['day']}",
                "released_by": released_by,
            }
            for r in last.filter(pl.col("value") > 0).sort(CUSTOMER).iter_rows(named=True)
        ]
    )


def _legal(scene: Scene) -> pl.DataFrame:
    return _flagged(scene, "legal_hold", "with the lawyers", "the attribute legal_hold being set to 0")


def _insolvent(scene: Scene) -> pl.DataFrame:
    return _flagged(scene, "insolvent", "insolvent", "the attribute insolvent being set to 0; file a claim instead")


def _contacted(scene: Scene) -> pl.DataFrame:
    """Too soon after the last contact, or too many in a month."""
    settings = scene.settings
    made = past_contacts(scene.book, scene.as_of).filter("made")
    ago = made.with_columns(_ago=(pl.col("cutoff_day") - pl.col("day")).dt.total_days()).filter(pl.col("_ago") >= 0)
    recent = ago.filter(pl.col("_ago") < MONTH_DAYS).sort(*CUSTOMER, "day")
    found = recent.group_by(CUSTOMER, maintain_order=True).agg(
        days=pl.col("day").sort(), last=pl.col("day").max(), ago=pl.col("_ago").min()
    )
    rows = []
    for r in found.iter_rows(named=True):
        too_many = len(r["days"]) >= settings.contacts_per_30_days
        if r["ago"] >= settings.gap_days and not too_many:
            continue
        free = r["last"] + timedelta(days=settings.gap_days)
        if too_many:
            free = max(free, r["days"][-settings.contacts_per_30_days] + timedelta(days=MONTH_DAYS))
        often = f", {len(r['days'])} times in {MONTH_DAYS} days" if too_many else ""
        rows.append(
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"contacted on {r['last']}{often}; allowed: every {settings.gap_days} days, "
                f"{settings.contacts_per_30_days} times in {MONTH_DAYS} days",
                "released_by": f"the calendar, on {free}",
            }
        )
    return _rows(rows)


def _held_out(scene: Scene) -> pl.DataFrame:
    """Left out by a draw not long ago: to contact it now would spoil what is learnt from that."""
    drawn = past_contacts(scene.book, scene.as_of).filter(~pl.col("made"))
    until = pl.col("day") + pl.duration(days=scene.settings.horizon_days)
    still = drawn.with_columns(_until=until).filter(pl.col("_until") > pl.col("cutoff_day")).sort(*CUSTOMER, "day")
    last = still.unique(CUSTOMER, keep="last", maintain_order=True)
    return _rows(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"left out by a draw on {r['day']}, to learn what a contact is worth",
                "released_by": f"the calendar, on {r['_until']}",
            }
            for r in last.iter_rows(named=True)
        ]
    )


HOLDS = (
    Hold("disputed", "an open dispute covers all that is past due", _disputed),
    Hold("promised", "an open promise covers all that is past due and is not overdue itself", _promised),
    Hold("covered", "cash and credits not yet applied cover what is past due: zero or negative net", _covered),
    Hold("stale", "a feed is silent: who has paid is not known", _stale),
    Hold("legal", "the attribute legal_hold is 1", _legal),
    Hold("insolvent", "the attribute insolvent is 1", _insolvent),
    Hold("contacted", "contacted too recently or too often", _contacted),
    Hold("held_out", "left out by a draw within the horizon", _held_out),
)


def holds(scene: Scene) -> pl.DataFrame:
    """FOUND with `hold`, of the customers in `scene.items`, in the order of HOLDS.

    What names an invoice holds it for whoever owes it: a parent may dispute, or promise, what its child was sent.
    """
    parts = [h.found(scene).with_columns(hold=pl.lit(h.name)) for h in HOLDS]
    owners = scene.items.select("entity_id", "invoice_id", _owner="customer_id").unique()
    found = pl.concat(parts).join(owners, on=["entity_id", "invoice_id"], how="left", maintain_order="left")
    owed = found.with_columns(customer_id=pl.coalesce("_owner", "customer_id")).drop("_owner")
    return owed.join(scene.items.select(CUSTOMER).unique(), on=CUSTOMER, how="semi", maintain_order="left")


def past_contacts(book: Book, as_of: datetime) -> pl.DataFrame:
    """Every contact, made or held out, that was known at `as_of`, with `cutoff_day`."""
    return standing_on(book, "contact", as_of)


def unapplied(book: Book, as_of: datetime) -> pl.DataFrame:
    """CUSTOMER, currency, free_minor: cash and credits of the customer that settle nothing yet, as known at `as_of`."""
    allocated = standing(book.facts.spans("allocation"), as_of).select(
        "entity_id", "from_id", "kind", part_minor=pl.coalesce("paid_minor", "amount_minor")
    )
    used = allocated.drop_nulls("from_id").group_by("entity_id", "kind", "from_id").agg(pl.col("part_minor").sum())
    cash = standing(book.facts.spans("payment"), as_of).drop_nulls("customer_id")
    notes = standing(book.facts.spans("credit_note"), as_of)
    sources = pl.concat(
        [
            cash.select(*CUSTOMER, "currency", "amount_minor", kind=pl.lit("payment"), from_id="payment_id"),
            notes.select(
                *CUSTOMER, "currency", -pl.col("amount_minor"), kind=pl.lit("credit_note"), from_id="credit_note_id"
            ),
        ]
    )
    left = pl.col("amount_minor") - pl.col("part_minor").fill_null(0)
    rows = sources.join(used, on=["entity_id", "kind", "from_id"], how="left")
    return rows.group_by(*CUSTOMER, "currency").agg(free_minor=left.sum()).filter(pl.col("free_minor") > 0)


def _money(minor: int, currency: str) -> str:
    return f"{from_minor(minor, currency):,} {currency}"
