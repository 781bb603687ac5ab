"""The paths by which lines of files and records of systems came, for their corrections to land by."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import polars as pl

from features.errors import BadInput
from features.tables import table
from pipelines.complaints import COMPLAINT, PLACE
from pipelines.connectors.files import SourceFile, require_columns
from pipelines.connectors.source import Batch
from pipelines.corrections.cases import Case
from pipelines.corrections.edits import ENVELOPE
from pipelines.corrections.landing import Landed, feed_name, landed
from pipelines.dating import Dating
from pipelines.feeds import Feed
from pipelines.file_feeds import Folder, file_feeds
from pipelines.mapping_keys import FileSpec, From, Section
from pipelines.mapping_keys import Mapping as SourceMapping
from pipelines.readings import columns_used
from pipelines.record_feeds import record_feed
from pipelines.run import Run
from pipelines.shaping import Setting
from services.corrections import Json

_NOBODY = From(constant="")


@dataclass(frozen=True)
class RecordRoute:
    """A JSON record, and how each table that it is of reads it."""

    case: Case
    sections: Mapping[str, Section]

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """See `Route`. What every record says is called alike everywhere."""
        return _columns_of(self.sections.values(), fields) | (ENVELOPE & set(fields))

    def land(self, payload: Json, run: Run) -> Landed:
        """See `Route`."""
        return landed(_read(self._feeds(payload, run), self.case), self.case, payload, run)

    def _feeds(self, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
        told = []
        for name, section in self.sections.items():
            feed = record_feed(feed_name(self.case, name), section, table(name), Batch([payload]), run)
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
        entity = columns_used(Section(table="entity", fields={}), self._whose) if "company" in fields else set()
        return _columns_of(self.spec.tables, fields) | entity

    def land(self, payload: Json, run: Run) -> Landed:
        """See `Route`."""
        return landed(_read(self._feeds(payload, run), self.case), self.case, payload, run)

    def _feeds(self, payload: Json, run: Run) -> list[tuple[Feed, Dating]]:
        texts = {name: _text(payload.get(name)) for name in {**(self.case.given or {}), **payload}}
        cells = {"_row": 0, "_where": self.case.line} | texts
        rows = pl.DataFrame([cells], schema=PLACE | dict.fromkeys(texts, pl.String()))
        file = SourceFile(f"correction {self.case.case_id}", rows, pl.DataFrame(schema=COMPLAINT), "")
        require_columns(file, {c for section in self.spec.tables for c in columns_used(section, self._whose)})
        setting = Setting(run.source, self.mapping.entities, run.now)
        found = file_feeds(Folder([(file, self.spec)], ()), self.mapping, setting, run.lake)
        return [(given.feed, given.dating) for given in found]

    @property
    def _whose(self) -> From:
        return self.spec.entity or self.mapping.entity or _NOBODY


def _read(feeds: list[tuple[Feed, Dating]], case: Case) -> list[tuple[Feed, Dating]]:
    """The feeds that say something; `BadInput` where none does."""
    found = [(feed, how) for feed, how in feeds if feed.read]
    if not found:
        raise BadInput(f"case {case.case_id}: no table is read from it as it is now; edit or discard it")
    return found


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
