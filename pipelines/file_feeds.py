"""The feeds of a folder: every file that a mapping names, read, parsed and checked, nothing landed yet."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import polars as pl

from features.errors import BadInput
from features.lake import Lake
from features.tables import ENTITY, TABLES, table
from pipelines.connectors.files import SourceFile, matching, read_file, require_columns, style_of
from pipelines.dating import Dating, dating_of
from pipelines.feeds import (
    Feed,
    against_invoices,
    agreeing,
    checked,
    payloads_of,
    settled_invoices,
    whole_records,
    with_broken,
    without,
)
from pipelines.fields import fields_of
from pipelines.mapping_keys import FileSpec, From, Mapping, Section
from pipelines.readings import Style, columns_used
from pipelines.run_report import Progress
from pipelines.shaping import Setting, shape


@dataclass(frozen=True, eq=False)
class FileFeed:
    """A feed, how its rows are dated, and the digest of its file.

    `once`: an id has one content in all feeds of its table. Versions that the source dates may differ between files.
    """

    feed: Feed
    dating: Dating
    digest: str
    once: bool


@dataclass(frozen=True)
class Folder:
    """The files of a folder that the mapping names, and the paths of optional files that are not there or empty."""

    files: list[tuple[SourceFile, FileSpec]]
    absent: tuple[str, ...]


def read_folder(path: Path, mapping: Mapping, progress: Progress) -> Folder:
    """Every file with its specification; `NotFound` and `BadInput` name what is missing or wrong."""
    files, absent = [], []
    for spec in mapping.files:
        paths = matching(path, spec)
        if not paths:
            absent.append(spec.path)
        for found in paths:
            file = _read(found, found.relative_to(path).as_posix(), spec, mapping, progress)
            if file.rows.is_empty():
                absent.append(file.name)
            else:
                files.append((file, spec))
    return Folder(files, tuple(absent))


def _read(path: Path, name: str, spec: FileSpec, mapping: Mapping, progress: Progress) -> SourceFile:
    progress.begin(f"read {name}", None)
    file = read_file(path, name, spec)
    require_columns(file, _used(spec, mapping))
    if file.rows.is_empty() and not spec.optional:
        raise BadInput(f"{name}: a header but no rows; allowed: at least one row (or `optional: true` in the mapping)")
    progress.advance(f"read {name}", file.rows.height)
    progress.end(f"read {name}")
    return file


def unused_columns(folder: Folder, mapping: Mapping) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """File -> its columns that no field reads, for files that have such."""
    found = ((file, set(file.columns) - _used(spec, mapping)) for file, spec in folder.files)
    return tuple((file.name, tuple(c for c in file.columns if c in spare)) for file, spare in found if spare)


def file_feeds(folder: Folder, mapping: Mapping, setting: Setting, lake: Lake) -> list[FileFeed]:
    """What the files say, with every row that cannot stand set aside, in the order in which it should land."""
    by_file = _agreed([_feeds(file, spec, mapping, setting) for file, spec in folder.files])
    invoices = settled_invoices([f.feed for feeds in by_file for f in feeds], lake)
    feeds = [f for feeds in by_file for f in _standing(feeds, invoices)]
    return sorted(feeds, key=lambda f: TABLES.index(f.feed.table))


def entity_feed(setting: Setting) -> FileFeed:
    """The entities that the mapping declares; they are known from the beginning of time."""
    texts = {
        "_where": [f"entities.{name}" for name in setting.books],
        "entity_id": list(setting.books),
        **{field: [getattr(b, field) for b in setting.books.values()] for field in fields_of(ENTITY.name)},
    }
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)).with_row_index("_row")
    section = Section(table="entity", fields={name: name for name in fields_of(ENTITY.name)}, known_at="always")
    shaped = shape(section, frame, entity=From(column="entity_id"), style=Style(), setting=setting)
    feed = checked("mapping: entity", shaped, ENTITY, payloads_of(frame), unique_ids=True)
    digest = hashlib.sha256(msgspec.json.encode(setting.books, order="sorted")).hexdigest()
    return FileFeed(feed, Dating.BY_DAY, digest, once=True)


def _feeds(file: SourceFile, spec: FileSpec, mapping: Mapping, setting: Setting) -> list[FileFeed]:
    feeds = []
    names: Counter[str] = Counter()
    for section in spec.tables:
        names[section.table] += 1
        again = f" {names[section.table]}" if names[section.table] > 1 else ""
        whose = _whose(spec, mapping)
        shaped = shape(section, file.whole, entity=whose, style=style_of(spec), setting=setting)
        name = f"{file.name}: {section.table}{again}"
        unique = section.repeats == "conflict"
        feed = checked(name, shaped, table(section.table), payloads_of(file.rows), unique_ids=unique)
        dating = dating_of(section)
        once = unique and dating is not Dating.BY_SOURCE
        feeds.append(FileFeed(with_broken(feed, file.broken), dating, file.digest, once))
    return feeds


def _agreed(by_file: list[list[FileFeed]]) -> list[list[FileFeed]]:
    """The feeds of each file without what another feed contradicts: the order of files settles nothing."""
    agreed: dict[FileFeed, Feed] = {}
    for canonical in TABLES:
        same = [f for feeds in by_file for f in feeds if f.once and f.feed.table is canonical]
        if len(same) > 1:
            agreed |= zip(same, agreeing([f.feed for f in same]), strict=True)
    return [[replace(f, feed=agreed.get(f, f.feed)) for f in feeds] for feeds in by_file]


def _standing(feeds: list[FileFeed], invoices: pl.DataFrame) -> list[FileFeed]:
    """The feeds of one file without what contradicts an invoice, and without the rest of such records."""
    plain = [
        without(f.feed, against_invoices(f.feed, invoices)) if f.feed.table.name == "allocation" else f.feed
        for f in feeds
    ]
    return [replace(f, feed=whole) for f, whole in zip(feeds, whole_records(plain), strict=True)]


def _whose(spec: FileSpec, mapping: Mapping) -> From:
    """Whose books the rows are in; with one entity it need not be said."""
    only = next(iter(mapping.entities))
    return spec.entity or mapping.entity or From(constant=only)


def _used(spec: FileSpec, mapping: Mapping) -> set[str]:
    whose = _whose(spec, mapping)
    return {column for section in spec.tables for column in columns_used(section, whose)}
