"""The provision matrix: golden, tied to the ageing, and never silent about what it cannot tell."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from features.book import Book
from features.errors import BadSetting, NotFound
from features.facts import Facts
from features.kpis.ageing import ageing
from features.kpis.buckets import LABELS
from features.kpis.loss_rates import LossRates, derived_rates
from features.kpis.provision import provision, provisioned, total
from features.lake import Lake
from features.tables import TABLES
from pipelines.cli import run
from pipelines.kpis.rates_file import read_rates
from pipelines.screen import WIDTH

Draw = Callable[..., Facts]
Day = Callable[[str], date]

GOLDEN = LossRates(
    {"current": Decimal("0.015"), "1-30": Decimal("0.034"), "31-60": Decimal("0.071"), "61-90": Decimal("0.108")}
)
LEDGER = """known_at | invoice_id | owed
 1 | a | 120:700000000
 1 | b | 90:400000000
 1 | c | 60:250000000
 1 | d | 30:100000000"""


def test_the_golden_matrix(drawn_facts: Draw, day: Day) -> None:
    cells = provision(Book(drawn_facts(invoice=LEDGER)), day("101"), [GOLDEN])
    assert cells["provision_minor"].to_list() == [10_500_000, 13_600_000, 17_750_000, 10_800_000, 0]
    assert total(cells).row(0, named=True) == {
        "entity_id": "E",
        "currency": "EUR",
        "open_minor": 1_450_000_000,
        "debit_minor": 1_450_000_000,
        "credit_minor": 0,
        "provision_minor": 52_650_000,  # 526,500.00
        "missing_minor": 0,
        "availability": "full",
        "availability_reason": None,
    }


def test_a_bucket_without_a_rate_has_no_provision_and_says_so(drawn_facts: Draw, day: Day) -> None:
    book = Book(drawn_facts(invoice=LEDGER))
    cells = provision(book, day("131"), [GOLDEN])  # a month later d is in the oldest bucket
    oldest = cells.filter(bucket="90+").row(0, named=True)
    assert (oldest["provision_minor"], oldest["availability"]) == (None, "none")
    assert oldest["availability_reason"] == "90+: no loss rate is given"
    summed = total(cells).row(0, named=True)
    assert (summed["provision_minor"], summed["missing_minor"]) == (None, 100_000_000)
    assert (summed["availability"], summed["availability_reason"]) == ("none", "90+: no loss rate is given")
    nobody = provision(book, day("131"), [LossRates({"90+": Decimal(1)}, entity_id="F")])
    assert set(nobody.filter(availability="none")["availability_reason"].str.slice(-17)) == {"loss rates fit it"}


def test_credits_are_not_set_off_and_the_cells_tie_to_the_ledger(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(invoice="known_at | invoice_id | owed\n 1 | a | 120:333\n 1 | b | 120:-200")
    book = Book(facts)
    cells = provision(book, day("101"), [GOLDEN])
    current = cells.row(0, named=True)
    assert (current["open_minor"], current["debit_minor"], current["credit_minor"]) == (133, 333, -200)
    assert current["provision_minor"] == 5  # 4.995, rounded once
    aged = ageing(book, day("101"))
    assert cells.select(aged.columns).equals(aged)


def test_halves_go_up_and_the_factor_stops_at_everything(drawn_facts: Draw, day: Day) -> None:
    aged = ageing(Book(drawn_facts(invoice="known_at | owed\n 1 | 120:100")), day("101"))
    half = [LossRates({"current": Decimal("0.005")})]
    assert provisioned(aged, half)["provision_minor"][0] == 1
    assert provisioned(aged, half, factor=Decimal("0.99"))["provision_minor"][0] == 0
    assert provisioned(aged, half, factor=Decimal(1000))["provision_minor"][0] == 100
    with pytest.raises(BadSetting, match="forward-looking factor is 0"):
        provisioned(aged, half, factor=Decimal(0))


def test_the_narrowest_rates_count_bucket_by_bucket(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        customer="known_at | customer_id | segment\n 0 | A | retail\n 0 | B | trade",
        invoice="""known_at | invoice_id | customer_id | owed
 1 | a | A | 120:1000
 1 | b | B | 120:1000
 1 | c | A | 90:1000""",
    )
    rates = [GOLDEN, LossRates({"current": Decimal("0.5")}, segment="retail")]
    cells = provision(Book(facts), day("101"), rates, by=("segment",)).filter(provision_minor=0)
    told = provision(Book(facts), day("101"), rates, by=("segment",)).select("segment", "bucket", "provision_minor")
    assert {row for row in told.iter_rows() if row[2]} == {
        ("retail", "current", 500),
        ("retail", "1-30", 34),
        ("trade", "current", 15),
    }
    assert cells.height == 7


@pytest.mark.parametrize("rate", ["-0.1", "1.1", "NaN"])
def test_a_rate_that_is_no_share_is_refused(rate: str) -> None:
    with pytest.raises(BadSetting, match="allowed: 0 to 1"):
        LossRates({"current": Decimal(rate)})
    with pytest.raises(BadSetting, match="there is no bucket '0-30'"):
        LossRates({"0-30": Decimal(0)})


def test_rates_from_the_past_are_what_was_lost_of_what_was_owed_in_a_bucket(drawn_facts: Draw, day: Day) -> None:
    """Of 200 owed in current on day 31, 75 is written off within 60 days; on day 61 that invoice is in 1-30."""
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | paid | 40:100\n 1 | lost | 40:100",
        allocation="""invoice_id | kind | known_at | date | amount_minor
 paid | payment   | 50 | 50 | 100
 lost | write_off | 85 | 85 | 75
 lost | payment   | 86 | 86 | 25""",
    )
    (rates,) = derived_rates(Book(facts), day("121"), steps=2, recovery_days=60, fewest=1)
    assert rates.rates == {"current": Decimal("0.375"), "1-30": Decimal("0.75")}
    assert (rates.entity_id, rates.currency) == ("E", "EUR")
    assert set(rates.unknown) == {"31-60", "61-90", "90+"}


def test_a_step_in_which_nothing_rolled_does_not_hide_what_was_written_off(drawn_facts: Draw, day: Day) -> None:
    """From current into 1-30 nothing ever rolls: it was sold late. Still half of what was in 90+ was lost."""
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | paid | 90:100\n 60 | lost | 40:100",
        allocation="""invoice_id | kind | known_at | date | amount_minor
 paid | payment   | 80  | 80  | 100
 lost | write_off | 190 | 190 | 50
 lost | payment   | 191 | 191 | 50""",
    )
    (rates,) = derived_rates(Book(facts), day("201"), steps=6, recovery_days=60, fewest=1)
    assert rates.rates["90+"] == Decimal("0.5")
    assert rates.rates["31-60"] > 0


def test_what_is_too_little_or_lost_nothing_takes_the_rate_of_a_wider_pool_and_says_so(
    drawn_facts: Draw, day: Day
) -> None:
    rows = [(e, c, k) for e, c, n in (("E", "EUR", 4), ("E", "USD", 1), ("F", "EUR", 2)) for k in range(n)]
    invoices = "".join(f" 1 | {e} | {c}{k} | {c} | 120:100\n" for e, c, k in rows)
    facts = drawn_facts(
        invoice="known_at | entity_id | invoice_id | currency | owed\n" + invoices,
        allocation="entity_id | invoice_id | currency | kind | known_at | date | amount_minor\n"
        + "".join(
            f" {e} | {c}{k} | {c} | {'write_off' if (e, c, k) == ('E', 'EUR', 0) else 'payment'} | 40 | 40 | 100\n"
            for e, c, k in rows
        ),
    )
    own, thin, calm = derived_rates(Book(facts), day("61"), steps=1, recovery_days=30, fewest=2)
    assert (own.rates["current"], dict(own.notes)) == (Decimal("0.25"), {})
    assert thin.rates["current"] == Decimal("0.2")
    assert thin.notes["current"] == "the rate of all currencies of E, 5 receivables: its own 1 are too few"
    assert calm.rates["current"] == Decimal("0.142857")
    assert calm.notes["current"] == "the rate of all entities, 7 receivables: its own 2 lost nothing"
    none = derived_rates(Book(facts), day("61"), steps=1, recovery_days=30, fewest=8)
    assert [one.rates for one in none] == [{}, {}, {}]
    assert none[0].unknown["current"] == "only 7 receivables were seen long enough in current; allowed: 8 or more"


def test_a_past_that_does_not_show_it_is_said_and_a_rate_of_nothing_is_noted(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | a | 40:100\n 90 | b | 130:50\n 90 | c | 92:50",
        allocation="invoice_id | known_at | date | amount_minor\n a | 35 | 35 | 100",
    )
    book = Book(facts)
    (rates,) = derived_rates(book, day("101"), steps=3, recovery_days=60, fewest=1)
    assert rates.rates == {"current": Decimal(0)}
    assert rates.unknown["1-30"].startswith("only 0 receivables were seen long enough in 1-30")
    cells = provision(book, day("101"), [rates])
    assert cells["availability"].to_list() == ["partial", "none", "full", "full", "full"]
    assert provision(book, day("101"), [LossRates({"current": Decimal(0)})])["availability"][0] == "full"  # as told
    assert "the rate is 0" in str(cells["availability_reason"][0])
    assert total(cells).select("availability", "provision_minor").row(0) == ("none", None), "the worst of its cells"
    (given,) = derived_rates(book, day("101"), steps=3, fewest=1, oldest_rate=Decimal("0.4"))
    assert given.rates["90+"] == Decimal("0.4")


def test_a_sum_of_what_is_partial_is_partial_and_says_each_reason_once(drawn_facts: Draw, day: Day) -> None:
    aged = ageing(Book(drawn_facts(invoice=LEDGER)), day("101"))
    why = {"current": "the past shows no loss", "1-30": "the past shows no loss", "90+": "nothing owed: not said"}
    rates = [LossRates(dict.fromkeys(LABELS, Decimal("0.01")), notes=why)]
    summed = total(pl.concat([provisioned(aged, rates), provisioned(aged, rates)])).row(0, named=True)
    assert (summed["availability"], summed["provision_minor"]) == ("partial", 2 * 14_500_000)
    assert summed["availability_reason"] == "current: the past shows no loss; 1-30: the past shows no loss"


def test_what_was_written_off_before_a_look_is_not_lost_of_what_was_owed_then(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | a | 20:1000",
        allocation="""invoice_id | kind | known_at | date | amount_minor
 a | write_off | 100 | 100 | 400
 a | payment   | 190 | 190 | 600""",
    )
    (rates,) = derived_rates(Book(facts), day("201"), steps=1, recovery_days=60, fewest=1)
    assert rates.rates["90+"] == 0


def test_cents_of_another_currency_write_nothing_off(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | a | 20:1000",
        allocation="""invoice_id | kind | known_at | date | amount_minor | currency
 a | write_off | 180 | 180 | 400  | JPY
 a | payment   | 190 | 190 | 1000 | EUR""",
    )
    (rates,) = derived_rates(Book(facts), day("201"), steps=1, recovery_days=60, fewest=1)
    assert rates.rates["90+"] == 0


def test_every_look_asks_what_was_left_when_the_time_to_recover_was_over(drawn_facts: Draw, day: Day) -> None:
    """Owed in 90+ on days 111 and 141: of the first all is still owed on day 171, of the second nothing on day 201."""
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | a | 20:1000",
        allocation="invoice_id | known_at | date | amount_minor\n a | 190 | 190 | 1000",
    )
    (rates,) = derived_rates(Book(facts), day("201"), steps=2, recovery_days=60, fewest=1)
    assert rates.rates["90+"] == Decimal("0.5")


def test_nothing_learnt_later_changes_the_rates_of_a_day(drawn_facts: Draw, day: Day) -> None:
    facts = drawn_facts(
        invoice="known_at | invoice_id | owed\n 1 | a | 20:100\n 160 | z | 20:900",
        allocation="invoice_id | known_at | date | amount_minor\n a | 155 | 60 | 100",
    )
    book = Book(facts)
    known = Book(facts.before(book.day_start(day("151"), "E")))
    told = derived_rates(book, day("151"), recovery_days=30, fewest=1)
    assert told == derived_rates(known, day("151"), recovery_days=30, fewest=1)
    assert told[0].rates


RATES = """
rates: {current: 1.5 %, 1-30: 3.4%, 31-60: 0.071, 61-90: 10.8 %}
forward_looking_factor: 1.1
exceptions:
  - entity: E
    segment: retail
    rates: {current: 2 %}
