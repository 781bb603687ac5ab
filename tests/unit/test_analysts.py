"""Answers beside payment dates on a real book: as the command line has them, in the order asked, worked out once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from features import comparisons
from features.book import Book
from features.customers import DefaultRule
from features.errors import BadSetting, NotFound
from features.facts import Facts
from features.kpis.engine import collection_kpis
from features.kpis.settings import KpiSettings
from features.lake import Lake
from features.recoveries import LossShare, OwnLgd, own_lgds
from features.tables import TABLES
from models.anomalies.alerts import Budget
from models.anomalies.model import AnomalyModel
from models.anomalies.model import train as train_anomalies
from models.cash import forecast
from models.cash.backtest import learnt
from models.cash.scenarios import Delay, Rate, Scenario
from models.champion import (
    ANOMALIES,
    CASH_FORECAST,
    CONTACT_EFFECT,
    CREDIT_RISK,
    MANIFEST,
    PAYMENT_DATE,
    ModelVersion,
    digests,
)
from models.credit import risk_model
from models.credit.losses import LossSettings
from models.credit.opinions import losses_of, scored
from models.distribution import Distribution, on_one_day
from models.worklist.settings import WorklistSettings
from pipelines.cash import Asked, forecast_book
from pipelines.credit import feature_names, scored_customers, snapshot_frame
from pipelines.worklist import run_worklist
from services import analysts as analysts_module
from services import comparing
from services.alerts import OnRecord, Verdict
from services.analysts import SERVED, Analysts, Loaded
from services.anomaly_desk import NO_CONTROLS
from services.opinions import opinions
from services.problems import InvalidQuestion, Refused, UnknownSubject
from services.questions import (
    AlertsQuestion,
    CashQuestion,
    CreditQuestion,
    KpiQuestion,
    LgdUsed,
    WorklistQuestion,
)
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

PAST = date(2025, 10, 1)
RULE = DefaultRule(horizon_days=60, late_days=25, materiality_cents=0)
FAST = replace(risk_model.SETTINGS, trees=20, learning_rate=0.2, smallest_leaf=20, repeats=1)
SILENT = ("bank: silent since yesterday",)


class OnDue:
    """Says: everything is paid a week after it is due."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        start = frame["cutoff_day"].to_numpy().astype("datetime64[D]")
        due = frame["due_date"].to_numpy().astype("datetime64[D]")
        return on_one_day(start, (due - start).astype(np.int64) + 7)


def version(name: str, folder: Path | None = None) -> ModelVersion:
    return ModelVersion(
        name=name,
        version=4,
        run_id="r",
        folder=folder.name if folder else "f",
        files=digests(folder) if folder else {},
        data_window=(date(2024, 1, 1), date(2024, 12, 31)),
        lake_versions={},
    )


@dataclass(frozen=True)
class Office:
    """A lake, its book, and a model of each kind that can be had cheaply."""

    lake: Lake
    book: Book
    models: dict[str, Loaded]

    def analysts(self, *names: str) -> Analysts:
        return Analysts({name: self.models[name] for name in names or self.models}, self.book)

    def customers(self) -> list[str]:
        return _known(self)["customer_id"].to_list()


def lgd(cases: int, share: float | None, *, pooled: bool = False) -> OwnLgd:
    part = LossShare(cases, share, pooled)
    return OwnLgd(part, part)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    lake = Lake(tmp_path_factory.mktemp("office") / "lake")
    known = simulate(WorldOptions(seed=11, customers=60, years=1, invoices_per_customer_year=20)).known()
    for table in TABLES:
        if len(known[table.name]):
            lake.append(table, known[table.name])
    book = Book(Facts.read(lake))
    credit = risk_model.train(
        book.defaults(snapshot_frame(book, RULE), RULE), feature_names(book), RULE, seed=7, settings=FAST
    )
    models = {
        PAYMENT_DATE: OnDue(),
        CREDIT_RISK: credit,
        CASH_FORECAST: learnt(book, book.last_known(), [], seed=7),
        ANOMALIES: train_anomalies(comparisons.compared(book.facts)),
    }
    return Office(lake, book, {name: Loaded(version(name), model) for name, model in models.items()})


