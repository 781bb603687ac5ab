"""The parts of the cash forecast on ledgers small enough to add up by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtri

from features.book import Book
from features.errors import BadInput, BadSetting, NotFound, StateError
from features.facts import Facts
from models.bins import epoch_days
from models.cash.baselines import due_plus_delay, four_weeks, last_year
from models.cash.billing import after_lag, fit_billing, order_claims, remaining_lag
from models.cash.claims import HORIZON_DAYS, NEW, OPEN, ORDERS, WEEKS
from models.cash.decomposition import decompose
from models.cash.dilution import fit_dilution
from models.cash.forecast import LookAhead, look_ahead
from models.cash.fx import group_rates
from models.cash.lasting import fit_lasting, lifted_again
from models.cash.levels import PRIOR_COMMON, PRIOR_QUARTERS, REHEARSALS, fit_level
from models.cash.model import CashModel, fit_cash
from models.cash.mornings import at_start_of
from models.cash.new_business import MOST_REPLICAS, Profile, _thinned, fit_profile, replicas
from models.cash.open_items import open_items
from models.cash.past import PastAgain
from models.cash.receipts import receipts_after
from models.cash.scenarios import Delay, Rate, Resolved, Scenario, Terms
from models.cash.simulation import CERTAIN, Dependence, Level
from models.cash.spread import Spread, Week, coverage, fit_spread, pit
from models.distribution import Distribution, on_one_day
from pipelines.cash import read_scenario

Draw = Callable[..., Facts]
FIRST = date(2024, 1, 1)
PLACED = ("actual", "place")
PAID = ("invoice", "allocation")


class OnDue:
    """Everybody pays on the due date, or at once where that is past."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        wait = epoch_days(frame, "due_date") - epoch_days(frame, "cutoff_day")
        return on_one_day(frame["cutoff_day"].to_numpy().astype("datetime64[D]"), wait)


def at(day: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)


def day(number: int) -> date:
    return at(number).date()


def many(draw: Draw, **more: str) -> Facts:
    """Customer A: an invoice of 10.00 every week, due and paid 10 days later, all but the last two."""
    issued = range(1, 200, 7)
    invoices = "\n".join(f"I{d} | {d} | {d + 10}:1000" for d in issued)
    paid = "\n".join(f"I{d} | {d + 10} | 1000" for d in issued if d + 10 < 190)
    tables = {
        "invoice": f"invoice_id | issue_date | owed\n{invoices}",
        "allocation": f"invoice_id | date | amount_minor\n{paid}",
    }
    return draw(**tables | more)


def ahead(book: Book, day: int, *, scenario: Scenario | None = None, past: int = 100) -> LookAhead:
    model = fit_cash(book, at(day), [])
    return look_ahead(book, OnDue(), model, at(day), draws=past, seed=3, scenario=scenario or Scenario())


# --- what came in -------------------------------------------------------------------------------------------------


def test_receipts_count_from_when_the_books_learnt_them(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 5:100\nJ | 6:100\nK | 7:100",
        allocation="""invoice_id | date | amount_minor | known_at | kind
            I | 5 | 100 | 6 | payment
            J | 8 | 100 | 12 | payment
            K | 11 | 60 | 11 | payment
            K | 11 | 40 | 11 | credit_note""",
    )
    came = receipts_after(facts, at(10), Book(facts).zones)
    assert came.select("invoice_id", "day", "amount_minor").rows() == [
        ("J", date(2024, 1, 10), 100),  # at the bank before the first day, but nobody knew
        ("K", date(2024, 1, 11), 60),
    ]


def test_an_allocation_taken_back_counts_against(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 5:100\nJ | 6:100",
        allocation="""allocation_id | invoice_id | date | amount_minor | known_at | deleted
            a | I | 5 | 100 | 6 | no
            a | I | 5 | 100 | 12 | yes
            b | J | 5 | 100 | 12 | no""",
    )
    came = receipts_after(facts, at(10), Book(facts).zones)
    assert dict(came.select("invoice_id", "amount_minor").iter_rows()) == {"I": -100, "J": 100}
    assert set(came["day"]) == {date(2024, 1, 10)}


def test_cash_of_another_currency_belongs_to_no_receivable(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 20:100\nJ | 20:100",
        allocation="""invoice_id | date | amount_minor | currency
            I | 12 | 90 | EUR
            I | 12 | 10 | EUR
            J | 12 | 9000 | USD""",
    )
    assert receipts_after(facts, at(10), Book(facts).zones)["amount_minor"].to_list() == [100]
    assert fit_dilution(Book(facts), at(30)).cash_share == {"E": 1.0}


# --- open receivables ---------------------------------------------------------------------------------------------


def test_only_the_open_part_counts_and_credit_on_account_takes_the_oldest(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 20:100\nJ | 15:100\nK | 30:100",
        allocation="invoice_id | date | amount_minor\nI | 5 | 40",
        credit_note="credit_note_id | issue_date | amount_minor\nC | 6 | -130",
    )
    items = open_items(Book(facts), OnDue(), at(10))
    told = dict(items.frame.select("invoice_id", pl.struct("open_minor", "on_account_minor")).iter_rows())
    assert {k: tuple(v.values()) for k, v in told.items()} == {"J": (100, 100), "I": (60, 30), "K": (100, 0)}


