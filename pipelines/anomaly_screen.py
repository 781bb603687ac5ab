"""Alerts as people read them in the terminal: what is newest and not mended, and one alert with all of its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from models.anomalies.alerts import FAINT, FOREST, GOES_ON, Alert, Evidence
from models.anomalies.wording import money
from pipelines.screen import short_name
from services.alerts import Verdict
from services.anomaly_desk import Found


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the alerts is shown.

    limit    at most so many
    mended   also duplicates that the books took back
    since    the first day that was asked about; None: all days
    """

    limit: int
    mended: bool
    since: date | None


def heading(told: Found, shown: Shown) -> str:
    """How many of how many, of which time, and what is left out."""
    left = _left(told, shown)
    more = " (--limit shows more)" if len(left) > shown.limit else ""
    when = "of all days" if shown.since is None else f"learnt since {shown.since}"
    lines = [
        f"{min(len(left), shown.limit)} of {_counted(len(left), 'alert')} shown, the likeliest first{more}",
        f"{told.documents:,} documents {when}",
    ]
    mended = len(told.alerts) - len(left)
    if mended:
        how = "--all" if shown.since is None else f"--all --since {shown.since}"
        lines.append(f"left out: {_counted(mended, 'duplicate')} that the books took back since ({how} shows them)")
    return "\n".join(lines)


def table(told: Found, shown: Shown) -> Table:
    """The likeliest, each with the document, the customer and the comparison that says most."""
    made = Table(expand=True, pad_edge=False, box=SIMPLE_HEAD, leading=1)
    made.add_column("alert\nP(odd), kind\nentity, day", no_wrap=True)
    made.add_column("document, customer\nwhy", ratio=1, overflow="fold")
    for alert in _left(told, shown)[: shown.limit]:
        head = f"{alert.alert_id}\n{alert.chance:.2f} {alert.kind}\n{alert.entity_id} {alert.day}"
        made.add_row(Text(head), Text("\n".join(_why(alert))))
    return made


def page(alert: Alert, history: Sequence[Verdict]) -> str:
    """One alert: what it is about, all of its evidence, its documents, what became of them and what was said of it."""
    amount = "" if alert.amount_minor is None or alert.currency is None else money(alert.amount_minor, alert.currency)
    head = f"{alert.alert_id}  {alert.kind}  P(odd) {alert.chance:.2f}"
    lines = [head, f"{alert.entity_id} {alert.table} {alert.record_id} of {alert.day}  {amount}".rstrip()]
    if alert.customer_id is not None:
        lines.append(f"customer {_customer(alert)}")
    lines += _taken_back(alert)
    lines += [line for e in alert.evidence for line in _evidence(e)]
    lines.append(f"documents of this alert: {_listed(alert.documents, alert)}")
    if alert.availability_reason:
        lines.append(f"! {alert.availability}: {alert.availability_reason}")
    lines += [f"{v.at:%Y-%m-%d %H:%M} UTC {v.who}: {v.verdict}, {v.why}" for v in history]
    return "\n".join(lines)


def _left(told: Found, shown: Shown) -> list[Alert]:
    return [a for a in told.alerts if shown.mended or not a.undone]


def _why(alert: Alert) -> list[str]:
    more = f" and {len(alert.documents) - 1} more" if len(alert.documents) > 1 else ""
    customer = "" if alert.customer_id is None else f", {_customer(alert)}"
    return [f"{alert.table} {alert.record_id}{more}{customer}", *_taken_back(alert), _signs(alert.evidence)]


def _signs(evidence: Sequence[Evidence]) -> str:
    """The first in words, with how strong it is; how many more there are, where nothing is loud in words, too."""
    first, *others = evidence
    goes_on = [e.words for e in others if e.rule == GOES_ON]
    more = [e for e in others if e.rule != GOES_ON]
    if first.rule == FOREST:
        return "; ".join([first.words, *(e.words for e in more), *goes_on])
    besides = f", and {_counted(len(more), 'more sign')}" if more else ""
    return f"{'; '.join([first.words, *goes_on])} (strength {first.strength:.2f}{besides})"


def _customer(alert: Alert) -> str:
    return f"{alert.customer_id} {short_name(alert.customer_name)}".rstrip()


def _taken_back(alert: Alert) -> list[str]:
    """What became of it; of a story of several nothing is said until all of it is gone, its documents say so."""
    return [] if alert.taken_back_day is None else [f"taken back on {alert.taken_back_day}"]


def _evidence(told: Evidence) -> list[str]:
    if told.rule in (FAINT, GOES_ON):
        return [f"- {told.words}"]
    lines = [f"- {told.words}", f"  (strength {told.strength:.2f} of 1 by {told.rule}; against {told.compares})"]
    return [*lines, f"  counted: {', '.join(told.counted)}"] if told.counted else lines


def _listed(documents: Sequence[str], alert: Alert) -> str:
    """Documents of the alert, and the ones that they repeat, with what is gone marked as such."""
    others = [d for d in alert.taken_back if d not in documents]
    marked = [f"{d} (taken back)" if d in alert.taken_back else d for d in documents]
    return ", ".join(marked) + "".join(f"; {d}, which it repeats, was taken back" for d in others)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
