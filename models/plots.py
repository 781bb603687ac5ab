"""The pictures of an evaluation: 1200 pixels wide, readable in grey and by the colour-blind.

Each function answers a matplotlib `Figure`; nothing is shown and no global state is touched. Colours are those of
Okabe and Ito 2008; every line also has its own dash or marker.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from models import metrics
from models.backtest import OURS
from models.bootstrap import Resampled, interval
from models.distribution import Days, Floats
from models.evaluation import Evaluation, customer_codes
from models.scorecard import CHANCE, ERROR, EVENT, PIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, DPI = 8.0, 150
GREY, FAINT, OURS_COLOUR, PAID_COLOUR = "#8a8a8a", "#dddddd", "#0072B2", "#D55E00"
OTHERS = (("#E69F00", "s", "--"), ("#009E73", "^", "-."), ("#CC79A7", "D", ":"), ("#56B4E9", "v", (0, (5, 1, 1, 1))))
LATE_BANDS = (
    (-np.inf, -1, "early"),
    (0, 0, "on the\ndue date"),
    (1, 7, "1-7\nlate"),
    (8, 30, "8-30\nlate"),
    (31, np.inf, "31+\nlate"),
)
WITHIN_DAYS = 30


def label(name: str) -> str:
    """A forecaster's name as people read it.

    >>> label("customer_average"), label("duecast")
    ('customer average', 'Duecast')
    """
    return {OURS: "Duecast", "lightgbm_quantiles": "LightGBM quantiles"}.get(name, name.replace("_", " "))


def reliability(evaluation: Evaluation) -> "Figure":
    """Share of invoices that were late against the chance stated, in 10 bins, above how often each chance is stated."""
    figure = _figure(height=7.0)
    top, bottom = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    top.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="says what happens")
    for name, (colour, marker, dash) in _styles(evaluation).items():
        chance, share, low, high = _reliability_bins(evaluation, name)
        if name == OURS:
            ends = np.abs(np.stack([share - low, high - share]))
            top.errorbar(chance, share, ends, color=colour, capsize=3, linewidth=1, zorder=3)
        top.plot(chance, share, color=colour, marker=marker, linestyle=dash, label=label(name), zorder=_front(name))
    top.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share of invoices that were late")
    top.set_title(f"When we say p, is it p?  P({_event(evaluation)}), bars: 95 % customer bootstrap", loc="left")
    _legend(top, loc="upper left")
    ours = evaluation.scores[OURS].filter(pl.col(EVENT).is_not_nan())[CHANCE].to_numpy()
    bottom.hist(ours, bins=np.linspace(0, 1, 21).tolist(), color=OURS_COLOUR)
    bottom.set(xlabel="stated chance of being late", ylabel="invoices")
    return _tidied(figure)


def coverage(evaluation: Evaluation) -> "Figure":
    """Observed against nominal coverage of every central interval, beside the PIT histogram of ours."""
    figure = _figure(height=4.4)
    left, right = figure.subplots(1, 2)
    levels = np.arange(1, 100)
    left.plot([0, 100], [0, 100], color=GREY, linewidth=1, label="covers what it says")
    for name, (colour, _, dash) in _styles(evaluation).items():
        found = _column(evaluation, name, PIT)
        if len(found) and name in (OURS, "customer_quantiles", "lightgbm_quantiles"):
            observed = [100 * metrics.inside_pit(found, int(level)).mean() for level in levels]
            left.plot(levels, observed, color=colour, linestyle=dash, label=label(name), zorder=_front(name))
    plain = [100 * evaluation.metrics[f"days.coverage_{level}"] for level in metrics.LEVELS]
    left.plot(metrics.LEVELS, plain, "o", color=OURS_COLOUR, fillstyle="none", label="Duecast, whole days")
    left.set(xlim=(0, 100), ylim=(0, 102), xlabel="nominal coverage (%)", ylabel="invoices inside (%)")
    left.set_title("Do intervals cover what they say?", loc="left")
    _legend(left, loc="upper left", fontsize=8)
    _pit_histogram(right, _column(evaluation, OURS, PIT))
    return _tidied(figure)


def errors(evaluation: Evaluation) -> "Figure":
    """Share of paid invoices hit within so many days, and mean absolute error by how late they were in the end."""
    figure = _figure(height=4.4)
    left, right = figure.subplots(1, 2)
    within, styles = np.arange(WITHIN_DAYS + 1), _styles(evaluation)
    late = (evaluation.rows["paid_date"] - evaluation.rows["due_date"]).dt.total_days().to_numpy() * 1.0
    for place, (name, (colour, marker, dash)) in enumerate(styles.items()):
        found = np.abs(evaluation.scores[name][ERROR].to_numpy())
        closed = found[np.isfinite(found)]
        if len(closed):
            share = [100 * (closed <= days).mean() for days in within]
            left.step(within, share, where="post", color=colour, linestyle=dash, label=label(name), zorder=_front(name))
        offset = 0.13 * (place - (len(styles) - 1) / 2)
        right.plot(_places(late) + offset, _banded(found, late), marker, color=colour, clip_on=False, zorder=4)
    left.set(xlim=(0, WITHIN_DAYS), ylim=(0, 102), xlabel="days between forecast (median) and payment")
    left.set(ylabel="paid invoices within (%)")
    left.set_title("How often is it how close?", loc="left")
    _legend(left, loc="lower right", fontsize=8)
    right.set_xticks(_places(late), _band_labels(late), fontsize=8)
    right.set(xlabel="days paid early or late (number of invoices)", ylabel="mean absolute error (days)")
    right.set_ylim(bottom=0)
    right.set_title("Where are the errors?", loc="left")
    for between in _places(late)[1:]:
        right.axvline(between - 0.5, color=FAINT, linewidth=1)
    return _tidied(figure)


def examples(evaluation: Evaluation) -> "Figure":
    """A few of our distributions, from sure to unsure: chance per day, 80 % interval, and the day it was paid."""
    chosen = evaluation.examples
    figure = _figure(height=5.6)
    panels = figure.subplots(2, 3, squeeze=False).ravel()
    ends = np.stack([chosen.forecast.quantile_days(share) for share in (0.1, 0.9)], axis=1)
    for place, panel in enumerate(panels):
        if place >= len(chosen.rows):
            panel.set_axis_off()
            continue
        row = chosen.rows.row(place, named=True)
        paid, start = ((row[name] - row["due_date"]).days for name in ("paid_date", "cutoff_day"))
        _one_distribution(panel, start, chosen.forecast.pmf[place], ends[place] + start, paid)
        panel.set_title(f"invoice {row['invoice_id']}", loc="left", fontsize=9)
    handles, words = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, words, loc="outside upper right", ncols=len(words), frameon=False, fontsize=9)
    figure.supxlabel("day of payment, in days after the due date", fontsize=10)
    figure.supylabel("chance per day (%)", fontsize=10)
    return _tidied(figure)


def _figure(*, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_INCHES, height), dpi=DPI, layout="constrained")


def _tidied(figure: "Figure") -> "Figure":
    """Only the axes that carry a scale, and a faint grid behind what is drawn."""
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="y", color=FAINT, linewidth=0.6)
        panel.set_axisbelow(True)
    return figure


def _legend(
    panel: "Axes",
    *,
    loc: Literal["upper left", "lower right", "lower center"],
    fontsize: float = 10,
    frameon: bool = False,
) -> None:
    """A legend of what was drawn, if anything was."""
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc=loc, fontsize=fontsize, frameon=frameon)


def _styles(evaluation: Evaluation) -> dict[str, tuple[str, str, object]]:
    """Forecaster -> colour, marker, dash; ours first."""
    others = [name for name in evaluation.scores if name != OURS]
    styled = {name: OTHERS[place % len(OTHERS)] for place, name in enumerate(others)}
    return {OURS: (OURS_COLOUR, "o", "-"), **styled}


def _front(name: str) -> int:
    return 3 if name == OURS else 2


def _event(evaluation: Evaluation) -> str:
    days = evaluation.settings.late_days
    return "late" if days == 1 else f"{days}+ days late"


def _column(evaluation: Evaluation, name: str, column: str) -> Floats:
    """A forecaster's score without the rows where it is not known."""
    found: Floats = evaluation.scores[name][column].to_numpy()
    return found[np.isfinite(found)]


