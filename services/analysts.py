"""Answers beside payment dates, from the models that serve and one state of the lake.

Immutable: a new model or a new state of the lake makes new analysts. What is dear (every document compared, every
claim on cash, what defaults lost) is worked out at the first question and kept; new analysts take it over where it
rests on nothing new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

import polars as pl

from features.book import Book
from features.errors import NotFound, Violation
from features.kpis.engine import collection_kpis
from features.kpis.settings import KpiSettings
from features.money import exponents
from features.recoveries import OwnLgd, own_lgds
from models.anomalies.alerts import Alert, Budget
from models.cash.answers import CashForecast
from models.cash.forecast import LookAhead, in_scenario, look_ahead
from models.cash.mornings import at_start_of
from models.champion import (
    ANOMALIES,
    CASH_FORECAST,
    CONTACT_EFFECT,
    CREDIT_RISK,
    PAYMENT_DATE,
    ModelVersion,
    training_command,
)
from models.credit.opinions import scored
from models.worklist.effect import why_not_learnt
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import worklist
from services import problems
from services.alerts import OnRecord
from services.anomaly_desk import AnomalyDesk, Scores
from services.comparing import scored_documents
from services.decoding import days_out_of_range
from services.opinions import opinions
from services.problems import InvalidQuestion, Refused, UnknownSubject
from services.questions import (
    AlertsAnswer,
    AlertsQuestion,
    CashAnswer,
    CashQuestion,
    CreditAnswer,
    CreditQuestion,
    KpiAnswer,
    KpiQuestion,
    WorklistAnswer,
    WorklistQuestion,
)
from services.schemas import Question

# What is worked out once -> the models that it rests on, beside the book.
_KEPT = {"_desk": (ANOMALIES,), "_newest_cash": (PAYMENT_DATE, CASH_FORECAST), "_newest_lgds": (CREDIT_RISK,)}
SERVED = (PAYMENT_DATE, CREDIT_RISK, CASH_FORECAST, ANOMALIES, CONTACT_EFFECT)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that serves, and which it is."""

    version: ModelVersion
    model: Any


