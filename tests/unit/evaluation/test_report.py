"""The report, its pictures and the terminal table."""

import json
import re
from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from models import report
from models.evaluation import evaluate
from models.scorecard import METRICS


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    return report.write(evaluation, tmp_path_factory.mktemp("report"), title="Sandbox")


def png_width(path) -> int:
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return int.from_bytes(header[16:20], "big")


def test_every_picture_of_the_report_is_there_and_1200_pixels_wide(written):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", written.read_text())
    assert pictures == ["reliability.png", "coverage.png", "errors.png", "examples.png"]
    assert [png_width(written.parent / name) for name in pictures] == [1200] * 4


def test_the_report_sets_ours_beside_every_baseline(written, evaluation):
    text = written.read_text()
    lines = text.splitlines()
    assert lines[0] == "# Sandbox"
    assert "|  | Duecast | due date | customer average | customer quantiles | LightGBM quantiles |" in lines
    mae = evaluation.overall.ours.intervals["days.mae"]
    assert f"{evaluation.metrics['days.mae']:.2f} ({mae.low:.2f} to {mae.high:.2f})" in text
    for metric in METRICS:
        assert f"`{metric.name}`" in text
    for kind in ("customer", "size", "entity", "origin"):
        assert f"### {kind}" in lines


def test_tables_are_regular(written):
    for block in re.findall(r"(?:^\|.*\n)+", written.read_text(), flags=re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_the_best_of_a_row_is_bold_and_a_width_is_no_contest(written):
    lines = written.read_text().splitlines()
    pinball = next(line for line in lines if line.startswith("| pinball, days"))
    width = next(line for line in lines if line.startswith("| 80 % width"))
    assert pinball.split("|")[2].strip().startswith("**")
    assert "**" not in width


def test_the_json_beside_it_is_the_evaluations(written, evaluation):
    assert json.loads((written.parent / "report.json").read_text()) == json.loads(json.dumps(evaluation.as_json()))


def test_the_same_evaluation_writes_the_same_bytes(written, evaluation, tmp_path):
    again = report.write(evaluation, tmp_path, title="Sandbox").parent
    for path in written.parent.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_the_terminal_table_fits_100_columns(evaluation):
    console = Console(width=200, record=True, file=StringIO())
    console.print(report.terminal_table(evaluation))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "pinball saved" in text


def test_a_young_ledger_has_a_report_too(book, truth, quick, tmp_path):
    book.last_day = date(2023, 7, 3)
    young = evaluate(book, lambda labelled, _: truth, quick(until=date(2023, 7, 3)))
    text = report.write(young, tmp_path).read_text()
    assert "100.0 % of the invoices are not paid" in text
    assert "| MAE, days | n/a | n/a | n/a | n/a |" in text


def test_without_baselines(book, truth, quick, tmp_path):
    alone = evaluate(book, lambda labelled, _: truth, quick(baselines=()))
    assert "| MAE, days | **" in report.write(alone, tmp_path).read_text()
