"""The as-of engine: compiles declared features into sorted streams once, then looks up any number of cutoffs.

    prepared = prepare(features, events)
    frame = prepared.lookup(subjects)

An event frame has `event_id`, `known_from`, `known_to`, the columns of the keys that its features use (`entity_id`,
`customer_id`, `segment`) and value columns. A subject has the same key columns, `cutoff` and, for ages, `cutoff_day`.
Everything is computed per key from whole numbers or in one fixed order, so a subject's features are the same to the
last bit whichever other customers, subjects or later events are there. `features/oracle.py` says the same naively.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl

from features.aggregates import Additive, Ewma, Ordered
from features.declarations import Declaration, Derived, Feature, Key, check, check_subjects
from features.streams import Stream, additive_stream, ordered_stream
from features.tables import INSTANT
from features.timeline import MS_PER_DAY, Clock, KeyIndex, Numbers, Timeline

Events = Mapping[str, pl.DataFrame]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Streams of all features, built once; `lookup` only reads them, from as many threads as one likes."""

    declarations: tuple[Declaration, ...]
    clock: Clock
    keys: dict[Key, KeyIndex]
    streams: tuple[tuple[Key, Stream], ...]

    def lookup(self, subjects: pl.DataFrame) -> pl.DataFrame:
        """The subjects, row for row, with one Float64 column per declaration in declared order; null = not available.

        `BadSetting` where a column that a feature reads is missing from the subjects, or is there already.
        """
        check_subjects(self.declarations, subjects)
        frames = [_plain(subjects)]
        for key in self.keys:
            cutoffs = self._cutoffs(frames[0], key)
            frames.extend(cutoffs.states(stream) for of_key, stream in self.streams if of_key == key)
        frame = pl.concat(frames, how="horizontal")
        frame = frame.with_columns(
            (pl.col("cutoff_day").cast(pl.Int64) - pl.col(d.name)).alias(d.name)
            for d in self.declarations
            if isinstance(d, Feature) and d.aggregate.is_age
        )
        for derived in _levels(self.declarations):
            frame = frame.with_columns(_finite(d.expr()).alias(d.name) for d in derived)
        return frame.select(*subjects.columns, *(d.name for d in self.declarations)).head(subjects.height)

    def _cutoffs(self, subjects: pl.DataFrame, key: Key) -> "_Cutoffs":
        keys = self.keys[key].numbers(subjects).fill_null(-1).to_numpy()
        return _Cutoffs.of(keys, self.clock.ticks(subjects["cutoff"]), self.clock)


@dataclass(frozen=True, slots=True)
class _Cutoffs:
    """Distinct (key, tick) in order, which makes the search walk the streams from one end to the other."""

    keys: Numbers
    ticks: Numbers
    place: Numbers

    @staticmethod
    def of(keys: Numbers, ticks: Numbers, clock: Clock) -> "_Cutoffs":
        codes = clock.code(keys, ticks)
        order = np.argsort(codes)
        codes = codes[order]
        is_first = np.diff(codes, prepend=codes[:1] - 1) != 0
        place = np.empty(len(codes), dtype=np.int64)
        place[order] = np.cumsum(is_first) - 1
        first = order[is_first]
        return _Cutoffs(keys[first], ticks[first], place)

    def states(self, stream: Stream) -> pl.DataFrame:
        """One row per subject."""
        return stream.states[pl.Series(stream.rows(self.keys, self.ticks)[self.place])]


def prepare(declarations: Sequence[Declaration], events: Events) -> Prepared:
    """All streams. `BadSetting` for a declaration that does not fit the events, `BadInput` for too many of them."""
    check(declarations, events)
    features = [d for d in declarations if isinstance(d, Feature)]
    used = {name: _cleaned(events[name]) for name in sorted({f.event for f in features})}
    clock = _clock(used, max((f.window_days or 0 for f in features), default=0))
    uses = list(dict.fromkeys((f.event, f.key) for f in features))
    keys = {key: KeyIndex.of(key, [used[e] for e, k in uses if k == key]) for key in dict.fromkeys(k for _, k in uses)}
    for index in keys.values():
        clock.check_room(index.count)
    timelines = _in_parallel(partial(_timeline, used[e], keys[k], _of(features, e, k), clock) for e, k in uses)
    groups = [
        (key, timeline, group)
        for (event, key), timeline in zip(uses, timelines, strict=True)
        for group in _groups(_of(features, event, key), timeline)
    ]
    streams = _in_parallel(partial(_stream, timeline, group, clock, keys[key].count) for key, timeline, group in groups)
    of_keys = tuple((key, stream) for (key, _, _), stream in zip(groups, streams, strict=True))
    return Prepared(tuple(declarations), clock, keys, of_keys)


