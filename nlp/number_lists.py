"""One number or several: ranges, slashes and shared stems of invoice and order numbers, each number told in full."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from nlp.number_cues import FUNCTION_AFTER, LISTED, Kind
from nlp.numbers import Candidate
from nlp.plain import Plain
from nlp.ranges import BETWEEN, BETWEEN_AND, LONGEST_RANGE, THROUGH, numbers_through

_HYPHENED = re.compile(r"(\d{3,12})-(\d{3,12})")
_SLASHED = re.compile(r"(.*?)(\d{2,10})((?:/\d{2,10}){1,12})")
_TAIL = re.compile(r"\d+$")
_SHORT = re.compile(
    r"(?P<join>[ \t]{0,2}(?:,|;|&|\+|/|\band\b|\bund\b|\bet\b|\by\b|\be\b|\bor\b|\boder\b"
    r"|\bsowie\b|\bas well as\b|\bplus\b|\bainsi que\b|\basi como\b)[ \t]{0,2}(?:(?:and|und"
    r"|et|y|sowie|&|la|le|les|las|the|die|auch|also|no\.|nr\.|n[°º])[ \t]){0,2}(?:-|\.{2,3}"
    r"|…)?)(?P<n>\d{1,8})(?![\w%€$£]|[.,]\d|[-/.:]\w| ?(?:%|€|\$|£|eur|usd|gbp|chf|st|kg"
    r"|tage|days|jours|dias|stuck|pcs|x)\b| (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|okt"
    r"|nov|dec|dez|ene|abr|ago|dic|mai|avr|fev|de [a-z]{3,10} de))"
)
_DASHED = re.compile(r"(.{0,20}\d{3,12})-(\d{2,4})")
_THROUGH_SHORT = re.compile(
    r" ?(?:\.{2,3}|…|(?:-|bis|to|thru|through|a|al|au|hasta|jusqu'a) ?-) ?(?P<n>\d{1,8})(?![\w%€$£/-]"
    r"|[.,]\d)"
)
STEM = re.compile(r"[A-Za-z]{1,5}[-/.]?")
PLURAL = re.compile(
    r"\b(?:invoices|invs|bills|rechnungen|rgn?\.|fakturen|belege|factures|facturas|fras|both"
    r"|beide)\b[ .:n°º#r]{0,6}$"
)
MOST_SHORTS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers at `start` to `end` of a plain text, written by the sender or standing in the quoted part."""

    start: int
    end: int
    kind: Kind
    numbers: tuple[str, ...]
    is_new: bool
    in_subject: bool
    line: int


def told_numbers(told: Plain, candidates: Sequence[Candidate], kinds: Sequence[Kind]) -> list[Told]:
    """The invoices and orders of the whole text in order, ranges and shared stems expanded."""
    found: list[Told] = []
    wanted = [(one, kind) for one, kind in zip(candidates, kinds, strict=True) if kind in (Kind.INVOICE, Kind.PO)]
    until, at = 0, 0
    while at < len(wanted):
        one, kind = wanted[at]
        follows = wanted[at + 1][0] if at + 1 < len(wanted) else None
        at += 1
        if one.start < until or len(one.number) < 3:
            continue
        if follows and (numbers := _through(told, one, follows)):
            found += [
                _told(one, kind, one.start, follows.end, numbers),
                *_shorts(told, one, kind, numbers[-1], follows.end),
            ]
            until = found[-1].end
            continue
        pieces = list(_pieces(told, _with_stem(told, one, found), kind))
        found += pieces
        until = pieces[-1].end
    return found


def _with_stem(told: Plain, one: Candidate, found: Sequence[Told]) -> Candidate:
    """A candidate with the letters that its seller writes before such numbers: "88.204" behind "VR-88.201"."""
    if one.prefix:
        return one
    listed = found and LISTED.fullmatch(told.words[found[-1].end : one.start][:40])
    for known in reversed(found[-8:]):
        number = known.numbers[-1]
        stem = STEM.match(number)
        alike = stem and len(number) - stem.end() == len(one.number) and number[stem.end() :][:2] == one.number[:2]
        if stem and alike and (one.number.isdigit() or listed):
            return replace(one, number=stem[0] + one.number)
    return one


