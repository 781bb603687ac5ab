"""What `duecast errors ...` does: open the store, act at the desk, show what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from features.errors import BadInput
from features.lake import Lake
from pipelines.corrections.cases import Case, case_of, cases
from pipelines.corrections.desk import Desk, Person
from pipelines.corrections.edits import approval_fields
from pipelines.corrections.screen import as_json, case_lines, case_table, next_step, printable, replay_lines
from pipelines.landscape import load_landscape
from pipelines.mapping import load
from pipelines.screen import console
from services.corrections import State
from services.settings import Settings, read_settings
from services.store import Store


def list_cases(*, source: str | None, table: str | None, state: str, json_out: Path | None) -> None:
    """Show the cases of a state: `open`, `all` or one of `State`."""
    wanted = None if state in ("open", "all") else State(state)
    with Store(read_settings().state_url) as store:
        found = cases(store, source=source, table=table, state=wanted, every=state == "all")
    screen = console()
    screen.print(case_table(found, screen.width))
    if json_out is not None:
        json_out.write_text(as_json(found), encoding="utf-8")


def show_case(case_id: str) -> None:
    """Show all that is known of a case."""
    with Store(read_settings().state_url) as store:
        _say(*case_lines(case_of(store, case_id)))


def edit_case(
    case_id: str, *, changes: list[str], payload: Path | None, who: str | None, why: str, seen: int | None
) -> None:
    """Edit a case, and say what comes next."""
    if not changes and payload is None:
        raise BadInput("nothing to edit; allowed: --set field=value, or --payload FILE")
    with _desk(who) as (desk, _, settings):
        _told(desk.edit(case_id, _person(settings, why, seen), changes, payload))


def approve_case(case_id: str, *, who: str | None, why: str, seen: int | None) -> None:
    """Approve another person's edit."""
    with _desk(who) as (desk, _, settings):
        _told(desk.approve(case_id, _person(settings, why, seen)))


def discard_case(case_id: str, *, who: str | None, why: str, seen: int | None) -> None:
    """Discard a case."""
    with _desk(who) as (desk, _, settings):
        _told(desk.discard(case_id, _person(settings, why, seen)))


def replay_case(
    case_id: str,
    *,
    mapping: str | None,
    landscape: Path | None,
    lake: str | None,
    who: str | None,
    why: str,
    seen: int | None,
) -> bool:
    """Replay a case; whether it is settled now."""
    with _desk(who, lake=lake, landscape=landscape) as (desk, store, settings):
        by = _person(settings, why, seen)
        if case_of(store, case_id).kind == "delivery":
            desk.resend(case_id, by)
            _say(f"Message {case_id} is in the outbox again; the next dispatch sends it")
            return True
        declared = None if mapping is None else load(mapping)
        # a mapping says it all; a landscape that nobody named and that is not there is none
        needed = mapping is None and (landscape is not None or settings.landscape.is_file())
        systems = load_landscape(settings.landscape) if needed else None
        done = desk.land(case_id, by, Lake(settings.lake), mapping=declared, landscape=systems)
        _say(*replay_lines(case_id, done))
        return not done.reasons


@contextmanager
def _desk(
    who: str | None, *, lake: str | None = None, landscape: Path | None = None
) -> Iterator[tuple[Desk, Store, Settings]]:
    settings = read_settings(user=who, lake=lake, landscape=landscape)
    with Store(settings.state_url) as store:
        yield Desk(store, approval_fields(settings.approval_fields)), store, settings


def _person(settings: Settings, why: str, seen: int | None) -> Person:
    return Person(settings.user, datetime.now(UTC), why, seen)


def _told(case: Case) -> None:
    _say(printable(f"Case {case.case_id}: {case.standing.state}"), next_step(case))


def _say(*lines: str) -> None:
    screen = console()
    for line in lines:
        screen.print(Text(line), soft_wrap=True)
