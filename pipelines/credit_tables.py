"""Portfolio tables: their mapping and their rows, checked before anything learns from them."""

from pathlib import Path

import polars as pl

from features.errors import BadInput, BadSetting, NotFound
from models.credit.portfolio_rules import require_sound
from models.credit.portfolio_spec import PortfolioSpec
from pipelines.strict_yaml import decode, nearest

SHIPPED = Path(__file__).parent / "mappings" / "portfolios"
ENDINGS = (".csv", ".parquet")


def load_portfolio(name_or_path: str | Path) -> PortfolioSpec:
    """The portfolio mapping in a YAML file, or the shipped one of that name.

    `NotFound` where there is neither, `BadSetting` naming file, line, key and what is allowed where it is wrong.
    """
    path = Path(name_or_path)
    path = path if path.is_file() else _shipped(str(name_or_path))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: cannot be read as UTF-8 text: {error}") from None
    return parse_portfolio(text, path.name)


def parse_portfolio(text: str, file: str) -> PortfolioSpec:
    """A checked mapping from YAML text; `file` is only the name used in complaints."""
    spec = decode(text, PortfolioSpec, file)
    require_sound(spec, file)
    return spec


def shipped_portfolios() -> list[str]:
    """The portfolio mappings that ship with Duecast."""
    return sorted(p.stem for p in SHIPPED.glob("*.yaml"))


def read_portfolio(path: Path, spec: PortfolioSpec, *, with_target: bool = True) -> pl.DataFrame:
    """The READ table: id, target and categories as text, numbers as Float64, null where missing; nothing else.

    `NotFound` for a file that is not there, `BadSetting` for a suffix nobody reads, `BadInput` naming row, column and
    value for what is no number, an id that is missing or given twice, a column that is not there or there twice.
    """
    raw = _raw(path)
    texts = (spec.id, *([spec.target.column] if with_target else []), *spec.category_columns)
    wanted = dict.fromkeys([*texts, *spec.number_columns])
    for name in wanted:
        if name not in raw.columns:
            raise BadInput(f"{path}: no column {name!r}; it has: {', '.join(raw.columns)}{nearest(name, raw.columns)}")
        if path.suffix == ".csv" and f"{name}_duplicated_0" in raw.columns:
            raise BadInput(f"{path}: the column {name!r} is there more than once; allowed: once")
    told = raw.select(_texts(raw[name], path).str.strip_chars() for name in wanted)
    told = told.with_columns(pl.when(~pl.all().is_in(spec.missing)).then(pl.all()))
    _require_ids(told[spec.id], path)
    return told.with_columns(_numbers(told[name], path) for name in spec.number_columns)


def _raw(path: Path) -> pl.DataFrame:
    if path.suffix not in ENDINGS:
        raise BadSetting(f"--data {path} ends in {path.suffix!r}; allowed: {', '.join(ENDINGS)}")
    if not path.is_file():
        raise NotFound(f"--data {path}: there is no such file")
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as {path.suffix[1:]}: {' '.join(str(error).split())}") from None


def _texts(column: pl.Series, path: Path) -> pl.Series:
    known = column.fill_nan(None) if column.dtype.is_float() else column  # not a number is nothing, whatever is missing
    try:
        return known.cast(pl.String)
    except pl.exceptions.PolarsError:
        raise BadInput(
            f"{path}: {column.name} holds {column.dtype}; allowed: numbers, text, dates, yes or no"
        ) from None


def _require_ids(ids: pl.Series, path: Path) -> None:
    if ids.null_count():
        raise BadInput(f"{path} row {(ids.is_null().arg_max() or 0) + 1}: {ids.name} is missing; allowed: an id a row")
    if ids.is_duplicated().any():
        row = ids.is_duplicated().arg_max() or 0
        raise BadInput(f"{path} row {row + 1}: {ids.name} is {ids[row]!r} more than once; allowed: one row an id")


def _numbers(texts: pl.Series, path: Path) -> pl.Series:
    numbers = texts.cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() & texts.is_not_null()) | ~numbers.is_finite().fill_null(value=True)
    if wrong.any():
        row = wrong.arg_max() or 0
        raise BadInput(f"{path} row {row + 1}: {texts.name} is {texts[row]!r}; allowed: a finite number or nothing")
    return numbers


def _shipped(name: str) -> Path:
    known = shipped_portfolios()
    if name in known:
        return SHIPPED / f"{name}.yaml"
    raise NotFound(f"no portfolio mapping {name!r}: neither a file nor one of {', '.join(known)}{nearest(name, known)}")
