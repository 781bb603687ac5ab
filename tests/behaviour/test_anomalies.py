"""What finding odd documents promises, on a small seeded world that has labelled ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.calendars import business_calendar
from features.comparisons import compared
from features.documents import KEY, _hour, documents
from features.errors import BadInput, BadSetting, NotFound, StateError
from features.facts import Facts
from features.lake import Lake
from features.ledger import receivable_states
from features.tables import INSTANT, TABLES, table
from features.watchers_of_digits import at_least
from features.watchers_of_time import Feeds, at_most
from models.anomalies.alerts import GOES_ON, Budget, choose, found
from models.anomalies.coverage import silent
from models.anomalies.forest import Forest, fit_forest
from models.anomalies.model import FOREST_COLUMNS, AnomalyModel, forest_values, train
from models.anomalies.rules import RULES, strengths
from models.anomalies.stories import with_stories, with_verdicts
from models.champion import ANOMALIES, champion, ready
from pipelines.anomaly_limits import read_limits
from pipelines.anomaly_training import judged_documents, learnt_before
from pipelines.cli import run
from services.alerts import AlertVerdicts, Verdict, on_record
from services.database import Database
from services.sandbox.anomalies import KINDS, approval_limits, per_kind
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

OPTIONS = WorldOptions(seed=11, customers=60, years=2, anomaly_share=0.005)
SMALL = WorldOptions(seed=5, customers=14, years=1, invoices_per_customer_year=25, anomaly_share=0.02)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(OPTIONS)


@pytest.fixture(scope="module")
def plain() -> World:
    """The same world without odd documents."""
    return simulate(replace(OPTIONS, anomaly_share=0.0))


@pytest.fixture(scope="module")
def small() -> World:
    """For what is compared again and again."""
    return simulate(SMALL)


@pytest.fixture(scope="module")
def facts(world: World) -> Facts:
    return Facts.of(world.known())


@pytest.fixture(scope="module")
def frame(facts: Facts) -> pl.DataFrame:
    return compared(facts, approval_limits(OPTIONS))


@pytest.fixture(scope="module")
def truth(world: World, frame: pl.DataFrame) -> pl.Series:
    labels = world.truth.anomalies.select(*KEY, truth="kind").unique(KEY, keep="first")
    return frame.join(labels, on=KEY, how="left", maintain_order="left")["truth"]


@pytest.fixture(scope="module")
def judgeable(frame: pl.DataFrame, truth: pl.Series) -> pl.DataFrame:
    """The newest documents, enough of them for verdicts to be learnt from, with whether they are odd as `real`."""
    return frame.with_columns(real=truth.is_not_null())[-8_000:]


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame) -> AnomalyModel:
    return train(frame[: len(frame) * 6 // 10])


@pytest.fixture(scope="module")
def told(model: AnomalyModel, frame: pl.DataFrame) -> pl.DataFrame:
    return with_stories(model.scored(frame))


# --- the world ----------------------------------------------------------------------------------------------------
def test_every_kind_is_there_and_every_label_names_a_document(world: World) -> None:
    labels = world.truth.anomalies
    assert set(per_kind(labels)) == set(KINDS)
    for name in ("invoice", "credit_note", "payment"):
        ids = set(world.facts[name].select("entity_id", f"{name}_id").rows())
        assert set(labels.filter(pl.col("table") == name).select("entity_id", "record_id").rows()) <= ids


def test_a_world_with_odd_documents_keeps_the_contracts_and_conserves_cash(world: World) -> None:
    for declared in TABLES:
        rows = world.facts[declared.name]
        broken = [r.column for r in declared.rules if rows.filter(~r.ok().fill_null(value=True)).height]
        assert not broken, (declared.name, broken)
        assert not rows.select(*declared.key, "known_at").is_duplicated().any(), declared.name
    assert (receivable_states(Facts.of(world.facts))["open_minor"] >= 0).all()


def test_odd_documents_are_paid_ordered_and_sent_back_as_others_are(world: World) -> None:
    labels = world.truth.anomalies
    odd = world.facts["invoice"].join(labels, left_on=("entity_id", "invoice_id"), right_on=KEY[::2], how="semi")
    assert odd["order_id"].is_not_null().mean() > 0.4
    paid = world.facts["allocation"].filter(kind="payment")
    assert odd.join(paid, on=["entity_id", "invoice_id"], how="semi").height > 0.3 * odd.height
    refunds = world.facts["payment"].filter(pl.col("amount_minor") < 0)
    honest = refunds.join(labels, left_on=("entity_id", "payment_id"), right_on=KEY[::2], how="anti")
    assert honest.height > 0.4 * refunds.height > 5


def test_added_documents_are_numbered_as_they_were_booked_among_the_others(world: World, plain: World) -> None:
    """Neither the number nor a day's order of numbers says what was added: no model could learn it."""
    same = ["entity_id", "table", "customer_id", "currency", "amount_minor", "day"]
    added = numbered_documents(world).join(
        numbered_documents(plain).select(same).unique(), on=same, how="anti", nulls_equal=True
    )
    rows = numbered_documents(world).with_columns(added=pl.col("id").is_in(added["id"].implode()))
    days = rows.group_by("entity_id", "table", "known_day").agg(
        ours=pl.col("number").filter("added"), others=pl.col("number").filter(~pl.col("added"))
    )
    below = [np.mean(np.less(others, n)) for *_, ours, others in days.iter_rows() for n in ours if others]
    assert len(below) > 100
    assert 0.4 < np.mean(below) < 0.6, "AUC of the number among the day's"
    order = rows.sort("known_at", "number").with_columns(
        early=pl.col("number") < pl.col("number").cum_max().over("entity_id", "table")
    )
    out_of_turn = order.group_by("added").agg(pl.col("early").mean())
    assert out_of_turn["early"].max() < 0.1, "numbers rise with time, for both"


