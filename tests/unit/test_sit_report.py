"""Checks as values, and the verdict in its forms."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from xml.etree import ElementTree as Xml

import pytest
from rich.console import Console

from features.errors import BadSetting, SourceBroken
from pipelines.sit.check import Check, Finding, Outcome, Result, failed, passed, run_checks, skipped, verdict
from pipelines.sit.html import as_html
from pipelines.sit.report import SitReport, as_json, as_junit, terminal

AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def results(*checks: Check[None]) -> dict[str, tuple[str, str]]:
    return {r.id: (r.outcome.value, r.evidence) for r in run_checks(checks, None)}


def broken(_: None) -> Finding:
    raise SourceBroken("the answer is no JSON")


def wrongly_set(_: None) -> Finding:
    raise BadSetting("no secret")


def test_checks_that_need_what_did_not_pass_are_skipped_with_the_reason() -> None:
    heard: list[str] = []
    checks = (
        Check("a", "a holds", lambda _: failed("no")),
        Check("b", "b holds", lambda _: passed("yes"), ("a",)),
        Check("c", "c holds", lambda _: skipped("not here")),
        Check("d", "d holds", lambda _: passed("yes"), ("c", "b")),
        Check("e", "e holds", lambda _: passed("yes")),
    )
    assert results(*checks) == {
        "a": ("fail", "no"),
        "b": ("skipped", "needs a, which did not pass"),
        "c": ("skipped", "not here"),
        "d": ("skipped", "needs c and b, which did not pass"),
        "e": ("pass", "yes"),
    }
    run_checks(checks, None, tell=heard.append)
    assert heard == ["a holds", "b holds", "c holds", "d holds", "e holds"]


def test_an_error_of_the_source_is_a_failure_and_a_wrong_setting_is_not() -> None:
    assert results(Check("a", "a", broken)) == {"a": ("fail", "the answer is no JSON")}
    with pytest.raises(BadSetting, match="no secret"):
        results(Check("a", "a", wrongly_set))


def test_a_verdict_names_the_first_few() -> None:
    assert verdict([], "all").evidence == "all"
    assert verdict(["1", "2", "3", "4", "5"], "all") == failed("1; 2; 3; and 2 more")


def report(*outcomes: Outcome, evidence: str = "[bold]<b>&\x00") -> SitReport:
    told = (Result(f"c{n}", f"proves <{n}>", outcome, evidence, 0.25) for n, outcome in enumerate(outcomes))
    return SitReport("erp", "rest", AT, tuple(told))


@pytest.mark.parametrize(
    ("outcomes", "go"),
    [
        ((Outcome.PASS, Outcome.SKIPPED), True),
        ((Outcome.PASS, Outcome.FAIL), False),
        ((Outcome.SKIPPED, Outcome.SKIPPED), False),
        ((), False),
    ],
)
def test_it_is_a_go_where_something_passed_and_nothing_failed(outcomes: tuple[Outcome, ...], go: bool) -> None:
    told = report(*outcomes)
    assert told.go is go
    assert told.verdict.startswith("GO: erp (rest)" if go else "NO-GO: erp (rest)")
    assert json.loads(as_json(told))["go"] is go


ALL = (Outcome.PASS, Outcome.FAIL, Outcome.SKIPPED)


def test_the_terminal_shows_evidence_as_it_is() -> None:
    screen = Console(file=StringIO(), width=100)
    screen.print(terminal(report(*ALL, evidence="[bold]x[/bold] of [1]")))
    shown = screen.file.getvalue()
    assert "[bold]x[/bold] of [1]" in shown
    assert "NO-GO: erp (rest), 1 passed, 1 failed, 1 skipped" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_junit_counts_and_names_what_failed() -> None:
    suite = Xml.fromstring(as_junit(report(*ALL))).find("testsuite")
    assert {k: suite.get(k) for k in ("tests", "failures", "skipped", "errors")} == {
        "tests": "3",
        "failures": "1",
        "skipped": "1",
        "errors": "0",
    }
    assert [case.get("name") for case in suite.iter("testcase")] == ["c0", "c1", "c2"]
    assert [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None] == ["c1"]
    assert "<b>&" in suite.find(".//failure").text


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data.strip())


def test_the_page_says_everything_in_words_and_loads_nothing() -> None:
    page = Page(as_html(report(*ALL)))
    names = [tag for tag, _ in page.tags]
    assert names.count("h1") == 1
    assert names.count("h2") == 2
    assert {"main", "table", "caption", "thead", "tbody", "title"} <= set(names)
    scopes = [told["scope"] for tag, told in page.tags if tag == "th"]
    assert scopes == ["col"] * 5 + ["row"] * 3
    assert next(told for tag, told in page.tags if tag == "html")["lang"] == "en"
    assert not [told for tag, told in page.tags if "src" in told or "href" in told or tag in ("script", "link", "b")]
    assert {"✓ pass", "✗ FAIL", "– skipped"} <= set(page.said)
    assert "proves <0>" in page.said
    assert any("Nothing." in text for text in Page(as_html(report(Outcome.PASS))).said)
