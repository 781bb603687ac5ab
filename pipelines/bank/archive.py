"""A delivered file, or the files inside a .gz or .zip, as streams of bounded size.

Nothing is unpacked under a name from the archive, and archives in archives are not opened.
"""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from features.errors import BadInput

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_IN_MEMORY = 8 * 1024 * 1024
_PART = 1024 * 1024
_HARMLESS = 1024 * 1024  # below this no ratio is suspicious


@dataclass(frozen=True, slots=True)
class Limits:
    """What one delivery may take, once expanded.

    file_bytes   all the files of it together; larger ones are refused before they are parsed
    text_bytes   one MT940, BAI2 or CSV file, which is read as a whole (camt is read entry by entry)
    ratio        expanded bytes for one compressed byte
    members      files in one archive
    """

    file_bytes: int = 100 * 1024 * 1024
    text_bytes: int = 32 * 1024 * 1024
    ratio: int = 200
    members: int = 1000


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its name for complaints, its size and its content, at the start."""

    name: str
    size: int
    stream: BinaryIO


def members(path: Path, name: str, limits: Limits) -> Iterator[Member]:
    """The file at `path`, called `name`, or what is in it; each stream is closed when the next is asked for.

    `BadInput` where it is larger than `limits`, damaged or encrypted.
    """
    try:
        with path.open("rb") as stream:
            kind = stream.read(4)
            stream.seek(0)
            if kind.startswith(_GZIP):
                yield from _unzipped(stream, name.removesuffix(".gz"), path.stat().st_size, limits)
            elif kind in (_ZIP, _EMPTY_ZIP):
                yield from _of_zip(stream, name, limits)
            else:
                yield Member(name, _bounded(path.stat().st_size, name, limits), stream)
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror or error}") from None


def _bounded(size: int, name: str, limits: Limits) -> int:
    if size > limits.file_bytes:
        raise BadInput(f"{name}: {size:,} bytes; allowed: {limits.file_bytes:,} bytes; split it or raise the limit")
    return size


def _unzipped(stream: IO[bytes], name: str, compressed: int, limits: Limits) -> Iterator[Member]:
    with _damage_named(name), gzip.GzipFile(fileobj=stream) as expanded:
        copied, size = _copied(cast("IO[bytes]", expanded), name, compressed, limits, limits.file_bytes)
    with copied:
        yield Member(name, size, copied)


def _of_zip(stream: IO[bytes], name: str, limits: Limits) -> Iterator[Member]:
    with _damage_named(name):
        archive = zipfile.ZipFile(stream)
    files = [info for info in archive.infolist() if not info.is_dir()]
    if not 0 < len(files) <= limits.members:
        raise BadInput(f"{name}: {len(files)} files in the archive; allowed: 1 to {limits.members}")
    left = limits.file_bytes
    for info in files:
        inner = f"{name}/{info.filename}"
        with _damage_named(inner), archive.open(info) as expanded:
            copied, size = _copied(expanded, inner, info.compress_size, limits, left)
        left -= size
        with copied:
            yield Member(inner, size, copied)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise BadInput(f"{name}: the archive is damaged: {error}; allowed: a whole .gz or .zip") from None
    except (RuntimeError, NotImplementedError) as error:
        raise BadInput(f"{name}: cannot be unpacked: {error}; allowed: .gz, or .zip without a password") from None


def _copied(expanded: IO[bytes], name: str, compressed: int, limits: Limits, left: int) -> tuple[BinaryIO, int]:
    """The content in a temporary file, and its size; counted while it is written, whatever the archive says."""
    copied = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    size = 0
    try:
        while part := expanded.read(_PART):
            size += len(part)
            if size > left:
                raise BadInput(f"{name}: expands to more than {limits.file_bytes:,} bytes in all; that is the limit")
            if size > _HARMLESS and size > compressed * limits.ratio:
                raise BadInput(
                    f"{name}: expands to over {limits.ratio} times its size; allowed: an archive of statements"
                )
            copied.write(part)
    except BaseException:
        copied.close()
        raise
    copied.seek(0)
    return cast("BinaryIO", copied), size