def numbered_documents(world: World) -> pl.DataFrame:
    """Those with a number of their own: a twin's is a slip of its original's."""
    twins = world.truth.anomalies.filter(kind="duplicate_invoice")
    rows = documents(Facts.of(world.known())).with_columns(
        number=pl.col("record_id").str.extract(r"^(?:INV|CN|PAY)-(\d+)$", 1).cast(pl.Int64),
        id=pl.concat_str("entity_id", "record_id"),
    )
    return rows.drop_nulls("number").join(twins, on=KEY, how="anti")


def test_what_names_a_document_names_it_by_its_number(world: World) -> None:
    invoices = set(world.facts["invoice"].select("entity_id", "invoice_id").rows())
    for name in ("credit_note", "allocation", "dispute"):
        named = world.facts[name].drop_nulls("invoice_id")
        assert set(named.select("entity_id", "invoice_id").rows()) <= invoices, name
    assert set(world.truth.receivables.select("entity_id", "invoice_id").rows()) <= invoices
    paid = world.facts["allocation"].filter(kind="payment").join(
        world.facts["payment"].drop_nulls("reference"), left_on=["entity_id", "from_id"],
        right_on=["entity_id", "payment_id"],
    )  # fmt: skip
    told = paid.filter(pl.col("reference").str.contains(" ", literal=True).not_())
    assert (told["reference"] == told["invoice_id"]).mean() > 0.95


def test_without_a_share_nothing_is_odd_and_with_one_the_other_records_stay(world: World, plain: World) -> None:
    assert plain.truth.anomalies.is_empty()
    key = ["entity_id", "customer_id", "currency", "amount_minor", "value_date"]
    before, after = (w.facts["payment"].select(key).unique() for w in (plain, world))
    assert before.join(after, on=key, how="anti", nulls_equal=True).is_empty()
    assert simulate(OPTIONS).truth.anomalies.equals(world.truth.anomalies)


@pytest.mark.parametrize("customers", [1, 3])
def test_a_tiny_world_has_room_for_few_odd_documents_and_does_not_break(customers: int) -> None:
    simulate(WorldOptions(seed=3, customers=customers, years=1, anomaly_share=0.05))


@pytest.mark.parametrize("share", [-0.1, 0.2])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(BadSetting, match="anomaly_share"):
        WorldOptions(anomaly_share=share)


# --- what is compared ---------------------------------------------------------------------------------------------
def test_nothing_learnt_later_changes_what_was_said_of_a_document(small: World) -> None:
    facts, limits = Facts.of(small.known()), approval_limits(SMALL)
    frame = compared(facts, limits)
    for at in (0.3, 0.7):
        cutoff = frame["cutoff"][int(at * len(frame))]
        then = compared(facts.before(cutoff), limits)
        now = frame.join(then, on=KEY, how="semi", maintain_order="left")
        assert now.equals(then)
        late = frame.filter(pl.col("known_at") < cutoff).join(then, on=KEY, how="anti")
        assert set(late["table"]) <= {"feed"}, "a day of silence is known once something comes again"


