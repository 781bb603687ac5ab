"""What serves at this moment, kept up to date beside the traffic: the champion of `mlruns`, asked about the lake.

A promotion and an ingest are noticed by looking: at the manifest's stamp and at the lake's table versions. A new model
is verified, loaded and asked one question before it takes the old one's place in a single assignment; one that fails is
refused and the old one stays. Nothing here runs on the event loop.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Generic, TypeVar

from features.book import Book
from features.errors import DuecastError, NotFound
from features.facts import Facts
from features.lake import Lake
from models import champion
from models.champion import MANIFEST, ModelVersion
from services.guard import place_of
from services.predictor import BookPredictor, predictions

RETRY_SECONDS = 60.0
STARTING = "the model is being loaded"
NOTHING_PROMOTED = "no model has been promoted yet; train one with: duecast train"
SERVING = "a model answers"
REFUSED = "the promoted model or the lake cannot be used; the log says why"

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Loaded:
    version: ModelVersion
    model: Any


class _Newest(Generic[T]):
    """Makes a thing anew when what it is made from has changed; after a failure keeps the old one and tries later."""

    def __init__(self) -> None:
        self.thing: T | None = None
        self.failed = False
        self._made_from: object = None
        self._retry_at = -math.inf

    def get(self, made_from: object, make: Callable[[], T | None]) -> T | None:
        """The newest thing there is; `make` is called when `made_from` is not what it was made from last."""
        if made_from != self._made_from or monotonic() >= self._retry_at:
            try:
                self.thing = make()
            except DuecastError as error:
                self._refused(made_from)
                logger.error("refused, the old one stays: %s", error)
            except (
                Exception
            ) as error:  # a broken disk, a bug: whatever it is, it is tried again, and the old one serves
                self._refused(made_from)
                logger.error("refused, the old one stays: error=%s at=%s", type(error).__name__, place_of(error))
            else:
                self._made_from, self._retry_at, self.failed = made_from, math.inf, False
        return self.thing

    def _refused(self, made_from: object) -> None:
        self._made_from, self._retry_at, self.failed = made_from, monotonic() + RETRY_SECONDS, True


class Champion:
    """The champion under `mlruns`, asked about `lake`. One thread at a time may `refresh`; any may read."""

    def __init__(self, mlruns: Path, lake: Lake, *, loader: str | None = None) -> None:
        """`loader` replaces the house's own class for the model (`models.champion.LOADERS`)."""
        self._mlruns = mlruns
        self._lake = lake
        self._loader = loader
        self._models: _Newest[_Loaded] = _Newest()
        self._books: _Newest[Book] = _Newest()
        self._predictors: _Newest[BookPredictor] = _Newest()
        self._reason = STARTING

    @property
    def predictor(self) -> BookPredictor | None:
        """None until there is one; what is in use is never changed, only replaced."""
        return self._predictors.thing

    @property
    def reason(self) -> str:
        """Why there is no predictor, or how it stands: `SERVING`; `REFUSED` too where an old one serves on."""
        return self._reason

    def refresh(self) -> bool:
        """Look for a new champion and for new facts; whether the predictor was replaced."""
        before = self.predictor
        loaded = self._models.get(_stamp(self._mlruns / MANIFEST), self._load)
        book = self._books.get(self._lake_state(), lambda: Book(Facts.read(self._lake)))
        if loaded is not None and book is not None:
            self._predictors.get((loaded, book), lambda: _asked_once(loaded, book))
        failed = self._models.failed or self._books.failed or self._predictors.failed
        self._reason = REFUSED if failed else SERVING if self.predictor else NOTHING_PROMOTED
        return self.predictor is not before

    def _lake_state(self) -> dict[str, int] | str:
        try:
            return self._lake.table_versions()
        except (DuecastError, OSError) as error:
            return str(error)

    def _load(self) -> _Loaded | None:
        version = champion.champion(self._mlruns)
        if version is None:
            return None
        champion.verify(version, self._mlruns, loader=self._loader)
        return _Loaded(version, champion.load(version, self._mlruns, loader=self._loader))


def _asked_once(loaded: _Loaded, book: Book) -> BookPredictor:
    """A predictor that has answered one question, so that whatever is prepared on first use is prepared by now."""
    predictor = BookPredictor(loaded.version, loaded.model, book)
    try:
        subjects = book.open_receivables(book.last_known()).head(1)
    except NotFound:
        logger.info("the lake is empty: only ledgers that are sent along can be answered")
    else:
        predictions(loaded.version, loaded.model, book.features(subjects))
    logger.info("serving model=%s digest=%s", loaded.version.label, loaded.version.digest[:12])
    return predictor


def _stamp(path: Path) -> tuple[int, int, int] | str | None:
    """What changes with the file; where it cannot be looked at, why not: `_load` then fails too, and is tried again."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error)
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
