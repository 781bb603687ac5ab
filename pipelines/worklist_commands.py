"""What `duecast worklist` does: make the list, show it, write it, record it; train what it rests on."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from features.errors import BadSetting
from features.lake import Lake
from models.worklist.phrases import points
from models.worklist.plain import Estimate, Stratum
from models.worklist.rows import Row
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import Worklist
from pipelines.answer_files import as_frame, write_frame, write_json
from pipelines.screen import console
from pipelines.worklist import record, run_worklist
from pipelines.worklist_screen import heading, held_table, sections
from pipelines.worklist_training import TrainedEffect, train_effect
from services.freshness import stale
from services.settings import quieten, read_settings

LANDS = "recorded: {landed} contacts in the lake ({there} were there already)"


def show_worklist(
    chosen: WorklistSettings,
    *,
    as_of: date | None,
    entity: str | None,
    despite_stale: bool,
    recorded: bool,
    limit: int,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Make the list, show `limit` of its rows and why others are held; write and record it where asked."""
    quieten()
    if recorded and as_of is not None and as_of > datetime.now(UTC).date() + timedelta(days=1):
        raise BadSetting(
            f"--as-of {as_of} with --record: contacts of a day to come cannot be facts; allowed: until today"
        )
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen, into = console(), Lake(settings.lake)
    # a feed that is silent today says nothing of what was known on a day of the past
    silent = stale(settings.state_url, now=datetime.now(UTC)) if as_of is None else ()
    with screen.status("making the list") as status:
        made = run_worklist(
            into,
            settings.mlruns,
            chosen,
            as_of=as_of,
            entity=entity,
            stale=() if despite_stale else silent,
            step=status.update,
        )
    _show(screen, made, silent, limit)
    _write(made, out, json_out)
    if recorded:
        landed = record(into, made)
        screen.print(LANDS.format(landed=landed.landed, there=landed.duplicates))


def train_and_show(
    *,
    lake: str | None,
    mlruns: Path | None,
    report: Path,
    seed: int,
    horizon_days: int = WorklistSettings().horizon_days,
) -> None:
    """Learn the effect of a contact, register it, show what was learnt; the table is all there is to report."""
    quieten()
    settings = read_settings(lake=lake, mlruns=mlruns)
    screen = console()
    with screen.status("training") as status:
        done = train_effect(
            Lake(settings.lake), settings.mlruns, horizon_days=horizon_days, seed=seed, step=status.update
        )
    screen.print(effect_table(done))
    about = done.effect.about
    screen.print(
        f"Champion: {done.version.label}, from {about['rows']} drawn contacts of {about['customers']} customers, "
        f"{about['held_out']} of them held out. Next: duecast worklist"
    )


def effect_table(done: TrainedEffect) -> Table:
    """The average effect, and the plain one of each stratum."""
    horizon = done.effect.horizon_days
    table = Table(
        title=f"What a contact adds to the share paid within {horizon} days, in points",
        title_justify="left",
        expand=True,
        box=SIMPLE_HEAD,
    )
    for column in ("of whom", "drawn", "effect", "95 % between"):
        table.add_column(column, justify="left" if column == "of whom" else "right")
    everybody = done.effect.about["rows"]
    both = (Stratum("all, model", everybody, done.effect.pooled), Stratum("all, plain", everybody, done.plain))
    for row in (*both, *done.strata):
        effect, span = ("", row.lacking or "") if row.found is None else _told(row.found)
        table.add_row(row.words, f"{row.contacts:,}", effect, span)
    return table


def _told(found: Estimate) -> tuple[str, str]:
    return points(found.effect), f"{points(found.low)} and {points(found.high)}"


def _show(screen: Console, made: Worklist, silent: Sequence[str], limit: int) -> None:
    screen.print(heading(made))
    for section in sections(made, limit):
        screen.print(section)
    if made.held:
        screen.print(held_table(made))
    for silence in silent:
        screen.print(f"[yellow]![/yellow] stale: {escape(silence)}")


def _write(made: Worklist, out: Path | None, json_out: Path | None) -> None:
    """The whole list with what is held as JSON; the contacts as rows, also where there are none."""
    if json_out is not None:
        write_json(made, json_out)
    if out is not None:
        write_frame(as_frame(made.rows, Row, "; ".join), out)
