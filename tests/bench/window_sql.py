"""The same features as SQL for DuckDB: window functions for the values, ASOF joins for the cutoffs.

Written as one would by hand for speed: one table of running values for all features that see the same events, grouped
by instant before the windows run, and an ASOF join to look it up. (One chain of all joins in one statement took 19 GB.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from features import aggregates as agg
from features.declarations import Feature

MEMORY = "4GB"
BEGINNING = "TIMESTAMPTZ '1900-01-01 00:00:00+00'"


@dataclass(frozen=True)
class Group:
    """Features over the same events; `name` is also that of their table of values."""

    name: str
    features: Sequence[Feature]
    leaves: bool

    @property
    def one(self) -> Feature:
        return self.features[0]

    @property
    def is_additive(self) -> bool:
        return isinstance(self.one.aggregate, agg.Additive)

    @property
    def keys(self) -> str:
        return ", ".join(self.one.key.columns)


def compute(
    features: Sequence[Feature],
    events: Mapping[str, pl.DataFrame],
    subjects: pl.DataFrame,
    *,
    threads: int,
    folder: str,
) -> pl.DataFrame:
    """`invoice_id` and the features, row for row; spills to `folder` beyond `MEMORY`."""
    config = {"threads": threads, "memory_limit": MEMORY, "temp_directory": folder}
    subjects = subjects.with_row_index("n")
    with duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in sorted({f.event for f in features}):
            connection.register(f"event_{name}", events[name].to_arrow())
        connection.register("subjects", subjects.to_arrow())
        found = [_found(connection, group) for group in _groups(features, events)]
    return pl.concat([subjects.select("invoice_id"), *found], how="horizontal")


def _found(connection: duckdb.DuckDBPyConnection, group: "Group") -> pl.DataFrame:
    connection.execute(_totals(group) if group.is_additive else _running(group))
    frame = connection.sql(_lookup(group)).pl().sort("n").drop("n")
    connection.execute(f"DROP TABLE {group.name}")
    return frame


def _groups(features: Iterable[Feature], events: Mapping[str, pl.DataFrame]) -> list[Group]:
    found: dict[tuple[object, ...], list[Feature]] = {}
    for f in features:
        found.setdefault((f.event, f.key, f.window_days, f.where, isinstance(f.aggregate, agg.Additive)), []).append(f)
    return [
        Group(f"values_{n}", group, events[group[0].event]["known_to"].null_count() < len(events[group[0].event]))
        for n, group in enumerate(found.values())
    ]


def _totals(group: Group) -> str:
    f = group.one
    terms = sorted({term for feature in group.features for term in feature.aggregate.terms()})
    ends = "known_to" if f.window_days is None else f"least(known_to, known_from + INTERVAL {f.window_days} DAY)"
    where = f"WHERE {f.where}" if f.where else ""
    added = ", ".join(f'{_term(term)} AS "{term.name}"' for term in terms)
    taken = ", ".join(f'-({_term(term)}) AS "{term.name}"' for term in terms)
    summed = ", ".join(f'sum("{term.name}")::BIGINT AS "{term.name}"' for term in terms)
    running = ", ".join(f'sum("{term.name}") OVER w AS "{term.name}"' for term in terms)
    return f"""
        CREATE TEMP TABLE {group.name} AS
        WITH changes AS (
            SELECT {group.keys}, known_from AS t, {added} FROM event_{f.event} {where}
            UNION ALL
            SELECT {group.keys}, {ends} AS t, {taken} FROM event_{f.event} {where}
        ),
        instants AS (SELECT {group.keys}, t, {summed} FROM changes WHERE t IS NOT NULL GROUP BY {group.keys}, t)
        SELECT {group.keys}, t, {running} FROM instants
        WINDOW w AS (PARTITION BY {group.keys} ORDER BY t)
    """


def _term(term: agg.Term) -> str:
    if term.power == 0:
        return f"({term.column} IS NOT NULL)::BIGINT"
    value = f"coalesce({term.column}::BIGINT, 0)"
    return value if term.power == 1 else f"{value} * {value}"


def _running(group: Group) -> str:
    """Values after each event; where events leave, once per epoch (see features/epochs.py)."""
    f = group.one
    values = ", ".join(f"{_value(feature.aggregate)} AS {feature.name}" for feature in group.features)
    seen = f"event_{f.event}"
    start = BEGINNING
    before = ""
    if group.leaves:
        seen, start = "seen", "start"
        before = f"""
        WITH epochs AS ({_epochs(group)}),
        seen AS (
            SELECT e.*, p.start FROM event_{f.event} e JOIN epochs p USING ({group.keys})
            WHERE (e.known_to IS NULL OR e.known_to > p.start) AND (p.stop IS NULL OR e.known_from < p.stop)
        )"""
    lasts = sorted({feature.aggregate.last for feature in group.features if getattr(feature.aggregate, "last", None)})
    windows = ", ".join(f"last_{n} AS (w ROWS BETWEEN {n - 1} PRECEDING AND CURRENT ROW)" for n in lasts)
    return f"""
        CREATE TEMP TABLE {group.name} AS {before}
        SELECT {group.keys}, {start} AS start, known_from AS t, {values}
        FROM (SELECT *, row_number() OVER (PARTITION BY {group.keys}{", start" if group.leaves else ""}
                                          ORDER BY known_from, event_id) AS place FROM {seen})
        WINDOW w AS (PARTITION BY {group.keys}{", start" if group.leaves else ""} ORDER BY known_from, event_id)
               {", " + windows if windows else ""}
        QUALIFY lead(known_from) OVER w IS DISTINCT FROM known_from
    """


def _epochs(group: Group) -> str:
    f = group.one
    return f"""
        SELECT {group.keys}, start, lead(start) OVER (PARTITION BY {group.keys} ORDER BY start) AS stop
        FROM (SELECT DISTINCT {group.keys}, {BEGINNING} AS start FROM event_{f.event}
              UNION SELECT DISTINCT {group.keys}, known_to FROM event_{f.event} WHERE known_to IS NOT NULL)
    """


def _value(aggregate: agg.Aggregate) -> str:
    match aggregate:
        case agg.Last():
            return aggregate.column
        case agg.DaysSince():
            return f"max({aggregate.column}) OVER w"
        case agg.MaxAge():
            return f"min({aggregate.column}) OVER w"
        case agg.Median():
            return f"quantile_cont({aggregate.column}, 0.5) OVER last_{aggregate.last}"
        case agg.Quantile():
            return f"quantile_cont({aggregate.column}, {aggregate.share}) OVER last_{aggregate.last}"
        case agg.Ewma():
            weight = f"power(2, place / {aggregate.half_life}.0)"
            return f"sum({aggregate.column} * {weight}) OVER w / sum({weight}) OVER w"
    raise NotImplementedError(type(aggregate).__name__)


def _lookup(group: Group) -> str:
    selected = ", ".join(f"{_state(f.aggregate, group.name, f.name)} AS {f.name}" for f in group.features)
    return f"SELECT s.n, {selected} FROM subjects s {_asof(group)}"


def _asof(group: Group) -> str:
    def same(table: str) -> str:
        return " AND ".join(f"s.{column} = {table}.{column}" for column in group.one.key.columns)

    values = group.name
    if group.is_additive or not group.leaves:
        return f"ASOF LEFT JOIN {values} ON {same(values)} AND s.cutoff > {values}.t"
    epochs = f"{values}_epochs"
    return f"""
        ASOF LEFT JOIN ({_epochs(group)}) {epochs} ON {same(epochs)} AND s.cutoff > {epochs}.start
        ASOF LEFT JOIN {values} ON {same(values)} AND {values}.start = {epochs}.start AND s.cutoff > {values}.t
    """


def _state(aggregate: agg.Aggregate, table: str, name: str) -> str:
    def total(column: str, power: int) -> str:
        return f'{table}."{agg.Term(column, power).name}"'

    today = "(s.cutoff_day - DATE '1970-01-01')"
    match aggregate:
        case agg.Count():
            return f"coalesce({total(aggregate.columns[0], 0)}, 0)::DOUBLE"
        case agg.Sum(column):
            return f"coalesce({total(column, 1)}, 0)::DOUBLE"
        case agg.Ratio(over, under):
            return f"{total(over, 1)}::DOUBLE / nullif({total(under, 1)}, 0)"
        case agg.MeanAge(column):
            return f"{today} - {total(column, 1)}::DOUBLE / nullif({total(column, 0)}, 0)"
        case agg.Mean(column) | agg.Share(column):
            return f"{total(column, 1)}::DOUBLE / nullif({total(column, 0)}, 0)"
        case agg.Std(column):
            n, s, ss = (f"{total(column, power)}::DOUBLE" for power in range(3))
            return f"CASE WHEN {n} > 1 THEN sqrt(greatest({ss} - {s} * {s} / {n}, 0) / ({n} - 1)) END"
    return f"{today} - {table}.{name}::DOUBLE" if aggregate.is_age else f"{table}.{name}::DOUBLE"