def test_a_ledger_without_anything_has_no_documents() -> None:
    empty = compared(Facts.of({}))
    assert empty.is_empty()
    assert set(FOREST_COLUMNS) <= set(empty.columns)


def test_without_limits_or_rates_the_limit_is_not_compared(facts: Facts, drawn_facts: Callable[..., Facts]) -> None:
    assert compared(facts.before(facts.tables["invoice"]["known_at"][400]))["limit_share"].is_null().all()
    foreign = drawn_facts(credit_note="credit_note_id | issue_date | amount_minor | currency\nC | 5 | -100 | USD")
    told = compared(foreign, {"E": 100})
    assert told["limit_share"].to_list() == [None]
    assert silent({"E": 100}, ["E", "F"], told) == [
        "near_limit is silent for F: no approval limit is set",
        "near_limit is silent for 1 document of E in USD: no exchange rate was known",
    ]
    assert silent({"F": 100}, ["F"], told) == [], "E has no limit that a rate could be missing for"
    rated = drawn_facts(
        credit_note="credit_note_id | issue_date | amount_minor | currency\nC | 5 | -100 | USD",
        fx_rate="day | currency | rate\n4 | USD | 0.9",
    )
    assert silent({"E": 100}, ["E"], compared(rated, {"E": 100})) == []


def test_a_day_that_is_not_over_is_no_day_of_a_feed_yet(
    drawn_facts: Callable[..., Facts], instant: Callable[[str], datetime]
) -> None:
    """In Tokyo it is tomorrow already while New York is at work."""
    rows = "invoice_id | entity_id | issue_date | owed | known_at\na | N | 1 | 9:100 | 1.6\nb | N | 2 | 9:100 | 2.6\n"
    zones = "entity_id | time_zone\nN | America/New_York\nT | Asia/Tokyo"
    facts = drawn_facts(
        entity=zones, invoice=rows + "t | T | 2 | 9:100 | 2.65\nc | N | 2 | 9:100 | 2.9\nu | T | 4 | 9:100 | 4"
    )
    for at in ("2.7", "2.95", "5"):
        told = compared(facts.before(instant(at))).filter(table="feed")
        assert told["known_at"].max() < instant(at)
        assert told.equals(compared(facts).filter(table="feed").head(len(told)))


def test_the_hour_is_what_the_clocks_show_also_on_the_days_they_change() -> None:
    zones = pl.DataFrame({"entity_id": ["E"], "time_zone": ["Europe/Berlin"]})
    moments = ["2024-10-27T22:18", "2024-10-26T22:00", "2024-10-27T01:30", "2024-03-31T20:30"]
    rows = pl.DataFrame({"entity_id": "E", "known_at": [datetime.fromisoformat(f"{m}+00:00") for m in moments]})
    assert rows.select(_hour(zones).round(2)).to_series().to_list() == [23.3, 0.0, 2.5, 22.5]


def test_currencies_are_never_compared_with_each_other(drawn_facts: Callable[..., Facts]) -> None:
    rows = "".join(f"INV-{100 + k} | {k} | 90:{1000 + k} | EUR\n" for k in range(1, 11))
    head = "invoice_id | issue_date | owed | currency\n"
    told = compared(drawn_facts(invoice=head + rows + "INV-110A | 11 | 90:1010 | USD")).filter(record_id="INV-110A")
    assert told.select("amount_count", "twin_id").rows() == [(0.0, None)]
    same = compared(drawn_facts(invoice=head + rows + "INV-110A | 11 | 90:1010 | EUR")).filter(record_id="INV-110A")
    assert same.select("amount_count", "twin_id", "twin_form").rows() == [(10.0, "INV-110", "affix")]


