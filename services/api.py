"""The API itself: questions in, answers out. Everything that may go wrong leaves as a problem document.

It knows a predictor only by its protocol, so the tests put another one in its place, and it never touches the lake or
a model on the event loop.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from features.errors import CallerError, DuecastError, Violation
from models.anomalies.alerts import Alert
from models.cash.scenarios import Scenario
from services import exposition, openapi, problems
from services.alerts import OnRecord
from services.decoding import decode
from services.endpoints import ENDPOINTS
from services.guard import VERSION_HEADER, place_of
from services.lane import Lane
from services.page import front_page
from services.problems import InvalidQuestion, Refused
from services.questions import (
    AlertsAnswer,
    AlertsQuestion,
    CashAnswer,
    CashQuestion,
    CreditAnswer,
    CreditQuestion,
    KpiAnswer,
    KpiQuestion,
    VerdictAnswer,
    VerdictQuestion,
    WorklistAnswer,
    WorklistQuestion,
)
from services.scenarios import scenario_faults
from services.schemas import Answer, ByIdQuestion, Health, InlineQuestion, ModelCard, Receipt
from services.signatures import Seal

NO_VERSION = "none"  # no model answered

logger = logging.getLogger(__name__)


class Predictor(Protocol):
    """Answers questions with one model and one state of the lake."""

    @property
    def card(self) -> ModelCard:
        """The model that answers."""
        ...

    def by_id(self, question: ByIdQuestion) -> Answer:
        """Open invoices of the lake; `UnknownSubject` lists those that are not there."""
        ...

    def inline(self, question: InlineQuestion) -> Answer:
        """Open invoices of the ledger in the question; `InvalidQuestion` lists what is wrong with it."""
        ...


class Analysts(Protocol):
    """Answers what is not about payment dates, from the models that serve and one state of the lake."""

    def credit_risk(self, question: CreditQuestion) -> CreditAnswer:
        """Customers of the lake; `UnknownSubject` lists those that are not there."""
        ...

    def cash_forecast(self, question: CashQuestion) -> CashAnswer:
        """The coming weeks."""
        ...

    def worklist(self, question: WorklistQuestion, stale: Sequence[str]) -> WorklistAnswer:
        """Whom to contact; feeds that are `stale` hold everybody, and the answer says so."""
        ...

    def alerts(self, question: AlertsQuestion, record: OnRecord) -> AlertsAnswer:
        """What is odd and nobody has judged."""
        ...

    def alert(self, alert_id: str, record: OnRecord) -> Alert:
        """One alert, judged or not; `NotFound` for one that there is not."""
        ...

    def kpis(self, question: KpiQuestion) -> KpiAnswer:
        """The key figures of collecting."""
        ...


class Serving(Protocol):
    """What serves at this moment."""

    @property
    def predictor(self) -> Predictor | None:
        """None until there is one; a question keeps the one that it began with."""
        ...

    @property
    def analysts(self) -> Analysts | None:
        """None until the lake was read."""
        ...

    @property
    def reason(self) -> str:
        """Why there is no predictor."""
        ...

    @property
    def stale(self) -> Sequence[str]:
        """Which feeds of the lake have been silent for too long, in words."""
        ...


class Desk(Protocol):
    """Where the work of the integrations is kept. Both may wait for a database, and refuse where it is out of reach."""

    def receive(self, source: str, seal: Seal, body: bytes) -> Receipt:
        """Keep a webhook for good; refused unless it is signed."""
        ...

    def exposition(self) -> str:
        """The figures for Prometheus."""
        ...

    def on_record(self) -> OnRecord:
        """What people said of alerts, and control totals that did not tie."""
        ...

    def judge(self, alert: Alert, question: VerdictQuestion) -> VerdictAnswer:
        """Keep what a person says of an alert, for good."""
        ...


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where questions wait: none holds up another lane's. Studies take seconds where predictions take hundredths."""

    predictions: Lane
    studies: Lane
    desk: Lane

    def close(self) -> None:
        """Lets running work end, drops what waits."""
        for lane in (self.predictions, self.studies, self.desk):
            lane.close()


def version_label(serving: Serving) -> str:
    """`payment-date/3`, or `none`."""
    predictor = serving.predictor
    return predictor.card.label if predictor else NO_VERSION


