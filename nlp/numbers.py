"""The number-like words of a text: candidates for invoice and order numbers, each with what stands around it.

A candidate is one run of letters, digits and the marks that numbers are written with ("SI/24-25/0098"), or such a run
behind a short prefix of capitals ("FC 00021-00034512", "R 2024 1187"). What it is the number of, a judge decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_letters

from nlp.currencies import CODES
from nlp.number_cues import CUE
from nlp.plain import Plain
from nlp.ranges import numbers_through

MOST_CANDIDATES = 1_000
AROUND = 60  # characters before and behind that a judge may read
LONGEST = 40

_RUN = re.compile(r"(?<![\w@.#/-])(?<!\d:)#?[A-Za-z0-9]{1,24}(?:[./_-][A-Za-z0-9]{1,24}){0,6}(?![\w@])")
_TAKEN = re.compile(
    r"\S{1,64}@\S{1,128}"  # addresses
    r"|\b(?:https?://|www\.)\S{1,300}"
    r"|\b[A-Z]{2}\d{2} ?(?:[A-Z\d]{4} ?){2,7}[A-Z\d]{0,4}\b"  # IBAN
    r"|(?<![\w/-])\+\d[\d ()/-]{6,20}\d"  # phones
    r"|(?<![\w/.-])0\d{1,5}[ /-]{1,3}\d{2,8}(?:[ -]\d{2,8}){1,4}(?![\w/-])|(?<![\w/.-])0\d{2,4} \d{5,8}(?![\w/-])"
    r"|\b[A-Z]{2,3}U?\d{8,12}\b(?= ?(?:UID|VAT|TVA))"
    r"|\b\d{1,2}[:h]\d{2}(?::\d{2})?\b|\b\d{1,2} ?(?:[ap]\.?m\b\.?|Uhr\b)"
    r"|\b\d{4} \d{4} \d{4}(?: \d{2,4}){1,3}\b"
    r"|\bCHE-?\d{3}\.\d{3}\.\d{3}|\b[A-Z]{2} ?\d{3,4}\.\d{3}\.\d{3}\b|\b\d{1,3}\.\d{3}\.\d{3}-[\dkK]"
    r"\b"  # company registers
    r"|\b(?:AT[Uu]|DE|GB|NL|FR|IT|ES|BE|LU|PL|CZ|DK|SE|FI|PT|IE) ?\d{8,12}\b|\bIE ?\d[A-Z\d]\d{5}[A-Z]{1,2}\b"  # VAT
    r"|\b[A-Z]{4} ?\d{6}-?\d\b"  # containers, ISO 6346
    r"|(?<=\()[A-HJNP-SUVW]\d{8}(?=\))"  # Spanish companies
)
_LABEL = re.compile(
    r"(?i)(?:no|nr|num|rg|rgnr|rn|rech|rechn|rechnung|fact|fac|fra|inv|invoice|bill|ref|re|n)[.:](?=\w*\d"
    r")"
)
_SPACED_PREFIX = re.compile(r"(?<![\w.-])(?<![A-Z]{3} )([A-Z]{1,3}(?:-[A-Z]| [A-Z])?) $")
# Short words in capitals that are no part of a number.
_WORD_PREFIX = re.compile(
    r"FY|ET|PR|EK|AB|NC|PO|OC|BC|LS|BL|DN|KW|CW|RG|RN|RE|NR|NO|N|SO|ND|CN|AV|GS|GU|AZ|IK|UK|US|EU|IN|AM|TO"
    r"|ON|AT|OR|WE|IT|KD|OP|PM|ID|VW|I|Y|EN|LE|LA|DE|UN|AL|DU|BP|RV|TA|HS|HT|ST|Z|S|O|OF|IS|BY|MY|OK|CP|CA"
    r"|LT|CO|DR|MR|MS|MO|DI|MI|DO|FR|SA|KG|EL|SE"
)
_NAMED_PREFIX = re.compile(
    r"(?:invoice|rechnung|rg\.?|rg\. ?nr\.?|facture|factura|fra\.?|bill|no\.|nr\.|n°|VWZ \"?)"
    r" ?([A-Z]{3}|[A-Z]{1,4}\d{2}) $"
)
_NAMED = re.compile(
    r"(?:invoices?|inv|bill|rechnung(?:en|snummer|s-nr\.?)?|rg|rechn|faktura|factures?|facturas?"
    r"|fras?|fact|beleg|n[°º]|nr|no|numero|number|#)[ .:n°º#or]{0,6}$"
)
_GROUPS = re.compile(r"\d{1,4}((?: \d{2,5}){1,3})(?![\w€$£%]|[.,/-]\d| ?(?:€|\$|£|%|EUR|USD|GBP|CHF|Stk|kg|pcs))")
_YEAR_GROUP = re.compile(r" (\d{3,6})(?![\w.,/-]*\d)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number at `start` to `end` of the plain text: `number` as the ledger would have it, folded words around it.

    `is_new` is whether the sender wrote it now, `in_subject` whether it stands in the subject; `line` counts lines.
    """

    start: int
    end: int
    number: str
    before: str
    after: str
    is_new: bool
    in_subject: bool
    line: int

    @property
    def prefix(self) -> str:
        """Small letters at its beginning, as "inv" of "INV-4410"; empty where it begins with a digit."""
        return self.number[: len(self.number) - len(self.number.lstrip(ascii_letters))].lower()

    @property
    def form(self) -> str:
        """How its seller writes numbers: prefix and marks, digits of any length: "INV-9", "9-9", "9"."""
        first, dash, last = self.number.partition("-")
        if dash and len(first) == len(last) and numbers_through(first, last):
            return re.sub(r"\d+", "9", first)
        return re.sub(r"\d+", "9", re.sub(r"(?<=\d)[A-Za-z]$", "", self.number))

    @property
    def shape(self) -> str:
        """Letters as they are, digits as 9, trailing ones of any length: "INV-9", "99-9"."""
        return re.sub(r"\d+$", "9", re.sub(r"\d(?=.*\D)", "9", self.number))


