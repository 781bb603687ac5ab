"""What `duecast export` does: read the lake, build the star, put it where the BI tool finds it."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from features.book import Book
from features.errors import BadSetting, DuecastError
from features.facts import Facts
from features.kpis.asof import AsOf
from features.lake import Lake
from models.champion import PAYMENT_DATE, ModelVersion, champion, ready
from pipelines.marts.build import Marts, marts
from pipelines.marts.files import Format, require_ours, write_folder
from pipelines.marts.postgresql import is_url, opened, write_postgresql
from pipelines.screen import console
from services.predictor import BookPredictor, predictions
from services.schemas import Prediction
from services.settings import quieten, read_settings


def export(
    *,
    to: str,
    form: Format | None,
    as_of: date | None,
    lake: str | None,
    mlruns: Path | None,
    group_currency: str | None = None,
) -> None:
    """Write the star to a folder or a database, and say what went; the place is tried before any work is done."""
    quieten()
    settings = read_settings(lake=lake, mlruns=mlruns)
    _try(to, form)
    screen = console()
    with screen.status("building the marts"):
        built, unpredicted = star(Lake(settings.lake), settings.mlruns, as_of=as_of, group_currency=group_currency)
    with screen.status("writing"):
        if is_url(to):
            write_postgresql(built, to)
        else:
            write_folder(built, Path(to), form or "parquet")
    screen.print(_summary(built))
    for words in [*([f"No predictions: {unpredicted}"] if unpredicted else []), *hindsight(built)]:
        screen.print(escape(words))
    screen.print("Written: schema duecast" if is_url(to) else f"Written: {to}")


def star(
    lake: Lake, mlruns: Path, *, as_of: date | None = None, group_currency: str | None = None
) -> tuple[Marts, str | None]:
    """The marts as of the start of a day, or of all that is known, and why they have no predictions.

    The champion's predictions are in them, where it can make any: facts wait for no model. No champion is no fault, and
    needs no reason. `NotFound` where the lake is empty.
    """
    book = Book(Facts.read(lake))
    at = book.last_known() if as_of is None else as_of
    try:
        (version, told), why = _predicted(book, at, mlruns), None
    except DuecastError as error:
        version, told, why = None, [], str(error)
    return marts(book, at, told, version, group_currency=group_currency), why


def _predicted(book: Book, at: date | datetime, mlruns: Path) -> tuple[ModelVersion | None, list[Prediction]]:
    """The champion and what it says of all that was open; nothing without one."""
    if champion(mlruns) is None:
        return None, []
    version, model = ready(mlruns, PAYMENT_DATE)
    predictor = BookPredictor(version, model, book)  # refuses a lake that lacks what the model reads
    looks = AsOf.of(book, at).cutoffs.select("entity_id", "cutoff").iter_rows()
    subjects = pl.concat([book.open_receivables(cutoff, entity) for entity, cutoff in looks])
    if subjects.is_empty():
        return version, []
    return version, predictions(version, model, book.features(subjects), promises=predictor.promises)


def _try(to: str, form: Format | None) -> None:
    if not is_url(to):
        require_ours(Path(to))
        return
    if form is not None:
        raise BadSetting(f"--format {form} does not go with a database; allowed: --format with a folder")
    with opened(to):
        pass


def hindsight(built: Marts) -> Iterator[str]:
    """What must be known of predictions by a model that saw more than the books of the day."""
    told = built["fact_prediction"].filter(pl.col("model_saw_later").fill_null(value=True))
    if told.is_empty():
        return
    (model, learnt, saw_later) = told.select("model", "model_learnt_before", "model_saw_later").row(0)
    if saw_later is None:
        yield f"{model} does not say until when it learnt: train again to know whether it saw what came after the day"
    else:
        until = f"until {learnt:%Y-%m-%d %H:%M} UTC" if learnt else "from later days"
        yield (
            f"{model} learnt {until}, after the books of the export end: its predictions are no fair forecast of what "
            "followed (fact_prediction.model_saw_later)"
        )


def _summary(built: Marts) -> Table:
    table = Table(title="Marts", title_justify="left", expand=True, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("mart")
    table.add_column("rows", justify="right")
    for name, rows in built.items():
        table.add_row(name, f"{rows.height:,}")
    return table
