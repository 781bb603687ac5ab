"""The KPIs of collections against numbers computed by hand, on ledgers that are drawn here.

As of day 101 over 90 days the period is days 11 to 100.
"""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from features.book import Book
from features.errors import BadInput, BadSetting
from features.facts import Facts
from features.kpis.ageing import ageing, ageing_schema
from features.kpis.buckets import BUCKETS, LABELS, OLDEST, bucket_of
from features.kpis.catalogue import KPIS, collection_effectiveness, dso_worth
from features.kpis.engine import CollectionKpis, KpiValue, collection_kpis
from features.kpis.measures import MEASURES
from features.kpis.rounding import half_up, to_decimals
from features.kpis.settings import KpiSettings
from features.kpis.views import VIEWS
from features.lake import Lake
from features.tables import TABLES
from pipelines.cli import run
from pipelines.kpis.collections_screen import HEADINGS, SECTIONS, _grouped, _largest
from pipelines.screen import WIDTH

Draw = Callable[..., Facts]
Day = Callable[[str], date]

LEDGER = """known_at | invoice_id | issue_date | owed
 1 | old  | 1  | 5:10000
 20 | paid | 20 | 50:4000
 30 | late | 30 | 60:3000
 90 | due  | 90 | 101:6000
 95 | split | 95 | 100:500 130:500"""
CASH = """invoice_id | known_at | date | amount_minor
 old | 10 | 10 | 2000
 old | 11 | 11 | 1000
 old | 40 | 40 | 4000
 paid | 70 | 70 | 4000"""


def figures(found: CollectionKpis, **where: object) -> dict[str, KpiValue]:
    """KPI -> row, of the one group that `where` names."""
    rows = [r for r in found.rows if all(getattr(r, name) == value for name, value in where.items())]
    assert len({(r.entity_id, r.currency, r.group, r.converted) for r in rows}) == 1, where
    return {r.kpi: r for r in rows}


def values(found: CollectionKpis, *names: str, **where: object) -> list[str | None]:
    rows = figures(found, **where)
    return [None if rows[n].value is None else str(rows[n].value) for n in names]


def as_of(facts: Facts, on: date, **options: object) -> CollectionKpis:
    return collection_kpis(Book(facts), on, **options)  # type: ignore[arg-type]


def test_a_ledger_by_hand(drawn_facts: Draw, day: Day) -> None:
    found = as_of(drawn_facts(invoice=LEDGER, allocation=CASH), day("101"))
    # old 3,000 open 96 days past due; late 3,000 open 41; due today and in 29 days; split's first is 1 day past due
    ageing = [f"ageing_{b.name}" for b in BUCKETS]
    assert values(found, "ar", *ageing) == ["130.00", "65.00", "5.00", "30.00", "0.00", "30.00"]
    assert values(found, "beginning_ar", "credit_sales") == ["80.00", "140.00"]
    assert values(found, "dso", "best_possible_dso", "add") == ["83.57", "41.79", "41.79"]
    assert values(found, "cei", "dso_worth", "past_due_share") == ["58.06", "1.56", "0.5000"]
    assert values(found, "open_count", "net_ar") == ["5", "130.00"]


def test_the_golden_numbers() -> None:
    told = dict.fromkeys((f"open_{b.name}" for b in BUCKETS), Fraction(0))
    told |= {"beginning_ar": Fraction(100), "credit_sales": Fraction(120), "open_current": Fraction(60)}
    assert collection_effectiveness(told | {"open_over_90": Fraction(30)}) == Fraction("81.25")
    year = {"credit_sales": Fraction(50_000_000_000), "period_days": Fraction(365), "worth_days": Fraction(5)}
    worth = dso_worth(year)
    assert worth is not None
    assert half_up(worth) == 684_931_507  # 6.85 M