def test_twins_that_the_source_takes_back_are_remembered_from_then_on(drawn_facts: Callable[..., Facts]) -> None:
    rows = "".join(f"{k}0{t} | {k} | 90:{k}00 | {k} | no\n" for k in (1, 2, 3) for t in ("", "A"))
    back = "10A | 1 | 90:100 | 2 | yes\n20A | 2 | 90:200 | 4 | yes"
    told = compared(drawn_facts(invoice="invoice_id | issue_date | owed | known_at | deleted\n" + rows + back))
    twins = told.filter(pl.col("record_id").is_in(["10A", "20A", "30A"])).sort("record_id")
    counts = twins.select("form_back_share", "form_back_count").rows()
    assert counts == [(0.0, 0.0), (1.0, 1.0), (0.5, 2.0)], "what is taken back on day 4 nobody knew on day 3"


@pytest.mark.parametrize(("currency", "rounds"), [("EUR", 1.0), ("USD", 0.0)])
def test_a_credit_in_another_currency_credits_no_invoice_in_full(
    currency: str, rounds: float, drawn_facts: Callable[..., Facts]
) -> None:
    head = "credit_note_id | customer_id | issue_date | amount_minor | invoice_id | currency"
    facts = drawn_facts(
        invoice=f"invoice_id | customer_id | issue_date | owed | currency\nI | A | 5 | 20:100000 | EUR\n"
        f"J | A | 8 | 20:100000 | {currency}",
        credit_note=f"{head}\nC | A | 6 | -100000 | I | {currency}",
    )
    told = compared(facts).filter(pl.col("record_id") == "J")
    assert told["loop_rounds"].to_list() == [rounds]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_a_limit_is_in_the_minor_units_of_its_currency(currency: str, drawn_facts: Callable[..., Facts]) -> None:
    facts = drawn_facts(
        entity=f"entity_id | currency\nE | {currency}",
        credit_note=f"credit_note_id | issue_date | amount_minor | currency\nC | 5 | -470000 | {currency}",
    )
    assert compared(facts, {"E": 500_000})["limit_share"].to_list() == [0.94]


def test_a_batch_is_rare_also_where_very_many_documents_are_usual() -> None:
    from scipy.stats import poisson

    for count, expected in ((3, 0.5), (450, 400.0), (620, 550.0), (1_500, 1_200.0), (900, 1_000.0)):
        exact = float(poisson.sf(count - 1, expected))
        assert abs(np.log10(at_least(count, expected) / exact)) < 0.3 * max(1.0, -np.log10(exact) / 4)


def test_the_chance_of_few_documents_is_that_of_a_negative_binomial() -> None:
    from scipy.stats import nbinom, poisson

    for count, mean in ((0, 5.0), (3, 8.0), (10, 12.0), (900, 1_000.0), (9_700, 10_000.0)):
        for swing in (1.0, 1.3, 3.0):
            exact = poisson.cdf(count, mean) if swing == 1 else nbinom.cdf(count, mean / (swing - 1), 1 / swing)
            tolerance = 1e-9 if mean < 500 else 0.3
            assert np.isclose(at_most(count, mean, swing), float(exact), rtol=tolerance, atol=0)


def test_thin_days_in_a_row_are_rarer_than_each_alone_and_a_full_one_ends_them() -> None:
    """A feed of 6 a day: one empty day may happen, a second and a third hardly."""
    feed = Feeds({"E": business_calendar("DE", 2023, 2026)})
    days = [d for d in (date(2025, 2, 3) + timedelta(days=n) for n in range(80)) if d.weekday() < 5]
    usual, at = [5, 6, 7, 6, 4, 8, 6], feed.columns.index("feed_rarity")
    counts = [usual[n % 7] for n in range(46)] + [0, 1, 0, 6, 0]
    said = []
    for day, count in zip(days[: len(counts)], counts, strict=True):
        row = {"table": "feed", "entity_id": "E", "record_id": f"payment:{day}", "day": day, "count": count}
        said.append(feed.seen(row)[at])
        feed.learn(row)
    *_, first, second, third, full, again = said
    assert 1.5 < first < 3 < second < third
    assert full == 0
    assert again < second, "it begins anew"


def test_first_digits_are_surprising_only_where_enough_of_them_are_seen(drawn_facts: Callable[..., Facts]) -> None:
    """The same shift to nines, of 12 documents and of 40."""
    usual = "".join(f"A{k} | {1 + k // 4} | {90}:{1 + k % 3}{k % 7}43\n" for k in range(200))
    for many, heard in ((12, False), (40, True)):
        batch = "".join(f"B{k} | {100 + k // 4} | 190:9{k % 10}43\n" for k in range(many))
        told = compared(drawn_facts(invoice="invoice_id | issue_date | owed\n" + usual + batch))
        last = told.filter(table="invoice")[-1:]
        assert (strengths(last)["digit_batch"][0] > 0.9) == heard


