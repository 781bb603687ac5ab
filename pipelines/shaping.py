"""Rows of a source, all text, become typed rows of one canonical table, by the readings that a mapping declares.

Everything is Polars expressions over whole columns. A row with a value that cannot be read is set aside with a
complaint; the others carry the table's schema and where they came from, ready for `features.contracts.check`.

Inside, `t.x` is the text that field x is read from, `p.x` what its parser prepared of it and `v.x` its value, so that
no column of a source can collide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter

import polars as pl

from features.calendars import with_day_start
from features.contracts import digest
from features.tables import INSTALMENT, INSTANT, Kind, Table, table
from pipelines import instalments
from pipelines.complaints import MOST_TERMS_DAYS, PLACE, complaints, currency_in, spared
from pipelines.fields import ENTITY_CURRENCY, OBVIOUS, Field, fields_of
from pipelines.mapping_keys import Books, From, KnownAt, Section, each
from pipelines.parsers import exponent_of
from pipelines.readings import Reading, Style, holds, reading

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Setting:
    """What every feed of one ingest shares. `books`: by entity_id; `now`: when what has no better time is learnt."""

    source: str
    books: Mapping[str, Books]
    now: datetime


@dataclass(frozen=True, slots=True)
class Shaped:
    """`rows` under the table's schema and `PLACE`; `bad` under `COMPLAINT`, one row per complaint.

    `read` counts the rows of the table that the source produced: rows.height plus the rows behind `bad`.
    """

    rows: pl.DataFrame
    bad: pl.DataFrame
    read: int


def shape(section: Section, frame: pl.DataFrame, *, entity: From, style: Style, setting: Setting) -> Shaped:
    """What `frame` (text columns and `PLACE`) says about the section's table.

    A column `_deleted` (Boolean) marks records that were taken back; where it is absent nothing is. The digest is that
    of the values read: what a source says beside them makes no new version.
    """
    kept = frame.filter(holds(each(section.when), style))
    if not section.attributes:
        return _shaped(section, kept, _readings(section, section.fields, entity, style), setting)
    parts = []
    for name, source in section.attributes.items():
        found = _readings(section, {**section.fields, "name": From(constant=name), "value": source}, entity, style)
        given = kept.filter(found["value"].text.is_not_null())
        labelled = given.with_columns((pl.col("_where") + pl.lit(f", {name}")).alias("_where"))
        parts.append(_shaped(section, labelled, found, setting))
    rows, bad = pl.concat([p.rows for p in parts]), pl.concat([p.bad for p in parts])
    return Shaped(rows, bad, sum(p.read for p in parts))


def _readings(section: Section, fields: Mapping[str, str | From], entity: From, style: Style) -> dict[str, Reading]:
    declared = fields_of(section.table)
    found = {name: reading(declared[name], source, style) for name, source in fields.items()}
    whose = Field("entity_id", Kind.TEXT, "", "entity_id")
    found["entity_id"] = reading(whose, entity, style)
    known = section.known_at
    if isinstance(known, KnownAt):
        source = known.instant if known.start_of is None else known.start_of
        kind = Kind.INSTANT if known.start_of is None else Kind.DAY
        assert source is not None
        found["known_at"] = reading(Field("known_at", kind, "", None), source, style)
    return found


def _shaped(section: Section, frame: pl.DataFrame, readings: Mapping[str, Reading], setting: Setting) -> Shaped:
    canonical = table(section.table)
    extras = [c for c in ("_deleted",) if c in frame.columns]
    texts = frame.select(*PLACE, *extras, *(r.text.alias(f"t.{name}") for name, r in readings.items()))
    texts = texts.with_columns(r.parser.prepare(pl.col(f"t.{n}")).alias(f"p.{n}") for n, r in readings.items())
    values = _values(canonical, texts, readings, setting.books)
    values = _with_known_at(section, canonical, values, setting)
    bad = complaints(section, values, readings, list(setting.books))
    sound = spared(values, bad)
    if section.repeats == "last":
        identity = [f"v.{name}" for name in canonical.key] + ["known_at"]
        sound = sound.unique(identity, keep="last", maintain_order=True)
    rows = _canonical(canonical, sound, setting.source)
    return Shaped(rows, bad, rows.height + bad["_row"].n_unique())


def _values(
    canonical: Table, texts: pl.DataFrame, readings: Mapping[str, Reading], books: Mapping[str, Books]
) -> pl.DataFrame:
    """`texts` with every field of the table as `v.x`, and `b.currency`, the currency of the entity's books."""
    fields = fields_of(canonical.name)
    currency_of = {name: b.currency for name, b in books.items()}
    beside = [readings[name] for name in ("entity_id", "known_at") if name in readings]
    known = texts.with_columns(_read(found, pl.lit(0)) for found in beside)
    books_currency = pl.col("v.entity_id").replace_strict(currency_of, default=None, return_dtype=pl.String)
    known = known.with_columns(books_currency.alias("b.currency"))
    plain = [f for f in fields.values() if f.kind is not Kind.MONEY]
    known = known.with_columns(_value(canonical, f, readings, pl.lit(0)) for f in plain)
    money = [f for f in fields.values() if f.kind is Kind.MONEY]
    known = known.with_columns(_value(canonical, f, readings, exponent_of(currency_in(f))) for f in money)
    known = known.with_columns(_composed(canonical, readings))
    return _with_instalments(known, readings) if canonical.name == "invoice" else known