def test_the_day_a_receivable_changes_its_bucket(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(invoice="known_at | owed\n 1 | 10:100")
    book = Book(facts)

    def bucket(on: str) -> str:
        rows = ageing(book, day(on)).filter(open_minor=100)
        return str(rows["bucket"].item())

    edges = {"10": "current", "11": "1-30", "40": "1-30", "41": "31-60", "70": "31-60", "71": "61-90", "100": "61-90"}
    assert {on: bucket(on) for on in edges} == edges
    assert bucket("101") == OLDEST


def test_what_is_overpaid_negative_or_credited_stands_apart_and_is_never_lost(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | over | 5:100\n 1 | minus | 5:-40\n 1 | plain | 5:70",
        credit_note="known_at | credit_note_id | issue_date | amount_minor\n 3 | C | 3 | -50",
        payment="known_at | payment_id | value_date | amount_minor\n 6 | P | 6 | 200\n 7 | Q | 7 | -15",
        allocation="""kind | from_id | invoice_id | known_at | date | amount_minor
 payment | P | over | 6 | 6 | 130
 credit_note | C | plain | 6 | 6 | 20""",
    )
    aged = ageing(Book(facts), day("9")).filter(bucket="1-30").row(0, named=True)
    assert (aged["open_minor"], aged["debit_minor"], aged["credit_minor"]) == (-20, 50, -70)
    found = as_of(facts, day("9"))
    # 200 - 130 allocated - 15 refunded; -50 + 20 allocated; -0.20 - 0.30 - 0.55
    assert values(found, "ar", "unapplied_cash", "credit_notes_open", "net_ar") == ["-0.20", "0.55", "-0.30", "-1.05"]
    assert figures(found)["past_due_share"].availability_reason == "nothing is owed"


def test_division_by_nothing_is_null_with_the_reason(drawn_facts: Draw, day: Day) -> None:
    found = as_of(
        drawn_facts(invoice="known_at | owed\n 1 | 5:100", allocation="known_at | date | amount_minor\n 6 | 6 | 100"),
        day("301"),
    )
    rows = figures(found)
    none = {name: row.availability_reason for name, row in rows.items() if row.availability == "none"}
    assert none["dso"] == none["add"] == none["dso_worth"] == "no credit sales in the period"
    assert none["cei"] == "nothing was there to collect"
    assert none["cycle_days_median"] == "no invoice was settled in the period"
    assert all(rows[name].value is None and rows[name].minor is None for name in none)
    assert rows["ar"].value == 0


def test_only_credit_notes_and_an_entity_without_anything(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        entity="entity_id | currency\n E | EUR\n F | EUR",
        credit_note="known_at | credit_note_id | issue_date | amount_minor\n 3 | C | 3 | -50",
    )
    found = as_of(facts, day("9"), group_currency="EUR")
    assert values(found, "ar", "net_ar", "credit_notes_open", "dso", converted=False) == [
        "0.00",
        "-0.50",
        "-0.50",
        None,
    ]
    assert found.silent == ["F"]


def test_roll_rates_over_a_step_of_thirty_days(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="""known_at | invoice_id | owed
 1 | stays | 50:100
 1 | rolls | 20:100
 1 | part | 22:200
 1 | paid | 24:300
 1 | two | 1:50""",
        allocation="invoice_id | known_at | date | amount_minor\n part | 35 | 35 | 150\n paid | 36 | 36 | 300",
    )
    rows = figures(as_of(facts, day("61")))  # a step before: day 31
    assert rows["roll_current"].value == Decimal("1.0000")  # due on day 50: 11 days past due
    assert rows["roll_1_30"].value == Decimal("0.3077")  # 100 + 50 + 50 of 100 + 200 + 300 + 50
    assert rows["roll_31_60"].availability_reason == "nothing was owed in 31-60 a step ago"


PROMISES = """known_at | promise_id | made_on | promised_for | amount_minor | invoice_id
 2 | kept | 2 | 20 | 100 | I
 2 | late | 2 | 20 | 100 | J
 2 | short | 2 | 20 | 100 | K
 2 | void | 2 | 20 | 100 | L
 2 | account | 10 | 20 | 100 | -
 2 | open | 2 | 98 | 100 | J"""


def test_promises_are_judged_by_the_ledger_with_a_tolerance(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        promise=PROMISES,
        invoice="known_at | invoice_id | owed\n 1 | I | 9:100\n 1 | J | 9:100\n 1 | K | 9:100\n 1 | L | 9:100",
        allocation="""invoice_id | kind | known_at | date | amount_minor
 I | payment | 19 | 19 | 100
 J | payment | 30 | 22 | 100
 K | payment | 19 | 19 | 60
 L | credit_note | 10 | 10 | 100""",
    )
    strict = as_of(facts, day("99"), settings=KpiSettings(tolerance_days=1))
    assert values(strict, "promise_kept_share", "promise_kept_amount_share") == [
        "0.5000",
        "0.5000",
    ]  # I and the account
    lenient = as_of(facts, day("99"), settings=KpiSettings(tolerance_days=2))
    assert values(lenient, "promise_kept_share") == ["0.7500"]
    assert values(as_of(facts, day("25"), settings=KpiSettings(tolerance_days=2)), "promise_kept_share") == ["0.5000"]


def test_what_is_opened_again_later_was_settled_as_of_a_day_before(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        order="known_at | order_id | order_date | amount_minor | status\n 1 | O | 1 | 100 | billed",
        invoice="known_at | issue_date | order_id | owed\n 3 | 3 | O | 9:100",
        allocation="""allocation_id | known_at | date | amount_minor | deleted
 a | 11 | 10 | 100 | no
 a | 30 | 10 | 100 | yes
 b | 40 | 40 | 100 | no""",
    )
    cycle = ("settled_count", "cycle_days_median", "cycle_days_p90")
    assert values(as_of(facts, day("20")), *cycle) == ["1", "10.00", "10.00"]
    assert values(as_of(facts, day("35")), *cycle) == ["0", None, None]
    assert values(as_of(facts, day("50")), *cycle) == ["1", "39.00", "39.00"]


def test_deductions_from_disputes_say_what_they_leave_out(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | owed\n 1 | 9:800",
        dispute="""known_at | dispute_id | invoice_id | opened_on | amount_minor | status
 20 | a | I | 20 | 300 | open
 30 | b | I | 30 | - | open
 40 | c | - | 40 | - | open
 50 | d | I | 50 | 400 | rejected""",
    )
    rows = figures(as_of(facts, day("101")))
    # 300 named, and what else is open of the invoice: 500
    assert (rows["deductions_open"].value, rows["deductions_open"].availability) == (Decimal("8.00"), "partial")
    assert str(rows["deductions_open"].availability_reason).startswith("leaves out 1 open dispute(s) without an amount")
    assert rows["days_deductions_outstanding"].value == Decimal("60.00")  # 800 / (1,200 / 90)


def test_two_cases_without_an_amount_are_about_one_invoice_once(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | I | 9:1000\n 1 | J | 9:500",
        dispute="""known_at | dispute_id | invoice_id | opened_on | amount_minor | status
 20 | a | I | 20 | - | open
 30 | b | I | 30 | - | open
 30 | c | J | 30 | 700 | open
 30 | d | J | 30 | - | open""",
    )
    rows = figures(as_of(facts, day("101")))
    assert (rows["ar"].value, rows["deductions_open"].value) == (Decimal("15.00"), Decimal("17.00"))  # c names more
    assert rows["deductions_open"].availability == "full"


CURRENCIES = {
    "entity": "entity_id | currency | time_zone\n E | EUR | UTC\n F | USD | UTC",
    "invoice": """entity_id | known_at | invoice_id | currency | owed
 E | 1 | a | EUR | 200:1000
 E | 1 | b | USD | 200:1001
 F | 1 | c | USD | 200:1003
 F | 1 | d | JPY | 200:500""",
}
RATES = """fx_rate_id | entity_id | known_at | currency | to_currency | day | rate
 r | E | 2 | USD | EUR | 2 | 0.5
 s | E | 4 | USD | EUR | 4 | 0.9"""


def test_group_currency_at_the_days_rate_with_each_cell_rounded_once(drawn_facts: Draw, day: Day) -> None:
    found = as_of(drawn_facts(fx_rate=RATES, **CURRENCIES), day("4"), group_currency="EUR")
    assert values(found, "ar", entity_id="E", converted=True) == ["15.01"]  # 1,000 + 500.5: halves away from zero
    f = figures(found, entity_id="F", converted=True)["ar"]
    assert (f.value, f.availability) == (Decimal("5.02"), "partial")
    assert f.availability_reason == "leaves out JPY of F (no rate to EUR known)"
    everything = figures(found, entity_id=None)["ar"]
    assert (everything.value, everything.availability) == (Decimal("20.03"), "partial")


def test_without_any_rate_there_is_no_figure_and_never_a_zero(drawn_facts: Draw, day: Day) -> None:
    found = as_of(drawn_facts(**CURRENCIES), day("4"), group_currency="EUR")
    f = figures(found, entity_id="F", converted=True)
    assert {(f[n].value, f[n].availability) for n in ("ar", "dso", "net_ar", "dso_worth")} == {(None, "none")}
    assert f["ar"].availability_reason == "cannot tell JPY of F (no rate to EUR known); USD of F (no rate to EUR known)"
    assert (f["ageing_1_30"].value, f["ageing_1_30"].availability) == (Decimal("0.00"), "full")  # nothing is nothing
    with pytest.raises(BadInput, match="unknown currency"):
        as_of(drawn_facts(**CURRENCIES), day("4"), group_currency="ZZZ")


def test_a_currency_without_a_rate_of_its_own_goes_over_the_entitys(drawn_facts: Draw, day: Day) -> None:
    across = RATES + "\n t | F | 2 | JPY | USD | 2 | 0.01"
    found = as_of(drawn_facts(fx_rate=across, **CURRENCIES), day("4"), group_currency="EUR")
    assert values(found, "ar", entity_id="F", converted=True) == ["7.52"]  # 500 JPY are 5.00 USD are 2.50 EUR; 5.015


def test_groups_of_customers_as_they_stood(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        customer="""known_at | customer_id | segment | parent_id | collector
 0 | A | retail | P | ann
 0 | B | retail | P | bob
 9 | A | trade | P | bob""",
        invoice="known_at | invoice_id | customer_id | owed\n 1 | a | A | 50:1\n 1 | b | B | 50:2\n 1 | c | C | 50:4",
    )

    def owed(by: str, on: str) -> dict[str | None, int | None]:
        return {r.group: r.minor for r in as_of(facts, day(on), by=by).rows if r.kpi == "ar"}

    assert owed("segment", "5") == {"retail": 3, None: 4}
    assert owed("segment", "10") == {"trade": 1, "retail": 2, None: 4}
    assert owed("collector", "10") == {"bob": 3, None: 4}
    assert owed("parent", "10") == {"P": 3, None: 4}
    assert owed("customer", "10") == {"A": 1, "B": 2, "C": 4}
    assert owed("currency", "10") == owed("entity", "10") == {None: 7}


def test_two_entities_customers_of_one_id_have_attributes_of_their_own(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        entity="entity_id | currency\n E | EUR\n F | EUR",
        customer="known_at | entity_id | customer_id | segment\n 0 | E | A | retail\n 0 | F | A | trade",
        invoice="known_at | entity_id | owed\n 1 | E | 50:1\n 1 | F | 50:2",
    )
    rows = [r for r in as_of(facts, day("5"), by="segment").rows if r.kpi == "ar"]
    assert {(r.entity_id, r.group, r.minor) for r in rows} == {("E", "retail", 1), ("F", "trade", 2)}


def test_no_more_rolls_on_than_was_owed_before(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | I | 50:100",
        allocation="""allocation_id | known_at | date | amount_minor | deleted
 a | 25 | 25 | 40 | no
 a | 45 | 25 | 40 | yes""",
    )
    rows = figures(as_of(facts, day("61")))  # 60 open a step before, 100 now: the payment went back
    assert rows["roll_current"].value == Decimal("1.0000")


def test_what_was_settled_in_the_instant_a_period_began_is_in_it(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | issue_date | owed\n 1 | 1 | 9:100",
        allocation="known_at | date | amount_minor\n 11 | 10 | 100",
    )
    assert values(as_of(facts, day("101")), "settled_count") == ["1"]  # days 11 to 100
    assert values(as_of(facts, day("11")), "settled_count") == ["0"]
    assert values(as_of(facts, day("102")), "settled_count") == ["0"]


def test_a_day_starts_where_the_entity_is(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        entity="entity_id | currency | time_zone\n E | EUR | UTC\n F | EUR | America/New_York",
        invoice="entity_id | known_at | issue_date | owed\n E | 9.1 | 9 | 20:1\n F | 9.1 | 9 | 20:1",
    )
    assert {r.entity_id for r in as_of(facts, day("9")).rows} == {"F"}  # 02:24 UTC is still yesterday there


def test_what_cannot_be_asked_is_refused_with_what_can(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(invoice="known_at | owed\n 1 | 5:100")
    with pytest.raises(BadSetting, match="allowed: entity, currency, segment"):
        as_of(facts, day("9"), by="planet")
    with pytest.raises(BadSetting, match="allowed: customer_id, segment"):
        ageing(Book(facts), day("9"), by=("planet",))
    with pytest.raises(BadSetting, match="days is 0; allowed: 1 to 3660"):
        KpiSettings(days=0)


def test_an_empty_ledger_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    for command in (["kpis", "collections"], ["kpis", "provision"], ["export", "--to", str(tmp_path / "star")]):
        for day in ([], ["--as-of", "2024-04-10"]):
            assert run([*command, *day]) == 2
            assert "the ledger is empty" in capsys.readouterr().err


def test_every_measure_has_a_view_and_a_kpi_and_every_kpi_a_place_on_the_screen() -> None:
    assert {m.view for m in MEASURES.values()} == set(VIEWS)
    assert {name for kpi in KPIS for name in kpi.needs} == set(MEASURES)
    assert {name for names in SECTIONS.values() for name in names} == {kpi.name for kpi in KPIS} == set(HEADINGS)
    assert all(kpi.title and kpi.formula for kpi in KPIS)
    assert len({kpi.name for kpi in KPIS}) == len(KPIS)


def test_rounding_is_away_from_zero_and_once() -> None:
    assert [half_up(Fraction(n, 2)) for n in (-3, -1, 1, 3)] == [-2, -1, 1, 2]
    assert str(to_decimals(Fraction(2, 3), 2)) == "0.67"
    assert [b.label for b in BUCKETS] == list(LABELS)
    assert bucket_of("x") is not None
    assert list(ageing_schema(("segment",)))[:4] == ["entity_id", "currency", "segment", "bucket"]


@pytest.fixture
def lake(drawn_facts: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake with the ledger, which the commands find."""
    facts, place = drawn_facts(invoice=LEDGER, allocation=CASH, fx_rate=RATES), Lake(tmp_path / "lake")
    for declared in TABLES:
        place.append(declared, facts.tables[declared.name])
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DUECAST_MLRUNS", str(tmp_path / "mlruns"))
    return tmp_path


def test_the_command_shows_and_writes_the_same(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = lake / "kpis.json"
    told = [
        "kpis",
        "collections",
        "--as-of",
        "2024-04-10",
        "--group-currency",
        "USD",
        "--definitions",
        "--json",
        str(out),
    ]
    assert run(told) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert all(text in shown for text in ("83.57", "58.06 %", "50.00 %", "best_possible_dso: Best possible DSO, days"))
    written = json.loads(out.read_text())
    assert written["definitions"].keys() == {kpi.name for kpi in KPIS}
    assert {r["value"] for r in written["rows"] if r["kpi"] == "dso"} == {"83.57"}


def test_the_largest_are_chosen_in_one_currency_and_converted_rows_take_no_places(drawn_facts: Draw, day: Day) -> None:
    """4000 JPY are 1000 EUR here, and 1000 USD are 500; by number of minor units C would come before B."""
    facts = drawn_facts(
        invoice="""known_at | invoice_id | customer_id | currency | owed
 1 | a | A | USD | 20:300000
 1 | b | B | JPY | 20:4000
 1 | b2 | B2 | JPY | 20:400
 1 | c | C | USD | 20:100000
 1 | a2 | A | JPY | 20:1""",
        fx_rate="currency | to_currency | day | rate\n JPY | EUR | 1 | 0.25\n USD | EUR | 1 | 0.5",
    )
    book = Book(facts)

    def shown(limit: int, group_currency: str | None) -> list[tuple[str | None, str]]:
        found = collection_kpis(book, day("11"), by="customer", group_currency=group_currency)
        return [(group, currency) for _, currency, group, _ in _largest(_grouped(found.rows), limit)]

    own = [("A", "JPY"), ("A", "USD"), ("B", "JPY")]
    assert shown(2, "EUR") == [*own, ("A", "EUR"), ("B", "EUR"), (None, "EUR")]
    assert shown(2, None) == [("B", "JPY"), ("A", "USD")]
    by_currency = collection_kpis(book, day("11"), by="currency", group_currency="EUR")
    assert [key[1] for key in _largest(_grouped(by_currency.rows), 1)] == ["JPY", "EUR"]
    everybody = [("A", "JPY"), ("B", "JPY"), ("B2", "JPY"), ("A", "USD"), ("C", "USD")]
    assert shown(5, None) == everybody, "in their own order"


def test_the_export_command_writes_a_folder(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "--to", str(lake / "star"), "--as-of", "2024-04-10"]) == 0
    assert "fact_receivable" in capsys.readouterr().out
    assert (lake / "star" / "fact_receivable.parquet").is_file()
    assert run(["export", "--to", "postgresql://127.0.0.1/x", "--format", "delta"]) == 2
    assert "does not go with a database" in capsys.readouterr().err
