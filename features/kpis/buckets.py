"""The ageing buckets: calendar days past due, counted by instalment."""

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from features.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Bucket:
    """Days past due up to and with `to_days` (null: no end). `name` is what measures and columns call it."""

    label: str
    name: str
    to_days: int | None


BUCKETS = (
    Bucket("current", "current", 0),
    Bucket("1-30", "1_30", 30),
    Bucket("31-60", "31_60", 60),
    Bucket("61-90", "61_90", 90),
    Bucket("90+", "over_90", None),
)
LABELS = tuple(bucket.label for bucket in BUCKETS)
CURRENT, OLDEST = LABELS[0], LABELS[-1]
STEPS = tuple(pairwise(BUCKETS))
"""Every bucket with the one that comes after it."""


def bucket_of(past_due_days: str) -> pl.Expr:
    """The label of the bucket; a receivable due today or later is `current`."""
    label = pl.lit(OLDEST)
    for bucket in reversed(BUCKETS[:-1]):
        label = pl.when(pl.col(past_due_days) <= bucket.to_days).then(pl.lit(bucket.label)).otherwise(label)
    return label


def require_bucket(label: str, where: str) -> str:
    """`label`; `BadSetting` where no bucket is called so."""
    if label not in LABELS:
        raise BadSetting(f"{where}: there is no bucket {label!r}; allowed: {', '.join(LABELS)}")
    return label