def _reliability_bins(evaluation: Evaluation, name: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Per bin: mean chance, share late, and the ends of that share's interval."""
    event = evaluation.scores[name][EVENT].to_numpy()
    known = np.isfinite(event)
    if not known.any():
        nothing = np.empty(0)
        return nothing, nothing, nothing, nothing
    chance, event = evaluation.scores[name][CHANCE].to_numpy()[known], event[known]
    bins = metrics.calibration_bins(chance)
    member = bins[:, None] == np.unique(bins)
    resampled = Resampled(customer_codes(evaluation.rows)[known], draws=200, seed=evaluation.settings.seed)
    shares = resampled.means(np.where(member, event[:, None], np.nan))
    spans = [interval(shares[:, k]) for k in range(shares.shape[1])]
    stated = np.nanmean(np.where(member, chance[:, None], np.nan), axis=0)
    return stated, shares[0], np.array([span.low for span in spans]), np.array([span.high for span in spans])


def _pit_histogram(panel: "Axes", found: Floats) -> None:
    bins = 20 if len(found) >= 400 else 10
    counts, edges = np.histogram(found, bins=bins, range=(0, 1))
    level = counts / max(len(found), 1) * bins
    panel.bar(edges[:-1], level, width=1 / bins, align="edge", color=OURS_COLOUR, edgecolor="white", linewidth=0.5)
    chance = 2 * np.sqrt((bins - 1) / max(len(found), 1))
    panel.axhline(1, color=GREY, linewidth=1)
    for end, words in ((1 - chance, "95 % by chance alone, were invoices independent"), (1 + chance, None)):
        panel.axhline(end, color="black", linewidth=1, linestyle="--", label=words)
    panel.set(xlim=(0, 1), xlabel="randomised PIT (0: paid early, 1: late)")
    panel.set(ylabel="invoices / expected")
    panel.set_title("Whole distribution: flat is right", loc="left")
    _legend(panel, loc="lower center", fontsize=8, frameon=True)


def _in_bands(late: Floats) -> "list[tuple[metrics.Flags, str]]":
    """The bands that hold any invoice: which rows, and the words."""
    bands = [((late >= low) & (late <= high), words) for low, high, words in LATE_BANDS]
    return [(rows, words) for rows, words in bands if rows.any()]


def _places(late: Floats) -> Floats:
    return np.arange(len(_in_bands(late)), dtype=np.float64)


def _banded(found: Floats, late: Floats) -> list[float]:
    return [float(found[rows].mean()) for rows, _ in _in_bands(late)]


def _band_labels(late: Floats) -> list[str]:
    return [f"{words}\n(n={rows.sum():,})" for rows, words in _in_bands(late)]


def _one_distribution(panel: "Axes", start: int, pmf: Floats, ends: Days, paid: int) -> None:
    shown = np.flatnonzero(pmf > 1e-4)
    first, last = min(start + int(shown[0]), paid), max(start + int(shown[-1]), paid)
    days = start + np.arange(len(pmf))
    panel.axvspan(ends[0] - 0.5, ends[1] + 0.5, color=OURS_COLOUR, alpha=0.15, linewidth=0, label="80 % interval")
    panel.bar(days, 100 * pmf, width=0.9, color=OURS_COLOUR, label="forecast")
    panel.axvline(0, color=GREY, linewidth=1.2, linestyle=":", label="due date")
    panel.axvline(paid, color=PAID_COLOUR, linewidth=1.5, linestyle="--", label="paid")
    panel.set_xlim(min(first, -1) - 2, max(last, min(ends[1], 120)) + 2)
    panel.locator_params(axis="both", integer=True, nbins=6)
