"""When and whose: instants as ticks, keys as numbers, and events in their order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.declarations import Key
from features.errors import BadInput

Numbers = NDArray[np.int64]

MS_PER_DAY = 86_400_000


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
class KeyIndex:
    """Every key among the events, numbered from 0."""

    key: Key
    numbered: pl.DataFrame

    @staticmethod
    def of(key: Key, frames: Iterable[pl.DataFrame]) -> "KeyIndex":
        """The distinct keys of `frames`; rows with a null in a key column have none."""
        columns = list(key.columns)
        distinct = pl.concat([frame.select(columns).unique() for frame in frames]).drop_nulls().unique()
        return KeyIndex(key, distinct.with_row_index("_number").with_columns(pl.col("_number").cast(pl.Int64)))

    @property
    def count(self) -> int:
        """How many there are."""
        return self.numbered.height

    def numbers(self, frame: pl.DataFrame) -> pl.Series:
        """The number of each row's key; null where it is null or unknown."""
        columns = list(self.key.columns)
        return frame.select(columns).join(self.numbered, on=columns, how="left", maintain_order="left")["_number"]


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


def starts_of_runs(values: Numbers) -> Numbers:
    """Where in `values` another value begins than the one before; 0 first, where there are any."""
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1)


def _by_code_then_id(codes: Numbers, ids: pl.Series) -> Numbers:
    """Row numbers in order of code, then id. Only where codes tie are the ids, which are long to compare, looked at."""
    order = np.argsort(codes)
    in_order = codes[order]
    same = in_order[1:] == in_order[:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    ties = pl.DataFrame({"code": in_order[tied], "id": ids[order[tied]], "row": order[tied]})
    order[tied] = ties.sort("code", "id")["row"].to_numpy()
    return order
