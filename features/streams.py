"""The sorted streams behind the engine: what each feature's value is from every instant at which it changes.

A stream is sorted by one whole number that holds both whose it is and when: key number in the high bits, tick (ms since
the first event) in the low ones. The value at a cutoff is the one of the last entry whose number is below the cutoff's:
strictly below, so that what is learnt at the cutoff itself is not seen. See `features/engine.py` for the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.aggregates import Additive, Ordered, Term
from features.declarations import Feature
from features.errors import BadInput

Numbers = NDArray[np.int64]

MS_PER_DAY = 86_400_000
# Totals up to here leave room for what the formulas do with them in whole numbers.
LARGEST_TOTAL = 2.0**61
PAST_ALL_KEYS = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns instants into ticks: 1 is the first `known_from`, `latest` the last instant at which anything changes."""

    base_ms: int
    latest: int

    @property
    def never(self) -> int:
        """The tick after all changes; where an event ends then, it never does."""
        return self.latest + 1

    @property
    def bits(self) -> int:
        """Bits that hold every tick from 0 to `never`."""
        return self.never.bit_length()

    def ticks(self, instants: pl.Series) -> Numbers:
        """Ticks of instants; null becomes `never`, and what lies before or after all changes is moved next to them."""
        ticks = (instants.dt.epoch("ms") - (self.base_ms - 1)).clip(0, self.never).fill_null(self.never)
        return ticks.to_numpy()

    def code(self, keys: Numbers, ticks: Numbers) -> Numbers:
        """Key number and tick in one number; a negative key gives a negative code."""
        return (keys << self.bits) + ticks

    def check_room(self, keys: int) -> None:
        """Raises `BadInput` where so many keys and such a span of time do not fit into 63 bits."""
        if keys >> (63 - self.bits):
            raise BadInput(
                f"{keys:,} keys over {self.latest // MS_PER_DAY:,} days do not fit into one index; allowed: "
                f"{1 << (63 - self.bits):,} keys over that time. Is there a known_from or known_to that lies far off?"
            )


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in order of key number and `since`; each is visible to cutoffs after `since`, up to and with `until`."""

    keys: Numbers
    since: Numbers
    until: Numbers
    values: pl.DataFrame

    @staticmethod
    def of(keys: pl.Series, frame: pl.DataFrame, columns: Sequence[str], clock: Clock, *, by_id: bool) -> "Timeline":
        """The rows of an event frame that have a key, in order of (key, `known_from`, and `event_id` if `by_id`)."""
        if keys.null_count():
            keys, frame = keys.drop_nulls(), frame.filter(keys.is_not_null())
        since, until = clock.ticks(frame["known_from"]), clock.ticks(frame["known_to"])
        codes = clock.code(keys.to_numpy(), since)
        order = _by_code_then_id(codes, frame["event_id"]) if by_id else np.argsort(codes)
        return Timeline(keys.to_numpy()[order], since[order], until[order], frame.select(columns)[order])

    def has_gaps(self, column: str) -> bool:
        """Whether any value is missing."""
        return self.values[column].null_count() > 0

    def where(self, condition: pl.Expr) -> "Timeline":
        """Those events for which `condition` is true."""
        picked = self.values.select(condition.fill_null(value=False)).to_series()
        if picked.all():
            return self
        at = picked.to_numpy()
        return Timeline(self.keys[at], self.since[at], self.until[at], self.values.filter(picked))


def _by_code_then_id(codes: Numbers, ids: pl.Series) -> Numbers:
    """Row numbers in order of code, then id. Only where codes tie are the ids, which are long to compare, looked at."""
    order = np.argsort(codes)
    in_order = codes[order]
    same = in_order[1:] == in_order[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    ties = pl.DataFrame({"code": in_order[tied], "id": ids[order[tied]], "row": order[tied]})
    order[tied] = ties.sort("code", "id")["row"].to_numpy()
    return order


@dataclass(frozen=True, slots=True)
class Epochs:
    """Stretches of time of each key in which no event leaves; within one, events only arrive."""

    starts: Numbers

    @staticmethod
    def of(timeline: Timeline, clock: Clock, key_count: int) -> "Epochs | None":
        """One epoch per key from the beginning of time, and one from each instant at which an event of the key leaves.

        None where no event ever leaves: then a key is its own only epoch.
        """
        leaving = timeline.until <= clock.latest
        if not leaving.any():
            return None
        first = clock.code(np.arange(key_count, dtype=np.int64), np.zeros(key_count, dtype=np.int64))
        later = clock.code(timeline.keys[leaving], timeline.until[leaving])
        clock.check_room(len(first) + len(later))
        return Epochs(np.unique(np.concatenate([first, later])))

    def at(self, codes: Numbers) -> Numbers:
        """The number of the epoch that holds each cutoff (key and tick in one); negative for no known key."""
        return np.searchsorted(self.starts, codes, side="left").astype(np.int64) - 1

    def split(self, timeline: Timeline, clock: Clock) -> Timeline:
        """Each event once in every epoch that sees it, with the epoch as its key."""
        began = clock.code(timeline.keys, timeline.since)
        first = np.searchsorted(self.starts, began, side="right").astype(np.int64) - 1
        spans = self.at(clock.code(timeline.keys, timeline.until)) - first + 1
        row = np.repeat(np.arange(len(first)), spans)
        epoch = np.arange(len(row)) - np.repeat(np.cumsum(spans) - spans - first, spans)
        order = np.argsort(epoch, kind="stable")
        row = row[order]
        return Timeline(epoch[order], timeline.since[row], timeline.until[row], timeline.values[row])


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
        runs: Numbers | None = np.flatnonzero(np.diff(codes, prepend=-1))
        if runs is not None and 2 * len(runs) < len(codes):
            codes = codes[runs]
        else:
            runs = None  # the last entry of a run holds its total: adding runs up first would only cost time
        keys = np.flatnonzero(np.diff(codes >> clock.bits, prepend=-1))
        return _Changes(np.append(codes, PAST_ALL_KEYS), order, leaving, runs, keys)

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
    if term.power and len(values):
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
    """Running values within each epoch of each key. The features' columns have no missing value here."""
    epochs = Epochs.of(timeline, clock, key_count)
    if epochs is not None:
        timeline = epochs.split(timeline, clock)
    running = {f.name: f.aggregate.running() for f in features if isinstance(f.aggregate, Ordered)}
    states = timeline.values.with_columns(_epoch=timeline.keys).select(
        value.over("_epoch").cast(pl.Float64).alias(name) for name, value in running.items()
    )
    states = pl.concat([states, pl.DataFrame({name: [None] for name in running}, schema=states.schema)], rechunk=True)
    codes = np.append(clock.code(timeline.keys, timeline.since), PAST_ALL_KEYS)
    return Stream(codes, states, clock, epochs)
