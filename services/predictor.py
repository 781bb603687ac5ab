"""Answers from one model and one state of the lake: what the API asks.

Predictions are facts too: each carries the digest of the features it was made from, the cutoff, and an id that follows
from both, the model and the instalment. The same question to the same model and the same facts has the same id, in the
service and in `duecast score`. A promise to pay that an answer rests on is part of its features' digest.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import msgspec
import numpy as np
import polars as pl

from features.book import Book
from features.calendars import day_start
from features.catalogue import is_of_attribute
from features.errors import NotFound, StateError, Violation
from features.money import from_minor
from models.champion import ModelVersion
from models.distribution import Distribution
from models.predictions import PaymentPrediction
from models.promises import Promise, Promises, promised_predictions
from models.scorer import HORIZON_DAYS, feature_values
from services.decoding import days_out_of_range
from services.inline import facts_of
from services.problems import InvalidQuestion, UnknownSubject
from services.schemas import Answer, ByIdQuestion, InlineQuestion, ModelCard, Prediction, Reason

ID_LENGTH = 32


class PaymentDates(Protocol):
    """A trained payment-date model."""

    explainer: Any

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns it reads."""
        ...

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame will be paid; asked for where there are promises."""
        ...

    def predictions(self, frame: pl.DataFrame, days: Sequence[date] = ()) -> list[PaymentPrediction]:
        """One answer per row of the FEATURE frame, in its order; `days` are what else `paid_by` is to tell of."""
        ...


@dataclass(frozen=True)
class BookPredictor:
    """`model` asked about `book`. Immutable: a new model or a new state of the lake is a new predictor."""

    version: ModelVersion
    model: PaymentDates
    book: Book

    def __post_init__(self) -> None:
        """`StateError` where the model needs a feature that the lake cannot give; a dated attribute may be missing."""
        absent = set(self.model.feature_names) - set(self.book.feature_names)
        lacking = sorted(name for name in absent if not is_of_attribute(name))
        if lacking and any(len(rows) for rows in self.book.facts.tables.values()):
            raise StateError(f"{self.version.label} reads {', '.join(lacking)}, which the lake lacks; train it again")

    @cached_property
    def promises(self) -> Promises:
        """The open promises of the lake; those of an instant are kept at hand once they were asked for."""
        return Promises(self.book, self.model)

    @property
    def card(self) -> ModelCard:
        """The model that answers."""
        return ModelCard(
            name=self.version.name,
            version=self.version.version,
            digest=self.version.digest,
            run_id=self.version.run_id,
            trained_from=self.version.data_window[0],
            trained_until=self.version.data_window[1],
            lake_versions=self.version.lake_versions,
            features=len(self.model.feature_names),
        )

    def by_id(self, question: ByIdQuestion) -> Answer:
        """Open invoices of the lake, as known when `as_of` began; `UnknownSubject` lists those that are not there."""
        faults = [*days_out_of_range("$", question)]
        if faults:
            raise InvalidQuestion(faults)
        entity, ids = question.entity_id, list(dict.fromkeys(question.invoice_ids))
        as_of = self.book.day_start(question.as_of, entity) if question.as_of else self.book.last_known()
        found = _open(self.book, as_of, entity, ids)
        missing = _missing(found, ids)
        if missing:
            raise UnknownSubject(
                self._why_missing(entity, missing[0], as_of),
                (_violation("invoice_ids", question.invoice_ids, name, as_of) for name in missing),
            )
        return self._answer(self.book, found, question.paid_by, self.promises)

    def inline(self, question: InlineQuestion) -> Answer:
        """Open invoices of the ledger in the question; `InvalidQuestion` lists what is wrong with it."""
        book = Book(facts_of(question))
        as_of = day_start(question.as_of, question.entity.time_zone)
        ids = list(dict.fromkeys(question.predict))
        found = _open(book, as_of, question.entity.entity_id, ids)
        missing = _missing(found, ids)
        if missing:
            raise InvalidQuestion(_violation("predict", question.predict, name, as_of) for name in missing)
        return self._answer(book, found, question.paid_by)

    def _answer(
        self, book: Book, subjects: pl.DataFrame, days: Sequence[date], promises: Promises | None = None
    ) -> Answer:
        _refuse_far_days(days, subjects)
        frame = book.features(subjects)
        lacking = [name for name in self.model.feature_names if name not in frame.columns]
        frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in lacking)
        told = predictions(self.version, self.model, frame, days, promises=promises)
        return Answer(model=self.version.label, predictions=told)

    def _why_missing(self, entity_id: str, invoice_id: str, as_of: datetime) -> str:
        try:
            self.book.subject(entity_id, invoice_id, as_of)
        except NotFound as error:
            return str(error)
        raise AssertionError("what open_receivables lacks has no subject")


def predictions(
    version: ModelVersion,
    model: PaymentDates,
    frame: pl.DataFrame,
    days: Sequence[date] = (),
    *,
    promises: Promises | None = None,
) -> list[Prediction]:
    """The model's answers about a FEATURE frame, each with its digest and id, in the frame's order.

    promises  those of the ledger that the frame is from; None where it has none
    """
    promised = promises.of(frame) if promises else [None] * len(frame)
    digests = [
        digest if promise is None else _with_promise(digest, promise)
        for digest, promise in zip(feature_digests(frame, model.feature_names), promised, strict=True)
    ]
    cutoffs = frame["cutoff"].to_list()
    told = promised_predictions(model, frame, promised, days)
    return [_told(version, p, digest, cutoff) for p, digest, cutoff in zip(told, digests, cutoffs, strict=True)]


def _refuse_far_days(days: Sequence[date], subjects: pl.DataFrame) -> None:
    """`InvalidQuestion` for a day of `paid_by` before the cutoff, or farther ahead than the model looks."""
    first = min(subjects["cutoff_day"])
    last = first + timedelta(days=HORIZON_DAYS - 1)
    far = [(place, day) for place, day in enumerate(days) if not first <= day <= last]
    if far:
        allowed = f"a day from {first} to {last}"
        raise InvalidQuestion(Violation("$", f"paid_by[{place}]", day.isoformat(), allowed) for place, day in far)


def feature_digests(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """SHA-256 per row over the features' names and the bits of their values; every missing value counts the same."""
    values = feature_values(frame, names)
    bits = np.where(np.isnan(values), np.float64("nan"), values).astype("<f8", order="C")
    names_hashed = hashlib.sha256("\n".join(names).encode())
    digests = []
    for row in bits:
        hashed = names_hashed.copy()
        hashed.update(row.tobytes())
        digests.append(hashed.hexdigest())
    return digests


