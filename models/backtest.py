"""The rolling origin: what each forecaster would have said, window by window, and how each row ended.

For each window [origin, next origin) of `cutoff`..`until` every forecaster learns from the receivables first seen
before the origin, with the outcomes known at the origin, and answers for those first seen in the window. A receivable
is first seen on its issue day, or on the day it was learnt where that is later. An origin is one instant: the earliest
start of its day among the entities, so that no entity's facts of that day are used.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Protocol

import numpy as np
import polars as pl

from features.errors import BadInput
from models.distribution import Distribution, Floats
from models.evaluation_settings import EvaluationSettings
from models.forecaster import Fitted, RanksLate
from models.scorecard import outcomes, scores

OURS = "duecast"
EXAMPLES = 6
ROWS_AT_ONCE = 8192
OUTCOME = ("paid_date", "cancelled", "observed_until")

# From the LABELLED rows first seen before an instant, with what was known at that instant, to something that answers.
Train = Callable[[pl.DataFrame, datetime], Fitted]


class Book(Protocol):
    """What a backtest asks of `features.book.Book`."""

    def at_issue(self, first: date, until: date) -> pl.DataFrame:
        """SUBJECT rows first seen from `first` until before `until`."""
        ...

    def features(self, subjects: pl.DataFrame) -> pl.DataFrame:
        """The FEATURE frame of the subjects, as known at each row's `cutoff`."""
        ...

    def labelled(self, frame: pl.DataFrame, observed_before: datetime | None = None) -> pl.DataFrame:
        """The LABELLED frame: outcomes as known before that instant, or all; rows taken back by then are dropped."""
        ...

    def day_start(self, day: date, entity_id: str) -> datetime:
        """The instant at which `day` starts where the entity is."""
        ...


@dataclass(frozen=True)
class Window:
    """What one window used: rows trained on, settled among them, rows tested, and rows taken back since."""

    origin: date
    end: date
    train: int = 0
    train_settled: int = 0
    test: int = 0
    withdrawn: int = 0


@dataclass(frozen=True)
class Examples:
    """A few paid receivables of the last window, from sure to unsure, with our forecast: for pictures."""

    rows: pl.DataFrame
    forecast: Distribution


@dataclass(frozen=True)
class Backtest:
    """Every test row with its outcome, and every forecaster's scores of it.

    rows      SUBJECT, `OUTCOME` and text columns, `origin`, and the Float64 columns asked for by `keep`
    scores    forecaster name (ours: "duecast") -> its `models.scorecard.SCORES`, row for row
    windows   what each window used
    """

    rows: pl.DataFrame
    scores: dict[str, pl.DataFrame]
    windows: list[Window]
    examples: Examples


def backtest(book: Book, train: Train, settings: EvaluationSettings, *, keep: tuple[str, ...] = ()) -> Backtest:
    """Run every window; `keep` names feature columns to hand on with the rows.

    `BadInput` where a window has nothing settled to learn from, or there is nothing to test in any.
    """
    subjects = book.at_issue(settings.train_from, settings.until)
    run = _Run(book, train, settings, book.features(subjects), tuple(subjects.columns))
    parts = [run.window(number) for number in range(settings.origins)]
    tested = [part for part in parts if len(part.rows)]
    if not tested:
        raise BadInput(_nothing_to_test(settings, _span(book)))
    kept = (*subjects.columns, *_texts(run.issued, subjects.columns), *keep, *OUTCOME, "origin")
    return Backtest(
        pl.concat([part.rows.select(kept) for part in tested]),
        {name: pl.concat([part.scores[name] for part in tested]) for name in tested[0].scores},
        [part.windows[0] for part in parts],
        tested[-1].examples,
    )


