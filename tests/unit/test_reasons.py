"""Reasons: they add up, they say what they show, and every feature belongs to one of them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import catalogue
from models.reasons import FAMILIES, PAST_DUE, REST, Floats, contributions, family_of, fit_explainer, in_words

NAMES = tuple(feature.name for feature in catalogue(("monthly_revenue",)))
OF = {family.name: k for k, family in enumerate(FAMILIES)}


def words(family: str, **row: float | None) -> str:
    return FAMILIES[OF[family]].words(row)


@pytest.fixture(scope="module")
def asked() -> tuple[object, Floats, Floats]:
    """An explainer of an expectation made of the days past due and three features, and what it is asked about."""
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (3_000, len(NAMES)))
    values[rng.random(values.shape) < 0.1] = np.nan
    past_due = values[:, NAMES.index(PAST_DUE)] = rng.integers(-40, 20, 3_000)
    usual, last, terms = (
        np.nan_to_num(values[:, NAMES.index(n)]) for n in ("days_late_mean", "days_late_last", "terms")
    )
    expected = np.maximum(past_due, 0) + 5 + 3 * usual + last - 2 * (terms > 0) + rng.normal(0, 0.3, 3_000)
    return fit_explainer(NAMES, values, expected, seed=7), values, expected


def test_typical_days_and_reasons_add_up_to_the_expected_days(asked: tuple[object, Floats, Floats]) -> None:
    explainer, values, expected = asked
    parts, typical = contributions(explainer, NAMES, values, expected)
    assert parts.shape == (len(values), len(FAMILIES) + 1)
    assert np.abs(typical + parts.sum(axis=1) - expected).max() < 1e-9
    assert typical == pytest.approx(4, abs=0.3), "beyond the days past due"


def test_reasons_go_to_the_features_that_matter(asked: tuple[object, Floats, Floats]) -> None:
    explainer, values, expected = asked
    parts, _ = contributions(explainer, NAMES, values, expected)
    size = np.abs(parts).mean(axis=0)
    ranked = [FAMILIES[k].name for k in np.argsort(-size[:-1])[:3]]
    assert ranked == ["age", "usual", "calendar"]
    assert size[-1] < 0.6, "what the explainer cannot repeat is mostly the noise"


def test_one_row_is_explained_as_among_many(asked: tuple[object, Floats, Floats]) -> None:
    explainer, values, expected = asked
    together, typical = contributions(explainer, NAMES, values[:50], expected[:50])
    for k in range(50):
        alone, same = contributions(explainer, NAMES, values[k : k + 1], expected[k : k + 1])
        assert alone[0].tobytes() == together[k].tobytes(), "to the last bit"
        assert same == typical


def test_the_same_seed_explains_the_same(asked: tuple[object, Floats, Floats]) -> None:
    explainer, values, expected = asked
    again = fit_explainer(NAMES, values, expected, seed=7)
    assert again.model_to_string() == explainer.model_to_string()


def test_reasons_are_told_largest_first_and_only_where_they_count() -> None:
    days = np.zeros(len(FAMILIES) + 1)
    days[OF["usual"]], days[OF["calendar"]], days[-1] = 1.5, -4.0, 0.25
    told = in_words(days, {"terms": 30.0, "due_weekday": 5.0})
    assert [(r.name, r.days) for r in told] == [("calendar", -4.0), ("usual", 1.5), ("calendar ahead", 0.25)]
    assert [r.words for r in told] == [
        "terms of 30 days, due on a Friday; counts for earlier",
        "nothing settled by this customer yet; counts for later",
        f"{REST}; counts for later",
    ]


@given(sizes=st.lists(st.floats(0.001, 90), min_size=len(FAMILIES) + 1, max_size=len(FAMILIES) + 1), seed=st.integers())
@settings(max_examples=50, deadline=None)
def test_the_facts_of_a_reason_are_the_same_whichever_way_it_counts(sizes: list[float], seed: int) -> None:
    rng = np.random.default_rng(abs(seed))
    row = {name: float(value) for name, value in zip(NAMES, rng.integers(1, 7, len(NAMES)), strict=True)}
    later, earlier = (
        {r.name: r.words for r in in_words(sign * np.array(sizes), row if seed % 3 else {})} for sign in (1, -1)
    )
    assert len(later) == len(FAMILIES) + 1
    for name, words in later.items():
        facts, _, way = words.rpartition("; ")
        assert (way, earlier[name]) == ("counts for later", f"{facts}; counts for earlier")
        assert not {"later", "earlier"} & set(facts.split()), "a fact that claims a direction"


def test_every_feature_belongs_to_the_family_that_tells_its_story() -> None:
    found = Counter(FAMILIES[family_of(name)].name for name in NAMES)
    assert set(found) == {family.name for family in FAMILIES}, "no family is empty"
    assert sum(found.values()) == len(NAMES)
    left_over = {name for name in NAMES if FAMILIES[family_of(name)] is FAMILIES[-1]}
    trade = ("invoiced_", "credited_", "tenure_days", "dilution_share")
    assert all(name.startswith(trade) for name in left_over), "a new feature needs a family, or a place in this list"


@pytest.mark.parametrize(
    ("feature", "family"),
    [
        ("days_late_mean", "usual"),
        ("business_days_late_mean", "usual"),
        ("days_late_mean_90d", "lately"),
        ("days_late_ewma_slow", "lately"),
        ("days_late_by_amount", "amount"),
        ("entity_days_late_mean_90d", "pooled"),
        ("days_since_paid", "rhythm"),
        ("overdue_30_cents", "exposure"),
        ("issue_weekday", "calendar"),
        ("past_due", "age"),
        ("open_past_due_days", "exposure"),
        ("change_attribute_monthly_revenue", "attributes"),
        ("tenure_days", "trade"),
        ("something_new", "trade"),
    ],
)
def test_a_feature_belongs_to_its_family(feature: str, family: str) -> None:
    assert FAMILIES[family_of(feature)].name == family


def test_words_show_the_numbers_behind_them() -> None:
    usual = {"days_late_count": 12.0, "days_late_mean": 3.54, "days_late_share_late": 0.905}
    assert words("usual", **usual) == "usually pays 3.5 days late (12 settled, 90 % late)"
    assert words("usual", **usual | {"days_late_mean": -1.0}) == "usually pays 1 day early (12 settled, 90 % late)"
    assert words("usual", **usual | {"days_late_mean": 0.04}) == "usually pays on the due date (12 settled, 90 % late)"
    assert words("lately", days_late_last=2.0) == "last paid 2 days late"
    assert words("lately", days_late_last=0.0, days_late_mean_90d=-2.25) == (
        "last paid on the due date, in 90 days 2.2 days early on average"
    )
    week = dict.fromkeys((f"paid_{day}_share" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")), 0.05)
    assert words("rhythm", **week | {"paid_thu_share": 0.7, "paid_month_end_share": 0.12}) == (
        "pays on Thursdays 70 % of the time, at month end 12 %"
    )
    assert words("exposure", open_count=8.0, overdue_0_count=3.0, overdue_age_days=11.6) == (
        "3 of 8 open invoices overdue, 12 days past due on average"
    )
    assert words("exposure", open_count=8.0, overdue_0_count=0.0) == "0 of 8 open invoices overdue"
    assert words("trade", tenure_days=700.0, invoiced_count_365d=68.0) == (
        "customer for 700 days, 68 invoices in the last year"
    )
    assert words("pooled", entity_days_late_mean=5.0, entity_days_late_mean_90d=4.0) == (
        "customers of this entity pay 4 days late"
    )
    assert words("pooled", entity_days_late_mean=5.0) == "customers of this entity pay 5 days late"
    assert words("amount", amount_against_habit=2.26) == "an amount above this customer's usual (+2.3 spreads)"
    assert words("amount", amount_against_habit=-0.6) == "an amount below this customer's usual (-0.6 spreads)"
    assert words("amount", amount_against_habit=0.4) == "an amount as usual for this customer"
    assert words("calendar", terms=30.0, due_weekday=7.0) == "terms of 30 days, due on a Sunday"
    assert words("age", past_due=3.0) == "already 3 days past due"
    assert words("age", past_due=-3.0) == "not due yet"
    assert words("attributes", attribute_revenue=1500.0, usual_attribute_revenue=9.0, attribute_staff=12.0) == (
        "revenue 1500, staff 12"
    )


@pytest.mark.parametrize("row", [{}, dict.fromkeys(NAMES)])
def test_words_for_what_is_not_known(row: dict[str, None]) -> None:
    told = {family.name: family.words(row) for family in FAMILIES}
    assert told == {
        "lately": "no recent settlement",
        "amount": "amount, with no usual amount to compare",
        "usual": "nothing settled by this customer yet",
        "rhythm": "no payment rhythm known",
        "exposure": "0 of 0 open invoices overdue",
        "pooled": "nobody has paid this entity yet",
        "calendar": "terms",
        "age": "not due yet",
        "attributes": "customer attributes unknown",
        "trade": "a new customer",
    }
