"""What a mapping must satisfy beyond its types; every complaint names the file, the key and what is allowed."""

import codecs
import re
from itertools import combinations
from pathlib import PurePosixPath
from string import Formatter

import polars as pl

from features.calendars import zone
from features.errors import BadInput, BadSetting
from features.money import exponent
from features.tables import Kind
from pipelines.fields import Field, fields_of, missing_fields
from pipelines.mapping_keys import Books, FileSpec, From, KnownAt, Mapping, Rest, Section, When, each, origin
from pipelines.parsers import PARSERS, default_parser
from pipelines.strict_yaml import nearest

SUFFIXES = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".parquet": "parquet", ".xlsx": "xlsx"}
LAST_ALLOWED = ("customer", "customer_attribute")
_DAY_DIRECTIVES = re.compile(r"%[-_0]?[dmbBeyYj]")


def require_sound(mapping: Mapping, file: str) -> None:
    """`BadSetting` for the first thing in `mapping` (read from `file`) that cannot work."""
    _Rules(file).mapping(mapping)


class _Rules:
    def __init__(self, file: str) -> None:
        self.file = file

    def mapping(self, mapping: Mapping) -> None:
        self._need(bool(mapping.source.strip()), "source", "is empty", "the name of the system the data comes from")
        self._need(bool(mapping.files or mapping.rest), "files", "is missing", "at least one file, or `rest`")
        for name, books in mapping.entities.items():
            self._books(books, f"entities.{name}")
        for i, spec in enumerate(mapping.files):
            self._file(spec, mapping, f"files[{i}]")
        if mapping.rest is not None:
            self._rest(mapping.rest)

    def _books(self, books: Books, key: str) -> None:
        try:
            exponent(books.currency)
            zone(books.time_zone)
        except BadInput as error:
            raise BadSetting(f"{self.file}: {key}: {error}") from None
        country = books.country
        allowed = "two capital letters as in ISO 3166, such as DE"
        self._need(country is None or bool(re.fullmatch("[A-Z]{2}", country)), f"{key}.country", repr(country), allowed)

    def _file(self, spec: FileSpec, mapping: Mapping, key: str) -> None:
        path = PurePosixPath(spec.path)
        inside = bool(spec.path) and not path.is_absolute() and ".." not in path.parts and "\\" not in spec.path
        self._need(inside, f"{key}.path", repr(spec.path), "a path inside the data folder, with / between its parts")
        known = spec.format is not None or path.suffix.lower() in SUFFIXES
        allowed = f"a suffix of {', '.join(SUFFIXES)}, or `format`"
        self._need(known, f"{key}.path", f"{spec.path!r} has no known suffix", allowed)
        self._layout(spec, key)
        self._whose(spec, mapping, key)
        for i, section in enumerate(spec.tables):
            self._section(section, f"{key}.tables[{i}]")

    def _layout(self, spec: FileSpec, key: str) -> None:
        one = "one character (\\t for a tab)"
        self._need(len(spec.separator.encode()) == 1, f"{key}.separator", repr(spec.separator), one)
        try:
            codecs.lookup(spec.encoding)
        except LookupError:
            hint = "a text encoding such as utf-8, cp1252, latin-1, utf-16"
            raise self._refusal(f"{key}.encoding", f"is {spec.encoding!r}", hint) from None
        self._signs(spec.decimal, spec.thousands, key)
        self._formats(each(spec.dates), f"{key}.dates", Kind.DAY)

    def _signs(self, decimal: str, thousands: str, key: str) -> None:
        self._need(decimal in (".", ","), f"{key}.decimal", f"is {decimal!r}", "'.' or ','")
        groups = ("", ".", ",", " ", "'", "’", "_")
        said = "one of '.', ',', ' ', \"'\" other than decimal, or '' for none"
        self._need(thousands in groups and thousands != decimal, f"{key}.thousands", f"is {thousands!r}", said)

    def _whose(self, spec: FileSpec, mapping: Mapping, key: str) -> None:
        self._need(bool(mapping.entities), "entities", "is missing", "at least one legal entity with its currency")
        whose = spec.entity or mapping.entity
        many = f"{len(mapping.entities)} entities and none named"
        allowed = "`entity` with a column or a constant, here or for the whole mapping"
        self._need(whose is not None or len(mapping.entities) == 1, f"{key}.entity", many, allowed)
        if whose is None:
            return
        self._from(whose, Field("entity", Kind.TEXT, "", None), f"{key}.entity")
        if whose.constant is not None:
            names = list(mapping.entities)
            hint = f"one of {', '.join(names)}{nearest(whose.constant, names)}"
            self._need(whose.constant in names, f"{key}.entity", f"is {whose.constant!r}", hint)

    def _section(self, section: Section, key: str) -> None:
        allowed = "another table; entities are declared under `entities`"
        self._need(section.table != "entity", f"{key}.table", "is 'entity'", allowed)
        fields = fields_of(section.table)
        for name, source in section.fields.items():
            self._known(name, list(fields), f"{key}.fields")
            self._from(origin(source), fields[name], f"{key}.fields.{name}")
        self._attributes(section, key)
        filled = set(section.fields) | ({"name", "value"} if section.attributes else set())
        missing = missing_fields(section.table, filled)
        where = f"{key}.fields"
        self._need(not missing, where, f"lacks {', '.join(missing)}", f"{section.table} needs these fields")
        for i, when in enumerate(each(section.when)):
            self._when(when, f"{key}.when[{i}]")
        if isinstance(section.known_at, KnownAt):
            self._known_at(section.known_at, f"{key}.known_at")
        last = section.repeats == "conflict" or section.table in LAST_ALLOWED
        self._need(last, f"{key}.repeats", f"is {section.repeats!r}", f"conflict (last: {', '.join(LAST_ALLOWED)})")

    def _attributes(self, section: Section, key: str) -> None:
        if not section.attributes:
            return
        here = f"{key}.attributes"
        self._need(section.table == "customer_attribute", here, "given", "only for table customer_attribute")
        clash = {"name", "value", "attribute_id"} & set(section.fields)
        self._need(not clash, here, "given", f"without fields {', '.join(sorted(clash))}")
        value = fields_of(section.table)["value"]
        for name, source in section.attributes.items():
            ok = bool(re.fullmatch("[a-z][a-z0-9_]{0,39}", name))
            self._need(ok, f"{here}.{name}", "is no attribute name", "lower_snake_case, 40 at most")
            self._from(origin(source), value, f"{here}.{name}")

    def _from(self, source: From, field: Field, key: str) -> None:
        given = [k for k in ("column", "constant", "template") if getattr(source, k) is not None]
        allowed = "exactly one of column, constant, template"
        self._need(len(given) == 1, key, f"has {' and '.join(given) or 'none of them'}", allowed)
        constant = source.fallback is not None and source.constant is not None
        self._need(not constant, f"{key}.fallback", "given", "only beside column or template")
        self._expression(source.extract, f"{key}.extract", grouped=True)
        if source.template is not None:
            self._template(source.template, f"{key}.template")
        parser = source.parser or default_parser(field.kind)
        fitting = [name for name, maker in PARSERS.items() if field.kind in maker.kinds]
        self._need(parser in fitting, f"{key}.parser", f"is {parser!r}", f"{' or '.join(fitting)} for {field.name}")
        self._options(source, parser, field.kind, key)

    def _options(self, source: From, parser: str, kind: Kind, key: str) -> None:
        given = [
            o for o in ("formats", "decimal", "thousands", "zfill", "negate") if getattr(source, o) not in ((), None)
        ]
        unheeded = [o for o in given if o not in PARSERS[parser].heeds and getattr(source, o)]
        heeds = f"with parser {parser}: {', '.join(PARSERS[parser].heeds) or 'no options'}"
        self._need(not unheeded, key, f"has {', '.join(unheeded)}", heeds)
        self._formats(each(source.formats), f"{key}.formats", kind)
        self._need(source.zfill >= 0, f"{key}.zfill", f"is {source.zfill}", "0 or more digits")
        if source.decimal is not None or source.thousands is not None:
            self._signs(source.decimal or ".", source.thousands or "", key)

    def _template(self, template: str, key: str) -> None:
        try:
            names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
        except ValueError as error:
            raise self._refusal(key, f"is {template!r} ({error})", "text with {column} in it") from None
        self._need(bool(names) and all(names), key, f"is {template!r}", "text with {column} in it")

    def _formats(self, formats: tuple[str, ...], key: str, kind: Kind) -> None:
        for style in formats:
            self._need(_is_format(style, kind), key, f"is {style!r}", "a format such as %Y-%m-%d, %d.%m.%Y, %m/%d/%y")
        for one, other in combinations(formats, 2):
            both = f"has {one!r} and {other!r}, which read the same text as different days"
            self._need(not _ambiguous(one, other), key, both, "one of them")

    def _when(self, when: When, key: str) -> None:
        given = when.present is not None or when.equals or when.not_equals or when.matches is not None
        self._need(bool(given), key, "has no condition", "present, equals, not_equals or matches")
        self._expression(when.matches, f"{key}.matches")

    def _expression(self, pattern: str | None, key: str, *, grouped: bool = False) -> None:
        if pattern is None:
            return
        allowed = "a regular expression" + (" with a group: (...)" if grouped else "")
        try:
            groups = pl.Series([""]).str.extract_groups(pattern).struct.fields
        except pl.exceptions.ComputeError:
            raise self._refusal(key, f"is {pattern!r}", allowed) from None
        self._need(bool(groups) or not grouped, key, f"is {pattern!r}", allowed)

    def _known_at(self, known: KnownAt, key: str) -> None:
        given = [k for k in ("start_of", "instant") if getattr(known, k) is not None]
        self._need(len(given) == 1, key, f"has {' and '.join(given) or 'neither'}", "start_of or instant")
        kind = Kind.DAY if known.start_of is not None else Kind.INSTANT
        source = known.start_of if known.start_of is not None else known.instant
        assert source is not None
        self._from(origin(source), Field(given[0], kind, "", None), f"{key}.{given[0]}")

    def _rest(self, rest: Rest) -> None:
        self._need("{table}" in rest.path, "rest.path", f"is {rest.path!r}", "a path with {table} in it")
        for name, sources in rest.fields.items():
            self._known(name, list(rest.tables), "rest.fields")
            fields = fields_of(name)
            for field, source in sources.items():
                self._known(field, list(fields), f"rest.fields.{name}")
                self._from(origin(source), fields[field], f"rest.fields.{name}.{field}")

    def _known(self, name: str, allowed: list[str], key: str) -> None:
        self._need(name in allowed, key, f"has unknown {name!r}", ", ".join(allowed) + nearest(name, allowed))

    def _need(self, holds: bool, key: str, found: str, allowed: str) -> None:
        if not holds:
            raise self._refusal(key, found, allowed)

    def _refusal(self, key: str, found: str, allowed: str) -> BadSetting:
        return BadSetting(f"{self.file}: {key} {found}; allowed: {allowed}")


def _is_format(style: str, kind: Kind) -> bool:
    """Whether strptime could ever make the kind of value out of it."""
    if kind is Kind.INSTANT and style == "%+":
        return True
    return len(_DAY_DIRECTIVES.findall(style)) >= 2 or style in ("%F", "%D", "%x", "%s")


def _ambiguous(one: str, other: str) -> bool:
    """The same layout with day and month swapped: 03/04 would be whichever comes first."""
    swapped = one.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
    return one != other and swapped == other