@pytest.fixture
def credit_champion(office: Office, tmp_path: Path) -> Path:
    """`mlruns` with the office's credit-risk model, as a promotion leaves it."""
    folder = tmp_path / "mlruns" / "credit"
    folder.mkdir(parents=True)
    office.models[CREDIT_RISK].model.save(folder)
    (folder.parent / MANIFEST).write_bytes(msgspec.json.encode({CREDIT_RISK: version(CREDIT_RISK, folder)}))
    return folder.parent


def _known(office: Office) -> pl.DataFrame:
    return office.book.customers_as_of(office.book.last_known(), "US01")


def credit(*ids: str, as_of: date | None = None, entity: str = "US01") -> CreditQuestion:
    return CreditQuestion(entity_id=entity, customer_ids=list(ids), as_of=as_of)


# --- credit risk --------------------------------------------------------------------------------------------------


def test_opinions_come_in_the_order_asked_and_a_repeated_customer_once(office: Office) -> None:
    first, second, third = office.customers()[:3]
    told = office.analysts().credit_risk(credit(third, first, third, second))
    assert told.model == "credit-risk/4"
    assert [o.score.customer_id for o in told.opinions] == [third, first, second]
    assert [o.limit.customer_id for o in told.opinions] == [third, first, second]


def test_asked_alone_a_customer_gets_the_opinion_that_it_gets_among_many(office: Office) -> None:
    analysts, ids = office.analysts(), office.customers()
    together = analysts.credit_risk(credit(*ids)).opinions
    alone = [analysts.credit_risk(credit(name)).opinions[0] for name in ids[:6]]
    assert alone == together[:6]
    assert {loss.customer_id for o in alone for loss in o.losses} <= set(ids[:6])
    assert all(loss.customer_id == o.score.customer_id for o in together for loss in o.losses)
    assert all(order.customer_id == o.score.customer_id for o in together for order in o.blocked_orders)
    assert any(o.losses for o in together)
    assert any(o.ways_up for o in together)


@pytest.mark.parametrize("as_of", [None, PAST], ids=["now", "a past day"])
def test_it_says_what_the_command_line_says(office: Office, credit_champion: Path, as_of: date | None) -> None:
    asked = scored_customers(office.lake, credit_champion, as_of=as_of, entity="US01")
    told = office.analysts().credit_risk(credit(*(s.customer_id for s in asked.scores), as_of=as_of))
    assert [o.score for o in told.opinions] == asked.scores
    assert len(asked.scores) > 10


def test_nothing_learnt_on_the_day_or_later_is_seen(office: Office) -> None:
    at = office.book.day_start(PAST, "US01")
    then = replace(office.analysts(), book=Book(office.book.facts.before(at)))
    ids = then.book.customers_as_of(at, "US01")["customer_id"].to_list()[:8]
    assert office.analysts().credit_risk(credit(*ids, as_of=PAST)) == then.credit_risk(credit(*ids, as_of=PAST))


def test_unknown_customers_are_listed_with_their_places(office: Office) -> None:
    with pytest.raises(UnknownSubject, match=r"customer 'nobody' is not known as of 20") as raised:
        office.analysts().credit_risk(credit("nobody", office.customers()[0], "", "nobody"))
    assert [(v.field, v.value) for v in raised.value.violations] == [
        ("customer_ids[0]", "nobody"),
        ("customer_ids[2]", ""),
    ]


def test_before_the_first_fact_no_customer_is_known(office: Office) -> None:
    with pytest.raises(UnknownSubject, match="is not known as of 1970-01-02T05:00:00"):
        office.analysts().credit_risk(credit(office.customers()[0], as_of=date(1970, 1, 2)))


def test_losses_rest_on_the_ledgers_own_lgd_and_say_so(office: Office) -> None:
    """Customers in default already by another share; with the command line's `--own-lgd` to the cent."""
    own = own_lgds(office.book, RULE, office.book.last_known())
    told = office.analysts().credit_risk(credit(*office.customers())).opinions
    used = {o.score.default_cause is None: o.lgd for o in told}
    assert used == {
        True: LgdUsed(share=own["US01"].entering.share, basis="all entities", cases=own["US01"].entering.cases),
        False: LgdUsed(share=own["US01"].within.share, basis="all entities", cases=own["US01"].within.cases),
    }
    assert used[True].share != used[False].share != LossSettings().lgd
    assert {loss.lgd for o in told for loss in o.losses} == {lgd.share for lgd in used.values()}
    asked = scored(office.book, office.models[CREDIT_RISK].model, _known(office))
    assert [loss for o in told for loss in o.losses] == losses_of(asked, LossSettings(), own)