# --- the model ----------------------------------------------------------------------------------------------------
def test_our_forest_scores_as_scikit_learn_does(frame: pl.DataFrame) -> None:
    from sklearn.ensemble import IsolationForest

    values = forest_values(frame)[:3000]
    ours = fit_forest(values, FOREST_COLUMNS, seed=7)
    filled = np.where(np.isnan(values), ours.usual, values).astype(np.float32)
    theirs = IsolationForest(n_estimators=len(ours.trees), max_samples=ours.samples, random_state=7).fit(filled)
    np.testing.assert_allclose(ours.score(values), -theirs.score_samples(filled), rtol=1e-12)
    again = Forest.of_json(json.loads(json.dumps(ours.as_json())))
    assert (again.score(values) == ours.score(values)).all()


def test_a_saved_model_says_the_same_to_the_last_bit_also_of_one_document(
    model: AnomalyModel, frame: pl.DataFrame, tmp_path: Path
) -> None:
    model.save(tmp_path)
    some = frame[-500:]
    again = AnomalyModel.load(tmp_path).scored(some)
    assert again.equals(model.scored(some))
    assert model.scored(some[17:18]).equals(again[17:18])


@pytest.mark.parametrize("content", ["", "{}", '{"format": 9, "rules": []}'])
def test_a_damaged_model_is_refused_with_its_file(content: str, tmp_path: Path) -> None:
    (tmp_path / "anomalies.json").write_text(content)
    with pytest.raises(StateError, match=r"anomalies\.json"):
        AnomalyModel.load(tmp_path)


def test_too_few_documents_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(BadInput, match="anomalies are told from 200 on"):
        train(frame[:50])


