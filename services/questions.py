"""What callers send and get beside payment dates: customers at risk, cash, contacts, alerts, key figures.

Money is decimal text in major units, or, under a name that ends in `_minor`, a whole number of minor units.
"""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from features.kpis.engine import CollectionKpis
from models.anomalies.alerts import Alert
from models.cash.answers import CashForecast
from models.cash.scenarios import Scenario
from models.credit.answers import CreditScore
from models.credit.blocked import BlockedOrder
from models.credit.counterfactuals import Counterfactual
from models.credit.losses import ExpectedLoss
from models.credit.policy import CreditLimit
from models.worklist.worklist import Worklist
from services.schemas import Currency, Id, Question

AsOf = Annotated[
    date | None, Meta(description="answer with what was known before this day began; without it, with all there is")
]
Label = Annotated[str, Meta(description="name and version of the model that answers", examples=["credit-risk/2"])]
Stale = Annotated[
    list[str], Meta(description="in words, which systems have been silent for too long; empty while all are alive")
]


class CreditQuestion(Question, frozen=True, kw_only=True):
    """Customers of the lake, by id."""

    entity_id: Id
    customer_ids: Annotated[list[Id], Meta(min_length=1)]
    as_of: AsOf = None


class LgdUsed(Struct, frozen=True, kw_only=True):
    """The loss given default that a customer's expected losses rest on."""

    share: Annotated[float, Meta(description="of what is owed that a default loses, 0 to 1")]
    basis: Annotated[
        Literal["entity", "all entities", "standard"],
        Meta(description="whose past it is read off; `standard`: too few cases, or none in which anything was lost"),
    ]
    cases: Annotated[int, Meta(description="customers that went into default, or were in it as this one is")]


class CreditOpinion(Struct, frozen=True, kw_only=True):
    """All that is said of one customer's credit."""

    score: CreditScore
    limit: CreditLimit
    lgd: Annotated[LgdUsed, Meta(description="of `losses`; limits take the standard one")]
    losses: Annotated[list[ExpectedLoss], Meta(description="expected credit loss, for each currency owed")]
    blocked_orders: Annotated[list[BlockedOrder], Meta(description="open orders that the limit would block")]
    ways_up: Annotated[list[Counterfactual], Meta(description="what goes with a better grade: associations")]


class CreditAnswer(Struct, frozen=True, kw_only=True):
    """Opinions in the order of the question."""

    model: Label
    opinions: list[CreditOpinion]
    stale: Stale = []


class CashQuestion(Question, frozen=True, kw_only=True):
    """Which cash: of all entities and currencies, or of one."""

    entity_id: Id | None = None
    currency: Currency | None = None
    group_currency: Annotated[Currency | None, Meta(description="everything in this one too, at known rates")] = None
    weeks: Annotated[int, Meta(ge=1, le=13)] = 13
    scenario: Annotated[Scenario | None, Meta(description="what if: forecast beside the base")] = None
    as_of: AsOf = None


class CashAnswer(Struct, frozen=True, kw_only=True):
    """The forecast; with a scenario, that too, drawn from the same random numbers: their difference is the change."""

    model: Label
    forecast: CashForecast
    beside: Annotated[CashForecast | None, Meta(description="in the scenario; null where none was given")] = None
    stale: Stale = []


class WorklistQuestion(Question, frozen=True, kw_only=True):
    """Whose list, and how long. Nothing is recorded: `duecast worklist --record` does that."""

    entity_id: Id
    capacity: Annotated[int, Meta(ge=1, le=1000, description="contacts a day of each collector")] = 40
    horizon_days: Annotated[int, Meta(ge=1, le=90)] = 14
    as_of: AsOf = None


class WorklistAnswer(Struct, frozen=True, kw_only=True):
    """Whom to contact, whom not, and why."""

    model: Annotated[
        str | None, Meta(description="the contact effect that was learnt, null for none; `ranking` says if it ranks")
    ]
    worklist: Worklist
    stale: Stale = []


class AlertsQuestion(Question, frozen=True, kw_only=True):
    """How many alerts at most, and since when."""

    entity_id: Id | None = None
    since: Annotated[date | None, Meta(description="of what was learnt from this day on, UTC")] = None
    budget_share: Annotated[float, Meta(gt=0, le=1, description="at most this share of the documents")] = 0.01
    per_day: Annotated[int, Meta(ge=1, le=1000, description="at most so many a day and entity")] = 10
    least_chance: Annotated[
        float, Meta(ge=0, le=1, description="none that is less likely to be odd, however much of the budget is left")
    ] = 0.02
    as_of: AsOf = None


class AlertsAnswer(Struct, frozen=True, kw_only=True):
    """Alerts that nobody has judged yet, the likeliest first."""

    model: Label
    documents: Annotated[int, Meta(description="how many were looked at: the budget is a share of them")]
    alerts: list[Alert]
    silent: Annotated[list[str], Meta(description="rules that could not speak, and why")]
    availability: Annotated[
        str,
        Meta(description="how much could be compared: full, partial or none, where no alert says nothing"),
    ]
    availability_reason: Annotated[str | None, Meta(description="what could not, and why; null where all could")]


class VerdictQuestion(Question, frozen=True, kw_only=True):
    """What a person says of an alert."""

    alert_id: Id
    verdict: Literal["real", "not"]
    who: Annotated[str, Meta(min_length=1, max_length=1000)]
    why: Annotated[str, Meta(min_length=1, max_length=1000)]


class VerdictAnswer(Struct, frozen=True, kw_only=True):
    """The verdict is kept; it is never changed, only followed by another."""

    alert_id: str
    verdict: str
    documents: Annotated[list[str], Meta(description="what the alert is about, each TABLE/ID")]


class KpiQuestion(Question, frozen=True, kw_only=True):
    """Which key figures, of which day."""

    by: Literal["entity", "currency", "segment", "parent", "collector", "customer"] = "entity"
    days: Annotated[int, Meta(ge=1, le=3660, description="length of the period before the day")] = 90
    group_currency: Annotated[Currency | None, Meta(description="rows over all currencies too, in this one")] = None
    as_of: AsOf = None


class KpiAnswer(Struct, frozen=True, kw_only=True):
    """The figures with their definitions."""

    kpis: CollectionKpis
    stale: Stale = []