def _with_promise(feature_digest: str, promise: Promise) -> str:
    """The digest of the features and of all that the promise adds to them."""
    return hashlib.sha256(feature_digest.encode() + promise.told()).hexdigest()


def _told(version: ModelVersion, said: PaymentPrediction, feature_digest: str, cutoff: datetime) -> Prediction:
    subject = (said.entity_id, said.invoice_id, said.instalment, cutoff)
    identity = msgspec.json.encode((version.digest, feature_digest, *subject))
    return Prediction(
        prediction_id=hashlib.sha256(identity).hexdigest()[:ID_LENGTH],
        feature_digest=feature_digest,
        entity_id=said.entity_id,
        customer_id=said.customer_id,
        invoice_id=said.invoice_id,
        instalment=said.instalment,
        currency=said.currency,
        amount=str(from_minor(said.amount_minor, said.currency)),
        due_date=said.due_date,
        cutoff=cutoff,
        cutoff_day=said.cutoff_day,
        availability=said.availability,
        availability_reason=said.availability_reason,
        expected_date=said.expected_date,
        p10=said.p10,
        p50=said.p50,
        p90=said.p90,
        p_late=said.p_late,
        p_beyond=said.p_beyond,
        ageing=said.ageing,
        paid_by=said.paid_by,
        typical_date=said.typical_date,
        reasons=tuple(Reason(r.name, r.words, r.days) for r in said.reasons),
    )


def _open(book: Book, as_of: datetime, entity_id: str, ids: Sequence[str]) -> pl.DataFrame:
    """SUBJECT rows of those invoices that were open, in the order of `ids`."""
    place = pl.DataFrame(
        {"invoice_id": ids, "_place": range(len(ids))}, schema={"invoice_id": pl.String, "_place": pl.Int64}
    )
    found = book.open_receivables(as_of, entity_id).join(place, on="invoice_id")
    return found.sort("_place", "instalment").drop("_place")


def _missing(found: pl.DataFrame, ids: Sequence[str]) -> list[str]:
    there = set(found["invoice_id"])
    return [name for name in ids if name not in there]


def _violation(field: str, ids: Sequence[str], name: str, as_of: datetime) -> Violation:
    allowed = f"an invoice that was known and open at {as_of.isoformat()}"
    return Violation("$", f"{field}[{ids.index(name)}]", name, allowed)
