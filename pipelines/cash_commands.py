"""What the commands of `pipelines.cli_cash` do: open what they need, run it, show the result."""

from datetime import date
from pathlib import Path

from features.lake import Lake
from pipelines.answer_files import write_json
from pipelines.cash import Asked, explain_cash, forecast_cash, read_scenario, write
from pipelines.cash_screen import decomposition_table, forecast_tables
from pipelines.cash_training import train_cash
from pipelines.screen import console
from services.settings import quieten, read_settings


def show_forecast(
    asked: Asked,
    *,
    as_of: date | None,
    scenario: Path | None,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Forecast, write it where asked, and show a table per series."""
    settings, screen = read_settings(lake=lake, mlruns=mlruns), console()
    changes = None if scenario is None else read_scenario(scenario)
    base, beside = forecast_cash(Lake(settings.lake), settings.mlruns, asked, as_of=as_of, scenario=changes)
    if out is not None:
        write(base, beside, out)
    if json_out is not None:
        write_json({"base": base, "scenario": beside}, json_out)
    for table in forecast_tables(base, beside):
        screen.print(table)
    screen.print(f"Resting on {base.rests_on}, {base.draws:,} draws. Why an earlier one was off: duecast cash explain")


def train_and_show(*, lake: str | None, mlruns: Path | None, report: Path, seed: int) -> None:
    """Train, register, promote, and say what was learnt, which is all there is to report."""
    quieten()
    settings, screen = read_settings(lake=lake, mlruns=mlruns), console()
    with screen.status("training") as status:
        done = train_cash(Lake(settings.lake), settings.mlruns, seed=seed, step=status.update)
    told = done.model.dependence
    screen.print(
        f"Payment days in common: {told.entity_share:.0%} by entity, {told.customer_share:.0%} by customer; "
        f"a receivable goes with its run {told.usual_bundling:.0%} of the time"
    )
    screen.print(f"Champion: {done.version.label}, resting on {done.model.rests_on}. Next: duecast cash")


def show_decomposition(
    *, since: date, until: date, json_out: Path | None, lake: str | None, mlruns: Path | None, seed: int
) -> None:
    """Why a past forecast was off."""
    quieten()
    settings, screen = read_settings(lake=lake, mlruns=mlruns), console()
    with screen.status("forecasting as of then"):
        told = explain_cash(Lake(settings.lake), settings.mlruns, since=since, until=until, seed=seed)
    if json_out is not None:
        write_json(told, json_out)
    screen.print(decomposition_table(told))
