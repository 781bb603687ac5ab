"""What each number-like word of a letter is the number of, decided by declared cue words and by the letter itself.

A number is what the nearest cue word before it says; members of a list are what the first is; a prefix speaks where
no word does; and all places of one number agree with the surest of them. What nobody names is an invoice where it
looks like a document's number and not like a count, a year or a measure: to accounts receivable people write of those.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Protocol

from nlp.number_cues import (
    ARTICLE_BEFORE,
    CUE,
    FILLING,
    FUNCTION_AFTER,
    KIND_OF_GROUP,
    LABEL_ALONE,
    LISTED,
    PLAIN_FILLING,
    POSSESSIVE,
    PREFIX_KIND,
    SINGULAR,
    UNIT_AFTER,
    Kind,
)
from nlp.numbers import Candidate
from nlp.plain import Plain
from nlp.ranges import THROUGH, numbers_through

SURE, LIKELY, WEAK, NONE = 3, 2, 1, 0
LONG = 6  # digits that hardly count anything
REACH = 48  # characters between a cue and its number


class Judge(Protocol):
    """Decides what numbers are. `money` are the places of sums in the same text."""

    def __call__(
        self, told: Plain, candidates: Sequence[Candidate], money: Sequence[tuple[int, int]]
    ) -> Sequence[Kind]: ...


Verdict = tuple[Kind, int]


def by_rules(told: Plain, candidates: Sequence[Candidate], money: Sequence[tuple[int, int]]) -> list[Kind]:
    """The kind of each candidate, by the rules of this module."""
    cues = [(match.end(), KIND_OF_GROUP[match.lastgroup or ""]) for match in CUE.finditer(told.words)]
    ends = [end for end, _ in cues]
    verdicts: list[Verdict] = []
    for at, one in enumerate(candidates):
        verdict = _cued(told, one, cues, ends)
        if verdict[1] < SURE and _is_listed(told, one, money):
            verdict = Kind.INVOICE, LIKELY
        if verdict[1] < SURE and at and _is_next_of_list(told, candidates[at - 1], one, money):
            verdict = verdicts[-1] if verdicts[-1][1] > verdict[1] else verdict
        verdicts.append(verdict if verdict[1] else _by_looks(one))
    verdicts = _references_settled(candidates, verdicts)
    forms = {
        one.form
        for one, verdict in zip(candidates, verdicts, strict=True)
        if verdict[0] is Kind.INVOICE and verdict[1] >= LIKELY
    }
    verdicts = [
        (Kind.UNKNOWN, NONE)
        if verdict == (Kind.INVOICE, WEAK) and forms and not any(_is_alike(one.form, form) for form in forms)
        else verdict
        for one, verdict in zip(candidates, verdicts, strict=True)
    ]
    surest = _surest(candidates, verdicts)
    return [_agreed(one, verdict, surest) for one, verdict in zip(candidates, verdicts, strict=True)]


def _cued(told: Plain, one: Candidate, cues: Sequence[tuple[int, Kind]], ends: Sequence[int]) -> Verdict:
    """What the nearest cue word before says, where nothing but filling words stands between."""
    at = bisect_right(ends, one.start) - 1
    if at < 0 or one.start - ends[at] > REACH:
        return Kind.UNKNOWN, NONE
    gap = told.words[ends[at] : one.start]
    kind = cues[at][1]
    filling = FILLING if kind in (Kind.INVOICE, Kind.CONTRA, Kind.PO, Kind.CREDIT) else PLAIN_FILLING
    if _is_counted(one) or sum(sign.isdigit() for sign in one.number) < 3:
        return Kind.UNKNOWN, NONE
    if "\n\n" in gap or gap == "" or (_is_year(one) and not LABEL_ALONE.search(gap)):
        return Kind.UNKNOWN, NONE
    if not filling.fullmatch(gap):
        alone = LABEL_ALONE.search(gap) and not re.search(r"[.;\n]\s", gap)
        return (kind, WEAK) if alone and kind not in (Kind.INVOICE, Kind.CONTRA) else (Kind.UNKNOWN, NONE)
    if kind is Kind.CONTRA and not one.is_new:
        kind = Kind.INVOICE
    if "\n" in gap and kind is not Kind.INVOICE and ":" not in gap:
        return Kind.UNKNOWN, NONE
    return kind, LIKELY if "\n" in gap else SURE


def _is_counted(one: Candidate) -> bool:
    return one.number.isdigit() and UNIT_AFTER.match(one.after) is not None


def _is_year(one: Candidate) -> bool:
    return re.fullmatch(r"(?:19|20)\d\d", one.number) is not None


def _is_next_of_list(told: Plain, before: Candidate, one: Candidate, money: Sequence[tuple[int, int]]) -> bool:
    """Whether only a list's joiner stands between two numbers, or one line each of a table."""
    gap = told.words[before.end : one.start]
    if len(gap) <= 30 and THROUGH.fullmatch(gap):
        return bool(numbers_through(before.number, one.number))
    if len(gap) <= 30 and LISTED.fullmatch(gap):
        counts = one.number.isdigit() and len(one.number) != len(before.number) and not FUNCTION_AFTER.match(one.after)
        return _is_alike(one.form, before.form) and not counts
    return before.shape == one.shape and len(gap) < 120 and _first_of_line(told, one) and _first_of_line(told, before)


