"""What a contact is worth, measured where the truth is known.

    python tests/bench/bench_worklist.py --seeds 1 2 3 --json worklist.json

Sandbox worlds with collectors at work. Two tables:
reverse     bad payers are contacted more, half of the contacts by a draw: the naive comparison of the contacted with
            the others who owed at the same time, our estimates from the drawn contacts, and the truth of those contacts
incremental a known effect that differs by kind of payer: cash within the horizon that contacts bring in, at equal
            capacity, week by week after the day on which everything was trained, by the truth's potential outcomes
"""

import argparse
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.calendars import day_start
from features.facts import Facts
from features.ledger import RECEIVABLE
from models.worklist.asks import asks
from models.worklist.candidates import PaymentDates, with_paid_anyway
from models.worklist.effect import ContactEffect
from models.worklist.effect_features import effect_features
from models.worklist.estimation import fit_effect
from models.worklist.experiment import contact_rows, experiment, outcomes
from models.worklist.past_due import CONTACTED, past_due
from models.worklist.plain import ipw_estimate
from models.worklist.settings import WorklistSettings
from models.worklist.value import value_at_risk, value_of_contact
from pipelines.train import learner
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import DEFAULT_ENTITIES, WorldOptions
from services.sandbox.world import World, simulate

Floats = NDArray[np.float64]
About = Callable[[Book, pl.DataFrame], pl.DataFrame]
NEAR_DAYS = 3  # the naive comparison calls alone who was not contacted within so many days
HORIZON, CAPACITY_SHARE, TEST_DAYS, RANDOM_DRAWS = 14, 0.2, 180, 50
SETTINGS = WorklistSettings(horizon_days=HORIZON)
POLICIES = ("ours", "value at risk", "risk", "random", "knows the truth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the worlds; built looking at 1 to 3"
    )
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--parts", nargs="+", default=["reverse", "incremental"], help="reverse, incremental")
    parser.add_argument("--holdout", type=float, default=0.3, help="of the drawn contacts")
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    found: dict[str, list[dict[str, object]]] = {}
    if "reverse" in given.parts:
        found["reverse"] = [
            reverse(seed, effect, given.customers, given.holdout)
            for effect in ("none", "same", "by_type")
            for seed in given.seeds
        ]
        show("Share paid within 14 days that a contact adds, in points (95 %)", found["reverse"])
        print(
            f"\n{sum(bool(r['inside']) for r in found['reverse'])} of {len(found['reverse'])} intervals hold the truth."
        )
    if "incremental" in given.parts:
        found["incremental"] = spread_over([incremental(seed, given.customers, given.holdout) for seed in given.seeds])
        show(f"Incremental cash in {HORIZON} days at {CAPACITY_SHARE:.0%} of the contacts", found["incremental"])
    if given.json:
        given.json.write_text(json.dumps(found, indent=1, default=str))