def _read(found: Reading, exponent: pl.Expr) -> pl.Expr:
    name = found.field.name
    return found.parser.finish(pl.col(f"p.{name}"), exponent).alias(f"v.{name}")


def _value(canonical: Table, field: Field, readings: Mapping[str, Reading], exponent: pl.Expr) -> pl.Expr:
    name = f"v.{field.name}"
    if field.name in readings:
        return _read(readings[field.name], exponent)
    obvious = OBVIOUS.get(canonical.name, {}).get(field.name)
    if obvious == ENTITY_CURRENCY:
        return pl.col("b.currency").alias(name)
    constant = obvious if obvious is not None and "{" not in obvious else None
    return pl.lit(constant, pl.String).cast(field.kind.dtype).alias(name)


def _composed(canonical: Table, readings: Mapping[str, Reading]) -> list[pl.Expr]:
    """Ids that are put together from other fields where the mapping gives none; null where one of those is."""
    templates = {n: t for n, t in OBVIOUS.get(canonical.name, {}).items() if "{" in t and n not in readings}
    return [_joined(template).alias(f"v.{name}") for name, template in templates.items()]


def _joined(template: str) -> pl.Expr:
    parts: list[pl.Expr] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(pl.lit(literal))
        if name is not None:
            parts.append(pl.col(f"v.{name}").cast(pl.String))
    return pl.concat_str(parts)


def _with_instalments(values: pl.DataFrame, readings: Mapping[str, Reading]) -> pl.DataFrame:
    if "instalments" in readings:
        sent = instalments.listed(values["t.instalments"], values["v.currency"])
        return values.with_columns(sent.alias("v.instalments"))
    terms = pl.col("v.terms_days")
    usable = pl.when(terms.is_between(0, MOST_TERMS_DAYS)).then(terms)
    due = pl.coalesce(pl.col("v.due_date"), pl.col("v.issue_date") + pl.duration(days=usable))
    dated = values.with_columns(due.alias("v.due"))
    one = instalments.single(pl.col("v.due"), pl.col("v.amount"))
    return dated.with_columns(one.alias("v.instalments"))


def _with_known_at(section: Section, canonical: Table, values: pl.DataFrame, setting: Setting) -> pl.DataFrame:
    """`known_at` as the section declares it; null where the day or instant that it hangs on is."""
    known = section.known_at or ("ingest" if canonical.day_column is None else KnownAt(start_of=canonical.day_column))
    if not isinstance(known, KnownAt):
        moment = ALWAYS if known == "always" else setting.now
        return values.with_columns(pl.lit(moment).cast(INSTANT).alias("known_at"))
    if known.instant is not None:
        return values.with_columns(pl.col("v.known_at").alias("known_at"))
    day = f"v.{canonical.day_column}" if section.known_at is None else "v.known_at"
    zones = pl.DataFrame(
        {"entity_id": list(setting.books), "time_zone": [b.time_zone for b in setting.books.values()]},
        schema={"entity_id": pl.String, "time_zone": pl.String},
    )
    started = with_day_start(values.rename({"v.entity_id": "entity_id"}), day, zones, "known_at")
    return started.rename({"entity_id": "v.entity_id"}).with_columns(pl.col("known_at").cast(INSTANT))


def _canonical(canonical: Table, values: pl.DataFrame, source: str) -> pl.DataFrame:
    """The rows under the table's schema and `PLACE`."""
    own = [c for c in canonical.own_columns if c.name != "entity_id"]
    named = {f.column: f"v.{f.name}" for f in fields_of(canonical.name).values() if f.column is not None}
    rows = values.select(
        *PLACE,
        pl.col("v.entity_id").alias("entity_id"),
        pl.lit(source).alias("source"),
        pl.col(f"v.{canonical.id_column}").alias("source_id"),
        "known_at",
        (pl.col("_deleted") if "_deleted" in values.columns else pl.lit(value=False)).alias("deleted"),
        *(pl.col(named[c.name]).cast(c.kind.dtype).alias(c.name) for c in own),
    )
    content = _content([c.name for c in own], rows)
    return rows.with_columns(digest(rows.select(content).to_series())).select(*PLACE, *canonical.schema)


def _content(columns: list[str], rows: pl.DataFrame) -> pl.Expr:
    """One text that says what a row says. Nulls are left out, so that a new optional column changes no old digest."""
    parts: list[pl.Expr] = [pl.when("deleted").then(pl.lit("deleted"))]
    for name in columns:
        value = pl.col(name)
        if isinstance(rows.schema[name], pl.List):
            fields = [pl.element().struct.field(f.name).cast(pl.String) for f in INSTALMENT.fields]
            value = value.list.eval(pl.concat_str(fields, separator=" ", ignore_nulls=True)).list.join(", ")
        parts.append(pl.lit(f"{name}=") + value.cast(pl.String))
    return pl.concat_str(parts, separator="\n", ignore_nulls=True)
