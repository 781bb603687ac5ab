"""What `duecast credit` shows and writes, on a small ledger and a model by hand."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from features.book import Book
from features.customers import DefaultRule
from features.facts import Facts
from features.recoveries import LossShare, OwnLgd
from models.credit.answers import CreditScore
from models.credit.codes import CODES, TRADE, CreditReason, code_of
from models.credit.losses import LossSettings
from models.credit.opinions import ScoredCustomers
from models.credit.policy import LimitSettings
from pipelines import credit_asked, credit_explanation
from pipelines.answer_files import write_answers
from pipelines.credit_commands import show_limits, show_losses, show_scores
from pipelines.credit_explanation import show_explanation
from pipelines.credit_screen import lgd_words, names_of
from pipelines.screen import NAME_LETTERS

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
NOWHERE = {"as_of": None, "entity": None, "lake": None, "mlruns": None}
SCORED = CreditScore(
    entity_id="E",
    customer_id="A",
    cutoff_day=date(2024, 2, 9),
    horizon_days=180,
    availability="full",
    availability_reason=None,
    default_cause=None,
    pd=0.02,
    score=600.0,
    grade="C",
    typical_score=590.0,
    reasons=(CreditReason("overdue", "what is overdue now raises the score", 10.0),),
    signals={"rating": 3.0},
    signals_missing=("revenue",),
)
SILENT = replace(
    SCORED,
    customer_id="B",
    availability="none",
    availability_reason="no invoice so far: nothing to judge by",
    pd=None,
    score=None,
    grade=None,
    typical_score=None,
    reasons=(),
)


@pytest.fixture
def ask(drawn_facts: Draw, instant: Instant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Commands answer with these scores about customers A, who owes 10.00 EUR and is 30 days late, and B."""
    facts = drawn_facts(
        customer="customer_id | name\nA | Longish Ltd\nB | Short Ltd",
        invoice="invoice_id | customer_id | issue_date | owed\nI | A | 5 | 30:1000",
    )
    book = Book(facts)

    def told(*scores: CreditScore) -> None:
        who = [score.customer_id for score in scores]
        frame = book.in_default(book.customer_features(book.customers_as_of(instant("60"))), DefaultRule())
        frame = frame.filter(pl.col("customer_id").is_in(who))
        asked = ScoredCustomers(book, SimpleNamespace(rule=DefaultRule()), frame, list(scores))  # type: ignore[arg-type]
        monkeypatch.setattr(credit_asked, "scored_customers", lambda *_, **__: asked)
        monkeypatch.setattr(credit_explanation, "ways_up", lambda *_: [])

    return told


