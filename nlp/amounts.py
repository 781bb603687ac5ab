"""The sums of money in a text: as they stand, in every local way of writing them, with the currency they are in.

A figure is money when a currency stands at it, when it has cents, or when a word of paying or billing leads up to it
("short by 80"). Percentages, measures, counts of things and thresholds ("free from 500 EUR on") are no amounts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from nlp import amount_phrases as phrases
from nlp.currencies import currency_of, mentioned_codes
from nlp.letters import Span
from nlp.number_words import number_of
from nlp.plain import Plain

MOST_AMOUNTS = 500
LEAD = 48  # characters before a figure that tell what it is
GREATEST = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in a letter: where it stands, how much, unsigned, and its ISO code; None where the letter names none."""

    span: Span
    value: Decimal
    currency: str | None


@dataclass(frozen=True, slots=True)
class Figure:
    """Money at `start` to `end` of a plain text; `mark` is its currency as it is written, empty for a bare figure."""

    start: int
    end: int
    value: Decimal
    mark: str = ""
    sure: bool = True


def figures_in(told: Plain, taken: Sequence[tuple[int, int]] = ()) -> list[Figure]:
    """Every sum of money of the text, in order; nothing that overlaps the places `taken` (days, accounts, phones)."""
    found = _free([*_written(told.words), *_worded(told.words)], taken)
    values = {figure.value for figure in found if figure.mark}
    money = bool(values) or bool(mentioned_codes(told.text, told.words))
    return [one for one in found if one.sure or one.value in values or _grouped_money(told.words, one, money)][
        :MOST_AMOUNTS
    ]


def amounts_of(told: Plain, figures: Iterable[Figure], written: Iterable[Figure]) -> list[Amount]:
    """The figures that the sender has `written`, with currencies; `figures` are all of the letter, history too."""
    mine = list(written)
    mentioned = mentioned_codes(told.text, told.words)
    for figure in mine or figures:
        if figure.mark and (code := currency_of(figure.mark, told.words, mentioned)):
            mentioned.append(code)
    own = _commonest(told, mine, mentioned) or _commonest(told, figures, mentioned) or _commonest_code(mentioned)
    return [_amount(told, figure, mentioned, own) for figure in mine]


def _amount(told: Plain, figure: Figure, mentioned: list[str], own: str | None) -> Amount:
    currency = currency_of(figure.mark, told.words, mentioned) if figure.mark else own
    return Amount(told.span(figure.start, figure.end), figure.value, currency)


def _commonest(told: Plain, figures: Iterable[Figure], mentioned: list[str]) -> str | None:
    return _commonest_code(
        [code for one in figures if one.mark and (code := currency_of(one.mark, told.words, mentioned))]
    )


def _commonest_code(codes: list[str]) -> str | None:
    return Counter(codes).most_common(1)[0][0] if codes else None


def _free(figures: list[Figure], taken: Sequence[tuple[int, int]]) -> list[Figure]:
    """In order, without those that touch what is taken or an earlier one."""
    kept: list[Figure] = []
    blocked = sorted(taken)
    at = 0
    for figure in sorted(figures, key=lambda one: (one.start, -one.end)):
        while at < len(blocked) and blocked[at][1] <= figure.start:
            at += 1
        is_taken = at < len(blocked) and blocked[at][0] < figure.end
        if not is_taken and not (kept and figure.start < kept[-1].end):
            kept.append(figure)
    return kept


def _worded(words: str) -> Iterator[Figure]:
    for match in phrases.WORDED.finditer(words):
        if value := number_of(match[1]):
            mark = {"franken": "CHF", "francs": "CHF", "franc": "CHF"}.get(match[2], match[2])
            yield Figure(match.start(), match.end(), Decimal(value), mark)


def _written(words: str) -> Iterator[Figure]:
    after = 0
    for match in phrases.NUMBER.finditer(words):
        if match.start() < after:
            continue
        if figure := _figure(words, match, after):
            after = figure.end
            if 0 < figure.value < GREATEST:
                yield figure