def _is_alike(form: str, sure: str) -> bool:
    """Whether a seller who writes the sure form may mean one of his by the other: the same, its end, or with a tail."""
    return form == sure or (form != "9" and sure.endswith(form)) or (sure != "9" and form.startswith(sure))


def _is_listed(told: Plain, one: Candidate, money: Sequence[tuple[int, int]]) -> bool:
    """Whether a number begins a line on which a sum follows, as in a table of open invoices."""
    if one.prefix in PREFIX_KIND or not _first_of_line(told, one) or sum(sign.isdigit() for sign in one.number) < 4:
        return False
    at = bisect_right(money, (one.end, one.end))
    line_end = told.words.find("\n", one.end)
    return (
        at < len(money)
        and money[at][0] < (line_end if line_end >= 0 else len(told.words))
        and money[at][0] - one.end < 80
    )


def _first_of_line(told: Plain, one: Candidate) -> bool:
    line = told.words[told.words.rfind("\n", 0, one.start) + 1 : one.start]
    return not line.strip(" \t>*-•|")


def _by_looks(one: Candidate) -> Verdict:
    """What a number looks like that no word names."""
    prefix = one.prefix
    if prefix in PREFIX_KIND and len(one.number) > len(prefix) + 1:
        return PREFIX_KIND[prefix], WEAK
    digits = sum(sign.isdigit() for sign in one.number)
    if _is_counted(one) or digits < 3 or one.after.startswith("("):
        return Kind.UNKNOWN, NONE
    if prefix:
        return (Kind.INVOICE, WEAK) if _is_document(one, prefix, digits) else (Kind.UNKNOWN, NONE)
    if re.fullmatch(r"45\d{8}", one.number):
        return Kind.PO, WEAK
    if one.number.isdigit():
        return (Kind.INVOICE, WEAK) if _is_bare_document(one) else (Kind.UNKNOWN, NONE)
    return (Kind.INVOICE, WEAK) if _is_parted_document(one, digits) else (Kind.UNKNOWN, NONE)


def _is_document(one: Candidate, prefix: str, digits: int) -> bool:
    """Whether letters with digits are a document: capitals, and more than "K80" or "R114"."""
    if one.number[: len(prefix)].islower() and len(prefix) > 4:
        return False
    return digits >= 4 or (digits == 3 and re.search(r"[-/. ]", one.number) is not None)


def _is_bare_document(one: Candidate) -> bool:
    number = one.number
    if len(number) < 4 or _is_year(one) or _is_postcode(one):
        return False
    if POSSESSIVE.search(one.before) or SINGULAR.search(one.before):
        return True
    framed = (bool(ARTICLE_BEFORE.search(one.before)), bool(FUNCTION_AFTER.match(one.after)))
    return any(framed) if len(number) >= LONG else all(framed)


def _is_postcode(one: Candidate) -> bool:
    """ "8350 Fehring", behind a comma or on a line of its own."""
    return (
        len(one.number) in (4, 5)
        and bool(re.search(r"(?:^|[,\n] ?)(?:[a-z]{1,2}-)?$", one.before))
        and bool(re.match(r" [a-z]{3,}", one.after))
        and not FUNCTION_AFTER.match(one.after)
    )


def _is_parted_document(one: Candidate, digits: int) -> bool:
    """Whether digits with marks between are a document and no ratio, size, day or version."""
    if re.fullmatch(
        (
            r"\d{1,3}\.\d{3}|\d{1,2}[./-]\d{1,2}|20\d\d[/-]\d\d|\d{1,2}\.\d{1,2}\.\d{1,2}(?:\.\d+)?"
            r"|\d{1,3}[x]\d{1,4}.*"
        ),
        one.number,
    ):
        return False
    if re.search(r"[a-z]", one.number) and not re.search(r"[-/.]", one.number):
        return False
    return digits >= 4 or bool(ARTICLE_BEFORE.search(one.before))


def _references_settled(candidates: Sequence[Candidate], verdicts: list[Verdict]) -> list[Verdict]:
    """A "ref." is an invoice where the letter names no other, or others of the same shape; else somebody's own."""
    shapes = {
        one.shape
        for one, verdict in zip(candidates, verdicts, strict=True)
        if verdict[0] is Kind.INVOICE and one.is_new
    }
    return [
        verdict
        if verdict[0] is not Kind.REFERENCE
        else _by_looks(one)
        if not shapes or one.shape in shapes
        else (Kind.CASE, LIKELY)
        for one, verdict in zip(candidates, verdicts, strict=True)
    ]


def _surest(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> dict[str, Verdict]:
    """The surest verdict on each number of the letter; at equal sureness the first."""
    best: dict[str, Verdict] = {}
    for one, verdict in zip(candidates, verdicts, strict=True):
        if verdict[1] > best.get(one.number, (Kind.UNKNOWN, NONE))[1]:
            best[one.number] = verdict
    return best


def _agreed(one: Candidate, verdict: Verdict, surest: dict[str, Verdict]) -> Kind:
    best = surest.get(one.number, verdict)
    return best[0] if best[1] > verdict[1] else verdict[0]


def by_ledger(known: Collection[str], judge: Judge = by_rules) -> Judge:
    """A judge for whom every number that the ledger knows is an invoice's."""

    def kinds(told: Plain, candidates: Sequence[Candidate], money: Sequence[tuple[int, int]]) -> list[Kind]:
        told_by = judge(told, candidates, money)
        return [Kind.INVOICE if one.number in known else kind for one, kind in zip(candidates, told_by, strict=True)]

    return kinds