def test_of_a_past_day_losses_know_only_what_was_lost_until_then(office: Office) -> None:
    at = office.book.day_start(PAST, "US01")
    then = own_lgds(office.book, RULE, at)["US01"]
    [told] = office.analysts().credit_risk(credit(office.customers()[0], as_of=PAST)).opinions
    part = then.entering if told.score.default_cause is None else then.within
    assert (told.lgd.share, told.lgd.cases) == (part.share or LossSettings().lgd, part.cases)
    assert part.cases < own_lgds(office.book, RULE, office.book.last_known())["US01"].entering.cases


def test_before_anybody_owed_anything_the_standard_lgd_counts(
    office: Office, drawn_facts: Callable[..., Facts]
) -> None:
    young = drawn_facts(customer="customer_id\nA", invoice="invoice_id | issue_date | owed\nI | 5 | 9:100")
    analysts = Analysts(office.models, Book(young))
    [told] = analysts.credit_risk(credit("A", as_of=date(2024, 1, 3), entity="E")).opinions
    assert told.lgd == LgdUsed(share=0.4, basis="standard", cases=0)


@pytest.mark.parametrize(
    ("own", "used"),
    [
        ({}, LgdUsed(share=0.4, basis="standard", cases=0)),
        ({"US01": lgd(19, None)}, LgdUsed(share=0.4, basis="standard", cases=19)),
        ({"US01": lgd(30, 0.0)}, LgdUsed(share=0.4, basis="standard", cases=30)),
        ({"US01": lgd(30, 0.125, pooled=True)}, LgdUsed(share=0.125, basis="all entities", cases=30)),
        ({"DE01": lgd(30, 0.125)}, LgdUsed(share=0.4, basis="standard", cases=0)),
    ],
    ids=["nothing known", "too few", "never lost a thing", "of all entities", "of another entity"],
)
def test_where_the_past_cannot_tell_the_standard_lgd_counts_and_never_nothing(
    office: Office, own: dict[str, OwnLgd], used: LgdUsed
) -> None:
    told = opinions(scored(office.book, office.models[CREDIT_RISK].model, _known(office)), own)
    assert {(o.lgd.share, o.lgd.basis, o.lgd.cases) for o in told} == {(used.share, used.basis, used.cases)}
    losses = [loss for o in told for loss in o.losses]
    assert {loss.lgd for loss in losses} == {used.share}
    assert any(loss.loss_minor for loss in losses)


# --- what every question shares -----------------------------------------------------------------------------------

Ask = Callable[[Analysts, dict[str, Any]], object]
ASK: dict[str, Ask] = {
    "credit": lambda a, changes: a.credit_risk(msgspec.structs.replace(credit("C"), **changes)),
    "cash": lambda a, changes: a.cash_forecast(CashQuestion(**changes)),
    "worklist": lambda a, changes: a.worklist(WorklistQuestion(**({"entity_id": "US01"} | changes)), ()),
    "alerts": lambda a, changes: a.alerts(AlertsQuestion(**changes), OnRecord()),
    "kpis": lambda a, changes: a.kpis(KpiQuestion(**changes)),
}


@pytest.mark.parametrize("what", ["credit", "cash", "worklist", "alerts"])
def test_an_unknown_entity_lists_those_there_are(office: Office, what: str) -> None:
    with pytest.raises(NotFound, match="no entity 'X'; there are: DE01, GB01, US01"):
        ASK[what](office.analysts(), {"entity_id": "X"})


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(9999, 12, 31)])
@pytest.mark.parametrize("what", ASK)
def test_a_day_that_no_calendar_covers_is_refused(office: Office, what: str, day: date) -> None:
    field = "since" if what == "alerts" else "as_of"
    with pytest.raises(InvalidQuestion, match=rf"\$\.{field} is '{day}'.* from 1970-01-01 to 2199-12-31"):
        ASK[what](office.analysts(), {field: day})


@pytest.mark.parametrize(
    ("what", "field"), [("cash", "currency"), ("cash", "group_currency"), ("kpis", "group_currency")]
)
def test_what_is_no_currency_is_named_by_its_place(office: Office, what: str, field: str) -> None:
    with pytest.raises(InvalidQuestion, match=rf"\$\.{field} is 'eur'; allowed: an ISO 4217 code"):
        ASK[what](office.analysts(), {field: "eur"})