def show(title: str, rows: list[dict[str, object]]) -> None:
    """A Markdown table."""
    print(f"\n**{title}**\n")
    print(f"| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        print(f"| {' | '.join(str(v) for v in row.values())} |", flush=True)


# --- reverse causation --------------------------------------------------------------------------------------------


def reverse(seed: int, effect: str, customers: int, holdout: float) -> dict[str, object]:
    """One world: the naive estimate, the two of ours, and the truth of the drawn contacts."""
    chosen = ContactOptions(policy="by_risk", effect=effect, randomised_share=0.5, holdout_share=holdout)
    world = simulate(WorldOptions(seed=seed, customers=customers, contacts=chosen))
    book, now = Book(Facts.of(world.known())), world.now()
    rows = experiment(book, now, HORIZON)
    fitted = fit_effect(rows, HORIZON, seed=seed)
    plain = ipw_estimate(rows)
    truth = float(np.mean(true_shares(world, book, rows)))

    def told(estimate: object) -> str:
        e, low, high = (100 * getattr(estimate, name) for name in ("effect", "low", "high"))
        return f"{e:+.1f} ({low:+.1f} to {high:+.1f})"

    return {
        "effect": effect,
        "seed": seed,
        "drawn": len(rows),
        "truth": f"{100 * truth:+.1f}",
        "naive, all past due": f"{100 * naive(book, now, all_past_due):+.1f}",
        "naive, same items": f"{100 * naive(book, now, what_is_asked):+.1f}",
        "ours": told(fitted.pooled),
        "inside": fitted.pooled.low <= truth <= fitted.pooled.high,
        "plain IPW": told(plain),
    }


def all_past_due(book: Book, contacted: pl.DataFrame) -> pl.DataFrame:
    """Disputed, promised and covered items too."""
    owed = past_due(book, contacted)
    return owed.with_columns(asked_minor="open_minor")


def what_is_asked(book: Book, contacted: pl.DataFrame) -> pl.DataFrame:
    """The items that our own estimates are about."""
    return asks(book, contacted).items


def naive(book: Book, now: datetime, about: About) -> float:
    """Paid within the horizon: those contacted less those who owed on the same Wednesdays and were left alone."""
    contacts = contact_rows(book, now)
    last = now.date() - timedelta(days=HORIZON + 7)
    made = contacts.filter("made", pl.col("cutoff_day") <= last)
    first = made["cutoff_day"].min()
    assert isinstance(first, date)
    wednesdays = [d for k in range((last - first).days) if (d := first + timedelta(days=k)).weekday() == 2]
    everybody = book.masters.customers.select("entity_id", "customer_id").unique()
    days = pl.DataFrame({"cutoff_day": wednesdays[::2]})
    zones = dict(book.zones.select("entity_id", "time_zone").iter_rows())
    at = everybody.join(days, how="cross")
    cutoffs = [day_start(d, zones[e]) for e, d in at.select("entity_id", "cutoff_day").iter_rows()]
    others = at.with_columns(pl.Series("cutoff", cutoffs).cast(pl.Datetime("ms", "UTC")))
    near = contacts.filter("made").select("entity_id", "customer_id", near="cutoff_day")
    touched = others.join(near, on=["entity_id", "customer_id"]).filter(
        (pl.col("near") - pl.col("cutoff_day")).dt.total_days().is_between(-NEAR_DAYS, NEAR_DAYS)
    )
    alone = others.join(touched, on=["entity_id", "customer_id", "cutoff_day"], how="anti")
    means = []
    for rows in (made, alone):
        asked = about(book, rows.select(CONTACTED))
        late = asked.group_by(CONTACTED).agg(pl.col("past_due_days").max())
        late = late.filter(pl.col("past_due_days").is_between(3, 120))
        owed = asked.join(late.select(CONTACTED), on=CONTACTED, how="semi")
        means.append(float(outcomes(book, owed, now, HORIZON)["paid_share"].to_numpy().mean()))
    return means[0] - means[1]


def true_shares(world: World, book: Book, rows: pl.DataFrame) -> Floats:
    """(n,) of what each contact was about as known then, the share that the contact brings within the horizon."""
    asked = asks(book, rows.select(CONTACTED)).items.join(rows.select(*CONTACTED, "contact_id"), on=CONTACTED)
    horizon = pl.col("cutoff_day") + pl.duration(days=HORIZON)
    gained = (pl.col("day_with") <= horizon).fill_null(value=False).cast(pl.Int64) - (
        pl.col("day_without") <= horizon
    ).fill_null(value=False).cast(pl.Int64)
    truth = world.truth.contacts.select("contact_id", *RECEIVABLE, "day_with", "day_without")
    told = asked.join(truth, on=["contact_id", *RECEIVABLE], how="left").with_columns(_gained=gained)
    value = pl.col("asked_minor") * pl.col("rate")
    shares = told.group_by(CONTACTED).agg(true=(value * pl.col("_gained")).sum() / value.sum())
    found: Floats = rows.join(shares, on=CONTACTED, how="left", maintain_order="left")["true"].fill_null(0.0).to_numpy()
    return found


# --- incremental cash ---------------------------------------------------------------------------------------------


def incremental(seed: int, customers: int, holdout: float) -> dict[str, float]:
    """Policy -> share of all the cash that contacts could bring."""
    chosen = ContactOptions(effect="by_type", holdout_share=holdout)
    world = simulate(WorldOptions(seed=seed, customers=customers, contacts=chosen, entities=DEFAULT_ENTITIES[:1]))
    book = Book(Facts.of(world.facts))
    split = world.options.today - timedelta(days=TEST_DAYS)
    before = world.now(split)
    past = Book(book.facts.before(before))
    effect = fit_effect(experiment(past, before, HORIZON), HORIZON, seed=seed)
    model = learner(past, seed)(past.labelled(past.features(past.at_issue(date.min, split)), before), before)
    table, told = asked_of(book, before, world.now(), effect, model)
    amount, p = table["amount"].fill_null(0.0).to_numpy(), table["anyway"].fill_null(1.0).to_numpy()
    gain = true_shares(world, book, table) * amount
    ours = [
        value_of_contact(
            float(amount[k]), float(p[k]), settings=SETTINGS, **{n: float(told[n][k]) for n in told.columns}
        ).score
        for k in range(len(amount))
    ]
    at_risk = [value_at_risk(float(a), float(q)).score for a, q in zip(amount, p, strict=True)]
    scores: dict[str, Callable[[int], Floats]] = {
        "ours": lambda _: np.array(ours),
        "value at risk": lambda _: np.array(at_risk),
        "risk": lambda _: 1.0 - p,
        "random": lambda draw: np.random.default_rng(draw).random(len(p)),
        "knows the truth": lambda _: gain,
    }
    weeks = table["cutoff_day"].dt.truncate("1w").rank("dense").to_numpy().astype(np.int64)
    brought = {
        name: float(
            np.mean([chosen_gain(score(d), gain, weeks) for d in range(RANDOM_DRAWS if name == "random" else 1)])
        )
        for name, score in scores.items()
    }
    everything = float(np.maximum(gain, 0.0).sum())
    figures = {f"{name}, share": brought[name] / everything for name in POLICIES}
    figures |= {f"{name}, thousands": brought[name] / 1000 for name in POLICIES}
    figures["contacts"] = float(len(table))
    return figures


def asked_of(
    book: Book, since: datetime, now: datetime, effect: ContactEffect, model: PaymentDates
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The contacts from `since` with `amount` and share paid `anyway` of what each is about, and their effects."""
    pool = contact_rows(book, now).filter(pl.col("cutoff") >= since)
    asked = asks(book, pool.select(CONTACTED)).items
    features = effect_features(book, asked)
    pool = pool.join(features.select(CONTACTED), on=CONTACTED, how="semi").unique(CONTACTED, maintain_order=True)
    features = pool.select(CONTACTED).join(features, on=CONTACTED, how="left", maintain_order="left")
    cents = pl.col("asked_cents")
    sums = (
        with_paid_anyway(book, asked, model, HORIZON)
        .group_by(CONTACTED)
        .agg(amount=cents.sum() / 100, anyway=(cents * pl.col("paid_anyway")).sum() / cents.sum())
    )
    return pool.join(sums, on=CONTACTED, how="left", maintain_order="left"), effect.effects(features)


def chosen_gain(score: Floats, gain: Floats, weeks: NDArray[np.int64]) -> float:
    """What the best CAPACITY_SHARE of each week's contacts by `score` bring."""
    total = 0.0
    for week in np.unique(weeks):
        at = np.flatnonzero(weeks == week)
        room = max(round(CAPACITY_SHARE * len(at)), 1)
        total += float(gain[at[np.argsort(-score[at], kind="stable")[:room]]].sum())
    return total


def spread_over(worlds: list[dict[str, float]]) -> list[dict[str, object]]:
    """One row per policy: mean and range over the worlds."""
    rows: list[dict[str, object]] = []
    for name in POLICIES:
        share = np.array([100 * w[f"{name}, share"] for w in worlds])
        cash = np.array([w[f"{name}, thousands"] for w in worlds])
        lead = np.array([w["ours, thousands"] / w[f"{name}, thousands"] for w in worlds])
        rows.append(
            {
                "ranked by": name,
                "cash, thousands": f"{cash.mean():,.0f} ({cash.min():,.0f} to {cash.max():,.0f})",
                "of all there is": f"{share.mean():.0f} % ({share.min():.0f} to {share.max():.0f})",
                "ours against it": f"x {np.median(lead):.2f} ({lead.min():.2f} to {lead.max():.2f})",
            }
        )
    return rows


if __name__ == "__main__":
    main()