def compute(declarations: Sequence[Declaration], events: Events, subjects: pl.DataFrame) -> pl.DataFrame:
    """`prepare` and `lookup` in one."""
    return prepare(declarations, events).lookup(subjects)


def _plain(subjects: pl.DataFrame) -> pl.DataFrame:
    """The subjects such that arithmetic on one gives the bits that it gives among many.

    Polars divides by a literal, or by a column that repeats one, through its reciprocal, but not in a frame of one row:
    there the last bit can differ. So no subject is alone, and no column is a repeated literal.
    """
    together = pl.concat([subjects, subjects]) if subjects.height == 1 else subjects
    return pl.DataFrame(together.get_columns())


def _cleaned(frame: pl.DataFrame) -> pl.DataFrame:
    """Without rows that are never visible, and with null for the floats that are not finite."""
    ever_visible = pl.col("known_to").is_null() | (pl.col("known_to") > pl.col("known_from"))
    return frame.filter(ever_visible).with_columns(_finite(pl.col(pl.Float64)))


def _finite(value: pl.Expr) -> pl.Expr:
    value = value.cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)


def _clock(events: Events, window_days: int) -> Clock:
    first = [frame["known_from"].min() for frame in events.values()]
    last = [frame[column].max() for frame in events.values() for column in ("known_from", "known_to")]
    instants = pl.Series([*first, *last], dtype=INSTANT).drop_nulls().dt.epoch("ms").sort()
    if instants.is_empty():
        return Clock(0, 1)
    return Clock(instants[0], instants[-1] - instants[0] + 1 + window_days * MS_PER_DAY)


def _in_parallel(tasks: Iterable[Callable[[], T]]) -> list[T]:
    """The tasks' results, in order. NumPy sorts and adds on one core, but lets others run meanwhile."""
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def _of(features: Iterable[Feature], event: str, key: Key) -> list[Feature]:
    return [f for f in features if (f.event, f.key) == (event, key)]


def _timeline(frame: pl.DataFrame, keys: KeyIndex, features: Sequence[Feature], clock: Clock) -> Timeline:
    columns = sorted({c for f in features for c in (*f.aggregate.columns, f.where) if c})
    by_id = any(isinstance(f.aggregate, Ordered) for f in features)
    return Timeline.of(keys.numbers(frame), frame, columns, clock, by_id=by_id)


def _groups(features: Iterable[Feature], timeline: Timeline) -> list[list[Feature]]:
    """Features that can share a stream: they see the same events and reach equally far in kind."""
    groups: dict[tuple[object, ...], list[Feature]] = {}
    for feature in features:
        groups.setdefault((feature.window_days, feature.where, *_sharing(feature, timeline)), []).append(feature)
    return list(groups.values())


def _stream(timeline: Timeline, group: Sequence[Feature], clock: Clock, key_count: int) -> Stream:
    where, aggregate = group[0].where, group[0].aggregate
    seen = timeline if where is None else timeline.where(pl.col(where))
    if isinstance(aggregate, Additive):
        return additive_stream(seen, clock, group, group[0].window_days)
    return ordered_stream(seen.where(pl.col(*aggregate.columns).is_not_null()), clock, group, key_count)


def _sharing(feature: Feature, timeline: Timeline) -> tuple[object, ...]:
    """What features must agree in to share a stream: an ordered one sees only the events in which it has a value."""
    aggregate = feature.aggregate
    if not isinstance(aggregate, Ordered):
        return ()
    own_rows = aggregate.column if timeline.has_gaps(aggregate.column) else None
    return "ordered", own_rows, aggregate.reach is None, isinstance(aggregate, Ewma)


def _levels(declarations: Iterable[Declaration]) -> list[list[Derived]]:
    """Derived features in batches that need nothing of their own batch."""
    levels: list[list[Derived]] = []
    level_of: dict[str, int] = {}
    for derived in (d for d in declarations if isinstance(d, Derived)):
        level = max((level_of.get(name, -1) for name in derived.needs), default=-1) + 1
        level_of[derived.name] = level
        levels.extend([[]] if level == len(levels) else [])
        levels[level].append(derived)
    return levels
