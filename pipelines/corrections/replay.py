"""How a corrected payload lands: by the very same path as it came.

What was read from a file needs the mapping that read it (`mapping`): the file's specification is the one whose path
fits the place, and the whole line passes again, as a file of one row. A record needs to know only how its fields are
called: as `mapping` says where one is given, else as the system of the landscape does; what came by webhook, and the
connectors to ERPs and banks, use the canonical names, so no system need be reachable.

Either way contracts, counts and the run ledger apply, and facts are dated as those of the feed are. What breaks again
goes back to quarantine under the payload that came first, so it stays one case. A replay is no sign of life of the
source, and moves no cursor.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Protocol

import msgspec
import polars as pl

from features.errors import BadInput, BadSetting, NotFound, SourceBroken
from features.lake import Lake
from features.tables import table
from pipelines.complaints import COMPLAINT, PLACE
from pipelines.connectors.files import SourceFile, require_columns
from pipelines.connectors.source import Batch, section_of
from pipelines.corrections.cases import Case
from pipelines.dating import Dating
from pipelines.feeds import Feed
from pipelines.fields import fields_of
from pipelines.file_feeds import Folder, file_feeds
from pipelines.landscape import Landscape
from pipelines.mapping import load
from pipelines.mapping_keys import FileSpec, From, Rest, Section
from pipelines.mapping_keys import Mapping as SourceMapping
from pipelines.readings import columns_used
from pipelines.record_feeds import record_feed
from pipelines.run import Run, running
from pipelines.run_report import Quiet
from pipelines.shaping import Setting
from services.corrections import Json
from services.runs import Counts
from services.store import Store

_HELPERS: dict[str, dict[str, str | From]] = {"allocation": {"paid_currency": "paid_currency"}}
_UNREADABLE = (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError)
_NOBODY = From(constant="")


class Route(Protocol):
    """The path of a payload into the lake."""

    @property
    def case(self) -> Case:
        """Whose payload it is."""
        ...

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """The payload's fields that these canonical fields are read from, and those called so that nobody reads."""
        ...

    def feeds(self, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
        """What the payload says, table by table."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay: its run, its counts, and why it broke again, if it did."""

    run_id: str
    counts: Counts
    reasons: tuple[str, ...]


def route_of(case: Case, mapping: SourceMapping | None, landscape: Landscape | None) -> Route:
    """The path that the case's payload came by; `BadSetting` and `NotFound` say what is needed to find it."""
    if mapping is not None and mapping.source != case.system:
        raise BadSetting(f"case {case.case_id} came from {case.system!r}, the mapping is of {mapping.source!r}")
    if case.file is not None:
        if mapping is None:
            raise BadSetting(f"case {case.case_id} came from a file; allowed: --mapping with what read {case.file}")
        return FileRoute(case, mapping, _spec_of(case.file, mapping))
    return RecordRoute(case, {name: _section(case, name, mapping, landscape) for name in case.about})


def replayed(case: Case, payload: Json, route: Route, lake: Lake, store: Store, *, now: datetime) -> Replayed:
    """Land the payload; `BadInput` where it is not even a record, or says nothing."""
    now += timedelta(microseconds=-now.microsecond % 1000)
    with running(case.system, lake, store, now=now, progress=Quiet()) as run:
        feeds = [(feed, how) for feed, how in _given(route, payload, run) if feed.read]
        if not feeds:
            raise BadInput(f"case {case.case_id}: no table is read from it as it is now; edit or discard it")
        told = [(_under_case(feed, case), how) for feed, how in feeds]
        counts = sum((run.land(feed, how) for feed, how in told), Counts())
        for feed, _ in told:
            store.finish_feed(run.run_id, feed.name, now=now)
    reasons = [f"{feed.table.name}: {violation}" for feed, _ in told for violation in feed.first]
    return Replayed(run.run_id, counts, tuple(reasons))


@dataclass(frozen=True)
class RecordRoute:
    """A JSON record, and how each table that it is of reads it."""

    case: Case
    sections: Mapping[str, Section]

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """See `Route`."""
        return _columns_of(self.sections.values(), fields)

    def feeds(self, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
        """See `Route`."""
        told = []
        for name, section in self.sections.items():
            feed = record_feed(_feed_name(self.case, name), section, table(name), Batch([payload]), run)
            placed = feed.bad.with_columns(pl.lit(self.case.place).alias("_where"))
            told.append((replace(feed, bad=placed), Dating.BY_SOURCE))
        return told


@dataclass(frozen=True)
class FileRoute:
    """A line of a file, and what the mapping says of such files."""

    case: Case
    mapping: SourceMapping
    spec: FileSpec

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """See `Route`. Of a line that could not be parted nobody knows what stands where: all of it."""
        if self.case.broken_line:
            return set(self.case.given or {})
        return _columns_of(self.spec.tables, fields)

    def feeds(self, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
        """See `Route`."""
        texts = {name: _text(payload.get(name)) for name in {**(self.case.given or {}), **payload}}
        cells = {"_row": 0, "_where": self.case.line} | texts
        rows = pl.DataFrame([cells], schema=PLACE | dict.fromkeys(texts, pl.String()))
        file = SourceFile(f"correction {self.case.case_id}", rows, pl.DataFrame(schema=COMPLAINT), "")
        whose = self.spec.entity or self.mapping.entity or _NOBODY
        require_columns(file, {c for section in self.spec.tables for c in columns_used(section, whose)})
        setting = Setting(run.source, self.mapping.entities, run.now)
        found = file_feeds(Folder([(file, self.spec)], ()), self.mapping, setting, run.lake)
        return [(given.feed, given.dating) for given in found]


def _given(route: Route, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
    try:
        return route.feeds(payload, run)
    except SourceBroken as error:  # here it is the edit, not the source, that is to blame
        raise BadInput(str(error)) from None
    except _UNREADABLE as error:
        allowed = "text, numbers, true or false, instants in ISO 8601"
        raise BadInput(f"case {route.case.case_id}: the payload cannot be read; allowed: {allowed}") from error


def _under_case(feed: Feed, case: Case) -> Feed:
    """The feed whose bad rows are told as of the payload that came first, or of its place where there was none."""
    return replace(feed, payloads=lambda rows: [case.raw] * len(rows))  # type: ignore[list-item]  # null: no payload


def _feed_name(case: Case, name: str) -> str:
    return f"correction {case.case_id}: {name}"


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _columns_of(sections: Iterable[Section], fields: Collection[str]) -> set[str]:
    """As `Route.columns_of`; an amount's fallback and template are among them."""
    found, read = set(), set()
    for section in sections:
        wanted = {name: source for name, source in section.fields.items() if name in fields}
        found |= columns_used(Section(table=section.table, fields=wanted), _NOBODY)
        read |= columns_used(section, _NOBODY)
    return found | (set(fields) - read)


def _spec_of(file: str, mapping: SourceMapping) -> FileSpec:
    parts = PurePosixPath(file).parts
    for spec in mapping.files:
        wanted = PurePosixPath(spec.path).parts
        if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return spec
    known = ", ".join(spec.path for spec in mapping.files) or "no files"
    raise BadSetting(f"the mapping does not say how to read {file}; it has: {known}")


def _section(case: Case, name: str, mapping: SourceMapping | None, landscape: Landscape | None) -> Section:
    rest = mapping.rest if mapping is not None else _rest_of(case, landscape)
    if rest is not None:
        return section_of(table(name), rest.fields.get(name))
    if mapping is not None:
        raise BadSetting(f"case {case.case_id} came as a record; allowed: a mapping with `rest`, or none")
    helpers = {field: source for field, source in _HELPERS.get(name, {}).items() if field in fields_of(name)}
    return section_of(table(name), helpers)


def _rest_of(case: Case, landscape: Landscape | None) -> Rest | None:
    """How the API that the case came from calls things; None where by the canonical names."""
    if case.place.startswith("webhook "):  # see `hook_feeds`
        return None
    if landscape is not None and case.system in landscape.names:
        told = landscape.system(case.system).rest
        return None if told is None else load(told.mapping).rest
    needed = "--mapping with what read it, or --landscape with the system"
    raise NotFound(f"case {case.case_id}: nobody says how {case.system!r} calls its fields; allowed: {needed}")
