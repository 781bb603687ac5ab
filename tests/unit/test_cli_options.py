"""Options of several commands: what is refused before any work is done."""

import pytest

from pipelines.cli import run


@pytest.mark.parametrize("year", ["0001", "1899", "2200"])
@pytest.mark.parametrize("command", [["kpis", "collections"], ["credit", "score"], ["export", "--to", "marts"]])
def test_a_day_beyond_all_ledgers_is_refused(command: list[str], year: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--as-of", f"{year}-01-01"]) == 2
    said = capsys.readouterr().err
    assert said == f"duecast: {year}-01-01 is no day of a ledger; allowed: a day from 1900 to 2199\n"


def test_a_seed_below_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "credit-risk", "--seed", "-1"]) == 2
    assert "'--seed': Input should be greater than or equal to 0" in capsys.readouterr().err
