"""Predictions for what is open in the lake, by the champion: the same to the last bit as the service's."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import polars as pl

from features.book import Book
from features.errors import BadInput, BadSetting, NotFound
from features.facts import Facts
from features.lake import Lake
from models.champion import PAYMENT_DATE, ready
from pipelines.answer_files import write_frame
from services.predictor import BookPredictor, predictions
from services.schemas import Prediction

FORMATS = (".parquet", ".csv", ".json")


def score(
    lake: Lake, mlruns: Path, *, as_of: date | None = None, entity: str | None = None, invoices: Sequence[str] = ()
) -> list[Prediction]:
    """The champion's predictions for every open receivable, or for those of one entity or with those ids.

    as_of  answer with what was known before that day began (where each entity is); None: with all there is

    `StateError` where the lake lacks what the model reads; `NotFound` without a champion, without open receivables, or
    for an id that is not open.
    """
    version, model = ready(mlruns, PAYMENT_DATE)
    book = Book(Facts.read(lake))
    predictor = BookPredictor(version, model, book)  # refuses a lake that lacks what the model reads
    subjects = _open(book, as_of, entity)
    missing = sorted(set(invoices) - set(subjects["invoice_id"]))
    if missing:
        raise NotFound(f"invoice {missing[0]!r} is not open as of {as_of or 'now'}; leave it out or choose another day")
    if invoices:
        subjects = subjects.filter(pl.col("invoice_id").is_in(list(invoices)))
    if subjects.is_empty():
        raise NotFound(f"nothing is open as of {as_of or 'now'}; ingest invoices or choose another day")
    return predictions(version, model, book.features(subjects), promises=predictor.promises)


def write(told: Sequence[Prediction], path: Path) -> None:
    """Write predictions to a file; `BadSetting` unless it ends as one of `FORMATS`, `BadInput` without its folder."""
    if path.suffix not in FORMATS:
        raise BadSetting(f"--out {path} ends in {path.suffix!r}; allowed: {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise BadInput(f"--out {path}: there is no folder {path.parent}; make it first")
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(told)))
        return
    write_frame(as_frame(told), path)


def as_frame(told: Sequence[Prediction]) -> pl.DataFrame:
    """One row per prediction; what is nested becomes JSON text."""
    rows = [msgspec.to_builtins(p, builtin_types=(date,)) for p in told]
    nested = ("ageing", "paid_by", "reasons")
    return pl.DataFrame(
        [{**row, **{name: msgspec.json.encode(row[name]).decode() for name in nested}} for row in rows],
        infer_schema_length=None,
    )


def _open(book: Book, as_of: date | None, entity: str | None) -> pl.DataFrame:
    if as_of is None:
        return book.open_receivables(book.last_known(), entity)
    entities = [entity] if entity else book.zones["entity_id"].sort().to_list()
    return pl.concat([book.open_receivables(book.day_start(as_of, name), name) for name in entities])