@pytest.mark.parametrize(
    ("what", "lacks", "command"),
    [
        ("credit", CREDIT_RISK, "duecast train credit-risk"),
        ("cash", CASH_FORECAST, "duecast train cash-forecast"),
        ("cash", PAYMENT_DATE, "duecast train"),
        ("alerts", ANOMALIES, "duecast train anomalies"),
    ],
)
def test_a_model_that_is_not_there_is_named_with_what_makes_it(
    office: Office, what: str, lacks: str, command: str
) -> None:
    analysts = office.analysts(*(name for name in office.models if name != lacks))
    with pytest.raises(Refused) as raised:
        ASK[what](analysts, {})
    assert (raised.value.kind.code, raised.value.detail) == (
        "not-ready",
        f"no {lacks} model serves: train one with `{command}`",
    )


@pytest.mark.parametrize("what", ASK)
def test_an_empty_lake_says_so_or_has_nothing_to_say(office: Office, what: str) -> None:
    empty = replace(office.analysts(), book=Book(Facts.of({})))
    if what == "alerts":
        told = empty.alerts(AlertsQuestion(), OnRecord())
        assert (told.documents, told.alerts, told.availability) == (0, [], "none")
        return
    with pytest.raises(NotFound, match=r"no entity|the ledger is empty"):
        ASK[what](empty, {})


@pytest.mark.parametrize("what", ASK)
def test_an_answer_is_of_the_type_that_the_document_declares(office: Office, what: str) -> None:
    changes = {"credit": {"customer_ids": office.customers()}, "kpis": {"group_currency": "EUR"}}
    told = ASK[what](office.analysts(), changes.get(what, {}))
    sent = msgspec.json.encode(told)
    assert b"NaN" not in sent
    assert msgspec.json.encode(msgspec.json.decode(sent, type=type(told))) == sent


def test_every_model_that_is_served_is_asked_for_by_name() -> None:
    assert set(SERVED) == {PAYMENT_DATE, CREDIT_RISK, CASH_FORECAST, ANOMALIES, CONTACT_EFFECT}


# --- cash ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_of", [None, PAST], ids=["now", "a past day"])
def test_the_forecast_is_the_command_lines(office: Office, as_of: date | None) -> None:
    asked = CashQuestion(entity_id="US01", group_currency="EUR", weeks=4, as_of=as_of)
    told = office.analysts().cash_forecast(asked)
    cash = replace(office.models[CASH_FORECAST].model, rests_on="payment-date/4")
    same, _ = forecast_book(
        office.book, OnDue(), cash, Asked(weeks=4, entity="US01", group="EUR"), as_of=as_of
    )  # fmt: skip
    assert told.forecast == same
    assert told.model == "cash-forecast/4"
    assert {s.entity_id for s in told.forecast.series} == {"US01"}


def test_the_newest_forecast_is_worked_out_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(OnDue, "distribution", counting(OnDue.distribution, asked))
    analysts = office.analysts()
    analysts.cash_forecast(CashQuestion())
    once = len(asked)
    first = analysts.cash_forecast(CashQuestion(weeks=2, currency="USD"))
    second = analysts.cash_forecast(CashQuestion(weeks=2, currency="USD"))
    assert once == len(asked) > 0
    assert first == second


def test_a_currency_of_which_there_is_nothing_is_not_forecast_as_nothing(office: Office) -> None:
    with pytest.raises(NotFound, match=r"nothing to forecast for US01, KWD; there are: .*US01/USD"):
        office.analysts().cash_forecast(CashQuestion(entity_id="US01", currency="KWD"))


def test_before_the_first_fact_there_is_nothing_to_forecast(office: Office) -> None:
    with pytest.raises(NotFound, match="nothing to forecast for any entity, any currency"):
        office.analysts().cash_forecast(CashQuestion(as_of=date(1990, 1, 1)))


def test_a_scenario_stands_beside_the_base_and_is_what_the_command_says(office: Office) -> None:
    slower = Scenario(name="slower", delay=(Delay(entity="US01", customer=_owing(office), days=21),))
    told = office.analysts().cash_forecast(CashQuestion(entity_id="US01", scenario=slower))
    base, beside = forecast_book(
        office.book,
        OnDue(),
        replace(office.models[CASH_FORECAST].model, rests_on="payment-date/4"),
        Asked(entity="US01"),
        scenario=slower,
    )
    assert (told.forecast, told.beside) == (base, beside)
    assert told.beside is not None
    first, later = (f.series[-1].weekly[0].mean_minor for f in (told.forecast, told.beside))
    assert told.forecast.series[-1].currency == "USD"
    assert later < first


