"""How one field of a mapping is read from the columns of a source: its text, and the parser that gives it a type."""

from dataclasses import dataclass
from functools import reduce
from operator import and_
from string import Formatter

import polars as pl

from features.tables import Kind
from pipelines.fields import Field
from pipelines.mapping_keys import From, KnownAt, Section, When, each, origin
from pipelines.parsers import ISO_DAY, PARSERS, Options, Parser, default_parser, tidy


@dataclass(frozen=True, slots=True)
class Style:
    """How a source writes things where a field does not say otherwise."""

    dates: tuple[str, ...] = (ISO_DAY,)
    decimal: str = "."
    thousands: str = ""
    missing: tuple[str, ...] = ()
    typed_dates: tuple[str, ...] = ()  # how the source's typed dates arrive, beside those written as text


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` is null where the source says nothing; `parser` gives null for text that it cannot read."""

    field: Field
    text: pl.Expr
    parser: Parser
    place: str

    @property
    def allowed(self) -> str:
        """What the parser can read, and in which column of the source it did not find it."""
        return self.parser.allowed + self.place


def reading(field: Field, source: str | From, style: Style) -> Reading:
    """How `field` is filled from `source`."""
    start = origin(source)
    parser = _parser(start, field.kind, style)
    if start.template is not None:
        text = _with_default(_filled_in(start, parser, style), start)
        made = Parser(lambda text, _: text, parser.allowed)
        return Reading(field, text, made, f", made of {start.template!r}")
    if start.constant is not None:
        return Reading(field, pl.lit(start.constant), parser, ", as the mapping's constant")
    columns = [c for c in (start.column, start.fallback) if c is not None]
    text = pl.coalesce([_edited(_cell(c, style), start) for c in columns])
    return Reading(field, _with_default(text, start), parser, f", in column {' or '.join(map(repr, columns))}")


def holds(conditions: tuple[When, ...], style: Style) -> pl.Expr:
    """True where all conditions hold, never null."""
    return reduce(and_, (_holds(when, style) for when in conditions), pl.lit(value=True))


def columns_used(section: Section, entity: From) -> set[str]:
    """The columns of the source that the section reads."""
    known = section.known_at if isinstance(section.known_at, KnownAt) else KnownAt()
    sources = [*section.fields.values(), *section.attributes.values(), known.start_of, known.instant, entity]
    names = {name for s in sources if s is not None for name in _columns_of(origin(s))}
    return names | {when.column for when in each(section.when)}


def _columns_of(source: From) -> set[str]:
    placed = {name for _, name, _, _ in Formatter().parse(source.template or "") if name}
    return placed | {c for c in (source.column, source.fallback) if c is not None}


def _parser(source: From, kind: Kind, style: Style) -> Parser:
    name = source.parser or default_parser(kind)
    options = Options(
        formats=_formats(source, kind, style),
        decimal=style.decimal if source.decimal is None else source.decimal,
        thousands=style.thousands if source.thousands is None else source.thousands,
        zfill=source.zfill,
        negate=source.negate,
    )
    return PARSERS[name].make(options)


def _formats(source: From, kind: Kind, style: Style) -> tuple[str, ...]:
    if kind is not Kind.DAY:
        return each(source.formats)
    return tuple(dict.fromkeys((each(source.formats) or style.dates) + style.typed_dates))


def _cell(column: str, style: Style) -> pl.Expr:
    """The text of a cell; null where it is empty or one of the words for missing."""
    text = tidy(pl.col(column))
    return pl.when((text != "") & ~text.is_in(style.missing)).then(pl.col(column))


def _edited(text: pl.Expr, source: From) -> pl.Expr:
    for part in source.remove:
        text = text.str.replace_all(part, "", literal=True)
    if source.extract is not None:
        text = text.str.extract(source.extract)
    return tidy(text).replace(source.replace) if source.replace else text


def _with_default(text: pl.Expr, source: From) -> pl.Expr:
    return text if source.default is None else text.fill_null(source.default)


def _filled_in(source: From, parser: Parser, style: Style) -> pl.Expr:
    """A template with each {column} read by the field's parser; null where one of them is."""
    parts: list[pl.Expr] = []
    for literal, name, _, _ in Formatter().parse(source.template or ""):
        parts.append(pl.lit(literal))
        if name is not None:
            parts.append(parser.read(_edited(_cell(name, style), source), pl.lit(0)))
    filled = pl.concat_str(parts)
    if source.fallback is None:
        return filled
    return filled.fill_null(parser.read(_edited(_cell(source.fallback, style), source), pl.lit(0)))


def _holds(when: When, style: Style) -> pl.Expr:
    text = tidy(_cell(when.column, style))
    found = pl.lit(value=True)
    if when.present is not None:
        found &= text.is_not_null() if when.present else text.is_null()
    if when.equals:
        found &= text.is_in(each(when.equals))
    if when.not_equals:
        found &= ~text.is_in(each(when.not_equals)).fill_null(value=False)
    if when.matches is not None:
        found &= text.str.contains(when.matches)
    return found.fill_null(value=False)
