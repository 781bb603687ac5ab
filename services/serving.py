"""What serves at this moment, kept up to date beside the traffic: the champions of `mlruns`, asked about the lake.

A promotion and an ingest are noticed by looking: at the manifest's stamp and at the lake's table versions. A new model
is verified, loaded and asked one question before it takes the old one's place in a single assignment; one that fails is
refused and the old one stays. Nothing here runs on the event loop.
"""

import logging
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Generic, TypeVar

from features.book import Book
from features.errors import DuecastError, NotFound
from features.facts import Facts
from features.lake import Lake
from models import champion
from models.champion import MANIFEST, PAYMENT_DATE, ModelVersion
from services.analysts import SERVED, Analysts, Loaded
from services.comparing import scored_apart
from services.guard import place_of
from services.predictor import BookPredictor, predictions

RETRY_SECONDS = 60.0
STARTING = "the model is being loaded"
NOTHING_PROMOTED = "no model has been promoted yet; train one with: duecast train"
SERVING = "a model answers"
REFUSED = "the promoted model or the lake cannot be used; the log says why"

logger = logging.getLogger(__name__)

T = TypeVar("T")


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
    """The champions under `mlruns`, asked about `lake`. One thread at a time may `refresh`; any may read."""

    def __init__(self, mlruns: Path, lake: Lake, *, loader: str | None = None) -> None:
        """`loader` replaces the house's own class for payment dates (`models.champion.LOADERS`)."""
        self._mlruns = mlruns
        self._lake = lake
        self._loader = loader
        self._manifests: _Newest[dict[str, ModelVersion]] = _Newest()
        self._models: dict[str, _Newest[Loaded]] = {name: _Newest() for name in SERVED}
        self._books: _Newest[Book] = _Newest()
        self._predictors: _Newest[BookPredictor] = _Newest()
        self._analysts: _Newest[Analysts] = _Newest()
        self._reason = STARTING

    @property
    def predictor(self) -> BookPredictor | None:
        """None until there is one; what is in use is never changed, only replaced."""
        return self._predictors.thing

    @property
    def analysts(self) -> Analysts | None:
        """Who answers everything else; None until the lake was read. Only ever replaced, as above."""
        return self._analysts.thing

    @property
    def reason(self) -> str:
        """Why there is no predictor, or how it stands: `SERVING`; `REFUSED` too where an old one serves on."""
        return self._reason

    def refresh(self) -> bool:
        """Look for new champions and for new facts; whether the predictor was replaced."""
        before = self.predictor
        promoted = self._manifests.get(_stamp(self._mlruns / MANIFEST), lambda: champion.champions(self._mlruns)) or {}
        book = self._books.get(self._lake_state(), lambda: Book(Facts.read(self._lake)))
        loaded = self._loaded(PAYMENT_DATE, promoted)
        if loaded is not None and book is not None:
            self._predictors.get((loaded, book), lambda: _asked_once(loaded, book))
        failed = any(newest.failed for newest in (self._manifests, self._models[PAYMENT_DATE], self._books))
        failed = failed or self._predictors.failed
        self._reason = REFUSED if failed else SERVING if self.predictor else NOTHING_PROMOTED
        if book is not None:
            self._call_analysts(promoted, book)
        return self.predictor is not before

    def _call_analysts(self, promoted: dict[str, ModelVersion], book: Book) -> None:
        """After what answers about payment dates, which should not wait for them; nor does one model for the next."""
        for name in self._models:
            self._loaded(name, promoted)
            models = {there: newest.thing for there, newest in self._models.items() if newest.thing is not None}
            make = self.analysts.renewed if self.analysts else partial(Analysts, scores=scored_apart)
            self._analysts.get((*models.values(), book), partial(make, models, book))

    def _loaded(self, name: str, promoted: dict[str, ModelVersion]) -> Loaded | None:
        """The promoted version of a model; the one before where that cannot be used."""
        version = promoted.get(name)
        return self._models[name].get(version, lambda: self._load(version) if version else None)

    def _lake_state(self) -> dict[str, int] | str:
        try:
            return self._lake.table_versions()
        except (DuecastError, OSError) as error:
            return str(error)

    def _load(self, version: ModelVersion) -> Loaded:
        loader = self._loader if version.name == PAYMENT_DATE else None
        champion.verify(version, self._mlruns, loader=loader)
        return Loaded(version, champion.load(version, self._mlruns, loader=loader))


def _asked_once(loaded: Loaded, book: Book) -> BookPredictor:
    """A predictor that has answered one question, so that whatever is prepared on first use is prepared by now."""
    predictor = BookPredictor(loaded.version, loaded.model, book)
    try:
        subjects = book.open_receivables(book.last_known())
    except NotFound:
        logger.info("the lake is empty: only ledgers that are sent along can be answered")
    else:
        predictor.promises.of(subjects)  # learns how promises go in each entity that has open ones
        predictions(loaded.version, loaded.model, book.features(subjects.head(1)))
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