def test_a_scenario_about_nobody_is_refused(office: Office) -> None:
    nobody = Scenario(delay=(Delay(entity="US01", customer="nobody", days=1),))
    with pytest.raises(NotFound, match="'nobody' of 'US01' owes nothing"):
        office.analysts().cash_forecast(CashQuestion(scenario=nobody))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_of_a_scenario_is_above_zero(rate: float) -> None:
    with pytest.raises(BadSetting, match=r"rate from USD to EUR is .* allowed: above 0"):
        Rate(currency="USD", to="EUR", rate=rate)


def _owing(office: Office) -> str:
    """The customer of US01 that owes most."""
    owed = office.book.open_receivables(office.book.last_known(), "US01").group_by("customer_id")
    return str(owed.agg(pl.col("amount_minor").sum()).sort("amount_minor", "customer_id")["customer_id"][-1])


# --- worklist -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_of", [None, PAST], ids=["now", "a past day"])
def test_the_worklist_is_the_command_lines(office: Office, tmp_path: Path, as_of: date | None) -> None:
    told = office.analysts(ANOMALIES).worklist(WorklistQuestion(entity_id="US01", capacity=3, as_of=as_of), ())
    same = run_worklist(office.lake, tmp_path, WorklistSettings(capacity=3), as_of=as_of, entity="US01")
    assert (told.worklist, told.model, told.stale) == (same, None, [])
    assert same.rows
    assert same.availability == "pooled"


def test_a_silent_feed_holds_everybody_today_and_nobody_on_a_past_day(office: Office) -> None:
    analysts = office.analysts()
    today = analysts.worklist(WorklistQuestion(entity_id="US01"), SILENT)
    assert today.worklist.rows == ()
    assert all(any(hold.hold == "stale" for hold in row.holds) for row in today.worklist.held)
    past = analysts.worklist(WorklistQuestion(entity_id="US01", as_of=PAST), SILENT)
    assert past.worklist == analysts.worklist(WorklistQuestion(entity_id="US01", as_of=PAST), ()).worklist
    assert past.worklist.rows
    assert today.stale == past.stale == list(SILENT)


def test_payment_dates_tell_how_much_is_paid_anyway(office: Office) -> None:
    question = WorklistQuestion(entity_id="US01")
    without = office.analysts(ANOMALIES).worklist(question, ()).worklist.rows
    with_them = office.analysts(PAYMENT_DATE).worklist(question, ()).worklist.rows
    assert {row.paid_anyway for row in without} == {None}
    assert all(row.paid_anyway is not None for row in with_them)


def test_an_effect_learnt_for_another_horizon_is_refused(office: Office) -> None:
    @dataclass(frozen=True)
    class Effect:
        horizon_days: int = 30

    models = office.models | {CONTACT_EFFECT: Loaded(version(CONTACT_EFFECT), Effect())}
    with pytest.raises(BadSetting, match="horizon_days is 14, but the effect was learnt for 30 days"):
        Analysts(models, office.book).worklist(WorklistQuestion(entity_id="US01"), ())


# --- alerts -------------------------------------------------------------------------------------------------------


def settled(alert_id: str) -> OnRecord:
    said = Verdict(alert_id, "US01", "not", datetime(2026, 1, 5, tzinfo=UTC), "ana", "agreed", ())
    return OnRecord((said,))


def test_what_was_judged_is_told_no_more_and_can_still_be_looked_at(office: Office) -> None:
    analysts = office.analysts()
    question = AlertsQuestion(budget_share=0.01)
    before = analysts.alerts(question, OnRecord())
    assert len(before.alerts) > 3
    gone = before.alerts[1]
    after = analysts.alerts(question, settled(gone.alert_id))
    assert gone.alert_id not in {a.alert_id for a in after.alerts}
    assert [a for a in before.alerts if a != gone] == after.alerts[: len(before.alerts) - 1]
    assert after.documents == before.documents
    assert analysts.alert(gone.alert_id, OnRecord()) == gone
    with pytest.raises(NotFound, match="no alert 'none'; list them first"):
        analysts.alert("none", OnRecord())