@dataclass(frozen=True)
class _Run:
    """What all windows share. issued: the FEATURE frame of everything first seen before `until`, as of then."""

    book: Book
    train: Train
    settings: EvaluationSettings
    issued: pl.DataFrame
    subject: tuple[str, ...]

    def window(self, number: int) -> Backtest:
        """One window's backtest; without rows, and nothing trained, where it has nothing to test."""
        origin, end = self.settings.windows()[number]
        asked = self._asked(origin, end)
        rows = self.book.labelled(asked)
        used = Window(origin, end, test=len(rows), withdrawn=len(asked) - len(rows))
        if rows.is_empty():
            return Backtest(rows, {}, [used], _no_examples(rows))
        training = self._training(origin)
        fitted = {baseline.name: baseline.fit(training) for baseline in self.settings.baselines}
        fitted[OURS] = self.train(training, self._instant(origin))
        features = rows.select(asked.columns)
        uniform = np.random.default_rng([self.settings.seed, number]).random(len(rows))
        scored = {
            name: _scored(answers, features, rows, self.settings.late_days, uniform) for name, answers in fitted.items()
        }
        return Backtest(
            rows.with_columns(origin=pl.lit(origin.isoformat())),
            scored,
            [replace(used, train=len(training), train_settled=training["paid_date"].count())],
            _examples(fitted[OURS], features, rows, scored[OURS]),
        )

    def _asked(self, origin: date, end: date) -> pl.DataFrame:
        """The FEATURE frame to answer for, with the knowledge that `history` allows."""
        asked = self.issued.filter(pl.col("cutoff_day").is_between(origin, end, closed="left"))
        if self.settings.history == "as-of" or asked.is_empty():
            return asked
        at_origin = pl.lit(self._instant(origin)).cast(asked.schema["cutoff"])
        frozen = asked.select(self.subject).with_columns(cutoff=pl.min_horizontal("cutoff", at_origin))
        return self.book.features(frozen)

    def _training(self, origin: date) -> pl.DataFrame:
        seen = self.issued.filter(pl.col("cutoff_day") < origin)
        training = self.book.labelled(seen, self._instant(origin))
        if not training["paid_date"].count():
            raise BadInput(_nothing_to_learn(origin, len(training), _span(self.book)))
        return training

    def _instant(self, origin: date) -> datetime:
        """The earliest start of `origin` among the entities."""
        entities = self.issued["entity_id"].unique().to_list()
        return min(self.book.day_start(origin, entity) for entity in entities).astimezone(UTC)


def _scored(
    fitted: Fitted, features: pl.DataFrame, rows: pl.DataFrame, late_days: int, uniform: Floats
) -> pl.DataFrame:
    """Scores of all rows, some at a time: a distribution holds a number per row and day."""
    parts = []
    for first in range(0, len(rows), ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        forecast = fitted.distribution(features[some])
        late = _late_chance(fitted, features[some], forecast, late_days)
        parts.append(scores(forecast, late, outcomes(rows[some], late_days), uniform[some]))
    return pl.concat(parts)


def _late_chance(fitted: Fitted, features: pl.DataFrame, forecast: Distribution, late_days: int) -> Floats:
    if isinstance(fitted, RanksLate):
        return fitted.late_chance(features, late_days)
    return forecast.late(features["due_date"].to_numpy().astype("datetime64[D]"), late_days)


def _examples(fitted: Fitted, features: pl.DataFrame, rows: pl.DataFrame, scored: pl.DataFrame) -> Examples:
    width = scored["days.width_80"].to_numpy()
    closed = np.flatnonzero(np.isfinite(width))
    if not len(closed):
        return _no_examples(rows)
    by_width = closed[np.argsort(width[closed], kind="stable")]
    spaced = np.linspace(0, len(by_width) - 1, 2 * EXAMPLES + 1)[1::2].round().astype(np.int64)
    chosen = by_width[np.unique(spaced)]
    return Examples(rows[chosen], fitted.distribution(features[chosen]))


def _no_examples(rows: pl.DataFrame) -> Examples:
    return Examples(rows.clear(), Distribution(np.array([], "M8[D]"), np.zeros((0, 1))))


def _texts(frame: pl.DataFrame, subject: list[str]) -> list[str]:
    return [name for name, dtype in frame.schema.items() if dtype == pl.String and name not in subject]


def _nothing_to_test(settings: EvaluationSettings, span: str) -> str:
    return (
        f"nothing was issued from {settings.cutoff} until before {settings.until}; {span}; "
        "choose a cutoff and an until within that"
    )


def _nothing_to_learn(origin: date, seen: int, span: str) -> str:
    none = f"none of the {seen} receivables seen before {origin} was known to be paid by then"
    return (
        f"{none if seen else f'nothing was issued before {origin}'}: nothing to learn from; "
        f"{span}; choose a later cutoff, or load payments"
    )


def _span(book: Book) -> str:
    """The days of the whole ledger: those asked about may lie before or after all of it."""
    days = book.at_issue(date.min, date.max)["cutoff_day"].cast(pl.String)
    if days.is_empty():
        return "the ledger has no receivables"
    return f"the ledger's receivables run from {days.min()!s} to {days.max()!s}"
