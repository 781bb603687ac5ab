"""What a person reads of alerts: the newest first, whose they are, what the books mended, why chances differ."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from types import SimpleNamespace

import msgspec
import polars as pl
import pytest
from rich.console import Console

from features.comparisons import compared
from features.errors import BadSetting
from features.facts import Facts
from models.anomalies import wording
from models.anomalies.alerts import FAINT, Alert, Budget, choose
from models.anomalies.context import with_context
from models.anomalies.model import AnomalyModel
from models.anomalies.rules import RULES, strengths
from models.anomalies.stories import with_stories
from pipelines.anomaly_commands import Window
from pipelines.anomaly_screen import Shown, heading, page, table
from pipelines.answer_files import as_frame, columns, write_answers
from pipelines.screen import NAME_LETTERS, WIDTH
from services.alerts import OnRecord
from services.anomaly_desk import AnomalyDesk, Found

EVERYTHING = Budget(share=1.0, per_day=1_000, least_chance=0.1)
CUSTOMER = "customer_id | name | known_at\nA | Old Name | 0\nA | Mill & Sons [bold] of the Very Long Street Ltd | 8"
TWINS = """invoice_id | customer_id | issue_date | owed | known_at | deleted
           INV-310    | A | 1  | 90:10017 | 1  | no
           INV-310A   | A | 2  | 90:10017 | 2  | no
           INV-310A   | A | 2  | 90:10017 | 5  | yes
           INV-520    | A | 6  | 90:20017 | 6  | no
           INV-520A   | A | 7  | 90:20017 | 7  | no
           INV-520    | A | 6  | 90:20017 | 9  | yes
           INV-740    | A | 10 | 90:30017 | 10 | no
           INV-740A   | A | 11 | 90:30017 | 11 | no
           INV-740A   | A | 11 | 90:30017 | 12 | yes
           INV-740A   | A | 11 | 90:30017 | 13 | no"""


def by_strength(_: AnomalyModel, facts: Facts) -> pl.DataFrame:
    """Stands in for a model: the chance is the loudest rule's strength."""
    frame = compared(facts)
    said = strengths(frame)
    loudest = said.to_numpy().argmax(axis=1)
    return with_stories(
        frame.with_columns(
            *said.get_columns(),
            forest=pl.lit(0.4),
            chance=said.max_horizontal(),
            rule=pl.Series([RULES[n].name for n in loudest]),
            kind=pl.Series([RULES[n].kind for n in loudest]),
        )
    )


@pytest.fixture(scope="module")
def desk(drawn_facts: Callable[..., Facts]) -> AnomalyDesk:
    return AnomalyDesk(SimpleNamespace(limits={}), drawn_facts(invoice=TWINS, customer=CUSTOMER), by_strength)


@pytest.fixture(scope="module")
def twins(desk: AnomalyDesk) -> dict[str, Alert]:
    return {a.record_id: a for a in desk.alerts(EVERYTHING, OnRecord()).alerts}


def printed(told: Found, shown: Shown, width: int = WIDTH) -> str:
    screen = Console(width=width)
    with screen.capture() as captured:
        screen.print(heading(told, shown), markup=False)
        screen.print(table(told, shown))
    return captured.get()


def found(*alerts: Alert) -> Found:
    return Found(alerts, 100, (), "full", None)


# --- what the books took back -------------------------------------------------------------------------------------
def test_a_twin_is_undone_when_either_of_the_two_is_gone_and_stays_so(twins: dict[str, Alert]) -> None:
    days = {record: alert.taken_back_day for record, alert in twins.items()}
    assert days == {"INV-310A": date(2024, 1, 5), "INV-520A": date(2024, 1, 9), "INV-740A": None}
    assert twins["INV-310A"].taken_back == ("invoice/INV-310A",)
    assert twins["INV-520A"].taken_back == ("invoice/INV-520",)
    assert [twins[r].undone for r in ("INV-310A", "INV-520A", "INV-740A")] == [True, True, False]


