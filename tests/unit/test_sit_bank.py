"""What a bank's files must prove before production, from a folder: nothing is taken away."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.errors import NotFound
from pipelines.landscape import parse_landscape
from pipelines.sit.check import Outcome
from pipelines.sit.command import examine
from pipelines.sit.report import SitReport

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
IBAN = "DE02120300000000202051"
LANDSCAPE = (
    f"systems: {{bank: {{bank: {{folder: in, accounts: {{main: {{number: {IBAN}, entity: DE01, currency: EUR}}}}}}}}}}"
)


def statement(number: int, opening: int, amount: int, *, account: str = IBAN, currency: str = "EUR") -> str:
    day = f"2603{number:02d}"
    return (
        f":20:S{number}\n:25:{account}\n:28C:{number}/1\n:60F:C{day}{currency}{opening},00\n"
        f":61:{day}{day[2:]}C{amount},00NTRFNONREF//B{number}\n:62F:C{day}{currency}{opening + amount},00\n-\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def examined(folder: Path) -> SitReport:
    return examine(parse_landscape(LANDSCAPE, "l.yaml", folder.parent), "bank", now=NOW)


def outcomes(report: SitReport) -> dict[str, str]:
    return {r.id: r.outcome.value for r in report.results}


def evidence(report: SitReport, check: str) -> str:
    return next(r.evidence for r in report.results if r.id == check)


def test_statements_that_follow_each_other_are_a_go_and_stay_where_they_are(folder: Path) -> None:
    (folder / "a.sta").write_text(statement(2, 100, 50))
    (folder / "b.sta").write_text(statement(3, 150, 5))
    report = examined(folder)
    assert report.go
    assert outcomes(report) == {
        "reachable": "skipped",
        "files-readable": "pass",
        "accounts-ours": "pass",
        "contiguous": "pass",
        "steady": "skipped",
        "clock": "skipped",
    }
    assert evidence(report, "files-readable") == "2 files, 2 statements"
    assert sorted(p.name for p in folder.iterdir()) == ["a.sta", "b.sta"]


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        (statement(3, 150, 5)[:60], "files-readable", "b.sta"),
        (statement(3, 150, 5, account="DE99"), "accounts-ours", "is of account DE99"),
        (statement(3, 150, 5, currency="USD"), "accounts-ours", "is in USD"),
        (statement(4, 999, 5), "contiguous", "account main"),
        (statement(2, 100, 51), "contiguous", "b.sta"),
    ],
    ids=["cut", "of another account", "another currency", "a gap", "the same id, another content"],
)
def test_what_is_wrong_is_a_no_go_by_the_right_check(folder: Path, text: str, check: str, said: str) -> None:
    (folder / "a.sta").write_text(statement(2, 100, 50))
    (folder / "b.sta").write_text(text)
    report = examined(folder)
    assert not report.go
    assert outcomes(report)[check] == "fail"
    assert said in evidence(report, check)


def test_an_empty_folder_proves_nothing_and_is_no_go(folder: Path) -> None:
    report = examined(folder)
    assert not report.go
    assert [r.id for r in report.results if r.outcome is Outcome.FAIL] == ["files-readable"]
    assert "no file waits, and nothing else proves" in evidence(report, "files-readable")


def test_a_folder_that_is_not_there_fails_by_its_name(folder: Path) -> None:
    folder.rmdir()
    assert "no such folder" in evidence(examined(folder), "files-readable")
    with pytest.raises(NotFound):
        examine(parse_landscape(LANDSCAPE, "l.yaml", folder.parent), "other", now=NOW)
