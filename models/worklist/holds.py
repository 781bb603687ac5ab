"""Why somebody is not to be contacted today, in words, and what sets it free again. Declared once, in HOLDS.

A dispute or a promise takes what it covers out of what the contact is about (`models.worklist.asks`); a
customer is held where nothing is left to ask for.
"""

from dataclasses import dataclass

import polars as pl

from features.masters import CUSTOMER
from models.worklist.calendar_holds import contacted, drawn
from models.worklist.phrases import money
from models.worklist.scene import FOUND, Finding, Scene, found
from models.worklist.taken import DISPUTED, PROMISED


@dataclass(frozen=True, slots=True)
class Held:
    """Why a customer is held, and what releases it."""

    hold: str
    reason: str
    released_by: str


@dataclass(frozen=True, slots=True)
class Hold:
    """One kind of hold: its name, what it means, and how it is found."""

    name: str
    doc: str
    found: Finding


def _disputed(scene: Scene) -> pl.DataFrame:
    return _taken(scene, DISPUTED)


def _promised(scene: Scene) -> pl.DataFrame:
    return _taken(scene, PROMISED)


def _taken(scene: Scene, hold: str) -> pl.DataFrame:
    asks = scene.candidates.asks
    told = asks.taken.filter(pl.col("hold") == hold).select(list(FOUND))
    return told.join(asks.items, on=CUSTOMER, how="anti", maintain_order="left")


def _covered(scene: Scene) -> pl.DataFrame:
    """All that is neither disputed nor promised is covered by cash and credits not yet put to anything."""
    asks = scene.candidates.asks
    due = asks.due.join(asks.items, on=CUSTOMER, how="anti")
    sums = due.group_by(*CUSTOMER, "currency").agg(due_minor=pl.col("left_minor").sum())
    held = sums.join(asks.free, on=[*CUSTOMER, "currency"]).sort(*CUSTOMER, "currency")
    return found(
        [
            {
                "entity_id": r["entity_id"],
                "customer_id": r["customer_id"],
                "reason": f"{money(r['free_minor'], r['currency'])} of its cash and credits are not applied, which "
                f"covers the {money(r['due_minor'], r['currency'])} past due",
                "released_by": "the cash and credits being applied, and something still being past due then",
            }
            for r in held.iter_rows(named=True)
        ]
    )


def _stale(scene: Scene) -> pl.DataFrame:
    if not scene.stale:
        return found([])
    reason = f"who has paid is not known: {'; '.join(scene.stale)}"
    return found(
        [
            {"entity_id": e, "customer_id": c, "reason": reason, "released_by": "the feed being alive again"}
            for e, c in scene.candidates.asks.owed.select(CUSTOMER).unique().sort(CUSTOMER).iter_rows()
        ]
    )


def _flagged(scene: Scene, name: str, words: str, released_by: str) -> pl.DataFrame:
    told = scene.standing("customer_attribute").filter(
        (pl.col("name") == name) & (pl.col("day") <= pl.col("cutoff_day"))
    )
    # of two that are told of one day the later word counts, as in `features.customers.default_spans`
    last = told.sort("day", "known_from", "attribute_id").unique(CUSTOMER, keep="last", maintain_order=True)
    return found(
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


HOLDS = (
    Hold("disputed", "open disputes cover all that is past due", _disputed),
    Hold("promised", "an open promise covers all that is past due and is not overdue itself", _promised),
    Hold("covered", "cash, credit notes, negative invoices and overpayments cover it: zero or negative net", _covered),
    Hold("stale", "a feed is silent: who has paid is not known", _stale),
    Hold("legal", "the attribute legal_hold is 1", _legal),
    Hold("insolvent", "the attribute insolvent is 1", _insolvent),
    Hold("contacted", "contacted too recently or too often", contacted),
    Hold("drawn", "contacted or left out by a draw within the horizon", drawn),
)


def holds(scene: Scene) -> pl.DataFrame:
    """FOUND with `hold`, of the candidates in `scene`, in the order of HOLDS."""
    parts = [h.found(scene).with_columns(hold=pl.lit(h.name)) for h in HOLDS]
    customers = scene.candidates.asks.owed.select(CUSTOMER).unique()
    return pl.concat(parts).join(customers, on=CUSTOMER, how="semi", maintain_order="left")
