"""Rolling origins on a ledger whose truth is known."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from features.errors import BadInput, BadSetting
from models.evaluation import evaluate
from models.scorecard import METRIC_NAMES, outcomes

NAMED_IN_THE_BRIEF = (
    "late.roc_auc",
    "late.average_precision",
    "late.brier",
    "days.mae",
    "days.pinball",
    "days.coverage_80",
)


def test_who_knows_every_outcome_scores_perfectly(book, oracle, quick):
    found = evaluate(book, lambda labelled, _: oracle, quick())
    ours = found.metrics
    assert [ours[n] for n in ("days.mae", "days.median_error", "days.pinball", "days.crps", "late.brier")] == [0.0] * 5
    assert [ours[n] for n in ("late.roc_auc", "late.average_precision", "days.coverage_50")] == [1.0] * 3
    assert all(card.values["skill.pinball"] == 1.0 for card in found.overall.baselines.values())


def test_who_knows_the_truth_covers_what_it_says_and_beats_every_baseline(evaluation):
    assert evaluation.data["n"] == evaluation.data["closed"] > 180
    for level in (50, 80, 95):
        assert evaluation.metrics[f"days.coverage_{level}_pit"] == pytest.approx(level / 100, abs=0.08)
    assert evaluation.metrics["days.coverage_80"] >= 0.8
    for card in evaluation.overall.baselines.values():
        assert card.values["skill.pinball"] > 0.01
        assert card.values["days.crps"] > evaluation.metrics["days.crps"]
        assert card.intervals["skill.pinball"].low < card.values["skill.pinball"] < card.intervals["skill.pinball"].high


def test_training_knows_nothing_from_its_origin_on(book, truth, quick):
    trained = []

    def train(labelled, before):
        trained.append(labelled)
        return truth

    settings = quick(origins=3)
    evaluate(book, train, settings)
    assert [origin for origin, _ in settings.windows()] == [date(2023, 7, 1), date(2023, 7, 31), date(2023, 8, 30)]
    for (origin, _), labelled in zip(settings.windows(), trained, strict=True):
        assert labelled["cutoff_day"].max() < origin
        assert labelled["paid_date"].max() < origin
        assert labelled.filter(pl.col("paid_date").is_null())["observed_until"].unique().to_list() == [
            origin - timedelta(days=1)
        ]


def test_a_forecaster_never_sees_an_outcome(book, truth, quick):
    seen = []

    class Watching:
        def distribution(self, features):
            seen.append(set(features.columns))
            return truth.distribution(features)

    evaluate(book, lambda labelled, _: Watching(), quick())
    assert seen
    assert all(columns.isdisjoint({"paid_date", "cancelled", "observed_until", "origin"}) for columns in seen)


def test_every_row_is_tested_once_in_its_own_window(evaluation, ledger):
    expected = ledger.filter(pl.col("issue_date") >= date(2023, 7, 1)).filter(pl.col("issue_date") < date(2023, 9, 29))
    assert sorted(evaluation.rows["invoice_id"]) == sorted(expected["invoice_id"])
    for origin, rows in evaluation.rows.group_by("origin"):
        window = next(w for w in evaluation.data["windows"] if w["origin"] == origin[0])
        assert window["test"] == len(rows)
        assert rows["cutoff_day"].is_between(date.fromisoformat(origin[0]), date.fromisoformat(window["end"])).all()
    assert all(len(table) == len(evaluation.rows) for table in evaluation.scores.values())


def test_frozen_history_asks_for_nothing_later_than_the_origin(book, truth, quick):
    frozen = evaluate(book, lambda labelled, _: truth, quick(history="frozen", origins=2))
    origins = [origin for origin, _ in quick(origins=2).windows()]
    assert [asked["cutoff"].max().date() for asked in book.asked[1:]] == origins
    assert all((asked["cutoff_day"] == asked["issue_date"]).all() for asked in book.asked)
    assert frozen.data["history"] == "frozen"


def test_frozen_and_as_of_are_the_same_question_on_the_first_day_only(book, truth, quick):
    first_day = {"until": date(2023, 7, 2)}
    as_of, frozen, longer, longer_frozen = (
        evaluate(book, lambda labelled, _: truth, quick(**changes)).overall.baselines["customer_average"].values
        for changes in (first_day, first_day | {"history": "frozen"}, {}, {"history": "frozen"})
    )
    assert json.dumps(as_of) == json.dumps(frozen)
    assert longer["days.mae"] != longer_frozen["days.mae"]


@pytest.mark.parametrize(
    ("paid", "cancelled", "observed_until", "late_days", "event"),
    [
        (date(2024, 1, 31), False, None, 1, 0.0),
        (date(2024, 2, 1), False, None, 1, 1.0),
        (date(2024, 2, 9), False, None, 10, 0.0),
        (date(2024, 2, 10), False, None, 10, 1.0),
        (None, False, date(2024, 1, 30), 1, np.nan),
        (None, False, date(2024, 1, 31), 1, 1.0),
        (None, False, date(2024, 2, 8), 10, np.nan),
        (None, False, date(2024, 2, 9), 10, 1.0),
        (None, True, date(2024, 1, 12), 1, np.nan),
        (None, True, date(2024, 3, 12), 1, 1.0),
    ],
)
def test_what_is_known_of_lateness_when_due_on_31_january(paid, cancelled, observed_until, late_days, event):
    days = {"due_date": date(2024, 1, 31), "paid_date": paid, "observed_until": observed_until}
    rows = pl.DataFrame(
        {name: pl.Series([day], dtype=pl.Date) for name, day in days.items()} | {"cancelled": [cancelled]}
    )
    assert outcomes(rows, late_days).event.tolist() == pytest.approx([event], nan_ok=True)


def test_open_cancelled_and_withdrawn_rows_are_counted_and_left_out_where_unknown(book, ledger, truth, quick):
    test_rows = ledger.filter(pl.col("issue_date") >= date(2023, 7, 1))["invoice_id"].to_list()
    never, cancelled, withdrawn = test_rows[:4], test_rows[4:7], test_rows[7:9]
    book.ledger = ledger.with_columns(
        paid_date=pl.when(~pl.col("invoice_id").is_in([*never, *cancelled])).then("paid_date"),
        cancelled=pl.col("invoice_id").is_in(cancelled),
        withdrawn=pl.col("invoice_id").is_in(withdrawn),
    )
    whole = evaluate(book, lambda labelled, _: truth, quick())
    n = len(test_rows) - 2
    counts = ("n", "closed", "cancelled", "open", "withdrawn", "late_known", "late_unknown")
    assert [whole.data[name] for name in counts] == [n, n - 7, 3, 4, 2, n, 0]
    book.last_day = date(2023, 7, 20)  # the day after, none of them is due and few are paid
    young = evaluate(book, lambda labelled, _: truth, quick(until=date(2023, 7, 15)))
    assert young.data["closed"] == young.data["late_known"] == 0
    assert young.data["late_unknown"] == young.data["n"] > 0
    assert np.isnan(young.metrics["days.mae"])
    assert young.as_json()["days.mae"] is None


def test_late_days_moves_the_event(book, truth, quick):
    one, ten = (evaluate(book, lambda labelled, _: truth, quick(late_days=k)).data["late_share"] for k in (1, 10))
    assert one > ten > 0


def test_the_json_has_the_names_of_the_brief_with_their_intervals_and_per_baseline(evaluation):
    found = json.loads(json.dumps(evaluation.as_json(), allow_nan=False))
    blocks = [found, *found["baselines"].values(), *found["segments"]["entity"].values()]
    assert set(found["baselines"]) == {"due_date", "customer_average", "customer_quantiles", "lightgbm_quantiles"}
    for block in blocks:
        for name in NAMED_IN_THE_BRIEF:
            ends = block["intervals"][name]
            assert block["intervals"][f"{name}.low"] == ends["low"] <= block[name] <= ends["high"]
            assert block["intervals"][f"{name}.high"] == ends["high"]
    assert set(METRIC_NAMES) <= set(found)
    assert "skill.pinball" in found["baselines"]["due_date"]


def test_segments_part_the_rows(evaluation):
    assert set(evaluation.segments) == {"customer", "size", "entity", "origin"}
    for values in evaluation.segments.values():
        assert sum(segment.ours.counts["n"] for segment in values.values()) == evaluation.data["n"]
    assert list(evaluation.segments["size"]) == ["small", "medium", "large"]
    sizes = [segment.ours.counts["n"] for segment in evaluation.segments["size"].values()]
    assert max(sizes) - min(sizes) <= 2


def test_a_further_text_column_is_a_segment(book, truth, quick):
    class WithTrade(type(book)):
        def features(self, subjects):
            trade = pl.when(pl.col("customer_id") < "C2").then(pl.lit("retail"))
            return super().features(subjects).with_columns(trade=trade)

    found = evaluate(WithTrade(book.ledger, book.last_day), lambda labelled, _: truth, quick())
    assert set(found.segments["trade"]) == {"none", "retail"}


def test_a_new_customer_has_fewer_than_three_settled_invoices(book, ledger, truth, quick):
    fresh = pl.col("customer_id").is_in(["C1", "C2"])
    book.ledger = ledger.filter(~fresh | (pl.col("issue_date") >= date(2023, 7, 1)))
    found = evaluate(book, lambda labelled, _: truth, quick())
    settled = found.rows["days_late_count"]
    assert found.segments["customer"]["new"].ours.counts["n"] == (settled < 3).sum() > 0


def test_the_seed_decides(book, truth, quick):
    first, again, other = (
        json.dumps(evaluate(book, lambda labelled, _: truth, quick(seed=seed)).as_json()) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_an_empty_window_among_several_is_reported_and_skipped(book, ledger, truth, quick):
    book.ledger = ledger.filter(~pl.col("issue_date").is_between(date(2023, 7, 31), date(2023, 8, 29)))
    found = evaluate(book, lambda labelled, _: truth, quick(origins=3))
    assert [window["test"] > 0 for window in found.data["windows"]] == [True, False, True]


@pytest.mark.parametrize(
    ("cutoff", "until", "words"),
    [
        (date(2022, 6, 1), date(2023, 2, 1), "issued before 2022-06-01: .* run from 2023-01-01 to 2023-09-27"),
        (date(2023, 1, 20), date(2023, 2, 1), "was known to be paid by then: nothing to learn from"),
        (date(2025, 1, 1), date(2025, 6, 1), "nothing was issued from 2025-01-01 until before 2025-06-01"),
    ],
)
def test_a_cutoff_that_cannot_work_is_the_callers_to_mend(book, truth, quick, cutoff, until, words):
    with pytest.raises(BadInput, match=words):
        evaluate(book, lambda labelled, _: truth, quick(cutoff=cutoff, until=until))


def test_an_empty_ledger(book, truth, quick):
    book.ledger = book.ledger.clear()
    with pytest.raises(BadInput, match="the ledger has no receivables"):
        evaluate(book, lambda labelled, _: truth, quick())


def test_a_ledger_of_two_rows(book, ledger, truth, quick):
    book.ledger = pl.concat([ledger.head(1), ledger.filter(pl.col("issue_date") >= date(2023, 7, 1)).head(1)])
    found = evaluate(book, lambda labelled, _: truth, quick())
    assert found.data["n"] == 1
    assert found.as_json()["intervals"]["days.mae.low"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"until": date(2023, 7, 1)}, "until 2023-07-01 is not after cutoff 2023-07-01"),
        ({"origins": 0}, "origins is 0; allowed: 1 to 90"),
        ({"origins": 91}, "origins is 91"),
        ({"late_days": 0}, "late_days is 0; allowed: 1 or more"),
        ({"history": "today"}, "history is 'today'; allowed: as-of or frozen"),
        ({"draws": 0}, "no bootstrap draws"),
        ({"train_from": date(2024, 1, 1)}, "train_from 2024-01-01 is not before"),
    ],
)
def test_settings_that_cannot_be_used(quick, changes, words):
    with pytest.raises(BadSetting, match=words):
        replace(quick(), **changes)
