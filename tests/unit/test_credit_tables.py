"""Portfolio mappings and tables that cannot be used, and what is said of them; which model can be trained."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import BadInput, BadSetting, NotFound, StateError
from models.credit.cross_validation import cross_validate
from models.credit.portfolio_features import columns
from models.credit.portfolio_model import PortfolioModel, train_portfolio
from models.credit.risk_model import CreditRiskModel
from pipelines.cli import run
from pipelines.credit_tables import load_portfolio, parse_portfolio, read_portfolio, shipped_portfolios
from pipelines.trainers import TRAINERS, run_training

SPEC = """
portfolio: shop
id: who
target: {column: ended, bad: lost}
reasons: {late: late, size: size}
numbers: [{column: size, reason: size}]
categories: [{column: kind, reason: size}]
series:
  - {name: late, columns: [m1, m2, m3], reason: late, at_least: 0, count_above: [1], since_above: 1,
     summaries: [months, last, mean, max, min, trend, spread]}
  - {name: part, over: late, under: size, reason: late, summaries: [months]}
  - {name: step, over: late, under: late, under_back: 1, reason: late, summaries: [max]}
"""
HEADER = "who,ended,size,kind,m1,m2,m3\n"


def read(tmp_path: Path, rows: str, header: str = HEADER) -> pl.DataFrame:
    (tmp_path / "t.csv").write_text(header + rows)
    return read_portfolio(tmp_path / "t.csv", parse_portfolio(SPEC, "shop.yaml"))


def test_features_are_those_declared(tmp_path: Path) -> None:
    table = read(tmp_path, "a,lost,2,x,4,-1,2\nb,paid,0,y,,1,3\n")
    found = {c.name: c.values.tolist() for c in columns(table, parse_portfolio(SPEC, "s"), {"kind": ["x"]})}
    nan = pytest.approx(np.nan, nan_ok=True)
    assert found["kind"] == [0.0, nan]
    assert (found["late_1"], found["late_2"], found["late_last"]) == ([4, nan], [0, 1], [4, nan])
    assert (found["late_mean"], found["late_max"], found["late_min"]) == ([2, 2], [4, 3], [0, 1])
    assert found["late_trend"] == [0.0, -2.0]
    assert found["late_spread"] == [pytest.approx((8 / 3) ** 0.5), 1.0]
    assert (found["late_above_1"], found["late_since"]) == ([2, 1], [0, 2])
    assert found["part_1"] == [2.0, nan]
    assert found["step_max"] == [0.0, pytest.approx(1 / 3)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,lost,2,x,4,one,2\n", r"t.csv row 1: m2 is 'one'; allowed: a finite number or nothing"),
        ("a,lost,2,x,4,inf,2\n", r"t.csv row 1: m2 is 'inf'"),
        ("a,lost,2,x,4,1,2\na,paid,2,x,4,1,2\n", r"row 1: who is 'a' more than once"),
        (",lost,2,x,4,1,2\n", r"row 1: who is missing; allowed: an id a row"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_row_and_value(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(tmp_path, rows)


@pytest.mark.parametrize("cell", [[1, 2], b"\xff"])
def test_a_column_that_is_no_text_is_named(tmp_path: Path, cell: object) -> None:
    read(tmp_path, "a,lost,2,x,4,1,2\n").with_columns(m2=pl.Series([cell])).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(BadInput, match=r"t.parquet: m2 holds (List|Binary).*; allowed: numbers, text"):
        read_portfolio(tmp_path / "t.parquet", parse_portfolio(SPEC, "shop.yaml"))


def test_a_missing_column_suffix_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match=r"no column 'm1'; it has: who, ended, size, kind, M1, m2, m3; did you mean 'M1'"
    ):
        read(tmp_path, "", header=HEADER.replace("m1", "M1"))
    with pytest.raises(BadInput, match=r"t.csv: the column 'm2' is there more than once; allowed: once"):
        read(tmp_path, "a,lost,2,x,4,1,2,3\n", header=HEADER.strip() + ",m2\n")
    with pytest.raises(BadSetting, match=r"ends in '.txt'; allowed: .csv, .parquet"):
        read_portfolio(tmp_path / "t.txt", parse_portfolio(SPEC, "s"))
    with pytest.raises(NotFound, match="there is no such file"):
        read_portfolio(tmp_path / "absent.csv", parse_portfolio(SPEC, "s"))
    (tmp_path / "t.parquet").write_text("nonsense")
    with pytest.raises(BadInput, match="cannot be read as parquet"):
        read_portfolio(tmp_path / "t.parquet", parse_portfolio(SPEC, "s"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("reasons: {late: late, size: size}", "reasons: {late: late}", "reason 'size' has no words; allowed: late"),
        ("numbers: [{column: size, reason: size}]", "numbers: [{column: who, reason: size}]", "'who' is used 2 times"),
        ("columns: [m1, m2, m3]", "columns: [m1]", "series 'late' has one column; allowed: two or more"),
        ("columns: [m1, m2, m3]", "columns: [m1, ended]", "the id or the target is among the columns"),
        (
            "over: late, under: size",
            "over: late",
            "series 'part' has neither columns nor|neither columns and over/under",
        ),
        ("over: late, under: size", "over: lat, under: size", "'lat' is not declared before it; allowed: size, late"),
        ("over: late, under: size", "over: size, under: late", "over 'size' is a number; allowed: a series: late"),
        ("under_back: 1", "under_back: 2", "fewer than two months are left"),
        ("summaries: [max]", "summaries: []", "becomes no feature"),
        ("at_least: 0,", "at_least: 3, at_most: 2,", "at_least 3 is above at_most 2"),
        ("at_least: 0,", "at_least: 0, risk: rises,", "its risk rises, and a trend can move against that"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(old: str, new: str, said: str) -> None:
    assert old in SPEC
    with pytest.raises(BadSetting, match=f"^s.yaml: .*({said})"):
        parse_portfolio(SPEC.replace(old, new), "s.yaml")


def rows(endings: list[str]) -> str:
    return "".join(f"r{k},{ended},2,x,{k % 4},0,{k % 2}\n" for k, ended in enumerate(endings))


MIXED = ["lost", "paid"] * 40


@pytest.mark.parametrize(
    ("table", "mapping", "said"),
    [
        (rows(MIXED), "portfolio: [", r"m.yaml: not valid YAML"),
        (rows(MIXED), "", r"m.yaml: is empty; allowed: keys portfolio, id, target"),
        (rows(MIXED), SPEC.replace("target:", "targets:"), r"m.yaml line 4: unknown key 'targets'; .*mean 'target'"),
        (rows(MIXED), SPEC.replace("id: who", "id: whom"), r"t.csv: no column 'whom'; it has: .*did you mean 'who'"),
        (rows(MIXED), SPEC.replace("count_above: [1]", "count_above: [one]"), r"line 9: .*'one'; allowed: a number"),
        (rows(["paid"] * 60), SPEC, r"t.csv: ended is never 'lost', which the mapping calls bad; it holds: 'paid'"),
        (rows(["lost"] * 60), SPEC, r"t.csv: 0 of 60 rows did not go into default: .*; allowed: 25 or more"),
        (rows([*MIXED, "NaN"]), SPEC, r"t.csv: row 81: ended is missing; allowed: a value in every row"),
        (rows([*MIXED, ""]), SPEC, r"t.csv: row 81: ended is missing; allowed: a value in every row"),
        (rows(MIXED) + rows(["lost"]), SPEC, r"t.csv row 1: who is 'r0' more than once; allowed: one row an id"),
        (rows(["lost"] * 24 + ["paid"] * 60), SPEC, r"24 of 84 rows went into default: .*hold a fold of 5 back"),
        (rows(["lost"] * 60 + ["paid"] * 24), SPEC, r"24 of 84 rows did not go into default: .*hold a fold of 5 back"),
        ("", SPEC, r"t.csv: 0 of 0 rows went into default"),
    ],
)
def test_a_training_that_cannot_be_ends_with_what_is_wrong_and_registers_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, mapping: str, said: str
) -> None:
    (tmp_path / "t.csv").write_text(HEADER + table)
    (tmp_path / "m.yaml").write_text(mapping)
    asked = ["--data", str(tmp_path / "t.csv"), "--mapping", str(tmp_path / "m.yaml")]
    places = ["--mlruns", str(tmp_path / "mlruns"), "--report", str(tmp_path / "report")]
    assert run(["train", "credit-risk", *asked, *places]) == 2
    assert re.search(said, " ".join(capsys.readouterr().err.split()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.yaml", "t.csv"]


def test_a_target_that_is_not_a_number_is_missing_even_where_the_mapping_says_otherwise(tmp_path: Path) -> None:
    spec = parse_portfolio(SPEC.replace("bad: lost", 'bad: "1.0"') + "missing: [none]\n", "shop.yaml")
    table = read(tmp_path, rows(MIXED)).with_columns(ended=pl.Series([1.0, 0.0] * 39 + [1.0, float("nan")]))
    table.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(BadInput, match="row 80: ended is missing"):
        train_portfolio(read_portfolio(tmp_path / "t.parquet", spec), spec, seed=1)


def test_every_shipped_portfolio_is_sound_and_a_wrong_name_is_told_the_right_one() -> None:
    assert shipped_portfolios() == ["uci-credit-default"]
    assert load_portfolio("uci-credit-default").target.bad == "1"
    with pytest.raises(NotFound, match="did you mean 'uci-credit-default'"):
        load_portfolio("uci-credit-defaults")


def test_too_few_bad_rows_or_none_that_say_how_they_ended_are_refused(tmp_path: Path) -> None:
    spec = parse_portfolio(SPEC, "s")
    good = "".join(f"g{k},paid,2,x,0,0,0\n" for k in range(60))
    with pytest.raises(BadInput, match="ended is never 'lost', which the mapping calls bad; it holds: 'paid'"):
        train_portfolio(read(tmp_path, good), spec, seed=1)
    few = good + "".join(f"f{k},lost,2,x,0,0,0\n" for k in range(3))
    with pytest.raises(BadInput, match="3 of 63 rows went into default: too few to learn from; allowed: 20 or more"):
        train_portfolio(read(tmp_path, few), spec, seed=1)
    some = good + "".join(f"f{k},lost,2,x,0,0,0\n" for k in range(24))
    train_portfolio(read(tmp_path, some), spec, seed=1)
    with pytest.raises(
        BadInput, match=r"24 of 84 rows went into default: .* hold a fold of 5 back; allowed: 25 or mor"
    ):
        cross_validate(read(tmp_path, some), spec, seeds=[1])
    bad = "".join(f"b{k},lost,2,x,0,0,0\n" for k in range(60))
    with pytest.raises(BadInput, match="0 of 60 rows did not go into default"):
        train_portfolio(read(tmp_path, bad), spec, seed=1)
    with pytest.raises(BadInput, match="row 61: ended is missing"):
        train_portfolio(read(tmp_path, good + "x,,2,x,0,0,0\n"), spec, seed=1)
    with pytest.raises(BadInput, match="has no rows"):
        train_portfolio(read(tmp_path, ""), spec, seed=1)


def test_a_damaged_model_folder_is_named(tmp_path: Path) -> None:
    spec = parse_portfolio(SPEC, "s")
    rows = "".join(f"r{k},{'lost' if k % 3 else 'paid'},2,x,{k % 4},0,{k % 2}\n" for k in range(90))
    model = train_portfolio(read(tmp_path, rows), spec, seed=1)
    model.save(tmp_path / "m")
    table = read(tmp_path, rows)
    assert PortfolioModel.load(tmp_path / "m").scores(table) == model.scores(table)
    with pytest.raises(StateError, match="is not of a credit-risk model"):
        CreditRiskModel.load(tmp_path / "m")
    (tmp_path / "m" / "booster-0.txt").unlink()
    with pytest.raises(StateError, match=r"booster-0\.txt cannot be read"):
        PortfolioModel.load(tmp_path / "m")
    (tmp_path / "m" / "model.json").write_text("{}")
    with pytest.raises(StateError, match="saved by another version"):
        PortfolioModel.load(tmp_path / "m")


def test_only_declared_models_are_trained_and_only_with_their_own_options(tmp_path: Path) -> None:
    places = {"lake": None, "mlruns": tmp_path, "report": tmp_path, "seed": 1}
    with pytest.raises(NotFound, match=r"no model is called 'credit'; there are: payment-date, credit-risk"):
        run_training("credit", {}, **places)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=r"--late-days does not go with payment-date; its options: none of its own"):
        run_training("payment-date", {"late_days": 3, "data": None}, **places)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=r"both --data FILE and --mapping M"):
        run_training("credit-risk", {"data": tmp_path}, **places)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=r"do not go with --data"):
        run_training("credit-risk", {"data": tmp_path, "mapping": "m", "late_days": 3}, **places)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match=r"--materiality is -1; allowed: 0 or more"):
        run_training("credit-risk", {"materiality": -1}, **places)  # type: ignore[arg-type]
    assert all(":" in trainer.runs for trainer in TRAINERS.values())
