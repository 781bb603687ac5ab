"""Expected credit losses a year before the end of a world, beside what was written off since of what was open then.

    python tests/bench/bench_credit_losses.py --seeds 1 2 3

Prints Markdown, in thousands of each entity's currency, entity by entity and, at fixed rates, all together. `flat`: an
LGD of 40 % for everybody. `own`: the ledger's own, as `duecast credit losses --own-lgd`. PD and LGD are learnt from
what was known at the cutoff. Worlds are those of `bench_credit_ledger.py`: with more `declining` customers.
"""

import argparse
from collections.abc import Mapping
from datetime import date, datetime

import polars as pl
from bench_credit_ledger import MIX, SEED

from features.book import Book
from features.customers import DefaultRule
from features.facts import Facts, standing
from features.ledger import RECEIVABLE
from features.recoveries import OwnLgd
from features.tables import INSTANT
from models.credit import risk_model
from models.credit.losses import LossSettings
from models.credit.opinions import ScoredCustomers, losses_of, own_lgd, scored
from pipelines.credit import feature_names, snapshot_frame
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

CUTOFF = date(2025, 1, 5)
IN_DOLLARS = {"US01": 1.0, "DE01": 1.1, "GB01": 1.27}
FIGURES = ("owed", "owed in default", "flat", "own", "of it in default", "written off", "of it in default then", "open")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="of the worlds")
    parser.add_argument("--customers", type=int, default=400)
    given = parser.parse_args()
    print("| world | entity | " + " | ".join(FIGURES) + " |\n|---|---|" + "---:|" * len(FIGURES))
    found = [(seed, judged(seed, given.customers)) for seed in given.seeds]
    every = summed([row for _, rows in found for row in rows.items()])
    for seed, told in [*found, ("all", every)]:
        for entity, row in {**told, "in USD": in_dollars(told)}.items():
            print(f"| {seed} | {entity} | " + " | ".join(f"{row[name] / 1000:,.0f}" for name in FIGURES) + " |")


def judged(seed: int, customers: int) -> dict[str, dict[str, float]]:
    """Entity -> FIGURES of one world, in major units of the entity's currency."""
    options = WorldOptions(seed=seed, customers=customers, years=4, invoices_per_customer_year=24, mix=MIX)
    whole, rule = Book(Facts.of(simulate(options).known())), DefaultRule()
    at = min(whole.day_start(CUTOFF, entity) for entity in whole.zones["entity_id"])
    then = Book(whole.facts.before(at))
    outcomes = then.defaults(snapshot_frame(then, rule), rule)
    model = risk_model.train(outcomes, feature_names(then), rule, seed=SEED)
    asked = scored(then, model, then.customers_as_of(at))
    own = own_lgd(asked)
    print(f"<!-- {seed}: {said(own)} -->", flush=True)
    failed = {(s.entity_id, s.customer_id) for s in asked.scores if s.default_cause is not None}
    happened = what_happened(whole, at, failed)
    return {
        entity: {
            **happened[entity],
            "flat": expected(asked, entity, None)[0],
            **dict(zip(("own", "of it in default"), expected(asked, entity, own), strict=True)),
        }
        for entity in sorted(happened)
    }


def expected(asked: ScoredCustomers, entity: str, own: Mapping[str, OwnLgd] | None) -> tuple[float, float]:
    """The loss expected on an entity's customers, at the rates of the cutoff, and that on those in default already."""
    rows = asked.exposures.filter(pl.col("open_minor") > 0).iter_rows(named=True)
    home = {
        (r["entity_id"], r["customer_id"], r["currency"]): (r["home_open_minor"] or 0) / r["open_minor"] for r in rows
    }
    told = [
        (loss.pd == 1, (loss.loss_minor or 0) * home[loss.entity_id, loss.customer_id, loss.currency] / 100)
        for loss in losses_of(asked, LossSettings(), own)
        if loss.entity_id == entity
    ]
    return sum(loss for _, loss in told), sum(loss for failed, loss in told if failed)


def what_happened(whole: Book, at: datetime, failed: set[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Entity -> what was owed at the cutoff, what of that was written off since, what is open still."""
    owed = standing(whole.states, at).filter(pl.col("open_minor") > 0, pl.col("amount_minor") > 0)
    gone = standing(whole.facts.spans("allocation"), whole.last_known()).filter(
        pl.col("kind") == "write_off", pl.col("known_from") >= at
    )
    lost = gone.group_by(RECEIVABLE).agg(lost=pl.col("amount_minor").sum())
    left = standing(whole.states, whole.last_known()).select(*RECEIVABLE, left="open_minor")
    rows = owed.join(lost, on=RECEIVABLE, how="left").join(left, on=RECEIVABLE, how="left")
    valued = whole.masters.valued(rows.with_columns(at=pl.lit(at, INSTANT)), at="at", strictly=True)
    found: dict[str, dict[str, float]] = {}
    for row in valued.sort(RECEIVABLE).iter_rows(named=True):
        sums, rate = found.setdefault(row["entity_id"], dict.fromkeys(FIGURES, 0.0)), (row["rate"] or 0.0) / 100
        amounts = {"owed": row["open_minor"], "written off": min(row["lost"] or 0, row["open_minor"])}
        if (row["entity_id"], row["customer_id"]) in failed:
            amounts |= {"owed in default": amounts["owed"], "of it in default then": amounts["written off"]}
        for name, minor in {**amounts, "open": max(row["left"] or 0, 0)}.items():
            sums[name] += minor * rate
    return found


def summed(rows: list[tuple[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Entity -> the sums of all its rows."""
    found: dict[str, dict[str, float]] = {}
    for entity, row in rows:
        sums = found.setdefault(entity, dict.fromkeys(FIGURES, 0.0))
        for name in FIGURES:
            sums[name] += row[name]
    return found


def in_dollars(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """All entities together, at fixed rates."""
    return {name: sum(row[name] * IN_DOLLARS[entity] for entity, row in rows.items()) for name in FIGURES}


def said(own: Mapping[str, OwnLgd]) -> str:
    """The shares of every entity with their cases."""
    parts = {f"{entity} {how}": getattr(lgd, how) for entity, lgd in own.items() for how in ("entering", "within")}
    return "; ".join(
        f"{name} {'none' if p.share is None else f'{p.share:.1%}'} of {p.cases}{' pooled' if p.pooled else ''}"
        for name, p in parts.items()
    )


if __name__ == "__main__":
    main()