def test_scores_as_csv_have_what_is_nested_as_json(tmp_path: Path) -> None:
    write_answers([SCORED, SILENT], CreditScore, tmp_path / "s.csv")
    first = pl.read_csv(tmp_path / "s.csv").row(0, named=True)
    assert json.loads(first["reasons"])[0]["code"] == "overdue"
    assert (json.loads(first["signals"]), json.loads(first["signals_missing"])) == ({"rating": 3.0}, ["revenue"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_has_all_columns_with_their_types_whatever_the_answers_are(tmp_path: Path, ending: str) -> None:
    """Also where there is no answer, or no answer has a figure: what reads the file every day reads the same."""
    read = pl.read_parquet if ending == "parquet" else pl.read_csv
    written = {}
    for name, answers in {"all": [SCORED, SILENT], "silent": [SILENT], "none": []}.items():
        write_answers(answers, CreditScore, tmp_path / f"{name}.{ending}")
        written[name] = read(tmp_path / f"{name}.{ending}")
    assert {tuple(frame.columns) for frame in written.values()} == {tuple(f.name for f in fields(CreditScore))}
    assert [len(frame) for frame in written.values()] == [2, 1, 0]
    if ending == "parquet":
        assert written["all"].schema == written["silent"].schema == written["none"].schema
        assert (written["none"].schema["cutoff_day"], written["none"].schema["pd"]) == (pl.Date, pl.Float64)


def test_a_name_of_somebody_elses_making_is_no_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    told = [replace(SCORED, customer_id=name) for name in ("=HYPERLINK(1)", "+49", "-ACME", "A-1", "\uff20x")]
    write_answers(told, CreditScore, tmp_path / "s.csv")
    written = pl.read_csv(tmp_path / "s.csv", infer_schema=False)
    assert written["customer_id"].to_list() == ["'=HYPERLINK(1)", "+49", "'-ACME", "A-1", "'\uff20x"]
    assert written["pd"].to_list() == ["0.02"] * 5
    write_answers(told, CreditScore, tmp_path / "s.parquet")
    assert pl.read_parquet(tmp_path / "s.parquet")["customer_id"][0] == "=HYPERLINK(1)", "nobody's spreadsheet"


def test_every_answer_says_its_day_horizon_and_default_and_whom_by_name(
    ask: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    ask(SCORED, SILENT)
    show_scores(**NOWHERE, out=None, json_out=None)
    show_limits(**NOWHERE, settings=LimitSettings(), out=None, json_out=None)
    show_losses(**NOWHERE, settings=LossSettings(), own=False, out=None, json_out=None)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("default within 180 days: an invoice of 100 or more 90 days past due") == 3
    assert shown.count("Longish Ltd") == 2
    assert "E A 10.00 0.00 EUR" in shown, "every limit has its currency"
    assert "duecast kpis provision" in shown


def test_names_are_bounded_and_those_that_were_known_then(drawn_facts: Draw, instant: Instant) -> None:
    customers = f"customer_id | name | known_at\nA | {'x' * 99} | 0\nB | Old Ltd | 0\nB | New Ltd | 8\nC | | 0"
    book = Book(
        drawn_facts(customer=customers, invoice="invoice_id | customer_id | issue_date | owed\nI | A | 2 | 3:1")
    )

    def names(as_of: str) -> dict[tuple[str, str], str]:
        frame = book.customers_as_of(instant(as_of))
        return names_of(ScoredCustomers(book, SimpleNamespace(rule=DefaultRule()), frame, []))  # type: ignore[arg-type]

    assert len(names("5")["E", "A"]) == NAME_LETTERS
    assert (names("5")["E", "B"], names("8")["E", "B"], names("9")["E", "B"]) == ("Old Ltd", "Old Ltd", "New Ltd")
    assert ("E", "C") not in names("9")


def test_who_has_no_score_is_told_why_and_what_is_known(
    ask: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    ask(SILENT)
    show_explanation("B", **NOWHERE, json_out=None)
    shown = capsys.readouterr().out
    assert "E B, Short Ltd: no PD, score or grade, since no invoice so far" in shown
    assert "Known: owes nothing; 0 receivables so far" in shown
    assert "PD  in" not in shown
    assert "better grade" not in shown


def test_who_is_in_default_is_told_so_and_not_that_the_answer_is_full(
    ask: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    why = "in default already: something is 90 or more days past due; stated, not by the model"
    ask(replace(SILENT, availability="full", availability_reason=why, default_cause="overdue", pd=1.0))
    show_explanation("B", **NOWHERE, json_out=None)
    shown = capsys.readouterr().out
    assert "E B, Short Ltd: in default already: something is" in shown
    assert "full:" not in shown


@pytest.mark.parametrize(("grade", "said"), [("C", "No change that is tried"), ("A", "Grade A is the best there is")])
def test_that_nothing_goes_with_a_better_grade_is_said(
    ask: Callable[..., None], capsys: pytest.CaptureFixture[str], grade: str, said: str
) -> None:
    ask(replace(SCORED, grade=grade))
    show_explanation("A", **NOWHERE, json_out=None)
    shown = capsys.readouterr().out
    assert said in shown
    assert "Known: owes 10.00 EUR, the oldest 30 days overdue; 1 receivables" in shown


def test_every_command_writes_json_with_what_it_stands_on(ask: Callable[..., None], tmp_path: Path) -> None:
    ask(SCORED)
    out = {name: tmp_path / f"{name}.json" for name in ("scores", "limits", "losses", "score")}
    show_scores(**NOWHERE, out=None, json_out=out["scores"])
    show_limits(**NOWHERE, settings=LimitSettings(), out=None, json_out=out["limits"])
    show_losses(**NOWHERE, settings=LossSettings(), own=False, out=None, json_out=out["losses"])
    show_explanation("A", **NOWHERE, json_out=out["score"])
    for name, path in out.items():
        told = json.loads(path.read_text())
        assert told["default"]["horizon_days"] == 180
        assert told["as_of"].startswith("2024-")
        assert told[name]
    assert json.loads(out["limits"].read_text())["settings"]["lgd"] == 0.4


def test_an_lgd_says_its_cases_and_what_stands_in_for_too_few() -> None:
    thin = OwnLgd(LossShare(34, 0.016, pooled=True), LossShare(14, None, pooled=True))
    assert lgd_words({"E": thin, "F": thin}, 0.4) == [
        "LGD of E, F: 1.6% (of 34 customers of all entities) of what is owed by who goes into default, "
        "40.0% as given (14 customers are too few to tell) by who is in default already"
    ]


def test_trade_is_explained_by_what_moved_it_and_by_nothing_else() -> None:
    (trade,) = (code for code in CODES if code.name == "trade")
    row = {"tenure_days": 900.0, "invoiced_count_365d": 12.0, "terms_days_mean": 30.0, "log_amount_std": None}
    assert trade.words(-3.0, row, ["terms_days_mean"]).endswith("lowers the score (terms of 30 days)")
    assert trade.words(3.0, row, ["log_amount_std"]) == "the length and volume of its trade raises the score"
    assert all(code_of(name) == "trade" for name in TRADE)
