"""Ingest a system of the landscape, whatever it is, with its calls and signs of life on record."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from features.lake import Lake
from pipelines.bank_feeds import ingest_bank
from pipelines.connections import arrivals_of, orders_of, source_of
from pipelines.ingest import ingest_source
from pipelines.landscape import Landscape
from pipelines.order_sync import sync_orders
from pipelines.run_report import Progress, RunReport
from services.calls import CallLog, Calls
from services.store import Store

CALLS_KEPT = timedelta(days=400)  # as long as anybody compares a month with that of a year ago


@dataclass(frozen=True, slots=True)
class SystemReport:
    """`complaints`: bank files that could not be read, statements that do not join, in words."""

    run: RunReport
    complaints: tuple[str, ...] = ()


def ingest_system(
    landscape: Landscape,
    name: str,
    lake: Lake,
    store: Store,
    *,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
) -> SystemReport:
    """Land what the system called `name` has that is new. Errors as of `ingest_source` and `ingest_bank`."""
    system = landscape.system(name)
    every = system.every_minutes
    Calls(store.database).forget(before=clock() - CALLS_KEPT)
    with CallLog(store.database, name, clock) as calls:
        if system.hubspot is not None:
            with orders_of(landscape, name, calls) as crm:
                erp, shown = system.hubspot.erp, progress
                sold = sync_orders(crm, name, erp, lake, store, now=clock(), progress=shown, every_minutes=every)
            return SystemReport(sold.run)
        if system.bank is None:
            with source_of(landscape, name, calls) as source:
                run = ingest_source(source, name, lake, store, now=clock(), progress=progress, every_minutes=every)
            return SystemReport(run)
        with arrivals_of(landscape, name, calls) as arrivals:
            done = ingest_bank(
                arrivals, system.bank, name, lake, store, now=clock(), progress=progress, every_minutes=every
            )
    broken = [f"{file}: {reason}" for file, reason in done.taken.broken]
    return SystemReport(done.run, (*broken, *(f"account {account}: {b.message}" for account, b in done.breaks)))