def test_as_of_a_day_nobody_knows_what_is_taken_back_later(desk: AnomalyDesk) -> None:
    for day, known in ((5, None), (6, date(2024, 1, 5))):
        [alert] = desk.alerts(EVERYTHING, OnRecord(), as_of=date(2024, 1, day)).alerts
        assert (alert.record_id, alert.taken_back_day) == ("INV-310A", known)
        assert desk.alert(alert.alert_id, OnRecord(), as_of=date(2024, 1, day)) == alert
    told = desk.alerts(EVERYTHING, OnRecord(), as_of=date(2024, 1, 13)).alerts
    assert {a.record_id: a.taken_back_day for a in told}["INV-740A"] == date(2024, 1, 12), "it came again on day 13"


def test_what_is_mended_is_left_out_and_counted_unless_asked_for(desk: AnomalyDesk) -> None:
    told = desk.alerts(EVERYTHING, OnRecord())
    daily = printed(told, Shown(20, mended=False, since=date(2024, 1, 1)))
    assert "1 of 1 alert shown" in daily
    assert "left out: 2 duplicates that the books took back since (--all --since 2024-01-01 shows them)" in daily
    assert "INV-740A" in daily
    assert "INV-310A" not in daily
    every = printed(told, Shown(20, mended=True, since=None))
    assert "3 of 3 alerts shown" in every
    assert "left out" not in every
    assert "taken back on 2024-01-05" in every


def test_what_was_taken_back_of_another_kind_stays_and_says_so(twins: dict[str, Alert]) -> None:
    large = replace(twins["INV-310A"], kind="unusual_amount")
    told = printed(found(large), Shown(20, mended=False, since=None))
    assert "1 of 1 alert shown" in told
    assert "taken back on 2024-01-05" in told


def test_one_alert_says_which_of_its_documents_are_gone(twins: dict[str, Alert]) -> None:
    assert "documents of this alert: invoice/INV-310A (taken back)" in page(twins["INV-310A"], ())
    assert "taken back on 2024-01-09" in page(twins["INV-520A"], ())
    assert "invoice/INV-520A; invoice/INV-520, which it repeats, was taken back" in page(twins["INV-520A"], ())
    assert "taken back on" not in page(twins["INV-740A"], ())


# --- whose, how many, how wide ------------------------------------------------------------------------------------
def test_the_customer_is_named_as_known_then_and_no_longer_than_fits(desk: AnomalyDesk) -> None:
    [old] = desk.alerts(EVERYTHING, OnRecord(), as_of=date(2024, 1, 6)).alerts
    assert (old.customer_id, old.customer_name) == ("A", "Old Name")
    [new] = [a for a in desk.alerts(EVERYTHING, OnRecord()).alerts if a.record_id == "INV-740A"]
    assert new.customer_name == "Mill & Sons [bold] of the Very Long Street Ltd"
    told = page(new, ())
    assert f"customer A {new.customer_name[: NAME_LETTERS - 1]}…\n" in told
    assert "A Mill & Sons [bold]" in printed(found(new), Shown(20, mended=False, since=None))
    nobody = replace(new, customer_id=None, customer_name=None)
    assert "INV-740A," not in printed(found(nobody), Shown(20, mended=False, since=None))
    assert "customer A" not in page(nobody, ())


def test_no_more_are_shown_than_the_limit_says(twins: dict[str, Alert]) -> None:
    told = found(*(replace(twins["INV-740A"], alert_id=f"{n:016}") for n in range(5)))
    few = printed(told, Shown(2, mended=False, since=date(2024, 1, 1)))
    assert few.startswith("2 of 5 alerts shown, the likeliest first (--limit shows more)\n")
    assert "100 documents learnt since 2024-01-01" in few
    assert f"{1:016}" in few
    assert f"{2:016}" not in few


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_wider_than_the_terminal_or_cut_off(width: int, twins: dict[str, Alert]) -> None:
    widest = replace(twins["INV-740A"], kind="below_approval_limit")
    told = printed(found(widest), Shown(20, mended=False, since=None), width)
    assert max(len(line) for line in told.splitlines()) <= width
    for words in (widest.alert_id, "below_approval_limit", "2024-01-11", "strength 0."):
        assert words in " ".join(told.split())