def test_a_credit_note_that_settled_something_is_not_taken_again(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 20:100",
        allocation="invoice_id | from_id | kind | date | amount_minor\nI | C | credit_note | 7 | 30",
        credit_note="credit_note_id | issue_date | amount_minor\nC | 6 | -30",
    )
    items = open_items(Book(facts), OnDue(), at(10))
    assert items.frame.select("open_minor", "on_account_minor").row(0) == (70, 0)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"invoice": "N | 6 | 6:-50 | EUR"}, "a negative invoice"),
        ({"invoice": "N | 1 | 2:20 | EUR", "allocation": "N | 5 | 70 | EUR | payment | P | -"}, "paid too much"),
        ({"allocation": "U | 7 | 40 | USD | credit_note | C | 30"}, "30 of the note's 80 went into dollars"),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_whatever_is_owed_back_is_credit(drawn_facts: Draw, more: dict[str, str], why: str) -> None:
    items = open_items(Book(_with_credit(drawn_facts, **more)), OnDue(), at(10))
    assert dict(items.frame.select("invoice_id", "on_account_minor").iter_rows())["I"] == 50, why


def test_a_note_used_in_another_currency_without_a_word_of_how_much_is_no_credit(drawn_facts: Draw) -> None:
    facts = _with_credit(drawn_facts, allocation="U | 7 | 40 | USD | credit_note | C | -")
    assert open_items(Book(facts), OnDue(), at(10)).frame["on_account_minor"].sum() == 0


def test_credit_of_a_quarter_ago_is_forgotten(drawn_facts: Draw) -> None:
    book = Book(_with_credit(drawn_facts, invoice="N | 6 | 6:-50 | EUR"))
    for day, credit in ((96, 50), (97, 0)):
        assert open_items(book, OnDue(), at(day)).frame["on_account_minor"].sum() == credit


def _with_credit(draw: Draw, invoice: str = "", allocation: str = "") -> Facts:
    """I and U are open, in euros and dollars; with an allocation from C, a note of 80 euros."""
    tables = {
        "invoice": f"invoice_id | issue_date | owed | currency\nI | 1 | 20:100 | EUR\nU | 1 | 20:90 | USD\n{invoice}"
    }
    if allocation:
        columns = "invoice_id | date | amount_minor | currency | kind | from_id | paid_minor"
        tables["allocation"] = f"{columns}\n{allocation}"
    if " C " in allocation:
        tables["credit_note"] = "credit_note_id | issue_date | amount_minor\nC | 6 | -80"
    return draw(**tables)


def test_dilution_is_learnt_from_what_ended(drawn_facts: Draw) -> None:
    invoices = "\n".join(f"I{k} | 20:100" for k in range(40))
    parts = [f"I{k} | 20 | {90 if k < 20 else 100} | payment" for k in range(40)]
    parts += [f"I{k} | 20 | 10 | write_off" for k in range(20)]
    lines = "\n".join(parts)
    facts = drawn_facts(
        invoice=f"invoice_id | owed\n{invoices}", allocation=f"invoice_id | date | amount_minor | kind\n{lines}"
    )
    told = fit_dilution(Book(facts), at(30))
    assert told.cash_share == {"E": pytest.approx(0.95)}
    assert told.shares(["E", "E"], ["A", "stranger"]) == pytest.approx([0.95, 0.95])
    alive = told.survival(np.array([-5]), HORIZON_DAYS)
    assert alive[0, 0] == 1.0
    assert (np.diff(alive[0]) < 0).all()


def test_what_is_lost_in_one_currency_is_not_diluted_by_the_cents_of_another(drawn_facts: Draw) -> None:
    """A always pays 90 % of its euros; B's yen, paid in full, come in numbers a hundred times as large."""
    euros, yen = ([f"{name}{k}" for k in range(20)] for name in "EJ")
    invoices = [f"A | {i} | 20:1000 | EUR" for i in euros] + [f"B | {i} | 20:150000 | JPY" for i in yen]
    parts = [f"{i} | 20 | {n} | EUR | {k}" for i in euros for n, k in ((900, "payment"), (100, "write_off"))]
    parts += [f"{i} | 20 | 150000 | JPY | payment" for i in yen]
    lines = {
        "invoice": ["customer_id | invoice_id | owed | currency", *invoices],
        "allocation": ["invoice_id | date | amount_minor | currency | kind", *parts],
    }
    told = fit_dilution(Book(drawn_facts(**{name: "\n".join(rows) for name, rows in lines.items()})), at(30))
    assert told.customers == {("E", "A"): pytest.approx(0.9), ("E", "B"): pytest.approx(1.0)}
    assert told.cash_share == {"E": pytest.approx(0.95)}, "twenty receivables each"


def test_dilution_without_any_end_takes_all_for_cash(drawn_facts: Draw) -> None:
    told = fit_dilution(Book(drawn_facts(invoice="invoice_id | owed\nI | 20:100")), at(10))
    assert told.shares(["E"], ["A"]).tolist() == [1.0]


