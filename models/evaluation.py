"""How well a forecaster would have done, beside the baselines, overall and by segment, with intervals.

Time-ordered and as-of (`models.backtest`), judged by everything known today.

Late: paid `late_days` or more days after the due date. A receivable that is still open, or was cancelled, counts as
late once it is known to have been unpaid through the last day on which it would have been in time; before that its row
is left out of the late measures. Days: from the first-seen day to the payment, of paid receivables only. What is left
out is counted in `data`: leaving out the open ones flatters everybody where they are many.

The JSON (`Evaluation.as_json`, `--json OUT`). A *block* has the measures of `models.scorecard.METRICS` by their dotted
names, and beside them `intervals` with each name's 95 % customer-bootstrap interval, twice: `name.low` and `name.high`,
and `{name: {"low": .., "high": ..}}`. null: not defined on these rows.

    {
      "late.roc_auc": 0.91, "days.mae": 3.2, ...          ours, on all test rows: a block
      "intervals": {"late.roc_auc.low": .., "late.roc_auc.high": .., "late.roc_auc": {"low": .., "high": ..}, ...},
      "baselines": {"due_date": block, ...},              each also with skill.pinball: 1 - our pinball loss / theirs
      "segments": {"customer": {"new": {"n": .., "closed": .., "late_known": .., block.., "baselines": {..}}, ..}, ..},
      "data": {"cutoff": .., "until": .., "n": .., .., "windows": [{"origin": .., "end": .., "train": .., ..}, ..]}
    }

Segments: `customer` (new: fewer than 3 settled invoices as of the cutoff), `size` (terciles of the amount within its
currency, over the test rows), `entity`, `origin` where there are several, and every further text column of the feature
frame; of each at most the 24 largest values.
"""

from dataclasses import asdict, dataclass

import polars as pl

from models.backtest import OURS, Backtest, Book, Examples, Train, Window, backtest
from models.baselines import COUNT_COLUMN
from models.bootstrap import Codes
from models.evaluation_settings import EvaluationSettings
from models.predictions import OWN_HISTORY
from models.scorecard import EVENT, Card, as_json, card, with_skill

__all__ = ["OURS", "Evaluation", "EvaluationSettings", "Segment", "Segments", "Train", "evaluate"]

SIZES = ("small", "medium", "large")
MOST_VALUES = 24
SUBJECT_TEXTS = ("entity_id", "customer_id", "invoice_id", "currency")


@dataclass(frozen=True)
class Segment:
    """The cards on some of the rows, or on all."""

    ours: Card
    baselines: dict[str, Card]

    def as_json(self) -> dict[str, object]:
        """A block with a block per baseline."""
        return {**as_json(self.ours), "baselines": {name: as_json(found) for name, found in self.baselines.items()}}


Segments = dict[str, dict[str, Segment]]


@dataclass(frozen=True)
class Evaluation:
    """The cards of ours and of every baseline, and the scored rows they were made from.

    `data` counts what was used and what was left out.
    """

    settings: EvaluationSettings
    data: dict[str, object]
    overall: Segment
    segments: Segments
    rows: pl.DataFrame
    scores: dict[str, pl.DataFrame]
    windows: list[Window]
    examples: Examples

    @property
    def metrics(self) -> dict[str, float]:
        """Our measures on all test rows, by name; NaN where undefined."""
        return self.overall.ours.values

    def as_json(self) -> dict[str, object]:
        """Everything but the rows, laid out as in this module's docstring."""
        segments = {
            kind: {value: {**found.ours.counts, **found.as_json()} for value, found in values.items()}
            for kind, values in self.segments.items()
        }
        return {**self.overall.as_json(), "segments": segments, "data": self.data}