@pytest.mark.parametrize(
    ("window", "first"),
    [
        (Window(), date(2024, 1, 2)),
        (Window(days=7), date(2024, 1, 25)),
        (Window(all_of_them=True), None),
        (Window(days=7, all_of_them=True), date(2024, 1, 25)),
        (Window(since=date(2023, 5, 1)), date(2023, 5, 1)),
        (Window(since=date(2023, 5, 1), all_of_them=True), date(2023, 5, 1)),
    ],
)
def test_the_window_ends_on_the_day_asked_about(window: Window, first: date | None) -> None:
    assert window.first_day(date(2024, 2, 1)) == first
    assert Window().first_day(date.min) is None, "a ledger without documents has no newest day"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"days": 7, "since": date(2024, 1, 1)}, "--days 7 and --since 2024-01-01; allowed: one of them"),
        ({"days": 0}, "--days 0; allowed: 1 to 100,000, or --all"),
        ({"days": 100_001}, "--days 100001; allowed"),
        ({"limit": 0}, "--limit 0; allowed: 1 or more"),
    ],
)
def test_a_window_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        Window(**wrong)


def test_the_day_asked_about_is_the_one_after_the_newest_document(desk: AnomalyDesk) -> None:
    assert desk.asked_day(None) == date(2024, 1, 12), "INV-740A came on day 11; that it came again is no new document"
    assert desk.asked_day(date(2024, 1, 3)) == date(2024, 1, 3)
    assert AnomalyDesk(desk.model, Facts.of({}), by_strength).asked_day(None) == date.min


# --- files --------------------------------------------------------------------------------------------------------
def test_files_hold_every_alert_and_its_flag_also_on_a_day_without_any(twins: dict[str, Alert], tmp_path) -> None:
    alerts = tuple(twins.values())
    assert list(columns(Alert)) == [f.name for f in fields(Alert)], "no field is forgotten"
    for name in ("a.csv", "a.parquet", "a.json"):
        write_answers(alerts, Alert, tmp_path / name)
    kept = pl.read_parquet(tmp_path / "a.parquet")
    assert kept.equals(as_frame(alerts, Alert))
    assert kept["taken_back_day"].to_list() == [a.taken_back_day for a in alerts]
    assert msgspec.json.decode(kept["documents"][0]) == list(alerts[0].documents)
    assert pl.read_csv(tmp_path / "a.csv").columns == list(columns(Alert))
    assert len(msgspec.json.decode((tmp_path / "a.json").read_bytes())) == 3
    write_answers((), Alert, tmp_path / "none.parquet")
    assert pl.read_parquet(tmp_path / "none.parquet").schema == kept.schema
    with pytest.raises(BadSetting, match=r"ends in '\.txt'; allowed: \.parquet, \.csv, \.json"):
        write_answers(alerts, Alert, tmp_path / "a.txt")


# --- why ----------------------------------------------------------------------------------------------------------
def row_of(**values: object) -> dict[str, object]:
    return {"amount_minor": 10_000, "currency": "EUR", "twin_id": "I1", "twin_minor": 0.0, "twin_days": 3.0,
            "twin_form": "same", "repeat_share": 0.0, "alike_share": 0.0, "form_back_share": 0.0,
            "form_back_count": 0.0} | values  # fmt: skip


@pytest.mark.parametrize(
    ("words", "values", "said"),
    [
        (wording.twin, {"form_back_share": 1.0, "form_back_count": 2.0}, "taken back of such twins before: 2 of 2"),
        (wording.twin, {"twin_form": "transposed", "repeat_share": 0.794}, "79.4 % of this customer's before repeated"),
        (wording.paid_twice, {"alike_share": 0.05}, "5.0 % of this customer's before repeated amount and reference"),
        (wording.paid_alike, {"repeat_share": 0.05}, "5.0 % of this customer's before repeated amounts"),
    ],
)
def test_words_differ_where_strengths_do(words, values, said: str) -> None:
    assert said in words(row_of(**values))
    assert ";" not in words(row_of())


def test_what_is_too_faint_to_be_said_alone_is_said_to_move_the_chance(drawn_facts: Callable[..., Facts]) -> None:
    told = by_strength(None, drawn_facts(invoice=TWINS)).with_columns(odd_hour=pl.lit(0.15), loop=pl.lit(0.004))
    for alert in choose(told, EVERYTHING):
        faint = [e.words for e in alert.evidence if e.rule == FAINT]
        assert faint == ["a little off, too, against the hours at which this entity books (0.15)"]
        assert "and 1 more sign)" in " ".join(printed(found(alert), Shown(9, mended=True, since=None)).split())


