"""Answers of a predictor with a model of the tests' own, on a real book."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.errors import NotFound, StateError
from features.facts import Facts
from models.champion import ModelVersion
from models.predictions import PaymentPrediction, Reason
from services.endpoints import INLINE_EXAMPLE
from services.inline import facts_of
from services.predictor import BookPredictor, feature_digests
from services.problems import InvalidQuestion, UnknownSubject
from services.schemas import ByIdQuestion, InlineQuestion

LEDGER = msgspec.convert(INLINE_EXAMPLE, InlineQuestion)
VERSION = ModelVersion(
    name="payment-date",
    version=3,
    run_id="r",
    folder="f",
    files={"hazard.txt": "a" * 64},
    data_window=(date(2020, 1, 1), date(2020, 12, 31)),
    lake_versions={"invoice": 4},
)


class FakeModel:
    """Says: the due date and the customer's mean days late."""

    def __init__(self, *names: str) -> None:
        self.feature_names = names or ("days_late_mean", "days_late_count")

    def predictions(self, frame: pl.DataFrame, days: Sequence[date] = ()) -> list[PaymentPrediction]:
        return [self._said(row, days) for row in frame.iter_rows(named=True)]

    def _said(self, row, days) -> PaymentPrediction:
        late = row["days_late_mean"] or 0.0
        day = row["due_date"] + timedelta(days=round(late))
        own = (
            "entity_id",
            "customer_id",
            "invoice_id",
            "instalment",
            "currency",
            "amount_minor",
            "due_date",
            "cutoff_day",
        )
        return PaymentPrediction(
            **{name: row[name] for name in own},
            availability="pooled",
            availability_reason="two settled invoices",
            expected_date=day,
            p10=day,
            p50=day,
            p90=None,
            p_late=0.1 + 0.2,
            p_beyond=0.25,
            ageing={"current": 1.0},
            paid_by={str(day): 0.5 for day in days},
            typical_date=row["due_date"],
            reasons=(Reason("days_late_mean", "usually pays late", late),),
        )


@pytest.fixture
def predictor() -> BookPredictor:
    return BookPredictor(VERSION, FakeModel(), Book(facts_of(LEDGER)))


def by_id(*ids: str, entity_id: str = "inline", as_of: date | None = date(2024, 3, 1)) -> ByIdQuestion:
    return ByIdQuestion(entity_id=entity_id, invoice_ids=list(ids), as_of=as_of)


def test_an_answer_tells_all_that_the_model_said(predictor):
    answer = predictor.by_id(by_id("INV-1003"))
    assert answer.model == "payment-date/3"
    [said] = answer.predictions
    assert (said.invoice_id, said.amount, said.currency) == ("INV-1003", "990.00", "EUR")
    assert said.cutoff.isoformat() == "2024-02-29T23:00:00+00:00"
    assert said.cutoff_day == date(2024, 3, 1)
    assert said.expected_date == date(2024, 3, 13) + timedelta(days=round((8 + 13) / 2))
    assert (said.p90, said.p_late, said.p_beyond) == (None, 0.1 + 0.2, 0.25)
    assert said.reasons[0].words == "usually pays late"


def test_the_lake_and_the_same_ledger_sent_along_have_the_same_answer(predictor):
    assert predictor.inline(LEDGER) == predictor.by_id(by_id("INV-1003"))


def test_the_order_is_the_questions_and_a_repeated_id_is_answered_once(predictor):
    asked = by_id("INV-1002", "INV-1001", "INV-1002", as_of=date(2023, 12, 10))
    assert [p.invoice_id for p in predictor.by_id(asked).predictions] == ["INV-1002", "INV-1001"]


def test_without_a_day_everything_that_is_known_counts(predictor):
    [said] = predictor.by_id(by_id("INV-1003", as_of=None)).predictions
    assert said.cutoff_day == date(2024, 2, 12)


def test_nothing_learnt_after_the_cutoff_is_seen(predictor):
    [early] = predictor.by_id(by_id("INV-1002", as_of=date(2023, 12, 14))).predictions
    assert early.expected_date == early.due_date
    [late] = predictor.by_id(by_id("INV-1002", as_of=date(2023, 12, 15))).predictions
    assert late.expected_date == late.due_date + timedelta(days=8)


def test_invoices_that_are_not_open_are_listed_with_their_place(predictor):
    with pytest.raises(UnknownSubject, match="'INV-1001' of 'inline' is not open as of 2024-03-01") as raised:
        predictor.by_id(by_id("INV-1003", "INV-1001", "nothing"))
    assert [(v.field, v.value) for v in raised.value.violations] == [
        ("invoice_ids[1]", "INV-1001"),
        ("invoice_ids[2]", "nothing"),
    ]
    assert "known and open at 2024-02-29T23:00" in raised.value.violations[0].allowed


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2023, 11, 6)])
def test_before_the_first_fact_nothing_is_known(predictor, day):
    with pytest.raises(UnknownSubject, match="is not known as of"):
        predictor.by_id(by_id("INV-1001", as_of=day))


