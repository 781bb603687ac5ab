"""What `duecast kpis collections` and `duecast kpis provision` do: compute the figures, show them, write them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from features.book import Book
from features.errors import BadSetting
from features.facts import Facts
from features.kpis.engine import collection_kpis
from features.kpis.loss_rates import LossRates, derived_rates
from features.kpis.provision import provision, total
from features.kpis.settings import KpiSettings
from features.lake import Lake
from pipelines.answer_files import write_json
from pipelines.kpis.collections_screen import definitions_text, kpi_tables, said
from pipelines.kpis.provision_screen import provision_tables
from pipelines.kpis.rates_file import read_rates
from pipelines.screen import console
from services.settings import read_settings

DERIVED = "rates: of what was owed, the share written off or still owed a year later, in 12 looks 30 days apart"
NO_RATE = "A rate for what has none: --oldest-loss PERCENT for 90+, or --rates FILE"
OTHER_LOSS = (
    "Lifetime losses of receivables by days past due. `duecast credit losses` says another thing: those of customers "
    "that go into default within its horizon"
)


def show_collection_kpis(
    *,
    as_of: date | None,
    settings: KpiSettings,
    by: str,
    group_currency: str | None,
    definitions: bool,
    limit: int,
    json_out: Path | None,
    lake: str | None,
) -> None:
    """Show the KPIs as of a day (of all that is known, where none is named), and write all of them where asked."""
    book, at = _asked(lake, as_of)
    found = collection_kpis(book, at, by=by, settings=settings, group_currency=group_currency)
    screen = console()
    for part in kpi_tables(found, limit):
        screen.print(part)
    if definitions:
        screen.print(definitions_text(found))
    if json_out is not None:
        write_json(found, json_out)


def show_provision(
    *,
    as_of: date | None,
    rates: Path | None,
    oldest_loss: float | None,
    factor: float | None,
    by: Sequence[str],
    json_out: Path | None,
    lake: str | None,
) -> None:
    """Show the provision matrix by the rates of a file, or by those that the past has shown where there is none."""
    if rates is not None and oldest_loss is not None:
        raise BadSetting("--oldest-loss does not go with --rates, whose 90+ says it; allowed: one of the two")
    given = None if rates is None else read_rates(rates)
    book, at = _asked(lake, as_of)
    if given is None:
        used, forward = derived_rates(book, at, oldest_rate=_share(oldest_loss)), Decimal(1)
    else:
        given.require_known(_scopes(book), by=by)
        used, forward = list(given.rates), given.factor
    forward = forward if factor is None else Decimal(str(factor))
    cells = provision(book, at, used, by=by, factor=forward)
    screen = console()
    screen.print(f"Provision matrix as of {said(at.isoformat())}, {_basis(rates, forward)}")
    for part in provision_tables(cells, total(cells)):
        screen.print(part)
    if given is None and "none" in cells["availability"].to_list():
        screen.print(NO_RATE)
    screen.print(OTHER_LOSS, style="dim")
    if json_out is not None:
        write_json(_provision_json(at, rates, forward, used, cells), json_out)


def _asked(lake: str | None, as_of: date | None) -> tuple[Book, date | datetime]:
    book = Book(Facts.read(Lake(read_settings(lake=lake).lake)))
    return book, book.last_known() if as_of is None else as_of


def _scopes(book: Book) -> dict[str, pl.DataFrame]:
    """Currency and segment -> entity_id and those that it ever had, on whatever day."""
    entities = book.zones.select("entity_id")
    return {
        "currency": entities.join(book.states.select("entity_id", "currency").unique(), on="entity_id", how="left"),
        "segment": book.facts.tables["customer"].select("entity_id", "segment").unique(),
    }


def _share(percent: float | None) -> Decimal | None:
    return None if percent is None else Decimal(str(percent)) / 100


def _basis(rates: Path | None, factor: Decimal) -> str:
    source = DERIVED if rates is None else f"rates of {rates}"
    return source if factor == 1 else f"{source}, times {factor}"


def _provision_json(
    at: date | datetime, rates: Path | None, factor: Decimal, used: Sequence[LossRates], cells: pl.DataFrame
) -> dict[str, Any]:
    return {
        "as_of": at,
        "basis": "derived" if rates is None else "given",
        "forward_looking_factor": factor,
        "loss_rates": used,
        "cells": cells.to_dicts(),
        "totals": total(cells).to_dicts(),
    }