# --- what the words count -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("minor", "currency", "neat", "said"),
    [
        (322_550, "CAD", 1, "3,225.50 CAD ends in .50: one of 6 amounts"),
        (1_145_699, "EUR", 1, "ends in .99:"),
        (-486_600, "EUR", 1, "-4,866.00 EUR ends in .00:"),
        (3_206_000, "USD", 2, "is a multiple of 10.00 USD:"),
        (3_200_000, "USD", 3, "is a multiple of 100.00 USD:"),
        (5_050, "JPY", 1, "ends in 50:"),
        (40_000, "JPY", 3, "is a multiple of 10,000 JPY:"),
        (1_500, "KWD", 1, "ends in .500:"),
    ],
)
def test_the_headline_says_what_is_neat_about_its_own_amount(minor: int, currency: str, neat: int, said: str) -> None:
    row = row_of(amount_minor=minor, currency=currency, neat=float(neat), neat_count=6.0, neat_days=7.0)
    assert said in wording.neat(row | {"neat_expected": 0.5})


def test_a_batch_names_as_many_documents_as_its_words_count(drawn_facts: Callable[..., Facts]) -> None:
    usual = "".join(f"U{k} | {k} | 90:{100_007 + 137 * k}\n" for k in range(1, 60))
    batch = "".join(f"N{k} | {90 + k} | 90:{100_000 * k}\n" for k in range(1, 7)) + "P1 | 96 | 90:123499"
    told = by_strength(None, drawn_facts(invoice="invoice_id | issue_date | owed\n" + usual + batch))
    counted = told.filter(pl.col("batch").is_not_null())
    assert len(counted) >= 4
    for row in counted.iter_rows(named=True):
        assert len(row["batch"]) == row["neat_count"]
        assert row["batch"][-1] == f"invoice/{row['record_id']}"
    last = next(a for a in choose(told, EVERYTHING) if a.kind == "round_sums")
    [evidence] = [e for e in last.evidence if e.rule == "neat_batch"]
    assert f"one of {len(evidence.counted)} amounts" in evidence.words
    assert "counted: invoice/N1" in page(last, ())
    assert "invoice/P1" not in {d for b in counted.filter(neat=3.0)["batch"] for d in b}, "less neat than they are"


def test_a_feed_that_stands_still_says_for_how_long_and_what_was_the_longest_before() -> None:
    counts = [3, 0, 0, 2, 0, 0, 0, 0, 5, 0]
    days = [date(2024, 1, 1 + n) for n in range(len(counts))]
    feed = pl.DataFrame(
        {
            "entity_id": "E", "table": "feed", "currency": None, "count": counts, "day": days, "neat": None,
            "record_id": [f"invoice:{d}" for d in days], "neat_days": None, "neat_batch": 0.0,
            "known_at": [datetime(d.year, d.month, d.day + 1, tzinfo=UTC) for d in days],
        },
        schema_overrides={"neat": pl.Float64, "neat_days": pl.Float64, "currency": pl.String},
    )  # fmt: skip
    told = with_context(feed)
    assert told["silent_days"].to_list() == [0, 1, 2, 0, 1, 2, 3, 4, 0, 1]
    assert told["silent_before_days"].to_list() == [0, 0, 0, 2, 2, 2, 2, 2, 4, 4]
    row = {"feed_count": 0.0, "feed_usual": 0.0, "silent_days": 9, "silent_before_days": 4}
    silent = "no document for 9 days; the longest silence before was 4 days; such days are often empty"
    assert wording.feed(row) == silent
    assert wording.feed(row | {"feed_usual": 15.0}).endswith("such days usually bring 15")
    thin = {"feed_count": 8.0, "feed_usual": 16.0, "silent_days": 0, "silent_before_days": 4}
    assert wording.feed(thin) == "8 documents on that day; such days usually bring 16"
    assert wording.feed(thin | {"feed_count": 1.0}).startswith("1 document on that day")
