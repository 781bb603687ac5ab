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
from models.worklist.rows import Row
from models.worklist.settings import WorklistSettings
from models.worklist.words import counted
from models.worklist.worklist import HeldRow, Worklist
from pipelines.screen import WIDTH, console
from pipelines.worklist import as_frame, as_json, record, run_worklist
from pipelines.worklist_training import TrainedEffect, train_effect
from services.freshness import stale
from services.settings import quieten, read_settings

SHOWN, HELD_SHOWN, REASONS_SHOWN = 20, 8, 4
LANDS = "recorded: {landed} contacts in the lake ({there} were there already)"


def show_worklist(
    chosen: WorklistSettings,
    *,
    as_of: date | None,
    entity: str | None,
    despite_stale: bool,
    recorded: bool,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Make the list, show its first rows and why others are held; write and record it where asked."""
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
    _show(screen, made, silent)
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


def worklist_table(made: Worklist) -> Table:
    """The first rows of the list; its title says how it is ranked."""
    left = sum(not row.made for row in made.rows)
    title = (
        f"{counted(len(made.rows), 'contact')} for {made.day}, {left} left out by the draw\nranked by {made.ranking}"
        f"\nbeyond the capacity: {made.beyond}, not worth a contact: {made.not_worth}, held: {len(made.held)}"
    )
    table = Table(title=title, title_justify="left", width=WIDTH, pad_edge=False, box=SIMPLE_HEAD, leading=1)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("customer\ncollector", ratio=2)
    table.add_column("past due\nvalue", justify="right", no_wrap=True)
    table.add_column("do, and why", ratio=5)
    for row in made.rows[:SHOWN]:
        table.add_row(str(row.rank), _who(row), _amounts(row), escape(_why(row)))
    return table


def held_table(made: Worklist) -> Table:
    """The first of those held, each with what releases it."""
    title = f"{min(len(made.held), HELD_SHOWN)} of {len(made.held)} held"
    table = Table(title=title, title_justify="left", width=WIDTH, pad_edge=False, box=SIMPLE_HEAD)
    table.add_column("customer", no_wrap=True)
    table.add_column("why", ratio=3)
    table.add_column("released by", ratio=2)
    for row in made.held[:HELD_SHOWN]:
        table.add_row(f"{row.entity_id} {escape(row.customer_id)}", *_first_hold(row))
    return table


def effect_table(done: TrainedEffect) -> Table:
    """The average effect, and the plain one of each stratum."""
    horizon = done.effect.horizon_days
    table = Table(
        title=f"What a contact adds to the share paid within {horizon} days, in points",
        title_justify="left",
        width=WIDTH,
        box=SIMPLE_HEAD,
    )
    for column in ("of whom", "drawn", "effect", "95 %"):
        table.add_column(column, justify="left" if column == "of whom" else "right")
    everybody = done.effect.about["rows"]
    lines = [("all, model", everybody, done.effect.pooled), ("all, plain", everybody, done.plain), *done.strata]
    for words, count, found in lines:
        span = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
        table.add_row(words, f"{count:,}", f"{100 * found.effect:+.1f}", span)
    return table


def _who(row: Row) -> str:
    return escape(f"{row.entity_id} {row.customer_id}\n{row.collector or 'nobody'}")


def _amounts(row: Row) -> str:
    value = "" if row.value is None else f"\n{row.value:,.2f}"
    return f"{row.amount:,} {row.currency}{value}"


def _why(row: Row) -> str:
    return "\n".join([row.do, *row.reasons[1:REASONS_SHOWN], row.would_change[0]])


def _first_hold(row: HeldRow) -> tuple[str, str]:
    first = row.holds[0]
    more = f" (and {len(row.holds) - 1} more)" if len(row.holds) > 1 else ""
    return escape(f"{first.reason}{more}"), escape(first.released_by)


def _show(screen: Console, made: Worklist, silent: Sequence[str]) -> None:
    screen.print(worklist_table(made))
    if made.held:
        screen.print(held_table(made))
    for silence in silent:
        screen.print(f"[yellow]![/yellow] stale: {escape(silence)}")


def _write(made: Worklist, out: Path | None, json_out: Path | None) -> None:
    if json_out is not None:
        json_out.write_bytes(as_json(made))
    if out is None:
        return
    if not made.rows:
        raise BadSetting(f"--out {out}: the list is empty, there is nothing to write; --json says why")
    frame = as_frame(made.rows)
    if out.suffix == ".parquet":
        frame.write_parquet(out)
    else:
        frame.write_csv(out)
