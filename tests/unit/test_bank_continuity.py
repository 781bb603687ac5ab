"""Statements of one account, one after the other."""

from dataclasses import replace
from datetime import date

import pytest

from features.errors import BadInput
from pipelines.bank.continuity import Known, continued, known
from pipelines.bank.statement import Entry, Statement

ENTRY = Entry(
    "1", date(2026, 3, 1), date(2026, 3, 1), 5, "EUR", None, None, None, None, "text", None, False, "f line 2"
)


def statement(
    day: int, opening: int | None, closing: int | None, number: str | None = None, name: str = ""
) -> Statement:
    on = date(2026, 3, day)
    identity = name or f"S{day}"
    return Statement(identity, "NL1", None, number, "EUR", on, on, opening, closing, (), f"{identity}.xml line 2")


def drawn(*days: str) -> list[Statement]:
    """`1:0>5#7` is a statement of 1 March from 0 to 5 cents with number 7."""
    found = []
    for position, text in enumerate(days):
        head, _, number = text.partition("#")
        day, _, balances = head.partition(":")
        opening, _, closing = balances.partition(">")
        found.append(statement(int(day), int(opening), int(closing), number or None, f"S{position}"))
    return found


def told(before: list[str], new: list[str]) -> list[tuple[str, str, str]]:
    every = drawn(*before, *new)
    found = continued([known(s) for s in every[: len(before)]], every[len(before) :])
    assert len(found.fresh) == len(new)
    return [(b.kind, b.before, b.after) for b in found.breaks]


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ([], ["1:0>5"]),
        (["1:0>5"], ["2:5>9", "3:9>9"]),
        (["1:0>5"], ["3:9>9", "2:5>9"]),
        (["3:9>9"], ["1:0>5", "2:5>9"]),
        (["1:0>5#7"], ["2:5>9#8", "3:9>9#9/1", "3:9>8#9/2", "4:8>8#10/1"]),
        (["1:0>5#365"], ["2:5>6#0"]),
        ([], ["2:5>9", "2:0>5", "2:9>1"]),
        (["1:0>5#00004/00001"], ["1:5>9#00004/00002"]),
    ],
)
def test_what_follows_is_whole_in_whatever_order_it_came(before: list[str], new: list[str]) -> None:
    assert told(before, new) == []


def test_a_new_year_numbers_from_one_again() -> None:
    last = replace(statement(1, 0, 5, "250", "old"), from_day=date(2025, 12, 31), to_day=date(2025, 12, 31))
    first = replace(statement(2, 5, 6, "1", "new"), from_day=date(2026, 1, 2), to_day=date(2026, 1, 2))
    assert continued([known(last)], [first]).breaks == ()
    [found] = continued([known(last)], [replace(first, number="3", opening_minor=9)]).breaks
    assert found.message.startswith("a statement is missing after 2025-12-31 and up to 2026-01-02, between old")


@pytest.mark.parametrize(
    ("before", "new", "kind", "message"),
    [
        ("1:0>5#7", "3:9>9#9", "missing", "statement 8 is missing between S0 (S0.xml line 2) and S1 (S1.xml line 2)"),
        ("1:0>5#7", "3:9>9#9", "missing", "closes at 0.05 EUR, the second opens at 0.09 EUR, 0.04 EUR apart"),
        ("1:0>5#7", "5:5>9#11", "missing", "statements 8 to 10 are missing"),
        ("1:0>5#7/1", "1:6>9#7/3", "missing", "page 2 of statement 7 is missing"),
        ("1:0>5#7/1", "2:6>9#8/2", "missing", "the first page of statement 8 is missing"),
        ("1:0>5", "4:9>9", "missing", "a statement is missing after 2026-03-01 and up to 2026-03-04"),
        ("1:0>5#7", "2:6>9#8", "altered", "one is altered of S0"),
        ("1:0>5#7", "1:0>6#7", "overlapping", "they overlap: S0"),
    ],
)
def test_a_break_says_what_is_wrong_between_which_two(before: str, new: str, kind: str, message: str) -> None:
    first, second = drawn(before, new)
    [found] = continued([known(first)], [second]).breaks
    assert (found.kind, found.before, found.after) == (kind, "S0", "S1")
    assert message in found.message


def test_periods_that_overlap_without_numbers() -> None:
    first = replace(statement(1, 0, 5, None, "a"), to_day=date(2026, 3, 10))
    second = replace(statement(5, 3, 9, None, "b"), to_day=date(2026, 3, 15))
    assert continued([known(first)], [second]).breaks[0].kind == "overlapping"


def test_a_statement_put_into_a_gap_closes_it() -> None:
    first, third, second = drawn("1:0>5", "3:9>9", "2:5>9")
    assert continued([known(first)], [third]).breaks
    assert continued([known(first), known(third)], [second]).breaks == ()


def test_old_breaks_are_not_told_again() -> None:
    first, third, fourth = drawn("1:0>5", "3:9>9", "4:9>9")
    assert continued([known(first), known(third)], [fourth]).breaks == ()


def test_the_same_statement_again_adds_nothing() -> None:
    first = replace(statement(1, 0, 5), entries=(ENTRY,))
    elsewhere = replace(first, place="copy.xml line 9", entries=(replace(ENTRY, place="copy.xml line 10"),))
    found = continued([known(first)], [elsewhere])
    assert (found.fresh, found.repeated, found.breaks) == ((), ("S1",), ())
    assert continued([], [first, elsewhere]).fresh == (first,)


@pytest.mark.parametrize("change", [{"closing_minor": 6}, {"entries": (replace(ENTRY, remittance="other"),)}])
def test_the_same_id_with_another_content_is_an_error_that_names_both(change: dict[str, object]) -> None:
    first = replace(statement(1, 0, 5), entries=(ENTRY,))
    other = replace(first, place="copy.xml line 9", **change)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"S1 has two contents, at S1\.xml line 2 and copy\.xml line 9"):
        continued([known(first)], [other])
    with pytest.raises(BadInput, match="two contents"):
        continued([], [first, other])


def test_without_a_digest_the_figures_are_compared() -> None:
    first = replace(statement(1, 0, 5), entries=(ENTRY,))
    kept: Known = replace(known(first), digest=None)
    assert continued([kept], [first]).repeated == ("S1",)
    with pytest.raises(BadInput, match="two contents"):
        continued([kept], [replace(first, entries=())])


def test_what_has_no_balances_is_in_no_chain() -> None:
    note = statement(9, None, None)
    found = continued([known(statement(1, 0, 5))], [note, statement(2, 5, 6)])
    assert [s.statement_id for s in found.fresh] == ["S2", "S9"]
    assert found.breaks == ()
    assert continued([known(note)], [note]).repeated == ("S9",)
