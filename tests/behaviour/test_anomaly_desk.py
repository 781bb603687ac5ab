"""What the desk answers as of a past day, of too few documents, and in currencies of other minor units."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from features.book import Book
from features.calendars import day_start
from features.comparisons import compared
from features.documents import known_before
from features.errors import NotFound
from features.facts import Facts
from features.masters import entity_zones
from models.anomalies.alerts import Budget
from models.anomalies.model import AnomalyModel, train
from models.champion import ANOMALIES, ModelVersion
from services.alerts import OnRecord, verdict_on
from services.analysts import Analysts, Loaded
from services.anomaly_desk import AnomalyDesk
from services.questions import AlertsQuestion
from services.sandbox.anomalies import approval_limits
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

OPTIONS = WorldOptions(seed=5, customers=14, years=1, invoices_per_customer_year=25, anomaly_share=0.02)
BUDGET = Budget(share=0.02)
DAYS = (date(2025, 4, 15), date(2025, 8, 4), date(2025, 12, 1))
HEAD = "invoice_id | customer_id | issue_date | owed\n"


@pytest.fixture(scope="module")
def facts() -> Facts:
    return Facts.of(simulate(OPTIONS).known())


@pytest.fixture(scope="module")
def model(facts: Facts) -> AnomalyModel:
    limits = approval_limits(OPTIONS)
    return train(compared(facts, limits), limits=limits)


@pytest.fixture(scope="module")
def desk(model: AnomalyModel, facts: Facts) -> AnomalyDesk:
    return AnomalyDesk(model, facts)


def starts(facts: Facts, day: date) -> dict[str, datetime]:
    return {e: day_start(day, zone) for e, zone, _ in entity_zones(facts).iter_rows()}


def cut(facts: Facts, day: date) -> Facts:
    """Only what each entity learnt before the day began there."""
    begins = pl.DataFrame(list(starts(facts, day).items()), schema=["entity_id", "_begins"], orient="row")
    known = {
        name: rows.join(begins, on="entity_id", how="left", maintain_order="left")
        .filter(pl.col("known_at") < pl.col("_begins"))
        .drop("_begins")
        for name, rows in facts.tables.items()
        if name != "entity"
    }
    return Facts.of({**known, "entity": facts.tables["entity"]})


@pytest.mark.parametrize("day", DAYS)
def test_as_of_a_day_is_what_a_desk_says_that_knows_no_more(
    day: date, desk: AnomalyDesk, model: AnomalyModel, facts: Facts
) -> None:
    """Documents, days of feeds, names of stories, evidence in words: whatever comes later changes none of it."""
    everything = Budget(share=1.0, per_day=1_000, least_chance=0.0)
    knew_no_more = AnomalyDesk(model, cut(facts, day))
    then = knew_no_more.alerts(everything, OnRecord())
    assert desk.alerts(everything, OnRecord(), as_of=day) == then
    assert len(then.alerts) > 300
    assert then.documents < desk.alerts(BUDGET, OnRecord()).documents
    one = max(then.alerts, key=lambda a: len(a.documents))
    assert desk.alert(one.alert_id, OnRecord(), as_of=day) == one
    home = desk.alerts(BUDGET, OnRecord(), as_of=day, entity="DE01")
    assert home == knew_no_more.alerts(BUDGET, OnRecord(), entity="DE01")


def test_over_http_a_past_day_is_the_desks(desk: AnomalyDesk, model: AnomalyModel, facts: Facts) -> None:
    version = ModelVersion(
        name="anomalies", version=4, run_id="r", folder="f", files={}, data_window=DAYS[:2], lake_versions={}
    )
    analysts = Analysts({ANOMALIES: Loaded(version, model)}, Book(facts))
    for day in (DAYS[1], date(2020, 1, 1)):
        told = analysts.alerts(AlertsQuestion(entity_id="US01", as_of=day, budget_share=0.02), OnRecord())
        same = desk.alerts(BUDGET, OnRecord(), entity="US01", as_of=day)
        assert (tuple(told.alerts), told.documents) == (same.alerts, same.documents)
        assert (told.availability, told.availability_reason) == (same.availability, same.availability_reason)
    assert told.availability == "none"


def test_an_entity_or_an_alert_that_there_is_not_is_refused(desk: AnomalyDesk) -> None:
    with pytest.raises(NotFound, match="no entity 'XX'; there are: DE01, GB01, US01"):
        desk.alerts(BUDGET, OnRecord(), entity="XX")
    with pytest.raises(NotFound, match="no alert 'nobody'; list them first"):
        desk.alert("nobody", OnRecord())


def test_a_silence_is_known_once_something_comes_again(drawn_facts: Callable[..., Facts]) -> None:
    facts = drawn_facts(invoice=f"{HEAD}a | A | 1 | 9:100\nb | A | 9 | 9:100")
    told = compared(facts)
    for number, days in ((5, 0), (9, 0), (10, 8)):
        at = datetime(2024, 1, number, tzinfo=UTC)
        known = known_before(told, {"E": at})
        assert known.equals(compared(facts.before(at)))
        assert len(known.filter(table="feed")) == days


def test_only_verdicts_of_before_the_day_count(desk: AnomalyDesk) -> None:
    day = DAYS[1]
    begins = min(starts(desk.facts, day).values())
    first = desk.alerts(BUDGET, OnRecord(), as_of=day).alerts[0]
    early, late = (
        verdict_on(first, verdict, who="ana", why="agreed", at=begins + timedelta(hours=h))
        for verdict, h in (("not", -1), ("real", 1))
    )
    told = {
        name: {a.alert_id for a in desk.alerts(BUDGET, OnRecord(said), as_of=day).alerts}
        for name, said in (("early", (early,)), ("late", (late,)), ("both", (early, late)))
    }
    assert first.alert_id in told["late"]
    assert first.alert_id not in told["early"]
    assert told["both"] == told["early"], "a later verdict does not undo the one that stood then"


@pytest.mark.parametrize(
    ("rows", "availability", "words"),
    [
        ("", "none", "no document of E was known"),
        ("a | A | 1 | 90:100\n", "none", "1 document of E, too few to compare"),
        ("".join(f"{k}77 | C{k} | {k} | 90:{k}17\n" for k in range(1, 8)), "none", "7 documents of E, too few"),
        ("".join(f"{k}77 | A | {k} | 90:{k}17\n" for k in range(1, 8)), "partial", "hours, weekdays and delays of"),
        ("".join(f"{k}77 | A | {k} | 90:{k}17\n" for k in range(1, 61)), "full", None),
    ],
)
def test_no_alert_of_too_few_documents_is_not_nothing_odd(
    rows: str, availability: str, words: str | None, model: AnomalyModel, drawn_facts: Callable[..., Facts]
) -> None:
    other = "".join(f"o{k} | A | {k} | 90:{k}17\n" for k in range(1, 70))
    drawn = drawn_facts(entity="entity_id\nE\nF", invoice=HEAD.replace("\n", " | entity_id\n")
                        + rows.replace("\n", " | E\n") + other.replace("\n", " | F\n"))  # fmt: skip
    desk = AnomalyDesk(model, drawn)
    told = desk.alerts(BUDGET, OnRecord(), entity="E")
    assert told.availability == availability
    assert (words or "") in (told.availability_reason or "")
    assert (told.availability_reason is None) == (availability == "full")
    both = desk.alerts(BUDGET, OnRecord())
    assert both.availability == ("full" if availability == "full" else "partial")
    assert both.availability_reason == told.availability_reason


def test_a_time_without_documents_and_a_ledger_without_entities_say_so(desk: AnomalyDesk, model: AnomalyModel) -> None:
    told = desk.alerts(BUDGET, OnRecord(), since=date(2030, 1, 1), entity="DE01")
    assert (told.alerts, told.documents, told.availability) == ((), 0, "none")
    assert told.availability_reason == "no document of DE01 is of the time asked about"
    empty = AnomalyDesk(model, Facts.of({})).alerts(BUDGET, OnRecord(), as_of=DAYS[0])
    assert (empty.availability, empty.availability_reason) == (
        "none",
        "there is no entity: ingest some invoices first",
    )


@pytest.mark.parametrize(
    ("currency", "whole", "apart"), [("EUR", 100, 99), ("USD", 100, 99), ("KWD", 1_000, 999), ("JPY", 100, 99)]
)
def test_round_and_alike_are_of_whole_units_of_the_currency(
    currency: str, whole: int, apart: int, drawn_facts: Callable[..., Facts]
) -> None:
    """1,234 of anything is retyped as up to one less; 1,200 of anything is a round sum, 1,234.56 is not."""
    amount = 1_234 * whole
    habit = "".join(f"H{k} | {k} | 90:{amount + 37 * k + 7}\n" for k in range(1, 30))
    odd = f"X7 | 70 | 90:{amount}\nX7A | 71 | 90:{amount - apart}\nX7B | 72 | 90:{amount - 2 * whole}\n"
    last = f"Z | 73 | 90:{1_200 * whole}\nY | 74 | 90:{1_230 * whole}"
    invoices = ("invoice_id | issue_date | owed\n" + habit + odd + last).replace("\n", f" | {currency}\n")
    invoices = invoices.replace(f"owed | {currency}", "owed | currency") + f" | {currency}"
    told = compared(drawn_facts(invoice=invoices)).filter(table="invoice")
    of = {row["record_id"]: row for row in told.iter_rows(named=True)}
    assert (of["X7A"]["twin_id"], of["X7A"]["twin_minor"]) == ("X7", apart)
    assert of["X7B"]["twin_id"] is None
    assert [of[i]["neat"] for i in ("Z", "Y", "X7")] == [3, 2, 1]
