"""Where bank files wait: one small protocol, and what is done with each file that waits.

A file is marked as done only after it has landed. One that cannot be read stays where it is and is named, so that it is
tried again once the bank or the settings are mended; the others still land.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from features.errors import BadInput, NotFound, SourceBroken, SourceError

DONE = ".done"
FILE_BYTES = 100 * 1024 * 1024
_MOST_WAITING = 10_000
_PASSED_OVER = re.compile(r"^\.|\.done(\.[0-9]+)?$|\.(tmp|part|filepart|partial)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One file that waits: its name at the source, and its size where the source tells it."""

    name: str
    size: int | None = None


class Arrivals(Protocol):
    """A place where a bank leaves files."""

    def waiting(self) -> list[Waiting]:
        """The files that are not done, oldest name first."""

    def fetch(self, file: Waiting, into: Path) -> None:
        """Write the content of `file` to `into`; `SourceError` where it changes meanwhile or cannot be had."""

    def done(self, file: Waiting) -> None:
        """Never list `file` again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the files: names of those that landed, and name and reason of those that did not."""

    landed: tuple[str, ...]
    broken: tuple[tuple[str, str], ...]


def take_in(arrivals: Arrivals, land: Callable[[Path, str], None]) -> Taken:
    """Give every waiting file to `land` as (its content in a temporary file, its name), then mark it as done.

    What `land` refuses with `BadInput` stays and is told in `broken`, as does a file that is still being written; any
    other error ends the run, with the files before it done.
    """
    landed: list[str] = []
    broken: list[tuple[str, str]] = []
    with TemporaryDirectory(prefix="duecast-bank-") as folder:
        copy = Path(folder) / "statement"
        for file in arrivals.waiting():
            try:
                arrivals.fetch(file, copy)
                land(copy, file.name)
            except (BadInput, StillWritten) as error:
                broken.append((file.name, str(error)))
            else:
                arrivals.done(file)
                landed.append(file.name)
            copy.unlink(missing_ok=True)
    return Taken(tuple(landed), tuple(broken))


class StillWritten(SourceError):
    """A file has another size than a moment ago: its bank is still writing it."""


def listed(files: Iterable[Waiting], place: str) -> list[Waiting]:
    """Those that wait, by name: not done, hidden or half uploaded. `SourceBroken` for a name with a path in it."""
    found = sorted((file for file in files if not _PASSED_OVER.search(file.name)), key=lambda file: file.name)
    if len(found) > _MOST_WAITING:
        raise SourceBroken(f"{place}: {len(found):,} files wait; allowed: {_MOST_WAITING:,}; is it the right folder?")
    for file in found:
        if "/" in file.name or "\\" in file.name or "\x00" in file.name:
            raise SourceBroken(f"{place}: a file is called {file.name!r}; allowed: a name without a path")
    return found


def done_name(name: str, taken: Callable[[str], bool]) -> str:
    """`name` with `.done` behind it; numbered where the bank used the name before."""
    first = f"{name}{DONE}"
    if not taken(first):
        return first
    number = 2
    while taken(f"{first}.{number}"):
        number += 1
    return f"{first}.{number}"


def require_whole(file: Waiting, size: int, place: str) -> None:
    """`StillWritten` where `size` bytes came of a file that was listed with another size."""
    if file.size is not None and file.size != size:
        raise StillWritten(f"{place}: {size:,} bytes came, {file.size:,} were listed; it is taken once it is complete")


def require_small(size: int, place: str, limit: int) -> None:
    """`BadInput` where a file is larger than `limit` bytes."""
    if size > limit:
        raise BadInput(f"{place}: more than {limit:,} bytes; that is the limit for one file")


@dataclass(frozen=True, slots=True)
class Folder:
    """Files in a folder of this machine; done ones are renamed to `NAME.done`. Links are not followed."""

    path: Path
    file_bytes: int = FILE_BYTES

    def waiting(self) -> list[Waiting]:
        """The files that are not done; `NotFound` where there is no such folder."""
        if not self.path.is_dir():
            raise NotFound(f"{self.path}: no such folder; allowed: the folder in which the bank's files arrive")
        plain = (p for p in self.path.iterdir() if p.is_file() and not p.is_symlink())
        return listed((Waiting(p.name, p.stat().st_size) for p in plain), str(self.path))

    def fetch(self, file: Waiting, into: Path) -> None:
        """Copy it, in parts."""
        size = 0
        try:
            with (self.path / file.name).open("rb") as source, into.open("wb") as copy:
                while part := source.read(1024 * 1024):
                    size += len(part)
                    require_small(size, file.name, self.file_bytes)
                    copy.write(part)
        except OSError as error:
            raise SourceError(f"{file.name}: cannot be read: {error.strerror}; check the rights on it") from None
        require_whole(file, size, file.name)

    def done(self, file: Waiting) -> None:
        """Rename it."""
        target = done_name(file.name, lambda name: (self.path / name).exists())
        try:
            (self.path / file.name).rename(self.path / target)
        except OSError as error:
            reason = f"{error.strerror}; it has landed and landing it again adds nothing"
            raise SourceError(f"{file.name}: cannot be renamed to {target}: {reason}") from None