# --- orders -------------------------------------------------------------------------------------------------------


def test_the_rest_of_a_lag() -> None:
    left = remaining_lag((0.5, 0.25, 0.25), np.array([0, 1, 50]))
    assert left[0, :4].tolist() == [0.5, 0.25, 0.25, 0.0]
    assert left[1, :3].tolist() == [0.5, 0.5, 0.0]
    assert left[2, 0] == pytest.approx(1 / HORIZON_DAYS), "older than any that was billed: evenly"
    assert left.sum(axis=1) == pytest.approx(1.0)


def test_paid_after_billed() -> None:
    paid, lag = np.zeros((1, HORIZON_DAYS)), np.zeros((1, HORIZON_DAYS))
    paid[0, 10:] = 1.0
    lag[0, [2, 4]] = 0.5
    assert after_lag(paid, lag)[0, [11, 12, 13, 14, 90]].tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]


def test_open_orders_become_cash_once(drawn_facts: Draw) -> None:
    orders = "\n".join(f"O{k} | {k} | 100 | {'open' if k > 18 else 'billed'}" for k in range(1, 21))
    billed = "\n".join(f"I{k} | O{k} | {k + 3} | {k + 33}:100" for k in range(1, 18))
    facts = drawn_facts(
        order=f"order_id | order_date | amount_minor | status\n{orders}",
        invoice=f"invoice_id | order_id | issue_date | owed\n{billed}",
    )
    book = Book(facts)
    billing = fit_billing(book, at(21))
    assert billing.lag[3] == 1.0
    assert billing.billed_share == 1.0
    claims = order_claims(book, OnDue(), at(21), billing, fit_dilution(book, at(21)))
    assert claims.head["invoice_id"].to_list() == ["O19", "O20"]
    assert claims.head["component"].unique().to_list() == [ORDERS]
    assert claims.median_day.tolist() == [1 + 30, 2 + 30]


def test_what_is_left_of_an_order_billed_in_part_is_still_to_come(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        order="order_id | order_date | amount_minor | status\nO | 1 | 100 | open\nP | 1 | 100 | open",
        invoice="""invoice_id | order_id | issue_date | owed | currency
            I | O | 4 | 34:70 | EUR
            J | P | 4 | 34:60 | EUR
            K | P | 5 | 35:40 | EUR
            L | O | 5 | 35:30 | USD""",
    )
    book = Book(facts)
    claims = order_claims(book, OnDue(), at(10), fit_billing(book, at(10)), fit_dilution(book, at(10)))
    assert claims.head.select("invoice_id", "amount_minor").rows() == [("O", 30)], "P is billed, whatever its status"


