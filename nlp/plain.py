"""A text made plain for patterns, in which every place can still be told: one character stays one character.

Letters of other alphabets that look Latin become Latin ("ІNV-4410" with a Cyrillic letter is "INV-4410"); typographic
spaces, dashes and apostrophes become the plain ones; marks that nobody sees (direction, joiners) are left out.
"""

import unicodedata
from bisect import bisect_left
from dataclasses import dataclass

from nlp.letters import Span

MOST_CHARACTERS = 60_000  # a letter is read so far; what is behind it are tables and history

_LOOKALIKES = dict(
    zip(("АВЕЅЗІЈКМНОРСТУХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο"), "ABES3IJKMHOPCTYXaeopcyxijsABEZHIKMNOPTYXo", strict=True)
)
_PLAIN = {
    "’": "'",
    "‘": "'",
    "´": "'",
    "`": "'",
    "–": "-",
    "—": "-",
    "‐": "-",
    "‑": "-",
    "‒": "-",
    "−": "-",
    "⁄": "/",
    "／": "/",
}


class _Letters(dict[int, str]):
    """What each character becomes, found once."""

    def __missing__(self, code: int) -> str:
        self[code] = made = _made(chr(code))
        return made


class _Words(dict[int, str]):
    """As `_Letters`, and small and without accents."""

    def __missing__(self, code: int) -> str:
        self[code] = made = _bare(chr(code).lower()[:1])
        return made


def _made(sign: str) -> str:
    if sign in "\t\n\r":
        return sign
    if (known := _LOOKALIKES.get(sign) or _PLAIN.get(sign)) is not None:
        return known
    match unicodedata.category(sign):
        case "Zs":
            return " "
        case "Zl" | "Zp":
            return "\n"
        case "Cf" | "Cc":
            return ""
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    wide = unicodedata.normalize("NFKC", sign)
    return wide if len(wide) == 1 and wide.isascii() and wide.isalnum() else sign


def _bare(sign: str) -> str:
    if (known := {"ß": "s", "ø": "o", "ł": "l", "œ": "o", "æ": "a"}.get(sign)) is not None:
        return known
    base = unicodedata.normalize("NFKD", sign)[:1]
    return base if base.isalpha() else sign


_LETTERS, _WORDS = _Letters(), _Words()


@dataclass(frozen=True, slots=True)
class Plain:
    """`text` keeps capitals, `words` is small and without accents; both count alike."""

    text: str
    words: str
    places: tuple[int, ...] | None

    def span(self, start: int, end: int) -> Span:
        """The place in the letter of characters `start` to `end` (exclusive, not empty) of this text."""
        if self.places is None:
            return Span(start, end)
        return Span(self.places[start], self.places[end - 1] + 1)

    def place(self, at: int) -> int:
        """Where in this text the letter's character `at` stands, or what follows it."""
        return at if self.places is None else bisect_left(self.places, at)


def plain(text: str) -> Plain:
    """The text made plain, as far as `MOST_CHARACTERS`.

    >>> told = plain("RE-\\u200f77 über 1\\u00a0234,50 €")
    >>> told.text, told.words, told.span(0, 5)
    ('RE-77 über 1 234,50 €', 're-77 uber 1 234,50 €', Span(start=0, end=6))
    """
    read = text[:MOST_CHARACTERS]
    made = read.translate(_LETTERS)
    places = None if len(made) == len(read) else tuple(at for at, sign in enumerate(read) if _LETTERS[ord(sign)])
    return Plain(made, made.translate(_WORDS), places)
