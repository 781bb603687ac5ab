"""Delimited text as a frame of text columns in which every row knows the physical line it starts on.

The header decides how many fields a line has. A line with more or fewer is told apart from one with empty fields, so
that a file cut off in the middle of a line is not read as if the rest were empty.
"""

import csv
import io
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput

_QUOTE, _NEWLINE = ord('"'), ord("\n")
_BEYOND = "\x00beyond the header"

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Delimited:
    """`header` as written; `cells` one text column per header field, in order; `line` and `width` one per row."""

    header: list[str]
    cells: pl.DataFrame
    line: Ints
    width: Ints


def read_csv(data: bytes, *, name: str, separator: str, encoding: str, header_row: int) -> Delimited:
    """`data`, the content of the file called `name`; `BadInput` naming the line where it is no such text."""
    data = _as_utf8(data, name, encoding)
    header, skipped = _header(data, name, separator, header_row)
    body = _after_lines(data, skipped)
    if not body.strip():
        return Delimited(header, pl.DataFrame(schema=[(str(i), pl.String) for i in range(len(header))]), *_nothing())
    line, width = _records(body, separator)
    cells = _cells(data, separator, len(header), skipped)
    if cells is None or cells.height != len(line):
        cells, line, width = _walked(body, name, separator, len(header), skipped)
    return Delimited(header, cells, line + skipped, width)


def _as_utf8(data: bytes, name: str, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte {data[error.start]:#04x} is not {encoding}"
        raise BadInput(f"{name} line {line}: {found}; set `encoding`, often cp1252, in the mapping") from None
    return text.removeprefix("\ufeff").encode()


def _header(data: bytes, name: str, separator: str, header_row: int) -> tuple[list[str], int]:
    """The header's fields, and how many physical lines it and what stands above it take."""
    rest = io.TextIOWrapper(io.BytesIO(_after_lines(data, header_row - 1)), "utf-8", newline="")
    reader = csv.reader(rest, delimiter=separator)
    header = next(reader, [])
    if not any(cell.strip() for cell in header):
        raise BadInput(f"{name} line {header_row}: no column names there; allowed: a header line (see `header_row`)")
    return header, header_row - 1 + reader.line_num


def _after_lines(data: bytes, lines: int) -> bytes:
    start = 0
    for _ in range(lines):
        start = data.find(b"\n", start) + 1
        if start == 0:
            return b""
    return data[start:]


def _nothing() -> tuple[Ints, Ints]:
    return np.empty(0, np.int64), np.empty(0, np.int64)


def _cells(data: bytes, separator: str, width: int, skipped: int) -> pl.DataFrame | None:
    """The fields of every record, null where empty; None where a quote stands in a field that is not quoted."""
    columns = [str(i) for i in range(width)]
    try:
        cells = pl.read_csv(
            data,
            separator=separator,
            has_header=False,
            skip_lines=skipped,
            schema=dict.fromkeys([*columns, _BEYOND], pl.String),
            missing_columns="insert",
            extra_columns="ignore",
            truncate_ragged_lines=True,
        )
    except pl.exceptions.ComputeError:
        return None
    return cells.select(columns)


def _records(body: bytes, separator: str) -> tuple[Ints, Ints]:
    """Line (from 1) and number of fields of every record, taking each quote as the start or end of a quoted part."""
    octets = np.frombuffer(body, dtype=np.uint8)
    newline = octets == _NEWLINE
    between = octets == ord(separator)
    ends = newline
    if _QUOTE in body:
        outside = np.bitwise_xor.accumulate(octets == _QUOTE) == 0
        ends, between = newline & outside, between & outside
    last = np.flatnonzero(ends)
    if not len(last) or last[-1] != len(octets) - 1:
        last = np.append(last, len(octets))
    starts = np.append(0, last[:-1] + 1)
    line = np.searchsorted(np.flatnonzero(newline), starts) + 1
    fields_before = np.searchsorted(np.flatnonzero(between), last)
    return line.astype(np.int64), np.diff(fields_before, prepend=0).astype(np.int64) + 1


def _walked(body: bytes, name: str, separator: str, columns: int, skipped: int) -> tuple[pl.DataFrame, Ints, Ints]:
    """Fields, lines and widths record by record: slower, for text with quotes inside fields that are not quoted."""
    reader = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=separator, strict=True)
    records, line, width = [], [1], []
    try:
        for record in reader:
            records.append([cell or None for cell in (record + [""] * columns)[:columns]])
            width.append(max(len(record), 1))
            line.append(reader.line_num + 1)
    except csv.Error as error:
        allowed = "fields in double quotes, with the quotes in them doubled"
        raise BadInput(f"{name} line {skipped + reader.line_num}: {error}; allowed: {allowed}") from None
    cells = pl.DataFrame(records, schema=dict.fromkeys(map(str, range(columns)), pl.String), orient="row")
    return cells, np.array(line[:-1], np.int64), np.array(width, np.int64)
