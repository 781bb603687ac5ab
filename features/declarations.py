"""Features as values: what to say (an aggregate), about which events, of whom, and how far back.

    Feature("days_late_mean_90d", Mean("days_late"), event="settled", key=CUSTOMER, window_days=90,
            doc="mean days late of what was settled in the last 90 days")

An event is visible at a cutoff T when `known_from < T <= known_to` (a null `known_to`: still in force) and, with a
window, `known_from >= T - window_days`. What is wrong with a declaration is said where it is made, and what does not
fit the events at hand by `check`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.aggregates import (
    Additive,
    Aggregate,
    Count,
    DaysSince,
    Ewma,
    Last,
    LastMean,
    Max,
    MaxAge,
    Mean,
    MeanAge,
    Median,
    Min,
    Ordered,
    Quantile,
    Ratio,
    Share,
    Std,
    Sum,
)
from features.errors import BadInput, BadSetting
from features.tables import INSTANT

__all__ = [
    "CUSTOMER",
    "ENTITY",
    "EVENT_COLUMNS",
    "SEGMENT",
    "Additive",
    "Aggregate",
    "Count",
    "DaysSince",
    "Declaration",
    "Derived",
    "Ewma",
    "Feature",
    "Key",
    "Last",
    "LastMean",
    "Max",
    "MaxAge",
    "Mean",
    "MeanAge",
    "Median",
    "Min",
    "Ordered",
    "Quantile",
    "Ratio",
    "Share",
    "Std",
    "Sum",
    "check",
    "check_subjects",
]

EVENT_COLUMNS = {"event_id": pl.String(), "known_from": INSTANT, "known_to": INSTANT}


@dataclass(frozen=True, slots=True)
class Key:
    """Whose events count: those that agree with the subject in every one of `columns`; a null agrees with nothing."""

    name: str
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.columns[:1] != ("entity_id",):
            raise BadSetting(f"key {self.name} is {self.columns}; entity_id must come first: entities are never mixed")


CUSTOMER = Key("customer", ("entity_id", "customer_id"))
SEGMENT = Key("segment", ("entity_id", "segment"))
ENTITY = Key("entity", ("entity_id",))


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise BadSetting(f"feature name {name!r}; allowed: lower_snake_case")


@dataclass(frozen=True, slots=True)
class Feature:
    """An aggregate of the visible events of one type; `where` names a Boolean column that picks among them."""

    name: str
    aggregate: Aggregate
    event: str
    key: Key = CUSTOMER
    window_days: int | None = None
    where: str | None = None
    doc: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.window_days is not None and self.window_days < 1:
            raise BadSetting(
                f"{self.name}: window_days is {self.window_days}; allowed: 1 or more, or None for no window"
            )
        if isinstance(self.aggregate, Ordered):
            self._check_ordered()

    def _check_ordered(self) -> None:
        kind = type(self.aggregate).__name__
        if "customer_id" not in self.key.columns:
            raise BadSetting(
                f"{self.name}: {kind} over key {self.key.name}; {kind} needs a key with customer_id, such as CUSTOMER"
            )
        if self.window_days is not None:
            raise BadSetting(f"{self.name}: {kind} takes no window_days; limit it by its number of events (`last`)")


@dataclass(frozen=True, slots=True)
class Derived:
    """Computed row by row from subject columns and features declared before it.

    `expr` reads the columns in `needs` and nothing else. It becomes Float64; infinities and NaN become null.
    """

    name: str
    expr: Callable[[], pl.Expr]
    needs: tuple[str, ...]
    doc: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        undeclared = sorted(set(self.expr().meta.root_names()) - set(self.needs))
        if undeclared:
            raise BadSetting(
                f"{self.name}: reads {', '.join(undeclared)}, which its needs {list(self.needs)} leave out"
            )


Declaration = Feature | Derived


def check(declarations: Sequence[Declaration], events: Mapping[str, pl.DataFrame]) -> None:
    """Raises `BadSetting` for a name declared twice and for an event or column that is not there or of a wrong type."""
    names = [d.name for d in declarations]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadSetting(f"declared twice: {', '.join(twice)}; every feature needs a name of its own")
    for feature in declarations:
        if isinstance(feature, Feature):
            _check_feature(feature, events)


def _check_feature(feature: Feature, events: Mapping[str, pl.DataFrame]) -> None:
    if feature.event not in events:
        raise BadSetting(f"{feature.name}: no event {feature.event!r}; there are: {_listed(events)}")
    schema = events[feature.event].schema
    place = f"{feature.name}: event {feature.event!r}"
    for column, dtype in EVENT_COLUMNS.items():
        _check_column(place, schema, column, (dtype,))
    _check_no_nulls(place, events[feature.event]["known_from"])
    for column in feature.key.columns:
        _check_column(place, schema, column, None)
    for column in feature.aggregate.columns:
        _check_column(place, schema, column, feature.aggregate.kinds)
    if feature.where is not None:
        _check_column(place, schema, feature.where, (pl.Boolean(),))


def _check_column(
    place: str, schema: Mapping[str, pl.DataType], column: str, allowed: tuple[pl.DataType, ...] | None
) -> None:
    if column not in schema:
        raise BadSetting(f"{place} has no column {column!r}; it has: {_listed(schema)}")
    if allowed is not None and schema[column] not in allowed:
        raise BadSetting(f"{place}: column {column!r} is {schema[column]}; allowed: {_listed(map(str, allowed))}")


def _check_no_nulls(place: str, column: pl.Series) -> None:
    if column.null_count():
        row = column.is_null().arg_max()
        raise BadInput(f"{place}: {column.name} is missing in row {row}; allowed: an instant in every row")


def check_subjects(declarations: Sequence[Declaration], subjects: pl.DataFrame) -> None:
    """Raises `BadSetting` where the subjects lack a column that a declaration reads, or have one of its name."""
    schema: dict[str, pl.DataType] = dict(subjects.schema)
    _check_column("the subject frame", schema, "cutoff", (INSTANT,))
    _check_no_nulls("the subject frame", subjects["cutoff"])
    for feature in declarations:
        if feature.name in schema:
            raise BadSetting(f"{feature.name}: the subjects already have a column of this name; rename the feature")
        for column in _reads(feature):
            dtypes = (pl.Date(),) if column == "cutoff_day" else None
            _check_column(f"{feature.name}: the subject (with the features before it)", schema, column, dtypes)
        schema[feature.name] = pl.Float64()


def _reads(feature: Declaration) -> tuple[str, ...]:
    if isinstance(feature, Derived):
        return feature.needs
    return (*feature.key.columns, "cutoff_day") if feature.aggregate.is_age else feature.key.columns


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