def _told(one: Candidate, kind: Kind, start: int, end: int, numbers: tuple[str, ...]) -> Told:
    return Told(start, end, kind, numbers, one.is_new, one.in_subject, one.line)


def _through(told: Plain, first: Candidate, last: Candidate) -> tuple[str, ...]:
    """The numbers from one candidate to the next, where words say "through"; empty where they do not."""
    gap = told.words[first.end : last.start]
    joined = THROUGH.fullmatch(gap) or (BETWEEN.search(first.before) and BETWEEN_AND.fullmatch(gap))
    return numbers_through(first.number, last.number) if len(gap) < 30 and joined else ()


def _pieces(told: Plain, one: Candidate, kind: Kind) -> Iterator[Told]:
    """The candidate itself, and the short members behind it that share its stem."""
    hyphened = _HYPHENED.fullmatch(one.number)
    if hyphened and len(hyphened[1]) == len(hyphened[2]) and (numbers := numbers_through(hyphened[1], hyphened[2])):
        yield _told(one, kind, one.start, one.end, numbers)
        return
    dashed = _DASHED.fullmatch(one.number) if PLURAL.search(one.before) else None
    if dashed and (numbers := numbers_through(dashed[1], dashed[2])):
        yield _told(one, kind, one.start, one.end, numbers)
        return
    short = _THROUGH_SHORT.match(told.words, one.end)
    if short and (numbers := numbers_through(one.number, short["n"])):
        yield _told(one, kind, one.start, short.end(), numbers)
        yield from _shorts(told, one, kind, numbers[-1], short.end())
        return
    members = _slashed(one.number, bool(PLURAL.search(one.before))) or [(one.number, (0, one.end - one.start))]
    for number, (start, end) in members:
        yield _told(one, kind, one.start + start, one.start + end, (number,))
    yield from _shorts(told, one, kind, members[-1][0], one.end)


def _shorts(told: Plain, one: Candidate, kind: Kind, number: str, last: int) -> Iterator[Told]:
    """Members of the list behind a candidate that are told by their last digits: ", 02 and 09"."""
    for _ in range(MOST_SHORTS):
        short = _SHORT.match(told.words, last)
        shared = _shared(number, short["n"]) if short and FUNCTION_AFTER.match(told.words, short.end()) else None
        if not short or not shared:
            return
        yield _told(one, kind, short.start("n"), short.end("n"), (shared,))
        last, number = short.end("n"), shared


def _shared(number: str, short: str) -> str | None:
    """ "02" behind "INV-7701" is "INV-7702"; None where the short one is a number of its own."""
    tail = _TAIL.search(number)
    if not tail or len(short) > len(tail[0]) or (tail.start() == 0 and len(short) == len(tail[0])):
        return None
    if len(short) < 2 or tail[0][-len(short) :] >= short:
        return None
    return number[: len(number) - len(short)] + short


def _slashed(number: str, plural: bool) -> list[tuple[str, tuple[int, int]]]:
    """ "F-311/315/340" as three numbers with their places; empty for one number that has slashes."""
    match = _SLASHED.fullmatch(number)
    if not match:
        return []
    tails = match[3][1:].split("/")
    if not _are_members(match[2], tails, plural or len(tails) > 1) or not (match[1] or len(match[2]) > 2):
        return []
    at, last = match.end(2), match[1] + match[2]
    found = [(last, (0, at))]
    for tail in tails:
        last = last[: len(last) - len(tail)] + tail
        found.append((last, (at + 1, at + 1 + len(tail))))
        at += 1 + len(tail)
    return found


def _are_members(first: str, tails: Sequence[str], several: bool) -> bool:
    """Whether what stands behind slashes are further numbers: they ascend, each as long as the first or shorter."""
    ends = [first[len(first) - len(tails[0]) :], *tails]
    ascend = all(len(a) == len(b) and int(a) < int(b) for a, b in pairwise(ends))
    alike = len(tails[0]) == len(first)
    near = several or (alike and len(first) >= 3)
    return (
        ascend
        and near
        and len(tails[0]) <= len(first)
        and (len(tails) > 1 or int(ends[1]) - int(ends[0]) <= LONGEST_RANGE)
    )
