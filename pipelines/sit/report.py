"""The verdict on a system, go or no-go, and how to write it: for the terminal, as JSON, as JUnit XML."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from io import BytesIO
from xml.etree import ElementTree as Xml

import msgspec
from rich.table import Table

from pipelines.sit.check import Outcome, Result

WIDTH = 100
_SHOWN = {Outcome.PASS: "[green]pass[/green]", Outcome.FAIL: "[red]FAIL[/red]", Outcome.SKIPPED: "[dim]skipped[/dim]"}
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF], "�") | dict.fromkeys(
    range(0xD800, 0xE000), "�"
)


@dataclass(frozen=True, slots=True)
class SitReport:
    """What became of every check of the system called `target`, of the given kind, at an instant."""

    target: str
    kind: str
    at: datetime
    results: tuple[Result, ...]

    @property
    def go(self) -> bool:
        """Whether nothing failed, and something passed: checks that were all skipped prove nothing."""
        outcomes = self.counts
        return not outcomes[Outcome.FAIL] and bool(outcomes[Outcome.PASS])

    @property
    def counts(self) -> Counter[Outcome]:
        """How many checks came to what."""
        return Counter(result.outcome for result in self.results)

    @property
    def verdict(self) -> str:
        """In one line."""
        told = ", ".join(f"{self.counts[o]} {word}" for o, word in _WORDS.items() if self.counts[o])
        return f"{'GO' if self.go else 'NO-GO'}: {self.target} ({self.kind}), {told}"


_WORDS = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.SKIPPED: "skipped"}


def terminal(report: SitReport) -> Table:
    """A table that fits a terminal."""
    table = Table(title=report.verdict, title_justify="left", width=WIDTH, show_lines=False)
    table.add_column("Check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("Evidence", overflow="fold", ratio=1)
    table.add_column("s", justify="right", no_wrap=True)
    for result in report.results:
        evidence = result.evidence.replace("[", r"\[")
        table.add_row(result.id, _SHOWN[result.outcome], evidence, f"{result.seconds:.1f}")
    return table


def as_json(report: SitReport) -> bytes:
    """All of it."""
    told = {"target": report.target, "kind": report.kind, "at": report.at, "go": report.go}
    return msgspec.json.format(msgspec.json.encode(told | {"checks": [asdict(r) for r in report.results]}), indent=1)


def as_junit(report: SitReport) -> bytes:
    """JUnit XML: a test case for each check."""
    suite = Xml.Element(
        "testsuite",
        name=f"duecast sit {report.target}",
        timestamp=report.at.isoformat(timespec="seconds"),
        tests=str(len(report.results)),
        failures=str(report.counts[Outcome.FAIL]),
        skipped=str(report.counts[Outcome.SKIPPED]),
        errors="0",
        time=f"{sum(r.seconds for r in report.results):.3f}",
    )
    for result in report.results:
        case = Xml.SubElement(
            suite, "testcase", classname=f"sit.{report.target}", name=result.id, time=f"{result.seconds:.3f}"
        )
        _add_outcome(case, result)
    written = BytesIO()
    suites = Xml.Element("testsuites")
    suites.append(suite)
    Xml.ElementTree(suites).write(written, encoding="utf-8", xml_declaration=True)
    return written.getvalue()


def _add_outcome(case: Xml.Element, result: Result) -> None:
    evidence = result.evidence.translate(_NOT_XML)
    if result.outcome is Outcome.FAIL:
        Xml.SubElement(case, "failure", message=evidence[:200], type="check").text = f"{result.proves}: {evidence}"
    elif result.outcome is Outcome.SKIPPED:
        Xml.SubElement(case, "skipped", message=evidence)
    else:
        Xml.SubElement(case, "system-out").text = evidence
