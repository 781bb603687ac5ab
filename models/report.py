"""An evaluation as people read it: a Markdown report with its JSON and pictures, and a table for the terminal."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import metrics, plots
from models.evaluation import Evaluation, Segments
from models.plots import label
from models.scorecard import METRICS, PINBALL, SKILL, Card, Metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

REPORT, JSON = "report.md", "report.json"
PICTURES: "dict[str, tuple[Callable[[Evaluation], Figure], str]]" = {
    "reliability.png": (plots.reliability, "Reliability of P(late): stated chance against what happened"),
    "coverage.png": (plots.coverage, "Coverage of the central intervals, and the PIT histogram"),
    "errors.png": (plots.errors, "How close the forecast is, and for which invoices it is not"),
    "examples.png": (plots.examples, "A few forecasts, from sure to unsure, and when they were paid"),
}
SEGMENT_METRICS = (
    "days.mae",
    PINBALL,
    "late.roc_auc",
    "late.brier",
    "days.coverage_80",
    "days.coverage_80_pit",
    "days.coverage_95_pit",
)
COMPARED = "customer_average"
BY_NAME = {metric.name: metric for metric in METRICS}
# Where more than this share of the rows has no outcome yet, the figures lean towards the quick payers.
OPEN_SHARE_TO_WARN = 0.05


def write(evaluation: Evaluation, folder: Path, *, title: str = "Payment date: evaluation") -> Path:
    """Write report.md, report.json and the pictures into `folder`; the path of report.md."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (picture, _) in PICTURES.items():
        picture(evaluation).savefig(folder / name, metadata={"Software": None})
    (folder / JSON).write_text(json_text(evaluation), encoding="utf-8")
    path = folder / REPORT
    path.write_text(markdown(evaluation, title=title), encoding="utf-8")
    return path


