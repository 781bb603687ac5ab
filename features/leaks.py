"""The alarm against features that know the future.

Each feature is computed twice for the same subjects: from everything, and from only what was known before their cutoff.
An honest feature cannot tell the difference, to the last bit. Then once more with everything learnt later turned into
nonsense, which an honest feature does not see either. Works on the engine alone and on any pipeline: all it needs is a
function from (frames, subjects) to the subjects with their features.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from features import engine
from features.declarations import Declaration
from features.errors import BadSetting, StateError

Frames = Mapping[str, pl.DataFrame]
Compute = Callable[[Frames, pl.DataFrame], pl.DataFrame]

OUTCOMES = ("paid_date", "cancelled", "observed_until")
KEPT = ("entity_id", "customer_id", "segment", "source", "source_id", "digest", "deleted")


@dataclass(frozen=True, slots=True)
class Leak:
    """One value that changed when the future was `how` (withheld or scrambled)."""

    feature: str
    subject: Mapping[str, Any]
    cutoff: datetime
    value: Any
    honest_value: Any
    how: str

    def __str__(self) -> str:
        who = ", ".join(f"{name} {value}" for name, value in self.subject.items() if name != "cutoff")
        return (
            f"{self.feature} is {self.value}, but {self.honest_value} with the future {self.how} "
            f"({who}, cutoff {self.cutoff:%Y-%m-%d %H:%M:%S.%f})"
        )


def leaks(
    compute: Compute,
    frames: Frames,
    subjects: pl.DataFrame,
    *,
    cutoffs: int = 12,
    timeless: Collection[str] = (),
    outcomes: Collection[str] = OUTCOMES,
) -> list[Leak]:
    """Every value of every feature that depends on what was learnt at or after its subject's cutoff.

    compute   returns the subjects row for row with feature columns added, from frames like the ones given
    frames    facts (with `known_at`) or events (with `known_from`, `known_to`) by name; those in `timeless` stay whole
    subjects  have `cutoff`; up to `cutoffs` distinct ones, spread evenly, are examined
    outcomes  columns of the subjects that tell how it ended: withheld when the future is
    """
    examined = subjects.filter(pl.col("cutoff").is_in(_spread(subjects["cutoff"], cutoffs).implode()))
    computed = _computed(compute, frames, examined)
    found: list[Leak] = []
    for (cutoff,), batch in computed.group_by("cutoff", maintain_order=True):
        assert isinstance(cutoff, datetime)
        asked = batch.select(subjects.columns)
        blind = asked.with_columns(pl.lit(None, asked.schema[c]).alias(c) for c in asked.columns if c in outcomes)
        for how, change in (("withheld", known_before), ("scrambled", scrambled_after)):
            changed = {n: frame if n in timeless else change(frame, cutoff) for n, frame in frames.items()}
            found.extend(_differences(batch, _computed(compute, changed, blind), asked, how))
    return found


def check_no_leaks(
    compute: Compute, frames: Frames, subjects: pl.DataFrame, *, cutoffs: int = 12, timeless: Collection[str] = ()
) -> None:
    """Raises `StateError` naming every feature that peeks, with an example of each; arguments as for `leaks`."""
    _raise_for(leaks(compute, frames, subjects, cutoffs=cutoffs, timeless=timeless))


def check_catalogue(declarations: Sequence[Declaration], events: Frames, subjects: pl.DataFrame) -> None:
    """`check_no_leaks` for the engine, with cutoffs also at the very instants at which an event is learnt."""

    def compute(frames: Frames, asked: pl.DataFrame) -> pl.DataFrame:
        return engine.compute(declarations, frames, asked)

    _raise_for([*leaks(compute, events, subjects), *leaks(compute, events, at_instants(events.values(), subjects))])


def at_instants(events: Iterable[pl.DataFrame], subjects: pl.DataFrame) -> pl.DataFrame:
    """One subject of each customer, at each instant at which one of its events is learnt: where `<` and `<=` differ."""
    customer = ["entity_id", "customer_id"]
    instants = pl.concat([frame.select(*customer, "known_from") for frame in events]).unique()
    moved = subjects.unique(customer, maintain_order=True).join(instants, on=customer, maintain_order="left_right")
    moved = moved.with_columns(cutoff="known_from")
    if "cutoff_day" in subjects.columns:
        moved = moved.with_columns(cutoff_day=pl.col("cutoff").dt.date())
    return moved.select(subjects.columns)


def known_before(frame: pl.DataFrame, cutoff: datetime) -> pl.DataFrame:
    """The rows learnt before `cutoff`; that a version stops being the word then or later is not known either."""
    known = frame.filter(pl.col(_learnt(frame)) < cutoff)
    if "known_to" not in frame.columns:
        return known
    return known.with_columns(pl.when(pl.col("known_to") < cutoff).then("known_to").alias("known_to"))


def scrambled_after(frame: pl.DataFrame, cutoff: datetime) -> pl.DataFrame:
    """The frame with the values of what was learnt at or after `cutoff` made nonsense; identities and instants stay.

    Facts swap their contents among each other, so that each still keeps the rules of its table.
    """
    learnt = _learnt(frame)
    later = pl.col(learnt) >= cutoff
    values = [c for c in frame.columns if c not in KEPT and not c.startswith("known_") and not c.endswith("_id")]
    if learnt == "known_at":
        rows = frame.filter(later)
        return pl.concat([frame.filter(~later), rows.with_columns(rows.select(values).reverse())])
    return frame.with_columns(pl.when(later).then(_nonsense(frame, c)).otherwise(c).alias(c) for c in values)


def _learnt(frame: pl.DataFrame) -> str:
    for column in ("known_at", "known_from"):
        if column in frame.columns:
            return column
    raise BadSetting(f"a frame has neither known_at nor known_from but {frame.columns}; name it among the timeless")


def _nonsense(frame: pl.DataFrame, column: str) -> pl.Expr:
    dtype = frame.schema[column]
    if dtype == pl.Boolean():
        return ~pl.col(column).fill_null(value=False)
    if dtype == pl.Date():
        return pl.col(column) + pl.duration(days=997)
    return 9_973 - pl.col(column).fill_null(1) if dtype.is_numeric() else pl.col(column)


def _spread(cutoffs: pl.Series, count: int) -> pl.Series:
    """Up to `count` of the distinct cutoffs, from the first to the last."""
    distinct = cutoffs.unique().sort()
    if len(distinct) <= count:
        return distinct
    return distinct.gather([i * (len(distinct) - 1) // max(count - 1, 1) for i in range(count)])


def _computed(compute: Compute, frames: Frames, subjects: pl.DataFrame) -> pl.DataFrame:
    computed = compute(frames, subjects)
    if not computed.select(subjects.columns).equals(subjects):
        raise BadSetting("compute must return its subjects row for row, with columns added; it returned other rows")
    return computed


def _differences(computed: pl.DataFrame, honest: pl.DataFrame, subjects: pl.DataFrame, how: str) -> Iterator[Leak]:
    for feature in (c for c in computed.columns if c not in subjects.columns):
        for row in computed[feature].ne_missing(honest[feature]).arg_true():
            subject = subjects.row(row, named=True)
            yield Leak(feature, subject, subject["cutoff"], computed[feature][row], honest[feature][row], how)


def _raise_for(found: Sequence[Leak]) -> None:
    examples = {leak.feature: leak for leak in reversed(found)}
    if examples:
        lines = "\n".join(f"  {examples[name]}" for name in sorted(examples))
        raise StateError(f"{len(examples)} feature(s) know what was not known at the cutoff:\n{lines}")
