"""Events that leave again, for aggregates that cannot subtract.

The time of each key is cut into epochs: an epoch ends when an event of the key leaves (a correction replaces it, a
deletion takes it away). Within an epoch events only arrive, so that plain running values are right. Each epoch begins
with what it carries over from before: of the events that stay for good only the newest few, as many as decide the
value, so that a customer with a long history and many corrections does not cost the product of the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.timeline import Clock, Numbers, Timeline, starts_of_runs


@dataclass(frozen=True, slots=True)
class Epochs:
    """Codes (key number and tick) of the starts of all epochs, in order; the first of each key starts at tick 0."""

    starts: Numbers

    @staticmethod
    def of(timeline: Timeline, clock: Clock, key_count: int) -> "Epochs | None":
        """The epochs of every key; None where no event ever leaves: then a key is its own only epoch."""
        leaving = ~_stays(timeline, clock)
        if not leaving.any():
            return None
        first = clock.code(np.arange(key_count, dtype=np.int64), np.zeros(key_count, dtype=np.int64))
        later = clock.code(timeline.keys[leaving], timeline.until[leaving])
        clock.check_room(len(first) + len(later))
        return Epochs(np.unique(np.concatenate([first, later])))

    def at(self, codes: Numbers) -> Numbers:
        """The number of the epoch that holds each cutoff (key and tick in one); negative for no known key."""
        return np.searchsorted(self.starts, codes, side="left").astype(np.int64) - 1

    def split(self, timeline: Timeline, clock: Clock, reach: int, *, trim: bool) -> Timeline:
        """The events in order with epochs as keys: those that arrive in an epoch after those that it carries over.

        Carried over are the newest `reach` of those that stay for good and all the others that are still there; with
        `trim`, only the newest `reach` of them together, which depends on nothing learnt later.
        """
        first = self._epoch_of_arrival(timeline, clock)
        carried, carried_into = self._carried(timeline, clock, first, reach)
        row = np.concatenate([np.arange(len(first)), carried])
        epoch = np.concatenate([first, carried_into])
        order = np.argsort(epoch * np.int64(max(len(first), 1)) + row)
        row, epoch = row[order], epoch[order]
        if trim:
            kept = _newest_carried(epoch, first[row] < epoch, reach)
            row, epoch = row[kept], epoch[kept]
        return Timeline(epoch, timeline.since[row], timeline.until[row], timeline.values[row])

    def _epoch_of_arrival(self, timeline: Timeline, clock: Clock) -> Numbers:
        codes = clock.code(timeline.keys, timeline.since)
        return np.searchsorted(self.starts, codes, side="right").astype(np.int64) - 1

    def _carried(self, timeline: Timeline, clock: Clock, first: Numbers, reach: int) -> tuple[Numbers, Numbers]:
        """Rows and the epochs into which they are carried."""
        stays = _stays(timeline, clock)
        staying, passing = np.flatnonzero(stays), np.flatnonzero(~stays)
        known = clock.code(timeline.keys, timeline.since)[staying]
        since_key = np.searchsorted(known, self.starts >> clock.bits << clock.bits)
        before = np.searchsorted(known, self.starts)
        counts = np.minimum(before - since_key, reach)
        new, new_into = _ranges(before - counts, counts)
        last = self.at(clock.code(timeline.keys[passing], timeline.until[passing]))
        epochs, which = _ranges(first[passing] + 1, last - first[passing])
        return np.concatenate([staying[new], passing[which]]), np.concatenate([new_into, epochs])


def _stays(timeline: Timeline, clock: Clock) -> NDArray[np.bool_]:
    return timeline.until > clock.latest


def _ranges(starts: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """The numbers from each start, `count` of them, one range after the other; and which range each belongs to."""
    which = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts - starts, counts), which


def _newest_carried(epoch: Numbers, carried: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Which rows, in order of epoch, remain when each epoch keeps the newest `reach` of those that it carries over."""
    starts = starts_of_runs(epoch)
    lengths = np.diff(np.append(starts, len(epoch)))
    place = np.arange(len(epoch)) - np.repeat(starts, lengths)
    surplus = np.add.reduceat(carried, starts, dtype=np.int64) - reach if len(starts) else lengths
    return place >= np.repeat(surplus, lengths)
