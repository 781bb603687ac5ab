"""The sorted streams behind the engine: what each feature's value is from every instant at which it changes.

A stream is sorted by one whole number that holds both whose it is and when: key number in the high bits, tick (ms since
the first event) in the low ones. The value at a cutoff is the one of the last entry whose number is below the cutoff's:
strictly below, so that what is learnt at the cutoff itself is not seen. See `features/engine.py` for the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.aggregates import Additive, Ordered, Term
from features.declarations import Feature
from features.epochs import Epochs
from features.errors import BadInput
from features.timeline import MS_PER_DAY, Clock, Numbers, Timeline, starts_of_runs

# Totals up to here leave room for what the formulas do with them in whole numbers.
LARGEST_TOTAL = 2.0**61
PAST_ALL_KEYS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Stream:
    """Float64 states, a column per feature, at sorted `codes`; the last row, past all keys, is what nothing yields."""

    codes: Numbers
    states: pl.DataFrame
    clock: Clock
    epochs: Epochs | None = None

    def rows(self, keys: Numbers, ticks: Numbers) -> NDArray[np.uint32]:
        """The row of `states` that holds at each (key number or -1, tick of the cutoff)."""
        codes = self.clock.code(keys, ticks)
        if self.epochs is not None:
            keys = self.epochs.at(codes)
            codes = self.clock.code(keys, ticks)
        found = np.searchsorted(self.codes, codes, side="left") - 1
        nothing = len(self.codes) - 1
        return np.where(self.codes[found] >> self.clock.bits == keys, found, nothing).astype(np.uint32)


def additive_stream(timeline: Timeline, clock: Clock, features: Sequence[Feature], window_days: int | None) -> Stream:
    """Totals that each event enters after `since` and leaves after `until`, or when its window closes."""
    aggregates = {f.name: f.aggregate for f in features if isinstance(f.aggregate, Additive)}
    terms = sorted({term for aggregate in aggregates.values() for term in aggregate.terms()})
    until = timeline.until if window_days is None else _window_end(timeline, window_days)
    leaving = np.flatnonzero(until <= clock.latest)
    codes = np.concatenate(
        [clock.code(timeline.keys, timeline.since), clock.code(timeline.keys[leaving], until[leaving])]
    )
    changes = _Changes.of(codes, leaving, clock)
    totals = _totals(timeline, terms, changes)
    states = totals.select(aggregate.state().cast(pl.Float64).alias(name) for name, aggregate in aggregates.items())
    return Stream(changes.codes, states, clock)


def _window_end(timeline: Timeline, window_days: int) -> Numbers:
    return np.minimum(timeline.until, timeline.since + window_days * MS_PER_DAY)


@dataclass(frozen=True, slots=True)
class _Changes:
    """Where events arrive and leave, in order: `runs` start at each distinct code, `keys` at each new key of those.

    `codes` has one more entry at the end, past all keys: there every total is 0.
    """

    codes: Numbers
    order: Numbers
    leaving: Numbers
    runs: Numbers | None
    keys: Numbers

    @staticmethod
    def of(codes: Numbers, leaving: Numbers, clock: Clock) -> "_Changes":
        order = np.argsort(codes)
        codes = codes[order]
        runs: Numbers | None = starts_of_runs(codes)
        if runs is not None and 2 * len(runs) < len(codes):
            codes = codes[runs]
        else:
            runs = None  # the last entry of a run holds its total: adding runs up first would only cost time
        return _Changes(np.append(codes, PAST_ALL_KEYS), order, leaving, runs, starts_of_runs(codes >> clock.bits))

    def totals(self, values: Numbers) -> Numbers:
        """Running totals within each key. Whole numbers, so that taking one out again leaves no trace."""
        changes = np.concatenate([values, -values[self.leaving]])[self.order]
        if self.runs is not None:
            changes = np.add.reduceat(changes, self.runs)
        if len(self.keys):
            of_key = np.add.reduceat(changes, self.keys)
            changes[self.keys[1:]] -= of_key[:-1]
        totals = np.zeros(len(changes) + 1, dtype=np.int64)
        np.cumsum(changes, out=totals[:-1])
        return totals


def _totals(timeline: Timeline, terms: Sequence[Term], changes: _Changes) -> pl.DataFrame:
    """A column per term. Counts of columns without gaps are all the same, and counted once."""
    gapless = [term for term in terms if term.power == 0 and not timeline.has_gaps(term.column)]
    counted = dict.fromkeys(gapless, changes.totals(np.ones(len(timeline.keys), dtype=np.int64))) if gapless else {}
    return pl.DataFrame(
        {term.name: counted[term] if term in counted else changes.totals(_whole(timeline, term)) for term in terms}
    )


def _whole(timeline: Timeline, term: Term) -> Numbers:
    """What each event adds to the term's total; `BadInput` where a total could outgrow Int64 and wrap around."""
    values = timeline.values.select(term.of_rows()).to_series()
    if term.power and len(values) and timeline.values.schema[term.column] != pl.Boolean():
        _check_size(timeline, term)
    return values.to_numpy()


def _check_size(timeline: Timeline, term: Term) -> None:
    size = pl.col(term.column).cast(pl.Int64).cast(pl.Float64).abs().pow(term.power).sum()
    if timeline.values.select(size).item() < LARGEST_TOTAL:
        return
    largest = timeline.values.group_by(pl.Series("_key", timeline.keys)).agg(size)[term.column].max()
    if isinstance(largest, float) and largest >= LARGEST_TOTAL:
        raise BadInput(
            f"event column {term.column!r}: its {term.name.split(':')[0]} for one key comes to {largest:.2e}; "
            f"allowed: below {LARGEST_TOTAL:.2e}. Count it in a coarser unit"
        )


def ordered_stream(timeline: Timeline, clock: Clock, features: Sequence[Feature], key_count: int) -> Stream:
    """Running values within each epoch of each key. The features' columns have no missing value here.

    Either all of the features reach to some of the newest events, or all of them to every event.
    """
    aggregates = {f.name: f.aggregate for f in features if isinstance(f.aggregate, Ordered)}
    columns = {name: aggregate.column for name, aggregate in aggregates.items()}
    epochs = Epochs.of(timeline, clock, key_count)
    reaches = [aggregate.reach for aggregate in aggregates.values() if aggregate.reach is not None]
    if epochs is not None and reaches:
        timeline = epochs.split(timeline, clock, max(reaches), trim=True)
    elif epochs is not None:
        timeline = epochs.split(_accumulated(timeline, clock, aggregates), clock, 1, trim=False)
        columns = {name: name for name in aggregates}
    states = timeline.values.with_columns(_key=timeline.keys).select(
        aggregate.running(pl.col(columns[name])).over("_key").cast(pl.Float64).alias(name)
        for name, aggregate in aggregates.items()
    )
    nothing = pl.DataFrame({name: [None] for name in aggregates}, schema=states.schema)
    codes = np.append(clock.code(timeline.keys, timeline.since), PAST_ALL_KEYS)
    return Stream(codes, pl.concat([states, nothing], rechunk=True), clock, epochs)


def _accumulated(timeline: Timeline, clock: Clock, extremes: Mapping[str, Ordered]) -> Timeline:
    """A column per feature: what stays for good says the extreme of itself and all before it that stay for good."""
    stays = timeline.until > clock.latest
    values = timeline.values.with_columns(_key=timeline.keys, _stays=stays).select(
        pl.when("_stays").then(e.running(pl.col(e.column)).over("_key", "_stays")).otherwise(e.column).alias(name)
        for name, e in extremes.items()
    )
    return Timeline(timeline.keys, timeline.since, timeline.until, values)
