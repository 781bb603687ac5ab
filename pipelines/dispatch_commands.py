"""What `duecast dispatch` does and shows."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from rich.box import SIMPLE_HEAD
from rich.table import Table

from features.errors import SourceError
from pipelines.connectors.web import tell_retries
from pipelines.deliveries import deliver
from pipelines.landscape import load_landscape
from pipelines.screen import console
from services.circuits import Circuits
from services.outbox import Fate, Outbox
from services.settings import read_settings
from services.store import Store


def dispatch_outbox(*, systems: tuple[str, ...], landscape: Path | None) -> None:
    """Deliver what is due, and show how the outbox stands; `SourceError` names systems that could not be reached."""
    tell_retries()
    settings = read_settings(landscape=landscape)
    screen, told = console(), load_landscape(settings.landscape)
    with Store(settings.state_url) as store:
        done = deliver(told, store, clock=_now, rng=Random(), systems=systems)
        outbox, resting = Outbox(store.database), Circuits(store.database).open(now=_now())
        screen.print(standing(outbox.counts(), resting))
    screen.print(f"This run: {_words(done.fates)}.")
    if done.fates[Fate.DEAD]:
        screen.print("What could not be delivered waits for you: duecast errors list")
    if done.passed_over:
        raise SourceError(f"nothing was sent to {'; nor to '.join(done.passed_over)}; its messages wait")


def standing(counts: dict[tuple[str, Fate], int], resting: dict[str, datetime]) -> Table:
    """How many messages of each system stand how, and which systems are left alone until when."""
    table = Table(box=SIMPLE_HEAD, title="The outbox")
    for column in ("system", *Fate, "left alone until"):
        table.add_column(str(column), justify="left" if column in ("system", "left alone until") else "right")
    for system in sorted({system for system, _ in counts} | set(resting)):
        numbers = [str(counts.get((system, fate), 0)) for fate in Fate]
        until = resting.get(system)
        table.add_row(system, *numbers, "" if until is None else f"{until:%Y-%m-%d %H:%M} UTC")
    return table


def _words(done: Counter[Fate]) -> str:
    return ", ".join(f"{count} {fate}" for fate, count in sorted(done.items())) or "nothing was due"


def _now() -> datetime:
    return datetime.now(UTC)