"""


def test_a_file_of_rates(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(RATES)
    given = read_rates(path)
    everybody, retail = given.rates
    assert (everybody.rates, given.factor) == (GOLDEN.rates, Decimal("1.1"))
    assert (retail.entity_id, retail.segment, retail.rates) == ("E", "retail", {"current": Decimal("0.02")})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rates:\n  current: much", r"rates.yaml line 2: rates.current is 'much'; allowed: a share such as 0.015"),
        ("rates: {current: 150 %}", r"line 1: rates.current is '150 %'; allowed: 0 to 1"),
        ("rates: {0-30: 1 %}", r"line 1: rates.0-30: there is no bucket '0-30'; allowed: current, 1-30"),
        (
            RATES + "  - entity: F\n    rates: {91+: 1 %}",
            r"line 9: exceptions\[1\].rates.91\+: there is no bucket '91\+'",
        ),
        ("rate: {current: 1 %}", r"line 1: unknown key 'rate'; allowed: rates"),
        ("rates: {current: 1 %}\nforward_looking_factor: 0", r"line 2: forward_looking_factor is 0; allowed: above 0"),
        (RATES + "  - rates: {current: 1 %}", r"line 8: exceptions\[1\] is for nobody; allowed: with an entity"),
        (RATES + "  - {segment: retail, entity: E, rates: {}}", r"line 8: .* is for the same as exceptions\[0\]"),
        (RATES + "  - {group: retail, rates: {}}", r"line 8: unknown key 'exceptions\[1\].group'; allowed: .*segment"),
    ],
)
def test_a_file_of_rates_that_is_wrong_says_where(tmp_path: Path, words: str, said: str) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(words)
    with pytest.raises(BadSetting, match=said):
        read_rates(path)


BOOKS = {
    "currency": pl.DataFrame({"entity_id": ["E", "F"], "currency": ["EUR", None]}),
    "segment": pl.DataFrame({"entity_id": ["E", "E", "F"], "segment": ["retail", None, "trade"]}),
}


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        (
            "segment: retial",
            r"line 3: exceptions\[0\].segment is 'retial'; there are: retail, trade; did you mean 'ret",
        ),
        ("entity: F, segment: retail", r"exceptions\[0\].segment is 'retail'; there are: trade$"),
        ("entity: e", r"exceptions\[0\].entity is 'e'; there are: E, F; did you mean 'E'"),
        ("currency: USD", r"exceptions\[0\].currency is 'USD'; there are: EUR"),
        ("entity: F, currency: EUR", r"exceptions\[0\].currency is 'EUR'; there are: none"),
    ],
)
def test_rates_that_would_be_nobodys_are_refused(tmp_path: Path, exception: str, said: str) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(f"rates: {{current: 1 %}}\nexceptions:\n  - {{{exception}, rates: {{current: 2 %}}}}")
    with pytest.raises(BadSetting, match=said):
        read_rates(path).require_known(BOOKS, by=("segment",))


def test_rates_of_a_segment_go_with_a_matrix_by_segment_only(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(RATES)
    given = read_rates(path)
    given.require_known(BOOKS, by=("segment",))
    with pytest.raises(
        BadSetting, match=r"line 6: .*segment is 'retail', and the matrix is not by segment; .*--by seg"
    ):
        given.require_known(BOOKS)


def test_a_file_of_rates_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read_rates(tmp_path / "none.yaml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="is not text"):
        read_rates(tmp_path / "bytes")


def test_the_command(
    drawn_facts: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, lake = drawn_facts(invoice=LEDGER), Lake(tmp_path / "lake")
    for declared in TABLES:
        lake.append(declared, facts.tables[declared.name])
    monkeypatch.setenv("DUECAST_LAKE", str(tmp_path / "lake"))
    (tmp_path / "rates.yaml").write_text("rates: {current: 1.5 %, 1-30: 3.4 %, 31-60: 7.1 %, 61-90: 10.8 %}")
    out = tmp_path / "out.json"
    command = ["kpis", "provision", "--as-of", "2024-04-10"]
    assert run([*command, "--rates", str(tmp_path / "rates.yaml"), "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "526,500.00" in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert json.loads(out.read_text())["totals"][0]["provision_minor"] == 52_650_000
    assert run([*command, "--by", "segment"]) == 0
    shown = capsys.readouterr().out
    assert "none: E EUR, current: only 0 receivables were seen" in shown
    assert "--oldest-loss" in shown
    assert "duecast credit losses" in shown
    assert run([*command, "--rates", str(tmp_path / "rates.yaml"), "--oldest-loss", "50"]) == 2
    assert "--oldest-loss does not go with --rates" in capsys.readouterr().err
    (tmp_path / "other.yaml").write_text("rates: {current: 1 %}\nexceptions: [{entity: e, rates: {current: 2 %}}]")
    assert run([*command, "--rates", str(tmp_path / "other.yaml")]) == 2
    assert "line 2: exceptions[0].entity is 'e'; there are: E; did you mean 'E'?" in capsys.readouterr().err
    assert run(["kpis", "provision", "--as-of", "2010-01-01"]) == 0
    assert "Nothing was open then" in capsys.readouterr().out