def test_alerts_are_of_the_entity_and_time_asked_about_and_as_likely(office: Office) -> None:
    question = AlertsQuestion(entity_id="US01", since=PAST, budget_share=1.0, per_day=3, least_chance=0.0)
    analysts = office.analysts()
    told = analysts.alerts(question, OnRecord())
    assert {a.entity_id for a in told.alerts} == {"US01"}
    assert all(a.known_at.date() >= PAST for a in told.alerts)
    assert told.model == "anomalies/4"
    assert told.silent == ["near_limit is silent for US01: no approval limit is set", NO_CONTROLS]
    assert (told.availability, told.availability_reason) == ("full", None)
    fewer = analysts.alerts(msgspec.structs.replace(question, per_day=1), OnRecord())
    assert 0 < len(fewer.alerts) < len(told.alerts)
    assert fewer.documents == told.documents < analysts.alerts(AlertsQuestion(), OnRecord()).documents
    middle = told.alerts[len(told.alerts) // 2].chance
    surer = analysts.alerts(msgspec.structs.replace(question, least_chance=middle), OnRecord())
    assert surer.alerts == [a for a in told.alerts if a.chance >= middle]
    assert 0 < len(surer.alerts) < len(told.alerts)
    assert AlertsQuestion().least_chance == Budget().least_chance


def test_documents_are_compared_once_however_often_one_asks(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    compared: list[int] = []
    monkeypatch.setattr(AnomalyModel, "scored", counting(AnomalyModel.scored, scored))
    monkeypatch.setattr(comparing, "compared", counting(comparisons.compared, compared))
    analysts = office.analysts()
    told = analysts.alerts(AlertsQuestion(), OnRecord())
    analysts.alerts(AlertsQuestion(entity_id="US01", since=PAST), settled(told.alerts[0].alert_id))
    analysts.alert(told.alerts[0].alert_id, OnRecord())
    assert (len(scored), len(compared)) == (1, 1)


def test_new_analysts_take_over_what_rests_on_nothing_new(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []
    drawn: list[int] = []
    followed: list[int] = []
    monkeypatch.setattr(comparing, "compared", counting(comparisons.compared, compared))
    monkeypatch.setattr(analysts_module, "look_ahead", counting(forecast.look_ahead, drawn))
    monkeypatch.setattr(analysts_module, "own_lgds", counting(own_lgds, followed))

    def asked(analysts: Analysts) -> tuple[int, int, int]:
        """How often documents were compared, cash drawn and defaults followed, once this one was asked."""
        analysts.alerts(AlertsQuestion(), OnRecord())
        analysts.cash_forecast(CashQuestion(weeks=1))
        analysts.credit_risk(credit(office.customers()[0]))
        return len(compared), len(drawn), len(followed)

    def promoted(name: str) -> dict[str, Loaded]:
        return office.models | {name: Loaded(version(name), office.models[name].model)}

    first = office.analysts()
    assert asked(first) == asked(first) == (1, 1, 1)
    assert asked(first.renewed(promoted(CREDIT_RISK), office.book)) == (1, 1, 2)
    assert asked(first.renewed(promoted(PAYMENT_DATE), office.book)) == (1, 2, 2)
    assert asked(first.renewed(promoted(ANOMALIES), office.book)) == (2, 2, 2)
    assert asked(first.renewed(office.models, Book(office.book.facts))) == (3, 3, 3)


def counting(function: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    """`function`, which leaves a mark in `calls` at each call."""

    def counted(*values: Any, **named: Any) -> Any:
        calls.append(1)
        return function(*values, **named)

    return counted


# --- key figures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_of", [None, PAST], ids=["now", "a past day"])
def test_the_key_figures_are_the_engines(office: Office, as_of: date | None) -> None:
    asked = KpiQuestion(by="segment", days=60, group_currency="EUR", as_of=as_of)
    told = office.analysts(ANOMALIES).kpis(asked)
    same = collection_kpis(
        office.book,
        as_of or office.book.last_known(),
        by="segment",
        settings=KpiSettings(days=60),
        group_currency="EUR",
    )
    assert told.kpis == same
    assert {row.entity_id for row in same.rows} == {"US01", "DE01", "GB01", None}
    assert any(row.value for row in same.rows)
