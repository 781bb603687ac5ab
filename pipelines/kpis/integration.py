"""The KPIs of integration over a period, as `domain.md` defines them, from what is on record: nothing is estimated but
the cash that an outage delays, and nothing is said where there is nothing to say it of.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from msgspec import Struct

from features.book import Book
from features.errors import BadSetting
from features.facts import Facts, Versions
from models.champion import PAYMENT_DATE, champion, ready
from pipelines.kpis import accuracy, automation, cycle, downtime
from pipelines.kpis.accuracy import Inbound, Outbound, inbound, outbound
from pipelines.kpis.automation import Coverage, coverage, undeclared
from pipelines.kpis.cycle import Cycle, cycle_times
from pipelines.kpis.downtime import MEAN_RECEIPTS, CashModel, Downtime, impact_of
from pipelines.landscape import Landscape
from services.calls import Calls, ResponseTimes
from services.database import Database
from services.work_done import Compared, Period, WorkDone

RESPONSE_TIMES = (
    "Seconds from a request to its answer or its failure, every attempt counted, interpolated percentiles; failed: no "
    "answer, or 5xx."
)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class IntegrationKpis(Struct, frozen=True):
    """The figures from `since` on, before `until`; a list is empty where nothing happened.

    undeclared   operations of the outbox that are no step of the automation coverage
    definitions  what each list means, by its name
    """

    since: datetime
    until: datetime
    cost_of_capital: Decimal
    response_times: list[ResponseTimes]
    inbound: list[Inbound]
    outbound: list[Outbound]
    control_totals: list[Compared]
    automation: list[Coverage]
    undeclared: list[str]
    cycle_times: list[Cycle]
    downtime: list[Downtime]
    definitions: dict[str, str]


def integration_kpis(
    lake: Versions,
    database: Database,
    period: Period,
    *,
    mlruns: Path,
    cost_of_capital: Decimal,
    unattended: Collection[str] = (),
) -> IntegrationKpis:
    """Every figure. The lake is taken as it was known at the end of the period.

    unattended  systems whose bank statements are fetched without a person

    `BadSetting` where the period is empty or backwards; `StateError` where there is a champion that cannot be used.
    """
    if period.since >= period.until:
        raise BadSetting(f"the period is {period.since} to {period.until}; allowed: an end after its start")
    facts = Facts.read(lake).before(period.until)
    book, work, calls = Book(facts), WorkDone(database), Calls(database)
    messages = work.settled(period)
    outages = calls.outages(since=_EVER, until=period.until)
    model = cash_model(mlruns) if outages else None
    return IntegrationKpis(
        since=period.since,
        until=period.until,
        cost_of_capital=cost_of_capital,
        response_times=calls.response_times(since=period.since, until=period.until),
        inbound=inbound(work.feeds(period)),
        outbound=outbound(messages),
        control_totals=work.compared(period),
        automation=coverage(facts, work, messages, period, unattended),
        undeclared=undeclared(messages),
        cycle_times=cycle_times(book, period),
        downtime=impact_of(book, outages, period, model, cost_of_capital),
        definitions=definitions(model),
    )


def definitions(model: CashModel | None) -> dict[str, str]:
    """What each list of the figures means."""
    basis = MEAN_RECEIPTS if model is None else f"the cash distribution of {model.label} over what was open"
    return {
        "response_times": RESPONSE_TIMES,
        "inbound": accuracy.INBOUND,
        "outbound": accuracy.OUTBOUND,
        "control_totals": accuracy.CONTROLS,
        "automation": automation.DEFINITION,
        "cycle_times": cycle.DEFINITION,
        "downtime": downtime.DEFINITION.format(basis=basis),
    }


def cash_model(mlruns: Path) -> CashModel | None:
    """The champion that tells when cash comes; None where there is none."""
    if champion(mlruns) is None:
        return None
    version, model = ready(mlruns, PAYMENT_DATE)
    return CashModel(version.label, model.distribution)


def unattended_banks(landscape: Landscape) -> set[str]:
    """The banks whose statements come by API or SFTP: who puts files into a folder, nobody knows."""
    banks = {name: landscape.system(name).bank for name in landscape.names}
    return {name for name, bank in banks.items() if bank is not None and bank.folder is None}
