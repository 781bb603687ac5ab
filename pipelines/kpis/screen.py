"""The KPIs of integration as tables of at most 100 columns, each with its definition or a word that there is none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.kpis.automation import STEPS
from pipelines.kpis.integration import IntegrationKpis

_WORDS = {step.name: step.words for step in STEPS}


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the figures: `columns` are title and what stands in it; those that begin with ">" are numbers."""

    name: str
    title: str
    nothing: str
    columns: dict[str, Callable[[Any], str]]


SECTIONS = (
    Section(
        "response_times",
        "API response time",
        "no call was made",
        {
            "system": lambda r: r.system,
            "endpoint": lambda r: r.endpoint,
            ">calls": lambda r: f"{r.calls:,}",
            ">failed": lambda r: f"{r.failed:,}",
            ">p50 s": lambda r: f"{r.p50:.3f}",
            ">p95 s": lambda r: f"{r.p95:.3f}",
            ">p99 s": lambda r: f"{r.p99:.3f}",
        },
    ),
    Section(
        "inbound",
        "Integration accuracy rate, inbound",
        "no record was read",
        {
            "source": lambda r: r.source,
            "table": lambda r: r.table,
            ">read": lambda r: f"{r.read:,}",
            ">right": lambda r: f"{r.right:,}",
            ">set aside": lambda r: f"{r.quarantined:,}",
            ">rate": lambda r: percent(r.share),
        },
    ),
    Section(
        "outbound",
        "Integration accuracy rate, outbound",
        "no message was settled",
        {
            "system": lambda r: r.system,
            "operation": lambda r: r.operation,
            ">settled": lambda r: f"{r.settled:,}",
            ">right": lambda r: f"{r.right:,}",
            ">rate": lambda r: percent(r.share),
        },
    ),
    Section(
        "control_totals",
        "Control totals",
        "no control total was compared",
        {
            "source": lambda r: r.source,
            "feed": lambda r: r.feed,
            ">compared": lambda r: f"{r.times:,}",
            ">differed": lambda r: f"{r.differed:,}",
            "now": lambda r: "ties" if r.ties else "differs",
        },
    ),
    Section(
        "automation",
        "Automation coverage",
        "no step was taken",
        {
            "step": lambda r: r.step,
            "counted": lambda r: _WORDS[r.step],
            ">steps": lambda r: f"{r.steps:,}",
            ">automatic": lambda r: f"{r.automatic:,}",
            ">coverage": lambda r: percent(r.share),
        },
    ),
    Section(
        "cycle_times",
        "Invoice-to-cash cycle time",
        "no invoice was settled",
        {
            "entity": lambda r: r.entity_id,
            "currency": lambda r: r.currency,
            ">invoices": lambda r: f"{r.invoices:,}",
            ">from an order": lambda r: f"{r.from_order:,}",
            ">median days": lambda r: f"{r.median_days:.1f}",
            ">p90 days": lambda r: f"{r.p90_days:.1f}",
        },
    ),
    Section(
        "downtime",
        "Downtime impact",
        "no system was found not to answer",
        {
            "system": lambda r: r.system,
            "entity": lambda r: r.entity_id or "",
            ">outages": lambda r: f"{r.outages:,}",
            ">minutes": lambda r: f"{r.minutes:,.1f}",
            ">cash delayed": lambda r: "not known" if r.cash_delayed is None else f"{r.cash_delayed:,}",
            ">cost": lambda r: "not known" if r.cost is None else f"{r.cost:,}",
            "currency": lambda r: r.currency or "",
        },
    ),
)


def percent(share: float | None) -> str:
    """Says 100 % or 0 % only where it is; "none" where there is nothing to take a share of."""
    if share is None:
        return "none"
    rounded = f"{100 * share:.2f} %"
    if share < 1 and rounded == "100.00 %":
        return "> 99.99 %"
    return "< 0.01 %" if share > 0 and rounded == "0.00 %" else rounded


def render(found: IntegrationKpis) -> Group:
    """All sections."""
    told = f"from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    return Group(Text(f"Integration {told}"), *(part for section in SECTIONS for part in _section(section, found)))


def _section(section: Section, found: IntegrationKpis) -> Iterator[Any]:
    rows: Sequence[Any] = getattr(found, section.name)
    happened = any(row.steps for row in rows) if section.name == "automation" else bool(rows)
    yield Text("")
    yield _table(section, rows) if happened else Text(f"{section.title}: {section.nothing} in this period")
    yield Padding(Text(found.definitions[section.name], style="dim"), (0, 0, 0, 2))
    if section.name == "automation" and found.undeclared:
        yield Padding(Text(f"Counted as no step: {', '.join(found.undeclared)}"), (0, 0, 0, 2))


def _table(section: Section, rows: Sequence[Any]) -> Table:
    table = Table(title=section.title, title_justify="left", expand=True, box=SIMPLE_HEAD, pad_edge=False)
    for title in section.columns:
        number = title.startswith(">")
        justify, ratio = ("right", None) if number else ("left", 1)
        table.add_column(title.lstrip(">"), justify=justify, ratio=ratio, no_wrap=number, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(say(row)) for say in section.columns.values()))
    return table