def candidates_in(
    told: Plain, new: Sequence[tuple[int, int]], subject_end: int, taken: Sequence[tuple[int, int]] = ()
) -> list[Candidate]:
    """The candidates in order; `new` are the places that the sender wrote, `taken` those that are days or money."""
    closed = sorted([*taken, *places_taken(told.text)])
    found: list[Candidate] = []
    at = line = read = 0
    for start, end in _runs(told):
        while at < len(closed) and closed[at][1] <= start:
            at += 1
        if at < len(closed) and closed[at][0] < end:
            continue
        line += told.text.count("\n", read, start)
        read = start
        found.append(_candidate(told, start, end, new, subject_end, line))
        if len(found) == MOST_CANDIDATES:
            break
    return found


def places_taken(text: str) -> list[tuple[int, int]]:
    """Where addresses, accounts, phones and times of day stand."""
    return [match.span() for match in _TAKEN.finditer(text)]


def _runs(told: Plain) -> Iterator[tuple[int, int]]:
    until, text = 0, told.text
    for match in _RUN.finditer(text):
        if match.start() < until:
            continue
        start, end = match.span()
        start += text[start] == "#"
        if label := _LABEL.match(text, start, end):
            start = label.end()
        if text[end - 2 : end] in ("er", "en") and text[start : end - 2].isdigit():
            end -= 2
        word = text[start:end]
        digits = sum(sign.isdigit() for sign in word)
        if not digits or len(word) > LONGEST or "xxx" in word.lower():
            continue
        bare = start
        start, end = _with_prefix(text, start, end)
        named = start == bare and word.isdigit() and _NAMED.search(told.words, max(0, start - 24), start)
        if named and (groups := _GROUPS.match(text, start)):
            end = groups.end(1)
        until = end
        if sum(sign.isdigit() for sign in text[start:end]) >= 2:
            yield start, end


def _with_prefix(text: str, start: int, end: int) -> tuple[int, int]:
    """The run with the capitals before it that belong to the number, and its second half behind a year."""
    if text[start].isdigit() and (named := _NAMED_PREFIX.search(text, max(0, start - 24), start)):
        return named.start(1), end
    prefix = _SPACED_PREFIX.search(text, max(0, start - 6), start)
    if not prefix or not text[start].isdigit() or _WORD_PREFIX.fullmatch(re.split(r"[ -]", prefix[1])[0]):
        return start, end
    if len(prefix[1]) == 3 and prefix[1].isalpha() and (prefix[1] in CODES or CUE.fullmatch(prefix[1].lower())):
        return start, end
    second = _YEAR_GROUP.match(text, end) if re.fullmatch(r"20\d\d", text[start:end]) else None
    if not second and (
        len(text[start:end]) < 5 or text[prefix.start() - 1 : prefix.start()] not in ("", " ", "\n", "(", "#")
    ):
        return start, end
    return prefix.start(1), second.end(1) if second else end


def _candidate(
    told: Plain, start: int, end: int, new: Sequence[tuple[int, int]], subject_end: int, line: int
) -> Candidate:
    return Candidate(
        start,
        end,
        told.text[start:end],
        told.words[max(0, start - AROUND) : start],
        told.words[end : end + AROUND],
        any(begin <= start and end <= stop for begin, stop in new),
        start < subject_end,
        line,
    )
