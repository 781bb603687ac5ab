"""The records of a BAI2 file: continuations joined, several to a line told apart, each with the line it starts on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from features.errors import BadInput

_CODES = ("01", "02", "03", "16", "49", "88", "98", "99")
_RECORD = re.compile(r"\s*([0-9]{2}),(.*)", re.DOTALL)
# A second record on a line: it must look like one throughout, since a text may hold "/ 16," as well.
_SECOND = re.compile(r"/\s+(?=(?:02,[^,]*,[^,]*,[1-4],|03,[^,]+,|16,[0-9]{3},|49,[+-]?[0-9]+,|9[89],[+-]?[0-9]+,))")
_ALLOWED = f"allowed: {', '.join(_CODES)}"


@dataclass(slots=True)
class Record:
    """One record; `physical` counts it and its continuations, as trailers do."""

    code: str
    fields: list[str]
    file: str
    line: int
    physical: int = 1

    @property
    def place(self) -> str:
        """Where it starts."""
        return f"{self.file} line {self.line}"

    def field(self, position: int) -> str:
        """The field at `position`, from 0; empty where the record is shorter."""
        return self.fields[position].strip() if position < len(self.fields) else ""


@dataclass(slots=True)
class _Written:
    code: str
    texts: list[str]
    line: int
    physical: int = 1


def records(lines: list[str], name: str) -> Iterator[Record]:
    """The logical records of the file called `name`; `BadInput` at the first that is none."""
    current: _Written | None = None
    for number, line in enumerate(lines, start=1):
        for piece in _SECOND.split(line):
            if not piece.strip(" \t\x1a"):
                continue
            found = _RECORD.match(piece)
            if found is None or found[1] not in _CODES:
                _go_on(current, piece, f"{name} line {number}", found[1] if found else None)
            elif found[1] == "88":
                _continue(current, found[2], f"{name} line {number}")
            else:
                if current is not None:
                    yield _record(current, name)
                current = _Written(found[1], [found[2]], number)
    if current is not None:
        yield _record(current, name)


def _go_on(current: _Written | None, piece: str, place: str, code: str | None) -> None:
    """A line break inside a text that its bank did not continue with 88."""
    if current is None or current.code != "16" or current.texts[-1].rstrip().endswith("/"):
        shown = f"record {code}" if code else "text that is no record"
        raise BadInput(f"{place}: {shown}; {_ALLOWED}, each followed by a comma")
    current.texts[-1] += f" {piece.strip()}"


def _continue(current: _Written | None, text: str, place: str) -> None:
    if current is None:
        raise BadInput(f"{place}: 88 continues nothing; {_ALLOWED}, and 88 only after another")
    current.texts.append(text)
    current.physical += 1


def _record(written: _Written, name: str) -> Record:
    """A text goes on as a text; other records go on with the next field."""
    texts = [text.rstrip().removesuffix("/") for text in written.texts]
    if written.code == "16":
        return Record("16", " ".join(texts).split(","), name, written.line, written.physical)
    return Record(written.code, ",".join(texts).split(","), name, written.line, written.physical)
