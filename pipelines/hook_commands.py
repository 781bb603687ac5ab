"""What `duecast hooks` does: land the deliveries that systems sent to the service."""

from datetime import UTC, datetime
from pathlib import Path

from features.errors import NotFound
from features.lake import Lake
from pipelines.hook_feeds import HookReport, land_webhooks
from pipelines.landscape import load_landscape
from pipelines.quarantine import write_quarantine
from pipelines.run_report import render
from pipelines.screen import Bars, console
from services.settings import Settings, read_settings
from services.store import Store
from services.webhooks import Inbox


def land_hooks(source: str | None, *, landscape: Path | None, quarantine: Path | None, lake: str | None) -> None:
    """Land what waits of one source, or of all; `NotFound` where the source never sent anything."""
    settings = read_settings(lake=lake, landscape=landscape)
    screen, now = console(), datetime.now(UTC)
    with Store(settings.state_url) as store:
        for name in _sources(store, source):
            with Bars(screen) as bars:
                every = _every_minutes(settings, name)
                done = land_webhooks(store, Lake(settings.lake), name, now, every_minutes=every, progress=bars)
            if done.run is not None:
                screen.print(render(done.run))
            if done.run is not None and quarantine is not None:
                write_quarantine(store, done.run.run_id, quarantine)
            screen.print(_remark(name, done), markup=False)


def _sources(store: Store, source: str | None) -> list[str]:
    known = list(Inbox(store.database).counts())
    if source is not None and source not in known:
        raise NotFound(f"{source!r} has never sent a webhook; those that have: {', '.join(known) or 'none'}")
    return known if source is None else [source]


def _every_minutes(settings: Settings, source: str) -> int | None:
    """As the landscape says, where there is one and it knows the source."""
    if not settings.landscape.is_file():
        return None
    systems = load_landscape(settings.landscape)
    return systems.system(source).every_minutes if source in systems.names else None


def _remark(source: str, done: HookReport) -> str:
    if done.held:
        return f"{source}: {done.held} deliveries wait for an entity that the lake does not know"
    return f"{source}: nothing waits" if done.run is None else f"{source}: all deliveries have landed"
