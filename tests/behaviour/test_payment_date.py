"""What the payment-date model promises, on a ledger whose payers everybody understands."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.errors import BadInput, StateError
from features.facts import Facts
from models import payment_date
from models.payment_date import PaymentDateModel
from models.predictions import PaymentPrediction
from pipelines.train import learner

Draw = Callable[..., Facts]

TERMS, EVERY, ROUNDS = 30, 9, 55
FIRST_DAY = date(2024, 1, 1)
TODAY = datetime(2025, 5, 1, tzinfo=UTC)
# Days late; `never` is a customer half of whose invoices are never paid.
HABITS = {"prompt": 0, "slow": 15, "never": 3}
MANY = 4


def drawn_ledger(draw: Draw) -> Facts:
    """Four customers of each habit with an invoice every nine days; a stranger with one; one that is due far ahead."""
    chance = random.Random(5)
    invoices, payments = ["invoice_id | customer_id | issue_date | owed"], ["invoice_id | date | amount_minor"]
    for habit, late in HABITS.items():
        for customer in range(MANY):
            for number in range(ROUNDS):
                name, issued = f"{habit}{customer}-{number}", 1 + EVERY * number + customer
                due = issued + TERMS
                invoices.append(f"{name} | {habit}{customer} | {issued} | {due}:100")
                paid = due + late + chance.choice((-1, 0, 0, 1, 2))
                # 487 is TODAY
                if paid < 487 and not (habit == "never" and chance.random() < 0.5):
                    payments.append(f"{name} | {paid} | 100")
    invoices += ["new-0 | stranger | 480 | 510:100", "far-0 | prompt0 | 480 | 1000:100"]
    return draw(invoice="\n".join(invoices), allocation="\n".join(payments))


@pytest.fixture(scope="module")
def book(drawn_facts: Draw) -> Book:
    return Book(drawn_ledger(drawn_facts).before(TODAY))


@pytest.fixture(scope="module")
def at_issue(book: Book) -> pl.DataFrame:
    return book.labelled(book.features(book.at_issue(date.min, date.max)), TODAY)


@pytest.fixture(scope="module")
def model(book: Book, at_issue: pl.DataFrame) -> PaymentDateModel:
    return learner(book, 7)(at_issue, TODAY)


@pytest.fixture(scope="module")
def open_now(book: Book) -> pl.DataFrame:
    return book.features(book.open_receivables(TODAY))


@pytest.fixture(scope="module")
def answers(model: PaymentDateModel, open_now: pl.DataFrame) -> list[PaymentPrediction]:
    return model.predictions(open_now)


def of(answers: list[PaymentPrediction], customer: str) -> list[PaymentPrediction]:
    return [a for a in answers if a.customer_id.startswith(customer)]


# --- what every answer keeps to -----------------------------------------------------------------------------------


def test_every_open_receivable_has_one_answer_in_its_place(
    answers: list[PaymentPrediction], open_now: pl.DataFrame
) -> None:
    assert [a.invoice_id for a in answers] == open_now["invoice_id"].to_list()
    assert len(answers) > 100


def test_no_answer_contradicts_itself(answers: list[PaymentPrediction]) -> None:
    for a in (a for a in answers if a.availability != "none"):
        known = [day for day in (a.p10, a.p50, a.p90) if day is not None]
        assert known == sorted(known)
        dated = [*known, *([a.expected_date] if a.expected_date else [])]
        assert all(day >= a.cutoff_day for day in dated), "unpaid so far: it is paid from now on"
        assert math.isclose(sum(a.ageing.values()), 1.0, abs_tol=1e-9)
        assert list(a.paid_by.values()) == sorted(a.paid_by.values())
        assert a.p_late == pytest.approx(1 - a.ageing["current"], abs=1e-9)
        assert 0 <= a.p_beyond <= a.p_late <= 1
        if a.cutoff_day > a.due_date:
            assert a.p_late == 1.0


def test_reasons_lead_from_a_typical_customer_to_the_expected_date(answers: list[PaymentPrediction]) -> None:
    for a in (a for a in answers if a.expected_date is not None):
        told = (a.expected_date - a.typical_date).days
        assert abs(sum(r.days for r in a.reasons) - told) <= 1, "both dates are rounded to whole days"


def test_no_day_is_expected_of_what_is_more_likely_never_paid(answers: list[PaymentPrediction]) -> None:
    unlikely = [a for a in answers if a.p_beyond is not None and a.p_beyond >= 0.5]
    assert unlikely, "the world holds some"
    for a in unlikely:
        assert (a.expected_date, a.typical_date, a.reasons) == (None, None, ())
        assert f"with a chance of {100 * a.p_beyond:.0f} %, so no day is expected" in a.availability_reason
    assert all(a.expected_date for a in answers if a.p_beyond is not None and a.p_beyond < 0.5)


def test_one_receivable_is_answered_as_among_many(model: PaymentDateModel, open_now: pl.DataFrame) -> None:
    together = model.predictions(open_now)
    for k in range(0, len(open_now), 17):
        assert model.predictions(open_now[k : k + 1]) == together[k : k + 1]
    assert model.predictions(open_now[:0]) == []


def test_the_chance_of_any_day_can_be_asked_for(model: PaymentDateModel, open_now: pl.DataFrame) -> None:
    usual, between, today = (TODAY.date() + timedelta(days=days) for days in (14, 10, 0))
    plain = model.predictions(open_now[:20])
    asked = model.predictions(open_now[:20], [usual, between, today])
    for with_days, without in zip(asked, plain, strict=True):
        assert without.paid_by.items() <= with_days.paid_by.items()
        if with_days.availability != "none":
            chances = with_days.paid_by
            assert list(chances) == sorted(chances)
            assert list(chances.values()) == sorted(chances.values())
            assert {str(today), str(between)} == set(chances) - set(without.paid_by)


# --- what it learns -----------------------------------------------------------------------------------------------


def test_it_tells_the_payers_apart(model: PaymentDateModel, at_issue: pl.DataFrame) -> None:
    """Seen at issue: the prompt pay on the due date, the slow 15 days after it, to a day or two."""
    newest = at_issue.filter(pl.col("issue_date") >= date(2025, 4, 1), pl.col("invoice_id") != "far-0")
    told = model.predictions(newest)
    days = {habit: [(a.expected_date - a.due_date).days for a in of(told, habit)] for habit in ("prompt", "slow")}
    assert np.mean(days["prompt"]) == pytest.approx(0.4, abs=2)
    assert np.mean(days["slow"]) == pytest.approx(15.4, abs=2)
    assert min(a.p_late for a in of(told, "slow")) > 0.9
    assert np.mean([a.p_beyond for a in of(told, "never")]) > 0.2 > np.mean([a.p_beyond for a in of(told, "prompt")])


def test_open_invoices_are_learnt_from(
    model: PaymentDateModel, book: Book, at_issue: pl.DataFrame, open_now: pl.DataFrame
) -> None:
    """Who forgets those that were never paid thinks that everybody pays."""
    forgetful = learner(book, 7, use_open=False)(at_issue, TODAY)
    waiting = open_now.filter(pl.col("customer_id").str.starts_with("never"), pl.col("past_due").is_between(20, 50))
    soon = {
        name: np.mean([a.paid_by[str(TODAY.date() + timedelta(days=30))] for a in m.predictions(waiting)])
        for name, m in (("with", model), ("without", forgetful))
    }
    assert len(waiting) > 5
    assert soon["with"] < 0.35 < soon["without"], "none of them was paid in the end"


def test_the_longer_it_has_been_open_the_less_likely_is_a_payment_soon(answers: list[PaymentPrediction]) -> None:
    def soon(first: int, last: int) -> float:
        told = [a for a in of(answers, "never") if first <= (a.cutoff_day - a.due_date).days <= last]
        assert told
        return float(np.mean([a.paid_by[str(a.cutoff_day + timedelta(days=7))] for a in told]))

    assert soon(0, 3) > 0.3
    assert soon(30, 120) < 0.15


# --- where little is known ----------------------------------------------------------------------------------------


def test_a_new_customer_is_answered_from_what_others_do_and_that_is_said(answers: list[PaymentPrediction]) -> None:
    (stranger,) = of(answers, "stranger")
    assert stranger.availability == "pooled"
    assert stranger.availability_reason == "0 settled invoices of this customer; its own history counts from 3 on"
    assert stranger.p10 < stranger.expected_date
    assert all(a.availability == "full" for a in of(answers, "slow"))


def test_what_is_due_beyond_the_horizon_is_not_answered(answers: list[PaymentPrediction]) -> None:
    (far,) = (a for a in answers if a.invoice_id == "far-0")
    assert far.availability == "none"
    assert far.availability_reason == "due in 513 days; payment dates are foreseen up to 399 days ahead"
    figures = (far.expected_date, far.p10, far.p50, far.p90, far.p_late, far.p_beyond, far.typical_date)
    assert figures == (None,) * 7
    assert (far.ageing, far.paid_by, far.reasons) == ({}, {}, ())


def test_what_is_overdue_longer_than_anything_learnt_is_not_answered(model: PaymentDateModel, book: Book) -> None:
    years_later = book.features(book.open_receivables(TODAY + timedelta(days=900)))
    never = model.predictions(years_later.filter(pl.col("customer_id") == "never0"))
    assert {a.availability for a in never} == {"none"}
    assert "days past due; payment dates are learnt up to" in never[0].availability_reason


@pytest.mark.parametrize("settled", [0, 29])
def test_too_thin_a_ledger_is_refused(book: Book, at_issue: pl.DataFrame, settled: int) -> None:
    thin = at_issue.filter(pl.col("paid_date").is_not_null())[:settled]
    with pytest.raises(BadInput, match=f"^only {settled} settled invoices to learn from; allowed: 30 or more. Ingest"):
        payment_date.train(thin, book.feature_names)


def test_the_thinnest_ledger_that_is_allowed_is_learnt(book: Book, at_issue: pl.DataFrame) -> None:
    thin = at_issue.filter(pl.col("paid_date").is_not_null())[:30]
    small = payment_date.train(thin, book.feature_names)
    assert [a.availability for a in small.predictions(thin[:5])] == ["pooled"] * 5


def test_a_feature_that_the_ledger_lacks_is_named(model: PaymentDateModel, open_now: pl.DataFrame) -> None:
    with pytest.raises(BadInput, match="the model reads feature 'days_late_mean', which this ledger does not have"):
        model.predictions(open_now.drop("days_late_mean"))


def test_a_due_date_that_means_none_teaches_nothing(book: Book, at_issue: pl.DataFrame) -> None:
    rows = at_issue.filter(pl.col("invoice_id") != "far-0")
    some = rows.filter(pl.col("customer_id") == "prompt1")
    odd = some.with_columns(invoice_id=pl.lit("odd-") + pl.col("invoice_id"), due_date=date(2099, 12, 31))
    alone, beside = (
        payment_date.train(r, book.feature_names) for r in (rows, pl.concat([rows, odd.select(rows.columns)]))
    )
    assert beside.about == alone.about


# --- the same again -----------------------------------------------------------------------------------------------


def files(model: PaymentDateModel, folder: Path) -> dict[str, bytes]:
    model.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_same_data_and_seed_same_model_whatever_the_order(book: Book, at_issue: pl.DataFrame, tmp_path: Path) -> None:
    def trained(rows: pl.DataFrame, seed: int, name: str) -> dict[str, bytes]:
        return files(payment_date.train(rows, book.feature_names, seed=seed), tmp_path / name)

    first = trained(at_issue, 7, "first")
    assert trained(at_issue.sample(fraction=1.0, shuffle=True, seed=1), 7, "shuffled") == first
    assert trained(at_issue, 8, "other") != first


def test_what_is_read_back_answers_to_the_last_bit(
    model: PaymentDateModel, answers: list[PaymentPrediction], open_now: pl.DataFrame, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    back = PaymentDateModel.load(tmp_path / "model")
    assert back.predictions(open_now) == answers
    assert (back.about, back.feature_names) == (model.about, model.feature_names)


# --- files that cannot be used ------------------------------------------------------------------------------------


def without(key: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / "model.json").read_text())
        del content[key]
        (folder / "model.json").write_text(json.dumps(content))

    return change


def other_format(folder: Path) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 0}))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model.json": (lambda f: (f / "model.json").unlink(), r"model\.json cannot be read as a part of a model"),
    "no json": (lambda f: (f / "model.json").write_text("{"), r"model\.json cannot be read"),
    "a list": (lambda f: (f / "model.json").write_text("[]"), "it is no JSON object"),
    "no calibration": (without("calibration"), "KeyError: 'calibration'"),
    "another format": (other_format, "was saved by another version of Duecast; train the model again"),
    "no hazard": (lambda f: (f / "hazard-0.txt").unlink(), r"hazard-0\.txt cannot be read"),
    "no explainer": (lambda f: (f / "explainer.txt").unlink(), r"explainer\.txt cannot be read"),
    "a hazard that is an explainer": (
        lambda f: (f / "hazard-0.txt").write_bytes((f / "explainer.txt").read_bytes()),
        r"hazard-0\.txt cannot be read .* numbers a row, the model has",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_used_is_named(model: PaymentDateModel, tmp_path: Path, name: str) -> None:
    damage, said = BROKEN[name]
    model.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(StateError, match=said):
        PaymentDateModel.load(tmp_path)


def test_a_raw_distribution_is_recalibrated(model: PaymentDateModel, open_now: pl.DataFrame) -> None:
    raw = replace(model, calibration=payment_date.identity()).distribution(open_now)
    assert not np.array_equal(raw.pmf, model.distribution(open_now).pmf)
