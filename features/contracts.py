"""What a row must satisfy before it may land, and what is said of one that does not.

Nothing is written down here that `features.tables` declares already: mandatory columns, instalments without holes and
every `Rule` come from the table; only the rule that one batch may not contradict itself is of this module.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from features.tables import INSTALMENT, SYSTEM, Column, Kind, Table

PROVENANCE: dict[str, pl.DataType] = {"_where": pl.String(), "_payload": pl.String()}
"""Beside a table's own columns: the place a row came from (file and line, request and record), its payload as JSON."""

QUARANTINE_SCHEMA: dict[str, pl.DataType] = {
    "where": pl.String(),
    "field": pl.String(),
    "value": pl.String(),
    "allowed": pl.String(),
    "payload": pl.String(),
}
"""One row per violation, in the words of `features.errors.Violation`; `value` is null where the value is missing."""

_MISSING_ENTITY = "the id of the legal entity whose books this is in (map a column to it, or name one for the source)"
_PLACES_NAMED = 3


@dataclass(frozen=True)
class Checked:
    """`good`: rows under the table's schema, in their order. `bad`: one row per violation, `QUARANTINE_SCHEMA`.

    `at` says for each row of `bad` which of the given rows it is about, from 0: places are for people, and two rows
    may have the same. `quarantined` counts the rows behind `bad`, so that read = good.height + quarantined.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    at: pl.Series
    quarantined: int


@dataclass(frozen=True, slots=True)
class _Check:
    """`broken` is true on the rows that violate it, never null."""

    column: str
    broken: pl.Expr
    allowed: str


def check(table: Table, rows: pl.DataFrame, *, unique_ids: bool = False) -> Checked:
    """`rows` (the table's columns, typed, and `PROVENANCE`) parted into what may land and what is quarantined.

    A row is bad when a mandatory value is missing or blank, when a rule of the table is broken, or when the batch
    contradicts itself: rows of one key and one `known_at` with different digests (with `unique_ids`, as for a file
    that lists each record once: of one key at all) are all bad, for nothing says which is right. Equal repetitions
    are good; the lake counts them. A row that takes its record back (`deleted`) needs only its key and system columns.
    `TypeError` where `rows` has other columns or types.
    """
    require_schema(rows, table.schema | PROVENANCE, f"{table.name} rows")
    checks = list(_checks(table))
    flags = rows.select(c.broken.alias(str(i)) for i, c in enumerate(checks))
    found = [_violations(rows, c, flags[str(i)]) for i, c in enumerate(checks) if flags[str(i)].any()]
    found.append(conflicts(table, rows, unique_ids=unique_ids))
    bad = pl.concat(found).sort("_row", maintain_order=True)
    good = rows.with_row_index("_row").join(bad, on="_row", how="anti", maintain_order="left")
    return Checked(good.select(*table.schema), bad.select(*QUARANTINE_SCHEMA), bad["_row"], rows.height - good.height)


def digest(payload: pl.Series) -> pl.Series:
    """SHA-256 of each payload's JSON text (UTF-8), as hex; null stays null.

    Payloads are compared by these, so write them in one way: keys sorted, no spaces that carry nothing.

    >>> digest(pl.Series(["{}"])).to_list()
    ['44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a']
    """
    texts = payload.to_list()
    hashed = [None if text is None else hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return pl.Series("digest", hashed, dtype=pl.String())


def require_schema(rows: pl.DataFrame, schema: Mapping[str, pl.DataType], what: str) -> None:
    """`TypeError`, naming each column that is missing, unexpected or of another type; order does not matter."""
    faults = [f"{name} is missing" for name in schema if name not in rows.columns]
    faults += [f"{name} is unexpected" for name in rows.columns if name not in schema]
    faults += [
        f"{name} is {dtype} instead of {schema[name]}"
        for name, dtype in rows.schema.items()
        if name in schema and dtype != schema[name]
    ]
    if faults:
        raise TypeError(f"{what} do not have the declared columns: {'; '.join(faults)}")


def _checks(table: Table) -> Iterator[_Check]:
    always = {c.name for c in SYSTEM} | set(table.key)
    stands = ~pl.col("deleted").fill_null(value=False)
    for column in table.columns:
        if not column.optional:
            broken = _is_missing(column)
            yield _Check(column.name, broken if column.name in always else broken & stands, _needed(column))
    for rule in table.rules:
        yield _Check(rule.column, ~rule.ok().fill_null(value=True) & stands, rule.allowed)


def _is_missing(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    if column.kind is Kind.TEXT:
        return value.is_null() | (value.str.strip_chars() == "")
    if column.kind is Kind.INSTALMENTS:
        hole = pl.any_horizontal(pl.element().struct.field(f.name).is_null() for f in INSTALMENT.fields)
        return value.is_null() | value.list.eval(hole).list.any()
    return value.is_null()


def _needed(column: Column) -> str:
    if column.name == "entity_id":
        return _MISSING_ENTITY
    return f"{column.kind.words} ({column.doc})" if column.kind is Kind.TEXT else column.kind.words


def _violations(rows: pl.DataFrame, check: _Check, broken: pl.Series) -> pl.DataFrame:
    at_fault = rows.with_row_index("_row").filter(broken)
    return at_fault.select(
        "_row",
        pl.col("_where").alias("where"),
        pl.lit(check.column).alias("field"),
        _shown(at_fault[check.column]).alias("value"),
        pl.lit(check.allowed).alias("allowed"),
        pl.col("_payload").alias("payload"),
    )


def _shown(values: pl.Series) -> pl.Series:
    """Values as a person would read them; instalments as JSON."""
    if isinstance(values.dtype, pl.List):
        texts = [None if v is None else json.dumps(v, default=str) for v in values.to_list()]
        return pl.Series(texts, dtype=pl.String())
    return values.cast(pl.String())


def conflicts(table: Table, rows: pl.DataFrame, *, unique_ids: bool) -> pl.DataFrame:
    """How `rows` contradict each other, as `check` says it: `QUARANTINE_SCHEMA` and `_row`, the row's position.

    Of `rows` only the key, `known_at`, `digest` and `PROVENANCE` are read.
    """
    scope = [*table.key] if unique_ids else [*table.key, "known_at"]
    keyed = rows.with_row_index("_row").select("_row", *scope, "digest", *PROVENANCE).drop_nulls([*scope, "digest"])
    least, most = pl.col("digest").min().alias("_least"), pl.col("digest").max().alias("_most")
    clashing = keyed.group_by(scope).agg(least, most).filter(pl.col("_least") != pl.col("_most"))
    at_fault = keyed.join(clashing, on=scope, how="semi", maintain_order="left")
    return at_fault.join(_other_places(at_fault, scope), on="_row", maintain_order="left").select(
        "_row",
        pl.col("_where").alias("where"),
        pl.lit(table.id_column).alias("field"),
        pl.concat_str(table.id_column, pl.lit(" (with other content at "), "_others", pl.lit(")")).alias("value"),
        pl.lit(f"one content per {' and '.join(scope[1:] or scope)}").alias("allowed"),
        pl.col("_payload").alias("payload"),
    )


def _other_places(at_fault: pl.DataFrame, scope: list[str]) -> pl.DataFrame:
    """For each `_row`, `_others`: the first few places of other rows in the same scope."""
    first = pl.struct(pl.col("_row").alias("_other"), pl.col("_where").alias("_place")).head(_PLACES_NAMED + 1)
    places = at_fault.group_by(scope).agg(first.alias("_first")).explode("_first").unnest("_first")
    pairs = at_fault.select("_row", *scope).join(places, on=scope).filter(pl.col("_row") != pl.col("_other"))
    in_order = pairs.sort("_row", "_other").group_by("_row", maintain_order=True)
    return in_order.agg(pl.col("_place").head(_PLACES_NAMED).str.join(", ").alias("_others"))
