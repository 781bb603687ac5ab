"""A simulated seller: everything its books say, when they said it, and the truth behind it.

python -m services.sandbox.world --out world/      writes a Parquet file per table, and the truth
"""

from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from features.calendars import day_start
from features.errors import DuecastError
from features.tables import TABLES
from services.sandbox import ledgers, masters
from services.sandbox.anomalies import with_anomalies
from services.sandbox.cases import dispute_draft
from services.sandbox.clerks import Clerks
from services.sandbox.contact_books import contact_drafts
from services.sandbox.facts import finished, unused
from services.sandbox.flags import flag_draft
from services.sandbox.history import happened, stream
from services.sandbox.knowledge import learnt
from services.sandbox.ledgers import ledger_ids
from services.sandbox.options import WorldOptions, add_world_arguments, world_options
from services.sandbox.orders import draw_orders, order_draft
from services.sandbox.truth import Truth, the_truth


@dataclass(frozen=True)
class World:
    """What the books say and the truth behind it.

    facts    table name -> every version of every fact as `table.schema`, also of what happens after `options.today`
    records  table name -> `changed_at` (UTC, microseconds) and `record` (the API's JSON) of the rows of `facts`
    """

    options: WorldOptions
    facts: dict[str, pl.DataFrame]
    records: dict[str, pl.DataFrame]
    truth: Truth

    def now(self, today: date | None = None) -> datetime:
        """The instant at which `today` (the options' day, where None) has begun for every entity."""
        day = today or self.options.today
        return max(day_start(day, e.time_zone) for e in self.options.entities)

    def known(self, today: date | None = None) -> dict[str, pl.DataFrame]:
        """The facts learnt before `now(today)`: what the API shows then."""
        return {name: rows.filter(pl.col("known_at") < self.now(today)) for name, rows in self.facts.items()}


def simulate(options: WorldOptions | None = None) -> World:
    """The world of these options: the same to the byte for the same options. Deterministic by `options.seed`."""
    options = options or WorldOptions()
    history = happened(options)
    clerks = Clerks(history.calendar, history.office, stream(options, "clerks"))
    news = learnt(history, clerks)
    ids = ledger_ids(history, news)
    drafts = {
        "entity": masters.entity_draft(history),
        "customer": masters.customer_draft(history, clerks),
        "customer_attribute": pl.concat([masters.attribute_draft(history, clerks), flag_draft(history)]),
    }
    orders = draw_orders(history, news, ledgers.ordered(history, clerks))
    drafts |= {
        "order": order_draft(history, orders),
        "invoice": ledgers.invoice_draft(history, news, ids, orders.invoice_ids),
        "credit_note": ledgers.credit_note_draft(history, news, ids, clerks),
        "payment": ledgers.payment_draft(history, news, ids, clerks),
        "allocation": ledgers.allocation_draft(history, news, ids, clerks),
        "fx_rate": masters.rate_draft(history, clerks),
        **contact_drafts(history, ids.invoice),
    }
    drafts["dispute"] = dispute_draft(history, news, ids, drafts["credit_note"])
    truth = the_truth(history, news, ids.invoice)
    if options.anomaly_share:
        drafts, truth = with_anomalies(drafts, history, news, truth)
    rows = {t.name: finished(t, drafts.get(t.name, unused(t)), options) for t in TABLES}
    return World(
        options=options,
        facts={name: frame.drop("changed_at", "record") for name, frame in rows.items()},
        records={name: frame.select("changed_at", "record") for name, frame in rows.items()},
        truth=truth,
    )


def main(arguments: list[str] | None = None) -> None:
    """Write a world to a folder: TABLE.parquet for every table, truth.parquet and truth_customers.parquet."""
    parser = ArgumentParser(prog="python -m services.sandbox.world", description=main.__doc__)
    add_world_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made where it is missing")
    given = parser.parse_args(arguments)
    try:
        world = simulate(world_options(given))
    except DuecastError as error:
        parser.error(str(error))
    given.out.mkdir(parents=True, exist_ok=True)
    for name, rows in world.facts.items():
        rows.write_parquet(given.out / f"{name}.parquet")
        print(f"{name:20} {len(rows):>9,} versions")
    world.truth.receivables.write_parquet(given.out / "truth.parquet")
    world.truth.customers.write_parquet(given.out / "truth_customers.parquet")


if __name__ == "__main__":
    main()
