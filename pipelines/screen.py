"""What people see in the terminal: progress bars, steps, and predictions as a table of at most 100 columns."""

import io
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from services.schemas import Prediction

WIDTH = 100
FONTS_FROM_ELSEWHERE = re.compile(r"@font-face {.*?}\n", re.DOTALL)
REASONS_SHOWN = 2
NAME_LETTERS = 24


def console() -> Console:
    """Where commands write; as wide as the terminal, but never so wide that a table falls apart."""
    found = Console(highlight=False)
    return Console(highlight=False, width=min(found.width, 120) if found.is_terminal else WIDTH)


def short_name(name: str | None) -> str:
    """A customer's name on one line, cut to `NAME_LETTERS`; nothing where there is none."""
    plain = " ".join((name or "").split())
    return plain if len(plain) <= NAME_LETTERS else f"{plain[: NAME_LETTERS - 1].rstrip()}…"


def save_picture(table: Table, path: Path) -> None:
    """`table` as the terminal shows it, as an SVG that loads nothing from elsewhere."""
    recorder = Console(highlight=False, width=WIDTH, record=True, file=io.StringIO())
    recorder.print(table)
    path.write_text(FONTS_FROM_ELSEWHERE.sub("", recorder.export_svg(title="duecast")), encoding="utf-8")


class Bars:
    """Progress bars of an ingest, one a feed; shows nothing where the output is not a terminal."""

    def __init__(self, shown_on: Console) -> None:
        self._bars = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description:<32}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=shown_on,
            disable=not shown_on.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def begin(self, feed: str, total: int | None) -> None:
        """A feed starts; `total` rows are to come, None where nobody knows."""
        self._tasks[feed] = self._bars.add_task(feed, total=total)

    def advance(self, feed: str, rows: int) -> None:
        """So many rows more."""
        self._bars.advance(self._tasks[feed], rows)

    def end(self, feed: str) -> None:
        """Nothing more will come: what was done is all."""
        task = self._tasks[feed]
        self._bars.update(task, total=self._bars.tasks[task].completed)


def prediction_table(told: Sequence[Prediction], title: str) -> Table:
    """Predictions with their dates, intervals, P(late) and the first reasons in words."""
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False, box=SIMPLE_HEAD, leading=1)
    table.add_column("invoice\namount", no_wrap=True)
    table.add_column("due", no_wrap=True)
    table.add_column("expected\n80 % between", no_wrap=True)
    table.add_column("P(late)", justify="right", no_wrap=True)
    table.add_column("because", ratio=1)
    for p in told:
        table.add_row(
            f"{p.invoice_id}\n{p.amount} {p.currency}",
            str(p.due_date),
            _when(p),
            _chance(p.p_late),
            _because(p),
        )
    return table


def _because(p: Prediction) -> str:
    if p.availability == "none":
        return p.availability_reason or ""
    reasons = [f"{r.days:+.1f} d {r.words}" for r in p.reasons[:REASONS_SHOWN]]
    return "\n".join([*reasons, *([p.availability_reason] if p.availability_reason else [])])


def _when(p: Prediction) -> str:
    if p.availability == "none":
        return ""
    return f"{p.expected_date or 'not foreseen'}\n{_short(p.p10)} – {_short(p.p90)}"


def _chance(share: float | None) -> str:
    """As a percentage that says 0 or 100 only where it is certain."""
    if share is None:
        return ""
    rounded = f"{100 * share:.0f} %"
    if rounded == "100 %" and share < 1:
        return "> 99 %"
    return "< 1 %" if rounded == "0 %" and share > 0 else rounded


def _short(day: date | None) -> str:
    return "…" if day is None else f"{day:%m-%d}"
