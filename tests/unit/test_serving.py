"""Hot swaps: a promotion and an ingest are noticed, a damaged model is refused while the old one serves."""

import logging
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from features.lake import Lake
from features.tables import ALLOCATION, PROMISE, TABLES
from models import champion as champions
from models import promises
from models.champion import CREDIT_RISK, LOADERS, MANIFEST, PAYMENT_DATE, ModelVersion, digests
from services import serving
from services.comparing import scored_apart
from services.endpoints import INLINE_EXAMPLE
from services.inline import facts_of
from services.problems import Refused
from services.questions import CreditQuestion, KpiQuestion
from services.schemas import ByIdQuestion, InlineQuestion
from services.serving import NOTHING_PROMOTED, REFUSED, SERVING, STARTING, Champion

LEDGER = msgspec.convert(INLINE_EXAMPLE, InlineQuestion)
QUESTION = ByIdQuestion(entity_id="inline", invoice_ids=["INV-1003"], as_of=date(2024, 3, 1))

CONSTANT = """
import json
from datetime import timedelta
from models.predictions import PaymentPrediction

class Constant:
    feature_names = ("days_late_mean",)
    def __init__(self, days):
        self.days = days
    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "model.json").read_text())["days"])
    def predictions(self, frame, days=()):
        return [self.said(row) for row in frame.iter_rows(named=True)]
    def said(self, row):
        own = ("entity_id", "customer_id", "invoice_id", "instalment", "currency", "amount_minor")
        own += ("due_date", "cutoff_day")
        day = row["due_date"] + timedelta(days=self.days)
        return PaymentPrediction(
            **{name: row[name] for name in own}, availability="full", availability_reason=None, expected_date=day,
            p10=day, p50=day, p90=day, p_late=0.5, p_beyond=0.0, ageing={}, paid_by={}, typical_date=day, reasons=(),
        )
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """The example's ledger without its last payment."""
    lake = Lake(tmp_path / "lake")
    facts = facts_of(LEDGER)
    for table in TABLES:
        rows = facts.tables[table.name]
        lake.append(table, rows.head(-1) if table is ALLOCATION else rows)
    return lake


@pytest.fixture
def champion(tmp_path, lake, monkeypatch) -> Champion:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "constant_model.py").write_text(CONSTANT)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    monkeypatch.setitem(LOADERS, CREDIT_RISK, "constant_model:Constant")
    return Champion(tmp_path, lake, loader="constant_model:Constant")


def promote(
    mlruns: Path, version: int, content: str, *, name: str = PAYMENT_DATE, beside: Sequence[ModelVersion] = ()
) -> ModelVersion:
    """What a promotion leaves on disk; `beside` are the champions of other names."""
    folder = mlruns / f"{name}-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "model.json").write_text(content)
    made = ModelVersion(
        name=name,
        version=version,
        run_id="r",
        folder=folder.name,
        files=digests(folder),
        data_window=(date(2020, 1, 1), date(2020, 12, 31)),
        lake_versions={},
    )
    staged = mlruns / "staged.json"
    staged.write_bytes(msgspec.json.encode({v.name: v for v in (*beside, made)}))
    staged.replace(mlruns / MANIFEST)
    return made


def days_late(champion: Champion) -> int:
    [said] = champion.predictor.by_id(QUESTION).predictions
    return (said.expected_date - said.due_date).days


def test_nothing_serves_before_the_first_promotion_and_then_it_does(champion, tmp_path):
    assert (champion.predictor, champion.reason) == (None, STARTING)
    assert not champion.refresh()
    assert (champion.predictor, champion.reason) == (None, NOTHING_PROMOTED)

    promote(tmp_path, 1, '{"days": 5}')
    assert champion.refresh()
    assert (champion.predictor.version.version, days_late(champion)) == (1, 5)
    assert champion.reason == SERVING
    assert not champion.refresh()


def test_a_promotion_replaces_the_model_and_what_was_taken_before_still_answers(champion, tmp_path):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    before = champion.predictor
    promote(tmp_path, 2, '{"days": 9}')
    assert champion.refresh()
    assert days_late(champion) == 9
    assert before.by_id(QUESTION).model == "payment-date/1"


@pytest.mark.parametrize("how", ["changed after registration", "not loadable", "manifest cut off"])
def test_a_damaged_new_one_is_refused_and_the_old_one_goes_on(champion, tmp_path, how, caplog):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    promote(tmp_path, 2, "{" if how == "not loadable" else '{"days": 9}')
    if how == "changed after registration":
        (tmp_path / "payment-date-2" / "model.json").write_text('{"days": 10}')
    if how == "manifest cut off":
        (tmp_path / MANIFEST).write_bytes((tmp_path / MANIFEST).read_bytes()[:-9])
    with caplog.at_level(logging.ERROR):
        assert not champion.refresh()
        assert not champion.refresh()
    assert days_late(champion) == 5
    assert len(caplog.records) == 1
    assert "refused, the old one stays" in caplog.text

    promote(tmp_path, 3, '{"days": 7}')
    assert champion.refresh()
    assert days_late(champion) == 7


