"""What `duecast anomalies` does: trains, lists, shows one, keeps a verdict; shows it and writes it to files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from features.errors import BadSetting
from features.facts import Facts
from features.lake import Lake
from models.anomalies.alerts import Alert, Budget
from models.anomalies.model import EXPECTED_RATE
from models.champion import ANOMALIES, ready
from pipelines.anomaly_limits import read_limits
from pipelines.anomaly_screen import Shown, heading, page, table
from pipelines.anomaly_training import train_anomalies
from pipelines.answer_files import write_answers, write_json
from pipelines.screen import console
from services.alerts import AlertVerdicts, OnRecord, on_record, verdict_on
from services.anomaly_desk import AnomalyDesk
from services.settings import quieten, read_settings
from services.store import Store

DAYS, LIMIT, LONGEST_DAYS = 30, 20, 100_000


@contextmanager
def _desk(lake: str | None, mlruns: Path | None) -> Iterator[tuple[AnomalyDesk, AlertVerdicts, OnRecord, str]]:
    """The desk, where verdicts are kept, what is on record, and the model's label."""
    settings = read_settings(lake=lake, mlruns=mlruns)
    version, model = ready(settings.mlruns, ANOMALIES)
    with Store(settings.state_url) as store:
        desk = AnomalyDesk(model, Facts.read(Lake(settings.lake)))
        yield desk, AlertVerdicts(store.database), on_record(store.database), version.label


def train_and_show(
    *,
    lake: str | None,
    mlruns: Path | None,
    report: Path,
    seed: int,
    limits: Path | None = None,
    odd_rate: float = EXPECTED_RATE,
) -> None:
    """Train with all verdicts, register, promote. There is nothing to report: what is odd is known to people only."""
    quieten()
    settings, screen = read_settings(lake=lake, mlruns=mlruns), console()
    source = Lake(settings.lake)
    with Store(settings.state_url) as store, screen.status("training") as status:
        done = train_anomalies(
            source,
            settings.mlruns,
            verdicts=AlertVerdicts(store.database).standing().values(),
            limits=read_limits(limits, Facts.read(source)),
            expected_rate=odd_rate,
            seed=seed,
            step=status.update,
        )
    about = done.model.about
    screen.print(
        f"Champion: {done.version.label}, of {about['documents']:,} documents and {about['verdicts']} verdicts"
    )
    screen.print("Next: duecast anomalies list")


@dataclass(frozen=True, slots=True)
class Window:
    """Of which time alerts are listed, and which of them are shown.

    days   so many days up to the day asked about; None: `DAYS`, unless `since` or `all_of_them`
    limit  at most so many are shown; files hold all of them

    `BadSetting` for two answers to one question, and for none.
    """

    days: int | None = None
    since: date | None = None
    all_of_them: bool = False
    limit: int = LIMIT

    def __post_init__(self) -> None:
        """`BadSetting` for a window that cannot be."""
        if self.days is not None and self.since is not None:
            raise BadSetting(f"--days {self.days} and --since {self.since}; allowed: one of them")
        if self.days is not None and not 1 <= self.days <= LONGEST_DAYS:
            raise BadSetting(f"--days {self.days}; allowed: 1 to {LONGEST_DAYS:,}, or --all")
        if self.limit < 1:
            raise BadSetting(f"--limit {self.limit}; allowed: 1 or more")

    def first_day(self, asked: date) -> date | None:
        """From which day on, where the answer is as of the day `asked`; None: from the first."""
        if self.since is not None or (self.all_of_them and self.days is None):
            return self.since
        days = self.days or DAYS
        return asked - timedelta(days=days) if (asked - date.min).days > days else None


def list_alerts(
    *,
    budget: Budget,
    window: Window,
    as_of: date | None,
    entity: str | None,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """The alerts within the budget, what could not be compared, and which rules could not speak."""
    with _desk(lake, mlruns) as (desk, _, record, label):
        since = window.first_day(desk.asked_day(as_of))
        told = desk.alerts(budget, record, since=since, entity=entity, as_of=as_of)
    screen, shown = console(), Shown(window.limit, mended=window.all_of_them, since=since)
    screen.print(heading(told, shown), markup=False)
    screen.print(table(told, shown))
    if told.availability_reason is not None:
        screen.print(f"! {told.availability}: {told.availability_reason}", markup=False)
    for words in told.silent:
        screen.print(f"! {words}", markup=False)
    if json_out is not None:
        write_json({"model": label, "as_of": as_of, "since": since, **vars(told)}, json_out)
    if out is not None:
        write_answers(told.alerts, Alert, out)
        screen.print(f"Written: {out}", markup=False)


def show_alert(
    alert_id: str, *, as_of: date | None, json_out: Path | None, lake: str | None, mlruns: Path | None
) -> None:
    """One alert with all of its evidence and what was said of it."""
    with _desk(lake, mlruns) as (desk, _, record, _):
        alert, history = desk.alert(alert_id, record, as_of=as_of), desk.then(record, as_of).history(alert_id)
    console().print(page(alert, history), markup=False)
    if json_out is not None:
        write_json({**msgspec.to_builtins(alert), "verdicts": history}, json_out)


def judge_alert(
    alert_id: str, verdict: str, *, who: str | None, why: str, lake: str | None, mlruns: Path | None
) -> None:
    """Keep a verdict and say what follows from it."""
    person = read_settings(user=who).user
    with _desk(lake, mlruns) as (desk, verdicts, record, _):
        said = verdict_on(desk.alert(alert_id, record), verdict, who=person, why=why, at=datetime.now(UTC))
        verdicts.add(said)
    screen = console()
    screen.print(f"{alert_id}: {said.verdict}, says {said.who}. It is told no more.", markup=False)
    screen.print("`duecast train anomalies` learns from it.", markup=False)
