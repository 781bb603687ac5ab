"""The sorted streams behind the engine: what each feature's value is from every instant at which it changes.

A stream is sorted by one whole number that holds both whose it is and when: key number in the high bits, tick (ms since
the first event) in the low ones. The value at a cutoff is the one of the last entry whose number is below the cutoff's:
strictly below, so that what is learnt at the cutoff itself is not seen. See `features/engine.py` for the rest.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.aggregates import Additive, Ordered, Term
from features.declarations import Feature
from features.errors import BadInput

Numbers = NDArray[np.int64]

MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns instants into ticks: 1 is the first `known_from`, `latest` the last instant at which anything changes."""

    base_ms: int
    latest: int

    @property
    def bits(self) -> int:
        """Bits that hold every tick from 0 to `latest` + 1."""
        return (self.latest + 1).bit_length()

    def tick(self, instant: pl.Expr) -> pl.Expr:
        """Ticks of instants as Int64; what lies before or after all changes is moved next to them."""
        return (instant.dt.epoch("ms") - self.base_ms + 1).clip(0, self.latest + 1)

    def code(self, keys: Numbers, ticks: Numbers) -> Numbers:
        """Key number and tick in one number; a negative key gives a negative code."""
        return (keys << self.bits) + ticks

    def check_room(self, keys: int) -> None:
        """Raises `BadInput` where so many keys and such a span of time do not fit into 63 bits."""
        if keys >> (63 - self.bits):
            days = self.latest // MS_PER_DAY
            raise BadInput(
                f"{keys:,} keys over {days:,} days do not fit into one index; allowed: {1 << (63 - self.bits):,} keys "
                "over that time. Is there a known_from or known_to that lies far off?"
            )


@dataclass(frozen=True, slots=True)
class Epochs:
    """Stretches of time of each key in which no event leaves; within one, events only arrive."""

    starts: Numbers

    @staticmethod
    def of(clock: Clock, keys: Numbers, ends: Numbers, key_count: int) -> "Epochs":
        """One epoch per key from the beginning of time, and one from each distinct instant in `ends`."""
        first = clock.code(np.arange(key_count, dtype=np.int64), np.zeros(key_count, dtype=np.int64))
        return Epochs(np.unique(np.concatenate([first, clock.code(keys, ends)])))

    def at(self, codes: Numbers) -> Numbers:
        """The number of the epoch that holds each cutoff (key and tick in one); negative for no known key."""
        return np.searchsorted(self.starts, codes, side="left").astype(np.int64) - 1


@dataclass(frozen=True, slots=True)
class Stream:
    """Float64 states, one column per feature, at sorted `codes`; one more row at the end says what nothing yields."""

    codes: Numbers
    states: pl.DataFrame
    clock: Clock
    epochs: Epochs | None

    def rows(self, keys: Numbers, ticks: Numbers) -> Numbers:
        """The row of `states` that holds at each (key number or -1, tick of the cutoff)."""
        if self.epochs is not None:
            keys = self.epochs.at(self.clock.code(keys, ticks))
        found = np.searchsorted(self.codes, self.clock.code(keys, ticks), side="left") - 1
        nothing = len(self.codes)
        if nothing == 0:
            return np.zeros(len(keys), dtype=np.int64)
        same_key = (self.codes[found] >> self.clock.bits == keys) & (found >= 0)
        return np.where(same_key, found, nothing)


def additive_stream(rows: pl.DataFrame, clock: Clock, features: list[Feature], window_days: int | None) -> Stream:
    """Totals that each event enters at `from` and leaves at `to` or when its window closes."""
    rows = _with_window(rows, window_days)
    terms = sorted({term for feature in features for term in _additive(feature).terms()})
    _check_totals(rows, terms, features)
    arriving = rows.select("_key", pl.col("_from").alias("_tick"), *(term.of_rows() for term in terms))
    leaving = rows.filter(pl.col("_to").is_not_null()).select(
        "_key", pl.col("_to").alias("_tick"), *(-term.of_rows() for term in terms)
    )
    changes = pl.concat([arriving, leaving])
    codes = clock.code(changes["_key"].to_numpy(), changes["_tick"].to_numpy())
    order = np.argsort(codes)
    codes = codes[order]
    totals = changes.drop("_key", "_tick")[order].select(pl.all().cum_sum())
    last = np.append(codes[1:] != codes[:-1], True) if len(codes) else np.zeros(0, dtype=bool)
    codes, totals = codes[last], totals.filter(pl.Series(last))
    totals = _within_keys(totals, codes >> clock.bits)
    states = totals.select(_additive(f).state().cast(pl.Float64).alias(f.name) for f in features)
    return Stream(codes, _with_nothing(states, features), clock, None)


