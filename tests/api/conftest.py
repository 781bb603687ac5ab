"""The app in this process, with a predictor and analysts of the tests' own behind it."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import httpx
import pytest

from features.errors import NotFound, Violation
from features.kpis.engine import CollectionKpis, KpiValue
from models.anomalies.alerts import Alert, Evidence
from models.cash.answers import CashForecast, Inflow, SeriesForecast
from models.credit.answers import CreditScore
from models.credit.codes import CreditReason
from models.credit.policy import CreditLimit
from models.worklist.holds import Held
from models.worklist.worklist import HeldRow, Row, Worklist
from services.api import Api, Lanes, build_app, version_label
from services.endpoints import ENDPOINTS, VERDICT_EXAMPLE
from services.guard import Guard
from services.lane import Lane
from services.operations import Operations
from services.problems import InvalidQuestion, UnknownSubject
from services.questions import (
    AlertsAnswer,
    CashAnswer,
    CreditAnswer,
    CreditOpinion,
    KpiAnswer,
    LgdUsed,
    WorklistAnswer,
)
from services.schemas import Answer, ByIdQuestion, InlineQuestion, ModelCard, Prediction, Reason
from services.signatures import Gate, sealed

SECRET = b"a secret of more than 16 bytes"
NOW = datetime(2024, 3, 1, 10, tzinfo=UTC)
KEY = "open sesame"


class FakePredictor:
    """Knows entity US01 and any invoice but those called `missing`; does what the test plants before it answers."""

    def __init__(self, version: int = 3, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self.card = ModelCard(
            name="payment-date",
            version=version,
            digest="d" * 64,
            run_id="run",
            trained_from=date(2021, 1, 1),
            trained_until=date(2023, 12, 31),
            lake_versions={"invoice": 2},
            features=57,
        )

    def by_id(self, question: ByIdQuestion) -> Answer:
        self.before()
        if question.entity_id != "US01":
            raise NotFound(f"no entity {question.entity_id!r}; there are: US01")
        if "missing" in question.invoice_ids:
            at = f"invoice_ids[{question.invoice_ids.index('missing')}]"
            raise UnknownSubject("invoice 'missing' is not known", [Violation("$", at, "missing", "an open invoice")])
        return self._answer(question.invoice_ids, question.as_of or date(2024, 3, 1))

    def inline(self, question: InlineQuestion) -> Answer:
        self.before()
        if "missing" in question.predict:
            raise InvalidQuestion([Violation("$", "predict[0]", "missing", "an open invoice of this ledger")])
        return self._answer(question.predict, question.as_of)

    def _answer(self, ids: list[str], day: date) -> Answer:
        return Answer(model=f"payment-date/{self.card.version}", predictions=[prediction(name, day) for name in ids])


def prediction(invoice_id: str, day: date) -> Prediction:
    return Prediction(
        prediction_id="f" * 32,
        feature_digest="e" * 64,
        entity_id="US01",
        customer_id="C-17",
        invoice_id=invoice_id,
        instalment=1,
        currency="EUR",
        amount="990.00",
        due_date=date(2024, 3, 13),
        cutoff=datetime(day.year, day.month, day.day, tzinfo=UTC),
        cutoff_day=day,
        availability="full",
        availability_reason=None,
        expected_date=date(2024, 3, 20),
        p10=date(2024, 3, 14),
        p50=date(2024, 3, 19),
        p90=date(2024, 4, 2),
        p_late=0.875,
        p_beyond=0.0,
        ageing={"current": 0.125, "1-30": 0.875},
        paid_by={"2024-03-08": 0.0625},
        typical_date=date(2024, 3, 15),
        reasons=(Reason("days_late_mean", "usually pays 7 days late", 5.0),),
    )


class FakeAnalysts:
    """Knows entity US01, customers but those called `missing`, one alert; does what the test plants before it answers.

    `version` is that of all its models.
    """

    def __init__(self, version: int = 2, before: Callable[[], None] = lambda: None) -> None:
        self.before = before
        self.version = version

    def credit_risk(self, question) -> CreditAnswer:
        self._begin(question.entity_id)
        if "missing" in question.customer_ids:
            at = f"customer_ids[{question.customer_ids.index('missing')}]"
            raise UnknownSubject("customer 'missing' is not known", [Violation("$", at, "missing", "a known customer")])
        opinions = [opinion(name, question.as_of or date(2024, 3, 1)) for name in question.customer_ids]
        return CreditAnswer(model=f"credit-risk/{self.version}", opinions=opinions)

    def cash_forecast(self, question) -> CashAnswer:
        self._begin(question.entity_id)
        return CashAnswer(model=f"cash-forecast/{self.version}", forecast=forecast(question.weeks))

    def worklist(self, question, stale) -> WorklistAnswer:
        self._begin(question.entity_id)
        return WorklistAnswer(
            model=f"contact-effect/{self.version}", worklist=contacts(question.horizon_days, stale), stale=list(stale)
        )

    def alerts(self, question, record) -> AlertsAnswer:
        self._begin(question.entity_id)
        left = [a for a in (ALERT,) if a.alert_id not in record.standing()]
        return AlertsAnswer(
            model=f"anomalies/{self.version}",
            documents=1200,
            alerts=left,
            silent=["no limits"],
            availability="partial",
            availability_reason="no document of GB01 was known",
        )

    def alert(self, alert_id, record) -> Alert:
        self._begin(None)
        if alert_id != ALERT.alert_id:
            raise NotFound(f"no alert {alert_id!r}; list them first")
        return ALERT

    def kpis(self, question) -> KpiAnswer:
        self._begin(None)
        return KpiAnswer(kpis=figures(question))

    def _begin(self, entity_id: str | None) -> None:
        self.before()
        if entity_id not in (None, "US01"):
            raise NotFound(f"no entity {entity_id!r}; there are: US01")


ALERT = Alert(
    alert_id=VERDICT_EXAMPLE["alert_id"],
    entity_id="US01",
    kind="duplicate_invoice",
    chance=0.75,
    table="invoice",
    record_id="INV-1001",
    customer_id="C-17",
    day=date(2024, 2, 28),
    known_at=datetime(2024, 2, 28, 9, tzinfo=UTC),
    currency="EUR",
    amount_minor=99_000,
    evidence=(Evidence("twin_number", 0.9, "the customer's documents", "INV-1O01 of 4 days before has the amount"),),
    documents=("invoice/INV-1001", "invoice/INV-1O01"),
    availability="full",
    availability_reason=None,
)


def opinion(customer_id: str, day: date) -> CreditOpinion:
    score = CreditScore(
        entity_id="US01",
        customer_id=customer_id,
        cutoff_day=day,
        horizon_days=180,
        availability="full",
        availability_reason=None,
        default_cause=None,
        pd=0.125,
        score=560.0,
        grade="D",
        typical_score=600.0,
        reasons=(CreditReason("late", "pays late", -40.0),),
        signals={},
        signals_missing=(),
    )
    limit = CreditLimit(
        "US01", customer_id, "EUR", "full", None, 0.125, 400_000, 500_000, "risk", 0.8, on_file_minor=None,
        on_file_share=None,
    )  # fmt: skip
    lgd = LgdUsed(share=0.25, basis="entity", cases=31)
    return CreditOpinion(score=score, limit=limit, lgd=lgd, losses=[], blocked_orders=[], ways_up=[])


def forecast(weeks: int) -> CashForecast:
    inflow = Inflow(
        first_day=date(2024, 3, 1),
        last_day=date(2024, 3, 7),
        mean_minor=300,
        open_minor=200,
        orders_minor=60,
        new_business_minor=40,
        quantiles_minor={"p50": 290},
    )
    series = SeriesForecast(
        entity_id="US01", currency="USD", availability="full", owed_minor=250, total=inflow, weekly=(inflow,) * weeks
    )
    return CashForecast(
        as_of="2024-03-01T05:00:00+00:00",
        weeks=weeks,
        draws=1000,
        seed=7,
        rests_on="payment-date/3",
        scenario=None,
        series=(series,),
    )


def contacts(horizon_days: int, stale: tuple[str, ...]) -> Worklist:
    row = Row(
        rank=1,
        entity_id="US01",
        customer_id="C-17",
        day=date(2024, 3, 1),
        as_of=NOW,
        collector=None,
        made=True,
        chance=0.95,
        action="call",
        invoices=("INV-1001",),
        currency="USD",
        amount=Decimal("990.00"),
        paid_anyway=0.25,
        effect=0.125,
        effect_low=0.0,
        effect_high=0.25,
        value=12.5,
        value_of_time=0.5,
        do="call about INV-1001",
        reasons=("20 days past due",),
        would_change=("being paid",),
    )
    held = tuple(HeldRow("US01", "C-17", None, (Held("stale", words, "the feed coming back"),)) for words in stale)
    return Worklist(
        as_of=NOW,
        day=date(2024, 3, 1),
        availability="full",
        availability_reason=None,
        ranking="value of a contact",
        horizon_days=horizon_days,
        rows=() if stale else (row,),
        held=held,
    )


def figures(question) -> CollectionKpis:
    row = KpiValue(
        kpi="dso",
        entity_id="US01",
        currency="USD",
        group=None,
        converted=False,
        value=Decimal("41.5"),
        minor=None,
        unit="days",
        availability="full",
        availability_reason=None,
    )
    return CollectionKpis(
        as_of=(question.as_of or date(2024, 3, 1)).isoformat(),
        days=question.days,
        by=question.by,
        group_currency=question.group_currency,
        rows=[row],
        silent=[],
        definitions={"dso": "days sales outstanding"},
    )


class StandingClock:
    """Says what time it is when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class FakeServing:
    """What serves, set by the test."""

    predictor: Any
    analysts: Any = None
    reason: str = "no model has been promoted yet"
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """Asks the app over ASGI, one request at a time; `seen` is what the guard observed."""

    app: Any
    serving: FakeServing
    lane: Lane
    clock: Any = None
    desk: Any = None
    base_url: str = "http://127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, int]] = field(default_factory=list)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.ask_all([(method, path, options)])[0]

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, content: Any, **options: Any) -> httpx.Response:
        body = {"content": content} if isinstance(content, bytes) else {"json": content}
        headers = {"content-type": "application/json"} | options.pop("headers", {})
        return self.ask("POST", path, **body, headers=headers, **options)

    def ask_all(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """All at once."""

        async def together() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, headers=self.headers) as client:
                return await asyncio.gather(*(client.request(m, p, **options) for m, p, options in requests))

        return asyncio.run(together())

    def at(self, base_url: str) -> "Client":
        return replace(self, base_url=base_url)

    def saying(self, **headers: str) -> "Client":
        return replace(self, headers=headers)


