"""What every forecaster of the payment date can do, ours and the baselines alike."""

from typing import Protocol, runtime_checkable

import polars as pl

from models.distribution import Distribution, Floats


class Fitted(Protocol):
    """Answers for a FEATURE frame, one row each."""

    def distribution(self, features: pl.DataFrame) -> Distribution:
        """Chances from each row's cutoff day on."""
        ...


@runtime_checkable
class RanksLate(Protocol):
    """A `Fitted` whose chance of being late is not that of its distribution, such as a rule that names one day."""

    def late_chance(self, features: pl.DataFrame, late_days: int) -> Floats:
        """(n,) chance of being paid `late_days` or more days after due, or never."""
        ...


class Forecaster(Protocol):
    """Something that learns from a LABELLED frame; `name` is its key in reports."""

    @property
    def name(self) -> str: ...

    def fit(self, labelled: pl.DataFrame) -> Fitted:
        """The forecaster that knows `labelled`; `BadInput` where no row of it is settled."""
        ...