def json_text(evaluation: Evaluation) -> str:
    """The evaluation's JSON (layout: `models.evaluation`), one name a line."""
    return json.dumps(evaluation.as_json(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def markdown(evaluation: Evaluation, *, title: str) -> str:
    """The report; its pictures are referred to by file name."""
    parts = [f"# {title}", _what_was_tested(evaluation), "## Against the baselines", _overall(evaluation)]
    parts += ["95 % intervals in brackets: bootstrap over customers. Bold: best of the row.", "## Calibration"]
    parts += [_calibration(evaluation)]
    parts += [f"![{words}]({name})" for name, (_, words) in PICTURES.items()]
    parts += ["## By segment", _segment_words(evaluation)]
    for kind, values in _segment_rows(evaluation.segments).items():
        parts += [
            f"### {kind}",
            _table(["", "n", *(BY_NAME[name].title for name in SEGMENT_METRICS), "pinball saved"], values),
        ]
    parts += ["## Windows", _windows(evaluation), "## What the names mean", _definitions(evaluation)]
    return "\n\n".join(parts) + "\n"


def terminal_table(evaluation: Evaluation) -> "Table":
    """The overall measures beside the baselines, at most 100 columns wide."""
    from rich.table import Table

    table = Table(title=_headline(evaluation), title_justify="left", pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("Duecast (95 % interval)", justify="right", style="bold", no_wrap=True)
    for name in evaluation.overall.baselines:
        table.add_column(label(name).replace(" ", "\n", 1), justify="right")
    for metric in METRICS:
        table.add_row(metric.title, _with_interval(evaluation.overall.ours, metric), *_others(evaluation, metric))
    table.add_section()
    saved = [_percent(card.values[SKILL]) for card in evaluation.overall.baselines.values()]
    table.add_row("pinball saved", "against:", *saved)
    return table


def _headline(evaluation: Evaluation) -> str:
    data = evaluation.data
    return f"{data['n']:,} invoices of {data['customers']:,} customers, {data['cutoff']} to {data['until']}"


def _what_was_tested(evaluation: Evaluation) -> str:
    data, settings = evaluation.data, evaluation.settings
    knowledge = {
        "as-of": "what was known on the day each was first seen",
        "frozen": "what was known at the start of its window",
    }[settings.history]
    words = (
        f"{_headline(evaluation)} (not included). Each window of the test ({settings.origins} in all) is forecast by "
        f"what was learnt before it, from {knowledge}. Late: paid {settings.late_days} or more days after due. "
        f"{data['closed']:,} are paid, {data['open']:,} still open, {data['cancelled']:,} cancelled; of "
        f"{data['late_unknown']:,} it is not known yet whether they are late, and they are left out of those measures. "
        "Days are judged on the paid ones."
    )
    unpaid = 1.0 - evaluation.overall.ours.counts["closed"] / len(evaluation.rows)
    if unpaid > OPEN_SHARE_TO_WARN:
        words += (
            f"\n\n**{_percent(unpaid)} of the invoices are not paid: the errors in days leave the slowest out, for "
            "every forecaster alike. An earlier end gives them time.**"
        )
    return words


def _overall(evaluation: Evaluation) -> str:
    cards = {"duecast": evaluation.overall.ours, **evaluation.overall.baselines}
    rows = []
    for metric in METRICS:
        best = _best(metric, [card.values[metric.name] for card in cards.values()])
        cells = [_with_interval(card, metric) for card in cards.values()]
        rows.append([metric.title, *(f"**{c}**" if k in best else c for k, c in enumerate(cells))])
    saved = [f"{_percent(c.values[SKILL])} {_span(c, SKILL, _percent)}" for c in evaluation.overall.baselines.values()]
    return _table(["", *map(label, cards)], [*rows, ["pinball that Duecast saves", "", *saved]])


def _best(metric: Metric, values: Sequence[float]) -> set[int]:
    """Places of the best value as printed; none where the measure is no contest."""
    if metric.better == "neither" or not np.isfinite(values).any():
        return set()
    printed = np.round(values, metric.digits)
    best = np.nanmax(printed) if metric.better == "higher" else np.nanmin(printed)
    return set(np.flatnonzero(printed == best).tolist())


def _calibration(evaluation: Evaluation) -> str:
    ours, rows = evaluation.overall.ours, []
    for level in metrics.LEVELS:
        names = [f"days.coverage_{level}_pit", f"days.coverage_{level}"]
        cells = [f"{_percent(ours.values[n])} {_span(ours, n, _percent)}" for n in names]
        rows.append([f"{level} %", *cells])
    return _table(["central interval", "covers (randomised PIT)", "covers (whole days, ends included)"], rows)


def _segment_words(evaluation: Evaluation) -> str:
    least = "Segments of few invoices say little: look at n."
    if COMPARED not in evaluation.overall.baselines:
        return least
    return f"{least} Pinball saved: against due date + {label(COMPARED)}, with its interval."


def _segment_rows(segments: Segments) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for kind, values in segments.items():
        found[kind] = []
        for value, segment in values.items():
            compared = segment.baselines.get(COMPARED)
            saved = f"{_percent(compared.values[SKILL])} {_span(compared, SKILL, _percent)}" if compared else ""
            cells = [_figure(segment.ours.values[name], BY_NAME[name].digits) for name in SEGMENT_METRICS]
            found[kind].append([value, f"{segment.ours.counts['n']:,}", *cells, saved])
    return found


def _windows(evaluation: Evaluation) -> str:
    header = ["trained before", "tested until before", "trained on", "of these paid by then", "tested"]
    return _table(
        header,
        [
            [w.origin.isoformat(), w.end.isoformat(), f"{w.train:,}", f"{w.train_settled:,}", f"{w.test:,}"]
            for w in evaluation.windows
        ],
    )


def _definitions(evaluation: Evaluation) -> str:
    lines = [f"- {metric.title} (`{metric.name}`): {metric.words}" for metric in METRICS]
    lines.append(f"- pinball saved (`{SKILL}`): 1 - Duecast's pinball loss / the baseline's, on the same draws")
    if "due_date" in evaluation.overall.baselines:
        lines.append("- due date names no chance of being late: it is given the training share, the same for all")
    if COMPARED in evaluation.overall.baselines:
        lines.append(
            "- customer average's chance of being late is the customer's past share late (customer-history rule)"
        )
    return "\n".join(lines)


def _others(evaluation: Evaluation, metric: Metric) -> list[str]:
    return [_figure(card.values[metric.name], metric.digits) for card in evaluation.overall.baselines.values()]


def _with_interval(card: Card, metric: Metric) -> str:
    value = _figure(card.values[metric.name], metric.digits)
    span = _span(card, metric.name, lambda number: _figure(number, metric.digits))
    return f"{value} {span}".strip()


def _span(card: Card, name: str, show: Callable[[float], str]) -> str:
    found = card.intervals[name]
    return f"({show(found.low)} to {show(found.high)})" if np.isfinite(found.low) else ""


def _figure(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "n/a"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "n/a"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
