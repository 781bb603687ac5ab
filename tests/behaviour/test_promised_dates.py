"""Promises in a sandbox with collectors: the batch and the service say the same, and only what was known counts."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from features.promises import promises_known
from features.tables import TABLES
from models.champion import ModelVersion
from models.payment_date import PaymentDateModel, train
from models.predictions import PaymentPrediction
from models.promises import Promises, learn_habits, promised_predictions
from models.registry import Lineage, register
from pipelines.score import score
from services.predictor import BookPredictor
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate
from services.schemas import ByIdQuestion, Prediction

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Place:
    """A world, its books as known today, a model of them."""

    world: World
    book: Book
    model: PaymentDateModel

    @property
    def today(self) -> date:
        return self.world.options.today


@pytest.fixture(scope="module")
def place() -> Place:
    options = WorldOptions(seed=11, customers=40, years=1, contacts=ContactOptions(promise_share=1.0))
    world = simulate(options)
    book = Book(Facts.of(world.facts).before(world.now()))
    issued = book.labelled(book.features(book.at_issue(date.min, date.max)))
    return Place(world, book, train(issued.sample(300, seed=7), book.feature_names, seed=7))


@pytest.fixture(scope="module")
def served(place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Path, BookPredictor]:
    folder = tmp_path_factory.mktemp("promised")
    lake = Lake(folder / "lake")
    for table in TABLES:
        lake.append(table, place.book.facts.tables[table.name])
    lineage = Lineage((date(2025, 1, 1), date(2026, 1, 4)), lake.table_versions(), {"seed": 7}, {"days.mae": 1.0})
    frame = place.book.features(place.book.at_issue(date.min, date.max))
    version: ModelVersion = register(place.model, frame, lineage, mlruns=folder / "mlruns")
    return lake, folder / "mlruns", BookPredictor(version, place.model, Book(Facts.read(lake)))


def promised(told: list[Prediction]) -> list[Prediction]:
    return [p for p in told if any(r.name == "promised" for r in p.reasons)]


@pytest.fixture(scope="module")
def day(place: Place) -> date:
    """The newest day on which something promised was open, in more than one entity."""
    for back in range(7, 200):
        one = place.today - timedelta(days=back)
        if promises_known(place.book, place.world.now(one)).open["entity_id"].n_unique() > 1:
            return one
    raise AssertionError("no such day")


def test_score_and_service_agree_on_what_is_promised(
    served: tuple[Lake, Path, BookPredictor], place: Place, day: date
) -> None:
    lake, mlruns, service = served
    for as_of in (None, day):
        told = score(lake, mlruns, as_of=as_of)
        for said in promised(told)[:2] + told[:1]:
            question = ByIdQuestion(entity_id=said.entity_id, invoice_ids=[said.invoice_id], as_of=as_of)
            [*answers] = service.by_id(question).predictions
            assert msgspec.json.encode(said) in [msgspec.json.encode(a) for a in answers]
    assert len({p.entity_id for p in promised(told)}) > 1, "entities whose day begins at other instants"
    assert len({p.cutoff for p in promised(told)}) > 1


def test_a_promise_changes_the_answer_and_its_id_and_nothing_of_the_others(
    served: tuple[Lake, Path, BookPredictor], place: Place, day: date
) -> None:
    lake, mlruns, service = served
    told = {(p.entity_id, p.invoice_id, p.instalment): p for p in score(lake, mlruns, as_of=day)}
    tables = place.book.facts.tables | {"promise": place.book.facts.tables["promise"].clear()}
    without = BookPredictor(service.version, service.model, Book(Facts.of(tables)))
    changed = 0
    for key, said in told.items():
        question = ByIdQuestion(entity_id=key[0], invoice_ids=[key[1]], as_of=day)
        plain = next(p for p in without.by_id(question).predictions if p.instalment == key[2])
        if promised([said]):
            changed += 1
            assert said.prediction_id != plain.prediction_id
            assert said.feature_digest != plain.feature_digest
            assert said.paid_by != plain.paid_by
            assert (said.availability, said.typical_date) == (plain.availability, plain.typical_date)
        else:
            assert said == plain
        if changed > 1:
            break
    assert changed


def answers_at(place: Place, book: Book, as_of: datetime) -> list[PaymentPrediction]:
    frame = book.features(book.open_receivables(as_of))
    return promised_predictions(place.model, frame, Promises(book, place.model).of(frame))


def test_reasons_still_lead_to_the_expected_date(place: Place, day: date) -> None:
    as_of = place.world.now(day)
    frame = place.book.features(place.book.open_receivables(as_of))
    promises = Promises(place.book, place.model).of(frame)
    plain = place.model.distribution(frame).mean_days_within()
    for k, said in enumerate(promised_predictions(place.model, frame, promises)):
        moved = [r for r in said.reasons if r.name == "promised"]
        assert len(moved) == (promises[k] is not None and said.availability != "none")
        if not moved or said.expected_date is None or said.typical_date is None:
            continue
        assert math.isclose(sum(said.ageing.values()), 1.0)
        expected = (said.cutoff_day - said.due_date).days + plain[k] + moved[0].days
        assert abs((said.expected_date - said.due_date).days - expected) <= 0.5 + 1e-6
        led = (said.typical_date - said.due_date).days + sum(r.days for r in said.reasons)
        assert abs((said.expected_date - said.due_date).days - led) <= 1.0


def test_nothing_learnt_after_the_cutoff_changes_an_answer(place: Place, day: date) -> None:
    as_of = place.world.now(day)
    then = Book(place.book.facts.before(as_of))
    assert any(r.name == "promised" for p in answers_at(place, then, as_of) for r in p.reasons)
    assert answers_at(place, then, as_of) == answers_at(place, place.book, as_of)


def test_habits_are_learnt_from_many_looks_and_tilt_to_the_promised_day(place: Place) -> None:
    known = promises_known(place.book, place.world.now())
    entity = known.states["entity_id"].mode().sort()[0]
    habits = learn_habits(place.book, place.model, known, entity)
    assert habits.looks > 20
    assert np.isfinite(habits.weights).all()
    assert (habits.weights[1:] >= 0).all()
    assert (habits.tilt > 0).all()


def test_one_receivable_is_answered_as_among_many(place: Place, day: date) -> None:
    frame = place.book.features(place.book.open_receivables(place.world.now(day)))
    promises = Promises(place.book, place.model).of(frame)
    together = promised_predictions(place.model, frame, promises)
    with_one = [k for k, promise in enumerate(promises) if promise is not None]
    for k in with_one[:2]:
        alone = frame[k : k + 1]
        assert (
            promised_predictions(place.model, alone, Promises(place.book, place.model).of(alone)) == together[k : k + 1]
        )
    assert with_one
