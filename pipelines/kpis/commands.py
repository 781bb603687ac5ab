"""What `duecast kpis integration` does: gather the figures, show them, write them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from features.errors import BadSetting
from features.lake import Lake
from pipelines.answer_files import write_json
from pipelines.kpis.integration import integration_kpis, unattended_banks
from pipelines.kpis.screen import render
from pipelines.landscape import load_landscape
from pipelines.screen import console
from services.settings import quieten, read_settings
from services.store import Store
from services.work_done import Period

DAYS = 30


def show_integration_kpis(
    *,
    since: date | None,
    until: date | None,
    cost_of_capital: float,
    json_out: Path | None,
    landscape: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """The figures of the period: the last 30 days where nobody says otherwise. Without a landscape no bank is known."""
    quieten()
    settings = read_settings(lake=lake, mlruns=mlruns, landscape=landscape)
    declared = landscape is not None or settings.landscape.is_file()
    unattended = unattended_banks(load_landscape(settings.landscape)) if declared else set()
    with Store(settings.state_url) as store:
        found = integration_kpis(
            Lake(settings.lake),
            store.database,
            period_of(since, until, datetime.now(UTC)),
            mlruns=settings.mlruns,
            cost_of_capital=Decimal(str(cost_of_capital)) / 100,
            unattended=unattended,
        )
    console().print(render(found))
    if json_out is not None:
        write_json(found, json_out)


def period_of(since: date | None, until: date | None, now: datetime) -> Period:
    """From the start of `since` to the start of `until`, in UTC; to `now`, and 30 days, where they are left out."""
    end = now if until is None else _start(until)
    start = _days_before(end) if since is None else _start(since)
    if start >= end:
        raise BadSetting(f"--since {start:%Y-%m-%d} --until {end:%Y-%m-%d}: allowed: an end after its start")
    return Period(start, end)


def _days_before(end: datetime) -> datetime:
    try:
        return end - timedelta(days=DAYS)
    except OverflowError:
        raise BadSetting(
            f"--until {end.date()}: there are no {DAYS} days before it; allowed: a later day, or --since"
        ) from None


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