@pytest.fixture
def make_client(tmp_path):
    """`make_client(analysts=..., api_keys=..., body_limit=..., body_seconds=..., bulk_limit=..., lane=...,
    predictor=..., secrets=..., state_url=..., studies=...)`; the desk is the real one, on a store of the test's own,
    and its clock stands."""
    lanes: list[Lanes] = []

    def make(
        *,
        analysts: Any = None,
        api_keys: dict[str, str] | None = None,
        body_limit: int = 100_000,
        body_seconds: float = 15.0,
        bulk_limit: int = 100,
        lane: Lane | None = None,
        predictor: Any = None,
        secrets: dict[str, tuple[bytes, ...]] | None = None,
        state_url: str | None = None,
        studies: Lane | None = None,
    ) -> Client:
        serving = FakeServing(predictor or FakePredictor(), analysts or FakeAnalysts())
        lane = lane or Lane(limit=8)
        own = Lanes(lane, studies or Lane(limit=8), Lane(limit=8))
        lanes.append(own)
        gate = Gate({"erp": (SECRET,)} if secrets is None else secrets, window=timedelta(minutes=5))
        clock = StandingClock()
        desk = Operations(state_url or f"sqlite:///{tmp_path}/state.db", gate, clock=clock)
        seen: list[tuple[str, int]] = []
        guard = Guard(
            build_app(Api(serving, desk, own, bulk_limit=bulk_limit)),
            api_keys=api_keys or {},
            body_limit=body_limit,
            body_seconds=body_seconds,
            paths={e.path: e.public for e in ENDPOINTS},
            version=lambda: version_label(serving),
            observe=lambda path, status, _: seen.append((path, status)),
        )
        return Client(guard, serving, lane, clock, desk, seen=seen)

    yield make
    for own in lanes:
        own.close()


@pytest.fixture
def client(make_client) -> Client:
    """No keys, loopback, a model that serves."""
    return make_client()


@pytest.fixture
def keyed(make_client) -> Client:
    """One key is known; nothing is sent yet."""
    return make_client(api_keys={sha256(KEY.encode()).hexdigest(): "erp"})


@pytest.fixture
def key() -> str:
    """The key that `keyed` knows."""
    return KEY


@pytest.fixture
def seal():
    """`seal(body, delivery_id, secret=..., at=...)`: the headers of a delivery, signed as `client` wants it."""

    def made(body: bytes, delivery_id: str = "d1", secret: bytes = SECRET, at: datetime = NOW) -> dict[str, str]:
        return sealed(secret, delivery_id, body, at=at)

    return made


@pytest.fixture
def slow_client(make_client):
    """A client of a predictor that answers nobody before the event is set, with room for one more question."""
    event = threading.Event()
    client = make_client(lane=Lane(limit=1, threads=1), predictor=FakePredictor(before=lambda: event.wait(10)))
    yield client, event
    event.set()