def evaluate(book: Book, train: Train, settings: EvaluationSettings) -> Evaluation:
    """Backtest what `train` learns against the settings' baselines.

    `BadInput` where a window has nothing settled to learn from, or there is nothing to test.
    """
    run = backtest(book, train, settings, keep=(COUNT_COLUMN,))
    customers = customer_codes(run.rows)
    overall = _segment(run.scores, customers, draws=settings.draws, seed=settings.seed)
    segments: Segments = {}
    for kind, values in _segment_columns(run.rows, settings).items():
        segments[kind] = {
            value: _segment(
                {name: table.filter(values == value) for name, table in run.scores.items()},
                customers[(values == value).to_numpy()],
                draws=settings.segment_draws,
                seed=settings.seed,
            )
            for value in _largest(values)
        }
    data = _data(run, settings, customers)
    return Evaluation(settings, data, overall, segments, run.rows, run.scores, run.windows, run.examples)


def _segment(scored: dict[str, pl.DataFrame], customers: Codes, *, draws: int, seed: int) -> Segment:
    cards = {name: card(table, customers, draws=draws, seed=seed) for name, table in scored.items()}
    ours = cards.pop(OURS)
    return Segment(ours, {name: with_skill(theirs, ours) for name, theirs in cards.items()})


def customer_codes(rows: pl.DataFrame) -> Codes:
    """(n,) a number per customer of an entity."""
    key = ["entity_id", "customer_id"]
    numbered = rows.select(key).unique(maintain_order=True).with_row_index("code")
    codes: Codes = rows.select(key).join(numbered, on=key, maintain_order="left")["code"].cast(pl.Int64).to_numpy()
    return codes


def _segment_columns(rows: pl.DataFrame, settings: EvaluationSettings) -> dict[str, pl.Series]:
    """Segment kind -> the value of each row."""
    settled = pl.col(COUNT_COLUMN).fill_nan(None).fill_null(0)
    rank = pl.col("amount_minor").abs().rank("min").over("currency") - 1
    third = (rank * 3 / pl.len().over("currency")).floor().cast(pl.Int64)
    columns = {
        "customer": pl.when(settled < OWN_HISTORY).then(pl.lit("new")).otherwise(pl.lit("known")),
        "size": third.replace_strict(dict(enumerate(SIZES)), return_dtype=pl.String),
        "entity": pl.col("entity_id"),
    }
    if settings.origins > 1:
        columns["origin"] = pl.col("origin")
    further = [n for n, t in rows.schema.items() if t == pl.String and n not in (*SUBJECT_TEXTS, "origin")]
    columns |= {name: pl.col(name).fill_null("none") for name in further}
    table = rows.select(**columns)
    return {name: table[name] for name in table.columns}


def _largest(values: pl.Series) -> list[str]:
    """The values with the most rows, in their own order (sizes from small to large)."""
    counted = values.value_counts(sort=True).head(MOST_VALUES)[values.name].to_list()
    return [size for size in SIZES if size in counted] if values.name == "size" else sorted(counted)


def _data(run: Backtest, settings: EvaluationSettings, customers: Codes) -> dict[str, object]:
    rows, event = run.rows, run.scores[OURS][EVENT]
    known = event.filter(event.is_not_nan())
    closed, cancelled = rows["paid_date"].count(), int(rows["cancelled"].fill_null(False).sum())
    return {
        "cutoff": settings.cutoff.isoformat(),
        "until": settings.until.isoformat(),
        "origins": settings.origins,
        "history": settings.history,
        "late_days": settings.late_days,
        "draws": settings.draws,
        "seed": settings.seed,
        "n": len(rows),
        "customers": len(set(customers.tolist())),
        "closed": closed,
        "cancelled": cancelled,
        "open": len(rows) - closed - cancelled,
        "withdrawn": sum(window.withdrawn for window in run.windows),
        "late_known": len(known),
        "late_unknown": len(rows) - len(known),
        "late_share": float(known.to_numpy().mean()) if len(known) else None,
        "windows": [_window_json(window) for window in run.windows],
    }


def _window_json(window: Window) -> dict[str, object]:
    return {**asdict(window), "origin": window.origin.isoformat(), "end": window.end.isoformat()}
