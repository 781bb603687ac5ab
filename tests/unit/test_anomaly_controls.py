"""Control totals that do not tie become alerts: of whom, of how much, of which story, how surely and until when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import polars as pl
import pytest

from features.comparisons import compared
from features.errors import NotFound
from features.facts import Facts
from features.totals import Totals
from models.anomalies.alerts import Budget
from models.anomalies.controls import ALL, Break
from models.anomalies.model import AnomalyModel
from models.anomalies.rules import RULES
from models.anomalies.stories import with_stories
from services.alerts import OnRecord, Verdict, on_record, verdict_on
from services.anomaly_desk import NO_CONTROLS, AnomalyDesk
from services.controls import Control, Controls
from services.store import Store

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
TIED = Totals(3, {"E EUR": 600}, "same")
BUDGET = Budget(share=1.0)


def broken(
    hours: float = 0, *, theirs: Totals, ours: Totals = TIED, feed: str = "GET /invoice", **more: object
) -> Break:
    return Break("erp", feed, NOON + timedelta(hours=hours), None, theirs, ours, **more)


def record(*breaks: Break, verdicts: tuple[Verdict, ...] = ()) -> OnRecord:
    return OnRecord(verdicts, breaks, NOON - timedelta(days=9))


def as_usual(_: AnomalyModel, facts: Facts) -> pl.DataFrame:
    """Stands in for a model: nothing is odd."""
    rows = compared(facts).with_columns(
        *(pl.lit(0.0).alias(r.name) for r in RULES),
        *(pl.lit(0.001).alias(name) for name in ("chance", "forest")),
        *(pl.lit("general").alias(name) for name in ("kind", "rule")),
    )
    return with_stories(rows)


@pytest.fixture(scope="module")
def desk(drawn_facts: Callable[..., Facts]) -> AnomalyDesk:
    invoices = "invoice_id | entity_id | issue_date | owed\na | E | 1 | 90:100\nb | F | 2 | 90:100"
    return AnomalyDesk(SimpleNamespace(limits={}), drawn_facts(invoice=invoices), as_usual)


def test_a_sum_that_differs_is_an_alert_of_its_entity_with_both_sides(desk: AnomalyDesk) -> None:
    theirs = Totals(4, {"E EUR": 1_000, "F EUR": 50}, "other")
    [alert] = desk.alerts(BUDGET, record(broken(theirs=theirs, ours=Totals(3, {"E EUR": 600, "F EUR": 50})))).alerts
    assert (alert.entity_id, alert.kind, alert.table) == ("E", "feed_break", "control")
    assert (alert.amount_minor, alert.currency, alert.day) == (400, "EUR", NOON.date())
    [evidence] = alert.evidence
    assert (evidence.rule, evidence.compares) == ("control_total", "what the source says that it holds")
    assert evidence.words == (
        "erp GET /invoice, 2024-03-01 12:00 UTC: 4 records told, 3 landed; 10.00 EUR told, 6.00 EUR landed"
    )


@pytest.mark.parametrize(
    ("theirs", "more", "words"),
    [
        (Totals(5), {"apart": 1}, "5 records told, 3 landed, 1 are set aside"),
        (Totals(3, {"E EUR": 600}, "other"), {}, "3 records told, 3 landed; as many, but not the same ones"),
        (Totals(5, {"E EUR": 999}), {"doubtful": ("E",)}, "5 records told, 3 landed"),
    ],
)
def test_where_no_sum_says_whose_it_is_everybody_is_told(desk, theirs: Totals, more, words: str) -> None:
    kept = record(broken(theirs=theirs, **more))
    for entity in (None, "E", "F"):
        [alert] = desk.alerts(BUDGET, kept, entity=entity).alerts
        assert (alert.entity_id, alert.amount_minor) == (ALL, None)
        assert alert.evidence[0].words.endswith(f"UTC: {words}")


def test_each_entity_is_told_of_its_own_sums_only(desk: AnomalyDesk) -> None:
    kept = record(broken(theirs=Totals(3, {"E EUR": 700, "F USD": 9, "F EUR": 4})))
    told = {e: desk.alerts(BUDGET, kept, entity=e).alerts for e in ("E", "F")}
    assert [a.amount_minor for a in told["E"]] == [100]
    assert [(a.amount_minor, a.currency) for a in told["F"]] == [(None, None)], "of two currencies"
    words = "3 records told, 3 landed; 0.04 EUR told, 0.00 EUR landed; 0.09 USD told, 0.00 USD landed"
    assert told["F"][0].evidence[0].words.endswith(words)


def test_breaks_in_a_row_are_one_story_until_the_totals_tie(desk: AnomalyDesk) -> None:
    first, second = (broken(h, theirs=Totals(4, {"E EUR": 700})) for h in (0, 1))
    third = Break("erp", "GET /invoice", NOON + timedelta(hours=3), NOON + timedelta(hours=2), Totals(9), TIED)
    alone = desk.alerts(BUDGET, record(first)).alerts[0]
    alerts = {a.alert_id: a for a in desk.alerts(BUDGET, record(first, second, third)).alerts}
    assert sorted(len(a.documents) for a in alerts.values()) == [1, 2]
    assert len(alerts[alone.alert_id].documents) == 2, "it keeps its name as it grows"


def test_what_people_say_is_told_no_more_and_moves_the_chance_of_that_feed(desk: AnomalyDesk) -> None:
    first = broken(theirs=Totals(4, {"E EUR": 700}))
    other = broken(theirs=Totals(4, {"E EUR": 700}), feed="GET /payment")
    alert = desk.alerts(BUDGET, record(first)).alerts[0]
    said = verdict_on(alert, "not", who="ana", why="archived", at=NOON + timedelta(hours=1))
    later = broken(5, theirs=Totals(4, {"E EUR": 700}))
    told = desk.alerts(BUDGET, record(first, other, later, verdicts=(said,))).alerts
    assert {a.record_id.rpartition(":2024")[0] for a in told} == {"erp GET /invoice", "erp GET /payment"}
    chances = {a.record_id.partition(":")[0]: a.chance for a in told}
    assert chances == {"erp GET /invoice": 19 / 21, "erp GET /payment": 19 / 20}
    goes_on = next(a for a in told if a.record_id.startswith("erp GET /invoice"))
    assert goes_on.known_at == later.at
    assert "goes on" in goes_on.evidence[-1].words


def test_as_of_a_day_later_breaks_ties_and_verdicts_change_nothing(desk: AnomalyDesk) -> None:
    first, later = (broken(h, theirs=Totals(4, {"E EUR": 700})) for h in (0, 30))
    day = (NOON + timedelta(days=1)).date()
    then = desk.alerts(BUDGET, record(first))
    said = Verdict(then.alerts[0].alert_id, "E", "not", NOON + timedelta(days=2), "ana", "known", ())
    assert desk.alerts(BUDGET, record(first, later, verdicts=(said,)), as_of=day) == then
    assert desk.alerts(BUDGET, record(first, later, verdicts=(said,))) != then
    assert desk.alerts(BUDGET, record(first), as_of=NOON.date()).alerts == ()
    with pytest.raises(NotFound, match="no alert"):
        desk.alert(then.alerts[0].alert_id, record(first), as_of=NOON.date())


def test_that_no_source_tells_totals_is_said(desk: AnomalyDesk) -> None:
    assert NO_CONTROLS in desk.alerts(BUDGET, OnRecord()).silent
    assert NO_CONTROLS not in desk.alerts(BUDGET, record()).silent
    assert NO_CONTROLS in desk.alerts(BUDGET, record(), as_of=(NOON - timedelta(days=10)).date()).silent


def test_breaks_are_read_from_the_store_with_when_the_feed_tied_before(tmp_path) -> None:
    less = Totals(4, {"E EUR": 700}, "d")
    findings = [
        ("GET /invoice", Control(TIED, TIED)),
        ("GET /invoice", Control(less, TIED, 1, ("F",), ("differs",))),
        ("GET /payment", Control(less, TIED, differences=("differs",))),
    ]
    with Store(f"sqlite:///{tmp_path}/state.db") as store:
        assert on_record(store.database) == OnRecord()
        for hour, (feed, found) in enumerate(findings):
            at = NOON + timedelta(hours=hour)
            Controls(store.database).keep(store.start_run("erp", now=at), feed, found, now=at)
        kept = on_record(store.database)
    assert kept.breaks == (
        Break("erp", "GET /invoice", NOON + timedelta(hours=1), NOON, less, TIED, 1, ("F",)),
        Break("erp", "GET /payment", NOON + timedelta(hours=2), None, less, TIED),
    )
    assert kept.controlled_from == NOON
