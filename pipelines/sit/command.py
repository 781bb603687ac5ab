"""`duecast sit`: examine a system of the landscape, show the verdict, write it down where asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from features.errors import BadSetting
from pipelines.connectors.web import hush_retries
from pipelines.landscape import Landscape, kind_of, load_landscape
from pipelines.screen import console
from pipelines.sit.check import run_checks
from pipelines.sit.checks import checks_of
from pipelines.sit.html import as_html
from pipelines.sit.report import SitReport, as_json, as_junit, terminal
from pipelines.sit.subject import EXAMINED, Patience, subject_of
from services.settings import read_settings
from services.signatures import read_secrets


def examine(
    landscape: Landscape,
    name: str,
    *,
    now: datetime,
    write: bool = False,
    secret: bytes | None = None,
    patience: Patience | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> SitReport:
    """Run every check that fits the system called `name`. Production state is never touched.

    write   make and remove records in the system's `test_entity`
    secret  with which its webhooks are signed, if it sends any
    `NotFound` and `BadSetting` for what the landscape does not have or says wrongly; whatever the system does wrong is
    a failed check.
    """
    system = landscape.system(name)
    if kind_of(system) not in EXAMINED:
        allowed = ", ".join(EXAMINED)
        raise BadSetting(
            f"{landscape.file}: systems.{name} is a {kind_of(system)}, which is not examined; allowed: {allowed}"
        )
    if write and system.test_entity is None:
        raise BadSetting(f"{landscape.file}: systems.{name} has no test_entity; allowed with --write: a test company")
    with subject_of(landscape, name, now=now, write=write, secret=secret, patience=patience) as subject:
        results = run_checks(checks_of(subject), subject, tell=tell)
    return SitReport(name, kind_of(system), now, tuple(results))


def sit(
    target: str,
    *,
    landscape: Path | None,
    write: bool,
    json_out: Path | None,
    junit: Path | None,
    html: Path | None,
) -> bool:
    """Examine, show and write the report; whether it is a go."""
    hush_retries()  # some are provoked, and the check `steady` tells of the others
    settings, screen = read_settings(landscape=landscape), console()
    systems = load_landscape(settings.landscape)
    secrets = read_secrets(settings.webhook_secrets).get(target, ())
    with screen.status("examining") as status:
        report = examine(
            systems, target, now=datetime.now(UTC), write=write, secret=next(iter(secrets), None), tell=status.update
        )
    screen.print(terminal(report))
    for path, written in ((json_out, as_json), (junit, as_junit), (html, lambda r: as_html(r).encode())):
        if path is not None:
            path.write_bytes(written(report))
    return report.go