def test_a_damaged_first_one_leaves_the_service_not_ready(champion, tmp_path):
    promote(tmp_path, 1, "{")
    assert not champion.refresh()
    assert (champion.predictor, champion.reason) == (None, REFUSED)


def broken_disk(*_: object, **__: object) -> None:
    raise OSError(5, "Input/output error")


def wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a minute later."""
    later = serving.monotonic() + serving.RETRY_SECONDS
    monkeypatch.setattr(serving, "monotonic", lambda: later)


def test_a_fault_that_nobody_foresaw_is_told_and_tried_again(champion, tmp_path, monkeypatch, caplog):
    promote(tmp_path, 1, '{"days": 5}')
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(champions, "load", broken_disk)
        assert not champion.refresh()
        assert not champion.refresh()
    assert (champion.predictor, champion.reason) == (None, REFUSED)
    assert caplog.text.count("refused, the old one stays: error=OSError at=") == 1

    assert not champion.refresh()
    wait(monkeypatch)
    assert champion.refresh()
    assert (days_late(champion), champion.reason) == (5, SERVING)


def test_the_old_one_serves_on_through_a_fault_that_nobody_foresaw(champion, tmp_path, monkeypatch):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    promote(tmp_path, 2, '{"days": 9}')
    with monkeypatch.context() as broken:
        broken.setattr(champions, "load", broken_disk)
        assert not champion.refresh()
    assert (days_late(champion), champion.reason) == (5, REFUSED)

    wait(monkeypatch)
    assert champion.refresh()
    assert (days_late(champion), champion.reason) == (9, SERVING)


def test_a_manifest_that_cannot_be_looked_at_leaves_the_service_not_ready(champion, tmp_path, lake):
    (tmp_path / "file").write_text("")
    astray = Champion(tmp_path / "file", lake, loader="constant_model:Constant")
    assert not astray.refresh()
    assert (astray.predictor, astray.reason) == (None, REFUSED)


def test_new_facts_are_seen(champion, tmp_path, lake):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    invoice = ByIdQuestion(entity_id="inline", invoice_ids=["INV-1002"], as_of=date(2024, 3, 1))
    assert champion.predictor.by_id(invoice).predictions

    lake.append(ALLOCATION, facts_of(LEDGER).tables["allocation"])
    assert champion.refresh()
    states = champion.predictor.book.states.filter(invoice_id="INV-1002")
    assert states["open_minor"].to_list()[-1] == 0


def test_how_promises_go_is_learnt_before_the_first_question(champion, tmp_path, lake, monkeypatch):
    learnt: list[str] = []
    learn = promises.learn_habits
    monkeypatch.setattr(promises, "learn_habits", lambda *said: learnt.append(said[3]) or learn(*said))
    lake.append(PROMISE, promised("INV-1003"))
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    assert learnt == ["inline"]

    book = champion.predictor.book
    [promise] = champion.predictor.promises.of(book.open_receivables(book.last_known()).filter(invoice_id="INV-1003"))
    assert promise is not None
    assert learnt == ["inline"]


def promised(invoice_id: str) -> pl.DataFrame:
    """A promise of all of it, made and known when it was issued."""
    [issued] = facts_of(LEDGER).tables["invoice"].filter(invoice_id=invoice_id).rows(named=True)
    said = {
        "promise_id": "P",
        "made_on": issued["issue_date"],
        "promised_for": issued["issue_date"] + timedelta(days=9),
        "source_id": "P",
    }
    row = {name: (issued | said).get(name) for name in PROMISE.schema}
    return pl.DataFrame([row], schema=PROMISE.schema)


def test_a_damaged_lake_leaves_the_old_facts_in_use(champion, tmp_path):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    for log in (tmp_path / "lake" / "invoice" / "_delta_log").iterdir():
        log.write_text("{")
    assert not champion.refresh()
    assert days_late(champion) == 5


def test_an_empty_lake_serves_ledgers_that_are_sent_along(tmp_path, champion):
    empty = Champion(tmp_path, Lake(tmp_path / "none"), loader="constant_model:Constant")
    promote(tmp_path, 1, '{"days": 5}')
    assert empty.refresh()
    assert empty.predictor.inline(LEDGER).predictions[0].invoice_id == "INV-1003"


# --- the other models ---------------------------------------------------------------------------------------------


def asked_about_credit(champion: Champion) -> str:
    """Why the analysts refuse to score a customer."""
    with pytest.raises(Refused) as refused:
        champion.analysts.credit_risk(CreditQuestion(entity_id="inline", customer_ids=["C-17"]))
    assert refused.value.kind.code == "not-ready"
    return refused.value.detail


def test_another_models_promotion_is_noticed_and_payment_dates_stay_as_they_are(champion, tmp_path):
    dated = promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    before, analysts = champion.predictor, champion.analysts
    assert asked_about_credit(champion) == "no credit-risk model serves: train one with `duecast train credit-risk`"

    promote(tmp_path, 7, '{"days": 0}', name=CREDIT_RISK, beside=[dated])
    assert not champion.refresh(), "the predictor was not replaced"
    assert champion.predictor is before
    assert champion.analysts.models[CREDIT_RISK].version.label == "credit-risk/7"
    assert champion.analysts.models[PAYMENT_DATE] is analysts.models[PAYMENT_DATE]
    assert champion.analysts.book is before.book
    assert CREDIT_RISK not in analysts.models, "a question keeps the analysts that it began with"
    assert champion.analysts.scores is analysts.scores is scored_apart, "predictions wait for no comparison"


def test_a_damaged_other_model_is_refused_once_and_everything_else_goes_on(champion, tmp_path, caplog):
    dated = promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    promote(tmp_path, 7, "{", name=CREDIT_RISK, beside=[dated])
    with caplog.at_level(logging.ERROR):
        champion.refresh()
        champion.refresh()
    assert len(caplog.records) == 1
    assert "refused, the old one stays: credit-risk/7" in caplog.text
    assert (days_late(champion), champion.reason) == (5, SERVING)
    assert "duecast train credit-risk" in asked_about_credit(champion)
    assert champion.analysts.kpis(KpiQuestion()).kpis.rows

    promote(tmp_path, 8, '{"days": 0}', name=CREDIT_RISK, beside=[dated])
    champion.refresh()
    assert champion.analysts.models[CREDIT_RISK].version.version == 8
    promote(tmp_path, 9, "{", name=CREDIT_RISK, beside=[dated])
    champion.refresh()
    assert champion.analysts.models[CREDIT_RISK].version.version == 8, "the old one stays"


def test_a_damaged_payment_date_model_stops_no_analyst(champion, tmp_path):
    other = promote(tmp_path, 7, '{"days": 0}', name=CREDIT_RISK)
    promote(tmp_path, 1, "{", beside=[other])
    assert not champion.refresh()
    assert (champion.predictor, champion.reason) == (None, REFUSED)
    assert set(champion.analysts.models) == {CREDIT_RISK}


def test_a_manifest_rewritten_with_the_same_content_reloads_nothing(champion, tmp_path, monkeypatch):
    dated = promote(tmp_path, 1, '{"days": 5}')
    promote(tmp_path, 7, '{"days": 0}', name=CREDIT_RISK, beside=[dated])
    champion.refresh()
    before = champion.predictor, champion.analysts
    monkeypatch.setattr(champions, "load", broken_disk)
    again = tmp_path / "again.json"
    again.write_bytes((tmp_path / MANIFEST).read_bytes())
    again.replace(tmp_path / MANIFEST)
    assert not champion.refresh()
    assert (champion.predictor, champion.analysts) == before
    assert champion.reason == SERVING


def test_the_lake_alone_is_enough_for_what_needs_no_model(champion, lake):
    assert champion.analysts is None
    assert not champion.refresh()
    assert (champion.predictor, champion.analysts.models) == (None, {})
    rows = champion.analysts.kpis(KpiQuestion(by="customer")).kpis.rows
    assert {row.group for row in rows} == {"C-17"}


def test_new_facts_make_new_analysts_and_the_old_ones_answer_on(champion, tmp_path, lake):
    promote(tmp_path, 1, '{"days": 5}')
    champion.refresh()
    before = champion.analysts
    lake.append(ALLOCATION, facts_of(LEDGER).tables["allocation"])
    champion.refresh()
    assert champion.analysts is not before
    assert champion.analysts.book is champion.predictor.book is not before.book
    assert champion.analysts.models == before.models
    assert before.kpis(KpiQuestion()) != champion.analysts.kpis(KpiQuestion())


def test_key_figures_do_not_wait_for_models_that_are_still_checked(champion, tmp_path, monkeypatch):
    dated = promote(tmp_path, 1, '{"days": 5}')
    promote(tmp_path, 7, '{"days": 0}', name=CREDIT_RISK, beside=[dated])
    verify, seen = champions.verify, []

    def looking(version, mlruns, **how):
        seen.append((version.name, champion.analysts is not None))
        verify(version, mlruns, **how)

    monkeypatch.setattr(champions, "verify", looking)
    champion.refresh()
    assert seen == [(PAYMENT_DATE, False), (CREDIT_RISK, True)]