def test_an_unknown_entity_lists_those_there_are(predictor):
    with pytest.raises(NotFound, match="no entity 'X'; there are: inline"):
        predictor.by_id(by_id("INV-1003", entity_id="X"))


def test_a_day_that_no_calendar_covers_is_refused(predictor):
    with pytest.raises(InvalidQuestion, match=r"\$\.as_of is '9999-12-31'"):
        predictor.by_id(by_id("INV-1003", as_of=date(9999, 12, 31)))


def test_the_chance_of_being_paid_by_any_day_can_be_asked_for(predictor):
    day = date(2024, 4, 17)
    told = predictor.by_id(msgspec.structs.replace(by_id("INV-1003"), paid_by=[day])).predictions
    sent = predictor.inline(msgspec.structs.replace(LEDGER, paid_by=[day])).predictions
    assert told[0].paid_by == sent[0].paid_by == {"2024-04-17": 0.5}


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2025, 4, 5)])
def test_a_day_that_the_model_does_not_look_at_is_refused(predictor, day):
    asked = msgspec.structs.replace(by_id("INV-1003"), paid_by=[date(2024, 3, 1), day])
    with pytest.raises(InvalidQuestion, match=rf"\$\.paid_by\[1\] is '{day}'.* a day from 2024-03-01 to 2025-04-04"):
        predictor.by_id(asked)


def test_an_inline_question_about_an_invoice_that_is_not_open_names_its_place(predictor):
    asked = msgspec.structs.replace(LEDGER, predict=["INV-1003", "INV-1001"])
    with pytest.raises(InvalidQuestion, match=r"\$\.predict\[1\] is 'INV-1001'"):
        predictor.inline(asked)


def test_the_id_follows_from_model_features_subject_and_cutoff(predictor):
    [first] = predictor.by_id(by_id("INV-1003")).predictions
    [again] = predictor.by_id(by_id("INV-1003")).predictions
    [later] = predictor.by_id(by_id("INV-1003", as_of=date(2024, 3, 2))).predictions
    other_model = msgspec.structs.replace(VERSION, files={"hazard.txt": "b" * 64})
    [other] = BookPredictor(other_model, FakeModel(), predictor.book).by_id(by_id("INV-1003")).predictions
    assert first.prediction_id == again.prediction_id
    assert first.feature_digest == later.feature_digest == other.feature_digest
    assert len({first.prediction_id, later.prediction_id, other.prediction_id}) == 3


def test_feature_digests_see_every_bit_and_every_name_and_treat_missing_values_alike():
    frame = pl.DataFrame({"a": [1.0, np.nextafter(1.0, 2.0), None, float("nan")], "b": [2.0, 2.0, 2.0, 2.0]})
    first, second, third, fourth = feature_digests(frame, ("a", "b"))
    assert third == fourth
    assert len({first, second, third}) == 3
    assert feature_digests(frame.rename({"a": "c"}), ("c", "b"))[0] != first
    assert feature_digests(frame.reverse(), ("a", "b")) == [fourth, third, second, first]


def test_a_model_that_reads_what_the_lake_lacks_is_refused(predictor):
    with pytest.raises(StateError, match="payment-date/3 reads revenue, which the lake lacks"):
        BookPredictor(VERSION, FakeModel("days_late_mean", "revenue"), predictor.book)


def test_an_attribute_of_which_the_lake_never_heard_is_missing_and_no_reason_to_refuse(predictor):
    model = FakeModel("days_late_mean", "attribute_revenue")
    asked = BookPredictor(VERSION, model, predictor.book).by_id(by_id("INV-1003"))
    assert asked.predictions[0].invoice_id == "INV-1003"
    frame = pl.DataFrame({"days_late_mean": [1.0]})
    null = frame.with_columns(attribute_revenue=pl.lit(None, pl.Float64))
    assert feature_digests(frame, model.feature_names) == feature_digests(null, model.feature_names)


def test_with_an_empty_lake_only_ledgers_that_are_sent_along_are_answered():
    predictor = BookPredictor(VERSION, FakeModel("days_late_mean", "revenue"), Book(Facts.of({})))
    assert predictor.inline(LEDGER).predictions[0].invoice_id == "INV-1003"
    with pytest.raises(NotFound):
        predictor.by_id(by_id("INV-1003"))


def test_the_card_says_what_was_registered(predictor):
    card = predictor.card
    assert (card.version, card.digest, card.features) == (3, VERSION.digest, 2)
    assert (card.trained_from, card.trained_until) == VERSION.data_window