def ordered_stream(rows: pl.DataFrame, clock: Clock, features: list[Feature], key_count: int) -> Stream:
    """Running values within each epoch of each key. `rows` have no missing value in the features' columns."""
    rows = rows.sort("_key", "_from", "_id")
    epochs, rows = _by_epoch(rows, clock, key_count)
    states = rows.select(_ordered(f).running().over("_epoch").cast(pl.Float64).alias(f.name) for f in features)
    codes = clock.code(rows["_epoch"].to_numpy(), rows["_from"].to_numpy())
    return Stream(codes, _with_nothing(states, features), clock, epochs)


def _additive(feature: Feature) -> Additive:
    assert isinstance(feature.aggregate, Additive)
    return feature.aggregate


def _ordered(feature: Feature) -> Ordered:
    assert isinstance(feature.aggregate, Ordered)
    return feature.aggregate


def _with_window(rows: pl.DataFrame, window_days: int | None) -> pl.DataFrame:
    if window_days is None:
        return rows
    return rows.with_columns(pl.min_horizontal("_to", pl.col("_from") + window_days * MS_PER_DAY).alias("_to"))


def _check_totals(rows: pl.DataFrame, terms: list[Term], features: list[Feature]) -> None:
    """Raises `BadInput` where a total could outgrow Int64; it would wrap around without a word."""
    powers = {term.column: term.power for term in terms if term.power}
    if rows.is_empty() or not powers:
        return
    largest = rows.select(pl.col(column).cast(pl.Int64).cast(pl.Float64).abs().max() for column in powers).row(0)
    for (column, power), value in zip(powers.items(), largest, strict=True):
        if value is not None and value**power * rows.height >= 2.0**62:
            names = ", ".join(f.name for f in features if column in f.aggregate.columns)
            raise BadInput(
                f"event {features[0].event!r}: column {column!r} reaches {value:,.0f}; its totals over {rows.height:,} "
                f"events do not fit into 63 bits (features {names}); allowed: a coarser unit"
            )


def _within_keys(totals: pl.DataFrame, keys: Numbers) -> pl.DataFrame:
    """Totals over everything, less what the keys before had come to: totals within each key, exact, being whole."""
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    lengths = np.diff(np.append(starts, len(keys)))
    zero = pl.DataFrame({name: [0] for name in totals.columns}, schema=totals.schema)
    before = pl.concat([zero, totals], rechunk=True)[np.repeat(starts, lengths)]
    return totals.select(pl.col(name) - before[name] for name in totals.columns)


def _with_nothing(states: pl.DataFrame, features: list[Feature]) -> pl.DataFrame:
    nothing = {f.name: [f.aggregate.when_nothing] for f in features}
    return pl.concat([states, pl.DataFrame(nothing, schema=states.schema)], rechunk=True)


def _by_epoch(rows: pl.DataFrame, clock: Clock, key_count: int) -> tuple[Epochs | None, pl.DataFrame]:
    """Each row once in every epoch that sees it. Where no event ever leaves, a key is its own only epoch."""
    leaving = rows.filter(pl.col("_to").is_not_null())
    if leaving.is_empty():
        return None, rows.with_columns(pl.col("_key").alias("_epoch"))
    epochs = Epochs.of(clock, leaving["_key"].to_numpy(), leaving["_to"].to_numpy(), key_count)
    clock.check_room(len(epochs.starts))
    keys, ends = rows["_key"].to_numpy(), rows["_to"].fill_null(clock.latest + 1).to_numpy()
    first = np.searchsorted(epochs.starts, clock.code(keys, rows["_from"].to_numpy()), side="right") - 1
    spans = epochs.at(clock.code(keys, ends)) - first + 1
    row = np.repeat(np.arange(len(keys)), spans)
    epoch = np.arange(len(row)) - np.repeat(np.cumsum(spans) - spans - first, spans)
    order = np.argsort(epoch, kind="stable")
    return epochs, rows[row[order]].with_columns(pl.Series("_epoch", epoch[order]))
