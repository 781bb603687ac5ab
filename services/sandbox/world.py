"""A simulated seller: everything its books say, when they said it, and the truth behind it.

    python -m services.sandbox.world --out world/      writes a Parquet file per table, and the truth
"""

from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from features.calendars import day_start
from features.errors import DuecastError
from features.tables import TABLES
from services.sandbox import drafts, knowledge
from services.sandbox.behaviour import aims
from services.sandbox.calendars import Calendar
from services.sandbox.cash import draw_cash
from services.sandbox.customers import draw_customers
from services.sandbox.facts import finished, numbered
from services.sandbox.habits import draw_habits, pay_days
from services.sandbox.invoicing import draw_invoices, draw_receivables
from services.sandbox.options import WorldOptions, add_world_arguments, world_options
from services.sandbox.rates import draw_rates
from services.sandbox.settlement import Kind, settle
from services.sandbox.truth import Truth, the_truth
from services.sandbox.window import Window


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
    window = Window.of(options)
    rngs = iter(np.random.default_rng(options.seed).spawn(32))
    customers = draw_customers(options, window, next(rngs))
    calendar = Calendar(
        sorted(set(customers.countries) | {e.country for e in options.entities}), *window.calendar
    )
    habits = draw_habits(options, customers, window, next(rngs))
    pays = pay_days(calendar, habits, customers.countries, customers.payer)
    office = calendar.index([e.country for e in options.entities])
    invoices = draw_invoices(options, customers, habits, window, calendar, next(rngs))
    receivables = draw_receivables(customers, invoices)
    entity = customers.entity[receivables.customer]
    aimed = aims(receivables, habits, pays, window, next(rngs))
    settlements, ways = settle(
        receivables, aimed, habits, home=office[entity], calendar=calendar, pays=pays, rng=next(rngs)
    )
    rates = draw_rates(options, customers, *window.calendar, next(rngs))
    cash = draw_cash(receivables, settlements, customers, habits, rates, calendar, next(rngs))
    clerks = knowledge.Clerks(calendar, office, next(rngs))
    faults = knowledge.draw_feed_faults(options, window, clerks)
    first_step = np.full(len(invoices), np.iinfo(np.int64).max)
    np.minimum.at(first_step, receivables.invoice[settlements.receivable], settlements.day)
    invoice_entity = customers.entity[invoices.customer]
    invoice_news = knowledge.invoice_news(invoices, receivables, invoice_entity, first_step, clerks)
    payment_news = knowledge.payment_news(cash.payments, faults, clerks)
    allocation_news = knowledge.allocation_news(
        receivables, settlements, cash, payment_news, customers, clerks, unsafe=invoice_news.wrong[receivables.invoice]
    )
    ids = drafts.Ids(
        numbered("INV", invoice_entity, invoice_news.booked),
        numbered("PAY", cash.payments.entity, payment_news.booked),
    )
    credits = np.flatnonzero(settlements.kind == Kind.CREDIT_NOTE)
    credit_ids = numbered("CN", entity[settlements.receivable[credits]], allocation_news.booked[credits])
    made = {
        "entity": drafts.entity_draft(options, window),
        "customer": drafts.customer_draft(customers, clerks),
        "customer_attribute": drafts.attribute_draft(customers, habits, window, clerks),
        "invoice": drafts.invoice_draft(customers, invoices, receivables, invoice_news, ids, clerks),
        "credit_note": drafts.credit_note_draft(
            customers, receivables, settlements, credits, credit_ids, allocation_news.booked, ids, window, clerks
        ),
        "payment": drafts.payment_draft(customers, receivables, settlements, cash, payment_news, ids, clerks),
        "allocation": drafts.allocation_draft(
            customers, receivables, settlements, cash, allocation_news, ids, credits, credit_ids, clerks
        ),
        "fx_rate": drafts.rate_draft(options, rates, window, clerks),
    }
    rows = {t.name: finished(t, made[t.name], options) for t in TABLES}
    truth = the_truth(options, customers, habits, receivables, ids.invoice, aimed, ways, settlements, window, faults)
    return World(
        options,
        {name: frame.drop("changed_at", "record") for name, frame in rows.items()},
        {name: frame.select("changed_at", "record") for name, frame in rows.items()},
        truth,
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
