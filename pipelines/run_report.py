"""What one ingest did: counts per feed that tie, the first rows that were set aside, and how to show it."""

from dataclasses import dataclass
from typing import Protocol

from rich.console import Group
from rich.table import Table
from rich.text import Text

from features.errors import Violation
from services.runs import Counts

WIDTH = 100
SHOWN = 5


class Progress(Protocol):
    """Told how a feed advances; the CLI draws bars with it."""

    def begin(self, feed: str, total: int | None) -> None:
        """A feed starts; `total` rows are to come, None where nobody knows."""

    def advance(self, feed: str, rows: int) -> None:
        """So many rows more."""

    def end(self, feed: str) -> None:
        """Nothing more will come."""


class Quiet:
    """Shows nothing."""

    def begin(self, feed: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, feed: str, rows: int) -> None:
        """Nothing."""

    def end(self, feed: str) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class FeedReport:
    """One feed: a table out of one file or endpoint. `first`: the first few violations of it."""

    feed: str
    table: str
    counts: Counts
    first: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmatched:
    """How many `allocations`, of how many in the lake, settle nothing that it knows."""

    allocations: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """One ingest. `unused`: file -> columns that no field of the mapping reads; `absent`: optional files not there.

    `unmatched` is looked up where invoices or allocations landed.
    """

    run_id: str
    source: str
    feeds: tuple[FeedReport, ...]
    unused: tuple[tuple[str, tuple[str, ...]], ...] = ()
    absent: tuple[str, ...] = ()
    unmatched: Unmatched = Unmatched()

    @property
    def counts(self) -> Counts:
        """The sum over all feeds."""
        return sum((feed.counts for feed in self.feeds), Counts())


def render(report: RunReport) -> Group:
    """A table of the counts, then what was set aside and what was not read; fits 100 columns."""
    return Group(_table(report), *(Text(line) for line in _remarks(report)))


def _table(report: RunReport) -> Table:
    table = Table(title=Text(f"{report.source}: read = landed + duplicates + quarantined"), width=WIDTH)
    table.add_column("feed", ratio=1, overflow="fold")
    for name in Counts.__slots__:
        table.add_column(name, justify="right")
    for feed in report.feeds:
        table.add_row(Text(feed.feed), *_figures(feed.counts))
    table.add_section()
    table.add_row("all", *_figures(report.counts), style="bold")
    return table


def _figures(counts: Counts) -> list[str]:
    return [f"{getattr(counts, name):,}" for name in Counts.__slots__]


def _remarks(report: RunReport) -> list[str]:
    violations = [violation for feed in report.feeds for violation in feed.first]
    quarantined = report.counts.quarantined
    lines = [f"quarantined  {violation}" for violation in violations[:SHOWN]]
    if quarantined > len(lines) > 0:
        lines.append(
            f"             ({quarantined:,} rows in all, with their reasons, in the quarantine of run {report.run_id};"
            " --quarantine OUT.csv writes them to a file)"
        )
    if (lost := report.unmatched).allocations:
        lines.append(
            f"unmatched    {lost.allocations:,} of {lost.of:,} allocations name an invoice, instalment or currency "
            "that the lake does not know: do the ids match (lost zeros)?"
        )
    lines += [f"not used     {file}: {', '.join(columns)}" for file, columns in report.unused]
    return lines + [f"absent       {path} (optional)" for path in report.absent]