@dataclass(frozen=True, eq=False)
class Analysts:
    """`models`, by name, asked about `book`. `Refused` with NOT_READY where a question needs one that is not there.

    scores  compares documents, see `AnomalyDesk`
    """

    models: Mapping[str, Loaded]
    book: Book
    scores: Scores = scored_documents

    def renewed(self, models: Mapping[str, Loaded], book: Book) -> "Analysts":
        """Analysts of other models or another book; what was worked out from nothing that changed is kept."""
        fresh = replace(self, models=models, book=book)
        for name, rests_on in _KEPT.items():
            same = book is self.book and all(models.get(m) is self.models.get(m) for m in rests_on)
            if same and name in vars(self):
                vars(fresh)[name] = vars(self)[name]
        return fresh

    def credit_risk(self, question: CreditQuestion) -> CreditAnswer:
        """Customers of the lake, by id; `UnknownSubject` lists those that were not known then."""
        loaded = self._model(CREDIT_RISK)
        as_of = self._instant(question)
        ids = list(dict.fromkeys(question.customer_ids))
        known = self.book.customers_as_of(as_of, question.entity_id)
        place = pl.DataFrame({"customer_id": ids, "_place": range(len(ids))}, schema_overrides={"_place": pl.Int64})
        subjects = known.join(place, on="customer_id").sort("_place").drop("_place")
        _refuse_unknown(subjects["customer_id"], ids, question.customer_ids, as_of)
        asked = scored(self.book, loaded.model, subjects)
        return CreditAnswer(model=loaded.version.label, opinions=opinions(asked, self._lgds(as_of)))

    def cash_forecast(self, question: CashQuestion) -> CashAnswer:
        """The coming weeks. `NotFound` for an entity that is not there, or a currency of which nothing ever was."""
        loaded = self._model(CASH_FORECAST)
        self._model(PAYMENT_DATE)
        if question.entity_id is not None:
            self.book.time_zone(question.entity_id)
        _refuse_strange_values(question)
        day = question.as_of
        seen = self._newest_cash if day is None else self._look_ahead(*at_start_of(self.book, day))
        base = _forecast(seen, question)
        if not base.series:
            raise NotFound(nothing_to_forecast(self.book, question.entity_id, question.currency))
        beside = None if question.scenario is None else _forecast(in_scenario(seen, question.scenario), question)
        return CashAnswer(model=loaded.version.label, forecast=base, beside=beside)

    def worklist(self, question: WorklistQuestion, stale: Sequence[str]) -> WorklistAnswer:
        """Whom to contact; feeds that are `stale` hold everybody, unless the question is about a day of the past."""
        as_of = self._instant(question)
        dated, effect = self.models.get(PAYMENT_DATE), self.models.get(CONTACT_EFFECT)
        settings = WorklistSettings(capacity=question.capacity, horizon_days=question.horizon_days)
        made = worklist(
            self.book,
            as_of,
            dated.model if dated else None,
            effect.model if effect else None,
            settings,
            entity_id=question.entity_id,
            stale=stale if question.as_of is None else (),
            not_learnt="" if effect else why_not_learnt(self.book, question.horizon_days),
        )
        return WorklistAnswer(model=effect.version.label if effect else None, worklist=made, stale=list(stale))

    def alerts(self, question: AlertsQuestion, record: OnRecord) -> AlertsAnswer:
        """What is odd and was not judged yet; `record`: what people said, and control totals."""
        loaded = self._model(ANOMALIES)
        _refuse_strange_values(question)
        budget = Budget(question.budget_share, question.per_day, question.least_chance)
        told = self._desk.alerts(budget, record, since=question.since, entity=question.entity_id, as_of=question.as_of)
        return AlertsAnswer(
            model=loaded.version.label,
            documents=told.documents,
            alerts=list(told.alerts),
            silent=list(told.silent),
            availability=told.availability,
            availability_reason=told.availability_reason,
        )

    def alert(self, alert_id: str, record: OnRecord) -> Alert:
        """One alert, judged or not; `NotFound` for one that there is not."""
        self._model(ANOMALIES)
        return self._desk.alert(alert_id, record)

    def kpis(self, question: KpiQuestion) -> KpiAnswer:
        """The key figures of collecting."""
        _refuse_strange_values(question)
        as_of: date | datetime = question.as_of or self.book.last_known()
        settings = KpiSettings(days=question.days)
        told = collection_kpis(
            self.book, as_of, by=question.by, settings=settings, group_currency=question.group_currency
        )
        return KpiAnswer(kpis=told)

    def _model(self, name: str) -> Loaded:
        if name not in self.models:
            told = f"no {name} model serves: train one with `{training_command(name)}`"
            raise Refused(problems.NOT_READY, told)
        return self.models[name]

    def _instant(self, question: CreditQuestion | WorklistQuestion) -> datetime:
        """The start of the day asked about where the entity is, or the newest there is; `NotFound` for the entity."""
        _refuse_strange_values(question)
        self.book.time_zone(question.entity_id)
        if question.as_of is None:
            return self.book.last_known()
        return self.book.day_start(question.as_of, question.entity_id)

    def _lgds(self, as_of: datetime) -> Mapping[str, OwnLgd]:
        """Entity -> its own LGD by what was known before `as_of`."""
        if as_of == self.book.last_known():
            return self._newest_lgds
        try:
            return own_lgds(self.book, self._model(CREDIT_RISK).model.rule, as_of)
        except NotFound:  # customers were known then, and nothing that they owed
            return {}

    @cached_property
    def _newest_lgds(self) -> Mapping[str, OwnLgd]:
        return own_lgds(self.book, self._model(CREDIT_RISK).model.rule, self.book.last_known())

    def _look_ahead(self, book: Book, as_of: datetime) -> LookAhead:
        dated, cash = self._model(PAYMENT_DATE), self._model(CASH_FORECAST)
        return look_ahead(book, dated.model, replace(cash.model, rests_on=dated.version.label), as_of)

    @cached_property
    def _newest_cash(self) -> LookAhead:
        return self._look_ahead(self.book, self.book.last_known())

    @cached_property
    def _desk(self) -> AnomalyDesk:
        return AnomalyDesk(self._model(ANOMALIES).model, self.book.facts, self.scores)


def _refuse_strange_values(question: Question) -> None:
    """`InvalidQuestion` for days that no calendar of ours covers, and for what is no currency."""
    faults = [*days_out_of_range("$", question)]
    for field in ("currency", "group_currency"):
        code = getattr(question, field, None)
        if code is not None and code not in exponents():
            faults.append(Violation("$", field, code, "an ISO 4217 code such as USD, EUR, JPY"))
    if faults:
        raise InvalidQuestion(faults)


def nothing_to_forecast(book: Book, entity: str | None, currency: str | None) -> str:
    """That there is no cash of an entity or currency, and of which there is; for the command line, too."""
    pairs = book.states.select("entity_id", "currency").unique().sort("entity_id", "currency").iter_rows()
    there = ", ".join("/".join(pair) for pair in pairs) or "none"
    return f"nothing to forecast for {entity or 'any entity'}, {currency or 'any currency'}; there are: {there}"


def _refuse_unknown(found: pl.Series, ids: Sequence[str], asked: Sequence[str], as_of: datetime) -> None:
    there = set(found)
    missing = [name for name in ids if name not in there]
    allowed = f"a customer that was known at {as_of.isoformat()}"
    if missing:
        raise UnknownSubject(
            f"customer {missing[0]!r} is not known as of {as_of.isoformat()}",
            (Violation("$", f"customer_ids[{asked.index(name)}]", name, allowed) for name in missing),
        )


def _forecast(seen: LookAhead, question: CashQuestion) -> CashForecast:
    return seen.forecast(
        weeks=question.weeks, group=question.group_currency, entity=question.entity_id, currency=question.currency
    )