def test_without_orders_nothing_is_expected_of_them(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    billing = fit_billing(book, at(190))
    assert len(order_claims(book, OnDue(), at(190), billing, fit_dilution(book, at(190)))) == 0


# --- business not yet booked --------------------------------------------------------------------------------------


def test_new_business_repeats_the_past(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    profile = fit_profile(book, at(197))
    seen = ahead(book, 197)
    new = seen.claims.head.filter(pl.col("component") == NEW)
    assert new["copies"].sum() == pytest.approx(13, abs=1.1), "an invoice a week"
    assert profile.growth == {"E": 0.0}


def test_too_short_a_past_foretells_no_new_business(drawn_facts: Draw) -> None:
    facts = drawn_facts(invoice="invoice_id | owed\nI | 20:100")
    assert NEW not in ahead(Book(facts), 10).claims.head["component"].to_list()


def test_replicas_move_by_whole_quarters() -> None:
    rows = pl.DataFrame(
        {
            "entity_id": ["E"] * 3,
            "issue_date": [FIRST, FIRST + timedelta(days=100), FIRST + timedelta(days=181)],
            "due_date": [FIRST + timedelta(days=30)] * 3,
            "first_day": [FIRST + timedelta(days=182)] * 3,
        }
    )
    moved = replicas(rows, Profile({}, {}))
    assert [(d - FIRST).days for d in moved["issue_date"]] == [182, 191, 272]
    assert moved["copies"].to_list() == pytest.approx([0.3 / 0.7, 0.4 / 0.7, 0.4 / 0.7])


def test_a_young_entity_repeats_its_own_quarters_whatever_the_others_have(drawn_facts: Draw) -> None:
    old = "\n".join(f"A{d} | E | {d} | {d + 10}:1000" for d in range(1, 400, 7))
    young = "\n".join(f"B{d} | F | {d} | {d + 10}:1000" for d in range(295, 400, 7))
    book = Book(drawn_facts(invoice=f"invoice_id | entity_id | issue_date | owed\n{old}\n{young}"))
    new = ahead(book, 400).claims.head.filter(pl.col("component") == NEW)
    copies = dict(new.group_by("entity_id").agg(pl.col("copies").sum()).iter_rows())
    assert copies["F"] == pytest.approx(13, abs=0.1), "not 40 % of it, for the three quarters that it was not there"


def test_how_uncertain_new_business_is_does_not_hang_on_the_unit_of_a_currency(drawn_facts: Draw) -> None:
    def spread_with(yen: int) -> float:
        busy = [f"E{d}.{n} | {d} | {d + 30}:1000 | EUR" for d in range(1, 720) for n in range(3 if d // 91 % 2 else 1)]
        steady = [f"J{d} | {d} | {d + 30}:{yen} | JPY" for d in range(1, 720)]
        lines = "\n".join(["invoice_id | issue_date | owed | currency", *busy, *steady])
        book = Book(drawn_facts(invoice=lines))
        return fit_level(book, at(725), fit_profile(book, at(725))).spread

    assert spread_with(1_500) == pytest.approx(spread_with(150_000))


def test_what_quarters_of_several_entities_have_in_common_is_told(drawn_facts: Draw) -> None:
    """Two entities swing by the quarter together, or one against the other; one alone says nothing of others."""

    def common_of(*busy_in: int) -> float:
        lines = ["invoice_id | entity_id | issue_date | owed"]
        for entity, odd in zip("EF", busy_in, strict=False):
            many_on = {d for d in range(1, 720) if d // 91 % 2 == odd}
            lines += [
                f"{entity}{d}.{n} | {entity} | {d} | {d + 30}:1000"
                for d in range(1, 720) for n in range(3 if d in many_on else 1)
            ]  # fmt: skip
        book = Book(drawn_facts(invoice="\n".join(lines)))
        return fit_level(book, at(725), fit_profile(book, at(725))).common

    together, against, alone = common_of(1, 1), common_of(1, 0), common_of(1)
    assert together == pytest.approx(
        (REHEARSALS + PRIOR_QUARTERS * PRIOR_COMMON) / (REHEARSALS + PRIOR_QUARTERS), abs=0.1
    )
    assert against == pytest.approx(PRIOR_QUARTERS * PRIOR_COMMON / (REHEARSALS + PRIOR_QUARTERS))
    assert alone == PRIOR_COMMON


def test_a_small_series_is_not_thinned_away() -> None:
    """Five thousand replicas are too many to draw; of the other currency's twenty some stay, and stand for all."""
    known = pl.DataFrame({"copies": [0.1] * 5_020, "currency": ["EUR"] * 5_000 + ["USD"] * 20}).with_columns(
        entity_id=pl.lit("E"), invoice_id=pl.int_range(5_020).cast(pl.String), instalment=1, issue_date=pl.lit(FIRST)
    )
    for seed in range(20):
        kept = _thinned(known, seed)
        copies = dict(kept.group_by("currency").agg(pl.col("copies").sum()).iter_rows())
        assert copies == {"EUR": pytest.approx(500.0), "USD": pytest.approx(2.0)}
        assert len(kept) <= MOST_REPLICAS + 2
    assert _thinned(known, 3).equals(_thinned(known, 3))


def test_no_new_business_is_no_silent_zero(drawn_facts: Draw) -> None:
    invoices = "\n".join(f"I{d} | {d} | {d + 10}:1000" for d in range(1, 60))
    paid = "\n".join(f"I{d} | {d + 1} | 1000" for d in range(1, 50))
    book = Book(
        drawn_facts(
            invoice=f"invoice_id | issue_date | owed\n{invoices}",
            allocation=f"invoice_id | date | amount_minor\n{paid}",
        )
    )
    (series,) = ahead(book, 60).forecast().series
    assert series.total is not None
    assert (series.availability, series.total.new_business_minor) == ("full", 0)
    assert series.availability_reason == (
        "no business not yet booked is foretold: the entity has no invoices of a whole quarter to go by"
    )


# --- the whole ----------------------------------------------------------------------------------------------------


def test_the_answer_adds_up(drawn_facts: Draw) -> None:
    told = ahead(Book(many(drawn_facts)), 190).forecast(group="EUR")
    (series,) = told.series
    assert (series.entity_id, series.currency, series.availability) == ("E", "EUR", "pooled")
    assert series.owed_minor == 1000
    assert (len(series.weekly), len(series.daily)) == (WEEKS, HORIZON_DAYS)
    for period in (*series.weekly, *series.daily):
        assert period.mean_minor == period.open_minor + period.orders_minor + period.new_business_minor
        assert list(period.quantiles_minor.values()) == sorted(period.quantiles_minor.values())
    assert series.weekly[0].open_minor == pytest.approx(1000, abs=3), "due on day 193"
    assert series.weekly[0].first_day == at(190).date()
    assert told.group is not None
    assert told.group.total == series.total
    assert json.loads(json.dumps(told.as_json(), default=str))["series"][0]["currency"] == "EUR"


def test_a_series_with_nothing_settled_is_not_answered(drawn_facts: Draw) -> None:
    facts = many(drawn_facts)
    other = drawn_facts(invoice="invoice_id | owed | currency\nU | 200:5000 | USD")
    both = Facts.of(
        {
            "invoice": pl.concat([facts.tables["invoice"], other.tables["invoice"]]),
            "entity": facts.tables["entity"],
            "allocation": facts.tables["allocation"],
        }
    )
    told = ahead(Book(both), 190).forecast(group="EUR")
    eur, usd = told.series
    assert (usd.currency, usd.availability, usd.total, usd.weekly, usd.owed_minor) == ("USD", "none", None, (), 5000)
    assert usd.availability_reason == "0 settled receivables in this currency; a forecast needs 5 or more"
    assert told.group is not None
    assert told.group.left_out == ("E/USD",)
    assert told.group.availability_reason == "left out: E/USD (without a forecast)"
    assert told.group.total == eur.total


def test_a_missing_rate_leaves_a_currency_out_and_says_so(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    group = ahead(book, 190).forecast(group="USD").group
    assert group is not None
    assert (group.availability, group.total, group.left_out) == ("none", None, ("E/EUR",))
    assert group.availability_reason == "left out: E/EUR (without a rate to USD known)"


def test_days_of_the_group_are_the_same_days_everywhere(drawn_facts: Draw) -> None:
    """At 22:00 UTC it is tomorrow already in one of two entities: its first day is the group's second."""
    west, east = (many(drawn_facts).tables[name] for name in ("invoice", "allocation"))
    facts = drawn_facts(entity="entity_id | currency | time_zone\nE | EUR | UTC\nF | EUR | Asia/Tokyo")
    both = {
        "invoice": pl.concat([west, west.with_columns(entity_id=pl.lit("F"))]),
        "allocation": pl.concat([east, east.with_columns(entity_id=pl.lit("F"))]),
        "entity": facts.tables["entity"],
    }
    book, late = Book(Facts.of(both)), at(190) + timedelta(hours=22)
    seen = look_ahead(book, OnDue(), fit_cash(book, late, []), late, draws=100, seed=3)
    told = seen.forecast(group="EUR")
    assert told.group is not None
    assert [s.daily[0].first_day for s in told.series] == [at(190).date(), at(191).date()]
    cash = {(d.first_day, d.open_minor) for d in told.group.daily if d.open_minor}
    due = [{(d.first_day, d.open_minor) for d in s.daily if d.open_minor} for s in told.series]
    assert {day for day, _ in cash} == {day for one in due for day, _ in one}
    assert sum(minor for _, minor in cash) == sum(minor for one in due for _, minor in one)


def test_a_day_begins_for_each_entity_where_it_is(drawn_facts: Draw) -> None:
    """What Berlin learns at 01:55 UTC is of its day itself, though New York's has not begun."""
    entities = "entity_id | currency | time_zone\nE | EUR | Europe/Berlin\nF | EUR | America/New_York"
    berlin = many(drawn_facts, entity=entities).tables
    told = drawn_facts(
        allocation="""allocation_id | entity_id | invoice_id | date | amount_minor | known_at
            x | E | I183 | 190 | 1000 | 190.08
            y | F | I183 | 190 | 1000 | 190.08""",
    ).tables["allocation"]
    both = {
        **{name: pl.concat([berlin[name], berlin[name].with_columns(entity_id=pl.lit("F"))]) for name in PAID},
        "entity": berlin["entity"],
    }
    known, when = at_start_of(Book(Facts.of({**both, "allocation": pl.concat([both["allocation"], told])})), day(190))
    assert when == datetime(2024, 7, 8, 4, tzinfo=UTC)
    owed = known.open_receivables(when)
    assert owed.select("entity_id", "invoice_id", "cutoff_day").rows() == [
        ("E", "I183", day(190)),
        ("F", "I190", day(190)),
    ], "an invoice learnt at midnight UTC is of the day in Berlin, and of the evening before in New York"
    own_parts = pl.concat([berlin["allocation"], told.filter(pl.col("entity_id") == "E")])
    alone, start = at_start_of(Book(Facts.of({**berlin, "allocation": own_parts})), day(190))
    assert start == datetime(2024, 7, 7, 22, tzinfo=UTC), "of an entity without documents no day begins"
    own = alone.features(alone.open_receivables(start)).drop("cutoff")
    assert known.features(owed.filter(pl.col("entity_id") == "E")).drop("cutoff").equals(own)


def test_what_came_after_a_day_began_is_actual_cash(drawn_facts: Draw) -> None:
    """The forecast of Berlin's day did not know it, so the day's cash is it: nothing is lost between the two."""
    entities = "entity_id | currency | time_zone\nE | EUR | Europe/Berlin\nF | EUR | America/New_York"
    facts = many(drawn_facts, entity=entities)
    more = drawn_facts(
        invoice="entity_id | invoice_id | owed\nF | K | 300:100",
        allocation="allocation_id | invoice_id | date | amount_minor | known_at\nx | I183 | 190 | 1000 | 190.08",
    )
    tables = {name: pl.concat([facts.tables[name], more.tables[name]]) for name in PAID}
    book = Book(Facts.of({**facts.tables, **tables}))
    known, when = at_start_of(book, day(190))
    seen = look_ahead(known, OnDue(), fit_cash(known, when, []), when, draws=50, seed=3)
    (told, _) = decompose(seen, book, day(200))
    assert when > at(190)
    assert (told.entity_id, told.actual_minor, told.corrections_minor) == ("E", 1000, 0)


def test_rates_lead_straight_back_and_over_one_in_between(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        invoice="invoice_id | owed\nI | 20:100",
        fx_rate="""currency | to_currency | day | rate
            USD | EUR | 1 | 0.5
            GBP | EUR | 1 | 2
            CHF | EUR | 50 | 1""",
    )
    rates = group_rates(Book(facts), at(10), "USD")
    assert rates == pytest.approx({"USD": 1.0, "EUR": 2.0, "GBP": 4.0})


def test_an_empty_ledger_forecasts_nothing(drawn_facts: Draw) -> None:
    facts = many(drawn_facts)
    assert ahead(Book(facts), -30).forecast(group="EUR").series == ()


# --- scenarios ----------------------------------------------------------------------------------------------------


def test_a_delay_moves_cash_and_loses_none_within_the_horizon(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    base = ahead(book, 190).draws.amount[:, 0, 0].sum(axis=0)
    late = ahead(book, 190, scenario=Scenario(delay=(Delay("E", "A", 20),))).draws.amount[:, 0, 0].sum(axis=0)
    assert late.sum() == base.sum()
    assert (np.flatnonzero(late) - np.flatnonzero(base)).tolist() == [20]


def test_paying_earlier_brings_in_what_came_after_the_horizon(drawn_facts: Draw) -> None:
    """Invoices of the last two months of the horizon are paid after it; a month earlier, half of them are not."""
    weeks = range(1, 400, 7)
    book = Book(
        drawn_facts(
            invoice="invoice_id | issue_date | owed\n" + "\n".join(f"I{d} | {d} | {d + 60}:1000" for d in weeks)
        )
    )
    base, sooner = (ahead(book, 400, scenario=s) for s in (None, Scenario(terms=(Terms("E", -30),))))
    new = (base.claims.head["component"] == NEW).to_numpy()
    issued = base.claims.head["from_day"].to_numpy()[new]
    assert (sooner.claims.median_day[new] == np.minimum(issued + 30, HORIZON_DAYS)).all()
    assert (sooner.claims.median_day[new] < base.claims.median_day[new])[issued < 60].all()


def test_nobody_pays_before_there_is_an_invoice(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    claims = ahead(book, 197, scenario=Scenario(delay=(Delay("E", "A", -40),))).claims
    new = (claims.head["component"] == NEW).to_numpy()
    assert new.any()
    assert (claims.median_day[new] == claims.head["from_day"].to_numpy()[new]).all(), "due in 10 days: at once"


def test_terms_change_what_is_not_invoiced_only(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    base, longer = (ahead(book, 197, scenario=s).claims for s in (None, Scenario(terms=(Terms("E", 30),))))
    opened = (base.head["component"] == OPEN).to_numpy()
    assert (base.cdf[opened] == longer.cdf[opened]).all()
    assert (base.median_day[~opened] + 30).clip(max=HORIZON_DAYS).tolist() == longer.median_day[~opened].tolist()


def test_a_resolved_dispute_is_paid_in_full_on_its_day(drawn_facts: Draw) -> None:
    facts = many(drawn_facts, dispute="dispute_id | invoice_id | opened_on | status\nD | I183 | 185 | open")
    resolved = Resolved("E", ("D",), at(230).date())
    claims = ahead(Book(facts), 190, scenario=Scenario(resolve=(resolved,))).claims
    where = claims.head["invoice_id"].to_list().index("I183")
    assert claims.median_day[where] == 40
    assert claims.head["amount_minor"][where] == 1000


def test_a_rate_of_the_scenario_counts(drawn_facts: Draw) -> None:
    seen = ahead(Book(many(drawn_facts)), 190, scenario=Scenario(fx=(Rate("EUR", "USD", 1.5),)))
    group = seen.forecast(group="USD").group
    assert group is not None
    assert group.rates == {"EUR": 1.5}


def test_a_dispute_about_what_is_paid_cannot_be_resolved(drawn_facts: Draw) -> None:
    facts = many(drawn_facts, dispute="dispute_id | invoice_id | opened_on | status\nD | I1 | 185 | open")
    with pytest.raises(NotFound, match="'D' is about 'I1', of which nothing is open"):
        ahead(Book(facts), 190, scenario=Scenario(resolve=(Resolved("E", ("D",), at(230).date()),)))


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (None, "its rates lead to USD, and no group currency is asked for; ask for one of them"),
        ("GBP", "its rates lead to USD, and the group currency asked for is GBP"),
    ],
)
def test_rates_that_would_change_nothing_are_refused(drawn_facts: Draw, group: str | None, said: str) -> None:
    seen = ahead(Book(many(drawn_facts)), 190, scenario=Scenario(fx=(Rate("EUR", "USD", 1.5),)))
    with pytest.raises(BadSetting, match=said):
        seen.forecast(group=group)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rate("EUR", "EUR", 1.5), "a rate from EUR to EUR; allowed: two different currencies"),
        (lambda: Rate("EUR", "USD", 0.0), "the rate from EUR to USD is 0.0; allowed: above 0"),
        (lambda: Delay("E", "A", -92), "days is -92; allowed: -91 .earlier. to 3660"),
        (lambda: Resolved("E", (), FIRST), "resolve names no dispute; allowed: the ids of one or more"),
        (lambda: Terms("E", 10**30), "days is 10+; allowed: -91 .earlier. to 3660"),
    ],
)
def test_a_change_that_cannot_be_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        make()


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (Scenario(delay=(Delay("E", "nobody", 5),)), "customer 'nobody' of 'E' owes nothing"),
        (Scenario(terms=(Terms("X", 5),)), "no entity 'X' with anything to come; there are: E"),
        (Scenario(resolve=(Resolved("E", ("D9",), FIRST),)), "'D9' is no open dispute on an invoice of 'E'"),
    ],
)
def test_a_scenario_about_what_is_not_there_is_refused(drawn_facts: Draw, scenario: Scenario, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        ahead(Book(many(drawn_facts)), 190, scenario=scenario)


def test_a_scenario_file_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "slower.yaml"
    path.write_text(
        "name: slower\ndelay:\n- {entity: DE01, customer: C1, days: 10}\n"
        "resolve:\n- {entity: DE01, disputes: [D1], day: 2026-02-01}\nfx:\n- {currency: USD, to: EUR, rate: 0.9}\n"
    )
    told = read_scenario(path)
    assert told.delay == (Delay("DE01", "C1", 10),)
    assert told.resolve == (Resolved("DE01", ("D1",), date(2026, 2, 1)),)
    path.write_text("delay:\n- {entity: DE01, custmer: C1, days: 10}\n")
    with pytest.raises(BadSetting, match=r"slower.yaml line 2: unknown key .*custmer.*did you mean 'customer'"):
        read_scenario(path)
    path.write_text("resolve:\n- {entity: DE01, disputes: [D1], day: 1 May}\n")
    with pytest.raises(BadSetting, match=r"line 2: resolve\[0\].day is '1 May'; allowed: a day written as YYYY-MM-DD"):
        read_scenario(path)
    with pytest.raises(NotFound, match="cannot be read"):
        read_scenario(tmp_path / "absent.yaml")


# --- learnt from the past -----------------------------------------------------------------------------------------


def week(ahead: int, drawn: np.ndarray, actual: float) -> Week:
    return Week(ahead, drawn, actual, place=0.5)


def test_factors_follow_past_weeks_and_stay_at_one_without() -> None:
    assert fit_spread([]) == Spread()
    drawn, came = (ndtri((np.arange(n) + 0.5) / n) for n in (400, 2_000))
    told = fit_spread([week(0, 100.0 + 10.0 * drawn, 90.0 + 18.0 * z) for z in came])
    assert told.level[0] == pytest.approx(0.9, abs=0.01)
    assert told.spread[0] == pytest.approx(2.0, rel=0.07), "18 of the 9 that a level of 0.9 leaves of 10"
    assert told.spread[4:] == (1.0,) * (WEEKS - 4)
    changed = told.apply(np.tile([[8.0], [12.0]], (1, HORIZON_DAYS)))
    assert changed[:, 0].mean() == pytest.approx(10 * told.level[0])


def test_factors_are_those_under_which_lumpy_weeks_are_covered() -> None:
    """Of draws near nothing the lower half cannot widen: a factor read off a bell curve would not do."""
    rng = np.random.default_rng(2)
    weeks = [week(0, rng.gamma(0.5, 100.0, 300), a) for a in 2.0 * rng.gamma(0.5, 100.0, 1_500)]
    told = fit_spread(weeks)
    again = [told.level[0] * (w.drawn.mean() + (w.drawn - w.drawn.mean()) * told.spread[0]) for w in weeks]
    places = pit(np.maximum(np.stack(again, axis=1), 0.0), *(np.array([getattr(w, n) for w in weeks]) for n in PLACED))
    assert coverage(places, 80) + coverage(places, 95) == pytest.approx(1.75, abs=0.03)


def test_a_week_in_which_nothing_could_come_teaches_nothing() -> None:
    assert fit_spread([week(0, np.zeros(10), 5.0)]) == Spread()


def test_a_handful_of_weeks_changes_little_and_none_goes_beyond_the_bounds() -> None:
    drawn = np.linspace(90.0, 110.0, 101)
    few, many_weeks = (fit_spread([week(0, drawn, 100.0 + 900.0 * (-1) ** k) for k in range(n)]) for n in (2, 2_000))
    assert few.spread[0] < 1.2
    assert 2.9 < many_weeks.spread[0] <= 3.0


def test_the_model_comes_back_as_it_was_saved(drawn_facts: Draw, tmp_path: Path) -> None:
    fitted = fit_cash(Book(many(drawn_facts)), at(190), [], rests_on="payment-date/1")
    dependence, group = Dependence(0.1, 0.2, 0.3, {("E", "A"): 0.4}), Spread(spread=(1.2,) * WEEKS)
    told = replace(fitted, dependence=dependence, group_spread=group, lasting=Level(0.1, 0.5))
    told.save(tmp_path)
    assert CashModel.load(tmp_path) == told


def test_what_series_miss_together_widens_their_sum(drawn_facts: Draw) -> None:
    """Each series is calibrated; what comes of one comes of the other, and their sum varies by the root of 2 more."""
    book, rng = Book(many(drawn_facts)), np.random.default_rng(3)
    pasts = []
    for z in ndtri((np.arange(600) + 0.5) / 600):
        totals, actual = 100.0 + 10.0 * rng.standard_normal((200, 2, WEEKS)), np.full((2, WEEKS), 100.0 + 10.0 * z)
        series = [("E", "EUR"), ("F", "EUR")]
        pasts.append(PastAgain(at(190), series, totals, actual, rng.random(actual.shape), ended=4))
    assert fit_spread([w for p in pasts for w in p.weeks()]).spread[0] == pytest.approx(1.0, abs=0.08)
    told = fit_spread([w for p in pasts for w in p.together(book).weeks()])
    assert told.spread[0] == pytest.approx(2**0.5, rel=0.08)
    assert told.spread[4:] == (1.0,) * (WEEKS - 4)


def lasting_pasts(off: float, rng: np.random.Generator, ended: int = WEEKS) -> list[PastAgain]:
    """Weeks of 100 +- 10 each; what came of all weeks of a series was off by one factor."""
    pasts = []
    for _ in range(100):
        totals = 100.0 + 10.0 * rng.standard_normal((100, 2, WEEKS))
        factor = np.exp(off * rng.standard_normal((2, 1)))
        actual = factor * (100.0 + 10.0 * rng.standard_normal((2, WEEKS)))
        pasts.append(PastAgain(at(190), [("E", "EUR"), ("F", "EUR")], totals, actual, rng.random((2, WEEKS)), ended))
    return pasts


def test_errors_that_last_widen_sums_of_weeks() -> None:
    rng = np.random.default_rng(4)
    pasts = lasting_pasts(0.1, rng)
    told = fit_lasting(pasts, 0.4, seed=1)
    assert told.spread == pytest.approx(0.1, abs=0.025)
    assert told.common == 0.4
    again = lifted_again(pasts[0], told, 1)
    assert again.totals.sum(axis=-1).std() > 1.8 * pasts[0].totals.sum(axis=-1).std()
    assert (again.totals == lifted_again(pasts[0], told, 1).totals).all()


def test_errors_of_single_weeks_last_no_longer() -> None:
    rng = np.random.default_rng(5)
    assert fit_lasting(lasting_pasts(0.0, rng), 0.4, seed=1).spread < 0.02
    assert fit_lasting(lasting_pasts(0.1, rng, ended=3), 0.4, seed=1) == CERTAIN, "three weeks tell nothing"
    assert fit_lasting([], 0.4, seed=1) == CERTAIN


@pytest.mark.parametrize("content", ["{", "{}", '{"format": 99}', "[]"])
def test_a_damaged_model_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "cash.json").write_text(content)
    with pytest.raises(StateError, match=r"cash\.json"):
        CashModel.load(tmp_path)


# --- what it has to beat ------------------------------------------------------------------------------------------


def test_baselines_by_hand(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    series = (("E", "EUR"),)
    assert due_plus_delay(book, at(190), series)[0, :3].tolist() == [1000, 1000, 1000]
    assert four_weeks(book, at(190), series)[0].tolist() == [1000] * WEEKS
    assert last_year(book, at(190), series)[0].tolist() == [0] * WEEKS


# --- why it was off -----------------------------------------------------------------------------------------------


def test_why_a_forecast_was_off(drawn_facts: Draw) -> None:
    facts = many(drawn_facts, dispute="dispute_id | invoice_id | opened_on | status\nD | I190 | 195 | open")
    seen = ahead(Book(facts), 191)
    more = drawn_facts(allocation="allocation_id | invoice_id | date | amount_minor\nx | I183 | 215 | 1000")
    later = {**facts.tables, "allocation": pl.concat([facts.tables["allocation"], more.tables["allocation"]])}
    (told,) = decompose(seen, Book(Facts.of(later)), at(205).date())
    assert told.actual_minor == 0
    assert told.timing_minor == pytest.approx(1000, abs=2), "it came after the period"
    assert told.disputes_minor == pytest.approx(1000, abs=2)
    assert sum(told.parts_minor.values()) == told.forecast_minor - told.actual_minor


def test_the_rest_of_a_part_payment_is_a_matter_of_time(drawn_facts: Draw) -> None:
    facts = many(drawn_facts)
    seen = ahead(Book(facts), 191)
    more = drawn_facts(
        allocation="allocation_id | invoice_id | date | amount_minor\nx | I183 | 195 | 600\ny | I183 | 215 | 400"
    )
    later = Facts.of({**facts.tables, "allocation": pl.concat([facts.tables["allocation"], more.tables["allocation"]])})
    early, whole = (decompose(seen, Book(later), at(day).date())[0] for day in (205, 230))
    base = early.timing_minor - 400
    assert base == pytest.approx(1000, abs=2), "I190, which nobody paid"
    assert (early.amount_minor, whole.amount_minor) == (0, 0)


def test_a_period_beyond_the_forecast_is_refused(drawn_facts: Draw) -> None:
    book = Book(many(drawn_facts))
    with pytest.raises(BadInput, match="allowed: 1 to 91 days after"):
        decompose(ahead(book, 190), book, at(190).date())
