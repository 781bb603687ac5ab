"""Files of a folder as frames of text: CSV, Parquet and XLSX, found and laid out as a mapping declares.

Whatever the format, a cell arrives as text and is given its type by the mapping's parsers, so that one set of rules
(and of complaints) holds for all. Typed dates of Parquet and XLSX arrive in ISO form.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput, NotFound
from pipelines.complaints import COMPLAINT, PLACE, RESERVED, spared, worded
from pipelines.connectors.csv_text import read_csv
from pipelines.mapping_keys import FileSpec, each
from pipelines.mapping_rules import SUFFIXES
from pipelines.readings import Style
from pipelines.strict_yaml import nearest

_ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f")
_SIGNIFICANT = 15  # digits that a float keeps; a spreadsheet shows no more either
_MOST_NAMED = 20


@dataclass(frozen=True)
class SourceFile:
    """One file as read.

    rows     its columns as text, and `PLACE`; rows without any content are left out
    broken   `COMPLAINT`, for those of `rows` that do not have the header's number of fields
    digest   SHA-256 of its bytes
    """

    name: str
    rows: pl.DataFrame
    broken: pl.DataFrame
    digest: str

    @property
    def columns(self) -> list[str]:
        """The columns that the source has."""
        return [c for c in self.rows.columns if c not in PLACE]

    @property
    def whole(self) -> pl.DataFrame:
        """The rows that are not broken."""
        return spared(self.rows, self.broken)


def style_of(spec: FileSpec) -> Style:
    """How the files of `spec` write things."""
    typed = () if _format(spec, spec.path) == "csv" else _ISO
    return Style(each(spec.dates), spec.decimal, spec.thousands, spec.missing, typed)


def matching(folder: Path, spec: FileSpec) -> list[Path]:
    """The files of `folder` that `spec` means, by name; empty only where it is optional.

    `NotFound` names the folder, what was looked for and what is there.
    """
    if not folder.is_dir():
        raise NotFound(f"{folder}: no such folder; allowed: the folder that holds {spec.path}")
    found = sorted(p for p in folder.glob(spec.path) if p.is_file())
    if found or spec.optional:
        return found
    present = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    shown = ", ".join(present[:_MOST_NAMED]) or "no file at all"
    raise NotFound(f"{folder}: no file matches {spec.path!r}; there is: {shown}{nearest(spec.path, present)}")


def read_file(path: Path, name: str, spec: FileSpec) -> SourceFile:
    """The file at `path`, called `name` in complaints; `BadInput` where it is not what `spec` says."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: cannot be read: {error.strerror}") from None
    broken = pl.DataFrame(schema=COMPLAINT)
    match _format(spec, path.name):
        case "csv":
            rows, broken = _csv(data, name, spec)
        case "parquet":
            rows = _parquet(data, name)
        case _:
            rows = _xlsx(data, name, spec)
    return SourceFile(name, rows, broken, hashlib.sha256(data).hexdigest())


def require_columns(file: SourceFile, needed: set[str]) -> None:
    """`BadInput` for the first of the `needed` columns that the file lacks."""
    for column in sorted(needed - set(file.columns)):
        hint = f"it has: {', '.join(file.columns)}{nearest(column, file.columns)}"
        raise BadInput(f"{file.name}: no column {column!r}, which the mapping names; {hint}")


def _format(spec: FileSpec, name: str) -> str:
    return spec.format or SUFFIXES[Path(name).suffix.lower()]


def _csv(data: bytes, name: str, spec: FileSpec) -> tuple[pl.DataFrame, pl.DataFrame]:
    read = read_csv(data, name=name, separator=spec.separator, encoding=spec.encoding, header_row=spec.header_row)
    rows = _placed(read.cells, read.header, name, "line", read.line)
    expected = len(read.header)
    odd = rows.with_columns(pl.Series("width", read.width)).filter(pl.col("width") != expected)
    broken = _with_content(odd, set(odd.columns) - {*PLACE, "width"}).select(
        *PLACE,
        pl.lit("line").alias("field"),
        worded("{} fields", pl.col("width")).alias("value"),
        pl.lit(f"{expected} fields, as many as the header has").alias("allowed"),
    )
    return _with_content(rows, set(rows.columns) - set(PLACE)), broken


def _parquet(data: bytes, name: str) -> pl.DataFrame:
    try:
        table = pl.read_parquet(data)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"{name}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    texts = table.select(_as_text(pl.col(c), dtype).alias(c) for c, dtype in table.schema.items() if _is_flat(dtype))
    rows = _placed(texts, texts.columns, name, "row", np.arange(1, texts.height + 1))
    return _with_content(rows, set(texts.columns))


def _is_flat(dtype: pl.DataType) -> bool:
    return not dtype.is_nested() and dtype not in (pl.Binary, pl.Object)


def _as_text(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return value.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
        return value.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ")
    if dtype.is_float():
        return value.round_sig_figs(_SIGNIFICANT).cast(pl.String)
    return value.cast(pl.String)


def _xlsx(data: bytes, name: str, spec: FileSpec) -> pl.DataFrame:
    try:
        book = fastexcel.read_excel(data)
        if spec.sheet is not None and spec.sheet not in book.sheet_names:
            hint = f"it has: {', '.join(book.sheet_names)}{nearest(spec.sheet, book.sheet_names)}"
            raise BadInput(f"{name}: no sheet {spec.sheet!r}; {hint}")
        sheet = spec.sheet or book.sheet_names[0]
        # An explicit skip_rows counts from the sheet's first row; without it, empty rows at the top are not counted.
        cells = book.load_sheet(sheet, header_row=None, skip_rows=spec.header_row - 1, dtypes="string").to_polars()
    except fastexcel.FastExcelError as error:
        raise BadInput(f"{name}: cannot be read as XLSX: {str(error).splitlines()[0]}") from None
    header = [text or "" for text in cells.row(0)] if cells.height else []
    if not any(text.strip() for text in header):
        raise BadInput(f"{name} row {spec.header_row}: no column names there; allowed: a header row (see `header_row`)")
    body = cells.slice(1)
    rows = _placed(body, header, name, "row", np.arange(body.height) + spec.header_row + 1)
    return _with_content(rows, set(rows.columns) - set(PLACE))


def _placed(cells: pl.DataFrame, header: list[str], name: str, unit: str, numbers: NDArray[np.int64]) -> pl.DataFrame:
    """The cells under the header's names, with `PLACE`."""
    named = cells.rename(dict(zip(cells.columns, _names(header), strict=True)))
    where = worded(f"{{}} {unit} {{}}", pl.lit(name), pl.lit(pl.Series(numbers)))
    return named.with_row_index("_row").with_columns(where.alias("_where"))


def _with_content(rows: pl.DataFrame, columns: set[str]) -> pl.DataFrame:
    return rows.filter(pl.any_horizontal(pl.col(c).str.strip_chars() != "" for c in columns))


def _names(header: list[str]) -> list[str]:
    """Column names without blanks around them; unnamed ones by position, repeated ones with .1, .2 behind.

    >>> _names(["id", " day ", "", "day"])
    ['id', 'day', 'column 3', 'day.1']
    """
    names = list(RESERVED)
    for position, cell in enumerate(header, start=1):
        base = cell.strip() or f"column {position}"
        options = (base if copy == 0 else f"{base}.{copy}" for copy in range(len(header) + 1))
        names.append(next(name for name in options if name not in names))
    return names[len(RESERVED) :]
