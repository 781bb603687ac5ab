"""What an open promise to pay is worth for the payment date, measured where the truth is known.

    python tests/bench/bench_promises.py --seeds 1 2 3 --json promises.json

Sandbox worlds with collectors at work. The model is trained on what was known 180 days before the end; from then on,
every receivable with an open promise is asked about each Wednesday, with what was known that day:
without    the model alone
entity's   with the promise, as if the customer kept as many as all of its entity's customers
own        with the promise and the customer's own kept rate, as it is served
truth      with the rate with which the world drew whether the customer keeps its promises
CRPS in days; what is gained comes with a bootstrap over customers.
"""

import argparse
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.facts import Facts
from features.ledger import RECEIVABLE
from features.promises import promises_known
from models import metrics
from models.distribution import Distribution
from models.payment_date import PaymentDateModel
from models.promises import Promise, Promises, with_promises
from pipelines.train import learner
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import DEFAULT_ENTITIES, WorldOptions
from services.sandbox.world import World, simulate

Floats = NDArray[np.float64]
TEST_DAYS, DRAWS = 180, 2000
WAYS = ("without", "entity's", "own", "truth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the worlds; built on 1 to 3")
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    parts = []
    for seed in given.seeds:
        parts.append(losses(seed, given.customers))
        row = figures(str(seed), parts[-1])
        if len(parts) == 1:
            print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
        print(f"| {' | '.join(row.values())} |", flush=True)
    pooled = figures("all", pl.concat(parts))
    print(f"| {' | '.join(pooled.values())} |")
    if given.json:
        found = [figures(str(seed), part) for seed, part in zip(given.seeds, parts, strict=True)]
        given.json.write_text(json.dumps([*found, pooled], indent=1))


def losses(seed: int, customers: int) -> pl.DataFrame:
    """One row per receivable and Wednesday: `customer`, `kept`, and the CRPS and chance of payment in time each way."""
    contacts = ContactOptions(effect="by_type", holdout_share=0.3)
    world = simulate(WorldOptions(seed=seed, customers=customers, contacts=contacts, entities=DEFAULT_ENTITIES[:1]))
    book = Book(Facts.of(world.facts))
    split = world.options.today - timedelta(days=TEST_DAYS)
    model = trained(world, book, split, seed)
    days = [split + timedelta(days=k) for k in range(TEST_DAYS)]
    looks = [look(world, book, model, day) for day in days if day.weekday() == 2]
    rows = pl.concat([one for one in looks if one is not None])
    return rows.with_columns(customer=pl.concat_str(pl.lit(f"{seed} "), "customer"))


def trained(world: World, book: Book, split: date, seed: int) -> PaymentDateModel:
    """The model as it would have been at the start of the day `split`."""
    before = world.now(split)
    past = Book(book.facts.before(before))
    return learner(past, seed)(past.labelled(past.features(past.at_issue(date.min, split)), before), before)


def look(world: World, book: Book, model: PaymentDateModel, day: date) -> pl.DataFrame | None:
    """All that is promised on one day; None where nothing is."""
    as_of = world.now(day)
    truth = world.truth.receivables.select(*RECEIVABLE, paid="paid_date", gone="cancelled")
    subjects = book.open_receivables(as_of).join(truth, on=RECEIVABLE, maintain_order="left")
    told = Promises(book, model).of(subjects)
    # what the books do not know to be paid yet, or what is settled otherwise, has no day to be judged by
    judged = (~pl.col("gone") & (pl.col("paid") >= pl.col("cutoff_day"))).fill_null(value=False)
    keep = [k for k, ok in enumerate(subjects.select(judged).to_series()) if ok and told[k] is not None]
    if not keep:
        return None
    rows, promises = subjects[keep], [promise for k in keep if (promise := told[k]) is not None]
    own = model.distribution(book.features(rows.drop("paid", "gone")))
    wait = (rows["paid"] - rows["cutoff_day"]).dt.total_days().to_numpy().astype(np.int64)
    last = np.array([np.datetime64(p.said["due_by"]) for p in promises])
    entity = promises_known(book, as_of).rates.select(pl.col("kept").sum() / pl.col("due").sum()).item()
    true = dict(world.truth.promises.select("promise_id", "kept_rate").iter_rows())
    seen: dict[str, Distribution] = {
        "without": own,
        "entity's": with_promises(own, [rated(p, entity) for p in promises])[0],
        "own": with_promises(own, promises)[0],
        "truth": with_promises(own, [rated(p, true[p.said["promise_id"]]) for p in promises])[0],
    }
    return pl.DataFrame(
        {"customer": rows["customer_id"], "kept": rows["paid"].to_numpy() <= last}
        | {f"crps {way}": metrics.crps(one, wait) for way, one in seen.items()}
        | {f"chance {way}": one.paid_by(last) for way, one in seen.items()}
    )


def rated(promise: Promise, rate: float) -> Promise:
    """The same by a customer with that kept rate."""
    return replace(promise, said=promise.said | {"kept_rate": rate})


def figures(name: str, rows: pl.DataFrame) -> dict[str, str]:
    """A row of the table."""
    return {
        "seed": name,
        "rows": str(len(rows)),
        "customers": str(rows["customer"].n_unique()),
        **{f"CRPS {way}": f"{rows[f'crps {way}'].mean():.2f}" for way in WAYS},
        "gained by the promise (95 %)": gained(rows, "without"),
        "by the own rate (95 %)": gained(rows, "entity's"),
        "in time": f"{rows['kept'].mean():.2f}",
        "said without": f"{rows['chance without'].mean():.2f}",
        "said with": f"{rows['chance own'].mean():.2f}",
        "Brier without": f"{brier(rows, 'without'):.3f}",
        "Brier with": f"{brier(rows, 'own'):.3f}",
    }


def brier(rows: pl.DataFrame, way: str) -> float:
    """Mean squared error of the chance of payment in time."""
    return float(np.square(rows[f"chance {way}"].to_numpy() - rows["kept"].to_numpy()).mean())


def gained(rows: pl.DataFrame, way: str) -> str:
    """CRPS of that way less that of our own, in days; drawn again by customer, since its rows go together."""
    gain = (pl.col(f"crps {way}") - pl.col("crps own")).sum()
    sums = rows.group_by("customer", maintain_order=True).agg(gain=gain, rows=pl.len())
    total, count = sums["gain"].to_numpy(), sums["rows"].to_numpy()
    at = np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))
    means = total[at].sum(axis=1) / count[at].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{total.sum() / count.sum():+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
