"""What `duecast anomalies` shows and writes: tables of at most 100 columns, and the same as JSON."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from features.facts import Facts
from features.lake import Lake
from models.anomalies.alerts import GOES_ON, Alert, Budget
from models.anomalies.model import EXPECTED_RATE
from models.anomalies.wording import money
from models.champion import ANOMALIES, ready
from pipelines.anomaly_limits import read_limits
from pipelines.anomaly_training import train_anomalies
from pipelines.screen import WIDTH, console
from services.alerts import AlertVerdicts, Verdict, verdict_on
from services.anomaly_desk import AnomalyDesk, Found
from services.settings import quieten, read_settings
from services.store import Store


@contextmanager
def _desk(lake: str | None, mlruns: Path | None) -> Iterator[tuple[AnomalyDesk, AlertVerdicts, str]]:
    """The desk, what people said, and the model's label."""
    settings = read_settings(lake=lake, mlruns=mlruns)
    version, model = ready(settings.mlruns, ANOMALIES)
    with Store(settings.state_url) as store:
        yield AnomalyDesk(model, Facts.read(Lake(settings.lake))), AlertVerdicts(store.database), version.label


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


def list_alerts(
    *,
    budget: Budget,
    since: date | None,
    entity: str | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """The alerts within the budget, and which rules could not speak."""
    with _desk(lake, mlruns) as (desk, verdicts, label):
        told = desk.alerts(budget, since=since, entity=entity, settled=verdicts.standing())
    screen = console()
    screen.print(_table(told))
    for words in told.silent:
        screen.print(f"! {words}", markup=False)
    if json_out is not None:
        _write(json_out, {"model": label, "documents": told.documents, "silent": told.silent, "alerts": told.alerts})


def show_alert(alert_id: str, *, json_out: Path | None, lake: str | None, mlruns: Path | None) -> None:
    """One alert with all of its evidence and what was said of it."""
    with _desk(lake, mlruns) as (desk, verdicts, _):
        alert, history = desk.alert(alert_id), verdicts.history(alert_id)
    _show(console(), alert, history)
    if json_out is not None:
        _write(json_out, {**msgspec.to_builtins(alert), "verdicts": history})


def judge_alert(
    alert_id: str, verdict: str, *, who: str | None, why: str, lake: str | None, mlruns: Path | None
) -> None:
    """Keep a verdict and say what follows from it."""
    person = read_settings(user=who).user
    with _desk(lake, mlruns) as (desk, verdicts, _):
        said = verdict_on(desk.alert(alert_id), verdict, who=person, why=why, at=datetime.now(UTC))
        verdicts.add(said)
    screen = console()
    screen.print(f"{alert_id}: {said.verdict}, says {said.who}. It is told no more.", markup=False)
    screen.print("`duecast train anomalies` learns from it.", markup=False)


def _write(path: Path, content: Mapping[str, object]) -> None:
    """As JSON; amounts stay in minor units beside their currency."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)))


def _table(told: Found) -> Table:
    title = f"{len(told.alerts)} alerts of {told.documents:,} documents, the likeliest first"
    table = Table(title=title, title_justify="left", width=WIDTH, pad_edge=False, box=SIMPLE_HEAD, leading=1)
    table.add_column("alert\nP(odd)", no_wrap=True)
    table.add_column("entity, day\nkind", no_wrap=True)
    table.add_column("document, and why", ratio=1, overflow="fold")
    for alert in told.alerts:
        more = f" and {len(alert.documents) - 1} more" if len(alert.documents) > 1 else ""
        goes_on = "".join(f"; {e.words}" for e in alert.evidence[1:] if e.rule == GOES_ON)
        why = f"{alert.table} {alert.record_id}{more}\n{alert.evidence[0].words}{goes_on}"
        where = f"{alert.entity_id} {alert.day}\n{alert.kind}"
        table.add_row(f"{alert.alert_id}\n{alert.chance:.2f}", Text(where), Text(why))
    return table


def _show(screen: Console, alert: Alert, history: tuple[Verdict, ...]) -> None:
    amount = "" if alert.amount_minor is None or alert.currency is None else money(alert.amount_minor, alert.currency)
    head = f"{alert.alert_id}  {alert.kind}  P(odd) {alert.chance:.2f}"
    lines = [head, f"{alert.entity_id} {alert.table} {alert.record_id} of {alert.day}  {amount}".rstrip()]
    if alert.customer_id is not None:
        lines.append(f"customer {alert.customer_id}")
    lines += [f"- {e.words}\n  ({e.rule}, {e.strength:.2f}; against {e.compares})" for e in alert.evidence]
    lines.append(f"documents: {', '.join(alert.documents)}")
    if alert.availability_reason:
        lines.append(f"! {alert.availability}: {alert.availability_reason}")
    lines += [f"{v.at:%Y-%m-%d %H:%M} UTC {v.who}: {v.verdict}, {v.why}" for v in history]
    screen.print("\n".join(lines), markup=False)