def test_odd_documents_of_the_later_part_are_found_within_the_budget(told: pl.DataFrame, truth: pl.Series) -> None:
    later = told.with_columns(truth=truth)[len(told) * 6 // 10 :].sort("chance", descending=True)
    odd = later["truth"].is_not_null()
    assert odd[: len(later) // 100].sum() / odd.sum() >= 0.75
    assert odd[: int(0.004 * len(later))].mean() >= 0.65
    assert 0.25 <= told["chance"].mean() / 0.005 <= 4, "chances are of the size of what is expected"


def test_more_evidence_never_lowers_a_chance_and_verdicts_keep_it_so(judgeable: pl.DataFrame) -> None:
    judged = judgeable.filter(strengths(judgeable).max_horizontal() > 0.5)
    taught = train(judgeable, judged=judged)
    assert taught.combination.verdicts == len(judged)
    assert (taught.combination.weights >= 0).all()
    assert train(judgeable, judged=judged[:5]).combination.verdicts == 0


def test_a_rule_that_people_call_wrong_counts_less(judgeable: pl.DataFrame) -> None:
    at = [r.name for r in RULES].index("own_amount")
    speaks = strengths(judgeable)
    judged = judgeable.with_columns(own=speaks["own_amount"] > 0.5).filter(speaks.max_horizontal() > 0.5)
    assert judged["own"].sum() >= 3
    taught = [
        train(judgeable, judged=judged.with_columns(real=pl.when("own").then(verdict).otherwise("real")))
        for verdict in (pl.lit(value=True), pl.lit(value=False))
    ]
    liked, disliked = (m.combination.weights[at] for m in taught)
    assert disliked < liked


def test_verdicts_of_one_kind_alone_or_of_other_things_teach_nothing(judgeable: pl.DataFrame) -> None:
    judged = judgeable.filter(strengths(judgeable).max_horizontal() > 0.5)
    assert len(judged) >= 20
    one_kind = judged.with_columns(real=pl.lit(value=False))
    controls = judged[:10].vstack(judged[10:].with_columns(table=pl.lit("control")))
    assert [train(judgeable, judged=j).combination.verdicts for j in (one_kind, controls)] == [0, 0]


# --- alerts -------------------------------------------------------------------------------------------------------
def test_the_budget_is_kept_and_a_story_is_told_once(told: pl.DataFrame) -> None:
    alerts = choose(told, Budget(0.004, per_day=2))
    assert 0 < len(alerts) <= 0.004 * len(told)
    assert len({a.alert_id for a in alerts}) == len(alerts)
    days = [(a.entity_id, a.known_at.date()) for a in alerts]
    assert max(days.count(d) for d in days) <= 3  # a day of the entity may be two of UTC
    assert all(a.evidence and a.evidence[0].words for a in alerts)
    assert any(len(a.documents) > 1 for a in alerts)


def test_every_rule_says_what_it_compared(told: pl.DataFrame) -> None:
    for rule in RULES:
        for row in told.filter(pl.col(rule.name) >= 0.2).head(3).iter_rows(named=True):
            words = rule.words(row)
            assert words
            assert "None" not in words, (rule.name, words)


def test_an_alert_keeps_its_name_as_its_story_grows(
    model: AnomalyModel, frame: pl.DataFrame, told: pl.DataFrame
) -> None:
    part = len(told) * 8 // 10
    earlier = with_stories(model.scored(frame[:part]))
    assert (earlier["alert_id"] == told["alert_id"][:part]).mean() > 0.999


@pytest.mark.parametrize(
    ("rule", "column", "odder"),
    [
        ("backdated", "lag_days", (10, 16, 22, 30, 40)),
        ("near_limit", "limit_share", (0.8, 0.87, 0.91, 0.94, 0.99)),
        ("refund_to_new_account", "account_changed_days", (60, 35, 25, 15, 5)),
        ("twin_number", "twin_days", (30, 21, 12, 10, 5)),
        ("paid_twice", "twin_days", (30, 21, 12, 5, 2)),
        ("own_amount", "amount_times", (2.5, 3.5, 5.0, 7.0)),
    ],
)
def test_rules_have_no_edge_at_which_they_fall_silent(
    rule: str, column: str, odder: tuple[float, ...], frame: pl.DataFrame
) -> None:
    """What is a little odder is said a little louder, far beyond what the sandbox draws."""
    row = {
        "table": {"near_limit": "credit_note", "backdated": "invoice", "own_amount": "invoice"}.get(rule, "payment"),
        "lag_months": 1.0, "lag_usual_days": 2.0, "lag_rare_share": 0.0, "limit_usual_share": 0.02,
        "limit_same_day": 0.0, "invoice_times": 1.0, "account_seen": 0.0, "twin_rank": 0.0, "twin_form": "same",
        "twin_minor": 0.0, "alike_share": 0.0, "repeat_share": 0.0, "amount_most_times": 2.0, "amount_z": 4.0,
        "amount_count": 30.0, "amount_minor": -900 if rule == "refund_to_new_account" else 900,
    }  # fmt: skip
    row |= {"table": "invoice"} if rule == "twin_number" else {}
    rows = pl.DataFrame([row | {column: float(v)} for v in odder], schema_overrides=dict(frame.schema))
    filled = pl.concat([frame.clear(), rows], how="diagonal_relaxed")
    said = strengths(filled)[rule].to_list()
    assert said == sorted(set(said))
    assert 0 < said[0] < said[-1] <= 1


def test_what_people_settled_is_told_no_more(told: pl.DataFrame) -> None:
    first = choose(told, Budget())[0]
    after = choose(with_verdicts(told, {first.alert_id: told["cutoff"].max()}), Budget())
    assert first.alert_id not in {a.alert_id for a in after}
    assert found(told, first.alert_id)[0] == first
    assert found(told, "nobody") == []


def test_what_comes_later_to_a_judged_story_is_told_anew_and_says_so(told: pl.DataFrame) -> None:
    story = next(a for a in choose(told, Budget()) if len(a.documents) >= 4)
    times = told.filter(alert_id=story.alert_id).sort("known_at")["known_at"]
    settled = {story.alert_id: times[2]}
    judged = with_verdicts(told, settled)
    assert judged.filter("judged").height == (times < times[2]).sum() > 0
    keys = told.filter(alert_id=story.alert_id).select(KEY)
    everything = Budget(1.0, per_day=1_000, least_chance=0.0)
    [again] = choose(judged.join(keys, on=KEY, how="semi", maintain_order="left"), everything)
    assert (len(again.documents), again.alert_id == story.alert_id) == ((times >= times[2]).sum(), False)
    assert [e.words for e in again.evidence if e.rule == GOES_ON] == [
        f"goes on: {len(story.documents) - len(again.documents)} earlier documents of the same story were judged before"
    ]
    assert found(told, again.alert_id) == [again], "it can be shown and judged by its id"
    twice = with_verdicts(told, settled | {again.alert_id: told["cutoff"].max()})
    assert not choose(twice.join(keys, on=KEY, how="semi", maintain_order="left"), everything)


def test_the_budget_is_a_maximum_and_what_no_rule_says_has_no_kind(told: pl.DataFrame) -> None:
    alerts = choose(told, Budget(0.2, per_day=1_000))
    assert len(alerts) < 0.2 * len(told) / 2
    assert min(a.chance for a in alerts) >= Budget().least_chance
    everything = choose(told, Budget(0.05, per_day=1_000, least_chance=0.0))
    assert all((a.kind == "general") == (a.evidence[0].rule == "forest") for a in everything)


def test_no_day_of_an_entity_has_more_alerts_than_its_budget(told: pl.DataFrame) -> None:
    alerts = choose(told, Budget(0.05, per_day=1, least_chance=0.0))
    known = dict(zip(told.select(KEY).rows(), told["known_day"], strict=True))
    days = [(a.entity_id, known[a.entity_id, a.table, a.record_id]) for a in alerts]
    assert len(days) == len(set(days)) > 20


@pytest.mark.parametrize(("share", "per_day"), [(0.0, 1), (1.1, 1), (0.1, 0)])
def test_a_budget_that_cannot_be_is_refused(share: float, per_day: int) -> None:
    with pytest.raises(BadSetting, match="alert budget"):
        Budget(share, per_day)


@pytest.mark.parametrize("least_chance", [-0.1, 1.1, float("nan")])
def test_a_least_chance_that_is_no_probability_is_refused(least_chance: float) -> None:
    with pytest.raises(BadSetting, match=rf"least chance of an alert is {least_chance}; allowed: a probability"):
        Budget(least_chance=least_chance)


# --- verdicts -----------------------------------------------------------------------------------------------------
def said(verdict: str = "not", who: str = "ana", why: str = "agreed", hour: int = 0) -> Verdict:
    return Verdict("a1", "E", verdict, NOON + timedelta(hours=hour), who, why, ("invoice/I1", "payment/P/1"))


def test_verdicts_are_kept_in_order_and_the_newest_counts(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    verdicts = AlertVerdicts(database)
    verdicts.add(said("not"))
    verdicts.add(said("real", hour=1))
    kept = on_record(database)
    assert kept.history("a1") == (said("not"), said("real", hour=1))
    assert verdicts.standing() == kept.standing() == {"a1": said("real", hour=1)}
    assert kept.before(NOON + timedelta(hours=1)).standing() == {"a1": said("not")}
    judged = judged_documents([said("real", hour=1), said("not")])
    assert judged.rows() == [("E", "invoice", "I1", True), ("E", "payment", "P/1", True)]
    database.close()


@pytest.mark.parametrize(("hour", "newest"), [(-1, 0), (2, 2)], ids=["a document", "a verdict"])
def test_a_model_says_until_when_it_learnt_from_documents_and_verdicts(hour: int, newest: int) -> None:
    frame = pl.DataFrame({"known_at": [NOON - timedelta(hours=3), NOON]}, schema={"known_at": INSTANT})
    instant = timedelta(milliseconds=1)
    assert learnt_before(frame, [said(hour=hour)]) == NOON + timedelta(hours=newest) + instant
    assert learnt_before(frame, []) == NOON + instant


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (said("maybe"), "allowed: real or not"),
        (said(who=" "), "the name of the person"),
        (said(who="Machine"), "the name of the person"),
        (said(why=""), "why is missing"),
        (said(why="x" * 1001), "too long"),
    ],
)
def test_a_verdict_that_nobody_can_answer_for_is_refused(wrong: Verdict, words: str, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state.db")
    with pytest.raises(BadInput, match=words):
        AlertVerdicts(database).add(wrong)
    database.close()


# --- limits and the whole way -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("XX01: 5", "no entity 'XX01'"),
        ("DE01: five", "is not an amount"),
        ("DE01: -5", "an amount above 0"),
        ("", "is empty"),
    ],
)
def test_limits_that_cannot_be_are_refused(text: str, words: str, facts: Facts, tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(text)
    with pytest.raises(BadSetting, match=words):
        read_limits(tmp_path / "limits.yaml", facts)


def test_limits_are_read_in_minor_units(facts: Facts, tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text("DE01: 5000.00\n")
    assert read_limits(tmp_path / "limits.yaml", facts) == {"DE01": 500_000}
    assert read_limits(None, facts) == {}
    with pytest.raises(BadSetting, match="cannot be read"):
        read_limits(tmp_path / "none.yaml", facts)


def test_from_the_lake_to_a_verdict_and_back(
    small: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, mlruns = Lake(str(tmp_path / "lake")), tmp_path / "mlruns"
    for name, rows in small.known().items():
        if len(rows):
            lake.append(table(name), rows)
    with pytest.raises(NotFound, match="duecast train anomalies"):
        ready(mlruns, ANOMALIES)
    limits = tmp_path / "limits.yaml"
    limits.write_text("DE01: 5000.00\n")
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DUECAST_MLRUNS", str(mlruns))
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path}/state.db")
    assert run(["train", "anomalies", "--limits", str(limits)]) == 0
    assert "anomalies/1" in capsys.readouterr().out
    trained = champion(mlruns, ANOMALIES)
    assert trained is not None
    assert trained.learnt_before == learnt_before(compared(Facts.read(lake)), ())
    out = tmp_path / "alerts.json"
    rows = tmp_path / "alerts.csv"
    assert run(["anomalies", "list", "--budget", "0.02", "--out", str(rows)]) == 0
    daily = capsys.readouterr().out
    newest = pl.read_csv(rows)
    assert f"{len(newest)} of {len(newest)} alerts shown" in daily
    assert f"Written: {rows}" in daily
    assert run(["anomalies", "list", "--days", "7", "--since", "2025-07-01"]) == 2
    assert "--days 7 and --since 2025-07-01; allowed: one of them" in capsys.readouterr().err
    assert run(["anomalies", "list", "--all", "--budget", "0.02", "--limit", "3", "--json", str(out)]) == 0
    listed = json.loads(out.read_text())
    assert 0 < len(newest) < len(listed["alerts"])
    shown = capsys.readouterr().out
    assert f"3 of {len(listed['alerts'])} alerts shown" in shown
    told_ids = {a["alert_id"] for a in listed["alerts"]}
    assert sum(alert in shown for alert in told_ids) == 3
    assert all(a["customer_name"] for a in listed["alerts"] if a["customer_id"])
    assert run(["anomalies", "list", "--budget", "0.02"]) == 0
    assert "near_limit is silent" in listed["silent"][0]
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 100
    assert run(["anomalies", "list", "--least-chance", "1.5"]) == 2
    assert "the least chance of an alert is 1.5; allowed: a probability, 0 to 1" in capsys.readouterr().err
    first = listed["alerts"][0]["alert_id"]
    assert run(["anomalies", "judge", first, "not", "--who", "ana", "--why", "agreed"]) == 0
    assert run(["anomalies", "show", first]) == 0
    assert "ana: not, agreed" in capsys.readouterr().out
    chances = {a["alert_id"]: a["chance"] for a in listed["alerts"]}
    surer = sorted(chances.values())[len(chances) // 2]
    assert (
        run(["anomalies", "list", "--budget", "0.02", "--all", "--least-chance", str(surer), "--json", str(out)]) == 0
    )
    left = {alert: chance for alert, chance in chances.items() if chance >= surer and alert != first}
    assert {a["alert_id"]: a["chance"] for a in json.loads(out.read_text())["alerts"]} == left
    assert 0 < len(left) < len(chances) - 1
    capsys.readouterr()
    assert run(["anomalies", "list", "--entity", "GB01", "--all", "--as-of", "2025-07-01", "--json", str(out)]) == 0
    past = json.loads(out.read_text())
    assert (past["as_of"], past["availability"]) == ("2025-07-01", "partial")
    assert "documents of GB01: its hours, weekdays" in past["availability_reason"]
    assert "! partial: " in capsys.readouterr().out
    assert 0 < past["documents"] < listed["documents"]
    assert past["alerts"]
    assert all(a["known_at"] < "2025-07-01" for a in past["alerts"])
    assert run(["anomalies", "show", first, "--as-of", "2020-01-01"]) == 2