def _figure(words: str, match: re.Match[str], free_from: int) -> Figure | None:
    """The money at a number, or None where it is none."""
    number, start, end = match[0], match.start(), match.end()
    value = value_of(number)
    if times := phrases.TIMES.match(words, end):
        value *= phrases.SCALE[times.lastgroup or "k"]
        end = times.end()
        if (
            times.lastgroup == "k"
            and times[0].strip() == "mil"
            and (rest := re.compile(r" (\d{1,3})(?!\d)").match(words, end))
        ):
            value, end = value + Decimal(rest[1]), rest.end()
    lead = words[max(free_from, start - LEAD) : start]
    if re.match(r"[-/]\w", words[end : end + 2]):
        return None
    before, behind = phrases.BEFORE.search(lead), phrases.AFTER.match(words, end)
    if before or behind:
        if phrases.THRESHOLD.search(lead[: before.start()] if before else lead):
            return Figure(start, end, Decimal(0))
        return _marked(words, start, end, value, before, behind)
    if times and times.lastgroup == "M" and times[0].strip() == "m":
        return None
    return _bare(words, number, start, end, value, lead, times is not None)


def _marked(
    words: str, start: int, end: int, value: Decimal, before: re.Match[str] | None, behind: re.Match[str] | None
) -> Figure:
    mark = behind[1] if behind else ""
    if before:
        start -= len(before[0])
        mark = mark if len(mark) == 3 and mark.isalpha() else before[1]
    if behind:
        end = behind.end()
        if behind[1] in ("euro", "euros") and (cents := phrases.CENTS.match(words, end)):
            value, end = value + Decimal(cents[1]) / 100, cents.end()
    if mark in ("teur", "t€"):
        value *= 1000
    return Figure(start, end, value, mark)


def _bare(words: str, number: str, start: int, end: int, value: Decimal, lead: str, scaled: bool) -> Figure | None:
    if phrases.NOT_MONEY_AFTER.match(words, end) or re.match(r"[\w/-]", words[end : end + 1]):
        return None
    if phrases.THRESHOLD.search(lead) or (
        not re.search(r"[.,]\d{2}$|-$", number) and phrases.DOCUMENT_LEAD.search(lead)
    ):
        return None
    dashed = number.rstrip().endswith("-")
    cents = re.search(r"[.,]\d{2}$", number) is not None
    if phrases.NOT_MONEY_BEFORE.search(lead) and (not cents or phrases.CLOCK.fullmatch(number)) and not dashed:
        return None
    if cents or dashed:
        return Figure(start, end, value)
    named = bool(phrases.MONEY_LEAD.search(lead)) or bool(phrases.MONEY_TAIL.match(words, end))
    thing = (
        bool(phrases.THING.match(words, end))
        and not phrases.NO_THING.match(words, end)
        and not phrases.MONEY_TAIL.match(words, end)
    )
    if thing and not scaled:
        return None
    return Figure(
        start,
        end,
        value,
        sure=named and len(number) <= 11 and (scaled or value >= 100 or bool(phrases.MONEY_TAIL.match(words, end))),
    )


def _grouped_money(words: str, figure: Figure, money: bool) -> bool:
    """Whether a bare "1.420" of a letter that speaks of money is some."""
    return money and re.fullmatch(r"\d{1,3}(?:[.,']\d{3})+", words[figure.start : figure.end]) is not None


def value_of(number: str) -> Decimal:
    """A figure in any local shape: the last mark before one, two or four digits is the decimal one.

    >>> [str(value_of(number)) for number in ("1.234,50", "1'234.50", "1,12,500.00", "12.500", "0,118", "980,-", "3.5")]
    ['1234.50', '1234.50', '112500.00', '12500', '0.118', '980', '3.5']
    """
    digits = number.rstrip("-., ").replace(" ", "").replace("'", "")
    at = max(digits.rfind("."), digits.rfind(","))
    whole, part = (digits[:at], digits[at + 1 :]) if at >= 0 else (digits, "")
    if len(part) == 3 and whole.lstrip("0"):
        whole, part = whole + part, ""
    whole = whole.replace(".", "").replace(",", "")
    return Decimal(f"{whole or 0}.{part}" if part else whole or "0")