class Api:
    """One method per endpoint, under the endpoint's name."""

    def __init__(self, serving: Serving, desk: Desk, lanes: Lanes, *, bulk_limit: int) -> None:
        self._serving = serving
        self._lane = lanes.predictions
        self._study = lanes.studies
        self._desk = desk
        self._desk_lane = lanes.desk
        self._bulk_limit = bulk_limit
        self._document = msgspec.json.encode(openapi.document(bulk_limit=bulk_limit))
        self._by_id = msgspec.json.Decoder(ByIdQuestion)
        self._inline = msgspec.json.Decoder(InlineQuestion)
        self._credit = msgspec.json.Decoder(CreditQuestion)
        self._cash = msgspec.json.Decoder(CashQuestion)
        self._contacts = msgspec.json.Decoder(WorklistQuestion)
        self._alerts = msgspec.json.Decoder(AlertsQuestion)
        self._verdict = msgspec.json.Decoder(VerdictQuestion)
        self._kpis = msgspec.json.Decoder(KpiQuestion)

    async def by_id(self, request: Request) -> Response:
        """Predictions for invoices of the lake."""
        question = decode(self._by_id, await request.body())
        self._check_bulk("invoice_ids", question.invoice_ids)
        predictor = self._ready()
        answer = await self._lane.run(lambda: predictor.by_id(question))
        return _json(msgspec.structs.replace(answer, stale=list(self._serving.stale)), predictor.card.label)

    async def inline(self, request: Request) -> Response:
        """Predictions for invoices of a ledger that is sent along."""
        question = decode(self._inline, await request.body())
        self._check_bulk("predict", question.predict)
        predictor = self._ready()
        return _json(await self._lane.run(lambda: predictor.inline(question)), predictor.card.label)

    async def credit_risk(self, request: Request) -> Response:
        """Credit opinions on customers of the lake."""
        question = decode(self._credit, await request.body())
        self._check_bulk("customer_ids", question.customer_ids)
        analysts = self._analysts()
        return self._with_stale(await self._study.run(lambda: analysts.credit_risk(question)))

    async def cash_forecast(self, request: Request) -> Response:
        """The cash of the coming weeks."""
        question = decode(self._cash, await request.body())
        self._check_scenario(question.scenario)
        analysts = self._analysts()
        return self._with_stale(await self._study.run(lambda: analysts.cash_forecast(question)))

    async def worklist(self, request: Request) -> Response:
        """Whom to contact today."""
        question, analysts = decode(self._contacts, await request.body()), self._analysts()
        stale = self._serving.stale
        told = await self._study.run(lambda: analysts.worklist(question, stale))
        return _json(told, told.model or NO_VERSION)

    async def anomalies(self, request: Request) -> Response:
        """What is odd and nobody has judged."""
        question, analysts = decode(self._alerts, await request.body()), self._analysts()
        record = await self._desk_lane.run(self._desk.on_record)
        told = await self._study.run(lambda: analysts.alerts(question, record))
        return _json(told, told.model)

    async def verdict(self, request: Request) -> Response:
        """A verdict is kept before its giver is told so."""
        question, analysts = decode(self._verdict, await request.body()), self._analysts()
        record = await self._desk_lane.run(self._desk.on_record)
        alert = await self._study.run(lambda: analysts.alert(question.alert_id, record))
        return _json(await self._desk_lane.run(lambda: self._desk.judge(alert, question)), NO_VERSION)

    async def kpis(self, request: Request) -> Response:
        """The key figures of collecting."""
        question, analysts = decode(self._kpis, await request.body()), self._analysts()
        return self._with_stale(await self._study.run(lambda: analysts.kpis(question)))

    async def webhook(self, request: Request) -> Response:
        """A delivery is kept before its sender is told so."""
        source, seal, body = request.path_params["source"], Seal.of(request.headers), await request.body()
        receipt = await self._desk_lane.run(lambda: self._desk.receive(source, seal, body))
        return _json(receipt, status=202)

    async def integration_metrics(self, _: Request) -> Response:
        """The figures of the integrations."""
        return Response(await self._desk_lane.run(self._desk.exposition), media_type=exposition.MEDIA_TYPE)

    async def model(self, _: Request) -> Response:
        """The card of the model that answers."""
        predictor = self._ready()
        return _json(predictor.card, predictor.card.label)

    async def livez(self, _: Request) -> Response:
        """The process is alive."""
        return _json(Health("alive"))

    async def readyz(self, _: Request) -> Response:
        """There is a model."""
        self._ready()
        return _json(Health("ready", version_label(self._serving)))

    async def openapi(self, _: Request) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json")

    async def front(self, _: Request) -> Response:
        """A page that needs nothing from anywhere else."""
        ready = self._serving.predictor is not None
        state = f"{version_label(self._serving)} answers" if ready else f"not ready: {self._serving.reason}"
        return HTMLResponse(front_page(state))

    def _analysts(self) -> Analysts:
        if self._serving.analysts is None:
            raise Refused(problems.NOT_READY, "the lake is being read", {"retry-after": "5"})
        return self._serving.analysts

    def _with_stale(self, answer: CreditAnswer | CashAnswer | KpiAnswer) -> Response:
        told = msgspec.structs.replace(answer, stale=list(self._serving.stale))
        return _json(told, NO_VERSION if isinstance(told, KpiAnswer) else told.model)

    def _ready(self) -> Predictor:
        predictor = self._serving.predictor
        if predictor is None:
            raise Refused(problems.NOT_READY, self._serving.reason, {"retry-after": "5"})
        return predictor

    def _check_bulk(self, field: str, ids: Sequence[str]) -> None:
        if len(ids) > self._bulk_limit:
            raise InvalidQuestion([Violation("$", field, f"{len(ids)} ids", f"at most {self._bulk_limit} ids")])

    def _check_scenario(self, scenario: Scenario | None) -> None:
        faults = [] if scenario is None else [*scenario_faults(scenario, self._bulk_limit)]
        if faults:
            raise InvalidQuestion(faults)


def build_app(api: Api) -> Starlette:
    """The ASGI app: a route per endpoint, and a problem document for everything else."""
    routes = [Route(e.path, getattr(api, e.name), methods=[e.method], name=e.name) for e in ENDPOINTS]
    handlers = {DuecastError: _told, Refused: _refused, HTTPException: _http, Exception: _silent}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, DuecastError)
    if not isinstance(error, CallerError):
        logger.error("request failed error=%s at=%s", type(error).__name__, place_of(error))
    return problems.of_error(error)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problems.response(error.kind, error.detail, headers=error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = problems.METHOD if error.status_code == problems.METHOD.status else problems.NOT_FOUND
    known = ", ".join(sorted({e.path for e in ENDPOINTS}))
    return problems.response(kind, f"there are: {known}", headers=error.headers)


async def _silent(_: Request, __: Exception) -> Response:
    """Says nothing; Starlette raises the error again after this, and the guard logs where it came from."""
    return problems.response(problems.INTERNAL)


def _json(content: Any, model: str | None = None, *, status: int = 200) -> Response:
    headers = {} if model is None else {VERSION_HEADER: model}
    return Response(msgspec.json.encode(content), status, headers, "application/json")
